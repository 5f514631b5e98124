// SPDX-License-Identifier: GPL-2.0

// The program under pressure, in Go: the twin of program.c, which says what the
// commands mean.  GOGC and GOMEMLIMIT are what the environment says, that is: unset.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

const (
	mib     = 1 << 20
	object  = 64 << 10
	words   = object / 8
	objects = 1024 * mib / object
)

type entry struct {
	p    []byte
	seed uint64
}

var (
	table    = make([]entry, 0, objects)
	seeds    uint64
	progress *uint64
	buffer   [1 << 16]byte
)

func (e *entry) words() *[words]uint64 {
	return (*[words]uint64)(unsafe.Pointer(&e.p[0]))
}

func (e *entry) fill() {
	v := e.seed * 0x9e3779b97f4a7c15
	w := e.words()
	for i := range w {
		w[i] = v + uint64(i)
	}
}

func (e *entry) holds() bool {
	v := e.seed * 0x9e3779b97f4a7c15
	w := e.words()
	for i := range w {
		if w[i] != v+uint64(i) {
			return false
		}
	}
	return true
}

func grow(n int) string {
	n = n * mib / object
	for i := 0; i < n; i++ {
		seeds++
		e := entry{make([]byte, object), seeds}
		e.fill()
		table = append(table, e)
	}
	return fmt.Sprintf("ok grown=%d", n*object)
}

func drop(keep, of int) string {
	left := 0
	for i := range table {
		e := table[i]
		table[i].p = nil
		if i%of < keep {
			table[left] = e
			left++
		}
	}
	table = table[:left]
	return fmt.Sprintf("ok live=%d", left*object)
}

func churn(n int) string {
	for i := 0; i < n*mib/object; i++ {
		e := entry{make([]byte, object), uint64(i)}
		e.fill()
	}
	return "ok"
}

func readFile(n int, name string) string {
	left := n * mib
	f, err := os.Open(name)
	for err == nil && left > 0 {
		var got int
		got, err = f.Read(buffer[:])
		left -= min(got, left)
	}
	f.Close()
	word := "ok"
	if left > 0 {
		word = "no"
	}
	return fmt.Sprintf("%s read=%d", word, n*mib-left)
}

func mapMemory(n int) string {
	p, err := syscall.Mmap(-1, 0, n*mib, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return "no mapped=0"
	}
	syscall.Madvise(p, syscall.MADV_NOHUGEPAGE)
	for i := 0; i < len(p); i += 4096 {
		p[i] = 1
		*progress += 4096
	}
	return fmt.Sprintf("ok mapped=%d", n*mib)
}

func verify() string {
	bad := 0
	for i := range table {
		if !table[i].holds() {
			bad++
		}
	}
	word := "ok"
	if bad > 0 {
		word = "no"
	}
	return fmt.Sprintf("%s live=%d bad=%d", word, len(table)*object, bad)
}

func stats() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("ok inuse=%d retained=%d collections=%d",
		m.HeapInuse, m.HeapIdle-m.HeapReleased, m.NumGC)
}

func main() {
	if len(os.Args) != 2 || os.Args[1] == "" || os.Args[1][0] == '-' {
		fmt.Fprintln(os.Stderr, "program: usage: program PROGRESS")
		os.Exit(2)
	}
	f, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err == nil {
		var p []byte
		p, err = syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_SHARED)
		if err == nil {
			progress = (*uint64)(unsafe.Pointer(&p[0]))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		line, reply := in.Text(), "no such command"
		var n, m int
		var name string
		if k, _ := fmt.Sscanf(line, "grow %d", &n); k == 1 {
			reply = grow(n)
		} else if k, _ := fmt.Sscanf(line, "drop %d %d", &n, &m); k == 2 && m > 0 {
			reply = drop(n, m)
		} else if k, _ := fmt.Sscanf(line, "churn %d", &n); k == 1 {
			reply = churn(n)
		} else if line == "collect" {
			runtime.GC()
			reply = "ok"
		} else if k, _ := fmt.Sscanf(line, "read %d %s", &n, &name); k == 2 {
			// The name may hold spaces.
			skip := len(fmt.Sprintf("read %d ", n))
			reply = readFile(n, line[skip:])
		} else if k, _ := fmt.Sscanf(line, "map %d", &n); k == 1 {
			reply = mapMemory(n)
		} else if line == "verify" {
			reply = verify()
		} else if line == "stats" {
			reply = stats()
		}
		fmt.Println(reply)
	}
}
