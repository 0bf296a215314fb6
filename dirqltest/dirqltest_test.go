package dirqltest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/dirqltest"
	"github.com/dirql/dirql/drivers/edu"
)

// recorder is a test whose failures are looked at.
type recorder struct {
	testing.TB
	errors, logs []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestRecorded" }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func scenario(t *testing.T, file string) *dirql.Scenario {
	t.Helper()
	s := edu.Scenario()
	var err error
	if s.Driver, err = dirql.LoadDriver(file); err != nil {
		t.Fatal(err)
	}
	return s
}

// A driver with a mistake fails the test with a timeline, and the run is kept; a
// later test repeats it, and passes once the driver is right.
func TestExplore(t *testing.T) {
	edu, err := filepath.Abs("../drivers/edu")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	bad, good := filepath.Join(edu, "testdata/complete-twice.sys"), filepath.Join(edu, "edu.sys")
	r := &recorder{TB: t}
	rep := dirqltest.Explore(r, scenario(t, bad), dirql.ExploreOptions{Runs: 20})
	if rep == nil || len(r.errors) != 1 || !strings.Contains(r.errors[0], "bug check 0x10D") || !strings.Contains(r.errors[0], "EvtInterruptDpc") {
		t.Fatalf("%d errors: %s", len(r.errors), r.errors)
	}
	kept := filepath.Join("testdata", "dirql", "TestRecorded", "1.dirql")
	if _, err := os.Stat(kept); err != nil {
		t.Fatal(err)
	}
	r = &recorder{TB: t}
	dirqltest.ReplayFile(r, scenario(t, bad), kept)
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "bug check 0x10D") {
		t.Errorf("the run does not show the mistake: %s", r.errors)
	}
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.dirql")
	if err := os.WriteFile(old, regexp.MustCompile(`(?m)^finding .*`).ReplaceAll(text, []byte("finding an old name")), 0o666); err != nil {
		t.Fatal(err)
	}
	r = &recorder{TB: t}
	dirqltest.ReplayFile(r, scenario(t, bad), old)
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "record it again") {
		t.Errorf("the mistake is called something else now: errors %s, logs %s", r.errors, r.logs)
	}
	r = &recorder{TB: t}
	dirqltest.Explore(r, scenario(t, good), dirql.ExploreOptions{Runs: 20})
	if len(r.errors) != 0 || len(r.logs) != 1 || !strings.Contains(r.logs[0], "does not happen any more") {
		t.Errorf("the driver that is right: errors %s, logs %s", r.errors, r.logs)
	}
}

// A test of a driver calls Explore with what the test function gets; this
// example has no such thing, and shows what comes of it.
func ExampleExplore() {
	test := func(t testing.TB) {
		rep := dirqltest.Explore(t, edu.Scenario(), dirql.ExploreOptions{Runs: 200, Processors: 1})
		fmt.Println(len(rep.Discoveries), "findings; covered:", rep.Covered)
	}
	test(&exampleTest{})
	// Output: 0 findings; covered: every schedule
}

type exampleTest struct{ recorder }

func (*exampleTest) Context() context.Context { return context.Background() }
