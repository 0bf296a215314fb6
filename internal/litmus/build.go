package litmus

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/wdf"
)

// Making the objects of a test: memory and kernel objects in pool, framework objects by a small driver that does what
// DriverEntry, EvtDriverDeviceAdd and the start of its device do.

// makeObjects makes everything in the order in which it is needed.
func (b *bench) makeObjects(s *wdf.Sys) {
	if b.guest != nil {
		b.guest.makeDriver(s)
		return
	}
	b.makeBlocks()
	b.makeDevices()
	b.makeDriver(s)
	for i := range b.test.Objects {
		if b.err == nil {
			b.initialize(s, &b.test.Objects[i])
		}
	}
	for i := range b.test.Objects {
		b.nameObject(&b.test.Objects[i])
	}
}

// bytes returns how much memory of the driver an object takes.
func (o *Object) bytes() uint64 {
	switch o.Kind {
	case KindKDPC, KindThreadedDPC:
		return kernel.DPCSize
	case KindSpinLock, KindVar:
		return 8
	case KindEvent:
		return kernel.EventSize
	}
	return 0
}

// makeBlocks allocates the pool blocks with what lies in them, and a block of its own for each other object in memory.
func (b *bench) makeBlocks() {
	for i := range b.test.Objects {
		o := &b.test.Objects[i]
		switch {
		case o.Kind == KindPool:
			b.makePool(o)
		case o.bytes() > 0 && o.Block == NoObject:
			b.objects[i].addr = b.m.Mem.Alloc(o.bytes(), poolTag, false, 0)
		}
	}
}

// makePool allocates a pool block. What lies in it begins behind a header, so that no address stands for two objects.
func (b *bench) makePool(block *Object) {
	size := uint64(16)
	for i := range b.test.Objects {
		if o := &b.test.Objects[i]; o.Block == block.ID {
			b.objects[i].addr = size
			size += o.bytes()
		}
	}
	addr := b.m.Mem.Alloc(size, poolTag, false, 0)
	b.objects[block.ID].addr = addr
	for i := range b.test.Objects {
		if b.test.Objects[i].Block == block.ID {
			b.objects[i].addr += addr
		}
	}
}

// kernelImportance are the importances of the kernel, by Importance.
var kernelImportance = [...]uint8{
	MediumImportance: kernel.MediumImportance, LowImportance: kernel.LowImportance,
	HighImportance: kernel.HighImportance, MediumHighImportance: kernel.MediumHighImportance,
}

// initialize gives an object its initial contents, or makes it.
func (b *bench) initialize(s *wdf.Sys, o *Object) {
	in := &b.objects[o.ID]
	switch o.Kind {
	case KindKDPC:
		s.KeInitializeDpc(in.addr, uint64(b.callback(ProgramDPC, o.ID)), 0)
	case KindThreadedDPC:
		s.KeInitializeThreadedDpc(in.addr, uint64(b.callback(ProgramDPC, o.ID)), 0)
	case KindWDFDPC:
		b.createDPC(s, o)
	case KindSpinLock:
		s.KeInitializeSpinLock(in.addr)
		b.m.NameLock(in.addr, o.Name)
	case KindEvent:
		s.KeInitializeEvent(in.addr, kernel.NotificationEvent, false)
	case KindTimer:
		b.createTimer(s, o)
	case KindWorkItem:
		b.createWorkItem(s, o)
	case KindRequest:
		b.createRequest(s, o)
	case KindVar:
		s.Store(in.addr, 8, uint64(b.constant(o.Cell.Values[0])))
	}
	if dpcKinds.has(o.Kind) && in.addr != 0 {
		if o.DPC.Importance != MediumImportance {
			s.KeSetImportanceDpc(in.addr, kernelImportance[o.DPC.Importance])
		}
		if o.DPC.Target != NoTarget {
			s.KeSetTargetProcessorDpc(in.addr, int8(o.DPC.Target))
		}
	}
}

// constant returns the value of a constant or the handle of an object.
func (b *bench) constant(e *Expr) int64 {
	if e.Kind == ExprObject {
		return b.Handle(e.Object)
	}
	return e.Value
}

// Handle returns what stands for an object in a register or a variable: its handle, or its address.
func (b *bench) Handle(o ObjectID) int64 {
	if h := b.objects[o].handle; h != 0 {
		return int64(h)
	}
	return int64(b.objects[o].addr)
}

// nameObject names an object in traces and reports.
func (b *bench) nameObject(o *Object) {
	in := &b.objects[o.ID]
	b.m.SetName(uint64(in.handle), o.Name)
	if o.Kind != KindInterrupt {
		b.m.SetName(in.addr, o.Name)
	}
}

// nameOf returns the name of the object that a handle or an address stands for.
func (b *bench) nameOf(v uint64) (name string, ok bool) {
	for i := range b.objects {
		if in := &b.objects[i]; v != 0 && (uint64(in.handle) == v || in.addr == v) {
			return b.test.Objects[i].Name, true
		}
	}
	return "", false
}

// memory returns the 8 bytes at an address, also of a block that was freed.
func (b *bench) memory(addr uint64) uint64 {
	v, f := b.m.Mem.Load(addr, 8)
	if f.Kind != mem.NoFault {
		return b.m.Mem.LoadAnyway(addr, 8)
	}
	return v
}
