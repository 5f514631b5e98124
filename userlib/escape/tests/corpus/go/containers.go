// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type tree struct {
	left, right *tree
	key         int
}

type stack struct {
	top   *node
	depth int
}

type ring struct {
	slots      [4]*node
	head, tail uint
}

type builder struct {
	text []byte
}

type matrix_of struct {
	rows, columns int
	cells         []float64
}

type iterator struct {
	at *node
}

type heap struct {
	items []int
	count int
}

func linked_list() int {
	a := new(node) // stack
	b := new(node) // heap
	c := new(node) // heap
	sum := 0
	a.value = 1
	a.next = b
	b.value = 2
	b.next = c
	c.value = 3
	for n := a; n != nil; n = n.next {
		sum = sum*10 + n.value
	}
	return sum
}

//go:noinline
func reverse(list *node) *node {
	var reversed *node
	for list != nil {
		next := list.next
		list.next = reversed
		reversed = list
		list = next
	}
	return reversed
}

func reversed_list() int {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	a.next = b
	b.value = 2
	list := reverse(a)
	return list.value*10 + list.next.value
}

func sum_of_keys(t *tree) int {
	if t == nil {
		return 0
	}
	return sum_of_keys(t.left) + sum_of_keys(t.right) + t.key
}

func tree_of_three() int {
	left := new(tree)  // heap
	right := new(tree) // heap
	root := new(tree)  // stack
	left.key = 1
	right.key = 3
	root.key = 2
	root.left = left
	root.right = right
	return sum_of_keys(root)
}

//go:noinline
func lookup(t *tree, key int) *tree {
	for t != nil && t.key != key {
		if key < t.key {
			t = t.left
		} else {
			t = t.right
		}
	}
	return t
}

func tree_looked_up(key int) int {
	left := new(tree) // heap
	root := new(tree) // stack
	left.key = 1
	root.key = 2
	root.left = left
	found := lookup(root, key)
	if found != nil {
		return found.key
	}
	return -1
}

//go:noinline
func stack_push(s *stack, n *node) {
	n.next = s.top
	s.top = n
	s.depth++
}

//go:noinline
func stack_pop(s *stack) *node {
	n := s.top
	if n != nil {
		s.top = n.next
		s.depth--
	}
	return n
}

func stack_object() int {
	s := new(stack) // stack
	a := new(node)  // heap
	b := new(node)  // heap
	a.value = 1
	b.value = 2
	stack_push(s, a)
	stack_push(s, b)
	b = stack_pop(s)
	a = stack_pop(s)
	return b.value*10 + a.value + s.depth
}

//go:noinline
func ring_put(r *ring, n *node) bool {
	if r.head-r.tail == 4 {
		return false
	}
	r.slots[r.head%4] = n
	r.head++
	return true
}

//go:noinline
func ring_get(r *ring) *node {
	if r.head == r.tail {
		return nil
	}
	r.tail++
	return r.slots[(r.tail-1)%4]
}

func queue() int {
	r := new(ring) // stack
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 2
	ring_put(r, a)
	ring_put(r, b)
	a = ring_get(r)
	b = ring_get(r)
	return a.value*10 + b.value
}

//go:noinline
func builder_add(b *builder, text string) {
	copy(b.text, text)
}

func string_builder() int {
	b := new(builder)         // stack
	b.text = make([]byte, 64) // heap
	builder_add(b, "1234")
	return int(b.text[0])
}

//go:noinline
func trace(m *matrix_of) float64 {
	sum := 0.0
	for i := 0; i < m.rows; i++ {
		sum += m.cells[i*m.columns+i]
	}
	return sum
}

func matrix() int {
	m := new(matrix_of) // stack
	m.rows, m.columns = 3, 3
	m.cells = make([]float64, 9) // heap
	for i := range m.cells {
		m.cells[i] = float64(i)
	}
	return int(trace(m))
}

//go:noinline
func begin(list *node) iterator {
	return iterator{list}
}

//go:noinline
func next(i *iterator) *node {
	n := i.at
	if n != nil {
		i.at = n.next
	}
	return n
}

func iterated() int {
	a := new(node) // stack
	b := new(node) // heap
	sum := 0
	a.value = 4
	a.next = b
	b.value = 5
	i := begin(a)
	for n := next(&i); n != nil; n = next(&i) {
		sum = sum*10 + n.value
	}
	return sum
}

//go:noinline
func sift_up(h *heap, i int) {
	for i > 0 && h.items[(i-1)/2] > h.items[i] {
		h.items[i], h.items[(i-1)/2] = h.items[(i-1)/2], h.items[i]
		i = (i - 1) / 2
	}
}

func priority_queue() int {
	h := new(heap)           // stack
	h.items = make([]int, 8) // heap
	for i := range h.items {
		h.items[h.count] = 10 - i
		h.count++
		sift_up(h, i)
	}
	return h.items[0]
}

func bit_set() int {
	bits := make([]byte, 16) // stack
	count := 0
	for i := 0; i < 128; i += 3 {
		bits[i/8] |= 1 << (i % 8)
	}
	for i := 0; i < 128; i++ {
		count += int(bits[i/8] >> (i % 8) & 1)
	}
	return count
}

func two_dimensional(n int) int {
	table := new([4][4]int) // stack
	sum := 0
	for i := range table {
		for j := range table[i] {
			table[i][j] = i * j
		}
	}
	for i := 0; i < n; i++ {
		sum += table[i][i]
	}
	return sum
}

func list_in_array() int {
	all := new([4]node) // heap
	var list *node
	sum := 0
	for i := range all {
		all[i].value = i
		all[i].next = list
		list = &all[i]
	}
	for ; list != nil; list = list.next {
		sum = sum*10 + list.value
	}
	return sum
}
