package rules_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
)

// run sends two I/O controls to a driver.
func run(t *testing.T, file string, p dirql.Profile) (*dirql.Report, string) {
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &dirql.Scenario{Name: "rules", Driver: d, Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
		Phases: []dirql.Phase{{Name: "rules", Applications: []dirql.Application{{Name: "rules.exe", Run: func(a *dirql.App) {
			for range 2 {
				if _, st := a.DeviceIoControl(0x222000, nil, 0); st != 0 {
					a.Errorf("the I/O control ends with 0x%X", uint32(st))
				}
			}
		}}}}}}
	r, err := s.Run(dirql.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteTrace(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.String()
}

// The driver keeps the rules; each variant breaks one, with and without Driver
// Verifier. SpinLockSafe is advice.
func TestRules(t *testing.T) {
	bare, advice := dirql.Profile{DriverVerifierOff: true}, dirql.Profile{AdviceRules: true}
	const violation = "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION "
	for _, c := range []struct {
		file    string
		profile dirql.Profile
		title   string // of the first finding, "" for none
		rule    string
	}{
		{"rules.sys", dirql.Profile{}, "", ""},
		{"rules.sys", bare, "", ""},
		{"rules.sys", advice, "", ""},
		{"testdata/cancel-lock-held.sys", dirql.Profile{}, "CancelSpinLock", "CancelSpinLock"},
		{"testdata/cancel-lock-held.sys", bare, "CancelSpinLock", "CancelSpinLock"},
		{"testdata/cancel-lock-free.sys", dirql.Profile{}, violation + "(0x1007,", "lock not held"},
		{"testdata/cancel-lock-free.sys", bare, "bug check 0x10 ", "SpinLock"},
		{"testdata/cancel-lock-level.sys", dirql.Profile{}, violation + "(0x36, 0x0, 0x7, 0x0)", "QueuedSpinLockRelease"},
		{"testdata/complete-locked.sys", dirql.Profile{}, "", ""},
		{"testdata/complete-locked.sys", advice, "SpinLockSafe", "SpinLockSafe"},
		{"testdata/paged-code.sys", dirql.Profile{}, "bug check 0x1E KMODE_EXCEPTION_NOT_HANDLED (0xC0000420,", "PagedCode"},
		{"testdata/paged-code-old.sys", dirql.Profile{}, "bug check 0x1E KMODE_EXCEPTION_NOT_HANDLED (0x80000003,", "PagedCode"},
	} {
		t.Run(c.file+" "+c.profile.String(), func(t *testing.T) {
			r, first := run(t, c.file, c.profile)
			if _, second := run(t, c.file, c.profile); first != second {
				t.Error("two equal runs have different traces")
			}
			switch {
			case c.title == "":
				for _, f := range r.Findings {
					t.Errorf("%s: %s %q", f.Title, f.Text, f.Stack)
				}
			case len(r.Findings) == 0:
				t.Errorf("nothing was found; the run ended: %s", r.End)
			default:
				if f := r.Findings[0]; !strings.HasPrefix(f.Title, c.title) || f.Rule != c.rule {
					t.Errorf("got %s, rule %q: %s", f.Title, f.Rule, f.Text)
				}
			}
		})
	}
}
