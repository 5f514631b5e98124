// SPDX-License-Identifier: GPL-2.0

// gcbench.c in Go: the same trees, the same checks, the same lines.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

const (
	stretchDepth = 18
	livedDepth   = 16
	arrayItems   = 500000
	minDepth     = 4
	maxDepth     = 16
)

type node struct {
	left, right *node
	i, j        int32
}

func treeSize(depth int) int {
	return 2<<depth - 1
}

func populate(depth int, n *node) {
	if depth <= 0 {
		return
	}
	n.left = new(node)
	n.right = new(node)
	populate(depth-1, n.left)
	populate(depth-1, n.right)
}

func makeTree(depth int) *node {
	if depth <= 0 {
		return new(node)
	}
	left := makeTree(depth - 1)
	return &node{left: left, right: makeTree(depth - 1)}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "gcbench: "+what)
	os.Exit(1)
}

func finish(n *node, depth int, last bool) {
	if last && n.count() != treeSize(depth) {
		fail("a tree has lost nodes")
	}
}

func construct(depth, stretch int) {
	trees := 2 * treeSize(stretch) / treeSize(depth)
	for i := 0; i < trees; i++ {
		n := new(node)
		populate(depth, n)
		finish(n, depth, i == trees-1)
	}
	for i := 0; i < trees; i++ {
		finish(makeTree(depth), depth, i == trees-1)
	}
	fmt.Printf("%d trees of depth %d, twice\n", trees, depth)
}

func main() {
	less := 0
	if len(os.Args) == 2 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil {
			n = -1
		}
		less = n
	}
	if len(os.Args) > 2 || less < 0 || less > 8 {
		fmt.Fprintln(os.Stderr, "gcbench: one number from 0 to 8 may be given")
		os.Exit(2)
	}
	finish(makeTree(stretchDepth-less), stretchDepth-less, true)
	lived := new(node)
	populate(livedDepth-less, lived)
	array := make([]float64, arrayItems)
	for i := 0; i < arrayItems/2; i++ {
		array[i] = 1.0 / float64(i+1)
	}
	for depth := minDepth; depth <= maxDepth-less; depth += 2 {
		construct(depth, stretchDepth-less)
	}
	for i := 0; i < arrayItems/2; i++ {
		if array[i] != 1.0/float64(i+1) {
			fail("the array has changed")
		}
	}
	fmt.Printf("long-lived tree of depth %d, array of %d\n", livedDepth-less, arrayItems)
	finish(lived, livedDepth-less, true)
	runtime.KeepAlive(array)
}
