// SPDX-License-Identifier: MIT

package corpus

import (
	"bytes"
	"sort"
)

type node struct {
	next  *node
	value int
}

func with_memcpy_from() int {
	text := make([]byte, 16) // stack
	var dst [16]byte
	text[3] = 2
	copy(dst[:], text)
	return int(dst[3])
}

func with_memmove(size int) int {
	text := make([]byte, 16) // stack
	text[2] = 3
	copy(text[1:], text[:size])
	return int(text[3])
}

func with_memcmp() int {
	a := make([]byte, 16) // stack
	b := make([]byte, 16) // stack
	a[15] = 1
	if bytes.Compare(a, b) > 0 {
		return 4
	}
	return -1
}

func memcpy_returned(from []byte) []byte {
	text := make([]byte, 16) // heap
	copy(text, from)
	return text
}

func with_strlen() int {
	text := make([]byte, 16) // stack
	for i := 0; i < 8; i++ {
		text[i] = 'x'
	}
	return bytes.IndexByte(text, 0)
}

func with_strchr(from []byte) int {
	text := make([]byte, 16) // stack
	copy(text, from)
	found := text[bytes.IndexByte(text, 'l'):]
	found[0] = 12
	return int(text[2])
}

func strchr_returned(from []byte) []byte {
	text := make([]byte, 16) // heap
	copy(text, from)
	return text[bytes.IndexByte(text, 'l'):]
}

func with_qsort() int {
	a := make([]int, 3) // stack
	a[0] = 3
	a[1] = 1
	a[2] = 2
	sort.Ints(a)
	return a[0]*100 + a[1]*10 + a[2]
}
