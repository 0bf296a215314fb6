package explore_test

import (
	"testing"

	"github.com/dirql/dirql/internal/explore"
)

// With bounds the search runs fewer schedules and says so; without it is
// complete. A lost update needs one preemption.
func TestSystematicSearch(t *testing.T) {
	r := newRace(t, 4, false)
	before := 0
	for _, c := range []struct {
		bounds explore.Bounds
		finds  int
	}{{explore.Bounds{0, 0}, 0}, {explore.Bounds{1, 0}, 1}, {explore.Bounds{2, 2}, 1}, {explore.Unbounded, 1}} {
		rep := explore.Systematic{Everything: true, Bounds: c.bounds}.Run(r)
		if !rep.Complete || len(rep.Discoveries) != c.finds || rep.Runs <= before || rep.Visible != 1 {
			t.Errorf("%+v: complete %v, %d findings, %d runs, %d cells visible", c.bounds, rep.Complete, len(rep.Discoveries), rep.Runs, rep.Visible)
		}
		before = rep.Runs
	}
	rep := explore.Systematic{Everything: true, Bounds: explore.Unbounded, Runs: 5}.Run(r)
	if rep.Complete || rep.Runs != 5 {
		t.Errorf("complete %v after %d runs, of at most 5", rep.Complete, rep.Runs)
	}
	stopped := explore.Systematic{Everything: true, Bounds: explore.Unbounded, Stop: func() bool { return true }}.Run(r)
	if stopped.Complete || stopped.Runs != 0 {
		t.Errorf("%+v although it was stopped at once", stopped)
	}
}

// The number of schedules does not grow with work that nobody else sees.
func TestSystematicIgnoresPrivateWork(t *testing.T) {
	few := explore.Systematic{Everything: true, Bounds: explore.Unbounded}.Run(newRace(t, 0, false))
	many := explore.Systematic{Everything: true, Bounds: explore.Unbounded}.Run(newRace(t, 50, false))
	if few.Runs != many.Runs || !few.Complete || !many.Complete {
		t.Errorf("%d runs without private work, %d with", few.Runs, many.Runs)
	}
}
