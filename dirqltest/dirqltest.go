// Package dirqltest is for the tests of people who write drivers: a test explores
// a scenario, fails with a timeline for each way in which the driver breaks, and
// keeps the runs that did, so that they are repeated in each later test.
//
//	func TestDriver(t *testing.T) {
//		driver, err := dirql.LoadDriver("../x64/Release/driver.sys")
//		if err != nil {
//			t.Fatal(err)
//		}
//		dirqltest.Explore(t, dirql.UnknownScenario(driver, dirql.DefaultHardware), dirql.ExploreOptions{Runs: 1000})
//	}
package dirqltest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql"
)

// Explore repeats the runs in testdata/dirql/NAME, where NAME is that of the
// test, and then explores the scenario. Each finding that is not suppressed fails
// the test; new ones are written to that folder. o should have a bound: Runs, or
// the deadline of the test ends the search. It returns the report, nil if there
// is none.
func Explore(t testing.TB, s *dirql.Scenario, o dirql.ExploreOptions) *dirql.ExploreReport {
	t.Helper()
	dir := filepath.Join("testdata", "dirql", filepath.FromSlash(t.Name()))
	known, err := filepath.Glob(filepath.Join(dir, "*.dirql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range known {
		ReplayFile(t, s, path)
	}
	if o.Runs == 0 {
		o.Runs = defaultRuns
	}
	told := o.New
	o.New = func(d *dirql.Discovery) {
		t.Helper()
		if told != nil {
			told(d)
		}
		path, err := write(dir, d)
		if err != nil {
			t.Errorf("the run cannot be kept: %v", err)
		}
		t.Errorf("%s\nfound in run %d (%s); again: dirql replay %s", Text(d.Report, &d.Finding), d.Run+1, d.Strategy, path)
	}
	rep, err := s.Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// defaultRuns is the bound where none is given.
const defaultRuns = 1000

// write writes the replay file of a finding, under a name that is not taken.
func write(dir string, d *dirql.Discovery) (path string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		path = filepath.Join(dir, fmt.Sprintf("%d.dirql", n))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = d.Replay.WriteTo(f)
		return path, errors.Join(err, f.Close())
	}
}

// ReplayFile repeats the run of a replay file and fails the test if the driver
// still does what was wrong in it. If the driver has changed, so that the run is
// another one now, the test passes and says so: explore to be sure.
func ReplayFile(t testing.TB, s *dirql.Scenario, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := dirql.ReadReplay(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if p.Scenario != s.Name {
		t.Fatalf("%s is of the scenario %q, not %q", path, p.Scenario, s.Name)
	}
	rep, err := s.Again(p)
	if rep == nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(rep.Findings, func(f dirql.Finding) bool { return f.Identity() == p.Identity }); i >= 0 {
		t.Errorf("%s\nthe run is that of %s", Text(rep, &rep.Findings[i]), path)
		return
	}
	switch {
	case err != nil:
		t.Logf("%s: %v; what it shows does not happen any more", path, err)
	case len(rep.Findings) > 0: // the same run to the last event, so the same mistake
		t.Errorf("%s\nthe run is that of %s, which calls the mistake %q: record it again", Text(rep, &rep.Findings[0]), path, p.Identity)
	}
}

// Text is a finding for the output of a test: what is wrong, and the timeline up
// to there.
func Text(rep *dirql.Report, f *dirql.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", f.Title, f.Text)
	if f.Source != "" {
		fmt.Fprintf(&b, "at %s:%d\n", f.Source, f.Line)
	}
	fmt.Fprintf(&b, "identity: %s\n\n", f.Identity())
	if err := rep.Until(f.Time).WriteText(&b, false); err != nil {
		fmt.Fprintf(&b, "the timeline cannot be written: %v\n", err)
	}
	return b.String()
}
