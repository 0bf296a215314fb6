package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// lookaside is a WDFLOOKASIDE. Its buffers come from pool each time: that a real
// list hands out blocks again without zeroing them is not modelled.
type lookaside struct {
	size                uint64
	tag                 uint32
	paged               bool
	parent              id // of the memory objects
	context             *ContextType
	contextSizeOverride uint64
	cleanup, destroy    Callback
}

var (
	svcWdfLookasideListCreate       = kernel.NewLenientService("WdfLookasideListCreate")
	svcWdfMemoryCreateFromLookaside = kernel.NewLenientService("WdfMemoryCreateFromLookaside")
)

// WdfLookasideListCreate makes a list of buffers of one size for memory objects
// with the attributes memoryAttributes; these belong to the parent named there, or
// to the driver, not to the list. IRQL <= DISPATCH_LEVEL, for paged pool
// PASSIVE_LEVEL (fxlookasidelistapi.cpp).
func (s *Sys) WdfLookasideListCreate(a *ObjectAttributes, size uint64, poolType uint32, memoryAttributes *ObjectAttributes, tag uint32) (WDFLOOKASIDE, NTSTATUS) {
	s.Enter(svcWdfLookasideListCreate, size, uint64(poolType))
	parent, owner := s.parentOr(a, s.f.theDriver()), s.parentOr(memoryAttributes, s.f.theDriver())
	if size == 0 {
		return 0, s.LeaveStatus(StatusInvalidParameter)
	}
	st := checkAttributes(a, false)
	if !st.Failed() {
		st = checkAttributes(memoryAttributes, false)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	l := lookaside{size: size, tag: tag, paged: poolType&1 != 0, parent: owner}
	if l.tag == 0 {
		l.tag = kernel.PoolTag("FxLo")
	}
	limit := uint8(DispatchLevel)
	if l.paged {
		limit = PassiveLevel
	}
	if s.levelBreak("WdfLookasideListCreate", "IRQL-12", limit) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.Step()
	if d, e := s.f.deviceOf(parent), s.f.deviceOf(owner); l.paged && d != 0 && e != 0 && d != e {
		return 0, s.LeaveStatus(StatusInvalidParameter)
	}
	if st = s.f.checkParent(parent); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	if m := memoryAttributes; m != nil {
		l.context, l.contextSizeOverride = m.ContextType, m.ContextSizeOverride
		l.cleanup, l.destroy = m.EvtCleanupCallback, m.EvtDestroyCallback
	}
	s.f.lookasides = append(s.f.lookasides, l)
	return s.create(TypeLookaside, parent, len(s.f.lookasides)-1, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// WdfMemoryCreateFromLookaside makes a memory object with a buffer of a lookaside
// list. IRQL <= DISPATCH_LEVEL, for paged pool <= APC_LEVEL
// (fxmemorybufferapi.cpp).
func (s *Sys) WdfMemoryCreateFromLookaside(h WDFLOOKASIDE) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfMemoryCreateFromLookaside, uint64(h))
	l := s.f.lookasides[s.row(h, TypeLookaside)]
	limit := uint8(DispatchLevel)
	if l.paged {
		limit = APCLevel
	}
	s.levelReport("WdfMemoryCreateFromLookaside", "IRQL-11", limit)
	s.Step()
	if st := s.f.checkParent(l.parent); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	p := s.f.m.Mem.Alloc(l.size, l.tag, l.paged, s.ActivationID())
	if p == 0 {
		return 0, s.LeaveStatus(StatusInsufficientResources)
	}
	a := &ObjectAttributes{ContextType: l.context, ContextSizeOverride: l.contextSizeOverride, EvtCleanupCallback: l.cleanup, EvtDestroyCallback: l.destroy}
	i := s.addMemory(memory{buffer: p, size: l.size, owned: p}, l.parent, a)
	return i.handle(), s.LeaveStatus(StatusSuccess)
}
