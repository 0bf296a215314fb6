package dirql_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/bench"
	"github.com/dirql/dirql/drivers/edu"
)

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A machine with one small driver takes less than 16 MB, and restoring it for
// 1,000 more schedules takes nothing that stays.
func TestMemory(t *testing.T) {
	s := bench.Scenario(bench.Work{Descriptors: 6})
	empty := heap()
	run, end, err := s.Repeat(dirql.Options{Processors: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	seed := uint64(1)
	repeat := func(n int) int64 {
		for range n {
			run(seed)
			seed++
		}
		return heap()
	}
	before := repeat(300) // the longest of them decide what is kept
	if n := before - empty; n > 16<<20 {
		t.Errorf("a machine takes %d bytes", n)
	}
	after := repeat(1000)
	if n := after - before; n > 256<<10 {
		t.Errorf("after 1,000 more schedules it takes %d bytes more", n)
	}
	runtime.KeepAlive(run)
}

// Guest code that runs ahead does what it does when it stops at each access:
// the same accesses at the same times.
func TestAhead(t *testing.T) {
	sys, err := dirql.LoadDriver("drivers/edu/edu.sys")
	if err != nil {
		t.Fatal(err)
	}
	scenarios := []*dirql.Scenario{bench.Scenario(bench.Work{Descriptors: 20, Cycles: 3, Inserts: 1, Locks: 2, Waits: 2})}
	for _, s := range []*dirql.Scenario{edu.Scenario(), edu.Busy(), edu.Power(), edu.Unplug()} {
		s.Driver = sys
		scenarios = append(scenarios, s)
	}
	for _, s := range scenarios {
		for seed := range uint64(10) {
			ahead, stopped, times, err := s.Ahead(dirql.Options{Processors: 2, Seed: seed + 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(ahead) == 0 || !slices.Equal(ahead, stopped) || times[0] != times[1] {
				t.Fatalf("%s, seed %d: the runs differ: %d and %d records, end at %d and %d", s.Name, seed, len(ahead), len(stopped),
					times[0], times[1])
			}
		}
	}
}
