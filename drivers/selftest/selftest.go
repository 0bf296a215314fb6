// Package selftest runs driver files in tests: drivers that test themselves in
// DriverEntry, and their variants with one mistake each.
package selftest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// Good is the title of the finding of a driver without mistakes: it refuses the
// device in the end.
const Good = "start failed"

// Violation begins the title of a finding of Driver Verifier; parameter 1 follows.
const Violation = "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION "

// Case is a driver and how its run ends.
type Case struct {
	File  string
	Title string // how the title of the finding begins
	Bare  string // the same with Driver Verifier off; "" is not run
}

// Check runs drivers with the edu device.
func Check(t *testing.T, cases []Case) {
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) { check(t, c.File, c.Title, dirql.Profile{}) })
		if c.Bare != "" {
			t.Run(c.File+" bare", func(t *testing.T) { check(t, c.File, c.Bare, dirql.Profile{DriverVerifierOff: true}) })
		}
	}
}

func check(t *testing.T, file, title string, profile dirql.Profile) {
	r := Twice(t, edu.Scenario, file, dirql.Options{Processors: 2, Profile: profile})
	found := false
	for _, f := range r.Findings {
		if f.Title == Good && !strings.Contains(f.Text, "STATUS_NOT_SUPPORTED") {
			t.Errorf("a test of the driver failed: %s", f.Text)
		}
		found = found || strings.HasPrefix(f.Title, title)
	}
	if !found {
		t.Errorf("findings %+v, want %s", r.Findings, title)
	}
}

// Twice runs a driver file in a scenario, two times: the same bytes.
func Twice(t *testing.T, scenario func() *dirql.Scenario, file string, o dirql.Options) *dirql.Report {
	t.Helper()
	r, first := run(t, scenario(), file, o)
	if _, second := run(t, scenario(), file, o); first != second {
		t.Error("two equal runs have different traces")
	}
	return r
}

func run(t *testing.T, s *dirql.Scenario, file string, o dirql.Options) (*dirql.Report, string) {
	t.Helper()
	var err error
	if s.Driver, err = dirql.LoadDriver(file); err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	var trace bytes.Buffer
	if err := r.WriteTrace(&trace); err != nil {
		t.Fatal(err)
	}
	return r, trace.String()
}

// Finds checks the findings of a run: one has a title that begins so, and a rule;
// without a title there are none.
func Finds(t *testing.T, r *dirql.Report, title, rule string) {
	t.Helper()
	if title != "" {
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Title, title) && f.Rule == rule {
				return
			}
		}
		t.Errorf("findings %+v, want %s, rule %q; the run ended: %s", r.Findings, title, rule, r.End)
		return
	}
	for _, f := range r.Findings {
		t.Errorf("%s: %s %q", f.Title, f.Text, f.Stack)
	}
	if !strings.HasPrefix(r.End, "done") {
		t.Errorf("the run ended: %s", r.End)
	}
}
