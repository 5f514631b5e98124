// SPDX-License-Identifier: MIT

package corpus

type large struct {
	a [100]int
}

const enumerated_size = 48

var variable_size = 64

//go:noinline
func examine(object []byte) int {
	sum := 0
	for _, b := range object {
		sum += int(b)
	}
	return sum
}

func size_one() int {
	c := new(byte) // stack
	*c += 1
	return int(*c)
}

func size_16() int {
	a := make([]byte, 16) // stack
	return examine(a)
}

func size_64_k() int {
	a := make([]byte, 65536) // stack
	return examine(a)
}

func size_64_k_and_1() int {
	a := make([]byte, 65537) // heap
	return examine(a)
}

func enumerated() int {
	a := make([]byte, enumerated_size) // stack
	return examine(a)
}

func of_struct() int {
	l := new(large) // stack
	l.a[99] = 12
	return l.a[99] + l.a[98]
}

func of_parameter(size int) int {
	a := make([]byte, size) // heap
	return examine(a)
}

func of_global_variable() int {
	a := make([]byte, variable_size) // heap
	return examine(a)
}

func one_of_two_sizes(large bool) int {
	size := 32
	if large {
		size = 64
	}
	a := make([]byte, size) // heap
	return examine(a)
}

func size_after_branches(large bool) int {
	var a []byte
	if large {
		a = make([]byte, 64) // stack
	} else {
		a = make([]byte, 32) // stack
	}
	return examine(a)
}

func counted(count int) int {
	a := make([]byte, 8*count) // heap
	return examine(a)
}

func not_scanned() int {
	a := make([]float64, 8) // stack
	a[1] = 26
	return int(a[0] + a[1])
}

func not_scanned_returned() []float64 {
	a := make([]float64, 8) // heap
	a[1] = 27
	return a
}

func zeroed_each_time(times int) int {
	sum := 0
	for ; times > 0; times-- {
		a := make([]byte, 256) // stack
		sum += examine(a)
		for i := range a {
			a[i] = 0xff
		}
	}
	return sum
}
