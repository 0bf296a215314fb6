package bind

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
	"github.com/dirql/dirql/wdf"
)

// call is a call of an import by guest code.
type call struct {
	*wdf.Sys
	d      *Driver
	cpu    *x86.CPU
	caller uint64 // return address
	r      *routine
	over   bool // the guest code that made the call is given up

	result uint64
	body   func() // result = r.fn
}

// newCall returns what the calls of one activation use, one after the other.
func newCall() *call {
	c := &call{}
	c.body = func() { c.result = c.r.fn(c) }
	return c
}

// arg returns argument n, from 0.
func (c *call) arg(n int) uint64 {
	switch n {
	case 0:
		return c.cpu.R[x86.RCX]
	case 1:
		return c.cpu.R[x86.RDX]
	case 2:
		return c.cpu.R[x86.R8]
	case 3:
		return c.cpu.R[x86.R9]
	}
	return c.d.stackWord(c.Thread, c.cpu, n+1)
}

func (c *call) handle(n int) wdf.Handle     { return wdf.Handle(c.arg(n)) }
func (c *call) callback(n int) wdf.Callback { return wdf.Callback(c.arg(n)) }
func (c *call) word(n int) uint32           { return uint32(c.arg(n)) }
func (c *call) flag(n int) bool             { return c.arg(n)&0xFF != 0 }

// load and store are accesses of the callee to memory that the caller gave it;
// what is wrong with them is the caller's fault.
func (c *call) load(addr uint64, size int) uint64 {
	v, f := c.d.m.Mem.Load(addr, size)
	if f.Kind != mem.NoFault {
		c.GuestFault(f, c.caller)
	}
	return v
}

func (c *call) store(addr uint64, size int, v uint64) {
	if f := c.d.m.Mem.Store(addr, size, v); f.Kind != mem.NoFault {
		c.GuestFault(f, c.caller)
	}
}

// create calls a routine that makes an object, and gives its handle to argument n,
// which must not be NULL.
func (c *call) create(n int, what string, f func() (wdf.Handle, wdf.NTSTATUS)) uint64 {
	if c.arg(n) == 0 {
		c.WithoutResult(what, func() { f() })
	}
	h, st := f()
	if !st.Failed() {
		c.give(n, uint64(h))
	}
	return uint64(st)
}

// give stores a result where an argument points to, unless it is NULL.
func (c *call) give(n int, v uint64) {
	if p := c.arg(n); p != 0 {
		c.store(p, 8, v)
	}
}

// structure reads fields of a structure in guest memory by name. Fields that
// lie beyond its Size, in an older version of it, read as absent.
type structure struct {
	c    *call
	addr uint64
	typ  ddi.StructType
	size uint64
}

// structure returns the structure that argument n points to; nil for NULL.
func (c *call) structure(n int, name string) *structure { return c.structureAt(c.arg(n), name) }

func (c *call) structureAt(addr uint64, name string) *structure {
	if addr == 0 {
		return nil
	}
	return c.view(addr, name)
}

// pointee is structure for a routine that takes the pointer as it is: NULL is
// an address like any other, and a fault.
func (c *call) pointee(n int, name string) *structure { return c.view(c.arg(n), name) }

func (c *call) view(addr uint64, name string) *structure {
	typ, ok := ddi.Struct(name)
	if !ok {
		panic("BUG: no structure " + name)
	}
	s := &structure{c: c, addr: addr, typ: typ, size: typ.Size}
	if f, ok := typ.Field("Size"); ok && f.Offset == 0 && f.Size == 4 {
		s.size = c.load(addr, 4) // a driver of an older version has a shorter one
	}
	return s
}

// field returns the value of a field, and whether the structure has it.
func (s *structure) field(name string) (uint64, bool) {
	f, ok := s.typ.Field(name)
	if !ok {
		panic("BUG: " + s.typ.Name + " has no field " + name)
	}
	if f.Offset+f.Size > s.size {
		return 0, false
	}
	return s.c.load(s.addr+f.Offset, int(f.Size)), true
}

// get returns the value of a field, 0 if the structure does not have it.
func (s *structure) get(name string) uint64 {
	v, _ := s.field(name)
	return v
}

func (s *structure) callback(name string) wdf.Callback { return wdf.Callback(s.get(name)) }
func (s *structure) flag(name string) bool             { return s.get(name)&0xFF != 0 }

// set writes a field.
func (s *structure) set(name string, v uint64) {
	f, ok := s.typ.Field(name)
	if !ok {
		panic("BUG: " + s.typ.Name + " has no field " + name)
	}
	s.c.store(s.addr+f.Offset, int(f.Size), v)
}

// attributes reads WDF_OBJECT_ATTRIBUTES; nil for NULL. What the package wdf takes
// as a default is wrong in guest memory, as in one that was zeroed only.
func (c *call) attributes(n int) *wdf.ObjectAttributes {
	s := c.structure(n, "WDF_OBJECT_ATTRIBUTES")
	if s == nil {
		return nil
	}
	if s.size != wdf.ObjectAttributesSize {
		return &wdf.ObjectAttributes{Size: 1}
	}
	level, scope := wdf.ExecutionLevel(s.get("ExecutionLevel")), wdf.SynchronizationScope(s.get("SynchronizationScope"))
	if level == 0 {
		level = -1
	}
	if scope == 0 {
		scope = -1
	}
	return &wdf.ObjectAttributes{
		EvtCleanupCallback: s.callback("EvtCleanupCallback"), EvtDestroyCallback: s.callback("EvtDestroyCallback"),
		ExecutionLevel: level, SynchronizationScope: scope,
		ParentObject: wdf.Handle(s.get("ParentObject")), ContextSizeOverride: s.get("ContextSizeOverride"),
		ContextType: c.contextType(s.get("ContextTypeInfo")),
	}
}

// contextType returns the context type that a WDF_OBJECT_CONTEXT_TYPE_INFO
// describes; nil for NULL. Its UniqueType, if set, stands for it.
func (c *call) contextType(info uint64) *wdf.ContextType {
	if info == 0 {
		return nil
	}
	s := c.structureAt(info, "WDF_OBJECT_CONTEXT_TYPE_INFO")
	if unique := s.get("UniqueType"); unique != 0 && unique != info {
		info, s = unique, c.structureAt(unique, "WDF_OBJECT_CONTEXT_TYPE_INFO")
	}
	t := c.d.types[info]
	if t == nil {
		t = wdf.NewContextType(c.text(s.get("ContextName")))
		t.Size = s.get("ContextSize")
		c.d.types[info] = t
	}
	return t
}

// maxText bounds strings that a driver passes, in bytes.
const maxText = 512

// text reads a zero-terminated string.
func (c *call) text(addr uint64) string {
	var b []byte
	for addr != 0 && len(b) < maxText {
		ch := byte(c.load(addr+uint64(len(b)), 1))
		if ch == 0 {
			break
		}
		b = append(b, ch)
	}
	return string(b)
}
