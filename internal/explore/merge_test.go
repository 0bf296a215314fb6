package explore_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/explore"
)

var (
	programs = flag.Int("programs", 20, "number of random programs that are searched with and without merging")
	seed     = flag.Uint64("seed", 1, "seed of the first of them")
	runs     = flag.Int("runs", 2000, "programs with more runs than this are passed over")
)

// sameOutcomes searches a program with and without merging of equal states and
// compares the outcomes. It passes over programs with more than limit runs, and
// those with one outcome only.
func sameOutcomes(t *testing.T, p *program, limit int) (plain, merged *explore.Report, ok bool) {
	t.Helper()
	r := newRunner(t, p)
	defer r.Close()
	merged = explore.Plain(r.run, explore.Limits{Runs: limit / 4, Merge: true})
	if !merged.Complete || len(merged.Outcomes) < 2 && limit < everything {
		return nil, merged, false
	}
	plain, wrong := judge(r, limit)
	if !plain.Complete {
		return plain, merged, false
	}
	if wrong != "" {
		t.Errorf("%s\n%s", p, wrong)
	}
	a, b := keys(plain), keys(merged)
	if a != b {
		t.Errorf("with merging the outcomes differ\n%s\nwithout merging, %d runs:\n%s\nwith merging, %d runs, %d states:\n%s\n",
			p, plain.Runs, a, merged.Runs, merged.States, b)
	}
	if merged.Runs > plain.Runs {
		t.Errorf("%d runs with merging, %d without", merged.Runs, plain.Runs)
	}
	return plain, merged, true
}

// everything is the limit of searches that are to be complete.
const everything = 1_000_000

func keys(r *explore.Report) string {
	var list []string
	for _, o := range r.Outcomes {
		list = append(list, "  "+o.Key)
	}
	return strings.Join(list, "\n")
}

// A search that merges equal states finds what the full search finds: for
// random programs.
func TestMergingIsSoundForRandomPrograms(t *testing.T) {
	random(t, func(g *generator, size int) *program { return g.program(size) })
}

// The same with threaded DPCs, queued spin locks, fast mutexes, waits for two
// objects (DPC-25, IRQL-9, IRQL-15).
func TestMergingIsSoundForMorePrimitives(t *testing.T) {
	random(t, func(g *generator, size int) *program {
		p := g.program(size)
		g.primitives(p)
		return p
	})
}

func random(t *testing.T, generate func(g *generator, size int) *program) {
	done, passed, wanted := 0, 0, *programs
	if testing.Short() {
		wanted /= 5
	}
	var plainRuns, mergedRuns, states, outcomes int
	for s := *seed; done < wanted && s < *seed+100*uint64(wanted); s++ {
		p := generate(newGenerator(s), 2+int(s%6))
		t.Run(fmt.Sprintf("seed %d", s), func(t *testing.T) {
			plain, merged, ok := sameOutcomes(t, p, *runs)
			if !ok {
				passed++
				return
			}
			done++
			plainRuns += plain.Runs
			mergedRuns += merged.Runs
			states += merged.States
			outcomes += len(plain.Outcomes)
		})
	}
	t.Logf("%d programs, %d passed over; %d runs without merging, %d with (%d states), %d outcomes",
		done, passed, plainRuns, mergedRuns, states, outcomes)
}

// Programs for which merging once lost an outcome.
func TestMergingIsSoundForProgramsThatBrokeIt(t *testing.T) {
	for _, s := range []uint64{100906, 102551, 500108, 501617, 502187, 503152, 504158} {
		t.Run(fmt.Sprintf("seed %d", s), func(t *testing.T) {
			if _, _, ok := sameOutcomes(t, newGenerator(s).program(2+int(s%6)), everything); !ok {
				t.Error("not searched completely")
			}
		})
	}
}

// FuzzMerging does the same for programs of any seed.
func FuzzMerging(f *testing.F) {
	f.Add(uint64(1), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, size uint8) {
		sameOutcomes(t, newGenerator(seed).program(1+int(size%8)), 2000)
	})
}
