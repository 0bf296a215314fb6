package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a text with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with go test ./internal/report -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; if that is right, run go test ./internal/report -update\n%s", path, got)
	}
}

func timeline(t *testing.T, log *trace.Log, opt report.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Timeline(&b, log, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTimelines(t *testing.T) {
	for _, test := range []struct {
		name string
		log  *trace.Log
		opt  report.Options
	}{
		{"one", forumQuestion(), report.Options{Title: "What if my ISR interrupts the DPC and queues it again?"}},
		{"one-verbose", forumQuestion(), report.Options{Verbose: true}},
		{"one-unicode", forumQuestion(), report.Options{Unicode: true}},
		{"one-narrow", forumQuestion(), report.Options{Width: 50}},
		{"two", overlap(), report.Options{Title: "Two processors"}},
		{"two-verbose", overlap(), report.Options{Verbose: true}},
		{"two-first", overlap(), report.Options{Processors: []int{0}}},
		{"four", fourProcessors(), report.Options{}},
		{"four-three", fourProcessors(), report.Options{Processors: []int{3, 0, 1}}},
		{"two-narrow", overlap(), report.Options{Width: 80}},
		{"finding", waitInDPC(), report.Options{}},
		{"poll", poll(), report.Options{}},
		{"odd", odd(), report.Options{}},
		{"empty", nil, report.Options{Title: "Nothing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			golden(t, test.name+".txt", timeline(t, test.log, test.opt))
		})
	}
}

// A recursion deeper than the timeline follows is unwound all the same.
func TestDeepRecursion(t *testing.T) {
	s := &script{}
	s.on(0, 0, 0).event(trace.Switch, "app", "").start(1, "thread", "app")
	for range 400 {
		s.call("KeCall", "()").start(1, "", "callback")
	}
	for range 400 {
		s.end("", "callback", 1).ret("KeCall")
	}
	text := timeline(t, &s.end("thread", "app", 0).log, report.Options{Verbose: true})
	if !bytes.HasSuffix(text, []byte("  '- app returns\n")) {
		t.Errorf("%s", text[max(len(text)-2000, 0):])
	}
}

// Rows that repeat are counted only where that is shorter, and only in the
// default view.
func TestRepeats(t *testing.T) {
	for _, test := range []struct {
		period, times int
		want          string
	}{
		{1, 7, "the row above comes 6 times more\n"},
		{3, 3, "the 3 rows above come 2 times more\n"},
		{6, 2, "the 6 rows above come once more\n"},
		{1, 6, ""},
		{17, 9, ""},
	} {
		s := &script{}
		s.on(0, 0, 0)
		for range test.times {
			for i := range test.period {
				s.event(trace.Note, "", strings.Repeat("x", i+1))
			}
		}
		rows := test.period * test.times
		quiet, verbose := timeline(t, &s.log, report.Options{}), timeline(t, &s.log, report.Options{Verbose: true})
		if n := bytes.Count(verbose, []byte("\n")) - 2; n != rows {
			t.Errorf("%d times %d: %d rows in the verbose view", test.times, test.period, n)
		}
		if !bytes.HasSuffix(quiet, []byte(test.want)) || (test.want == "") != bytes.Equal(quiet, verbose) {
			t.Errorf("%d times %d:\n%s", test.times, test.period, quiet)
		}
	}
}

func waitFinding() report.Finding {
	return report.Finding{
		Title: "bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x121, 0x2, 0xFFFFE00000002FE0, 0x0)",
		Text: "a wait at DISPATCH_LEVEL: no thread can be switched at DISPATCH_LEVEL or above; " +
			"a timeout of NULL waits for ever",
		Clause: "IRQL-9", CPU: 0, IRQL: 2, Time: 1000,
		Stack: []string{"in KeWaitForSingleObject", "in edu.dpc, called at DISPATCH_LEVEL", "#2 DPC on top of", "in DPC queue"},
		BugCheck: &report.BugCheck{Code: 0xC4, Name: "DRIVER_VERIFIER_DETECTED_VIOLATION", Args: []report.Argument{
			{Value: "121", Meaning: "a wait at DISPATCH_LEVEL with a timeout of NULL"},
			{Value: "2", Meaning: "IRQL", Text: "DISPATCH_LEVEL"},
			{Value: "FFFFE00000002FE0", Meaning: "object waited for"},
			{Value: "0", Meaning: "timeout", Text: "NULL, for ever"},
		}},
		Explain: "C4 121",
	}
}

func leakFinding() report.Finding {
	return report.Finding{Title: "lost work", Text: "a request was never completed", Rule: "lost work", CPU: -1, Time: 15_625_000}
}

func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name     string
		findings []report.Finding
	}{
		{"findings-none", nil},
		{"findings-one", []report.Finding{waitFinding()}},
		{"findings-two", []report.Finding{waitFinding(), leakFinding()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			golden(t, test.name+".txt", findings(t, test.findings))
		})
	}
}

func findings(t *testing.T, all []report.Finding) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Findings(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
