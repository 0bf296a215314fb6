package bench

import (
	"flag"
	"fmt"
	"testing"
)

// Benchmark is one benchmark.
type Benchmark struct {
	Name string // as in go test -bench BenchmarkAll/NAME
	Run  func(b *testing.B)
	Each int // things that one operation does, 0: 1
}

// All returns the benchmarks in the order in which they are printed.
func All() []Benchmark {
	var list []Benchmark
	for i := range kernels {
		k := &kernels[i]
		list = append(list, Benchmark{Name: "x86/" + k.name, Run: func(b *testing.B) { k.run(b, false) }},
			Benchmark{Name: "x86/" + k.name + "_log", Run: func(b *testing.B) { k.run(b, true) }})
	}
	list = append(list, Benchmark{Name: "x86/stop everywhere", Run: stopEverywhere},
		Benchmark{Name: "restore/4 pages", Run: restore(4)}, Benchmark{Name: "restore/64 pages", Run: restore(64)})
	return append(list, explorations()...)
}

// Measure runs a benchmark outside go test for a time like "1s", or so often
// ("100x").
func (c *Benchmark) Measure(time string) (testing.BenchmarkResult, error) {
	if flag.Lookup("test.benchtime") == nil {
		testing.Init()
	}
	if err := flag.Set("test.benchtime", time); err != nil {
		return testing.BenchmarkResult{}, fmt.Errorf("the time of a benchmark is a duration, as 500ms, or a number of operations, as 100x, not %q", time)
	}
	r := testing.Benchmark(c.Run)
	if r.N == 0 {
		panic("BUG: the benchmark " + c.Name + " failed; go test ./internal/bench -bench . says why")
	}
	return r, nil
}
