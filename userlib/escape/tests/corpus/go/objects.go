// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

type nested struct {
	before int
	inner  struct {
		all  [2]*node
		pair pair
	}
}

var global *node

func in_other_object() int {
	outer := new(node) // stack
	inner := new(node) // heap
	outer.next = inner
	inner.value = 1
	return outer.next.value
}

func in_other_object_that_escapes() *node {
	outer := new(node) // heap
	inner := new(node) // heap
	outer.next = inner
	inner.value = 2
	return outer
}

func escapes_from_other_object() *node {
	outer := new(node) // stack
	inner := new(node) // heap
	outer.next = inner
	inner.value = 3
	return outer.next
}

func in_itself() int {
	n := new(node) // heap
	n.next = n
	n.value = 4
	return n.next.next.next.value
}

func in_each_other() int {
	a := new(node) // heap
	b := new(node) // heap
	a.next = b
	b.next = a
	a.value = 5
	return b.next.next.next.value
}

func chain_of_three_from_the_end() *node {
	a := new(node) // stack
	b := new(node) // heap
	c := new(node) // heap
	a.next = b
	b.next = c
	c.value = 7
	return a.next.next
}

func in_local_struct() int {
	var p pair
	p.a = new(node) // stack
	p.a.value = 9
	return p.a.value
}

func in_nested_struct(i int) int {
	var s nested
	s.inner.all[i] = new(node) // stack
	s.inner.pair.b = s.inner.all[i]
	s.inner.pair.b.value = 10
	return s.inner.all[i].value
}

func in_local_array(i int) int {
	var all [4]*node
	all[i] = new(node)   // stack
	all[i+1] = new(node) // stack
	all[i].value = 11
	all[i+1].value = all[i].value + 1
	return all[i+1].value
}

func in_local_array_and_returned(i int) *node {
	var all [2]*node
	all[0] = new(node) // heap
	all[1] = new(node) // heap
	all[0].value = 12
	all[1].value = 13
	return all[i]
}

func in_array_object(i int) int {
	all := make([]*node, 4) // stack
	all[i] = new(node)      // heap
	all[i].value = 14
	return all[i].value
}

func in_array_object_that_escapes(i int) []*node {
	all := make([]*node, 4) // heap
	all[i] = new(node)      // heap
	all[i].value = 15
	return all
}

func field_address_in_object() int {
	n := new(node)     // heap
	where := new(*int) // stack
	*where = &n.value
	**where = 22
	return n.value
}

func replaced_in_object() int {
	outer := new(node) // stack
	a := new(node)     // heap
	b := new(node)     // heap
	a.value = 20
	outer.next = a
	b.value = outer.next.value + 4
	outer.next = b
	return outer.next.value
}

func swapped() int {
	a := new(node) // stack
	b := new(node) // stack
	old := a
	a.value = 1
	b.value = 27
	a = b
	b = old
	return a.value - b.value
}

func function_pointer_in_object() int {
	type callback struct {
		call func() int
		n    *node
	}
	c := new(callback) // stack
	c.call = in_itself
	c.n = new(node) // heap
	c.n.value = c.call()
	return c.n.value
}
