package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// InterruptID names a connection; 0 is none.
type InterruptID int32

// interrupt is a connected service routine: an interrupt object (INT-1).
type interrupt struct {
	ConnectParams
	address   uint64 // KINTERRUPT
	set       uint64 // connection context of those that were connected together, 0: connected alone
	next      int32  // next in the chain of the vector
	connected bool
	inactive  bool // soft disconnect: the ISR is not called (INT-20)
	running   int8 // ISR calls that are active, with those that wait for the lock
	unhandled uint32
}

// ConnectParams are the parameters of IoConnectInterruptEx (INT-1).
type ConnectParams struct {
	Name            string
	ServiceRoutine  uint64 // address, called with (KINTERRUPT, context, message id)
	Context         uint64
	MessageID       uint32
	Vector          uint8
	IRQL            uint8 // DIRQL, Vector >> 4; PASSIVE_LEVEL for a passive-level ISR (PLI-1)
	SynchronizeIRQL uint8 // at least IRQL; PASSIVE_LEVEL for a passive-level ISR
	Latched         bool
	Shared          bool
	MessageSignaled bool
	Affinity        uint64 // processor set
	SpinLock        uint64 // KSPIN_LOCK shared with other interrupts; 0: one of its own, or passive-level
}

// kinterruptSize is the size of a KINTERRUPT in bytes; its spin lock, or the
// event of a passive-level interrupt, lies at kinterruptLock. Drivers see neither.
const (
	kinterruptSize = 0x100
	kinterruptLock = 0x80
)

// Connect connects a service routine. The status tells what does not fit (INT-1):
// STATUS_NOT_FOUND a vector that no device can have, STATUS_INVALID_PARAMETER_10
// a processor set without a processor, STATUS_INVALID_PARAMETER a level or a
// vector that cannot be shared (INT-12).
func (m *Machine) Connect(c ConnectParams) (InterruptID, NTSTATUS) {
	switch class := c.Vector >> 4; {
	case class < FirstDIRQL || class > LastDIRQL:
		return 0, StatusNotFound
	case c.Affinity&m.allProcessors() == 0:
		return 0, StatusInvalidParameter10
	case !c.valid():
		return 0, StatusInvalidParameter
	}
	last := &m.vectors[c.Vector].chain
	for *last != 0 {
		o := &m.interrupts[*last]
		if !o.Shared || !c.Shared || o.Latched != c.Latched || o.MessageSignaled || c.MessageSignaled {
			return 0, StatusInvalidParameter
		}
		last = &o.next
	}
	if set := m.affinityOf(c.Vector); set != 0 && set&c.Affinity == 0 {
		return 0, StatusInvalidParameter // no processor could run both (INT-15)
	}
	addr := m.Mem.Alloc(kinterruptSize, tag("Kint"), false, 0)
	switch {
	case c.passive():
		m.Mem.Store(addr+kinterruptLock+headerType, 1, SynchronizationEvent)
		m.Mem.Store(addr+kinterruptLock+headerState, 4, 1)
		m.SetName(addr+kinterruptLock, "the passive lock of "+c.Name)
	case c.SpinLock == 0:
		c.SpinLock = addr + kinterruptLock
		m.initLock(c.SpinLock, c.Name+" lock")
	}
	*last = int32(len(m.interrupts))
	m.interrupts = append(m.interrupts, interrupt{ConnectParams: c, address: addr, connected: true})
	m.SetName(addr, c.Name)
	m.release(addr)
	if l := m.vectors[c.Vector].line; l != noLine {
		m.forward(l)
	}
	return InterruptID(len(m.interrupts) - 1), StatusSuccess
}

// passive reports whether the service routine runs at PASSIVE_LEVEL.
func (c *ConnectParams) passive() bool { return c.IRQL == PassiveLevel }

// valid checks what has to fit together in the parameters. A passive-level ISR
// has no spin lock (PLI-1) and no messages (PLI-10).
func (c *ConnectParams) valid() bool {
	if c.passive() {
		return c.SynchronizeIRQL == PassiveLevel && c.SpinLock == 0 && !c.MessageSignaled
	}
	return c.Vector>>4 == c.IRQL && c.SynchronizeIRQL >= c.IRQL && c.SynchronizeIRQL <= SynchLevel
}

// Disconnect ends a connection: the service routine is not called any more. It
// returns when no call of it is active. PASSIVE_LEVEL.
func (t *Thread) Disconnect(id InterruptID) {
	m := t.m
	in := &m.interrupts[id]
	in.connected = false
	for at := &m.vectors[in.Vector].chain; *at != 0; at = &m.interrupts[*at].next {
		if *at == int32(id) {
			*at = in.next
			break
		}
	}
	t.keep(uint64(id))
	defer t.keep(0)
	t.WaitUntil("an ISR to return", func() bool { return m.interrupts[id].running == 0 })
	address := m.interrupts[id].address
	t.Acquired(EndOf(address))
	m.Mem.Free(address, 0)
}

// SetActive makes a connection call its service routine or not (INT-20).
func (m *Machine) SetActive(id InterruptID, active bool) { m.interrupts[id].inactive = !active }

// InterruptSpinLock returns the address of the KSPIN_LOCK of a connection.
func (m *Machine) InterruptSpinLock(id InterruptID) uint64 { return m.interrupts[id].SpinLock }

// KInterrupt returns the address of the interrupt object.
func (m *Machine) KInterrupt(id InterruptID) uint64 { return m.interrupts[id].address }

// accept takes a pending vector: what happens from the moment the processor
// stops what it was doing until it goes on with it (INT-2).
func (t *Thread) accept(v uint8) {
	m, p := t.m, t.proc()
	interrupted := p.irql
	p.pending.remove(v)
	p.inService.add(v)
	if m.vectors[v].line != noLine {
		m.Touch(lines, 1, true)
	}
	t.push(frame{kind: serviceFrame, code: svcAccept.number, object: uint64(v)})
	t.setIRQL(v >> 4)
	if m.Trace.On() {
		m.Record(p.id, trace.Event{Kind: trace.Accept, Name: vectorName(v)})
	}
	t.checkStorm(v)
	handled := t.callChain(v, false)
	passive := m.deferToThread(v, handled)
	p.inService.remove(v)
	if m.Trace.On() {
		text := ""
		switch {
		case passive:
			text = "handed to a thread at PASSIVE_LEVEL"
		case !handled:
			text = "no service routine claimed it"
		}
		m.Record(p.id, trace.Event{Kind: trace.EOI, Name: vectorName(v), Text: text})
	}
	m.endOfInterrupt(v)
	t.setIRQL(interrupted)
	t.pop()
}

var svcAccept = NewService("interrupt")

// callChain calls the service routines of a vector, those at DIRQL or those at
// PASSIVE_LEVEL. A level-triggered chain is scanned until one claims the interrupt
// (INT-9); a latched one until a whole pass claimed nothing (INT-10). A vector with
// one routine calls it once (INT-11).
func (t *Thread) callChain(v uint8, passive bool) (handled bool) {
	m := t.m
	first := m.vectors[v].chain
	if first == 0 {
		return false
	}
	shared := m.interrupts[first].next != 0
	latched := m.interrupts[first].Latched
	for pass := 0; ; pass++ {
		claimed := false
		for i := m.vectors[v].chain; i != 0; i = m.interrupts[i].next {
			t.SetPosition(uint64(pass)<<32 | uint64(i)<<3 | b2u(handled)<<2 | b2u(shared)<<1 | b2u(claimed))
			if m.interrupts[i].passive() == passive && t.service(InterruptID(i)) {
				claimed = true
				m.vectors[v].claimer = i
				if !latched {
					return true
				}
			}
		}
		handled = handled || claimed
		if !claimed || !shared {
			return handled
		}
		if pass == m.cfg.Tunables.StormLimit {
			t.storm(fmt.Sprintf("the service routines of %s claimed %d passes in a row%s", vectorName(v), pass, m.claimText(v)))
		}
	}
}

// service calls one service routine at SynchronizeIrql with the interrupt spin
// lock held (INT-2, INT-3), at PASSIVE_LEVEL with the passive lock, and returns
// what it returned.
func (t *Thread) service(id InterruptID) bool {
	m := t.m
	if m.interrupts[id].inactive {
		return false
	}
	m.interrupts[id].running++
	in := m.interrupts[id]
	var old uint8
	if in.passive() {
		t.TakeEvent(in.event(), Forever, "PLI-7", "PLI-8")
	} else {
		old = t.IRQL()
		t.setIRQL(in.SynchronizeIRQL)
		t.spin(in.SpinLock, frameworkLock)
	}
	r := t.activate(ISRActivation, in.address, "ISR", in.ServiceRoutine,
		Args{in.address, in.Context, uint64(in.MessageID)}) & 0xFF
	if now := t.IRQL(); now != in.SynchronizeIRQL {
		t.wrongISRLevel(&in, "ISR", in.ServiceRoutine, now)
	}
	if in.passive() {
		t.keep(r)
		t.GiveEvent(in.event())
		t.keep(0)
	} else {
		t.letGo(in.SpinLock)
		t.setIRQL(old)
	}
	m.interrupts[id].running--
	if r == 0 {
		m.interrupts[id].unhandled++
	}
	return r != 0
}

func (t *Thread) wrongISRLevel(in *interrupt, role string, routine uint64, now uint8) {
	text := fmt.Sprintf("the %s of %s was called at %s and returned at %s", role, in.Name,
		trace.LevelName(in.SynchronizeIRQL), trace.LevelName(now))
	if t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{0x111, routine, uint64(in.SynchronizeIRQL), uint64(now)}, "IRQL-8", text)
	}
	t.BugCheck(0xC8, [4]uint64{uint64(now)<<16 | uint64(in.SynchronizeIRQL)<<8 | 3, routine, in.address}, "IRQL-8", text)
}

// checkStorm counts the accepts of a level-triggered line that nobody
// acknowledges at its device (INT-7, INT-8).
func (t *Thread) checkStorm(v uint8) {
	n := t.m.vectors[v].line
	if n == noLine || t.m.lines[n].latched {
		return
	}
	l := &t.m.lines[n]
	if l.repeats++; l.repeats > t.m.cfg.Tunables.StormLimit {
		t.storm(fmt.Sprintf("%s has interrupted %d times in a row, and no ISR made a device release it%s",
			l.name, l.repeats-1, t.m.claimText(v)))
	}
}

// claimText names the service routine that claimed a vector last.
func (m *Machine) claimText(v uint8) string {
	if i := m.vectors[v].claimer; i != 0 {
		return fmt.Sprintf("; the last that claimed it was %s", m.interrupts[i].Name)
	}
	return "; none claimed it"
}

// storm ends the run: the processor would never leave the device's level.
func (t *Thread) storm(text string) {
	t.stop(Finding{Rule: "interrupt storm", Clause: "INT-7", Text: text + t.stormEnd()})
}

// stormEnd says what becomes of a storm: one of passive-level ISRs leaves the
// processor to others of their priority and above.
func (t *Thread) stormEnd() string {
	for i := range t.stack {
		if f := &t.stack[i]; f.kind == serviceFrame && f.code == svcAccept.number && !t.m.onlyPassive(uint8(f.object)) {
			return "; Windows would end in DPC_WATCHDOG_VIOLATION (0x133, 1)"
		}
	}
	return "; its passive-level ISR is called for ever"
}

// Synchronize calls a routine at SynchronizeIrql with the interrupt spin lock
// held and returns what it returned (ILK-6, ILK-10). The caller is at or below
// that level; for a passive-level interrupt at PASSIVE_LEVEL.
func (t *Thread) Synchronize(id InterruptID, role string, routine uint64, a Args) uint64 {
	in := t.m.interrupts[id]
	if in.passive() {
		return t.SynchronizePassive(id, role, routine, func() uint64 { return t.Invoke(role, routine, a) })
	}
	old := t.AcquireInterruptLock(id)
	t.keep(uint64(old))
	r := t.Invoke(role, routine, a)
	if now := t.IRQL(); now != in.SynchronizeIRQL {
		t.wrongISRLevel(&in, role, routine, now)
	}
	t.keep(mixed([]uint64{uint64(old), r}))
	t.ReleaseInterruptLock(id, old)
	t.keep(0)
	return r
}

// AcquireInterruptLock raises to SynchronizeIrql, takes the interrupt spin lock
// and returns the old IRQL (ILK-1).
func (t *Thread) AcquireInterruptLock(id InterruptID) (old uint8) {
	return t.acquireInterruptLock(id, frameworkLock)
}

func (t *Thread) acquireInterruptLock(id InterruptID, k lockKind) (old uint8) {
	in := &t.m.interrupts[id]
	t.refusePassive(in, "KeAcquireInterruptSpinLock")
	lock, level := in.SpinLock, in.SynchronizeIRQL
	t.keep(lock) // callers come here or not, and then to another point
	t.point(op{own: true})
	if now := t.IRQL(); now > level {
		t.badLevelChange(0x9, 0x30, level, "raises")
	}
	old = t.raise(level)
	t.keep(uint64(old))
	t.lockNow(lock, k)
	t.held(lock).old = old
	t.keep(0)
	return old
}

// ReleaseInterruptLock releases the interrupt spin lock and restores the IRQL.
func (t *Thread) ReleaseInterruptLock(id InterruptID, old uint8) {
	t.refusePassive(&t.m.interrupts[id], "KeReleaseInterruptSpinLock")
	t.point(op{own: true})
	t.unlock(t.m.interrupts[id].SpinLock)
	t.lower(old)
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
