// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

var (
	global         *node
	global_array   [4]*node
	global_pair    pair
	global_field   *int
	global_pointer = &global
	global_flag    = true
	kept           node
)

func stored_global() {
	n := new(node) // heap
	n.value = 1
	global = n
}

func stored_global_array(i int) {
	n := new(node) // heap
	n.value = 5
	global_array[i] = n
}

func stored_global_struct() {
	var p pair
	p.a = new(node) // heap
	p.b = p.a
	p.a.value = 6
	global_pair = p
}

func stored_field_address() {
	n := new(node) // heap
	n.value = 7
	global_field = &n.value
}

func stored_through_global_pointer() {
	n := new(node) // heap
	n.value = 9
	*global_pointer = n
}

func stored_behind_global() {
	n := new(node) // heap
	n.value = 10
	global.next = n
}

func stored_if(keep bool) {
	n := new(node) // heap
	n.value = 11
	if keep {
		global = n
	} else {
		global.value = n.value + 1
	}
}

//go:noinline
func value_of_global() int {
	if global_flag {
		return global.value
	}
	return 0
}

func stored_for_a_while() int {
	n := new(node) // heap
	n.value = 12
	global = n
	value := value_of_global()
	global = nil
	return value
}

func stored_and_overwritten() int {
	n := new(node) // heap
	n.value = 13
	global = n
	global = nil
	return n.value
}

func stored_reachable() {
	outer := new(node) // heap
	inner := new(node) // heap
	inner.value = 14
	outer.next = inner
	global = outer
}

func stored_only_the_inner() {
	outer := new(node) // stack
	inner := new(node) // heap
	inner.value = 16
	outer.next = inner
	global = outer.next
}

func loaded_from_global() int {
	n := new(node) // stack
	n.next = global
	n.value = 1
	return n.next.value + n.value
}

func only_value_stored() {
	n := new(node) // stack
	n.value = 17
	global.value = n.value
}

func local_variable_of_same_type() int {
	var local *node
	where := &local
	n := new(node) // heap
	n.value = 18
	*where = n
	return local.value
}

func either_global_or_local(pick bool) int {
	var local *node
	where := &global
	if pick {
		where = &local
	}
	n := new(node) // heap
	n.value = 19
	*where = n
	if pick {
		return local.value
	}
	return global.value
}

func copied_to_global() {
	n := new(node) // stack
	n.value = 20
	kept = *n
	global = &kept
}
