package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// unloaded is the memory of a driver that is gone.
type unloaded struct {
	name     string
	from, to uint64
}

// GoDriver is the range in which the routines of drivers in Go have their
// addresses, for UnloadDriver.
func GoDriver() (from, to uint64) { return trapBase, trapBase + trapMask + 0x10 }

// UnloadDriver marks the image of a driver as gone. What still refers to it stops
// the run when it is used: bug check 0xCE. Driver Verifier looks at once: a timer,
// a DPC object or the routine of a queued DPC in the image is 0xC7 (DPC-26). Under
// both profiles a service routine that is still connected is a finding.
func (t *Thread) UnloadDriver(name string, from, to uint64) {
	m := t.m
	if m.cfg.Profile.DriverVerifier {
		t.checkNotInUse(from, to, "a driver is unloaded", false)
		t.checkNoRoutineIn(from, to)
	}
	t.checkResourcesIn(from, to, "a driver is unloaded")
	if n := m.resolution.requests; n > 0 {
		t.Report(Finding{Rule: "timer resolution", Clause: "ExSetTimerResolution", Text: fmt.Sprintf(
			"driver %s is unloaded and has not taken back %d of its calls of ExSetTimerResolution: the clock ticks every %d us for ever",
			name, n, m.tickPeriod()/1000)})
	}
	for i := range m.interrupts {
		if in := &m.interrupts[i]; in.connected && in.ServiceRoutine >= from && in.ServiceRoutine < to {
			if f := m.code.find(in.ServiceRoutine); f == nil || !f.internal {
				t.Report(Finding{Rule: "interrupt connected at unload", Clause: "INT-1", Text: fmt.Sprintf(
					"driver %s is unloaded, but %s is still connected", name, in.Name)})
			}
		}
	}
	m.gone = append(m.gone, unloaded{name, from, to})
	if m.Trace.On() {
		m.Record(-1, trace.Event{Kind: trace.Note, Name: name, Text: "driver unloaded"})
	}
}

// checkNoRoutineIn stops an unload with a DPC queued whose routine is in the image.
func (t *Thread) checkNoRoutineIn(from, to uint64) {
	for i := range t.m.procs {
		for _, q := range t.m.procs[i].queues() {
			for _, e := range *q {
				routine, _ := t.m.Mem.Load(e.dpc+dpcRoutine, 8)
				if f := t.m.code.find(routine); routine >= from && routine < to && (f == nil || !f.internal) {
					t.BugCheck(0xC7, [4]uint64{2, routine, from, to}, "DPC-26", fmt.Sprintf(
						"a driver is unloaded, but the DPC object at 0x%X with its routine %s is queued", e.dpc, t.m.NameOf(routine)))
				}
			}
		}
	}
}

// checkGone stops a use of code or data that was in the image of a driver that is
// gone: 0xD4 if the kernel touches it at raised IRQL, else 0xCE.
func (t *Thread) checkGone(addr uint64, write, kernel bool) {
	for _, g := range t.m.gone {
		if addr < g.from || addr >= g.to {
			continue
		}
		text := fmt.Sprintf("%s is used, but driver %s was unloaded", t.m.NameOf(addr), g.name)
		if irql := t.IRQL(); kernel && irql >= DispatchLevel {
			t.BugCheck(0xD4, [4]uint64{addr, uint64(irql), b2u(write)}, "DPC-26", text)
		}
		t.BugCheck(0xCE, [4]uint64{addr, b2u(write), t.guestIP}, "DPC-26", text)
	}
}
