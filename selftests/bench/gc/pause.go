// SPDX-License-Identifier: GPL-2.0

// pause.c in Go: the same tree, the same steps, the same histogram.
package main

import (
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	twigLevels = 3
	buckets    = 40 * 8
)

type node struct {
	left, right, other, another *node
	numbers                     [4]uint64
}

// Of gaps this long it is asked how much was waiting for a processor.
const longGap = 200 * time.Microsecond

type random uint64

func (r *random) next() uint32 {
	x := uint64(*r)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = random(x)
	return uint32(x * 0x2545f4914f6cdd1d >> 32)
}

var (
	seed random = 88172645463325252
	gaps [buckets]uint64
)

func build(depth int) *node {
	n := new(node)
	n.numbers[0] = uint64(seed.next())
	if depth > 0 {
		n.left = build(depth - 1)
		n.right = build(depth - 1)
	}
	return n
}

func (n *node) cross(root *node, depth int) {
	other := root
	for i := 0; i < depth; i++ {
		if seed.next()&1 != 0 {
			other = other.left
		} else {
			other = other.right
		}
	}
	n.other = other
	if n.left != nil {
		n.left.cross(root, depth)
		n.right.cross(root, depth)
	}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func step(root *node, depth int) {
	n, from := root, root
	way := seed.next()
	twig := build(twigLevels)
	for i := 0; i < depth-twigLevels-1; i++ {
		if way>>i&1 != 0 {
			n = n.left
		} else {
			n = n.right
		}
		if i == depth/2 {
			from = n
		}
	}
	twig.other = from
	n.another = twig.left
	from.another = twig
	if way>>31 != 0 {
		n.left = twig
	} else {
		n.right = twig
	}
}

func bucket(ns uint64) int {
	log := bits.Len64(ns|8) - 1
	return log*8 + int(ns>>(log-3)&7)
}

func bucketStart(b int) uint64 {
	return uint64(8+b%8) << (b / 8) >> 3
}

func number(i, otherwise, least, most int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil || n < least || n > most {
		fmt.Fprintln(os.Stderr, "pause: SECONDS (from 1) and LIVE_MIB (from 1) are wanted")
		os.Exit(2)
	}
	return n
}

func figure(name string, value float64) {
	fmt.Fprintf(os.Stderr, "figure %s %.9g\n", name, value)
}

var (
	schedstat *os.File
	delayed   uint64
)

// Time that this thread has waited for a processor since the last call.
func waited() time.Duration {
	var text [64]byte
	var ran, delay uint64
	if schedstat == nil {
		runtime.LockOSThread()
		schedstat, _ = os.Open("/proc/thread-self/schedstat")
	}
	n, _ := schedstat.ReadAt(text[:], 0)
	if k, _ := fmt.Sscan(string(text[:n]), &ran, &delay); k != 2 {
		return 0
	}
	since := delay - delayed
	delayed = delay
	return time.Duration(since)
}

func main() {
	seconds := number(1, 10, 1, 3600)
	live := number(2, 256, 1, 65536)
	depth := 0
	for (2<<(depth+1))*64 <= live<<20 {
		depth++
	}
	root := build(depth)
	root.cross(root, depth)
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	last, end := time.Duration(0), time.Duration(seconds)*time.Second
	longest, own, steps := time.Duration(0), time.Duration(0), 0
	waited()
	for last < end {
		step(root, depth)
		steps++
		at := time.Since(begin)
		gap := at - last
		gaps[bucket(uint64(gap))]++
		longest = max(longest, gap)
		if gap > longGap {
			own = max(own, gap-waited())
			at = time.Since(begin)
		} else {
			own = max(own, gap)
		}
		last = at
	}
	if root.count() != 2<<depth-1 {
		fmt.Fprintln(os.Stderr, "pause: nodes have been lost")
		os.Exit(1)
	}
	fmt.Printf("nodes %d\n", 2<<depth-1)
	figure("pause.longest", float64(longest)/1e6)
	figure("pause.own", float64(own)/1e6)
	figure("steps_per_s", float64(steps)/float64(seconds))
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	most := uint64(0)
	for i := before.NumGC; i < after.NumGC; i++ {
		if ns := after.PauseNs[i%256]; ns > most {
			most = ns
		}
	}
	figure("pause.reported", float64(most)/1e6)
	figure("collections", float64(after.NumGC-before.NumGC))
	total, seen := uint64(steps), uint64(0)
	for b := buckets - 1; b >= 0; b-- {
		if seen < total/100000 && seen+gaps[b] >= total/100000 {
			figure("pause.p99.999", float64(bucketStart(b))/1e6)
		}
		seen += gaps[b]
	}
	for b, n := range gaps {
		if n != 0 {
			fmt.Fprintf(os.Stderr, "gap %d %d\n", bucketStart(b), n)
		}
	}
}
