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

const debug = false

func chosen_by_condition(first bool) int {
	a := new(node) // stack
	b := new(node) // stack
	n := b
	if first {
		n = a
	}
	a.value = 1
	b.value = 2
	n.value += 10
	return a.value*100 + b.value
}

func chosen_at_allocation(small bool) int {
	var n *node
	if small {
		n = new(node) // stack
	} else {
		n = &new([4]node)[0] // stack
	}
	n.value += 2
	return n.value
}

func one_branch_returns(keep bool) *node {
	a := new(node) // heap
	b := new(node) // stack
	a.value = 3
	b.value = 1
	if keep {
		return a
	}
	return b.next
}

func disjoint_branches(which bool) int {
	if which {
		n := new(node) // stack
		n.value += 4
		return n.value
	} else {
		p := new(pair) // stack
		if p.a == nil && p.b == nil {
			return 5
		}
		return -1
	}
}

func chosen_and_returned(second bool) *node {
	n := new(node) // heap
	n.value = 5
	if second {
		n = new(node) // heap
		n.value = 6
	}
	return n
}

func chosen_or_global(local bool) int {
	n := new(node) // stack
	p := global
	if local {
		p = n
	}
	p.value = 7
	return p.value + n.value
}

func leaks_if(leak bool) int {
	n := new(node) // heap
	n.value = 8
	if leak {
		global = n
	}
	return n.value
}

func leaks_if_allocated_here(leak bool) int {
	if leak {
		global = new(node) // heap
		global.value = 9
		return 1
	} else {
		n := new(node) // stack
		n.value = 2
		return n.value
	}
}

func falls_through(which int) int {
	n := new(node) // stack
	switch which {
	case 0:
		n.value += 1
		fallthrough
	case 1:
		n.value += 2
		fallthrough
	default:
		n.value += 4
	}
	return n.value
}

func same_variable_twice() int {
	n := new(node) // stack
	n.value += 5
	value := n.value
	n = new(node) // stack
	n.value += 8
	return value + n.value
}

func same_variable_second_leaks() int {
	n := new(node) // heap
	n.value = 1
	value := n.value
	n = new(node) // heap
	n.value = value + 13
	global = n
	return value
}

func one_after_another() int {
	var kept *node
	sum := 0
	{
		n := new(node) // stack
		n.value += 17
		kept = n
	}
	{
		n := new(node) // stack
		n.value += 1
		sum = n.value
	}
	return sum + kept.value
}

func never_the_same() int {
	a := new(node) // stack
	a.value = 1
	b := new(node) // stack
	b.value = 18
	if a == b {
		return -1
	}
	return b.value
}

func unused_result() int {
	_ = new(node) // stack
	return 20
}

func in_branch_on_constant() int {
	n := new(node) // stack
	n.value = 23
	if debug {
		global = n
	}
	return n.value
}

func early_return(early bool) int {
	n := new(node) // stack
	n.value = 27
	if early {
		return n.value
	}
	n.value++
	return n.value
}

func error_paths(out **node, error int) int {
	a := new(node) // stack
	a.value = 28
	if error == 1 {
		return -1
	}
	b := new(node) // heap
	b.value = a.value + 1
	if error == 2 {
		return -1
	}
	*out = b
	return 0
}

func aborts_without_memory() int {
	n := new(node) // stack
	if n == nil {
		panic("no memory")
	}
	n.value = 30
	return n.value
}
