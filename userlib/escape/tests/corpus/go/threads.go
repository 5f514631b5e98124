// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

var (
	global *node
	latest chan int
)

//go:noinline
func value_of(n *node, result chan int) {
	result <- n.value
}

//go:noinline
func keep(n *node) {
	global = n
	latest <- 0
}

//go:noinline
func allocates(value int) int {
	n := new(node) // stack
	n.value = value + 1
	return n.value
}

//go:noinline
func returns(value int) *node {
	n := new(node) // heap
	n.value = value
	return n
}

func passed_to_thread(result chan int) int {
	n := new(node) // heap
	n.value = 1
	go value_of(n, result)
	return <-result
}

func passed_to_thread_and_left() {
	n := new(node) // heap
	n.value = 2
	go keep(n)
}

func reachable_by_thread() {
	a := new(node) // heap
	b := new(node) // heap
	a.next = b
	b.value = 3
	go keep(a)
}

func beside_a_thread(result chan int) int {
	n := new(node) // stack
	n.value = 9
	go func() {
		result <- allocates(0)
	}()
	<-result
	return n.value
}
