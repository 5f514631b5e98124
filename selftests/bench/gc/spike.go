// SPDX-License-Identifier: GPL-2.0

// spike.c in Go.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	liveMiB = 16
	slow    = 4 * time.Second
	piece   = 32 << 10
)

// What an item of another size would be: a header, and room that may hold pointers.
type item struct {
	next   *item
	number uint64
	rest   []*item
}

type random uint64

func (r *random) below(n uint32) uint32 {
	x := uint64(*r)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = random(x)
	return uint32(uint64(uint32(x*0x2545f4914f6cdd1d>>32)) * uint64(n) >> 32)
}

var seed random = 88172645463325252

func fill(bytes uint64) (list *item, n uint64) {
	for bytes > 0 {
		size := uint64(64) << seed.below(7)
		i := &item{next: list, number: n}
		if size > 64 {
			i.rest = make([]*item, (size-48)/8)
		}
		list = i
		n++
		bytes -= min(bytes, size)
	}
	return list, n
}

func look(list *item, n uint64) {
	for ; list != nil; list = list.next {
		n--
		if list.number != n {
			fail("the list has changed")
		}
	}
	if n != 0 {
		fail("items have been lost")
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "spike: "+what)
	os.Exit(1)
}

func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fail(err.Error())
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		fail(err.Error())
	}
	return pages * 4096
}

func collections() uint32 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.NumGC
}

func spike(bytes uint64) {
	list, n := fill(bytes)
	look(list, n)
	fmt.Printf("spike of %d items\n", n)
}

func main() {
	mib := 512
	if len(os.Args) > 1 {
		mib, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) > 2 || mib < 16 || mib > 65536 {
		fmt.Fprintln(os.Stderr, "spike: MIB (16 to 65536) is wanted")
		os.Exit(2)
	}
	before := resident()
	live, n := fill(liveMiB << 20)
	spike(uint64(mib) << 20)
	fmt.Fprintf(os.Stderr, "figure spike.peak_mib %.9g\n", float64(resident()-before)/1048576)
	base := collections()
	for collections() == base {
		fill(piece)
	}
	base = collections()
	end := time.Now().Add(3 * slow)
	for collections() == base && time.Now().Before(end) {
		fill(piece)
		time.Sleep(slow / (liveMiB << 20 / piece))
	}
	rss := resident() - before
	look(live, n)
	fmt.Fprintf(os.Stderr, "figure spike.rss_mib %.9g\n", float64(rss)/1048576)
}
