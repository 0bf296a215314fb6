package litmus

import (
	"fmt"
	"testing"
)

// The search that leaves out schedules that differ in the order of independent steps only reaches the same outcomes.
func TestReductionOfTheCatalogue(t *testing.T) {
	const bound = 3000
	merged, reduced, complete, all := 0, 0, 0, mustCatalogue(t)
	if testing.Short() {
		all = all[:len(all)/8]
	}
	for _, lt := range all {
		r, err := Run(lt, Options{Reduced: true, Runs: bound})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Complete {
			t.Logf("%s: more than %d runs", lt.ID, bound)
			continue
		}
		m, err := Run(lt, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := outcomesOf(m), outcomesOf(r); a != b {
			t.Errorf("%s: %d runs with merging:\n%s\n%d with reduction:\n%s", lt.ID, m.Runs, a, r.Runs, b)
		}
		merged, reduced, complete = merged+m.Runs, reduced+r.Runs, complete+1
	}
	t.Logf("%d of %d tests: %d runs with merging, %d with reduction", complete, len(all), merged, reduced)
	if complete < len(all)*9/10 {
		t.Error("too few")
	}
}

// The same for random tests of the kernel and of the framework, judged by the search that runs every schedule.
func TestReductionOfRandomTests(t *testing.T) {
	plain, reduced, judged, seeds := 0, 0, 0, uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		for _, generate := range []func(uint64) string{randomTest, randomFrameworkTest} {
			a, b, err := reductionIsSound(generate(seed), 1000)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			plain, reduced = plain+a, reduced+b
			if a > 0 {
				judged++
			}
		}
	}
	t.Logf("%d tests judged: %d runs, %d with reduction", judged, plain, reduced)
	if judged < int(seeds)/2 {
		t.Error("too few")
	}
}

// reductionIsSound runs a test with and without reduction and returns the numbers of runs, 0 if there are too many.
func reductionIsSound(src string, bound int) (plain, reduced int, err error) {
	list, err := Parse("random", []byte(src))
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, src)
	}
	all, err := Run(list[0], Options{Unmerged: true, Runs: bound})
	if err != nil || !all.Complete {
		return 0, 0, err
	}
	few, err := Run(list[0], Options{Reduced: true, Runs: 3 * bound})
	if err != nil {
		return 0, 0, err
	}
	if a, b := outcomesOf(all), outcomesOf(few); a != b || !few.Complete {
		return 0, 0, fmt.Errorf("%d schedules:\n%s\n%d with reduction, complete %v:\n%s\n%s", all.Runs, a, few.Runs, few.Complete, b, src)
	}
	return all.Runs, few.Runs, nil
}
