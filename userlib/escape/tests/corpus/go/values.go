// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

type big struct {
	before [8]int
	node   *node
	after  [8]int
}

var (
	global     *node
	global_big big
)

//go:noinline
func slice_sum(s []int) int {
	sum := 0
	for _, v := range s {
		sum += v
	}
	return sum
}

//go:noinline
func slice_from(s []int, from int) []int {
	return s[from:]
}

//go:noinline
func big_value(b big) int {
	return b.node.value
}

//go:noinline
func big_of(n *node) big {
	return big{node: n}
}

//go:noinline
func big_keep(b big) {
	global = b.node
}

//go:noinline
func big_change(b big) {
	b.node.value++
	b.node = nil
}

func passed_by_value() int {
	s := make([]int, 4) // stack
	s[3] = 1
	return slice_sum(s)
}

func through_results_by_value() int {
	a := make([]int, 4) // stack
	a[2] = 2
	return slice_sum(slice_from(a, 1))
}

func returned_by_value() []int {
	a := make([]int, 4) // heap
	a[2] = 3
	return slice_from(a, 2)
}

func big_passed() int {
	n := new(node) // stack
	n.value = 4
	return big_value(big_of(n))
}

func big_returned() big {
	n := new(node) // heap
	n.value = 5
	return big_of(n)
}

func big_kept() {
	n := new(node) // heap
	n.value = 6
	big_keep(big_of(n))
}

func big_in_global() {
	n := new(node) // heap
	n.value = 7
	global_big = big_of(n)
}

func changed_through_copy() int {
	var b big
	b.node = new(node) // stack
	b.node.value = 7
	big_change(b)
	return b.node.value
}

func struct_object_by_value() int {
	b := new(big)      // stack
	b.node = new(node) // heap
	b.node.value = 9
	return big_value(*b)
}

func compound_literal() int {
	n := new(node) // stack
	p := pair{b: n}
	n.value = 11
	return p.b.value
}

func compound_literal_returned() pair {
	n := new(node) // heap
	n.value = 13
	return pair{n, nil}
}

func conditional_struct(first bool) int {
	var a, b, c pair
	a.a = new(node) // stack
	b.a = new(node) // stack
	a.a.value = 1
	b.a.value = 19
	c = b
	if first {
		c = a
	}
	return c.a.value
}

func structs_swapped() int {
	var a, b pair
	a.a = new(node) // stack
	a.a.value = 20
	a, b = b, a
	if a.a != nil {
		return -1
	}
	return b.a.value
}
