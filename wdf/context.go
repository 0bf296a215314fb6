package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"unsafe"
)

// ContextType describes a context structure of a driver: what
// WDF_DECLARE_CONTEXT_TYPE declares in C. Contexts lie in simulated memory; a
// driver in Go reaches their fields through typed accessors:
//
//	var deviceContext = wdf.NewContextType("DEVICE_CONTEXT")
//	var (
//		registers = wdf.NewField[uint64](deviceContext, "Registers")
//		pending   = wdf.NewField[uint32](deviceContext, "PendingInterrupts")
//	)
type ContextType struct {
	Name   string
	Size   uint64 // bytes
	fields []fieldInfo
}

type fieldInfo struct {
	name   string
	offset uint64
}

// NewContextType returns a context type without fields.
func NewContextType(name string) *ContextType { return &ContextType{Name: name} }

// Scalar is what a field can hold.
type Scalar interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64 | ~bool
}

// Field is a field of a context structure. Its methods are accesses of driver
// code to simulated memory: visible to other processors, and checked.
type Field[T Scalar] struct{ offset uint64 }

// NewField appends a field, aligned to its size.
func NewField[T Scalar](c *ContextType, name string) Field[T] {
	var zero T
	size := uint64(unsafe.Sizeof(zero))
	c.Size = (c.Size + size - 1) &^ (size - 1)
	f := Field[T]{c.Size}
	c.fields = append(c.fields, fieldInfo{name, c.Size})
	c.Size += size
	return f
}

// Addr returns the address of the field in the context at p.
func (f Field[T]) Addr(p uint64) uint64 { return p + f.offset }

// Load reads the field of the context at p.
func (f Field[T]) Load(s *Sys, p uint64) T {
	var zero T
	return fromWord[T](s.Load(p+f.offset, int(unsafe.Sizeof(zero))))
}

// Store writes the field of the context at p.
func (f Field[T]) Store(s *Sys, p uint64, v T) {
	s.Thread.Store(p+f.offset, int(unsafe.Sizeof(v)), toWord(v))
}

// Exchange writes the field and returns its old value, as InterlockedExchange
// does.
func (f Field[T]) Exchange(s *Sys, p uint64, v T) T {
	return fromWord[T](s.Update(p+f.offset, int(unsafe.Sizeof(v)), func(uint64) uint64 { return toWord(v) }))
}

// CompareExchange writes the field if it equals old, and returns what it was,
// as InterlockedCompareExchange does.
func (f Field[T]) CompareExchange(s *Sys, p uint64, v, old T) T {
	return fromWord[T](s.Update(p+f.offset, int(unsafe.Sizeof(v)), func(w uint64) uint64 {
		if w == toWord(old) {
			return toWord(v)
		}
		return w
	}))
}

// Add adds to an integer field and returns the new value, as InterlockedAdd
// does.
func Add[T ~uint32 | ~int32 | ~uint64 | ~int64](s *Sys, f Field[T], p uint64, delta T) T {
	size := int(unsafe.Sizeof(delta))
	return fromWord[T](s.Update(p+f.offset, size, func(w uint64) uint64 { return w + toWord(delta) })) + delta
}

// Or and And set and clear bits of an integer field and return the old value, as
// InterlockedOr and InterlockedAnd do.
func Or[T ~uint32 | ~uint64](s *Sys, f Field[T], p uint64, bits T) T {
	return fromWord[T](s.Update(p+f.offset, int(unsafe.Sizeof(bits)), func(w uint64) uint64 { return w | toWord(bits) }))
}

// And: see Or.
func And[T ~uint32 | ~uint64](s *Sys, f Field[T], p uint64, bits T) T {
	return fromWord[T](s.Update(p+f.offset, int(unsafe.Sizeof(bits)), func(w uint64) uint64 { return w & toWord(bits) }))
}

// toWord and fromWord convert between a scalar and its bytes in memory, little
// endian.
func toWord[T Scalar](v T) uint64 {
	switch unsafe.Sizeof(v) {
	case 1:
		return uint64(*(*uint8)(unsafe.Pointer(&v)))
	case 2:
		return uint64(*(*uint16)(unsafe.Pointer(&v)))
	case 4:
		return uint64(*(*uint32)(unsafe.Pointer(&v)))
	}
	return *(*uint64)(unsafe.Pointer(&v))
}

func fromWord[T Scalar](w uint64) (v T) {
	switch unsafe.Sizeof(v) {
	case 1:
		if _, isBool := any(v).(bool); isBool {
			w = boolValue(w&0xFF != 0)
		}
		*(*uint8)(unsafe.Pointer(&v)) = uint8(w)
	case 2:
		*(*uint16)(unsafe.Pointer(&v)) = uint16(w)
	case 4:
		*(*uint32)(unsafe.Pointer(&v)) = uint32(w)
	default:
		*(*uint64)(unsafe.Pointer(&v)) = w
	}
	return v
}

// context is a context of an object, with the callbacks of the attributes that
// it was added with.
type context struct {
	typ              *ContextType
	addr             uint64
	cleanup, destroy Callback
	next             int32
}

func (s *Sys) addContext(i id, c *ContextType, override uint64) uint64 {
	f := s.f
	size := max(c.Size, override, 1)
	addr := f.m.Mem.Alloc(size, kernel.PoolTag("FxCx"), false, s.ActivationID())
	last := &f.objects[i].contexts
	for *last != 0 {
		last = &f.contexts[*last].next
	}
	*last = int32(len(f.contexts))
	f.contexts = append(f.contexts, context{typ: c, addr: addr})
	f.m.SetName(addr, c.Name)
	return addr
}

func (f *Framework) findContext(i id, c *ContextType) uint64 {
	for n := f.objects[i].contexts; n != 0; n = f.contexts[n].next {
		if f.contexts[n].typ == c {
			return f.contexts[n].addr
		}
	}
	return 0
}

// contextNames names the contexts of drivers in Go.
type contextNames struct{ f *Framework }

// Field implements kernel.Namer.
func (n contextNames) Field(typeName string, offset, _ uint64) (kernel.Place, bool) {
	for i := range n.f.contexts {
		c := n.f.contexts[i].typ
		if c == nil || c.Name != typeName {
			continue
		}
		for k := len(c.fields) - 1; k >= 0; k-- {
			if c.fields[k].offset <= offset {
				name := c.Name + "." + c.fields[k].name
				return kernel.Place{Name: name, Kind: name}, true
			}
		}
	}
	return kernel.Place{}, false
}

// Variable implements kernel.Namer: those of a driver in Go are not in simulated
// memory.
func (contextNames) Variable(_, _ uint64) (kernel.Place, bool) { return kernel.Place{}, false }

func (s *Sys) freeContexts(i id) {
	f := s.f
	for n := f.objects[i].contexts; n != 0; n = f.contexts[n].next {
		f.m.Mem.Free(f.contexts[n].addr, s.ActivationID())
	}
}

var (
	svcWdfObjectGetTypedContextWorker = kernel.NewService("WdfObjectGetTypedContextWorker")
	svcWdfObjectAllocateContext       = kernel.NewService("WdfObjectAllocateContext")
)

// WdfObjectGetTypedContext returns the address of an object's context of a
// type, 0 if it has none. Any IRQL.
func (s *Sys) WdfObjectGetTypedContext(h WDFOBJECT, c *ContextType) uint64 {
	s.Enter(svcWdfObjectGetTypedContextWorker, uint64(h))
	p := s.f.findContext(s.lookup(h, TypeObject), c)
	s.Leave(trace.Hex, p)
	return p
}

// WdfObjectAllocateContext adds a context to an object and returns its address.
// An object that has one of that type keeps it: STATUS_OBJECT_NAME_EXISTS. The
// cleanup and destroy callbacks of the attributes are called after those of the
// object. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfObjectAllocateContext(h WDFOBJECT, a *ObjectAttributes) (uint64, NTSTATUS) {
	s.Enter(svcWdfObjectAllocateContext, uint64(h))
	s.lookup(h, TypeObject)
	s.requirePointer(a != nil && a.ContextType != nil, "ContextAttributes")
	s.Step()
	i := s.lookup(h, TypeObject)
	switch p := s.f.findContext(i, a.ContextType); {
	case s.f.objects[i].state != live:
		return 0, s.LeaveStatus(StatusDeletePending)
	case p != 0:
		return p, s.LeaveStatus(StatusObjectNameExists)
	}
	p := s.addContext(i, a.ContextType, a.ContextSizeOverride)
	c := &s.f.contexts[len(s.f.contexts)-1]
	c.cleanup, c.destroy = a.EvtCleanupCallback, a.EvtDestroyCallback
	return p, s.LeaveStatus(StatusSuccess)
}
