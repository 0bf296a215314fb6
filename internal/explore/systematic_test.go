package explore_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
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

// outcomes is a random program as a subject: each outcome counts as a finding.
type outcomes struct{ r *runner }

func (o outcomes) Run(source choice.Source, watch *kernel.Watch) explore.Verdict {
	res := o.r.run(source, watch.Visited)
	if res.Pruned || res.Bounded {
		return explore.Verdict{Pruned: res.Pruned, Bounded: res.Bounded}
	}
	return explore.Verdict{Findings: []explore.Found{{Identity: res.Outcome}}}
}

// Within bounds, too, a search that merges equal states finds what the full
// search finds, in fewer runs.
func TestBoundedMergingIsSound(t *testing.T) {
	searched, all, merged := 0, 0, 0
	for seed := uint64(40_000); searched < 150; seed++ {
		r := newRunner(t, newGenerator(seed).program(2+int(seed%5)))
		for _, b := range []explore.Bounds{{0, 0}, {1, 0}, {1, 1}, {2, 1}} {
			full := explore.Systematic{Bounds: b, Runs: 1500, Everything: true}.Run(outcomes{r})
			if !full.Complete {
				continue
			}
			few := explore.Systematic{Bounds: b, Runs: 1500}.Run(outcomes{r})
			if x, y := identities(full), identities(few); x != y || few.Runs > full.Runs {
				t.Errorf("seed %d, %+v: %d runs with merging find\n%s\n%d without find\n%s", seed, b, few.Runs, y, full.Runs, x)
			}
			searched, all, merged = searched+1, all+full.Runs, merged+few.Runs
		}
		r.Close()
	}
	if merged >= all {
		t.Errorf("%d runs with merging, %d without", merged, all)
	}
}

func identities(r *explore.CampaignReport) string {
	var list []string
	for _, d := range r.Discoveries {
		list = append(list, d.Identity)
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}
