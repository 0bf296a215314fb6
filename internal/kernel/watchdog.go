package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// watchdogs counts a tick at DISPATCH_LEVEL or above (WD-1, WD-2).
func (m *Machine) watchdogs(p *processor, t *Thread) {
	tun := &m.cfg.Tunables
	p.raisedTicks++
	for i := range t.stack {
		if f := &t.stack[i]; f.watched() {
			if f.ticks++; f.ticks > tun.DpcWatchdogTicks {
				t.addFinding(Finding{Code: 0x133, Params: [4]uint64{0, f.ticks, tun.DpcWatchdogTicks}, Clause: "WD-1",
					Text: fmt.Sprintf("one %s has run for %d clock ticks%s", f.kind, f.ticks, t.pollsText())})
				m.end(Stopped)
				return
			}
		}
	}
	if p.raisedTicks >= tun.TotalWatchdogTicks {
		t.addFinding(Finding{Code: 0x133, Params: [4]uint64{1, tun.TotalWatchdogTicks}, Clause: "WD-2",
			Text: fmt.Sprintf("processor %d has been at DISPATCH_LEVEL or above for %d clock ticks%s", p.id, p.raisedTicks, t.pollsText())})
		m.end(Stopped)
	}
}

// watched reports whether a frame is a DPC or an ISR, for the watchdog of one
// routine. A threaded DPC at PASSIVE_LEVEL is not watched.
func (f *frame) watched() bool {
	return (f.kind == DPCActivation || f.kind == ISRActivation) && f.irql >= DispatchLevel
}

// takesClock reports whether a processor can take the clock interrupt.
func (p *processor) takesClock() bool { return p.irql < ClockLevel && !p.masked }

// missTick counts a clock tick that a processor cannot take. The others notice
// (WD-5): bug check 0x101. Without another one nobody does, and the system hangs.
func (m *Machine) missTick(p *processor) {
	limit := m.cfg.Tunables.ClockWatchdogTicks
	if p.missedTicks++; p.missedTicks < limit {
		return
	}
	text := fmt.Sprintf("processor %d has been at %s for %d clock ticks and takes no clock interrupts", p.id,
		trace.LevelName(p.irql)+map[bool]string{true: " with interrupts disabled"}[p.masked], p.missedTicks)
	f := Finding{Rule: "hang", Clause: "WD-5", Text: text + ", and no other processor is there to notice"}
	for i := range m.procs {
		if m.procs[i].takesClock() {
			f = Finding{Code: 0x101, Params: [4]uint64{limit, 0, prcbAddress(p.id), uint64(p.id)}, Clause: "WD-5", Text: text}
		}
	}
	m.threads[p.current].addFinding(f)
	m.end(Stopped)
}

var svcKeQueryDpcWatchdogInformation = NewService("KeQueryDpcWatchdogInformation")

// DPCWatchdogInformation is KDPC_WATCHDOG_INFORMATION, in clock ticks: the limit
// for one DPC and what is left of it, the limit in total and what is left.
type DPCWatchdogInformation struct {
	DpcTimeLimit, DpcTimeCount, DpcWatchdogLimit, DpcWatchdogCount uint32
}

// KeQueryDpcWatchdogInformation tells how much time is left. STATUS_UNSUCCESSFUL
// below DISPATCH_LEVEL outside a DPC (WD-3). Any IRQL.
func (t *Thread) KeQueryDpcWatchdogInformation() (info DPCWatchdogInformation, s NTSTATUS) {
	t.Enter(svcKeQueryDpcWatchdogInformation)
	t.point(op{})
	kind, _ := t.Activation()
	if kind != DPCActivation && t.IRQL() < DispatchLevel {
		return info, t.LeaveStatus(StatusUnsuccessful)
	}
	tun := &t.m.cfg.Tunables
	info = DPCWatchdogInformation{
		DpcTimeLimit: uint32(tun.DpcWatchdogTicks), DpcTimeCount: uint32(tun.DpcWatchdogTicks),
		DpcWatchdogLimit: uint32(tun.TotalWatchdogTicks), DpcWatchdogCount: uint32(tun.TotalWatchdogTicks - t.proc().raisedTicks),
	}
	if f := t.currentActivation(); f != nil && f.watched() {
		info.DpcTimeCount -= uint32(f.ticks)
	}
	return info, t.LeaveStatus(StatusSuccess)
}
