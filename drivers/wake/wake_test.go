package wake_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/wake"
)

// with replaces the driver of a scenario by a .sys file; "" leaves the one in Go.
func with(t *testing.T, s *dirql.Scenario, file string) *dirql.Scenario {
	t.Helper()
	if file == "" {
		return s
	}
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Driver = d
	return s
}

func run(t *testing.T, s *dirql.Scenario, o dirql.Options) (*dirql.Report, string) {
	t.Helper()
	r, err := s.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteTrace(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.String()
}

// short names callbacks; an activation of another one is not listed.
var short = map[string]string{
	"EvtDeviceArmWakeFromS0": "arm", "EvtDeviceDisarmWakeFromS0": "disarm", "EvtDeviceWakeFromS0Triggered": "woke",
	"EvtDeviceArmWakeFromSx": "armSx", "EvtDeviceDisarmWakeFromSx": "disarmSx", "EvtDeviceWakeFromSxTriggered": "wokeSx",
	"EvtDeviceD0Entry": "up", "EvtDeviceD0Exit": "down", "EvtIoDeviceControl": "io",
	"wake.evtWakeIsr": "isr", "wake!WakeEvtWakeInterruptIsr": "isr",
}

// callbacks lists the calls of callbacks in a trace.
func callbacks(trace string) string {
	var list []string
	for line := range strings.Lines(trace) {
		f := strings.Fields(line)
		i := slices.Index(f, "start")
		if i < 0 || i+2 >= len(f) {
			continue
		}
		if name := short[f[i+1]]; name != "" {
			list = append(list, name)
		} else if name := short[f[i+2]]; name != "" {
			list = append(list, name)
		}
	}
	return strings.Join(list, " ")
}

// The driver in Go and the binary do the same: the callbacks come in their order
// (WAKE-2, WAKE-3, WAKE-7, WAKE-8, WDFI-34), and equal runs give equal bytes.
func TestWAKE7WAKE8Scenarios(t *testing.T) {
	for n, want := range []string{
		"up arm down io up woke disarm arm down io up disarm io arm down up disarm down",
		"up arm down io up disarm armSx down up wokeSx disarmSx arm down io up disarm io armSx down up disarmSx io arm down up disarm down",
		"up arm down io up isr woke disarm arm down io up disarm io arm down io up disarm io isr arm down up disarm down",
		"up arm down io up disarm down up arm down up isr woke disarm arm down io up disarm io down up io arm down up disarm down",
	} {
		for _, file := range []string{"", "wake.sys"} {
			s := func() *dirql.Scenario { return with(t, wake.Scenarios()[n], file) }
			t.Run(s().Name+file, func(t *testing.T) {
				for _, o := range []dirql.Options{{}, {Processors: 2}, {Processors: 2, Seed: 7}} {
					r, first := run(t, s(), o)
					for _, f := range r.Findings {
						t.Errorf("%s: %s", f.Title, f.Text)
					}
					if _, second := run(t, s(), o); first != second {
						t.Error("two equal runs have different traces")
					}
					if got := callbacks(first); o.Processors == 0 && got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				}
			})
		}
	}
}

// Whenever the device wakes, the driver copes: in every schedule of one scenario on
// one processor, and in some of all on two.
func TestWAKE10Explore(t *testing.T) {
	explore := func(s *dirql.Scenario, o dirql.ExploreOptions) *dirql.ExploreReport {
		r, err := with(t, s, "wake.sys").Explore(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Discoveries {
			t.Errorf("%s: %s: %s", s.Name, d.Finding.Title, d.Finding.Text)
		}
		return r
	}
	if r := explore(wake.Idle(), dirql.ExploreOptions{Processors: 1, Strategy: dirql.Exhaustive}); r.Covered == "" {
		t.Errorf("%d runs were not every schedule", r.Runs)
	}
	for _, s := range wake.Scenarios() {
		explore(s, dirql.ExploreOptions{Processors: 2, Strategy: dirql.Random, Runs: 100, Seed: 1})
	}
}

// On hardware that cannot wake the driver works, and nothing is armed (WAKE-7).
func TestWAKE7CannotWake(t *testing.T) {
	for _, file := range []string{"", "wake.sys"} {
		s := with(t, wake.Idle(), file)
		s.Device.Model = func() device.Model { return device.NewEdu() }
		r, trace := run(t, s, dirql.Options{})
		for _, f := range r.Findings {
			t.Errorf("%s: %s", f.Title, f.Text)
		}
		if got := callbacks(trace); got != "up io io io down" {
			t.Errorf("%s: %s", file, got)
		}
		if n := strings.Count(trace, "STATUS_POWER_STATE_INVALID"); n != 2 {
			t.Errorf("%s: %d settings were refused, not 2", file, n)
		}
	}
}

// A driver that waits for D0 in a callback that comes before it never gets there.
func TestWaitForD0(t *testing.T) {
	r, _ := run(t, with(t, wake.Idle(), "testdata/wait-for-d0.sys"), dirql.Options{})
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Title, "0x9F") {
		t.Errorf("findings %v", r.Findings)
	}
}

// A driver that keeps its registers where they were touches what may be another
// device's (WDFI-34).
func TestWDFI34StaleRegisters(t *testing.T) {
	r, _ := run(t, with(t, wake.Rebalance(), "testdata/stale-registers.sys"), dirql.Options{})
	if len(r.Findings) == 0 || r.Findings[0].Title != "register access after the stop" {
		t.Errorf("findings %v", r.Findings)
	}
}
