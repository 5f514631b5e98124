// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type tree struct {
	left, right *tree
	value       int
}

var global *node

func depth_of(n *node, depth int) int {
	if depth == 0 {
		return n.value
	}
	return depth_of(n, depth-1)*2 + 1
}

func passed_down() int {
	n := new(node) // stack
	n.value = 1
	return depth_of(n, 3)
}

func leaks_deep_down(n *node, depth int) int {
	if depth == 0 {
		global = n
		return 0
	}
	return leaks_deep_down(n, depth-1)*2 + 1
}

func leaked_deep_down() {
	n := new(node) // heap
	n.value = 2
	leaks_deep_down(n, 5)
}

func even(n *node, i int) int {
	if i != 0 {
		return odd(n, i-1)
	}
	return n.value
}

func odd(n *node, i int) int {
	if i != 0 {
		return even(n, i-1)
	}
	return -n.value
}

func mutual() int {
	n := new(node) // stack
	n.value = 3
	return even(n, 4)
}

func last_of(n *node) *node {
	if n.next != nil {
		return last_of(n.next)
	}
	return n
}

func last_returned() *node {
	a := new(node) // heap
	b := new(node) // heap
	a.next = b
	b.value = 7
	return last_of(a)
}

func object_in_each_frame(depth int) int {
	n := new(node) // stack
	n.value += depth
	if depth == 0 {
		return 0
	}
	deeper := object_in_each_frame(depth - 1)
	return deeper*10 + n.value
}

func not_passed_on_in_tail_call(sum, depth int) int {
	n := new(node) // stack
	n.value += depth
	if depth == 0 {
		return sum
	}
	return not_passed_on_in_tail_call(sum*10+n.value, depth-1)
}

func accumulates(depth int) int {
	n := new(node) // stack
	n.value += depth
	if depth == 0 {
		return 0
	}
	return n.value + accumulates(depth-1)
}

func passed_on_in_tail_call(given *node, depth int) int {
	n := new(node) // stack
	n.value += given.value*10 + depth
	if depth == 0 {
		return n.value
	}
	return passed_on_in_tail_call(n, depth-1)
}

func sum_of_tree(t *tree) int {
	if t == nil {
		return 0
	}
	return sum_of_tree(t.left) + t.value + sum_of_tree(t.right)
}

func tree_of_three() int {
	root := new(tree)  // stack
	left := new(tree)  // heap
	right := new(tree) // heap
	root.left = left
	root.right = right
	root.value = 1
	left.value = 20
	right.value = 300
	return sum_of_tree(root)
}

func hanoi(disks int, from, to, other *node) {
	if disks == 0 {
		return
	}
	hanoi(disks-1, from, other, to)
	from.value--
	to.value++
	hanoi(disks-1, other, to, from)
}

func three_towers() int {
	a := new(node) // stack
	b := new(node) // stack
	c := new(node) // stack
	a.value = 4
	hanoi(4, a, b, c)
	return a.value*100 + b.value*10 + c.value
}

func rotates_and_keeps(a, b *node, depth int) int {
	if depth == 0 {
		global = a
		return 0
	}
	return rotates_and_keeps(b, a, depth-1) * 2
}

func kept_after_rotation(depth int) int {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 2
	return rotates_and_keeps(a, b, depth)
}

func small_in_recursion(depth int) int {
	bytes := make([]byte, 128) // stack
	deeper := 0
	bytes[depth] = byte(depth + 1)
	if depth != 0 {
		deeper = small_in_recursion(depth - 1)
	}
	return deeper + int(bytes[depth])
}
