// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

var global *node

func carried_to_next() int {
	var previous *node
	sum := 0
	for i := 1; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		if previous != nil {
			sum = sum*10 + previous.value
		}
		previous = n
	}
	return sum
}

func carried_two_iterations() int {
	var one, two *node
	sum := 0
	for i := 1; i < 6; i++ {
		n := new(node) // heap
		n.value += i
		if two != nil {
			sum = sum*10 + two.value
		}
		two = one
		one = n
	}
	return sum
}

func list_over_iterations() int {
	var list *node
	sum := 0
	for i := 1; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		n.next = list
		list = n
	}
	for ; list != nil; list = list.next {
		sum = sum*10 + list.value
	}
	return sum
}

func array_over_iterations() int {
	var all [4]*node
	sum := 0
	for i := range all {
		all[i] = new(node) // heap
		all[i].value += i
	}
	for i := range all {
		sum = sum*10 + all[i].value
	}
	return sum
}

func array_object_over_iterations() int {
	all := make([]*node, 4) // stack
	sum := 0
	for i := range all {
		all[i] = new(node) // heap
		all[i].value += i
	}
	for i := range all {
		sum = sum*10 + all[i].value
	}
	return sum
}

func best_of_loop() int {
	var best *node
	for i := 0; i < 6; i++ {
		n := new(node) // heap
		n.value += i * (5 - i)
		if best == nil || n.value > best.value {
			best = n
		}
	}
	return best.value
}

func allocated_on_first_use() int {
	var n *node
	for i := 1; i < 4; i++ {
		if n == nil {
			n = new(node) // heap
		}
		n.value = n.value*10 + i
	}
	return n.value
}

func stored_in_older_object() int {
	outer := new(node) // stack
	sum := 0
	for i := 1; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		if outer.next != nil {
			sum = sum*10 + outer.next.value
		}
		outer.next = n
	}
	return sum
}

func carried_as_field_address() int {
	var previous *int
	sum := 0
	for i := 1; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		if previous != nil {
			sum = sum*10 + *previous
		}
		previous = &n.value
	}
	return sum
}

func compared_with_previous() int {
	var previous *node
	same := 0
	for i := 0; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		if n == previous {
			same++
		}
		previous = n
	}
	return same
}

//go:noinline
func push(list **node, n *node) {
	n.next = *list
	*list = n
}

func pushed_by_callee() int {
	var list *node
	sum := 0
	for i := 1; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		push(&list, n)
	}
	for ; list != nil; list = list.next {
		sum = sum*10 + list.value
	}
	return sum
}

func one_of_two_carried() int {
	var previous *node
	sum := 0
	for i := 1; i < 4; i++ {
		a := new(node) // stack
		b := new(node) // heap
		a.value += i
		b.value += a.value + 1
		if previous != nil {
			sum = sum*10 + previous.value
		}
		previous = b
	}
	return sum
}

func last_in_global() {
	for i := 0; i < 4; i++ {
		n := new(node) // heap
		n.value += i
		if i == 3 {
			global = n
		}
	}
}
