// Package selftest runs drivers that test themselves in DriverEntry, and their
// variants with one mistake each.
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

// Case is a driver and how its run ends.
type Case struct {
	File  string
	Title string // how the title of the finding begins
	Bare  string // the same with Driver Verifier off; "" is not run
}

// Check runs drivers with the edu device, each twice: the same findings and the same
// bytes.
func Check(t *testing.T, cases []Case) {
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) { check(t, c.File, c.Title, dirql.Profile{}) })
		if c.Bare != "" {
			t.Run(c.File+" bare", func(t *testing.T) { check(t, c.File, c.Bare, dirql.Profile{DriverVerifierOff: true}) })
		}
	}
}

func check(t *testing.T, file, title string, profile dirql.Profile) {
	r, first := run(t, file, profile)
	if _, second := run(t, file, profile); first != second {
		t.Error("two equal runs have different traces")
	}
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

func run(t *testing.T, file string, profile dirql.Profile) (*dirql.Report, string) {
	s := edu.Scenario()
	var err error
	if s.Driver, err = dirql.LoadDriver(file); err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(dirql.Options{Processors: 2, Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	var trace bytes.Buffer
	if err := r.WriteTrace(&trace); err != nil {
		t.Fatal(err)
	}
	return r, trace.String()
}
