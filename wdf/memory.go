package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// memory is a WDFMEMORY.
type memory struct {
	buffer, size uint64
	owned        uint64    // the buffer, if it goes with the object; 0: it is somebody else's
	request      requestID // whose buffer it is, 0: none
	mdl          uint64    // that locks and maps the buffer and goes with the object, 0: none
}

// Pool types that WdfMemoryCreate knows (POOL_TYPE); the lowest bit says paged.
const (
	NonPagedPool   = 0
	PagedPool      = 1
	NonPagedPoolNx = 512
)

var (
	svcWdfMemoryCreate             = kernel.NewLenientService("WdfMemoryCreate")
	svcWdfMemoryCreatePreallocated = kernel.NewService("WdfMemoryCreatePreallocated")
	svcWdfMemoryGetBuffer          = kernel.NewService("WdfMemoryGetBuffer")
	svcWdfMemoryCopyToBuffer       = kernel.NewService("WdfMemoryCopyToBuffer")
	svcWdfMemoryCopyFromBuffer     = kernel.NewService("WdfMemoryCopyFromBuffer")
)

// addMemory makes the object.
func (s *Sys) addMemory(m memory, parent id, a *ObjectAttributes) id {
	f := s.f
	f.memories = append(f.memories, m)
	return s.create(TypeMemory, parent, len(f.memories)-1, a, "")
}

// memory returns the row behind a WDFMEMORY handle. The handle of a memory object
// that has gone with its request breaks a rule of its own.
func (s *Sys) memory(h WDFMEMORY) *memory {
	f := s.f
	n := (uint64(h) ^ handleMask) - objectBase
	if i := n >> 6; n&63 == 0 && i > 0 && i < uint64(len(f.objects)) && f.object(h) == 0 && f.objects[i].typ == TypeMemory {
		if r := f.memories[f.objects[i].index].request; r != 0 {
			s.Stop(kernel.Finding{Code: 0x10D, Params: [4]uint64{5, uint64(h), uint64(TypeMemory)}, Rule: "MemAfterReqCompleted", Clause: "IOQ-10",
				Text: fmt.Sprintf("%s is used after its request, %s, was completed", f.m.NameOf(uint64(h)), f.requestName(r))})
		}
	}
	return &f.memories[s.row(h, TypeMemory)]
}

// WdfMemoryCreate makes a memory object with a buffer in pool and returns both.
// Without a parent it belongs to the driver. IRQL <= DISPATCH_LEVEL, for paged
// pool <= APC_LEVEL.
func (s *Sys) WdfMemoryCreate(a *ObjectAttributes, poolType, tag uint32, size uint64) (WDFMEMORY, uint64, NTSTATUS) {
	s.Enter(svcWdfMemoryCreate, uint64(poolType), size)
	parent := s.parentOr(a, s.f.theDriver())
	s.adviseParent("ParentObjectCheck", a)
	limit := uint8(DispatchLevel)
	if poolType&1 != 0 {
		limit = APCLevel
	}
	if s.levelBreak("WdfMemoryCreate", "IRQL-11", limit) {
		return 0, 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.Step()
	st := checkAttributes(a, false)
	if size == 0 {
		st = StatusInvalidParameter
	}
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, 0, s.LeaveStatus(st)
	}
	if tag == 0 {
		tag = kernel.PoolTag("FxMe")
	}
	p := s.f.m.Mem.Alloc(size, tag, poolType&1 != 0, s.ActivationID())
	if p == 0 {
		return 0, 0, s.LeaveStatus(StatusInsufficientResources)
	}
	i := s.addMemory(memory{buffer: p, size: size, owned: p}, parent, a)
	return i.handle(), p, s.LeaveStatus(StatusSuccess)
}

// WdfMemoryCreatePreallocated makes a memory object for a buffer of the driver's.
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfMemoryCreatePreallocated(a *ObjectAttributes, buffer, size uint64) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfMemoryCreatePreallocated, buffer, size)
	parent := s.parentOr(a, s.f.theDriver())
	s.requirePointer(buffer != 0, "Buffer")
	s.adviseParent("ParentObjectCheck", a)
	s.Step()
	st := checkAttributes(a, false)
	if size == 0 {
		st = StatusInvalidParameter
	}
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	i := s.addMemory(memory{buffer: buffer, size: size}, parent, a)
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfMemoryGetBuffer returns the buffer of a memory object and its size. Any
// IRQL.
func (s *Sys) WdfMemoryGetBuffer(h WDFMEMORY) (buffer, size uint64) {
	s.Enter(svcWdfMemoryGetBuffer, uint64(h))
	m := s.memory(h)
	buffer, size = m.buffer, m.size
	s.Leave(trace.Hex, buffer)
	return buffer, size
}

// WdfMemoryCopyToBuffer copies n bytes of a memory object to an address.
// STATUS_BUFFER_TOO_SMALL: it does not have them. Any IRQL at which both can be
// touched.
func (s *Sys) WdfMemoryCopyToBuffer(h WDFMEMORY, offset, buffer, n uint64) NTSTATUS {
	s.Enter(svcWdfMemoryCopyToBuffer, uint64(h), offset, buffer, n)
	m := *s.memory(h)
	s.requirePointer(buffer != 0, "Buffer")
	switch {
	case n == 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case offset >= m.size || n > m.size-offset:
		return s.LeaveStatus(StatusBufferTooSmall)
	}
	s.copyBytes(buffer, m.buffer+offset, n)
	return s.LeaveStatus(StatusSuccess)
}

// WdfMemoryCopyFromBuffer copies n bytes at an address into a memory object.
// STATUS_INVALID_BUFFER_SIZE: it has no room for them. Any IRQL at which both can
// be touched.
func (s *Sys) WdfMemoryCopyFromBuffer(h WDFMEMORY, offset, buffer, n uint64) NTSTATUS {
	s.Enter(svcWdfMemoryCopyFromBuffer, uint64(h), offset, buffer, n)
	m := *s.memory(h)
	s.requirePointer(buffer != 0, "Buffer")
	switch {
	case n == 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case offset >= m.size || n > m.size-offset:
		return s.LeaveStatus(StatusInvalidBufferSize)
	}
	s.copyBytes(m.buffer+offset, buffer, n)
	return s.LeaveStatus(StatusSuccess)
}

// copyBytes is RtlCopyMemory. What was read is in a Go slice while the write
// waits for its turn: its fingerprint is the position.
func (s *Sys) copyBytes(to, from, n uint64) {
	p := make([]byte, n)
	s.ReadBytes(from, p)
	s.SetPosition(fingerprint(p))
	s.WriteBytes(to, p)
}

// fingerprint is FNV-1a.
func fingerprint(p []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range p {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}
