package litmus

import (
	"encoding/binary"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// observations is what a test sees of a run beyond the state of the machine: who ran when, what was appended to the
// lists, how far the steps are, and the devices. It is a component of the machine: plain data that is empty at rest,
// and part of the state by which equal states are recognised, as far as something can still ask for it (needs).
type observations struct {
	bench     *bench
	test      *Test
	m         *kernel.Machine
	needs     needs
	registers []deviceRegister

	begun       bool // the setup is done
	runs        []history
	lists       [][]int64
	relations   []relation // by index of the component
	gaps        []gap      // by index of the component
	completions []int      // by ObjectID
	devices     []deviceState
	awaited     []awaitedCall
	lastAwaited int
	fixed       int    // the next fixed step
	fixedCall   int    // the call that ends the last fixed step, 0: it has ended
	done        uint64 // bit i: step i has come
	held        uint64 // bit i: the after condition of step i has held
	gone        bool   // the device was taken out
}

// history is what is known of the runs of a DPC or the calls of an ISR.
type history struct {
	starts, ends int
	procs        []uint8 // of each run, by start
}

// awaitedCall is an ISR call on a processor for whose end somebody waits.
type awaitedCall struct {
	id        int
	interrupt ObjectID
	cpu       int
}

// needs says what can still be asked, by a condition or by the outcome. Nothing else may keep two states apart.
type needs struct {
	starts, active, ends []bool // by ObjectID: numbers of runs, whether one is active
	procs                []int  // by ObjectID: processors of the first n runs; lastOnly: of the last run
	arrived, completions []bool
	unclaimed            []bool
	lists                []int // values of the first n; wholeList; 0: nothing
	last, count          []bool
}

const (
	wholeList = 1 << 30
	lastOnly  = -1
)

func newObservations(b *bench) *observations {
	s := &observations{bench: b, test: b.test, m: b.m, needs: b.test.needs(), registers: b.test.registers()}
	s.Restore(nil)
	return s
}

// needs finds out what the conditions and the outcome of a test look at.
func (t *Test) needs() needs {
	n, l := len(t.Objects), len(t.Lists)
	d := needs{
		starts: make([]bool, n), active: make([]bool, n), ends: make([]bool, n), procs: make([]int, n),
		arrived: make([]bool, n), completions: make([]bool, n), unclaimed: make([]bool, n),
		lists: make([]int, l), last: make([]bool, l), count: make([]bool, l),
	}
	t.conditions(d.expression)
	for i := range t.Components {
		d.source(&t.Components[i].Source)
	}
	return d
}

// conditions visits every expression that can look at an observation.
func (t *Test) conditions(visit func(*Expr)) {
	for i := range t.Programs {
		for j := range t.Programs[i].Code {
			in := &t.Programs[i].Code[j]
			visit(in.Expr)
			for _, a := range in.Args {
				visit(a.Expr)
			}
		}
	}
	for i := range t.Steps {
		visit(t.Steps[i].While)
		visit(t.Steps[i].After)
	}
	for i := range t.Components {
		visit(t.Components[i].Source.When)
	}
}

func (d *needs) expression(e *Expr) {
	if e == nil {
		return
	}
	switch {
	case e.Kind == ExprObserve && e.Object != NoObject:
		d.observation(e.Object, e.Property, 0)
	case e.Kind == ExprCount:
		d.count[e.List] = true
	}
	d.expression(e.X)
	d.expression(e.Y)
}

// observation notes that observation property of an object is looked at; run is the number of a run, 0: the last.
func (d *needs) observation(o ObjectID, property string, run int) {
	switch property {
	case "runs", "calls":
		d.starts[o] = true
	case "returns":
		d.ends[o] = true
	case "active":
		d.active[o] = true
	case "proc":
		if run > 0 {
			d.procs[o] = max(d.procs[o], run)
		} else if d.procs[o] == 0 {
			d.procs[o] = lastOnly
		}
	case "arrived":
		d.arrived[o] = true
	case "completions":
		d.completions[o] = true
	case "unclaimed":
		d.unclaimed[o] = true
	}
}

// has reports whether the state tells an observation: what nobody looks at is not part of it. Observations that are not
// of this kind are state of the machine and its devices.
func (d *needs) has(o ObjectID, property string) bool {
	switch property {
	case "runs", "calls":
		return d.starts[o]
	case "returns":
		return d.ends[o]
	case "active":
		return d.active[o]
	case "proc":
		return d.procs[o] == lastOnly
	case "arrived":
		return d.arrived[o]
	case "completions":
		return d.completions[o]
	case "unclaimed":
		return d.unclaimed[o]
	}
	return true
}

// tells reports whether the state tells everything that a condition looks at.
func (d *needs) tells(e *Expr) bool {
	switch {
	case e == nil:
		return true
	case e.Kind == ExprCount:
		return d.count[e.List]
	case e.Kind == ExprObserve && e.Object != NoObject && !d.has(e.Object, e.Property):
		return false
	}
	return d.tells(e.X) && d.tells(e.Y)
}

func (d *needs) source(s *Source) {
	switch s.Func {
	case "observe":
		d.observation(s.Object, s.Property, s.Index)
	case "list":
		d.lists[s.List] = wholeList
	case "element":
		d.lists[s.List] = max(d.lists[s.List], s.Index)
	case "last":
		d.last[s.List] = true
	case "count":
		d.count[s.List] = true
	}
}

// Snapshot implements kernel.Component: at rest there is nothing to keep.
func (s *observations) Snapshot() any { return nil }

// Restore implements kernel.Component.
func (s *observations) Restore(any) {
	t := s.test
	clean := observations{
		bench: s.bench, test: t, m: s.m, needs: s.needs, registers: s.registers,
		runs: zeroed(s.runs, len(t.Objects)), lists: s.lists, relations: s.relations, gaps: zeroed(s.gaps, len(t.Components)),
		completions: zeroed(s.completions, len(t.Objects)), devices: zeroed(s.devices, len(t.Objects)), awaited: s.awaited[:0],
	}
	if clean.lists == nil {
		clean.lists = make([][]int64, len(t.Lists))
		clean.relations = make([]relation, len(t.Components))
	}
	for i := range clean.lists {
		clean.lists[i] = clean.lists[i][:0]
	}
	for i := range clean.relations {
		clean.relations[i] = relation{active: clean.relations[i].active[:0]}
	}
	for i := range clean.devices {
		clean.devices[i].enable = 1
	}
	*s = clean
	s.nextFixed()
}

// zeroed returns a slice of n zero values, in the memory of an old one if it fits.
func zeroed[T any](old []T, n int) []T {
	if len(old) != n {
		return make([]T, n)
	}
	clear(old)
	return old
}

// changed tells the machine that the present step changes what can be observed.
func (s *observations) changed() { s.m.Touch(kernel.Observed, 1, true) }

// started notes that a run of an object's routine starts on a processor. The result identifies it for ended.
func (s *observations) started(o ObjectID, cpu int) (run int) {
	s.changed()
	h := &s.runs[o]
	h.starts++
	h.procs = append(h.procs, uint8(cpu))
	for i := range s.relations {
		if c := &s.test.Components[i].Source; c.Func == "rel" && (c.Object == o || c.Second == o) {
			s.relations[i].started(activeRun{second: c.Object != o, run: h.starts, cpu: cpu}, c.Second != NoObject)
		}
		if c := &s.test.Components[i].Source; c.Func == "between" && c.Object == o {
			s.gaps[i].started(h.starts, cpu, s.m.LowSteps(cpu))
		}
	}
	return h.starts
}

// ended notes that a run has returned.
func (s *observations) ended(o ObjectID, cpu, run int) {
	s.changed()
	s.runs[o].ends++
	for i := range s.relations {
		if c := &s.test.Components[i].Source; c.Func == "rel" && (c.Object == o || c.Second == o) {
			s.relations[i].ended(activeRun{second: c.Object != o, run: run, cpu: cpu}, c.Second != NoObject)
		}
		if c := &s.test.Components[i].Source; c.Func == "between" && c.Object == o {
			s.gaps[i].ended(run, s.m.LowSteps(cpu))
		}
	}
	s.awaited = slices.DeleteFunc(s.awaited, func(a awaitedCall) bool { return a.interrupt == o && a.cpu == cpu })
}

// await notes that somebody waits for the end of the ISR call that begins on a processor now.
func (s *observations) await(interrupt ObjectID, cpu int) (id int) {
	s.changed()
	s.lastAwaited++
	s.awaited = append(s.awaited, awaitedCall{s.lastAwaited, interrupt, cpu})
	return s.lastAwaited
}

// returned reports whether an awaited call has returned.
func (s *observations) returned(id int) bool {
	return !slices.ContainsFunc(s.awaited, func(a awaitedCall) bool { return a.id == id })
}

// AppendState implements kernel.Component.
func (s *observations) AppendState(b []byte) []byte {
	b = append(b, byte(s.fixed), number8(s.fixedCall != 0 && !s.returned(s.fixedCall)), byte(len(s.awaited)))
	b = binary.LittleEndian.AppendUint64(b, s.done)
	b = binary.LittleEndian.AppendUint64(b, s.held)
	b = append(b, number8(s.gone))
	for _, a := range s.awaited {
		b = append(b, byte(a.interrupt), byte(a.cpu))
	}
	for o := range s.runs {
		b = s.appendObject(b, ObjectID(o))
	}
	for i := range s.lists {
		b = s.appendList(b, i)
	}
	for i := range s.relations {
		b = s.relations[i].appendState(b)
		b = s.gaps[i].appendState(b, s.m.LowSteps(s.gaps[i].cpu))
	}
	for _, r := range s.registers {
		if r.field == "" || r.field == ringRegisters[0] {
			b = s.appendDevice(b, r.object)
		}
	}
	return b
}

func (s *observations) appendObject(b []byte, o ObjectID) []byte {
	h, d := &s.runs[o], &s.needs
	if d.starts[o] {
		b = append(b, byte(h.starts), byte(h.starts>>8))
	}
	if d.ends[o] {
		b = append(b, byte(h.ends), byte(h.ends>>8))
	}
	if d.active[o] {
		b = append(b, number8(h.starts > h.ends))
	}
	if d.procs[o] > 0 {
		n := min(len(h.procs), d.procs[o])
		b = append(append(b, byte(n)), h.procs[:n]...)
	} else if d.procs[o] == lastOnly && h.starts > 0 {
		b = append(b, h.procs[h.starts-1]+1)
	}
	if d.completions[o] {
		b = append(b, byte(s.completions[o]))
	}
	if d.unclaimed[o] {
		b = append(b, byte(s.bench.Observe(o, "unclaimed")))
	}
	return b
}

func (s *observations) appendList(b []byte, i int) []byte {
	list, d := s.lists[i], &s.needs
	b = append(b, 0xFE)
	if d.count[i] {
		b = append(b, byte(len(list)), byte(len(list)>>8))
	}
	for _, v := range list[:min(len(list), d.lists[i])] {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	if d.last[i] && len(list) > 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(list[len(list)-1]))
	}
	return b
}

func (s *observations) appendDevice(b []byte, o ObjectID) []byte {
	d := &s.devices[o]
	arrived := uint64(0)
	if s.needs.arrived[o] {
		arrived = uint64(d.arrived)
	}
	b = append(b, byte(d.next), number8(d.written))
	return binary.LittleEndian.AppendUint64(b, mem.Mix(mem.Mix(mem.Mix(arrived, uint64(d.count)), uint64(d.enable)), uint64(d.value)))
}

func number8(b bool) byte { return byte(number(b)) }
