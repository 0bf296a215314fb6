package lost

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// detector follows a run.
type detector struct {
	activations map[uint32]*activation // ISRs, DPCs and work items under way
	places      map[uint64][]*place    // that ISRs have written, by 8-byte granule
	all         []*place               // the same, in the order of the first writes
	losses      []Loss
	seen        map[[2]uint64]bool // pairs of program counters
}

// activation is a run of an ISR, a DPC or a work item.
type activation struct {
	id   uint32
	kind kernel.ActivationKind
	// Of an ISR.
	object   uint64           // KINTERRUPT
	values   []uint64         // that it has read from device registers
	writes   []*kernel.Record // its writes
	acquired []uint64         // locks and the like
	passes   bool             // it has handed something over: queued a DPC or a work item, set an event
	claimed  bool             // it has returned TRUE
}

func (d *detector) record(r *kernel.Record) {
	if r.Kind == kernel.RecordBegin {
		d.begin(r)
		return
	}
	if r.Kind.Access() {
		d.access(d.activations[r.Activation], r)
		return
	}
	a := d.activations[r.Activation]
	switch {
	case r.Kind == kernel.RecordAcquire && (a == nil || a.kind != kernel.ISRActivation):
		d.disconnected(r.Addr)
	case a == nil:
	case r.Kind == kernel.RecordEnd:
		a.claimed = r.Value&0xFF != 0 // a BOOLEAN
		delete(d.activations, r.Activation)
	case a.kind != kernel.ISRActivation:
	case r.Kind == kernel.RecordRegister && r.Value != 0:
		a.values = append(a.values, r.Value)
	case r.Kind == kernel.RecordAcquire:
		a.acquired = append(a.acquired, r.Addr)
	case r.Kind == kernel.RecordRelease:
		a.passes = a.passes || r.Addr != kernel.EndOf(a.object) && !slices.Contains(a.acquired, r.Addr)
	}
}

func (d *detector) begin(r *kernel.Record) {
	if kind := kernel.ActivationKind(r.Size); kind != kernel.ThreadActivation {
		d.activations[r.Activation] = &activation{id: r.Activation, kind: kind, object: r.Addr}
	}
}

// access looks at an access by an activation, nil if that is a thread.
func (d *detector) access(a *activation, r *kernel.Record) {
	isr := a != nil && a.kind == kernel.ISRActivation
	if !isr && len(d.all) == 0 {
		return
	}
	for _, p := range d.at(r) {
		if p.overlaps(r) {
			d.touch(p, a, r)
		}
	}
	if !isr || r.Kind == kernel.RecordRead {
		return
	}
	a.writes = append(a.writes, r)
	if size := uint64(r.Size); size > 0 && r.Addr&7+size <= 8 {
		d.placeOf(r).write(a, r)
	}
}

// wide is the size from which on an access is compared with every place.
const wide = 64

// at returns the places that an access may concern.
func (d *detector) at(r *kernel.Record) []*place {
	first, last := r.Addr>>3, (r.Addr+uint64(max(r.Size, 1))-1)>>3
	switch {
	case first == last:
		return d.places[first]
	case r.Size > wide:
		return d.all
	}
	var list []*place
	for g := first; g <= last; g++ {
		list = append(list, d.places[g]...)
	}
	return list
}

// placeOf returns the place that an ISR writes.
func (d *detector) placeOf(r *kernel.Record) *place {
	g := r.Addr >> 3
	if i := slices.IndexFunc(d.places[g], func(p *place) bool { return p.is(r) }); i >= 0 {
		return d.places[g][i]
	}
	p := &place{addr: r.Addr, size: r.Size}
	d.places[g], d.all = append(d.places[g], p), append(d.all, p)
	return p
}

// touch notes an access to a place.
func (d *detector) touch(p *place, a *activation, r *kernel.Record) {
	if a != nil && a.kind == kernel.ISRActivation {
		p.touchedByISR(a, r)
		return
	}
	if p.over != nil && a != nil && r.Kind != kernel.RecordWrite {
		d.found(*p.over)
		p.over = nil
	}
	p.touched(a, r)
}

// disconnected forgets what the ISR of an interrupt has left, when somebody waits
// for its end: the device is being stopped, and what it wanted does not matter.
func (d *detector) disconnected(object uint64) {
	if object&1 == 0 {
		return
	}
	for _, p := range d.all {
		if p.left != nil && kernel.EndOf(p.by.object) == object {
			p.left, p.event = nil, nil
		}
	}
}

// atRest finds the work that is left where everything has ended.
func (d *detector) atRest(m *kernel.Machine) {
	for _, p := range d.all {
		if p.left == nil || !p.taken || !p.by.claimed || p.by.passes {
			continue
		}
		if v, f := m.Mem.Load(p.addr, int(p.size)); f.Kind == mem.NoFault && v != 0 {
			d.found(Loss{Rule: Work, Write: *p.left})
		}
	}
}

func (d *detector) found(l Loss) {
	pair := [2]uint64{l.Write.PC, l.Over.PC}
	if !d.seen[pair] {
		d.seen[pair] = true
		d.losses = append(d.losses, l)
	}
}
