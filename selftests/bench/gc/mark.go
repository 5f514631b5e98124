// SPDX-License-Identifier: GPL-2.0

// mark.c in Go: the same objects, linked in the same order.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

type object struct {
	link    [4]*object
	numbers [4]uint64
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

var root *object

func build(n uint32) *object {
	seed := random(88172645463325252)
	all := make([]*object, n)
	debug.SetGCPercent(-1)
	for i := range all {
		all[i] = new(object)
		all[i].numbers[0] = uint64(i)
	}
	for i := n - 1; i > 0; i-- {
		j := seed.below(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	for i := uint32(0); i < n; i++ {
		if c := 2*uint64(i) + 1; c < uint64(n) {
			all[i].link[0] = all[c]
		}
		if c := 2*uint64(i) + 2; c < uint64(n) {
			all[i].link[1] = all[c]
		}
		all[i].link[2] = all[seed.below(n)]
		all[i].link[3] = all[seed.below(n)]
	}
	return all[0]
}

func visit(o *object, n *uint32, sum *uint64) {
	for ; o != nil; o = o.link[1] {
		*n++
		*sum += o.numbers[0]
		visit(o.link[0], n, sum)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	live := 1024
	if len(os.Args) > 1 {
		live, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) > 2 || live < 1 || live > 65536 {
		fmt.Fprintln(os.Stderr, "mark: LIVE_MIB (1 to 65536) is wanted")
		os.Exit(2)
	}
	n := uint32(live << 20 / 64)
	root = build(n)
	best, bestCPU := time.Duration(1<<62), time.Duration(1<<62)
	for i := 0; i < 3; i++ {
		begin, before := time.Now(), cpu()
		runtime.GC()
		best = min(best, time.Since(begin))
		bestCPU = min(bestCPU, cpu()-before)
	}
	seen, sum := uint32(0), uint64(0)
	visit(root, &seen, &sum)
	if seen != n || sum != uint64(n)*uint64(n-1)/2 {
		fmt.Fprintln(os.Stderr, "mark: objects have been lost")
		os.Exit(1)
	}
	fmt.Printf("objects %d, sum %d\n", n, sum)
	fmt.Fprintf(os.Stderr, "figure mark.mib_per_s %.9g\n", float64(live)/best.Seconds())
	fmt.Fprintf(os.Stderr, "figure mark.mib_per_cpu_s %.9g\n", float64(live)/bestCPU.Seconds())
}
