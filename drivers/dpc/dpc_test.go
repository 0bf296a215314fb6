package dpc_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// The driver tests itself and says which of its tests failed; each variant ends
// with the finding that names its mistake, with and without Driver Verifier.
func TestKernelRoutines(t *testing.T) {
	good := "start failed"
	for _, c := range []struct {
		file, title, bare string
	}{
		{"dpc.sys", good, good},
		{"testdata/unload-dpc.sys", "bug check 0xC7 TIMER_OR_DPC_INVALID (0x1,", "bug check 0xD4"},
		{"testdata/unload-work.sys", "bug check 0xCE", "bug check 0xCE"},
		{"testdata/queue-twice.sys", "bug check 0x96", "bug check 0x96"},
		{"testdata/threaded-lock.sys", "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x40,", "IRQL"},
		{"testdata/lock-order.sys", "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x1001,", good},
		{"testdata/hold-lock.sys", "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x40009,", "SpinLock"},
	} {
		for _, profile := range []dirql.Profile{{}, {DriverVerifierOff: true}} {
			t.Run(c.file+" "+profile.String(), func(t *testing.T) {
				s := edu.Scenario()
				var err error
				if s.Driver, err = dirql.LoadDriver(c.file); err != nil {
					t.Fatal(err)
				}
				r, err := s.Run(dirql.Options{Processors: 2, Profile: profile})
				if err != nil {
					t.Fatal(err)
				}
				want := c.title
				if profile.DriverVerifierOff {
					want = c.bare
				}
				for _, f := range r.Findings {
					switch {
					case f.Title == good && !strings.Contains(f.Text, "STATUS_NOT_SUPPORTED"):
						t.Errorf("a test of the driver failed: %s", f.Text)
					case strings.HasPrefix(f.Title, want):
						return
					}
				}
				t.Errorf("findings %+v, want %s", r.Findings, want)
			})
		}
	}
}
