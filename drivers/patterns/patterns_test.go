package patterns

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql"
)

// Nothing is wrong as long as nobody disturbs the default schedule: a test that
// runs once would not find any of the mistakes.
func TestPatternsNeedAnInterleaving(t *testing.T) {
	for _, p := range All() {
		for cpus := 1; cpus <= 4; cpus++ {
			for _, s := range []*dirql.Scenario{p.Buggy(), p.Fixed()} {
				r, err := s.Run(dirql.Options{Processors: cpus})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Findings) > 0 || !strings.HasPrefix(r.End, "done") {
					t.Errorf("%s, %s, %d processors: %s, %v", p.Name, s.Driver.Name, cpus, r.End, r.Findings)
				}
			}
		}
	}
}

// Exploration finds every mistake, soon, and nothing else.
func TestPatternsAreFound(t *testing.T) {
	for _, p := range All() {
		var runs []int
		for seed := range uint64(5) {
			h, err := p.Hunt(t.Context(), dirql.ExploreOptions{Seed: seed, Runs: 10_000, Strategy: dirql.Random})
			if err != nil {
				t.Error(err)
			}
			if h.Runs == 0 {
				t.Errorf("%s, seed %d: not found in 10,000 runs", p.Name, seed)
			}
			runs = append(runs, h.Runs)
		}
		t.Logf("%s: %d runs", p.Name, runs)
	}
}

// The repaired drivers are right on one to four processors.
func TestRepairedPatternsAreQuiet(t *testing.T) {
	for _, p := range All() {
		for cpus := 1; cpus <= 4; cpus++ {
			found, err := p.Quiet(t.Context(), dirql.ExploreOptions{Seed: 1, Runs: 300, Processors: cpus, Strategy: dirql.Random})
			if err != nil || len(found) > 0 {
				t.Errorf("%s, %d processors: %q, %v", p.Name, cpus, found, err)
			}
		}
	}
}

// The repaired drivers also survive what goes wrong around them.
func TestRepairedPatternsSurviveFaults(t *testing.T) {
	for _, p := range All() {
		for _, f := range []dirql.Faults{{Alloc: true}, {Cancel: true}, {Remove: true}} {
			found, err := p.Quiet(t.Context(), dirql.ExploreOptions{Seed: 1, Runs: 300, Faults: f, Strategy: dirql.Random})
			if err != nil || len(found) > 0 {
				t.Errorf("%s, %s: %q, %v", p.Name, f, found, err)
			}
		}
	}
}

// Where the registers stay mapped, the late handler of pattern 13 touches a
// device that sleeps (PWR-5).
func TestLateTimerTouchesASleepingDevice(t *testing.T) {
	for _, p := range All() {
		if p.Number != 13 {
			continue
		}
		for _, bug := range []bool{true, false} {
			s := p.with(bug)
			s.Phases = []dirql.Phase{{Name: "sleep", System: func(s *dirql.System) {
				s.Sleep(1_000_000)
				s.PowerDown()
				s.PowerUp()
			}}}
			rep, err := s.Explore(t.Context(), dirql.ExploreOptions{Seed: 1, Runs: 500, Strategy: dirql.Random})
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for _, d := range rep.Discoveries {
				titles = append(titles, d.Finding.Title)
			}
			if bug != slices.Contains(titles, "register access in Dx") || !bug && len(titles) > 0 {
				t.Errorf("%s, %s: %q", p.Name, s.Driver.Name, titles)
			}
		}
	}
}

// A finding that is none of the pattern's is an error, not a success.
func TestHuntWantsTheRightFinding(t *testing.T) {
	p := *All()[0]
	p.Findings = []string{"no such title"}
	if h, err := p.Hunt(t.Context(), dirql.ExploreOptions{Seed: 1, Runs: 200, Strategy: dirql.Random}); err == nil || h.Runs != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestMedianAndWorst(t *testing.T) {
	for _, c := range []struct {
		values        []int
		median, worst int
	}{{[]int{3, 1, 2}, 2, 3}, {[]int{5}, 5, 5}, {[]int{4, 0, 1, 2}, 2, 0}, {[]int{0, 0, 1}, 0, 0}} {
		if m, w := Median(c.values), Worst(c.values); m != c.median || w != c.worst {
			t.Errorf("%d: %d, %d", c.values, m, w)
		}
	}
}

// The device keeps its whole state in what it appends.
func TestRingState(t *testing.T) {
	r := NewRing()
	for i, w := range r.words() {
		*w = uint32(i + 1)
	}
	state := r.AppendState(nil)
	other := NewRing()
	if err := other.RestoreState(state); err != nil || *other != *r {
		t.Errorf("%+v became %+v, %v", r, other, err)
	}
	if err := other.RestoreState(state[:3]); err == nil || !bytes.Equal(other.AppendState(nil), state) {
		t.Errorf("a short state: %v", err)
	}
}
