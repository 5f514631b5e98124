// SPDX-License-Identifier: MIT

package corpus

type node struct {
	next  *node
	value int
}

type pair struct {
	a, b *node
}

type list struct {
	first, last *node
	count       int
}

var (
	global      *node
	global_list list
)

//go:noinline
func keep(n *node) {
	global = n
}

//go:noinline
func look(n *node) int {
	return n.value
}

//go:noinline
func keep_next(n *node) {
	global = n.next
}

//go:noinline
func keep_second(a, b *node) {
	a.value++
	global = b
}

//go:noinline
func add(l *list, n *node) {
	if l.last != nil {
		l.last.next = n
	} else {
		l.first = n
	}
	l.last = n
	l.count++
}

//go:noinline
func set_next(n, next *node) {
	n.next = next
}

//go:noinline
func keep_if(n *node, really bool) {
	if really {
		global = n
	}
}

//go:noinline
func keep_through(n *node) {
	keep(n)
}

//go:noinline
func pick(a, b *node, first bool) *node {
	if first {
		return a
	}
	return b
}

//go:noinline
func sum_of(n *node) int {
	sum := 0
	for ; n != nil; n = n.next {
		sum += n.value
	}
	return sum
}

//go:noinline
func pair_of(a, b *node) pair {
	return pair{a, b}
}

//go:noinline
func sum_of_pair(p pair) int {
	return p.a.value + p.b.value
}

//go:noinline
func keep_pair(p pair) {
	global = p.b
}

//go:noinline
func fill(a []int) int {
	for i := range a {
		a[i] += i
	}
	return a[len(a)-1]
}

func kept_by_callee() {
	n := new(node) // heap
	n.value = 1
	keep(n)
}

func not_kept() int {
	n := new(node) // stack
	n.value = 2
	return look(n)
}

func only_next_kept() {
	a := new(node) // stack
	b := new(node) // heap
	a.next = b
	b.value = 3
	keep_next(a)
}

func only_second_kept() {
	a := new(node) // stack
	b := new(node) // heap
	a.value = 3
	b.value = 4
	keep_second(a, b)
}

func appended_to_local_list() int {
	var l list
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 5
	add(&l, a)
	add(&l, b)
	return l.first.next.value + l.count
}

func appended_to_list_object() int {
	l := new(list) // stack
	a := new(node) // heap
	b := new(node) // heap
	a.value = 1
	b.value = 6
	add(l, a)
	add(l, b)
	return l.first.next.value + l.count
}

func appended_to_returned_list() *list {
	l := new(list) // heap
	n := new(node) // heap
	n.value = 9
	add(l, n)
	return l
}

func set_by_callee() int {
	a := new(node) // stack
	b := new(node) // heap
	b.value = 14
	set_next(a, b)
	return a.next.value
}

func kept_if(really bool) int {
	n := new(node) // heap
	n.value = 21
	keep_if(n, really)
	return n.value
}

func kept_two_calls_down() {
	n := new(node) // heap
	n.value = 25
	keep_through(n)
}

func picked_and_returned(first bool) *node {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 26
	b.value = 27
	return pick(a, b, first)
}

func picked_and_stored_in_local(first bool) int {
	a := new(node) // heap
	b := new(node) // heap
	c := new(node) // stack
	a.value = 26
	b.value = 28
	c.next = pick(a, b, first)
	return c.next.value
}

func summed() int {
	a := new(node) // stack
	b := new(node) // heap
	a.next = b
	a.value = 1
	b.value = 28
	return sum_of(a)
}

func struct_by_value() int {
	a := new(node) // stack
	b := new(node) // stack
	a.value = 30
	b.value = 4
	return sum_of_pair(pair_of(a, b))
}

func struct_by_value_kept() {
	a := new(node) // heap
	b := new(node) // heap
	p := pair{a, b}
	b.value = 35
	keep_pair(p)
}

func struct_by_value_returned() pair {
	a := new(node) // heap
	b := new(node) // heap
	a.value = 36
	b.value = 1
	return pair_of(a, b)
}

func array_filled_by_callee() int {
	a := make([]int, 8) // stack
	return fill(a)
}

func part_of_array_filled_by_callee() int {
	a := make([]int, 8) // stack
	fill(a[4:])
	return a[7]*10 + a[3]
}

func passed_in_tail_call() int {
	n := new(node) // stack
	n.value = 39
	return look(n)
}
