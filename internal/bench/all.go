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
		list = append(list, Benchmark{"x86/" + kernels[i].name, kernels[i].run})
	}
	return list
}
