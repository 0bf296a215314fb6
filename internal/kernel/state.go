package kernel

import (
	"encoding/binary"
	"slices"

	"github.com/dirql/dirql/internal/mem"
)

// State is a 128-bit fingerprint of everything that can influence what happens
// later. Equal states have equal futures, provided that all driver code keeps
// its private state in simulated memory and in Thread.SetPosition.
type State mem.Hash

// EnableHash starts keeping the fingerprint of memory; without it Hash means
// nothing.
func (m *Machine) EnableHash() { m.Mem.EnableHash() }

// DisableHash ends it.
func (m *Machine) DisableHash() { m.Mem.DisableHash() }

// Hash returns the fingerprint of the present state. Virtual time is a part of
// it, for it decides when the clock ticks and can be asked for. With
// Config.TicksLast it counts only as the time left until timed events: then a
// loop that polls comes back to the same state, but a driver that asks for the
// time, or whose DPC uses the one that a timer passes, cannot be explored with
// merging of equal states.
func (m *Machine) Hash() State {
	b := m.scratch[:0]
	for i := range m.procs {
		b = m.procs[i].appendState(b)
	}
	for _, t := range m.threads {
		b = t.appendState(b)
	}
	if !m.cfg.TicksLast || slices.ContainsFunc(m.procs, func(p processor) bool { return len(p.dpc.timers) > 0 }) {
		b = words(b, m.now)
	}
	b = words(b, uint64(len(m.threads)), uint64(len(m.interrupts)), uint64(len(m.timed)),
		uint64(len(m.work)), uint64(len(m.later)), uint64(len(m.ownedEvents)), uint64(len(m.windows)), uint64(len(m.gone)), uint64(len(m.findings)))
	b = m.appendLocks(b)
	for i := range m.ownedEvents {
		b = words(b, m.ownedEvents[i].event, uint64(m.ownedEvents[i].thread))
	}
	for i := range m.lines {
		l := &m.lines[i]
		b = words(b, l.sources, b2u(l.accepted)|b2u(l.masked)<<1|uint64(l.vector)<<8, uint64(l.repeats))
	}
	for i := range m.vectors {
		if v := &m.vectors[i]; v.chain != 0 || v.passive {
			b = words(b, uint64(i), uint64(v.chain), b2u(v.passive))
		}
	}
	for i := range m.interrupts {
		in := &m.interrupts[i]
		b = words(b, uint64(in.next), b2u(in.connected)|b2u(in.inactive)<<1|uint64(uint8(in.running))<<8, in.ServiceRoutine,
			in.Context, in.Affinity, in.SpinLock)
	}
	for i := range m.timed {
		e := &m.timed[i]
		b = words(b, uint64(e.kind), e.id, b2u(e.free))
		if (!e.free || e.last > 0) && e.kind != timedWork { // a watchdog is far away
			b = words(b, e.due-min(e.due, m.now), e.last-min(e.last, m.now))
		}
	}
	for i := range m.work {
		b = words(b, m.work[i].routine, mixed(m.work[i].args[:]), m.work[i].object, m.work[i].link)
	}
	for i := range m.later {
		b = words(b, b2u(m.later[i].used), m.later[i].routine, mixed(m.later[i].args[:]))
	}
	for i := range m.windows {
		b = words(b, m.windows[i].va, m.windows[i].pa, uint64(m.windows[i].pages))
	}
	for i := range m.objects {
		o := &m.objects[i]
		b = words(b, o.addr, uint64(o.typ)|uint64(uint32(o.refs))<<8, uint64(o.handles))
	}
	b = append(words(b, m.handles...), 0xFE)
	for _, g := range m.gone {
		b = words(b, g.from, g.to)
	}
	for i := range m.findings {
		f := &m.findings[i]
		b = words(b, uint64(f.Code), mixed(f.Params[:]), uint64(len(f.Rule)))
		b = append(b, f.Rule...)
	}
	for _, c := range m.components {
		b = append(b, 0xFF)
		b = c.AppendState(b)
	}
	m.scratch = b
	h := State(m.Mem.Hash())
	for len(b) >= 8 {
		h.add(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var last [8]byte
	copy(last[:], b)
	h.add(binary.LittleEndian.Uint64(last[:]) ^ uint64(len(m.scratch))<<56)
	return State{mem.Mix(h[0], h[1]), mem.Mix(h[1], ^h[0])}
}

// appendLocks appends the locks. Which activation took one is told by the depth
// of the stack of its thread.
func (m *Machine) appendLocks(b []byte) []byte {
	b = words(b, uint64(len(m.held)), uint64(len(m.lockQueue)), uint64(len(m.owned)), uint64(len(m.lockUses)), uint64(len(m.orders)))
	var held [2]uint64 // in which order they were taken does not matter
	for i := range m.held {
		h := &m.held[i]
		v := mixed([]uint64{h.addr, uint64(h.cpu) | uint64(h.thread)<<8 | uint64(h.depth)<<32, uint64(h.kind) | uint64(h.old)<<8})
		held[0], held[1] = held[0]+v, held[1]+mem.Mix(v, 0x9E3779B97F4A7C15)
	}
	b = words(b, held[:]...)
	for _, w := range m.lockQueue {
		b = words(b, w.addr, uint64(w.cpu))
	}
	for _, o := range m.owned {
		b = words(b, o.addr, uint64(o.thread)|uint64(o.depth)<<32, uint64(o.kind))
	}
	for _, u := range m.lockUses {
		b = words(b, u.addr, uint64(u.kind))
	}
	for _, o := range m.orders {
		b = words(b, o.outer, o.inner)
	}
	return b
}

// add mixes a word in, with one multiplication for each half: there are a few
// hundred words, and a search asks at each decision.
func (h *State) add(v uint64) {
	h[0] = stir(h[0], v, 0x9E3779B97F4A7C15)
	h[1] = stir(h[1], v+0x94D049BB133111EB, 0xD6E8FEB86659FD93)
}

// stir is a bijection of h, and of v, for each value of the other one.
func stir(h, v, odd uint64) uint64 {
	h = (h ^ v) * odd
	return h ^ h>>32
}

func words(b []byte, v ...uint64) []byte {
	for _, w := range v {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func (p *processor) appendState(b []byte) []byte {
	q := &p.dpc
	b = words(b, uint64(p.irql)|uint64(p.current)<<8|b2u(p.quantumEnd)<<40|b2u(q.requested)<<41|b2u(q.draining)<<42|b2u(q.active.dpc != 0)<<43|b2u(p.masked)<<44,
		uint64(len(q.entries)), uint64(len(q.timers)), uint64(q.maxDepth)|uint64(q.rate)<<16|uint64(q.inserts)<<32|uint64(q.adjust)<<48)
	b = words(b, p.raisedTicks, uint64(p.turns)|p.missedTicks<<8)
	for i := range p.pending {
		b = words(b, p.pending[i], p.inService[i])
	}
	for _, e := range q.entries {
		b = words(b, e.dpc)
	}
	b = words(b, uint64(len(p.threaded.entries))<<1|b2u(p.threaded.active.dpc != 0), q.active.dpc, p.threaded.active.dpc)
	for _, e := range p.threaded.entries {
		b = words(b, e.dpc)
	}
	return words(b, q.timers...)
}

func (t *Thread) appendState(b []byte) []byte {
	b = words(b, uint64(t.status)|uint64(t.cpu)<<8|uint64(t.wait.kind)<<16|uint64(t.savedIRQL)<<24|uint64(t.wait.status)<<32,
		uint64(t.criticalRegions), uint64(t.driverRegions)|uint64(t.guardedRegions)<<32, t.op.addr, uint64(t.op.kind), uint64(len(t.stack)), uint64(len(t.wait.objects))<<1|b2u(t.wait.all))
	if t.status == terminated {
		return b
	}
	b = words(b, uint64(t.base)|b2u(t.foreground)<<8|b2u(t.system)<<9|b2u(t.user)<<10|uint64(uint8(t.priority))<<16|uint64(t.process)<<32, t.affinity, t.routine, mixed(t.args[:]))
	if t.status == ready || t.status == waiting {
		b = words(b, t.rank())
	}
	if t.object != 0 || t.userAffinity != 0 {
		b = words(b, 2, t.object, t.userAffinity)
	}
	b = words(b, t.wait.objects...)
	if t.wait.mark != 0 {
		b = words(b, 1, t.m.olderDPCs(t.wait.mark))
	}
	for i := range t.stack {
		f := &t.stack[i]
		b = words(b, uint64(f.kind)|uint64(f.irql)<<8|uint64(f.interrupted.kind)<<16|uint64(f.points)<<32, f.interrupted.addr,
			f.code, f.object, f.rest, f.position, f.seen, f.kept, f.ticks|uint64(uint16(f.regions))<<32|uint64(uint16(f.guarded))<<48)
	}
	return b
}

// rank returns the number of threads that became ready, or began to wait,
// before t: what matters of seq.
func (t *Thread) rank() (n uint64) {
	for _, o := range t.m.threads {
		if o.status == t.status && o.seq < t.seq {
			n++
		}
	}
	return n
}

// olderDPCs tells which queue entries a flush with this mark still waits for.
func (m *Machine) olderDPCs(mark uint64) (set uint64) {
	n := 0
	add := func(seq uint64) {
		if seq != 0 && seq <= mark {
			set |= 1 << (n & 63)
		}
		n++
	}
	for i := range m.procs {
		p := &m.procs[i]
		add(p.dpc.active.seq)
		add(p.threaded.active.seq)
		for _, q := range p.queues() {
			for _, e := range *q {
				add(e.seq)
			}
		}
	}
	return set
}
