package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// threadStatus is what a thread is doing.
type threadStatus uint8

const (
	ready threadStatus = iota // waits for a processor
	running
	waiting
	terminated
)

// Thread priorities (0 to 31).
const (
	idlePriority    = -1
	NormalPriority  = 8
	WorkerPriority  = 12
	HighestPriority = 31
)

// Thread is a thread of the simulated kernel, carried by a coroutine. It is
// also what running code sees of the machine: an ISR or a DPC runs on top of
// whatever thread was current on its processor, so that its calls come to that
// Thread. Nothing may keep a processor across a scheduling point below
// DISPATCH_LEVEL: the thread can migrate (IRQL-13).
type Thread struct {
	// View is the framework's view of the thread; set once, kept for ever.
	View any

	m     *Machine
	id    int
	co    *coroutine
	kill  bool        // unwind at the next resume
	turn  bool        // this thread was resumed to make the step that was picked
	until func() bool // condition of an opUntil
	polls string      // what a Spin polls

	guestIP uint64 // instruction of guest code that faults, 0: none
	raised  raised // see Try
	exiting bool   // terminates itself: see runRoutine
	// lockTaken is called for each spin lock taken: see WatchLocks.
	lockTaken   func(lock uint64)
	waitClauses [2]string // what a deadlock in the present wait breaks: see TakeEvent

	threadState
}

// threadState is the plain data of a thread.
type threadState struct {
	name            string
	status          threadStatus
	priority        int8
	base            baseLoop
	foreground      bool
	user            bool
	system          bool   // of PsCreateSystemThread
	object          uint64 // KTHREAD, 0: nobody has asked for it
	userAffinity    uint64 // what a system affinity replaces, 0: none
	cpu             int    // processor that runs it or ran it last
	affinity        uint64 // processors it may run on
	seq             uint64 // order in which threads became ready, or began to wait
	routine         uint64
	role            string
	args            Args
	criticalRegions int   // APC-disable count
	driverRegions   int32 // of them, KeEnterCriticalRegion of drivers
	guardedRegions  int32 // KeEnterGuardedRegion: special kernel APCs too
	savedIRQL       uint8 // while it does not run: 0 or 1 (IRQL-13)
	op              op
	wait            waitState
	stack           []frame
	process         mem.Process // of an application that has memory of its own: user.go
}

// baseLoop is what a thread does when it has nothing to do.
type baseLoop uint8

const (
	oneRoutine baseLoop = iota // calls a routine and ends
	idleLoop
	workerLoop
	passiveLoop // calls the passive-level ISRs of a vector
	dpcLoop
)

// ThreadParams describe a new thread.
type ThreadParams struct {
	Name       string
	Role       string // what the routine is to Windows, for the trace
	Routine    uint64
	Args       Args
	Affinity   uint64 // 0: all processors
	Priority   int8   // 0: NormalPriority
	Foreground bool   // Run goes on until the thread has ended
	User       bool   // of an application: what it runs here is below a system service
}

// NewThread makes a thread that is ready to run and returns its id.
func (m *Machine) NewThread(p ThreadParams) int {
	if p.Affinity &= m.allProcessors(); p.Affinity == 0 {
		p.Affinity = m.allProcessors()
	}
	if p.Priority == 0 {
		p.Priority = NormalPriority
	}
	t := m.newThread(p)
	m.release(threadStart + uint64(t.id))
	m.makeReady(t)
	return t.id
}

func (m *Machine) newThread(p ThreadParams) *Thread {
	var t *Thread
	if n := len(m.threads); n < cap(m.threads) && m.threads[:n+1][n] != nil {
		m.threads = m.threads[:n+1] // left over by Restore
		t = m.threads[n]
	} else {
		t = &Thread{m: m, id: n}
		m.threads = append(m.threads, t)
	}
	t.kill, t.turn, t.until, t.polls, t.lockTaken, t.raised, t.exiting = false, false, nil, "", nil, raised{}, false
	t.threadState = threadState{
		name: p.Name, routine: p.Routine, role: p.Role, args: p.Args, affinity: p.Affinity,
		priority: p.Priority, foreground: p.Foreground, user: p.User, stack: t.stack[:0],
	}
	if p.Priority == idlePriority {
		t.base = idleLoop
	}
	return t
}

// ThreadName returns the name of a thread, for people.
func (m *Machine) ThreadName(id int) string { return m.threads[id].name }

// ThreadEnded reports whether a thread has ended.
func (m *Machine) ThreadEnded(id int) bool { return m.threads[id].status == terminated }

// Machine returns the machine that the thread belongs to.
func (t *Thread) Machine() *Machine { return t.m }

// ID returns the number of the thread.
func (t *Thread) ID() int { return t.id }

// Name returns the name of the thread.
func (t *Thread) Name() string { return t.name }

// Processor returns the number of the processor that runs the caller. Stable
// only at DISPATCH_LEVEL and above (IRQL-13).
func (t *Thread) Processor() int { return t.cpu }

func (t *Thread) proc() *processor { return &t.m.procs[t.cpu] }

// resume lets the coroutine of the thread make a step.
func (t *Thread) resume() {
	if t.co == nil {
		t.co = t.m.pool.start(t.main)
	}
	t.turn, t.m.handedOn = !t.m.handedOn, false
	t.m.Mem.UseProcess(t.process)
	t.co.next()
	if t.co.finished() {
		t.m.pool.put(t.co)
		t.co = nil
	}
}

// suspend gives control back to Machine.Run until it resumes this thread.
func (t *Thread) suspend() {
	t.co.suspend()
	if t.kill {
		panic(unwound{})
	}
}

// unwind takes a suspended coroutine down.
func (t *Thread) unwind() {
	log := t.m.Trace
	t.kill, t.m.Trace = true, nil // deferred functions may run
	for t.co != nil {
		t.resume()
	}
	t.kill, t.turn, t.lockTaken, t.raised, t.m.Trace = false, false, nil, raised{}, log
}

// main is the outermost function of the coroutine.
func (t *Thread) main() {
	if t.kill {
		return
	}
	switch t.base {
	case idleLoop:
		for {
			t.awaitTurn()
			t.take()
			t.op = op{kind: opIdle}
			if k, _ := t.m.mustTake(t.proc()); k == takeNothing {
				t.proc().operates()
			}
		}
	case workerLoop:
		t.work()
	case passiveLoop:
		t.servePassive(uint8(t.args[0]))
	case dpcLoop:
		t.runThreadedDPCs()
	}
	t.turn = false
	t.runRoutine()
	t.checkThreadEnd()
	t.terminate()
}

// checkThreadEnd checks how a thread routine returned.
func (t *Thread) checkThreadEnd() {
	if irql := t.IRQL(); irql != PassiveLevel {
		t.BugCheck(0xC8, [4]uint64{uint64(irql)<<16 | 0xFE, b2u(t.criticalRegions != 0)}, "IRQL-8", fmt.Sprintf(
			"the routine %s of thread %s returned at %s", t.m.NameOf(t.routine), t.name, trace.LevelName(irql)))
	}
	t.checkOwnedAtEnd()
	if t.criticalRegions != 0 {
		t.BugCheck(0x20, [4]uint64{0, uint64(t.criticalRegions), 0}, "IRQL-9", fmt.Sprintf(
			"thread %s ended inside %d critical regions", t.name, t.criticalRegions))
	}
}

// terminate ends the thread; its processor goes on with another one.
func (t *Thread) terminate() {
	t.status = terminated
	t.signalEnd()
	t.leaveProcessor()
}

// block gives the processor up until wake makes the thread ready again. The
// caller has set t.wait.
func (t *Thread) block() {
	t.stayAlive()
	t.checkCall()
	t.checkDPCBlocks()
	t.m.threadSeq++
	if t.proc().masked {
		t.Unsupported("a wait with interrupts disabled (CLI)")
	}
	t.status, t.seq, t.op = waiting, t.m.threadSeq, op{kind: opResume}
	if n := len(t.stack); n > 0 {
		t.stack[n-1].points++ // two waits in a row differ
	}
	t.leaveProcessor()
	t.suspend()
	t.turn, t.op = false, op{}
}

// leaveProcessor gives the processor to the next thread and decides who steps.
func (t *Thread) leaveProcessor() {
	m, p := t.m, t.proc()
	next := m.best(p)
	if next == nil {
		next = m.threads[p.idle]
		p.dpc.requested = p.dpc.requested || len(p.dpc.entries) > 0 // DPC-11 (b)
	}
	m.setCurrent(p, next)
	m.next = m.pick(p)
}

// switchTo is the step in which this processor goes on with another thread.
// When it returns this thread has been given a processor again.
func (t *Thread) switchTo(to *Thread) {
	p := t.proc()
	if t.id != p.idle {
		t.m.makeReady(t)
	}
	t.m.setCurrent(p, to)
	t.m.next, t.m.handedOn = p.id, true
	t.suspend()
}

// setCurrent gives the processor to a thread; the IRQL, below DISPATCH_LEVEL,
// belongs to the thread (IRQL-13).
func (m *Machine) setCurrent(p *processor, t *Thread) {
	before := p.irql
	m.threads[p.current].savedIRQL = before
	p.current, p.irql, p.quantumEnd = t.id, t.savedIRQL, false
	t.status, t.cpu = running, p.id
	if m.Trace.On() {
		m.Record(p.id, trace.Event{Kind: trace.Switch, Name: t.name})
		if p.irql != before {
			m.Record(p.id, trace.Event{Kind: trace.IRQL, ValueKind: trace.Level, Value: uint64(p.irql)})
		}
	}
}

// makeReady lets a thread compete for a processor, behind those of its
// priority.
func (m *Machine) makeReady(t *Thread) {
	m.TouchEverything()
	m.threadSeq++
	t.status, t.seq = ready, m.threadSeq
}

// wake ends the wait of a thread.
func (m *Machine) wake(t *Thread, s NTSTATUS) {
	m.cancelTimed(timedWait, uint64(t.id))
	t.wait = waitState{status: s}
	m.makeReady(t)
}

// best returns the ready thread that p would run next: highest priority, then
// longest ready.
func (m *Machine) best(p *processor) *Thread {
	var b *Thread
	for _, t := range m.threads {
		if t.status == ready && t.affinity>>p.id&1 != 0 &&
			(b == nil || t.priority > b.priority || t.priority == b.priority && t.seq < b.seq) {
			b = t
		}
	}
	return b
}

// successor returns the thread that p must switch to now, if any: a processor
// that is idle takes what is ready; one that is busy is preempted by a higher
// priority that no idle processor can take, or by an equal one at the end of
// its quantum (or while it only polls).
func (m *Machine) successor(p *processor) *Thread {
	b := m.best(p)
	if b == nil || p.current == p.idle {
		if b == nil && m.threads[p.current].affinity>>p.id&1 == 0 {
			return m.threads[p.idle]
		}
		return b
	}
	t := m.threads[p.current]
	if t.affinity>>p.id&1 == 0 {
		return b // it must go elsewhere
	}
	now := t.priority
	if b.priority == now && (p.quantumEnd || t.op.kind == opUntil && !t.until()) || b.priority > now && !m.idleProcessorFor(b) {
		return b
	}
	return nil
}

func (m *Machine) idleProcessorFor(t *Thread) bool {
	for i := range m.procs {
		p := &m.procs[i]
		if t.affinity>>i&1 != 0 && p.current == p.idle && p.irql < DispatchLevel {
			return true
		}
	}
	return false
}
