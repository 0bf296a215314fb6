package dirql_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
	"github.com/dirql/dirql/wdf"
)

func traceOf(t *testing.T, r *dirql.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteTrace(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every schedule of the example scenario in which the device may act at any
// time ends well, and a schedule can be shown again, the same each time.
func TestSearchAndReplay(t *testing.T) {
	s := edu.Scenario()
	s.Device.Free = true
	found, err := s.Search(dirql.Options{}, dirql.SearchLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if !found.Complete || len(found.Outcomes) != 1 || found.Outcomes[0].Text != "" {
		t.Errorf("complete: %v (%s), outcomes %v", found.Complete, found.Why, found.Outcomes)
	}
	if found.Runs < 2 {
		t.Errorf("%d schedules: the device was not free", found.Runs)
	}
	var traces []string
	for range 2 {
		r, err := s.Replay(dirql.Options{}, found.Outcomes[0].Schedule)
		if err != nil {
			t.Fatal(err)
		}
		traces = append(traces, traceOf(t, r))
	}
	if traces[0] != traces[1] || !strings.Contains(traces[0], "WdfInterruptQueueDpcForIsr") {
		t.Error("two replays of a schedule differ, or show nothing")
	}
	if _, err := s.Replay(dirql.Options{}, dirql.Schedule{99}); err == nil {
		t.Error("a schedule that does not fit was replayed")
	}
}

// A bound on runs is said in the report.
func TestSearchBound(t *testing.T) {
	s := edu.Busy()
	found, err := s.Search(dirql.Options{}, dirql.SearchLimits{Runs: 20})
	if err != nil {
		t.Fatal(err)
	}
	if found.Complete || found.Why == "" || found.Runs != 20 {
		t.Errorf("complete %v (%q) after %d runs", found.Complete, found.Why, found.Runs)
	}
}

// A driver that refuses to start, an application whose expectation fails, and a
// request that nobody completes are findings of the run.
func TestFindingsOfARun(t *testing.T) {
	refuses := edu.Scenario()
	refuses.Driver.Entry = func(s *wdf.Sys) wdf.NTSTATUS { return wdf.StatusInsufficientResources }
	disappointed := edu.Scenario()
	disappointed.Phases[0].Applications[0].Run = func(a *dirql.App) { a.Errorf("it is not as it should be") }
	for _, c := range []struct {
		s    *dirql.Scenario
		rule string
	}{{refuses, "start failed"}, {disappointed, "wrong result"}} {
		r, err := c.s.Run(dirql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || r.Findings[0].Rule != c.rule {
			t.Errorf("want %q, got %v", c.rule, r.Findings)
		}
	}
}

// The number of processors is checked.
func TestProcessors(t *testing.T) {
	for _, n := range []int{-1, 65} {
		if _, err := edu.Scenario().Run(dirql.Options{Processors: n}); err == nil {
			t.Errorf("%d processors were accepted", n)
		}
	}
}
