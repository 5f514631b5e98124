// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

var global_count int

func compared_and_branched_on() int {
	a := new(node) // stack
	b := new(node) // stack
	a.value = 22
	b.value = 1
	if a == b {
		return -1
	}
	return a.value + b.value
}

func compared_and_returned(other *node) bool {
	n := new(node) // stack
	n.value = 1
	other.value = 2
	return n == other
}

func compared_with_null() int {
	n := new(node) // stack
	if n == nil {
		return -1
	}
	n.value = 26
	return n.value
}

func null_comparison_returned() bool {
	n := new(node) // stack
	n.value = 1
	return n != nil
}

func compared_with_field() int {
	a := new(node) // stack
	b := new(node) // heap
	a.next = b
	b.value = 28
	if a.next == b && b.next == nil {
		return b.value
	}
	return -1
}

func counted_by_comparison(other *node) int {
	n := new(node) // stack
	same := 0
	n.value = 29
	if n == other {
		same++
	}
	return n.value + same
}
