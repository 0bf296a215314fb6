package kernel

import (
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// KTIMER layout (internal/ddi/data/kmdf-structs.csv).
const (
	timerDueTime   = 24 // 8 bytes, 100 ns units
	timerDPC       = 48 // 8 bytes
	timerProcessor = 56 // 4 bytes
	timerPeriod    = 60 // 4 bytes, milliseconds
)

var (
	svcKeInitializeTimerEx = NewService("KeInitializeTimerEx")
	svcKeSetTimerEx        = NewService("KeSetTimerEx")
	svcKeCancelTimer       = NewService("KeCancelTimer")
)

// KeInitializeTimerEx makes the TimerSize bytes at timer a timer that is not
// set. Any IRQL.
func (t *Thread) KeInitializeTimerEx(timer uint64, synchronization bool) {
	t.Enter(svcKeInitializeTimerEx, timer)
	t.InitializeTimer(timer, synchronization)
	t.LeaveVoid()
}

// InitializeTimer: see KeInitializeTimerEx.
func (t *Thread) InitializeTimer(timer uint64, synchronization bool) {
	for off := uint64(0); off < TimerSize; off += 8 {
		t.kernelStore(timer+off, 8, 0)
	}
	t.kernelStore(timer+headerType, 1, notificationTimer+b2u(synchronization))
}

// KeSetTimerEx sets a timer and returns TRUE if it was set before. dpc may be 0;
// period is in milliseconds, 0 for once. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeSetTimerEx(timer uint64, due Timeout, period uint32, dpc uint64) bool {
	t.Enter(svcKeSetTimerEx, timer, uint64(period), dpc)
	return t.LeaveBool(t.SetTimer(timer, due, period, dpc))
}

// SetTimer: see KeSetTimerEx.
func (t *Thread) SetTimer(timer uint64, due Timeout, period uint32, dpc uint64) bool {
	t.point(op{})
	return t.SetTimerNow(timer, due, period, dpc)
}

// SetTimerNow is SetTimer in the step that the caller is in.
func (t *Thread) SetTimerNow(timer uint64, due Timeout, period uint32, dpc uint64) bool {
	was := t.m.cancelTimer(timer)
	t.Released(timer)
	t.Released(dpc)
	at := max(due.due(t.m.now), t.m.now)
	t.kernelStore(timer+headerState, 4, 0)
	t.kernelStore(timer+timerDueTime, 8, at/100)
	t.kernelStore(timer+timerDPC, 8, dpc)
	t.kernelStore(timer+timerProcessor, 4, uint64(t.cpu))
	t.kernelStore(timer+timerPeriod, 4, uint64(period))
	t.m.schedule(t.m.loosely(due, timedEvent{due: at, kind: timedTimer, id: timer, background: period != 0,
		free: t.m.cfg.FreeTimers && period == 0}))
	return was
}

// KeCancelTimer takes a timer out of the timer queue and returns TRUE if it was
// there. A DPC that it has queued stays queued. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeCancelTimer(timer uint64) bool {
	t.Enter(svcKeCancelTimer, timer)
	return t.LeaveBool(t.CancelTimer(timer))
}

// CancelTimer: see KeCancelTimer.
func (t *Thread) CancelTimer(timer uint64) bool {
	t.point(op{})
	return t.CancelTimerNow(timer)
}

// CancelTimerNow is CancelTimer in the step that the caller is in.
func (t *Thread) CancelTimerNow(timer uint64) bool { return t.m.cancelTimer(timer) }

// cancelTimer takes a timer out of the timer queue, where it stays until the
// expiry at DISPATCH_LEVEL, and reports whether it was there.
func (m *Machine) cancelTimer(timer uint64) bool {
	for i := range m.procs {
		q := &m.procs[i].dpc
		if at := slices.Index(q.timers, timer); at >= 0 {
			q.timers = slices.Delete(q.timers, at, at+1)
			return true
		}
	}
	return m.cancelTimed(timedTimer, timer)
}

// TimerSet reports whether a timer is in the timer queue; an observation.
func (m *Machine) TimerSet(timer uint64) bool {
	for i := range m.timed {
		if m.timed[i].kind == timedTimer && m.timed[i].id == timer {
			return true
		}
	}
	for i := range m.procs {
		if slices.Contains(m.procs[i].dpc.timers, timer) {
			return true
		}
	}
	return false
}

// timerDue hands a timer that is due to the DPC drain of its processor, which
// does the expiry at DISPATCH_LEVEL (DPC-13). A timer that is set again or
// cancelled before that does not expire.
func (m *Machine) timerDue(timer uint64) {
	cpu, f := m.Mem.Load(timer+timerProcessor, 4)
	if f.Kind != 0 || int(cpu) >= len(m.procs) {
		cpu = 0 // the expiry finds out what is wrong with the memory
	}
	q := &m.procs[cpu].dpc
	q.timers = append(q.timers, timer)
	q.requested = q.requested || !q.draining
}

// loosely makes it a choice when a timer expires, if Faults say so: up to a clock
// tick late, and as much early if the time was relative, but not before the next
// tick (DPC-31). One that has come due is not held back.
func (m *Machine) loosely(o Timeout, e timedEvent) timedEvent {
	if !m.faults.Timers || e.due <= m.now {
		return e
	}
	tick := m.cfg.Tunables.TickTime
	e.free, e.last = true, e.due+tick+o.Tolerance
	if next := m.now - m.now%tick + tick; o.Ticks < 0 && next < e.due {
		e.due = max(e.due-tick, next)
	}
	return e
}

// expire does the expiry of a timer on this processor, at DISPATCH_LEVEL: it
// signals the timer and calls its DPC directly, or queues it where it has
// another target (DPC-24).
func (t *Thread) expire(timer uint64) {
	m := t.m
	m.TouchEverything()
	t.kernelStore(timer+headerState, 4, 1)
	if m.Trace.On() {
		m.Record(t.cpu, trace.Event{Kind: trace.Timer, Name: m.NameOf(timer)})
	}
	m.signalled(timer)
	if period := t.kernelLoad(timer+timerPeriod, 4); period != 0 {
		// Not early: the expiries of a short period would have no end.
		m.schedule(m.loosely(Timeout{}, timedEvent{due: m.now + period*1_000_000, kind: timedTimer, id: timer, background: true}))
	}
	dpc := t.kernelLoad(timer+timerDPC, 8)
	if dpc == 0 {
		return
	}
	low, high := m.now/100&0xFFFFFFFF, m.now/100>>32
	if p := m.dpcTarget(t.kernelLoad(dpc+dpcNumber, 2), t.proc()); p.id != t.cpu || t.runsThreaded(dpc) {
		t.queueDPC(dpc, low, high)
		return
	}
	q := &t.proc().dpc
	m.dpcSeq++
	q.active = dpcEntry{dpc, m.dpcSeq}
	t.callDPC(DispatchLevel, 5, dpcCall{dpc, t.kernelLoad(dpc+dpcRoutine, 8), t.kernelLoad(dpc+dpcContext, 8), low, high})
	q.active = dpcEntry{}
}
