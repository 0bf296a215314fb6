package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
)

// A power transition that does not end is a bug check after ten minutes: of the
// power manager, because the IRP of an explicit transition is not completed (0x9F/3)
// or because an implicit one keeps the lock of the PnP manager (0x9F/4); of the
// framework itself while a device that is not power-pageable is in one of its state
// functions (0x10D/1, WD-6).

// watchKind says who watches, and over what.
type watchKind uint8

const (
	watchNothing  watchKind = iota
	watchExplicit           // a power IRP
	watchImplicit           // the start or the removal of a device
	watchState              // a state function of the framework
)

// powerIRP is where the power IRP would lie in memory, for reports.
const powerIRP = irpBase - 1<<9

// watch is the watchdog of a device.
type watch struct {
	kind   watchKind
	ticket int32
	thread int32
}

// watchPower starts the watchdog of a device over a transition from or to a state
// and returns a function that ends it.
func (s *Sys) watchPower(dev id, other PowerState) (end func()) {
	kind := watchExplicit
	if other == PowerDeviceD3Final {
		kind = watchImplicit
	}
	before := s.setWatch(dev, kind)
	return func() { s.setWatch(dev, before) }
}

// watchStates is watchPower for what happens in state functions of the framework,
// in non-pageable states.
func (s *Sys) watchStates(dev id) (end func()) {
	if !s.device(dev).notPowerPageable {
		return func() {}
	}
	before := s.setWatch(dev, watchState)
	return func() { s.setWatch(dev, before) }
}

// setWatch starts a watchdog anew, or with watchNothing ends it, and returns the
// kind that there was.
func (s *Sys) setWatch(dev id, k watchKind) (before watchKind) {
	m := s.f.m
	w := &s.device(dev).watch
	if before = w.kind; before != watchNothing {
		m.CancelLater(int(w.ticket))
	}
	*w = watch{}
	if k != watchNothing {
		*w = watch{k, int32(m.WorkLater(m.Tunables().PowerWatchdogTime, uint64(dev.handle()), "power watchdog", s.f.thunks.watchdog,
			kernel.Args{uint64(dev)})), s.self()}
	}
	return before
}

// watchdogWork is the routine of the work item in which a watchdog barks: (number of
// the device object).
func (s *Sys) watchdogWork(a kernel.Args) uint64 {
	dev := id(a[0])
	d := s.device(dev)
	w := d.watch
	if w.kind == watchNothing {
		return 0 // the transition ended while this was on its way
	}
	if d.functional == 0 {
		s.makeDeviceObjects(d)
	}
	seconds := s.f.m.Tunables().PowerWatchdogTime / 1_000_000_000
	why := fmt.Sprintf("a power transition of %s has not ended after %d seconds", s.f.m.NameOf(uint64(dev.handle())), seconds)
	for _, l := range s.f.m.Waiters() {
		why += "; " + l
	}
	rule := ""
	if s.unansweredStop(dev) {
		rule = "DrvAckIoStop"
	}
	switch w.kind {
	case watchExplicit:
		s.Stop(kernel.Finding{Code: 0x9F, Params: [4]uint64{3, d.physical, 0, powerIRP}, Rule: rule, Clause: "IOQ-12", Text: why})
	case watchImplicit:
		s.Stop(kernel.Finding{Code: 0x9F, Params: [4]uint64{4, seconds, uint64(w.thread - 1)}, Rule: rule, Clause: "IOQ-12", Text: why})
	}
	// WDF_POWER_ROUTINE_TIMED_OUT_DATA
	data := s.f.m.Mem.Alloc(32, kernel.PoolTag("FxPw"), false, s.ActivationID())
	s.f.m.Mem.Store(data+8, 8, d.functional)
	s.f.m.Mem.Store(data+16, 8, uint64(dev.handle()))
	s.f.m.Mem.Store(data+24, 8, uint64(w.thread-1))
	s.BugCheck(0x10D, [4]uint64{1, data}, "WD-6", why)
	return 0
}

// unansweredStop reports whether the driver has been told by EvtIoStop of a request
// for which it has not answered.
func (s *Sys) unansweredStop(dev id) bool {
	for r := range s.f.requests {
		if row := &s.f.requests[r]; row.device == dev && row.stopTold && !row.completed && row.answer == notAnswered {
			return true
		}
	}
	return false
}
