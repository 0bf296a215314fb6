package kernel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/trace"
)

// Finding is something that the driver did wrong. A finding with a Code is a
// bug check and ends the run.
type Finding struct {
	Code        uint32    // bug check code, 0: none
	Params      [4]uint64 // parameters 1 to 4
	Rule        string    // short name: "use after free", "KmdfIrql", "self-deadlock"
	Clause      string    // clause of docs/spec, or rule
	Text        string    // what happened, one line
	Unsupported bool      // not the driver's fault: dirql does not implement it
	Break       bool      // the framework's verifier would break here
	// About, if set, is what the mistake is about, such as a block that was freed: all
	// findings about it come from one mistake. The same in every run.
	About string

	Time       uint64
	CPU        int
	IRQL       uint8
	Activation uint32
	PC         uint64   // an address in the instruction of guest code; 0: none
	Site       string   // the routine and the call that it happened in
	Stack      []string // activations and routines, innermost first; with a trace only
}

// Identity tells mistakes apart: findings with the same identity come from the
// same mistake, whatever the schedule.
func (f *Finding) Identity() string {
	if f.About != "" {
		return f.About
	}
	s := f.Rule + "|" + f.Clause + "|" + f.Site
	if f.Code == 0 {
		return s
	}
	s = fmt.Sprintf("%X|", f.Code) + s
	if f.Code == 0xC4 || f.Code == 0x10D || f.Code == 0x133 || f.Code == 0xC9 { // parameter 1 says what it is about
		s = fmt.Sprintf("%X|", f.Params[0]) + s
	}
	return s
}

// Variant tells findings with one identity apart, for people: by what was
// noticed, and in which routine of the driver.
func (f *Finding) Variant() string {
	s := f.Rule
	switch {
	case f.Code != 0:
		s = strings.TrimSpace(fmt.Sprintf("bug check 0x%X %s", f.Code, f.Rule))
	case f.Break:
		s = "verifier break " + f.Rule
	}
	if f.Site != "" {
		s += " in " + f.Site
	}
	return s
}

// Title returns the headline of a finding.
func (f *Finding) Title() string {
	switch {
	case f.Unsupported:
		return "not supported yet: " + f.Text
	case f.Code != 0:
		var p []string
		for _, v := range f.Params {
			p = append(p, fmt.Sprintf("0x%X", v))
		}
		return fmt.Sprintf("bug check 0x%X %s (%s)", f.Code, BugCheckName(f.Code), strings.Join(p, ", "))
	case f.Break:
		return "verifier break: " + f.Rule
	}
	return f.Rule
}

// BugCheckName returns the symbolic name of a bug check.
func BugCheckName(code uint32) string {
	if n := ddi.BugCheckName(code); n != "" {
		return n
	}
	return "UNKNOWN"
}

// BugCheck ends the run with a bug check. It does not return.
func (t *Thread) BugCheck(code uint32, params [4]uint64, clause, text string) {
	t.stop(Finding{Code: code, Params: params, Clause: clause, Text: text})
}

// Unsupported ends the run because the driver needs something that dirql does
// not implement. It does not return.
func (t *Thread) Unsupported(what string) {
	t.stop(Finding{Unsupported: true, Rule: "unsupported", Text: what})
}

// Report records a finding; the run goes on. At a verifier break it ends if the
// profile says so (VER-6).
func (t *Thread) Report(f Finding) {
	if f.Break && t.m.cfg.Profile.StopAtBreaks {
		t.breakpoint(f)
	}
	t.addFinding(f)
}

// reportOnce is Report for something that can happen again and again.
func (t *Thread) reportOnce(f Finding) {
	if !slices.ContainsFunc(t.m.findings, func(o Finding) bool { return o.Rule == f.Rule && o.Text == f.Text }) {
		t.Report(f)
	}
}

// breakpoint ends the run with what the breakpoint exception of a verifier break
// is on a system without a debugger: 0x7E in a system thread at PASSIVE_LEVEL,
// else 0x1E.
func (t *Thread) breakpoint(f Finding) {
	const statusBreakpoint = 0x80000003
	f.Code, f.Params = 0x1E, [4]uint64{statusBreakpoint, t.Caller()}
	if kind, _ := t.Activation(); t.IRQL() == PassiveLevel && (kind == WorkItemActivation || kind == ThreadActivation && !t.user) {
		f.Code = 0x7E
	}
	t.stop(f)
}

// Stop records a finding and ends the run. It does not return.
func (t *Thread) Stop(f Finding) { t.stop(f) }

// ReportRunning is Report for whatever thread runs now: for a bus.
func (m *Machine) ReportRunning(f Finding) {
	if !m.ended {
		m.running().Report(f)
	}
}

// stop records a finding and ends the run: the coroutine is unwound.
func (t *Thread) stop(f Finding) {
	t.addFinding(f)
	t.m.end(Stopped)
	panic(unwound{})
}

func (t *Thread) addFinding(f Finding) {
	if f.Code != 0x10D || f.Params[0] != 4 && f.Params[0] != 5 { // NULL pointer, invalid handle
		t.checkCall()
	}
	t.m.TouchEverything()
	f.Time, f.CPU, f.IRQL = t.m.now, t.cpu, t.IRQL()
	f.Activation = t.ActivationID()
	f.Site = t.site()
	if t.m.where != nil {
		f.PC = t.m.where(t)
	}
	if t.m.Trace.On() {
		f.Stack = t.stackText()
		t.m.Record(t.cpu, trace.Event{Kind: trace.Finding, Name: f.Title(), Text: f.Text})
	}
	t.m.findings = append(t.m.findings, f)
}

// site names the innermost routine of the driver and what it has called.
func (t *Thread) site() string {
	var service string
	for i := len(t.stack) - 1; i >= 0 && t.stack[i].kind != routineFrame; i-- {
		if f := &t.stack[i]; f.kind == serviceFrame {
			service = " in " + services[f.code].Name
		}
	}
	return t.Routine() + service
}

// Routine names the innermost routine of the driver that runs, "" for none.
func (t *Thread) Routine() string {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if f := &t.stack[i]; f.kind == routineFrame {
			return t.m.NameOf(f.code)
		}
	}
	return ""
}
