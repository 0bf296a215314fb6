package lost_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/lost"
)

// script makes the records of a run, of one activation after the other.
type script struct {
	records []kernel.Record
	x, y    uint64 // memory
	act     uint32
	pc      uint64
}

const (
	interrupt = 0x1000 // KINTERRUPT
	lock      = 0x2000 // of it
	dpc       = 0x3000
	event     = 0x4000
)

func (s *script) add(r kernel.Record) {
	r.Activation = s.act
	if r.Kind.Access() {
		s.pc++
		r.PC = s.pc
		if r.Size == 0 {
			r.Size = 4
		}
	}
	s.records = append(s.records, r)
}

func (s *script) begin(k kernel.ActivationKind, object uint64) {
	s.act++
	s.add(kernel.Record{Kind: kernel.RecordBegin, Size: uint32(k), Addr: object})
	s.acquire(object)
}

// isr runs an ISR that holds its lock; result is what it returns.
func (s *script) isr(result uint64, body func()) {
	s.begin(kernel.ISRActivation, interrupt)
	s.acquire(lock)
	body()
	s.release(lock)
	s.end(interrupt, result)
}

func (s *script) dpc(body func()) {
	s.begin(kernel.DPCActivation, dpc)
	body()
	s.end(dpc, 0)
}

func (s *script) thread(body func()) {
	s.begin(kernel.ThreadActivation, 7)
	body()
	s.end(8, 0)
}

func (s *script) end(object, result uint64) {
	s.release(kernel.EndOf(object))
	s.add(kernel.Record{Kind: kernel.RecordEnd, Value: result})
}

func (s *script) acquire(object uint64) {
	s.add(kernel.Record{Kind: kernel.RecordAcquire, Addr: object})
}
func (s *script) release(object uint64) {
	s.add(kernel.Record{Kind: kernel.RecordRelease, Addr: object})
}
func (s *script) register(v uint64)  { s.add(kernel.Record{Kind: kernel.RecordRegister, Value: v}) }
func (s *script) read(addr uint64)   { s.add(kernel.Record{Kind: kernel.RecordRead, Addr: addr}) }
func (s *script) locked(addr uint64) { s.add(kernel.Record{Kind: kernel.RecordLocked, Addr: addr}) }
func (s *script) write(addr, v uint64) {
	s.add(kernel.Record{Kind: kernel.RecordWrite, Addr: addr, Value: v})
}

// take is what a DPC does that takes all there is.
func (s *script) take() { s.locked(s.x) }

// leave is what an ISR does that leaves work and queues the DPC.
func (s *script) leave() {
	s.locked(s.x)
	s.release(dpc)
}

var work = []struct {
	name string
	run  func(s *script)
	zero bool // nothing is left in memory at rest
	busy bool // the run does not end at rest
	lost bool
}{
	{name: "an ISR that does not queue", lost: true, run: func(s *script) { s.isr(1, func() { s.locked(s.x) }) }},
	{name: "a plain write", lost: true, run: func(s *script) { s.isr(1, func() { s.read(s.x); s.write(s.x, 1) }) }},
	{name: "a BOOLEAN with garbage above it", lost: true, run: func(s *script) { s.isr(0xABCD01, func() { s.locked(s.x) }) }},
	{name: "a write of 0", run: func(s *script) { s.isr(1, func() { s.write(s.x, 0) }) }},
	{name: "an ISR that queues", run: func(s *script) { s.isr(1, s.leave) }},
	{name: "an ISR that sets an event", run: func(s *script) { s.isr(1, func() { s.locked(s.x); s.release(event) }) }},
	{name: "an ISR that takes and gives back another lock", lost: true, run: func(s *script) {
		s.isr(1, func() { s.acquire(event); s.locked(s.x); s.release(event) })
	}},
	{name: "FALSE", run: func(s *script) { s.isr(0xFF00, func() { s.locked(s.x) }) }},
	{name: "a DPC that looks later", run: func(s *script) { s.isr(1, func() { s.locked(s.x) }); s.dpc(s.take) }},
	{name: "a thread that looks later", run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.thread(func() { s.read(s.x) })
	}},
	{name: "a thread that clears it as part of something bigger", run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.thread(func() { s.add(kernel.Record{Kind: kernel.RecordWrite, Addr: s.x - 512, Size: 4096}) })
	}},
	{name: "another ISR that looks later", lost: true, run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.isr(1, func() { s.read(s.x) })
	}},
	{name: "another ISR that queues later", run: func(s *script) { s.isr(1, func() { s.locked(s.x) }); s.isr(1, s.leave) }},
	{name: "the neighbouring bytes", lost: true, run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.dpc(func() { s.read(s.x + 4) })
	}},
	{name: "other memory, which nobody takes anything from", run: func(s *script) { s.isr(1, func() { s.locked(s.y) }) }},
	{name: "a statistic, which DPCs read", run: func(s *script) {
		s.isr(1, func() { s.write(s.y, 1); s.release(dpc) })
		s.dpc(func() { s.read(s.y) })
		s.isr(1, func() { s.write(s.y, 2) })
	}},
	{name: "a number that DPCs change", run: func(s *script) {
		s.isr(1, func() { s.write(s.y, 1); s.release(dpc) })
		s.dpc(func() { s.read(s.y); s.write(s.y, 2) })
		s.isr(1, func() { s.write(s.y, 3) })
	}},
	{name: "what a DPC reads and clears", lost: true, run: func(s *script) {
		s.isr(1, func() { s.write(s.y, 1); s.release(dpc) })
		s.dpc(func() { s.read(s.y); s.write(s.y, 0) })
		s.isr(1, func() { s.write(s.y, 3) })
	}},
	{name: "what a thread takes", run: func(s *script) {
		s.isr(1, func() { s.write(s.y, 1) })
		s.thread(func() { s.locked(s.y) })
		s.isr(1, func() { s.write(s.y, 3) })
	}},
	{name: "a device that is stopped", run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.thread(func() { s.acquire(kernel.EndOf(interrupt)) })
	}},
	{name: "another device that is stopped", lost: true, run: func(s *script) {
		s.isr(1, func() { s.locked(s.x) })
		s.thread(func() { s.acquire(kernel.EndOf(interrupt + 0x100)) })
	}},
	{name: "nothing left", zero: true, run: func(s *script) { s.isr(1, func() { s.locked(s.x) }) }},
	{name: "a run that goes on", busy: true, run: func(s *script) { s.isr(1, func() { s.locked(s.x) }) }},
}

// Work is lost if it was left by an ISR that queued nothing, in memory from which
// DPCs take work, and nobody looks there.
func TestDPC29LostWork(t *testing.T) {
	for _, c := range work {
		t.Run(c.name, func(t *testing.T) {
			m, s := lab(t)
			for _, addr := range []uint64{s.x, s.y} {
				if !c.zero {
					m.Mem.Store(addr, 4, 5)
				}
			}
			s.isr(1, s.leave) // the first interrupt, as it should be
			s.dpc(s.take)
			c.run(s)
			if c.busy {
				m = nil
			}
			check(t, lost.Find(s.records, m), c.lost, lost.Work)
		})
	}
}

// lab returns a machine with some memory, and a script about it.
func lab(t *testing.T) (*kernel.Machine, *script) {
	m, err := kernel.New(kernel.Config{Processors: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	block := m.Mem.Alloc(1024, 0, false, 0)
	return m, &script{x: block + 512, y: block + 16}
}

func check(t *testing.T, got []lost.Loss, want bool, rule string) {
	t.Helper()
	var rules, wanted []string
	for _, l := range got {
		rules = append(rules, l.Rule)
		if !l.Write.Kind.Access() || rule == lost.Event && (l.Over.Addr != l.Write.Addr || l.Over.Activation <= l.Write.Activation) {
			t.Errorf("%+v", l)
		}
	}
	if want {
		wanted = []string{rule}
	}
	if diff := cmp.Diff(wanted, rules); diff != "" {
		t.Error(diff)
	}
}

// store is an ISR that stores what it has read from the device.
func (s *script) store(v uint64) func() {
	return func() { s.register(v); s.write(s.x, v); s.release(dpc) }
}

var events = []struct {
	name          string
	first, second func(s *script) // of the two ISRs; nil: they store 1 and 2
	returned      uint64          // by the first, + 1; 0: TRUE
	between       func(s *script)
	after         func(s *script) // nil: a DPC that reads
	lost          bool
}{
	{name: "overwritten", lost: true},
	{name: "overwritten with 0", lost: true, second: func(s *script) { s.write(s.x, 0) }},
	{name: "all bits are in the second one, too", second: func(s *script) { s.store(3)() }},
	{name: "the same once more", second: func(s *script) { s.store(1)() }},
	{name: "the second ISR adds", second: func(s *script) { s.register(2); s.read(s.x); s.write(s.x, 2) }},
	{name: "the second ISR exchanges", second: func(s *script) { s.register(2); s.locked(s.x) }},
	{name: "the first ISR looks at what it stored", lost: true, first: func(s *script) { s.store(1)(); s.read(s.x) }},
	{name: "the first ISR stores twice", lost: true, first: func(s *script) { s.store(1)(); s.store(1)() }},
	{name: "the first ISR overwrites it itself", first: func(s *script) { s.store(1)(); s.write(s.x, 8) }},
	{name: "it is kept elsewhere", first: func(s *script) { s.store(1)(); s.write(s.y, 0x81) }},
	{name: "it may be kept elsewhere", first: func(s *script) { s.store(1)(); s.locked(s.y) }},
	{name: "something else is kept elsewhere", lost: true, first: func(s *script) { s.store(1)(); s.write(s.y, 0x80) }},
	{name: "not from the device", first: func(s *script) { s.register(4); s.write(s.x, 1) }},
	{name: "not its interrupt", returned: 0 + 1},
	{name: "a DPC in between", between: func(s *script) { s.dpc(func() { s.read(s.x) }) }},
	{name: "a thread in between", between: func(s *script) { s.thread(func() { s.read(s.x) }) }},
	{name: "a thread that clears it", between: func(s *script) { s.thread(func() { s.write(s.x, 0) }) }},
	{name: "part of it is overwritten", between: func(s *script) {
		s.isr(1, func() { s.add(kernel.Record{Kind: kernel.RecordWrite, Addr: s.x, Size: 1, Value: 1}) })
	}},
	{name: "the device was stopped", between: func(s *script) { s.thread(func() { s.acquire(kernel.EndOf(interrupt)) }) }},
	{name: "nobody ever reads it", after: func(s *script) {}},
	{name: "a thread reads it", after: func(s *script) { s.thread(func() { s.read(s.x) }) }},
	{name: "a work item takes it", lost: true, after: func(s *script) {
		s.begin(kernel.WorkItemActivation, event)
		s.locked(s.x)
		s.end(event, 0)
	}},
	{name: "two DPCs read it", lost: true, after: func(s *script) {
		s.dpc(func() { s.read(s.x) })
		s.dpc(func() { s.read(s.x) })
	}},
}

// An event is lost if an ISR stored it and a later one overwrote it, before anybody
// has read it.
func TestQD5LostEvent(t *testing.T) {
	for _, c := range events {
		t.Run(c.name, func(t *testing.T) {
			_, s := lab(t)
			body := func(f func(*script), v uint64) func() {
				if f == nil {
					return s.store(v)
				}
				return func() { f(s) }
			}
			result := uint64(1)
			if c.returned > 0 {
				result = c.returned - 1
			}
			s.isr(result, body(c.first, 1))
			if c.between != nil {
				c.between(s)
			}
			s.isr(1, body(c.second, 2))
			if c.after == nil {
				s.dpc(func() { s.read(s.x) })
			} else {
				c.after(s)
			}
			check(t, lost.Find(s.records, nil), c.lost, lost.Event)
		})
	}
}
