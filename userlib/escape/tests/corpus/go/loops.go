// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

var global *node

func dies_in_its_iteration() int {
	sum := 0
	for i := 0; i < 4; i++ {
		n := new(node) // stack
		n.value += i
		sum = sum*10 + n.value
	}
	return sum
}

func dies_in_loop_of_goto() int {
	var n *node
	sum := 0
	i := 0
again:
	n = new(node) // heap
	n.value += i
	sum = sum*10 + n.value
	i++
	if i < 4 {
		goto again
	}
	return sum
}

func variable_outside() int {
	var n *node
	sum := 0
	for i := 0; i < 4; i++ {
		n = new(node) // heap
		n.value += i
		sum = sum*10 + n.value
	}
	return sum
}

func allocated_before() int {
	n := new(node) // stack
	for i := 0; i < 4; i++ {
		n.value = n.value*10 + i
	}
	return n.value
}

func used_after_break() int {
	var n *node
	for i := 0; ; i++ {
		n = new(node) // heap
		n.value += i
		if n.value == 3 {
			break
		}
	}
	return n.value
}

func last_used_after_loop(count int) int {
	var last *node
	for i := 0; i < count; i++ {
		last = new(node) // heap
		last.value += i
	}
	if last != nil {
		return last.value
	}
	return -1
}

func found_and_returned(value int) *node {
	for i := 0; i < 10; i++ {
		n := new(node) // heap
		n.value += i
		if n.value == value {
			return n
		}
	}
	return nil
}

func with_continue() int {
	sum := 0
	for i := 0; i < 6; i++ {
		n := new(node) // stack
		n.value += i
		if i%2 != 0 {
			continue
		}
		sum = sum*10 + n.value
	}
	return sum
}

func two_that_refer_to_each_other() int {
	sum := 0
	for i := 0; i < 4; i++ {
		a := new(node) // heap
		b := new(node) // heap
		if a.next != nil || b.next != nil {
			return -1
		}
		a.next = b
		b.next = a
		a.value += i
		sum = sum*10 + b.next.value
	}
	return sum
}

//go:noinline
func add_one(n *node) int {
	n.value++
	return n.value
}

func passed_to_callee() int {
	sum := 0
	for i := 0; i < 4; i++ {
		n := new(node) // stack
		n.value += i
		sum = sum*10 + add_one(n)
	}
	return sum
}

//go:noinline
func allocates(value int) int {
	n := new(node) // stack
	n.value += value
	return n.value
}

func each_in_global() {
	global = nil
	for i := 0; i < 3; i++ {
		n := new(node) // heap
		n.next = global
		n.value += i
		global = n
	}
}

func inner_dies_in_inner() int {
	sum := 0
	for i := 1; i < 3; i++ {
		for j := 1; j < 3; j++ {
			n := new(node) // stack
			n.value += i * j
			sum = sum*10 + n.value
		}
	}
	return sum
}

func outer_used_in_inner() int {
	sum := 0
	for i := 0; i < 3; i++ {
		n := new(node) // stack
		for j := 0; j < 3; j++ {
			n.value += i + j
		}
		sum = sum*100 + n.value
	}
	return sum
}

func inner_refers_to_outer() int {
	sum := 0
	for i := 0; i < 3; i++ {
		outer := new(node) // heap
		outer.value += i
		for j := 0; j < 3; j++ {
			inner := new(node) // stack
			inner.next = outer
			inner.value += j
			sum += inner.next.value * inner.value
		}
	}
	return sum
}

func array_in_iteration() int {
	sum := 0
	for i := 0; i < 3; i++ {
		a := make([]int, 8) // stack
		for j := range a {
			a[j] += j
		}
		for j := range a {
			sum += a[j]
		}
	}
	return sum
}

func replaced_in_loop() int {
	a := new(node) // stack
	b := new(node) // stack
	a.value = 1
	b.value = 2
	for i := 0; i < 3; i++ {
		a, b = b, a
		a.value += b.value
	}
	return a.value*10 + b.value
}

func in_local_struct_of_iteration() int {
	sum := 0
	for i := 0; i < 4; i++ {
		var p pair
		p.b = new(node) // stack
		p.b.value += i
		sum = sum*10 + p.b.value
	}
	return sum
}

func list_of_fixed_objects() int {
	a := new(node) // stack
	b := new(node) // heap
	c := new(node) // heap
	sum := 0
	a.next = b
	b.next = c
	a.value = 1
	b.value = 2
	c.value = 3
	for n := a; n != nil; n = n.next {
		sum = sum*10 + n.value
	}
	return sum
}

func forever_until_return(limit int) int {
	for i := 0; ; i++ {
		n := new(node) // stack
		n.value += i
		if n.value == limit {
			return n.value
		}
	}
}

func only_in_some_iterations() int {
	sum := 0
	for i := 0; i < 6; i++ {
		if i%3 == 1 {
			n := new(node) // stack
			n.value += i
			sum = sum*10 + n.value
		}
	}
	return sum
}
