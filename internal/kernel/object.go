package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// The object manager, as far as drivers need it: events and threads that are
// reached through handles, and how many references each has.

// ObjectType is a type of objects.
type ObjectType uint8

// Types of objects. A driver knows them by the address of an OBJECT_TYPE.
const (
	AnyType ObjectType = iota
	EventType
	FileType
	ThreadType
	ProcessType
	SemaphoreType
	DeviceType
	DriverType
	TransactionType
	numObjectTypes
)

// object is an object that handles or counted pointers refer to.
type object struct {
	addr    uint64
	typ     ObjectType
	name    string // of a named event; "" without one
	refs    int32  // also those of the handles
	handles int32
}

// handleBase is what all kernel handles have set.
const handleBase = 0xFFFFFFFF_80000000

// currentThread is the handle that stands for the thread itself
// (NtCurrentThread).
const currentThread = 0xFFFFFFFF_FFFFFFFE

// Status values of the object manager.
const (
	StatusInvalidHandle      NTSTATUS = 0xC0000008
	StatusObjectTypeMismatch NTSTATUS = 0xC0000024
)

// ObjectTypeAddress returns the address of the OBJECT_TYPE of a type. What it
// has inside is the kernel's alone.
func (m *Machine) ObjectTypeAddress(typ ObjectType) uint64 {
	if m.objectTypes == 0 {
		m.objectTypes = m.mapOpaque(1, "OBJECT_TYPE")
	}
	return m.objectTypes + uint64(typ)*0x100
}

// addObject makes the memory at addr an object with one reference.
func (m *Machine) addObject(addr uint64, typ ObjectType) *object {
	m.objects = append(m.objects, object{addr: addr, typ: typ, refs: 1})
	return &m.objects[len(m.objects)-1]
}

// object returns the live object at an address, nil if there is none.
func (m *Machine) object(addr uint64) *object {
	for i := range m.objects {
		if o := &m.objects[i]; o.addr == addr && o.refs > 0 {
			return o
		}
	}
	return nil
}

// newHandle returns a handle of an object.
func (m *Machine) newHandle(o *object) uint64 {
	o.refs++
	o.handles++
	m.handles = append(m.handles, o.addr)
	return handleBase | uint64(4*len(m.handles))
}

// byHandle returns the object of a handle, nil if it is none.
func (t *Thread) byHandle(h uint64) *object {
	if h == currentThread {
		return t.m.object(t.Object())
	}
	i := (h&^handleBase)/4 - 1
	if h&handleBase != handleBase || h&3 != 0 || i >= uint64(len(t.m.handles)) {
		return nil
	}
	return t.m.object(t.m.handles[i])
}

var (
	svcObReferenceObjectByHandle = NewService("ObReferenceObjectByHandle")
	svcObfReferenceObject        = NewService("ObfReferenceObject")
	svcObfDereferenceObject      = NewService("ObfDereferenceObject")
	svcZwClose                   = NewService("ZwClose")
	svcZwWaitForSingleObject     = NewService("ZwWaitForSingleObject")
	svcZwCreateEvent             = NewService("ZwCreateEvent")
)

// ObReferenceObjectByHandle returns the object behind a kernel handle with one
// more reference. typ is the address of an OBJECT_TYPE, 0 for any. A handle of
// the kernel is none to a caller that asks with access mode UserMode.
// PASSIVE_LEVEL.
func (t *Thread) ObReferenceObjectByHandle(h, typ uint64, user bool) (addr uint64, s NTSTATUS) {
	t.Enter(svcObReferenceObjectByHandle, h, typ)
	t.point(op{})
	switch o := t.byHandle(h); {
	case o == nil || user && h != currentThread:
		s = StatusInvalidHandle
	case typ != 0 && typ != t.m.ObjectTypeAddress(o.typ):
		s = StatusObjectTypeMismatch
	default:
		o.refs++
		addr = o.addr
	}
	return addr, t.LeaveStatus(s)
}

// ObfReferenceObject counts one more reference to an object and returns their
// number. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ObfReferenceObject(addr uint64) int32 {
	t.Enter(svcObfReferenceObject, addr)
	t.point(op{})
	o := t.counted(addr)
	o.refs++
	n := o.refs
	t.Leave(trace.Decimal, uint64(n))
	return n
}

// ObfDereferenceObject takes one reference back; an object without references
// is deleted. One too many is bug check 0x18. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ObfDereferenceObject(addr uint64) int32 {
	t.Enter(svcObfDereferenceObject, addr)
	t.point(op{})
	o := t.counted(addr)
	if o.refs-1 < o.handles+int32(b2u(o.typ == ThreadType && t.m.runs(o.addr))) {
		t.BugCheck(0x18, [4]uint64{t.m.ObjectTypeAddress(o.typ), addr}, "object reference",
			"an object is dereferenced more often than it was referenced: what is left are its handles")
	}
	n := t.release(o)
	t.Leave(trace.Decimal, uint64(n))
	return n
}

// counted returns the object that a driver passes.
func (t *Thread) counted(addr uint64) *object {
	if o := t.m.object(addr); o != nil {
		return o
	}
	for i := range t.m.objects {
		if o := &t.m.objects[i]; o.addr == addr {
			t.BugCheck(0x18, [4]uint64{t.m.ObjectTypeAddress(o.typ), addr, 2}, "object reference",
				"a reference to an object that has been deleted: its last reference was given up before")
		}
	}
	t.Unsupported(fmt.Sprintf("the reference count of the object at 0x%X, which is neither an event nor a thread", addr))
	return nil
}

// release takes a reference back and returns how many are left.
func (t *Thread) release(o *object) int32 {
	o.refs--
	n := o.refs
	if n > 0 {
		return n
	}
	if o.typ == ThreadType {
		t.m.Mem.Unmap(o.addr&^(threadPage-1), 2)
	} else {
		t.FreeBlock(o.addr)
	}
	return 0
}

// ZwClose closes a handle. One that is not open is reported:
// STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
func (t *Thread) ZwClose(h uint64) NTSTATUS {
	t.Enter(svcZwClose, h)
	t.point(op{})
	if h == currentThread {
		return t.LeaveStatus(StatusSuccess)
	}
	o := t.byHandle(h)
	if o == nil {
		t.Report(Finding{Rule: "invalid handle", Clause: "ZwClose", Text: fmt.Sprintf(
			"ZwClose of 0x%X, which is not an open handle: with a debugger bug check 0x93 (INVALID_KERNEL_HANDLE)", h)})
		return t.LeaveStatus(StatusInvalidHandle)
	}
	t.m.handles[(h&^handleBase)/4-1] = 0
	o.handles--
	t.release(o)
	return t.LeaveStatus(StatusSuccess)
}

// ZwWaitForSingleObject waits for the object of a handle. PASSIVE_LEVEL.
func (t *Thread) ZwWaitForSingleObject(h uint64, timeout Timeout) NTSTATUS {
	t.Enter(svcZwWaitForSingleObject, h)
	o := t.byHandle(h)
	if o == nil {
		return t.LeaveStatus(StatusInvalidHandle)
	}
	return t.LeaveStatus(t.WaitFor(o.addr, timeout))
}

// ZwCreateEvent makes an event without a name and returns its handle.
// PASSIVE_LEVEL.
func (t *Thread) ZwCreateEvent(typ uint8, signalled bool) (h uint64, s NTSTATUS) {
	t.Enter(svcZwCreateEvent, uint64(typ))
	_, h = t.NewEvent(typ, signalled)
	return h, t.LeaveStatus(StatusSuccess)
}

// NewEvent makes an event object in non-paged pool, and a handle of it, which
// is its only reference.
func (t *Thread) NewEvent(typ uint8, signalled bool) (addr, h uint64) {
	t.point(op{})
	addr = t.m.Mem.Alloc(EventSize, tag("Even"), false, t.ActivationID())
	t.InitializeEvent(addr, typ, signalled)
	o := t.m.addObject(addr, EventType)
	h = t.m.newHandle(o)
	o.refs-- // of its maker
	return addr, h
}

// OpenNamedEvent returns a new handle of the event with a name, and the event;
// 0 if there is none.
func (t *Thread) OpenNamedEvent(name string) (h, addr uint64) {
	for i := range t.m.objects {
		if o := &t.m.objects[i]; name != "" && o.name == name && o.refs > 0 {
			return t.m.newHandle(o), o.addr
		}
	}
	return 0, 0
}

// NameEvent gives an event that NewEvent made a name.
func (t *Thread) NameEvent(addr uint64, name string) {
	t.m.object(addr).name = name
	t.m.SetName(addr, name)
}
