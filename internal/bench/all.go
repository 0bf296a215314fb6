package bench

import "testing"

// Benchmark is one benchmark.
type Benchmark struct {
	Name string // as in go test -bench BenchmarkAll/NAME
	Run  func(b *testing.B)
}

// All returns the benchmarks in the order in which they are printed.
func All() []Benchmark {
	var list []Benchmark
	for i := range kernels {
		k := &kernels[i]
		list = append(list, Benchmark{"x86/" + k.name, func(b *testing.B) { k.run(b, false) }},
			Benchmark{"x86/" + k.name + "_log", func(b *testing.B) { k.run(b, true) }})
	}
	list = append(list, Benchmark{"x86/stop everywhere", stopEverywhere},
		Benchmark{"restore/4 pages", restore(4)}, Benchmark{"restore/64 pages", restore(64)})
	return append(list, explorations()...)
}
