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
			checkRace(t, &d.Finding)
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

// checkRace looks at what is said of the two sides of a data race: one of two
// writers of Request holds the lock.
func checkRace(t *testing.T, f *dirql.Finding) {
	t.Helper()
	if f.Rule != "data race" {
		return
	}
	if len(f.Accesses) != 2 || f.Adjacent != dirql.Confirmed {
		t.Fatalf("%+v", f)
	}
	locks := 0
	for _, a := range f.Accesses {
		locks += len(a.Locks)
		if len(a.Stack) < 2 || !strings.Contains(a.Stack[0], "drivers/edu-races/edu.c:") || !strings.Contains(strings.Join(a.Stack, "\n"), "#") {
			t.Errorf("%s: stack %q", a.Text, a.Stack)
		}
		if len(a.Locks) > 0 && a.Locks[0] != "WDFSPINLOCK 3" {
			t.Errorf("%s: holds %q", a.Text, a.Locks)
		}
	}
	if want := strings.HasSuffix(f.Title, "Request"); (locks == 1) != want {
		t.Errorf("%s: %d locks are held", f.Title, locks)
	}
}

// On one processor the accesses of mistakes 3 and 4 are minor: no finding, but
// they are listed, behind the others.
func TestOneProcessor(t *testing.T) {
	rep, err := races.Scenario().Explore(t.Context(), dirql.ExploreOptions{Processors: 1, Runs: 3000})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range rep.Discoveries {
		if d.Finding.Minor != strings.HasPrefix(d.Identity, "unordered accesses|") || d.Finding.Minor && d.Finding.Adjacent != dirql.NotTried {
			t.Errorf("%s: %+v", d.Identity, d.Finding)
		}
		found = append(found, d.Identity)
	}
	want := []string{mistakes[0], mistakes[1], "unordered accesses|EDU_DEVICE_CONTEXT.Ended", "unordered accesses|EDU_DEVICE_CONTEXT.Request"}
	if rep.Covered != "every schedule" || !slices.Equal(found, want) {
		t.Errorf("%q, covered %q", found, rep.Covered)
	}
}
