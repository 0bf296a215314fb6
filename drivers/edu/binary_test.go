package edu_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// binary returns a scenario with its driver replaced by a .sys file.
func binary(t *testing.T, s *dirql.Scenario, file string) *dirql.Scenario {
	t.Helper()
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Driver = d
	return s
}

func run(t *testing.T, s *dirql.Scenario, o dirql.Options) *dirql.Report {
	t.Helper()
	r, err := s.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trace(t *testing.T, r *dirql.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteTrace(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The binary does its work in every scenario, on any number of processors, and
// equal runs give equal bytes.
func TestBinaryRuns(t *testing.T) {
	for _, file := range []string{"edu.sys", "testdata/edu-clang.sys", "testdata/edu-kmdf-1.11.sys"} {
		for _, scenario := range []func() *dirql.Scenario{edu.Scenario, edu.Busy, edu.Power, edu.Unplug} {
			for _, o := range []dirql.Options{{Processors: 1}, {Processors: 2}, {Processors: 4}, {Processors: 2, Seed: 7}} {
				name := scenario().Name
				t.Run(fmt.Sprintf("%s/%s/%d-%d", file, name, o.Processors, o.Seed), func(t *testing.T) {
					first := run(t, binary(t, scenario(), file), o)
					for _, f := range first.Findings {
						t.Errorf("%s: %s", f.Title, f.Text)
					}
					second := run(t, binary(t, scenario(), file), o)
					if trace(t, first) != trace(t, second) {
						t.Error("two equal runs have different traces")
					}
				})
			}
		}
	}
}

// The driver in Go and the binary make the same model events: the same calls
// with the same results, the same registers, interrupts and DPCs, in the same
// order.
func TestSameEventsAsInGo(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		want := modelEvents(t, run(t, edu.Scenario(), dirql.Options{Processors: n}))
		got := modelEvents(t, run(t, binary(t, edu.Scenario(), "edu.sys"), dirql.Options{Processors: n}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d processors (-Go +binary):\n%s", n, diff)
		}
	}
}

// modelEvents returns the events of a run that both forms of the driver must
// make, without times, addresses and names of the driver's routines.
func modelEvents(t *testing.T, r *dirql.Report) []string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Events []struct {
			CPU              int
			IRQL             int
			Kind, Name, Text string
			ValueText        string `json:"value_text"`
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`0x[0-9A-F]{6,}|edu[.!]\w+`)
	var list []string
	for _, e := range doc.Events {
		switch e.Kind {
		case "call", "return", "start", "end", "line", "accept", "eoi", "queue", "dequeue", "register":
		default:
			continue
		}
		if e.Name == "WdfObjectGetTypedContextWorker" || strings.HasPrefix(e.Name, "Wdf") && strings.Contains(e.Name, "Get") || e.Name == "WdfVersionBind" {
			continue // how a driver looks things up is its own affair
		}
		name := e.Name
		if e.Kind == "start" || e.Kind == "end" {
			name = ""
		}
		list = append(list, address.ReplaceAllString(fmt.Sprintf("P%d %d %s %s %s %s", e.CPU, e.IRQL, e.Kind, name, e.Text, e.ValueText), "*"))
	}
	return list
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares the findings of a run with a file.
func golden(t *testing.T, name string, r *dirql.Report) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteFindings(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; make it with go test ./drivers/edu -update", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the findings differ from %s (-want +got); if that is right, run go test ./drivers/edu -update\n%s", name, diff)
	}
}

// Each deliberate mistake gives the bug check that Windows would show.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		file   string
		code   uint32
		params map[int]uint64 // by number, 1 to 4
		rule   string
	}{
		{"pageable-dpc", 0xD1, map[int]uint64{2: 2, 3: 8}, ""},
		{"paged-pool-dpc", 0xD1, map[int]uint64{2: 2, 3: 0}, ""},
		{"wait-dpc", 0xC4, map[int]uint64{1: 0x121}, ""},
		{"invalid-interrupt", 0x10D, map[int]uint64{1: 5, 3: 0x1027}, ""},
		{"complete-twice", 0x10D, map[int]uint64{1: 5, 3: 0x1008}, "DoubleCompletion"},
		{"freed-pool-dpc", 0xD5, nil, "use after free"},
		{"isr-irql", 0xC4, map[int]uint64{1: 0x111, 3: 5, 4: 15}, ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			r := run(t, binary(t, edu.Scenario(), "testdata/"+c.file+".sys"), dirql.Options{})
			if len(r.Findings) == 0 {
				t.Fatal("nothing was found")
			}
			f := r.Findings[len(r.Findings)-1]
			if f.Code != c.code || f.Rule != c.rule {
				t.Errorf("got %s, rule %q", f.Title, f.Rule)
			}
			for n, want := range c.params {
				if f.Params[n-1] != want {
					t.Errorf("parameter %d is 0x%X, not 0x%X", n, f.Params[n-1], want)
				}
			}
			// The ISR of isr-irql has returned when the kernel finds out.
			golden(t, "testdata/findings/"+c.file+".txt", r)
			if c.file != "isr-irql" && !strings.Contains(strings.Join(f.Stack, "\n"), c.file+"!EduEvtInterrupt") {
				t.Errorf("the stack does not name the driver's routine: %q", f.Stack)
			}
		})
	}
}
