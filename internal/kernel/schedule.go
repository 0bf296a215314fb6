package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/choice"
)

// opKind says when what a thread is about to do can be done.
type opKind uint8

const (
	opStep       opKind = iota // at once
	opLock                     // when the spin lock at addr is free
	opQueuedLock               // when the spin lock at addr is free and its queue has come to this processor
	opUntil                    // when Thread.until holds: a busy wait
	opIdle                     // never: the idle loop
	opHalf                     // at once, and nothing is taken before: the write of a read-modify-write
	opSettle                   // at once: the operation is done, what it made due is taken next
	opResume                   // at once: a wait has ended
	opYield                    // at once; the thread's quantum can end here
)

// op is the visible operation before which a thread stands.
type op struct {
	kind   opKind
	addr   uint64 // of the lock, or of an access to memory
	size   uint32 // of an access, 0: it is none
	pc     uint64 // of an access
	value  uint64 // that a write writes, as far as it is known
	write  bool
	locked bool
	hidden bool // an access at which a search does not decide: see Watch
	own    bool // concerns this processor and what it touches in memory only: see footprint.go
}

// rowLimit is the number of steps after which the default is to let another
// processor step, so that a processor that polls cannot starve the one that
// would end the polling.
const rowLimit = 1000

// point is the one scheduling point: code calls it before each visible
// operation. On return it is the turn of this thread's processor, everything
// that the processor had to take first has been taken, and the operation can
// be done.
func (t *Thread) point(o op) {
	t.checkCall()
	if n := len(t.stack); n > 0 {
		t.stack[n-1].points++
	}
	t.op = o
	t.awaitTurn()
	for t.take() {
		t.op = o
		t.awaitTurn()
	}
	t.m.footprint(o)
	t.op = op{}
	t.count()
	t.m.now += t.m.cfg.Tunables.OperationTime
	t.proc().operates()
}

// Yield lets a search decide that a thread of the same priority that waits for this
// processor goes on here, in the middle of the quantum. The default is not to; without
// such a thread nothing happens, and with Config.QuantumEnd every point is such a place.
func (t *Thread) Yield() {
	if !t.m.cfg.QuantumEnd && t.m.quantumCanEnd(t.proc()) {
		t.point(op{kind: opYield})
	}
}

// settle takes what the processor has to take now that its IRQL, its queue or
// its ready threads changed, before the next instruction (IRQL-5, DPC-14).
func (t *Thread) settle() {
	for {
		if k, _ := t.m.mustTake(t.proc()); k == takeNothing {
			t.turn, t.op = false, op{}
			return
		}
		t.op = op{kind: opSettle}
		t.awaitTurn()
		t.take()
	}
}

// awaitTurn asks who steps next and returns when it is this processor.
func (t *Thread) awaitTurn() {
	t.stayAlive()
	m := t.m
	if !t.turn {
		if q := m.pick(t.proc()); q != t.cpu || m.ended {
			m.next = q
			t.suspend()
		}
	}
	t.turn = false
}

// stayAlive ends the coroutine if the run has ended or was given up: what calls
// it then is a deferred function of a driver or of the framework.
func (t *Thread) stayAlive() {
	if t.kill || t.m.ended {
		panic(unwound{})
	}
}

// take takes one thing that the processor must take, if there is one.
func (t *Thread) take() bool {
	switch k, n := t.m.mustTake(t.proc()); k {
	case takeInterrupt:
		t.accept(uint8(n))
	case takeDPCs:
		t.drain()
	case takeSwitch:
		t.m.Touch(scheduler, 1, true)
		t.switchTo(t.m.threads[n])
	default:
		return false
	}
	return true
}

// BusyWait spins until cond holds, at the present IRQL; interrupts are taken
// meanwhile. cond looks at the state of the machine only; what says for what it
// waits.
func (t *Thread) BusyWait(what string, cond func() bool) {
	outer := t.until
	t.until = cond
	t.point(op{kind: opUntil})
	t.until = outer
}

// WaitUntil blocks the thread until cond holds, at IRQL <= APC_LEVEL: the
// framework's own waits for things that are not dispatcher objects. cond looks
// at the state of the machine only; what says for what the thread waits.
func (t *Thread) WaitUntil(what string, cond func() bool) {
	t.waitUntil(what, cond)
	t.note(RecordAcquireAll, 0, 0)
}

// WaitForRelease is WaitUntil for what a Released of the object announces.
func (t *Thread) WaitForRelease(object uint64, what string, cond func() bool) {
	t.waitUntil(what, cond)
	t.Acquired(object)
}

func (t *Thread) waitUntil(what string, cond func() bool) {
	for !cond() { // it may have come true and become false again before the thread runs
		t.until = cond
		t.wait.kind, t.wait.what = waitCondition, what
		t.block()
		t.until = nil
	}
}

// wakeConditions wakes the threads whose WaitUntil has come true.
func (m *Machine) wakeConditions() {
	for _, t := range m.threads {
		if t.status == waiting && t.wait.kind == waitCondition && t.until() {
			m.wake(t, StatusSuccess)
		}
	}
}

// pick decides what happens next: it returns the processor that steps, after
// events that happen before that have happened. If nothing can happen any more
// the run has ended and the result means nothing.
func (m *Machine) pick(self *processor) int {
	for !m.ended {
		if m.steps++; m.steps > m.cfg.MaxSteps {
			m.end(StepBound)
			break
		}
		if m.forced != 0 {
			cpu := m.forced - 1
			m.forced = 0
			m.beginStep(choice.Process{Key: uint64(cpu)})
			return cpu
		}
		m.fireDue()
		m.wakeConditions()
		m.at = m.position(self)
		if m.hidden(self) {
			m.stepsInRow++
			return self.id
		}
		alts := m.alternatives(self)
		if len(alts) == 0 {
			m.advance()
			continue
		}
		if len(alts) > 1 && m.known() || m.enough(alts) {
			m.end(Seen)
			break
		}
		a := alts[m.choose(choice.Step, alts)]
		m.beginStep(a.Process())
		if a.Event && a.ID&deviceEvent == 0 {
			m.TouchEverything()
		}
		if !a.Event {
			m.countRow(int(a.ID), self.id, len(alts) == 1)
			return int(a.ID)
		}
		m.happen(a.ID)
	}
	return self.id
}

// hidden reports whether the processor that steps is before an access out of
// sight, with nothing to take first: nobody else could tell.
func (m *Machine) hidden(self *processor) bool {
	k, _ := m.mustTake(self)
	return m.threads[self.current].op.hidden && k == takeNothing && m.stepsInRow < rowLimit && m.enabled(self)
}

// known asks whether the present state was met before.
func (m *Machine) known() bool {
	visited := m.cfg.Visited
	if w := m.watch; w != nil && w.Visited != nil {
		visited = w.Visited
	}
	return visited != nil && visited(m.Hash())
}

// enough asks whether none of the alternatives is worth trying.
func (m *Machine) enough(alts []choice.Alternative) bool {
	return m.watch != nil && m.watch.Enough != nil && m.watch.Enough(alts)
}

// countRow keeps the number of steps in a row for rowLimit.
func (m *Machine) countRow(picked, self int, alone bool) {
	if picked != self || alone && m.stepsInRow >= rowLimit {
		m.stepsInRow = 0
	} else {
		m.stepsInRow++
	}
}

// Ids of events in alternatives: those of the environment as they are, those
// of devices with a bit set.
const (
	deviceEvent  = 1 << 31 // index into timed
	quantumEvent = 1 << 30 // processor
	timeEvent    = 1 << 29
	faultEvent   = 1 << 28 // of Faults.Events
)

// alternatives lists what could happen next, the default first: this
// processor, the other processors, free events.
func (m *Machine) alternatives(self *processor) []choice.Alternative {
	alts := m.alts[:0]
	n := len(m.procs)
	first := self.id
	if m.stepsInRow >= rowLimit {
		first++
	}
	for i := range n {
		if p := &m.procs[(first+i)%n]; m.enabled(p) {
			alts = append(alts, m.alternative(p))
		}
	}
	atRest := len(alts) == 0
	for i := range m.timed {
		if e := &m.timed[i]; e.free && (e.last == 0 || e.due <= m.now) {
			alts = append(alts, choice.Alternative{Event: true, ID: deviceEvent | uint32(i), Class: mixed([]uint64{uint64(e.kind), e.id})})
		}
	}
	for i := range m.procs {
		if p := &m.procs[i]; (m.cfg.QuantumEnd || m.threads[p.current].op.kind == opYield) && m.quantumCanEnd(p) {
			alts = append(alts, choice.Alternative{Event: true, ID: quantumEvent | uint32(i)})
		}
	}
	if m.env != nil {
		m.events = m.env.Enabled(m.events[:0])
		for _, e := range m.events {
			alts = append(alts, choice.Alternative{Event: true, ID: e})
		}
	}
	if atRest && len(alts) > 0 && m.timeMatters() {
		alts = append(alts, choice.Alternative{Event: true, ID: timeEvent})
	}
	m.alts = m.faultEvents(alts)
	return m.alts
}

// alternative describes what p would do.
func (m *Machine) alternative(p *processor) choice.Alternative {
	t := m.threads[p.current]
	a := choice.Alternative{ID: uint32(p.id), Operation: choice.Operation{Addr: t.op.addr, PC: t.op.pc, Size: t.op.size,
		Write: t.op.write, Locked: t.op.locked}}
	if f := t.currentActivation(); f != nil {
		a.Activation, a.Class = f.id, f.class
	}
	return a
}

// timeMatters reports whether time could pass before a free event, to some
// effect: a watchdog does not bark because a device is free to take its time.
func (m *Machine) timeMatters() bool {
	if m.cfg.TicksLast {
		return slices.ContainsFunc(m.timed, func(e timedEvent) bool { return !e.free && e.kind != timedWork })
	}
	_, outstanding := m.nextDue(false)
	return outstanding
}

// EventText says in words what a free event is.
func (m *Machine) EventText(id uint32) string {
	switch {
	case id&deviceEvent != 0:
		return fmt.Sprintf("the device acts (event %d of those that it has waiting)", id&^deviceEvent)
	case id&quantumEvent != 0:
		return fmt.Sprintf("the time slice of the thread on processor %d ends", id&^quantumEvent)
	case id == timeEvent:
		return "time passes"
	case id&faultEvent != 0:
		return fmt.Sprintf("fault %d happens", id&^faultEvent)
	}
	return fmt.Sprintf("event %d of the environment", id)
}

// happen carries out a free event.
func (m *Machine) happen(id uint32) {
	switch {
	case id&deviceEvent != 0:
		m.fire(int(id &^ deviceEvent))
	case id&quantumEvent != 0:
		p := &m.procs[id&^quantumEvent]
		p.quantumEnd = true
		p.turns++
	case id == timeEvent:
		m.advance()
	case id&faultEvent != 0:
		m.injected++
		m.faults.Events.Happen(id &^ faultEvent)
	default:
		m.env.Happen(id)
	}
}

// quantumCanEnd reports whether p could be preempted by a thread of the same
// priority. Without anything done in between every such thread gets one turn:
// more would change nothing, and never end.
func (m *Machine) quantumCanEnd(p *processor) bool {
	if p.current == p.idle || p.quantumEnd || p.irql >= DispatchLevel {
		return false
	}
	now, others := m.threads[p.current].priority, 0
	for _, t := range m.threads {
		if t.status != ready || t.affinity>>p.id&1 == 0 {
			continue
		}
		if t.priority > now {
			return false
		}
		if t.priority == now {
			others++
		}
	}
	return int(p.turns) < others
}

// enabled reports whether p can make a step.
func (m *Machine) enabled(p *processor) bool {
	if k, _ := m.mustTake(p); k != takeNothing {
		return true
	}
	t := m.threads[p.current]
	switch t.op.kind {
	case opIdle:
		return false
	case opLock:
		return m.lockFree(t.op.addr)
	case opQueuedLock:
		return m.lockFree(t.op.addr) && m.firstWaiter(t.op.addr) == p.id
	case opUntil:
		return t.until()
	}
	return true
}

// advance lets virtual time pass until the next event, when nothing else can
// happen. Without one the run is over.
func (m *Machine) advance() {
	if m.spinningForEver() {
		return
	}
	if _, ok := m.nextDue(false); !ok && m.pollingForEver() {
		return // before a power watchdog would tell: this says why
	}
	due, ok := m.nextDue(true)
	switch {
	case !ok && m.foregroundDone():
		m.end(Done)
	case !ok:
		m.end(Stuck)
	case due > m.cfg.MaxTime:
		m.end(TimeBound)
	default:
		m.now = max(m.now, due)
	}
}

func (m *Machine) foregroundDone() bool {
	for _, t := range m.threads {
		if t.foreground && t.status != terminated {
			return false
		}
	}
	return true
}

// Step is a scheduling point for callers outside this package: what follows, up
// to the next point, is one visible operation.
func (t *Thread) Step() { t.point(op{}) }
