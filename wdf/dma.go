package wdf

import (
	"math"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// DMAProfile is WDF_DMA_PROFILE.
type DMAProfile uint32

// Values of DMAProfile.
const (
	DMAProfileInvalid               DMAProfile = 0
	DMAProfilePacket                DMAProfile = 1
	DMAProfileScatterGather         DMAProfile = 2
	DMAProfilePacket64              DMAProfile = 3
	DMAProfileScatterGather64       DMAProfile = 4
	DMAProfileScatterGather64Duplex DMAProfile = 5
	DMAProfileScatterGatherDuplex   DMAProfile = 6
	DMAProfileSystem                DMAProfile = 7
	DMAProfileSystemDuplex          DMAProfile = 8
)

// wide reports whether the device can address more than 4 GB.
func (p DMAProfile) wide() bool {
	return p == DMAProfilePacket64 || p == DMAProfileScatterGather64 || p == DMAProfileScatterGather64Duplex
}

// scatters reports whether the device gets lists of more than one element.
func (p DMAProfile) scatters() bool { return p != DMAProfilePacket && p != DMAProfilePacket64 }

// Accepted sizes of WDF_DMA_ENABLER_CONFIG in bytes.
const (
	DMAEnablerConfigSize  = 80 // 1.11 and later
	dmaEnablerConfigSize9 = 64 // without AddressWidthOverride and what follows
)

// DMAEnablerConfig is WDF_DMA_ENABLER_CONFIG.
type DMAEnablerConfig struct {
	Size                  uint32
	Profile               DMAProfile
	MaximumLength         uint64 // bytes of one transfer
	Callbacks             bool   // one of the EvtDmaEnabler callbacks is set
	AddressWidthOverride  uint32 // bits; 0: that of the profile
	WdmDmaVersionOverride uint32
	Flags                 uint32
}

// DMAEnablerConfigInit is WDF_DMA_ENABLER_CONFIG_INIT.
func DMAEnablerConfigInit(p DMAProfile, maximumLength uint64) DMAEnablerConfig {
	return DMAEnablerConfig{Size: DMAEnablerConfigSize, Profile: p, MaximumLength: maximumLength}
}

// unlimitedFragments is WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS.
const unlimitedFragments = math.MaxUint32

// dmaEnabler is a WDFDMAENABLER.
type dmaEnabler struct {
	device        id
	profile       DMAProfile
	maximumLength uint64
	elements      uint64 // most elements of a scatter/gather list
	highest       uint64 // physical address that the device can reach
	alignment     uint64 // of common buffers: a mask
	version3      bool   // WDM DMA version 3
}

// commonBuffer is a WDFCOMMONBUFFER. Logical addresses are physical ones: there is
// no IOMMU.
type commonBuffer struct {
	block   uint64 // as it was allocated
	address uint64 // aligned
	logical uint64
	length  uint64
}

var (
	svcWdfDmaEnablerCreate                         = kernel.NewLenientService("WdfDmaEnablerCreate")
	svcWdfDmaEnablerGetMaximumLength               = kernel.NewService("WdfDmaEnablerGetMaximumLength")
	svcWdfDmaEnablerGetMaximumScatterGatherElement = kernel.NewService("WdfDmaEnablerGetMaximumScatterGatherElements")
	svcWdfDmaEnablerSetMaximumScatterGatherElement = kernel.NewLenientService("WdfDmaEnablerSetMaximumScatterGatherElements")
	svcWdfCommonBufferCreate                       = kernel.NewLenientService("WdfCommonBufferCreate")
	svcWdfCommonBufferCreateWithConfig             = kernel.NewLenientService("WdfCommonBufferCreateWithConfig")
	svcWdfCommonBufferGetAlignedVirtualAddress     = kernel.NewService("WdfCommonBufferGetAlignedVirtualAddress")
	svcWdfCommonBufferGetAlignedLogicalAddress     = kernel.NewService("WdfCommonBufferGetAlignedLogicalAddress")
	svcWdfCommonBufferGetLength                    = kernel.NewService("WdfCommonBufferGetLength")
)

// WdfDmaEnablerCreate says how a device does DMA. Its parent is the device, or an
// object below it. System DMA (through a DMA controller) and the callbacks for
// DMA channels stop the run: not supported. PASSIVE_LEVEL (fxdmaenablerapi.cpp,
// fxdmaenabler.cpp).
func (s *Sys) WdfDmaEnablerCreate(device WDFDEVICE, c *DMAEnablerConfig, a *ObjectAttributes) (WDFDMAENABLER, NTSTATUS) {
	s.Enter(svcWdfDmaEnablerCreate, uint64(device))
	dev := s.lookup(device, TypeDevice)
	if s.levelBreak("WdfDmaEnablerCreate", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.requirePointer(c != nil, "Config")
	st := checkAttributes(a, false)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	parent := s.parentOr(a, dev)
	s.Step()
	if s.f.deviceOf(parent) != dev {
		return 0, s.LeaveStatus(StatusWdfObjectAttributesInvalid)
	}
	if st = c.check(); !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	switch {
	case c.Profile == DMAProfileSystem, c.Profile == DMAProfileSystemDuplex:
		s.Unsupported("system DMA (WdfDmaEnablerCreate with WdfDmaProfileSystem)")
	case c.Callbacks:
		s.Unsupported("callbacks of WDF_DMA_ENABLER_CONFIG (EvtDmaEnablerFill and so on)")
	case c.Flags != 0:
		s.Unsupported("Flags of WDF_DMA_ENABLER_CONFIG")
	}
	e := dmaEnabler{device: dev, profile: c.Profile, maximumLength: uint64(uint32(c.MaximumLength)), elements: unlimitedFragments,
		highest: math.MaxUint32, alignment: uint64(s.device(dev).alignment)}
	if c.Profile.wide() {
		e.highest = math.MaxUint64
	}
	if w := c.AddressWidthOverride; w != 0 && w < 64 {
		e.highest = 1<<w - 1
	}
	e.version3 = c.AddressWidthOverride != 0 || c.WdmDmaVersionOverride >= 3
	s.f.dmaEnablers = append(s.f.dmaEnablers, e)
	return s.create(TypeDMAEnabler, parent, len(s.f.dmaEnablers)-1, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// check does the checks of a configuration.
func (c *DMAEnablerConfig) check() NTSTATUS {
	switch {
	case c.Size != DMAEnablerConfigSize && c.Size != dmaEnablerConfigSize9:
		return StatusInfoLengthMismatch
	case c.Profile == DMAProfileInvalid, c.Profile > DMAProfileSystemDuplex, c.MaximumLength == 0:
		return StatusInvalidParameter
	case c.AddressWidthOverride > 32 && !c.Profile.wide():
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// WdfDmaEnablerGetMaximumLength returns the length of the longest transfer. IRQL
// <= DISPATCH_LEVEL (fxdmaenablerapi.cpp).
func (s *Sys) WdfDmaEnablerGetMaximumLength(h WDFDMAENABLER) uint64 {
	s.Enter(svcWdfDmaEnablerGetMaximumLength, uint64(h))
	n := s.f.dmaEnablers[s.row(h, TypeDMAEnabler)].maximumLength
	s.Leave(trace.Decimal, n)
	return n
}

// WdfDmaEnablerGetMaximumScatterGatherElements returns the limit of
// WdfDmaEnablerSetMaximumScatterGatherElements. IRQL <= DISPATCH_LEVEL
// (fxdmaenablerapi.cpp).
func (s *Sys) WdfDmaEnablerGetMaximumScatterGatherElements(h WDFDMAENABLER) uint64 {
	s.Enter(svcWdfDmaEnablerGetMaximumScatterGatherElement, uint64(h))
	n := s.f.dmaEnablers[s.row(h, TypeDMAEnabler)].elements
	s.Leave(trace.Decimal, n)
	return n
}

// WdfDmaEnablerSetMaximumScatterGatherElements limits the elements of a
// scatter/gather list; 0 is ignored. PASSIVE_LEVEL (fxdmaenablerapi.cpp).
func (s *Sys) WdfDmaEnablerSetMaximumScatterGatherElements(h WDFDMAENABLER, elements uint64) {
	s.Enter(svcWdfDmaEnablerSetMaximumScatterGatherElement, uint64(h), elements)
	n := s.row(h, TypeDMAEnabler)
	if !s.levelBreak("WdfDmaEnablerSetMaximumScatterGatherElements", "IRQL-12", PassiveLevel) && elements != 0 {
		s.Step()
		s.f.dmaEnablers[n].elements = min(elements, unlimitedFragments)
	}
	s.LeaveVoid()
}

// WdfCommonBufferCreate makes a zeroed buffer that processor and device share, as a
// child of the enabler. It begins at a page, or at a multiple of the device's
// alignment requirement if that is more. PASSIVE_LEVEL (fxcommonbufferapi.cpp).
func (s *Sys) WdfCommonBufferCreate(enabler WDFDMAENABLER, length uint64, a *ObjectAttributes) (WDFCOMMONBUFFER, NTSTATUS) {
	s.Enter(svcWdfCommonBufferCreate, uint64(enabler), length)
	n := s.row(enabler, TypeDMAEnabler)
	return s.createCommonBuffer("WdfCommonBufferCreate", enabler, length, s.f.dmaEnablers[n].alignment, a)
}

// CommonBufferConfigSize is the size of WDF_COMMON_BUFFER_CONFIG in bytes.
const CommonBufferConfigSize = 8

// CommonBufferConfig is WDF_COMMON_BUFFER_CONFIG.
type CommonBufferConfig struct {
	Size                 uint32
	AlignmentRequirement uint32 // a mask: 0xFF for 256 bytes
}

// WdfCommonBufferCreateWithConfig is WdfCommonBufferCreate with an alignment of its
// own. PASSIVE_LEVEL (fxcommonbufferapi.cpp).
func (s *Sys) WdfCommonBufferCreateWithConfig(enabler WDFDMAENABLER, length uint64, c *CommonBufferConfig, a *ObjectAttributes) (WDFCOMMONBUFFER, NTSTATUS) {
	s.Enter(svcWdfCommonBufferCreateWithConfig, uint64(enabler), length)
	s.lookup(enabler, TypeDMAEnabler)
	s.requirePointer(c != nil, "Config")
	if c.Size != CommonBufferConfigSize {
		return 0, s.LeaveStatus(StatusInfoLengthMismatch)
	}
	return s.createCommonBuffer("WdfCommonBufferCreateWithConfig", enabler, length, uint64(c.AlignmentRequirement), a)
}

func (s *Sys) createCommonBuffer(routine string, enabler WDFDMAENABLER, length, alignment uint64, a *ObjectAttributes) (WDFCOMMONBUFFER, NTSTATUS) {
	if s.levelBreak(routine, "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.Step()
	parent := s.lookup(enabler, TypeDMAEnabler)
	st := checkAttributes(a, false)
	switch {
	case length == 0:
		st = StatusInvalidParameter
	case st.Failed():
	case a != nil && a.ParentObject != 0:
		st = StatusWdfParentAssignmentNotAllowed
	default:
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	raw := length
	if alignment >= mem.PageSize {
		raw += alignment
	}
	b := commonBuffer{length: length}
	if raw >= length && raw <= mem.MaxAlloc {
		raw = (raw + mem.PageSize - 1) &^ (mem.PageSize - 1)
		b.block = s.f.m.Mem.Alloc(raw, kernel.PoolTag("FxCb"), false, s.ActivationID())
	}
	first, _ := s.f.m.Mem.Physical(b.block)
	b.logical = first
	if alignment >= mem.PageSize {
		b.logical = (first + alignment) &^ alignment
	}
	b.address = b.block + b.logical - first
	if b.block == 0 || b.logical+length-1 > s.f.dmaEnablers[s.f.objects[parent].index].highest {
		if b.block != 0 {
			s.FreeBlock(b.block)
		}
		return 0, s.LeaveStatus(StatusInsufficientResources)
	}
	s.f.commonBuffers = append(s.f.commonBuffers, b)
	i := s.create(TypeCommonBuffer, parent, len(s.f.commonBuffers)-1, a, "")
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfCommonBufferGetAlignedVirtualAddress returns the address for the driver. IRQL
// <= DISPATCH_LEVEL (fxcommonbufferapi.cpp).
func (s *Sys) WdfCommonBufferGetAlignedVirtualAddress(h WDFCOMMONBUFFER) uint64 {
	s.Enter(svcWdfCommonBufferGetAlignedVirtualAddress, uint64(h))
	p := s.f.commonBuffers[s.row(h, TypeCommonBuffer)].address
	s.Leave(trace.Hex, p)
	return p
}

// WdfCommonBufferGetAlignedLogicalAddress returns the address for the device. IRQL
// <= DISPATCH_LEVEL (fxcommonbufferapi.cpp).
func (s *Sys) WdfCommonBufferGetAlignedLogicalAddress(h WDFCOMMONBUFFER) uint64 {
	s.Enter(svcWdfCommonBufferGetAlignedLogicalAddress, uint64(h))
	p := s.f.commonBuffers[s.row(h, TypeCommonBuffer)].logical
	s.Leave(trace.Hex, p)
	return p
}

// WdfCommonBufferGetLength returns the length that was asked for. IRQL <=
// DISPATCH_LEVEL (fxcommonbufferapi.cpp).
func (s *Sys) WdfCommonBufferGetLength(h WDFCOMMONBUFFER) uint64 {
	s.Enter(svcWdfCommonBufferGetLength, uint64(h))
	n := s.f.commonBuffers[s.row(h, TypeCommonBuffer)].length
	s.Leave(trace.Decimal, n)
	return n
}

// rundownCommonBuffer is the disposal of a common buffer: its memory is freed
// before the cleanup callback, although references may keep the object.
func (s *Sys) rundownCommonBuffer(n int32) {
	if b := &s.f.commonBuffers[n]; b.block != 0 {
		s.FreeBlock(b.block)
		b.block = 0
	}
}

var (
	svcWdfDeviceSetAlignmentRequirement = kernel.NewService("WdfDeviceSetAlignmentRequirement")
	svcWdfDeviceGetAlignmentRequirement = kernel.NewService("WdfDeviceGetAlignmentRequirement")
)

// WdfDeviceSetAlignmentRequirement sets the alignment of buffers for DMA, as a
// mask (FILE_256_BYTE_ALIGNMENT is 0xFF). IRQL <= DISPATCH_LEVEL
// (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetAlignmentRequirement(h WDFDEVICE, mask uint32) {
	s.Enter(svcWdfDeviceSetAlignmentRequirement, uint64(h), uint64(mask))
	dev := s.lookup(h, TypeDevice)
	s.Step()
	d := s.device(dev)
	d.alignment = mask
	if d.functional != 0 {
		s.f.m.Mem.Store(d.functional+ddi.Offset("DEVICE_OBJECT", "AlignmentRequirement"), 4, uint64(mask))
	}
	s.LeaveVoid()
}

// WdfDeviceGetAlignmentRequirement returns the mask of
// WdfDeviceSetAlignmentRequirement, 0 for none. IRQL <= DISPATCH_LEVEL
// (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetAlignmentRequirement(h WDFDEVICE) uint32 {
	s.Enter(svcWdfDeviceGetAlignmentRequirement, uint64(h))
	n := s.device(s.lookup(h, TypeDevice)).alignment
	s.Leave(trace.Hex, uint64(n))
	return n
}
