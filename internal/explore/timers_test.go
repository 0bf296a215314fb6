package explore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
)

// Timers expire when they are due, or, as a fault, within what Windows allows:
// a tick late, a tick early where the time is relative, a wait of a thread never
// early (DPC-31).
func TestDPC31TimersWithinTheirTolerance(t *testing.T) {
	const ms = 1_000_000
	timer := func(due kernel.Timeout) func(*kernel.Thread, uint64, uint64) {
		return func(t *kernel.Thread, timer, dpc uint64) { t.SetTimer(timer, due, 0, dpc) }
	}
	at := func(n int64) kernel.Timeout { return kernel.Timeout{Limited: true, Ticks: n * ms / 100} }
	slack := kernel.After(5 * ms)
	slack.Tolerance = 200 * ms
	for _, c := range []struct {
		name  string
		a, b  func(t *kernel.Thread, timer, dpc uint64)
		exact string
		loose string
	}{
		{"relative", timer(kernel.After(10 * ms)), timer(kernel.After(11 * ms)), "ab", "ab ba"},
		{"relative, at the edge", timer(kernel.After(10 * ms)), timer(kernel.After(41 * ms)), "ab", "ab ba"},
		{"relative, far apart", timer(kernel.After(10 * ms)), timer(kernel.After(42 * ms)), "ab", "ab"},
		{"absolute", timer(at(30)), timer(at(45)), "ab", "ab ba"},
		{"absolute, far apart", timer(at(30)), timer(at(46)), "ab", "ab"},
		{"tolerable delay", timer(slack), timer(kernel.After(150 * ms)), "ab", "ab ba"},
		{"due already", timer(kernel.After(0)), timer(kernel.After(15 * ms)), "ab", "ab"},
	} {
		for _, loose := range []bool{false, true} {
			want := c.exact
			if loose {
				want = c.loose
			}
			if got := expiries(t, loose, c.a, c.b); got != want {
				t.Errorf("%s, with faults %v: %s, want %s", c.name, loose, got, want)
			}
		}
	}
}

// expiries lists the orders in which the DPCs of two timers can run.
func expiries(t *testing.T, loose bool, set ...func(t *kernel.Thread, timer, dpc uint64)) string {
	m, err := kernel.New(kernel.Config{Processors: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var timers, dpcs [2]uint64
	order := ""
	for i := range set {
		timers[i], dpcs[i] = m.Mem.Alloc(64, 0, false, 0), m.Mem.Alloc(kernel.DPCSize, 0, false, 0)
	}
	body := m.Function("set", func(t *kernel.Thread, _ kernel.Args) uint64 {
		for i := range set {
			t.KeInitializeTimerEx(timers[i], false)
			t.KeInitializeDpc(dpcs[i], m.Function(fmt.Sprint("dpc ", i), func(*kernel.Thread, kernel.Args) uint64 {
				order += string(rune('a' + i))
				return 0
			}), 0)
			set[i](t, timers[i], dpcs[i])
		}
		t.KeWaitForSingleObject(timers[0], kernel.Forever)
		t.KeWaitForSingleObject(timers[1], kernel.Forever)
		return 0
	})
	start, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	rep := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		m.Restore(start)
		m.Use(source, nil)
		m.SetFaults(kernel.Faults{Timers: loose})
		order = ""
		m.NewThread(kernel.ThreadParams{Name: "t", Routine: body, Foreground: true})
		if reason := m.Run(); reason != kernel.Done {
			t.Fatal(reason)
		}
		return explore.Result{Outcome: order}
	}, explore.Limits{Runs: 10_000})
	if !rep.Complete {
		t.Error(rep.Why)
	}
	var keys []string
	for _, o := range rep.Outcomes {
		keys = append(keys, o.Key)
	}
	return strings.Join(keys, " ")
}

// A wait of a thread is never over early.
func TestDPC31DelaysAreNeverEarly(t *testing.T) {
	const ms = 1_000_000
	first := map[bool]bool{}
	m, err := kernel.New(kernel.Config{Processors: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var early bool
	body := m.Function("delay", func(t *kernel.Thread, _ kernel.Args) uint64 {
		before := t.KeQueryInterruptTime()
		t.KeDelayExecutionThread(kernel.After(20 * ms))
		early = t.KeQueryInterruptTime()-before < 20*ms/100
		return 0
	})
	start, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	rep := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		m.Restore(start)
		m.Use(source, nil)
		m.SetFaults(kernel.Faults{Timers: true})
		m.NewThread(kernel.ThreadParams{Name: "t", Routine: body, Foreground: true})
		m.Run()
		first[early] = true
		return explore.Result{Outcome: fmt.Sprint(early)}
	}, explore.Limits{Runs: 1000})
	if !rep.Complete || first[true] || !first[false] {
		t.Errorf("complete %v, early: %v", rep.Complete, first)
	}
}
