package litmus

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// bench is the simulated machine that a test runs on: built once, brought back to its state at rest before each run.
// It is the environment of the machine (environment.go) and the bus with the device registers (device.go).
type bench struct {
	test     *Test
	m        *kernel.Machine
	f        *wdf.Framework
	device   wdf.WDFDEVICE
	objects  []instance // by ObjectID
	code     []code     // by index of the program
	twins    []uint64   // by step: bit j: the free step j before it is equal to it
	guest    *guest     // nil: the programs are those of the test
	state    *observations
	snapshot *kernel.Snapshot
	err      error // of the setup

	// Of the present run.
	source  choice.Source
	visited func(kernel.State) bool
}

// instance is an object of a test on the machine.
type instance struct {
	addr     uint64     // kernel object or memory: KDPC, KSPIN_LOCK, KEVENT, variable, pool block
	handle   wdf.Handle // of a framework object, else 0
	vector   uint8      // of an interrupt
	line     int        // of an interrupt that is not a message: number of its line
	register uint64     // address of the first register of a device
}

// maxRunSteps bounds the scheduling points of one run.
const maxRunSteps = 100_000

// poolTag is the tag of the memory of a test.
var poolTag = kernel.PoolTag("Ltms")

// newBench builds the machine of a test. file may be nil, or the driver whose routines are the programs.
func newBench(t *Test, file *pe.File) (*bench, error) {
	if err := t.runnable(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.ID, err)
	}
	m, err := kernel.New(kernel.Config{
		Processors: t.Processors,
		Profile:    t.Profile.Profile(),
		Tunables:   t.tunables(),
		QuantumEnd: true, // what the scheduler does between the steps is free
		TicksLast:  true,
		FreeTimers: true,
		MaxSteps:   maxRunSteps,
		Trace:      &trace.Log{},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.ID, err)
	}
	b := &bench{test: t, m: m, f: wdf.NewFramework(m), objects: make([]instance, len(t.Objects))}
	b.state = newObservations(b)
	m.Attach(b.state)
	m.SetEnvironment(b)
	m.SetBus(b)
	b.prepare()
	b.f.SetPnpManager(manager{})
	b.watchConnections()
	if file != nil {
		b.guest, err = newGuest(b, file)
	}
	if err == nil {
		err = b.build()
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", t.ID, err)
	}
	return b, nil
}

// runnable returns an error for what the runner cannot do: a level-triggered line needs a device that releases it, which
// only a ring does.
func (t *Test) runnable() error {
	check := func(a *Action, line int) error {
		if a.Object != NoObject && t.Objects[a.Object].Interrupt.Trigger == LineLevel {
			return fmt.Errorf("line %d: %s, whose line is level-triggered, is raised by a ring only: write arrive RING", line, t.Action(*a))
		}
		return nil
	}
	for i := range t.Steps {
		if err := check(&t.Steps[i].Action, t.Steps[i].Line); err != nil {
			return err
		}
	}
	for i := range t.Programs {
		for j := range t.Programs[i].Code {
			if in := &t.Programs[i].Code[j]; in.Op == OpAction {
				if err := check(&in.Action, in.Line); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tunables turns the settings into tunables of the machine, where zero means the default.
func (t *Test) tunables() kernel.Tunables {
	var k kernel.Tunables
	for _, s := range t.Settings {
		v := int(s.Value)
		if v == 0 {
			v = -1 // no count is below 0, as none is below -1
		}
		switch s.Name {
		case "MaximumDpcQueueDepth":
			k.MaximumDpcQueueDepth = v
		case "MinimumDpcRate":
			k.MinimumDpcRate = v
		case "IdealDpcRate":
			k.IdealDpcRate = v
		case "AdjustDpcThreshold":
			k.AdjustDpcThreshold = v
		case "StormLimit":
			k.StormLimit = v
		case "OperationTime":
			k.OperationTime = uint64(s.Value)
		}
	}
	return k
}

// build makes the objects, in a thread of the machine, and keeps the machine at rest.
func (b *bench) build() error {
	b.m.NewThread(kernel.ThreadParams{Name: "setup", Role: "thread", Foreground: true,
		Routine: b.m.InternalFunction("litmus!setup", func(t *kernel.Thread, _ kernel.Args) uint64 {
			b.makeObjects(b.f.Sys(t))
			return 0
		})})
	reason := b.m.Run()
	if b.err != nil {
		return b.err
	}
	if f := b.m.Findings(); len(f) > 0 {
		return fmt.Errorf("making the objects of the setup: %s: %s", f[0].Title(), f[0].Text)
	}
	if reason != kernel.Done {
		return fmt.Errorf("making the objects of the setup: %s; %s", reason, strings.Join(b.m.Waiters(), "; "))
	}
	if b.guest != nil {
		b.guest.watchMemory()
	}
	b.m.EnableHash()
	var err error
	b.snapshot, err = b.m.Snapshot()
	return err
}

// fail notes the first mistake of the setup.
func (b *bench) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// run makes one run from the state at rest. visited may be nil.
func (b *bench) run(source choice.Source, visited func(kernel.State) bool, log *trace.Log) (Outcome, kernel.Reason) {
	b.m.OnState(nil)
	b.m.Restore(b.snapshot)
	b.m.Use(b, log)
	b.source, b.visited = source, visited
	for i := range b.objects {
		if b.test.Objects[i].Interrupt.Late && b.test.Device.NotStarted {
			b.objects[i].handle = 0
		}
	}
	if b.guest != nil {
		b.guest.watch.Records = b.guest.watch.Records[:0]
	}
	b.start()
	reason := b.m.Run()
	switch {
	case b.guest != nil && b.guest.stray() != "":
		return Outcome{Failure: b.guest.stray()}, kernel.Stopped
	case reason == kernel.Seen:
		return Outcome{}, reason
	}
	return b.outcome(reason), reason
}

// start starts the threads: all of them, or the first one with a setup part, if there is one.
func (b *bench) start() {
	for i := range b.test.Programs {
		if b.test.Programs[i].Setup {
			b.startThread(i)
			return
		}
	}
	b.begin()
}

// arrive is what a thread does at its "setup done": the next setup part starts, or, after the last one, everything
// else.
func (b *bench) arrive(program int) {
	for i := program + 1; i < len(b.test.Programs); i++ {
		if b.test.Programs[i].Setup {
			b.startThread(i)
			return
		}
	}
	b.begin()
}

// begin ends the setup: from here on everything that could go either way is asked of the source.
func (b *bench) begin() {
	b.state.begun = true
	b.m.OnState(b.visited)
	for i := range b.test.Programs {
		if p := &b.test.Programs[i]; p.Kind == ProgramThread && !p.Setup {
			b.startThread(i)
		}
	}
}

func (b *bench) startThread(program int) {
	p := &b.test.Programs[program]
	params := kernel.ThreadParams{
		Name: p.Name, Role: "thread", Routine: b.code[program].routine, Affinity: 1 << p.Processor, Foreground: true,
	}
	if b.guest != nil {
		r := &b.guest.threads[program]
		params.Routine, params.Args = r.routine, kernel.Args{r.context}
	}
	b.m.NewThread(params)
}

// Choose implements choice.Source: the setup goes by the defaults.
func (b *bench) Choose(p *choice.Point) int {
	if !b.state.begun {
		return 0
	}
	return b.source.Choose(p)
}

// note puts a line into the trace, about a processor or, with -1, about none.
func (b *bench) note(cpu int, format string, args ...any) {
	if b.m.Trace.On() {
		b.m.Record(cpu, trace.Event{Kind: trace.Note, Text: fmt.Sprintf(format, args...)})
	}
}
