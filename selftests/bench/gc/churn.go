// SPDX-License-Identifier: GPL-2.0

// churn.c in Go: the same objects in the same order, the same checks and sums.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	threads   = 4
	meanBytes = 736
)

type cell struct {
	number, again uint64
}

// One of the two slices is the object.
type slot struct {
	cells   []*cell
	numbers []uint64
	number  uint64
}

type random uint64

func (r *random) next() uint32 {
	x := uint64(*r)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = random(x)
	return uint32(x * 0x2545f4914f6cdd1d >> 32)
}

func (r *random) below(n uint32) uint32 {
	return uint32(uint64(r.next()) * uint64(n) >> 32)
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "churn: "+what)
	os.Exit(1)
}

func (s *slot) look() {
	if n := s.numbers; n != nil {
		if n[0] != s.number || n[len(n)-1] != s.number {
			fail("an object's numbers have changed")
		}
	} else {
		c := s.cells
		if c[0] != c[len(c)-1] || c[0].number != s.number || c[0].again != s.number {
			fail("an object's cell has changed")
		}
	}
}

func (s *slot) replace(r *random) {
	if s.numbers != nil || s.cells != nil {
		s.look()
	}
	least := uint32(2) << r.below(8)
	words := least + r.below(least)
	if least == 256 {
		words++
	}
	noscan := r.below(2) == 1
	s.number = uint64(r.next())
	s.cells, s.numbers = nil, nil
	if noscan {
		n := make([]uint64, words)
		n[0], n[words-1] = s.number, s.number
		s.numbers = n
	} else {
		c := make([]*cell, words)
		c[0] = &cell{s.number, s.number}
		c[words-1] = c[0]
		s.cells = c
	}
}

func churn(seed random, slots, steps int) uint64 {
	table := make([]slot, slots)
	for i := range table {
		table[i].replace(&seed)
	}
	for i := 0; i < steps; i++ {
		table[seed.below(uint32(slots))].replace(&seed)
	}
	sum := uint64(0)
	for i := range table {
		table[i].look()
		sum += table[i].number
	}
	return sum
}

func number(i, otherwise, least, most int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil || n < least || n > most {
		fmt.Fprintln(os.Stderr, "churn: STEPS (from 1) and LIVE_KIB (1024 to 1048576) are wanted")
		os.Exit(2)
	}
	return n
}

func main() {
	steps := number(1, 1000000, 1, 1000000000)
	slots := number(2, 65536, 1024, 1<<20) * 1024 / threads / meanBytes
	var sums [threads]uint64
	var wait sync.WaitGroup
	start := time.Now()
	for i := 0; i < threads; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			sums[i] = churn(random(88172645463325252+i), slots, steps)
		}(i)
	}
	wait.Wait()
	took := time.Since(start).Seconds()
	for i, sum := range sums {
		fmt.Printf("thread %d: %d objects, sum %d\n", i, slots, sum)
	}
	fmt.Fprintf(os.Stderr, "figure steps_per_s %.9g\n", float64(steps)*threads/took)
}
