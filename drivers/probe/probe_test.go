package probe_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql"
)

func load(t *testing.T, file string) dirql.Driver {
	t.Helper()
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func explore(t *testing.T, file string, o dirql.ExploreOptions) *dirql.ExploreReport {
	t.Helper()
	rep, err := dirql.UnknownScenario(load(t, file), dirql.DefaultHardware).Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// The driver refuses a device that answers as devices usually do, so the search
// begins with DriverEntry, and finds the numbers that the driver wants: its
// interrupts and requests are reached. The driver is robust: nothing is found.
func TestCorrectDriver(t *testing.T) {
	rep := explore(t, "probe.sys", dirql.ExploreOptions{Runs: 500, Seed: 1, Strategy: dirql.Random})
	for _, d := range rep.Discoveries {
		t.Errorf("%s: %s", d.Finding.Title, d.Finding.Text)
	}
	if rep.Refused == 0 || rep.Refused == rep.Runs || rep.Visible == 0 {
		t.Errorf("the driver refused the device in %d of %d runs, %d cells are shared", rep.Refused, rep.Runs, rep.Visible)
	}
}

// A single run with the usual answers ends with the refusal and its reason, and
// that is no finding; with a device that has another identity it is the same.
func TestRefusal(t *testing.T) {
	r, err := dirql.UnknownScenario(load(t, "probe.sys"), dirql.DefaultHardware).Run(dirql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 0 || !strings.Contains(r.End, "did not want the unknown device") || !strings.Contains(r.End, "STATUS_DEVICE_CONFIGURATION_ERROR") {
		t.Errorf("%q, %d findings", r.End, len(r.Findings))
	}
}

// Each mistake is found, says that the hardware was unknown and what it
// answered, and comes again with its replay file.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		file    string
		runs    int
		title   string // of one of the findings
		answers string // that are in its text
	}{
		{"trust-slot", 500, "bug check 0xD", "at 0x8 reads"},
		{"poll-forever", 60, "no end in sight", "BAR 1 at 0x0"},
		{"keep-mapping", 20, "bug check 0xC4", ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			rep := explore(t, "testdata/"+c.file+".sys", dirql.ExploreOptions{Runs: c.runs, Seed: 1, Strategy: dirql.Random})
			i := slices.IndexFunc(rep.Discoveries, func(d *dirql.Discovery) bool { return strings.HasPrefix(d.Finding.Title, c.title) })
			if i < 0 {
				t.Fatalf("not found in %d runs: %d other findings", rep.Runs, len(rep.Discoveries))
			}
			d := rep.Discoveries[i]
			if !strings.Contains(d.Finding.Text, "with unknown hardware") || !strings.Contains(d.Finding.Text, c.answers) {
				t.Errorf("the finding does not say what the hardware did: %s", d.Finding.Text)
			}
			var file bytes.Buffer
			d.Replay.WriteTo(&file)
			p, err := dirql.ReadReplay(&file)
			if err != nil {
				t.Fatal(err)
			}
			if p.Hardware == nil || *p.Hardware != dirql.DefaultHardware {
				t.Fatalf("the replay file is for the hardware %v", p.Hardware)
			}
			again, err := dirql.UnknownScenario(load(t, "testdata/"+c.file+".sys"), *p.Hardware).Again(p)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(again.Findings, func(f dirql.Finding) bool { return f.Title == d.Finding.Title && f.Text == d.Finding.Text }) {
				t.Error("the replay does not show the finding")
			}
		})
	}
}

// Unknown hardware can be put into any scenario.
func TestOtherScenario(t *testing.T) {
	s := dirql.UnknownScenario(load(t, "probe.sys"), dirql.DefaultHardware)
	s.Name, s.Phases = "one", s.Phases[:1]
	for _, messages := range []int{0, 1, 4} {
		h := dirql.DefaultHardware
		h.Messages = messages
		s.OnUnknownHardware(h)
		rep, err := s.Explore(t.Context(), dirql.ExploreOptions{Runs: 200, Seed: 3, Strategy: dirql.Random})
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Discoveries) != 0 || rep.Refused == rep.Runs {
			t.Errorf("%d messages: %d findings, refused in %d of %d runs", messages, len(rep.Discoveries), rep.Refused, rep.Runs)
		}
	}
}
