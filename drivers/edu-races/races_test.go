package races_test

import (
	"slices"
	"strings"
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

// Exploration finds each of the four mistakes that the source is marked with.
func TestExploreFindsEachMistake(t *testing.T) {
	inCancel := func(access string) func(f *dirql.Finding) bool {
		return func(f *dirql.Finding) bool {
			return f.Title == "data race" && strings.Contains(f.Text, access+" bytes in edu!EduEvtRequestCancel")
		}
	}
	mistakes := []func(f *dirql.Finding) bool{
		func(f *dirql.Finding) bool { return f.Title == "hang" },
		func(f *dirql.Finding) bool { return f.Rule == "CompleteCanceledReq" || f.Rule == "DoubleCompletion" },
		inCancel("writes 8"),
		func(f *dirql.Finding) bool { return inCancel("reads 4")(f) || inCancel("writes 4")(f) },
	}
	for _, seed := range []uint64{1, 2} {
		rep, err := races.Scenario().Explore(t.Context(), dirql.ExploreOptions{Seed: seed, Runs: 1200})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range rep.Discoveries {
			if d.Finding.Title == "data race" && strings.Contains(d.Identity, "+0x") {
				t.Errorf("a race of instructions, not of routines: %s", d.Identity)
			}
		}
		for i, is := range mistakes {
			if !slices.ContainsFunc(rep.Discoveries, func(d *dirql.Discovery) bool { return is(&d.Finding) }) {
				t.Errorf("seed %d: mistake %d is not found in %d runs", seed, i+1, rep.Runs)
			}
		}
	}
}
