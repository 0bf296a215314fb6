package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// MaxProcessors is the largest machine: one processor group.
const MaxProcessors = 64

// Tunables are the numbers of DPC-10, the watchdog limits of WD-1, WD-2 and WD-5,
// and the costs on the virtual clock. The zero value of a field means the default.
type Tunables struct {
	MaximumDpcQueueDepth int    // entries; default 4
	MinimumDpcRate       int    // inserts per tick; default 3
	IdealDpcRate         int    // inserts per tick; default 20
	AdjustDpcThreshold   int    // ticks; default 20
	TickTime             uint64 // nanoseconds between clock ticks; default 15,625,000
	OperationTime        uint64 // nanoseconds that a visible operation takes; default 100
	InstructionTime      uint64 // nanoseconds that a guest instruction takes; default 1
	DpcWatchdogTicks     uint64 // ticks for one DPC or ISR; default 0x500
	TotalWatchdogTicks   uint64 // ticks at DISPATCH_LEVEL or above in total; default 0x1E00
	ClockWatchdogTicks   uint64 // ticks without a clock interrupt; default 0x30
	PowerWatchdogTime    uint64 // nanoseconds for a power transition (IOQ-12, WD-6); default 600 s
	StormLimit           int    // accepts of one level-triggered line in a row; default 1,000
}

func (t *Tunables) setDefaults() {
	set(&t.MaximumDpcQueueDepth, 4)
	set(&t.MinimumDpcRate, 3)
	set(&t.IdealDpcRate, 20)
	set(&t.AdjustDpcThreshold, 20)
	set(&t.TickTime, 15_625_000)
	set(&t.OperationTime, 100)
	set(&t.InstructionTime, 1)
	set(&t.DpcWatchdogTicks, 0x500)
	set(&t.TotalWatchdogTicks, 0x1E00)
	set(&t.ClockWatchdogTicks, 0x30)
	set(&t.PowerWatchdogTime, 600_000_000_000)
	set(&t.StormLimit, 1000)
}

func set[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Config describes a machine.
type Config struct {
	Processors int // 1 to MaxProcessors
	Profile    Profile
	Tunables   Tunables
	Source     choice.Source // nil: always the default
	Trace      *trace.Log    // nil: nothing is recorded
	MaxSteps   uint64        // bound on scheduling points; default 10 million
	MaxTime    uint64        // bound on virtual time, ns; default one hour
	// QuantumEnd lets a thread be preempted by one of equal priority at any
	// point instead of at clock ticks and where it yields only.
	QuantumEnd bool
	// TicksLast makes clock ticks come only when nothing else can happen, not
	// even an event of the environment.
	TicksLast bool
	// FreeTimers makes the expiry of a timer that is not periodic a choice: it may
	// come at any time after the timer was set.
	FreeTimers bool
	// Visited, if set, is asked at each decision between steps whether the
	// present state was met before; the run ends there if so.
	Visited func(State) bool
}

// Component is a part of the machine with state of its own: the framework, a
// bus with its devices.
type Component interface {
	Snapshot() any
	Restore(any)
	// AppendState appends everything that can influence what happens later.
	AppendState(b []byte) []byte
}

// Environment decides what happens outside the processors at a time of its own
// choosing: free steps of a scenario.
type Environment interface {
	// Enabled appends the ids of the events that could happen now.
	Enabled(ids []uint32) []uint32
	// Happen carries one out.
	Happen(id uint32)
}

// Reason says why a run ended.
type Reason uint8

// Reasons for the end of a run.
const (
	Done      Reason = iota // the foreground threads have ended and nothing is left to do
	Stuck                   // nothing can happen any more, but a foreground thread still waits
	Stopped                 // a bug check or a proven deadlock
	StepBound               // Config.MaxSteps
	TimeBound               // Config.MaxTime
	Seen                    // Config.Visited knew the state
)

func (r Reason) String() string {
	return [...]string{"done", "stuck", "stopped", "step bound reached", "time bound reached", "state seen before"}[r]
}

// Machine is the simulated computer. It is not safe for concurrent use: one
// worker, one machine.
type Machine struct {
	Mem   *mem.Space
	Trace *trace.Log

	cfg        Config
	code       codeTable
	exec       Executor
	symbol     func(addr uint64) (string, bool) // names guest code; nil without any
	namer      Namer                            // of variables and fields; nil without any
	subject    func(block uint64) string        // see SetSubjects
	stackCheck func(t *Thread, addr uint64)     // see SetStackCheck; nil without guest code
	where      func(t *Thread) uint64           // see SetWhere; nil without guest code
	source     choice.Source
	env        Environment
	bus        Bus

	components []Component

	state   // plain data, see snapshot.go
	threads []*Thread

	next int // processor that steps next, set before a coroutine yields
	// handedOn says that the next processor got its thread by a switch: the
	// thread has no turn yet.
	handedOn bool
	forced   int // processor that must step next, plus 1; 0: none. See Interrupt
	ended    bool
	reason   Reason
	pool     coroutinePool
	alts     []choice.Alternative // scratch of alternatives
	events   []uint32             // scratch of alternatives
	scratch  []byte               // scratch of Hash
	watch    *Watch
	faults   Faults
	whims    uint64            // see Whim
	at       choice.Position   // of the present decision
	names    map[uint64]string // names of objects for the trace; looked up only
	named    []naming          // in which order names were given
}

// naming is a name that was given, with the one that it replaced.
type naming struct {
	v      uint64
	before string
}

// state is everything of the machine that a snapshot copies, apart from memory
// and threads.
type state struct {
	now            uint64 // virtual nanoseconds
	steps          uint64
	nextAct        uint32
	threadSeq      uint64
	dpcSeq         uint64
	nextTick       uint64
	resolution     timerResolution
	stepsInRow     uint64 // steps of the same processor since another one could have stepped
	procs          []processor
	held           []heldLock
	lockQueue      []lockWaiter // in the order of arrival
	owned          []ownedMutex
	resources      []uint64 // ERESOURCEs that are initialized, sorted
	ownedEvents    []ownedEvent
	resourceOwners []resourceOwner // in the order of the first acquire
	lockUses       []lockUse       // sorted by address
	orders         []lockOrder     // sorted
	locks          []spinLock
	lines          []line
	vectors        [256]vector
	interrupts     []interrupt
	timed          []timedEvent
	timedSeq       uint64
	work           []workItem
	later          []laterWork
	windows        []window
	gone           []unloaded
	findings       []Finding
	classes        []classCount
	failed         []uint64 // routines whose allocation has failed: see Faults
	injected       int
	objects        []object
	handles        []uint64 // objects of the kernel handles 4, 8, ...; 0: closed

	objectTypes     uint64 // address of the OBJECT_TYPEs, 0: none yet
	processorBlocks uint64 // address of the KPCRs, 0: none yet
	cancelLock      uint64 // address of the cancel spin lock, 0: none yet
}

// New returns a machine whose processors are idle at PASSIVE_LEVEL.
func New(cfg Config) (*Machine, error) {
	if cfg.Processors < 1 || cfg.Processors > MaxProcessors {
		return nil, fmt.Errorf("a machine has 1 to %d processors, not %d", MaxProcessors, cfg.Processors)
	}
	cfg.Tunables.setDefaults()
	set(&cfg.MaxSteps, 10_000_000)
	set(&cfg.MaxTime, 3600*1_000_000_000)
	if cfg.Source == nil {
		cfg.Source = choice.First{}
	}
	m := &Machine{
		Mem: mem.New(), Trace: cfg.Trace, cfg: cfg, source: cfg.Source,
		names: map[uint64]string{},
	}
	m.nextTick = cfg.Tunables.TickTime
	m.interrupts = make([]interrupt, 1) // id 0: none
	for i := range m.vectors {
		m.vectors[i].line = noLine
	}
	m.Mem.MapDevice(mem.SharedUser, 1)
	m.bootProcessors()
	return m, nil
}

// Use replaces the source of choices and the trace, before a run.
func (m *Machine) Use(source choice.Source, log *trace.Log) {
	m.source, m.Trace = source, log
}

// OnState replaces Config.Visited, at any time.
func (m *Machine) OnState(visited func(State) bool) { m.cfg.Visited = visited }

// Attach adds a component; its state becomes part of snapshots.
func (m *Machine) Attach(c Component) { m.components = append(m.components, c) }

// SetEnvironment sets who decides about free events, nil for nobody.
func (m *Machine) SetEnvironment(e Environment) { m.env = e }

// SetBus sets who answers at physical addresses without memory.
func (m *Machine) SetBus(b Bus) { m.bus = b }

// Processors returns the number of processors.
func (m *Machine) Processors() int { return len(m.procs) }

// Tunables returns the numbers that the machine works with.
func (m *Machine) Tunables() Tunables { return m.cfg.Tunables }

// Profile returns which verifiers are on.
func (m *Machine) Profile() Profile { return m.cfg.Profile }

// SetProfile changes which verifiers are on, before a run.
func (m *Machine) SetProfile(p Profile) { m.cfg.Profile = p }

// TickTime returns the nanoseconds between two clock ticks.
func (m *Machine) TickTime() uint64 { return m.cfg.Tunables.TickTime }

// Now returns the virtual time in nanoseconds since the machine was made.
func (m *Machine) Now() uint64 {
	m.TouchEverything()
	return m.now
}

// Steps returns the number of visible operations so far.
func (m *Machine) Steps() uint64 { return m.steps }

// Findings returns what was found wrong so far.
func (m *Machine) Findings() []Finding { return m.findings }

// Run lets the machine go on until there is nothing left to do for the
// foreground threads and no event is outstanding, or until something stops it.
// After Done and Stuck it can be called again, for instance with new threads.
func (m *Machine) Run() Reason {
	if m.ended && m.reason == Stopped {
		return m.reason
	}
	m.ended = false
	m.next = m.pick(&m.procs[m.next])
	for !m.ended {
		m.threads[m.procs[m.next].current].resume()
	}
	return m.reason
}

// AtRest reports whether the last run ended with nothing left to do: its threads
// have ended or wait, no processor is kept at a raised IRQL, and no timer is set
// whose expiry could look after something.
func (m *Machine) AtRest() bool {
	return m.ended && (m.reason == Done || m.reason == Stuck) &&
		!slices.ContainsFunc(m.procs, func(p processor) bool { return p.irql != PassiveLevel }) &&
		!slices.ContainsFunc(m.timed, func(e timedEvent) bool { return e.kind == timedTimer })
}

// Close gives up everything that is suspended. The machine can only be used
// again after Restore.
func (m *Machine) Close() {
	for _, t := range m.threads {
		t.unwind()
	}
	m.pool.close()
}

// end stops the run with a reason; the running coroutine yields at its next
// point.
func (m *Machine) end(r Reason) {
	if !m.ended {
		m.ended, m.reason = true, r
	}
}

// choose asks the source of choices.
func (m *Machine) choose(k choice.Kind, alts []choice.Alternative) int {
	if len(alts) == 1 {
		return 0
	}
	if k != choice.Step {
		m.at = m.position(&m.procs[m.next])
	}
	i := m.source.Choose(&choice.Point{Kind: k, Alternatives: alts, At: m.at, CPU: m.next})
	if i < 0 || i >= len(alts) {
		panic(fmt.Sprintf("BUG: choice %d of %d", i, len(alts)))
	}
	return i
}

// ChooseDevice asks for one of n possibilities of a device model; 0 is the
// default.
func (m *Machine) ChooseDevice(n int) int {
	m.Whim()
	m.alts = m.alts[:0]
	for i := range n {
		m.alts = append(m.alts, choice.Alternative{ID: uint32(i)})
	}
	return m.choose(choice.Device, m.alts)
}

// Record appends an event to the trace, for the processor that runs now or,
// with cpu -1, for none.
func (m *Machine) Record(cpu int, e trace.Event) {
	if m.Trace == nil {
		return
	}
	e.Time, e.CPU = m.now, int16(cpu)
	if cpu >= 0 {
		p := &m.procs[cpu]
		e.IRQL = p.irql
		t := m.threads[p.current]
		e.Act, e.Depth = t.activation()
	}
	m.Trace.Add(e)
}

// SetName gives an address or handle a name for the trace.
func (m *Machine) SetName(v uint64, name string) {
	if before := m.names[v]; v != 0 && before != name {
		m.named = append(m.named, naming{v, before})
		m.names[v] = name
	}
}

// forgetNames takes all names but the first n back.
func (m *Machine) forgetNames(n int) {
	for i := len(m.named) - 1; i >= n; i-- {
		if o := m.named[i]; o.before != "" {
			m.names[o.v] = o.before
		} else {
			delete(m.names, o.v)
		}
	}
	m.named = m.named[:min(n, len(m.named))]
}

// NameOf returns the name of an address or handle, or its number.
func (m *Machine) NameOf(v uint64) string {
	if n, ok := m.names[v]; ok {
		return n
	}
	if f := m.code.find(v); f != nil {
		return f.name
	}
	if m.symbol != nil {
		if n, ok := m.symbol(v); ok {
			return n
		}
	}
	if v < 10 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("0x%X", v)
}
