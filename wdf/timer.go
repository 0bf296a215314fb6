package wdf

import (
	"math"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Accepted sizes of WDF_TIMER_CONFIG in bytes (OBJ-6).
const (
	TimerConfigSize   = 40 // 1.13 and later
	timerConfigSize11 = 32 // without UseHighResolutionTimer
	timerConfigSize7  = 24 // without TolerableDelay
)

// TimerConfig is WDF_TIMER_CONFIG.
type TimerConfig struct {
	Size                   uint32
	EvtTimerFunc           Callback
	Period                 uint32 // milliseconds; 0: once
	AutomaticSerialization bool
	TolerableDelay         uint32 // milliseconds
	UseHighResolutionTimer bool
}

// TimerConfigInit is WDF_TIMER_CONFIG_INIT: automatic serialization is on.
func TimerConfigInit(fn Callback) TimerConfig {
	return TimerConfig{Size: TimerConfigSize, EvtTimerFunc: fn, AutomaticSerialization: true}
}

// TimerConfigInitPeriodic is WDF_TIMER_CONFIG_INIT_PERIODIC; period is in
// milliseconds.
func TimerConfigInitPeriodic(fn Callback, period uint32) TimerConfig {
	c := TimerConfigInit(fn)
	c.Period = period
	return c
}

// timer is a WDFTIMER. Threads are numbers + 1, 0: none.
type timer struct {
	object   id
	parent   id // 0 after its disposal
	serial   id // whose callback lock is held around the callback; 0: none
	callback Callback
	ktimer   uint64
	kdpc     uint64
	period   uint32
	delay    uint32 // tolerable, in milliseconds
	passive  bool   // the callback runs in a work item

	runningDown    bool  // its disposal has begun
	stopAgain      bool  // it was started while a Stop waited
	startAborted   bool  // a Start was ignored while a Stop waited
	stopThread     int32 // that waits in WdfTimerStop
	callbackThread int32 // that runs the callback: the last one that began
	workQueued     bool  // the work item is enqueued and not started
	workRunning    int16
}

var (
	svcWdfTimerCreate          = kernel.NewService("WdfTimerCreate")
	svcWdfTimerStart           = kernel.NewService("WdfTimerStart")
	svcWdfTimerStop            = kernel.NewLenientService("WdfTimerStop")
	svcWdfTimerGetParentObject = kernel.NewService("WdfTimerGetParentObject")
)

// WdfTimerCreate makes a timer. Its callback runs at DISPATCH_LEVEL, or at
// PASSIVE_LEVEL if the attributes say ExecutionLevelPassive (OBJ-6, OBJ-7).
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfTimerCreate(c *TimerConfig, a *ObjectAttributes) (WDFTIMER, NTSTATUS) {
	s.Enter(svcWdfTimerCreate)
	parent, st := s.requiredParent(a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.requirePointer(c != nil, "Config")
	s.Step()
	if st = c.check(); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	passive := a.ExecutionLevel == ExecutionLevelPassive
	if st = checkAttributes(a, true); !st.Failed() && c.Period > 0 && passive {
		st = StatusNotSupported
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	serial, st := s.checkCreate(parent, a, true, c.AutomaticSerialization, passive)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return s.addTimer(timer{parent: parent, serial: serial, callback: c.EvtTimerFunc, period: c.Period, delay: c.TolerableDelay, passive: passive}, a).handle(),
		s.LeaveStatus(StatusSuccess)
}

// check does the checks of OBJ-6. That TolerableDelay is limited for clients
// before 1.13 is told by the size of their structure.
func (c *TimerConfig) check() NTSTATUS {
	switch {
	case c.Size != TimerConfigSize && c.Size != timerConfigSize11 && c.Size != timerConfigSize7:
		return StatusInfoLengthMismatch
	case c.Period > math.MaxInt32,
		c.Size == timerConfigSize11 && c.TolerableDelay > math.MaxInt32,
		c.Size == TimerConfigSize && c.TolerableDelay > 0 && c.UseHighResolutionTimer:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// addTimer makes the object with its KTIMER and KDPC.
func (s *Sys) addTimer(t timer, a *ObjectAttributes) id {
	f := s.f
	t.ktimer = f.m.Mem.Alloc(kernel.TimerSize, kernel.PoolTag("FxTi"), false, s.ActivationID())
	t.kdpc = f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxTi"), false, s.ActivationID())
	f.timers = append(f.timers, t)
	n := len(f.timers) - 1
	i := s.create(TypeTimer, t.parent, n, a, "")
	f.timers[n].object = i
	s.InitializeTimer(t.ktimer, false)
	s.InitializeDPC(t.kdpc, f.thunks.timer, uint64(n))
	f.m.SetName(t.ktimer, f.m.NameOf(uint64(i.handle())))
	f.m.SetName(t.kdpc, f.m.NameOf(uint64(i.handle()))+" DPC")
	return i
}

// timerThunk is the routine of the KDPC: (KDPC, number of the row, ...). The
// expiries of a passive timer become one while its work item is enqueued.
func (s *Sys) timerThunk(a kernel.Args) uint64 {
	t := &s.f.timers[a[1]]
	switch {
	case !t.passive:
		s.timerHandler(a[1])
	case !t.workQueued:
		t.workQueued = true
		s.f.m.QueueWork(uint64(t.object.handle()), "timer work item", s.f.thunks.timerWork, kernel.Args{a[1]})
	}
	return 0
}

// timerWorkThunk is the routine of the work item: (number of the row).
func (s *Sys) timerWorkThunk(a kernel.Args) uint64 {
	t := &s.f.timers[a[0]]
	t.workQueued = false
	t.workRunning++
	s.timerHandler(a[0])
	t = &s.f.timers[a[0]]
	if t.workRunning--; t.workRunning == 0 && !t.workQueued {
		s.f.idle(t.object)
	}
	return 0
}

// timerHandler calls the callback.
func (s *Sys) timerHandler(n uint64) {
	t := s.f.timers[n]
	if t.callback == 0 {
		return
	}
	s.f.timers[n].callbackThread = s.self()
	s.serialized(t.serial, func() { s.call("EvtTimerFunc", t.callback, uint64(t.object.handle())) })
	s.f.timers[n].callbackThread = 0
}

// self returns the number of the thread + 1.
func (s *Sys) self() int32 { return int32(s.ID()) + 1 }

// WdfTimerStart sets the timer; due is in units of 100 ns, negative for a time
// from now. TRUE: it was in the timer queue. During a WdfTimerStop that waits
// the call is ignored (OBJ-8). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfTimerStart(h WDFTIMER, due int64) bool {
	s.Enter(svcWdfTimerStart, uint64(h), uint64(due))
	n := s.row(h, TypeTimer)
	s.Step()
	t := &s.f.timers[n]
	switch {
	case t.runningDown:
		s.verifierBreak("WdfTimerStart on a deleted timer", "OBJ-8", "%s is being deleted: it is not started", s.f.m.NameOf(uint64(h)))
		return s.LeaveBool(false)
	case t.stopThread != 0:
		s.note(trace.Framework, s.f.m.NameOf(uint64(h)), "WdfTimerStart is ignored: WdfTimerStop waits")
		t.startAborted = true
		return s.LeaveBool(false)
	}
	object := t.object
	s.f.objects[object].references++ // the callback may delete it
	was := s.SetTimer(t.ktimer, kernel.Timeout{Limited: true, Ticks: due, Tolerance: uint64(t.delay) * 1_000_000}, t.period, t.kdpc)
	if t = &s.f.timers[n]; t.stopThread != 0 {
		t.stopAgain = true
	}
	s.dereference(object)
	return s.LeaveBool(was)
}

// WdfTimerStop takes the timer out of the timer queue and returns TRUE if it
// was there. With wait it returns when the callback has ended; from the callback
// itself it does nothing then (OBJ-9). IRQL <= DISPATCH_LEVEL; with wait
// PASSIVE_LEVEL.
func (s *Sys) WdfTimerStop(h WDFTIMER, wait bool) bool {
	s.Enter(svcWdfTimerStop, uint64(h), boolValue(wait))
	n := s.row(h, TypeTimer)
	if !wait {
		s.levelReport("WdfTimerStop", "OBJ-9", DispatchLevel)
		return s.LeaveBool(s.CancelTimer(s.f.timers[n].ktimer))
	}
	if s.levelBreak("WdfTimerStop with Wait TRUE", "OBJ-9", PassiveLevel) {
		return s.LeaveBool(false)
	}
	return s.LeaveBool(s.stopTimer(n))
}

// stopTimer is WdfTimerStop with wait.
func (s *Sys) stopTimer(n int32) bool {
	s.Step()
	t := &s.f.timers[n]
	name := s.f.m.NameOf(uint64(t.object.handle()))
	if t.callbackThread == s.self() {
		s.verifierBreak("WdfTimerStop in the timer's callback", "OBJ-9", "WdfTimerStop with Wait TRUE is called in the callback of %s: "+
			"it would wait for itself, and does nothing", name)
		return false
	}
	if t.stopThread != 0 {
		s.verifierBreak("WdfTimerStop twice at a time", "OBJ-9", "another thread waits in WdfTimerStop for %s already", name)
	}
	t.startAborted, t.stopThread = false, s.self()
	for pass := uint64(1); ; pass++ {
		s.f.timers[n].stopAgain = false
		s.SetPosition(pass << 2)
		stopped := s.CancelTimer(s.f.timers[n].ktimer)
		s.SetPosition(pass<<2 | 2 | boolValue(stopped)) // not what it was before
		s.FlushDPCs()
		s.flushTimerWork(n)
		t = &s.f.timers[n]
		if !stopped && t.stopAgain {
			continue // the callback started it again
		}
		stopped = stopped || t.startAborted
		t.stopThread, t.stopAgain, t.startAborted = 0, false, false
		return stopped
	}
}

// flushTimerWork waits until the work item of a passive timer is neither queued
// nor running.
func (s *Sys) flushTimerWork(n int32) {
	s.Step()
	t := &s.f.timers[n]
	s.awaitIdle(t.object, "the work item of a timer", !t.workQueued && t.workRunning == 0)
}

// WdfTimerGetParentObject returns the parent, 0 after the disposal. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfTimerGetParentObject(h WDFTIMER) WDFOBJECT {
	s.Enter(svcWdfTimerGetParentObject, uint64(h))
	p := s.f.timers[s.row(h, TypeTimer)].parent.handle()
	s.Leave(trace.Hex, uint64(p))
	return p
}

// rundownTimer is the disposal of a timer: it is stopped, and its callback has
// ended. In the callback of a passive timer that waits for ever.
func (s *Sys) rundownTimer(n int32) {
	t := &s.f.timers[n]
	t.runningDown = true
	if t.callbackThread == s.self() {
		s.verifierBreak("timer deleted in its callback", "OBJ-9", "%s is deleted in its own callback, and its deletion waits for that to end",
			s.f.m.NameOf(uint64(t.object.handle())))
	}
	s.stopTimer(n)
	s.flushTimerWork(n)
	s.f.timers[n].parent = 0
}
