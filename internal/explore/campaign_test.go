package explore_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
)

// race is a machine with two threads that add 1 to a variable without a lock,
// after some work of their own, and finds that an update was lost.
type race struct {
	*kernel.Machine
	start *kernel.Snapshot
	x     uint64
	loop  bool // the second thread waits for the first one by polling
}

func newRace(t *testing.T, private int, poll bool) *race {
	m, err := kernel.New(kernel.Config{Processors: 2, MaxSteps: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := &race{Machine: m, x: m.Mem.Alloc(32, 0, false, 0), loop: poll}
	m.Function("add", func(t *kernel.Thread, a kernel.Args) uint64 {
		for range private {
			t.Store(r.x+8*(1+a[0]), 8, a[0])
		}
		for poll && a[0] == 1 && t.Load(r.x, 8) == 0 {
		}
		t.Store(r.x, 8, t.Load(r.x, 8)+1)
		return 0
	})
	if r.start, err = m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *race) Run(source choice.Source, watch *kernel.Watch) explore.Verdict {
	r.Restore(r.start)
	r.Use(source, nil)
	r.Watch(watch)
	for n := range uint64(2) {
		r.NewThread(kernel.ThreadParams{Name: "t", Routine: r.Function("add", nil), Args: kernel.Args{n}, Affinity: 1 << n, Foreground: true})
	}
	if reason := r.Machine.Run(); reason != kernel.Done {
		return explore.Verdict{Bounded: true}
	}
	if v, _ := r.Mem.Load(r.x, 8); v != 2 {
		return explore.Verdict{Findings: []explore.Found{{Identity: fmt.Sprintf("%d of 2", v)}}}
	}
	return explore.Verdict{}
}

// Nearly every seed finds a lost update in a few runs, however much private
// work there is.
func TestRandomFindsALostUpdate(t *testing.T) {
	for _, private := range []int{0, 30} {
		r := newRace(t, private, false)
		var needed []int
		for seed := range uint64(100) {
			rep := explore.Random(r, explore.Campaign{Seed: seed, Runs: 40})
			if len(rep.Discoveries) == 1 {
				needed = append(needed, rep.Discoveries[0].Run)
			}
		}
		if slices.Sort(needed); len(needed) < 95 || needed[50] > 12 {
			t.Errorf("%d private accesses: found with %d of 100 seeds, %v", private, len(needed), needed)
		}
	}
}

// A thread that polls does not keep the other one from going on, with any
// strategy.
func TestRandomIsFair(t *testing.T) {
	rep := explore.Random(newRace(t, 0, true), explore.Campaign{Seed: 5, Runs: 200})
	if rep.Bounded != 0 || rep.Runs != 200 {
		t.Errorf("%d of %d runs reached the bound", rep.Bounded, rep.Runs)
	}
}

func TestMinimise(t *testing.T) {
	var schedule choice.Schedule
	for n := range uint32(20) {
		schedule = append(schedule, choice.Deviation{ID: n})
	}
	// It fails with both 3 and 17; what is taken with 3 missing is nothing.
	fails := func(s choice.Schedule) (choice.Schedule, bool) {
		has := func(n uint32) bool { return slices.ContainsFunc(s, func(d choice.Deviation) bool { return d.ID == n }) }
		return s, has(3) && has(17)
	}
	short, runs := explore.Minimise(schedule, 200, fails)
	if len(short) != 2 || short[0].ID != 3 || short[1].ID != 17 || runs > 60 {
		t.Errorf("%v after %d runs", short, runs)
	}
	if short, runs := explore.Minimise(schedule, 3, fails); runs > 3 || len(short) < 2 {
		t.Errorf("%v after %d runs, of at most 3", short, runs)
	}
	always := func(s choice.Schedule) (choice.Schedule, bool) { return s, true }
	if short, runs := explore.Minimise(schedule, 200, always); len(short) != 0 || runs != 1 {
		t.Errorf("%v after %d runs", short, runs)
	}
}
