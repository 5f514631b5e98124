// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type point struct {
	x, y int
}

type shape struct {
	corner *point
	size   int
}

var (
	global       *node
	global_point *point
)

func new_node() *node {
	return new(node) // heap
}

func used() int {
	n := new_node() // stack
	n.value = 1
	return n.value
}

func leaked() {
	n := new_node() // heap
	n.value = 2
	global = n
}

func used_and_leaked(leak bool) {
	n := new_node() // heap
	n.value = 3
	if leak {
		global = n
	}
}

//go:noinline
func new_node_apart(value int) *node {
	n := new(node) // heap
	n.value = value
	return n
}

func new_node_always(value int) *node {
	n := new(node) // heap
	n.value = value
	return n
}

func always_used() int {
	return new_node_always(5).value // stack
}

func always_leaked() {
	global = new_node_always(6) // heap
}

func new_point(x, y int) *point {
	return &point{x, y} // heap
}

func corner_of() *point {
	return new_point(7, 1) // heap
}

//go:noinline
func initialize_apart(n *node, value int) *node {
	n.value = value
	return n
}

func initialized_apart() int {
	n := new(node) // stack
	return initialize_apart(n, 11).value
}

func new_node_for_loop() *node {
	return new(node) // heap
}

func made_in_loop() int {
	sum := 0
	for i := 0; i < 4; i++ {
		n := new_node_for_loop() // stack
		n.value += i
		sum = sum*10 + n.value
	}
	return sum
}

func list_made_in_loop() int {
	var list *node
	sum := 0
	for i := 1; i < 4; i++ {
		n := new_node_for_loop() // heap
		n.value += i
		n.next = list
		list = n
	}
	for ; list != nil; list = list.next {
		sum = sum*10 + list.value
	}
	return sum
}
