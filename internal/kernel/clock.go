package kernel

import (
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// timedKind says what a timed event does.
type timedKind uint8

const (
	timedTimer  timedKind = iota // a KTIMER expires; id: its address
	timedWait                    // a wait times out; id: thread
	timedDevice                  // a device model's event; id: device << 32 | event
	timedWork                    // a work item of WorkLater is due; id: its row
)

// timedEvent is something that will happen at a virtual time.
type timedEvent struct {
	due  uint64
	seq  uint64 // order among events of the same time
	kind timedKind
	id   uint64
	free bool   // may happen at any time from now on: a choice
	last uint64 // not 0: free from due on, and by this time at the latest
	// background events do not keep Run going.
	background bool
}

// schedule adds a timed event, or moves the one of the same kind and id.
func (m *Machine) schedule(e timedEvent) {
	m.cancelTimed(e.kind, e.id)
	m.timedSeq++
	e.seq = m.timedSeq
	at, _ := slices.BinarySearchFunc(m.timed, e, func(a, b timedEvent) int {
		switch {
		case a.due < b.due || a.due == b.due && a.seq < b.seq:
			return -1
		case a.due == b.due && a.seq == b.seq:
			return 0
		}
		return 1
	})
	m.timed = slices.Insert(m.timed, at, e)
}

// cancelTimed takes a timed event back and reports whether there was one.
func (m *Machine) cancelTimed(k timedKind, id uint64) bool {
	for i := range m.timed {
		if m.timed[i].kind == k && m.timed[i].id == id {
			m.timed = slices.Delete(m.timed, i, i+1)
			return true
		}
	}
	return false
}

// ScheduleDevice lets the bus know after delay nanoseconds, or, if free, at a
// time that the source of choices picks.
func (m *Machine) ScheduleDevice(device, event uint32, delay uint64, free bool) {
	m.Whim()
	if !free {
		m.TouchEverything() // the time
	}
	m.schedule(timedEvent{due: m.now + delay, kind: timedDevice, id: uint64(device)<<32 | uint64(event), free: free})
}

// CancelDevice takes a ScheduleDevice back.
func (m *Machine) CancelDevice(device, event uint32) {
	m.cancelTimed(timedDevice, uint64(device)<<32|uint64(event))
}

// CancelDeviceAll takes every ScheduleDevice of a device back.
func (m *Machine) CancelDeviceAll(device uint32) {
	m.timed = slices.DeleteFunc(m.timed, func(e timedEvent) bool {
		return e.kind == timedDevice && e.id>>32 == uint64(device)
	})
}

// fireDue lets everything happen whose time has come.
func (m *Machine) fireDue() {
	for m.now >= m.nextTick && !m.ended {
		if m.nextTick += m.cfg.Tunables.TickTime; m.now >= m.nextTick && !m.tickNeeded() {
			m.skipTicks()
		}
		m.tickAll()
	}
	for i := 0; i < len(m.timed) && m.timed[i].due <= m.now; {
		if e := &m.timed[i]; e.free && (e.last == 0 || e.last > m.now) {
			i++
			continue
		}
		m.fire(i)
		i = 0
	}
}

// fire carries out the i-th timed event.
func (m *Machine) fire(i int) {
	e := m.timed[i]
	if e.free && e.kind == timedDevice {
		m.Touch(devices, 1, true)
	} else {
		m.TouchEverything()
	}
	m.timed = slices.Delete(m.timed, i, i+1)
	switch e.kind {
	case timedTimer:
		m.timerDue(e.id)
	case timedWait:
		t := m.threads[e.id]
		s := NTSTATUS(StatusTimeout)
		if t.wait.kind == waitDelay {
			s = StatusSuccess
		}
		m.wake(t, s)
	case timedDevice:
		m.bus.Event(uint32(e.id>>32), uint32(e.id))
	case timedWork:
		m.laterDue(e.id)
	}
}

// nextDue returns when the next thing happens by itself: a timed event, or the
// clock tick if somebody depends on it. Background events alone do not count
// once the foreground is done; the work of WorkLater does not if watchdogs is
// false.
func (m *Machine) nextDue(watchdogs bool) (due uint64, ok bool) {
	done := m.foregroundDone()
	for i := range m.timed {
		e := &m.timed[i]
		if e.free && e.last == 0 || e.background && done || !watchdogs && e.kind == timedWork {
			continue
		}
		at := e.due
		if e.free && at <= m.now {
			at = e.last
		}
		if !ok || at < due {
			due, ok = at, true
		}
	}
	if m.tickNeeded() {
		if m.nextTick <= m.now { // ticks were not needed for a while
			m.skipTicks()
		}
		if !ok || m.nextTick < due {
			due, ok = m.nextTick, true
		}
	}
	return due, ok
}

// tickNeeded reports whether anything waits for a clock tick: a queue without a
// drain request (DPC-11), a watchdog, the end of a quantum.
func (m *Machine) tickNeeded() bool {
	for i := range m.procs {
		p := &m.procs[i]
		if p.irql >= DispatchLevel || p.masked || len(p.dpc.entries) > 0 && !p.dpc.requested {
			return true
		}
	}
	return false
}

// Tick is the clock interrupt on all processors: it looks at the DPC queues
// (DPC-11, DPC-12), the watchdogs (WD-1, WD-2) and the quantum. It comes at
// CLOCK_LEVEL, above every device, and leaves no activation.
func (m *Machine) Tick() {
	m.skipTicks()
	m.tickAll()
}

// skipTicks sets the time of the next tick to the first one after now.
func (m *Machine) skipTicks() {
	m.nextTick = m.now - m.now%m.cfg.Tunables.TickTime + m.cfg.Tunables.TickTime
}

func (m *Machine) tickAll() {
	m.TouchEverything()
	for i := 0; i < len(m.procs) && !m.ended; i++ {
		m.TickOn(i)
	}
}

// TickOn is a clock tick on one processor.
func (m *Machine) TickOn(cpu int) {
	p := &m.procs[cpu]
	if !p.takesClock() {
		m.missTick(p)
		return
	}
	p.missedTicks = 0
	m.adjustDPCRate(&p.dpc)
	t := m.threads[p.current]
	if b := m.best(p); b != nil && b.priority == t.priority {
		p.quantumEnd = true
	}
	if k, _ := m.mustTake(p); p.irql < DispatchLevel && k != takeInterrupt && k != takeDPCs {
		p.raisedTicks = 0
		return
	}
	m.watchdogs(p, t)
}

// adjustDPCRate is the bookkeeping of DPC-12.
func (m *Machine) adjustDPCRate(q *dpcQueue) {
	tun := &m.cfg.Tunables
	q.rate = (q.inserts + q.rate) / 2
	q.inserts = 0
	if len(q.entries) > 0 && !q.draining {
		q.requested = true
		q.adjust = tun.AdjustDpcThreshold
		if q.rate < tun.IdealDpcRate && q.maxDepth > 1 {
			q.maxDepth--
		}
		return
	}
	if q.adjust--; q.adjust <= 0 {
		q.adjust = tun.AdjustDpcThreshold
		if q.maxDepth < tun.MaximumDpcQueueDepth {
			q.maxDepth++
		}
	}
}

var (
	svcKeStallExecutionProcessor = NewService("KeStallExecutionProcessor")
	svcKeQueryInterruptTime      = NewService("KeQueryInterruptTime")
)

// KeStallExecutionProcessor lets microseconds pass on this processor; interrupts
// are taken meanwhile. Any IRQL.
func (t *Thread) KeStallExecutionProcessor(microseconds uint32) {
	t.Enter(svcKeStallExecutionProcessor, uint64(microseconds))
	t.point(op{})
	t.m.now += uint64(microseconds) * 1000
	t.m.fireDue()
	t.stayAlive() // a watchdog may have ended the run
	t.settle()
	t.LeaveVoid()
}

// KeQueryInterruptTime returns the virtual time in units of 100 ns. Any IRQL.
func (t *Thread) KeQueryInterruptTime() uint64 {
	t.Enter(svcKeQueryInterruptTime)
	t.m.TouchEverything()
	now := t.m.now / 100
	t.Leave(trace.Decimal, now)
	return now
}
