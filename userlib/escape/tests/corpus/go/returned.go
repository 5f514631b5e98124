// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

type four struct {
	all [4]*node
}

func returned() *node {
	n := new(node) // heap
	n.value = 7
	return n
}

func returned_directly() *[3]int {
	return new([3]int) // heap
}

func returned_either(first bool) *node {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 2
	if first {
		return a
	}
	return b
}

func returned_one_of_two() *node {
	a := new(node) // heap
	b := new(node) // stack
	b.value = 20
	a.value = b.value + 1
	return a
}

func returned_field() *int {
	n := new(node) // heap
	n.value = 3
	return &n.value
}

func returned_early(early int) *node {
	n := new(node) // heap
	n.value = early
	if early != 0 {
		return n
	}
	n.value++
	return nil
}

func returned_null() *node {
	n := new(node) // stack
	n.value = 5
	return n.next
}

func returned_value() int {
	n := new(node) // stack
	n.value = 6
	return n.value
}

func returned_copy() node {
	n := new(node) // stack
	n.value = 8
	return *n
}

func returned_in_struct() pair {
	var p pair
	p.b = new(node) // heap
	p.b.value = 10
	return p
}

func returned_in_large_struct(i int) four {
	var f four
	f.all[i] = new(node) // heap
	f.all[i].value = 11
	return f
}

func returned_head() *node {
	head := new(node) // heap
	tail := new(node) // heap
	head.next = tail
	tail.value = 12
	return head
}

func returned_content() *node {
	head := new(node) // stack
	tail := new(node) // heap
	head.next = tail
	tail.value = 13
	return head.next
}

//go:noinline
func identity(n *node) *node {
	return n
}

func returned_through_callee() *node {
	n := new(node) // heap
	n.value = 16
	return identity(n)
}

func returned_by_callee_and_used() int {
	n := new(node) // stack
	n.value = 17
	return identity(n).value
}

func returned_by_callee_and_dropped() int {
	n := new(node) // stack
	n.value = 18
	identity(n)
	return n.value
}

//go:noinline
func larger(a, b *node) *node {
	if a.value > b.value {
		return a
	}
	return b
}

func returned_choice_used() int {
	a := new(node) // stack
	b := new(node) // stack
	a.value = 1
	b.value = 19
	return larger(a, b).value
}

func returned_choice() *node {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 20
	b.value = 2
	return larger(a, b)
}
