// SPDX-License-Identifier: GPL-2.0

// binary-trees.c in Go: the same trees, the same checks, the same lines.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

const minDepth = 4

type node struct {
	left, right *node
}

func build(depth int) *node {
	t := new(node)
	if depth > 0 {
		t.left = build(depth - 1)
		t.right = build(depth - 1)
	}
	return t
}

func (t *node) count() int {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func full(depth int) int {
	return 2<<depth - 1
}

func check(got, want int) {
	if got != want {
		fmt.Fprintf(os.Stderr, "binary-trees: %d nodes where there are %d\n", got, want)
		os.Exit(1)
	}
}

func stretch(depth int) {
	n := build(depth).count()
	check(n, full(depth))
	fmt.Printf("stretch tree of depth %d\t check: %d\n", depth, n)
}

func many(depth, trees int) {
	n := 0
	for i := 0; i < trees; i++ {
		n += build(depth).count()
	}
	check(n, trees*full(depth))
	fmt.Printf("%d\t trees of depth %d\t check: %d\n", trees, depth, n)
}

func main() {
	depth := 0
	if len(os.Args) == 2 {
		depth, _ = strconv.Atoi(os.Args[1])
	}
	if depth < minDepth+2 || depth > 30 {
		fmt.Fprintln(os.Stderr, "binary-trees: a depth of 6 to 30 is wanted")
		os.Exit(2)
	}
	stretch(depth + 1)
	kept := build(depth)
	for d := minDepth; d <= depth; d += 2 {
		many(d, 1<<(depth-d+minDepth))
	}
	n := kept.count()
	check(n, full(depth))
	fmt.Printf("long lived tree of depth %d\t check: %d\n", depth, n)
	runtime.KeepAlive(kept)
}
