package races_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql"
	races "github.com/dirql/dirql/drivers/edu-races"
)

// Whoever tries the driver is content with it.
func TestDefaultScheduleIsClean(t *testing.T) {
	for cpus := 1; cpus <= 4; cpus++ {
		r, err := races.Scenario().Run(dirql.Options{Processors: cpus})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) > 0 {
			t.Errorf("%d processors: %v", cpus, r.Findings)
		}
	}
}

// mistakes are the identities of the four that the source is marked with.
var mistakes = []string{
	"hang|request of edu!EduEvtIoDeviceControl",
	"completed request|edu!EduEvtIoDeviceControl",
	"data race|EDU_DEVICE_CONTEXT.Request",
	"data race|EDU_DEVICE_CONTEXT.Ended",
}

// Exploration finds each of the four mistakes, and nothing else: in how many
// routines one is noticed does not matter.
func TestExploreFindsEachMistake(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		rep, err := races.Scenario().Explore(t.Context(), dirql.ExploreOptions{Seed: seed, Runs: 1200})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		variants := 0
		for _, d := range rep.Discoveries {
			found = append(found, d.Identity)
			variants += len(d.Variants)
			for _, v := range d.Variants {
				if v.Runs == 0 || v.Runs > d.Count {
					t.Errorf("seed %d: %s in %d of %d runs", seed, v.Text, v.Runs, d.Count)
				}
			}
		}
		slices.Sort(found)
		if want := slices.Sorted(slices.Values(mistakes)); !slices.Equal(found, want) {
			t.Errorf("seed %d: %q, want %q", seed, found, want)
		}
		if variants < 5 {
			t.Errorf("seed %d: only %d variants", seed, variants)
		}
	}
}
