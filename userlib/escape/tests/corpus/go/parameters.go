// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

func through_field(p *node) {
	n := new(node) // heap
	n.value = 1
	p.next = n
}

func through_out(out **node) int {
	*out = new(node) // heap
	(*out).value = 2
	return 0
}

func through_two_levels(out ***node) {
	n := new(node) // heap
	n.value = 3
	**out = n
}

func through_loaded_pointer(p *node) {
	n := new(node) // heap
	n.value = 4
	p.next.next = n
}

func through_element(all []*node, i int) {
	n := new(node) // heap
	n.value = 5
	all[i] = n
}

func through_struct_copy(out *pair) {
	var p pair
	p.a = new(node) // heap
	p.a.value = 8
	*out = p
}

func through_out_if(out **node, succeed bool) int {
	n := new(node) // heap
	n.value = 9
	if !succeed {
		return -1
	}
	*out = n
	return 0
}

func only_value_through(out *int) int {
	n := new(node) // stack
	n.value = 10
	*out = n.value
	return *out
}

func parameter_in_object(p *node) int {
	n := new(node) // stack
	n.next = p
	n.value = 1
	return n.next.value + n.value
}

func parameter_out_of_object(p *node) *node {
	n := new(node) // stack
	n.next = p
	return n.next
}

func assigned_to_parameter(p *node) int {
	p = new(node) // stack
	p.value = 12
	return p.value
}

func address_of_parameter(p *node) int {
	where := &p
	n := new(node) // heap
	n.value = 13
	*where = n
	return p.value
}

//go:noinline
func give(out **node, n *node) {
	*out = n
}

func given_to_local() int {
	var local *node
	n := new(node) // heap
	n.value = 16
	give(&local, n)
	return local.value
}

func given_to_parameter(out **node) {
	n := new(node) // heap
	n.value = 17
	give(out, n)
}

//go:noinline
func make_node(out **node, value int) {
	n := new(node) // heap
	n.value = value
	*out = n
}

//go:noinline
func exchange(a, b **node) {
	*a, *b = *b, *a
}

func exchanged_locals() int {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 19
	exchange(&a, &b)
	return a.value - b.value
}

func three_levels_of_locals() int {
	n := new(node) // stack
	p := &n
	q := &p
	(**q).value = 21
	return n.value
}

func pointer_object_to_pointer_object() int {
	q := new(**node) // stack
	p := new(*node)  // heap
	n := new(node)   // heap
	*q = p
	*p = n
	(**q).value = 22
	return n.value
}

//go:noinline
func find(list *node, value int, found **node) bool {
	for ; list != nil; list = list.next {
		if list.value == value {
			*found = list
			return true
		}
	}
	return false
}

func found_in_local() int {
	var hit *node
	a := new(node) // heap
	b := new(node) // heap
	a.next = b
	b.value = 24
	if find(a, 24, &hit) {
		return hit.value
	}
	return 0
}

func removed_through_indirect_pointer() int {
	head := new(node)   // stack
	second := new(node) // heap
	third := new(node)  // heap
	link := &head
	head.next = second
	head.value = 1
	second.next = third
	second.value = 2
	third.value = 25
	for *link != nil {
		if (*link).value == 2 {
			*link = (*link).next
		} else {
			link = &(*link).next
		}
	}
	return head.value + head.next.value
}
