package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// ioTarget is a WDFIOTARGET: the driver below the device, which is that of the bus.
type ioTarget struct{ object, device id }

// MemoryOffset is WDFMEMORY_OFFSET; a nil pointer means the whole memory, a
// BufferLength of 0 what is left from the offset.
type MemoryOffset struct{ BufferOffset, BufferLength uint64 }

// memoryPart is a part of a memory object that goes with a request that is sent.
// It keeps the object.
type memoryPart struct {
	memory         id // 0: none
	offset, length uint64
}

// nextStack is what a request says to the driver below: its next I/O stack
// location.
type nextStack struct {
	formatted     bool
	current       bool // as the driver got it: WdfRequestFormatRequestUsingCurrentType
	typ           RequestType
	code          uint32
	input, output memoryPart
}

// Status values of requests that are sent.
const (
	StatusIntegerOverflow        NTSTATUS = 0xC0000095
	StatusRequestNotAccepted     NTSTATUS = 0xC00000D0
	StatusWdfRequestInvalidState NTSTATUS = 0xC0200208
)

// RequestTypeNoFormat is the type of a request that a driver has made, before it
// says what for.
const RequestTypeNoFormat RequestType = 0xFF

var (
	svcWdfDeviceGetIoTarget                     = kernel.NewService("WdfDeviceGetIoTarget")
	svcWdfIoTargetGetDevice                     = kernel.NewService("WdfIoTargetGetDevice")
	svcWdfIoTargetFormatRequestForIoctl         = kernel.NewService("WdfIoTargetFormatRequestForIoctl")
	svcWdfIoTargetFormatRequestForInternalIoctl = kernel.NewService("WdfIoTargetFormatRequestForInternalIoctl")
	svcWdfIoTargetFormatRequestForRead          = kernel.NewService("WdfIoTargetFormatRequestForRead")
	svcWdfIoTargetFormatRequestForWrite         = kernel.NewService("WdfIoTargetFormatRequestForWrite")
	svcWdfRequestFormatRequestUsingCurrentType  = kernel.NewService("WdfRequestFormatRequestUsingCurrentType")
	svcWdfRequestCreate                         = kernel.NewService("WdfRequestCreate")
	svcWdfRequestReuse                          = kernel.NewService("WdfRequestReuse")
)

// WdfDeviceGetIoTarget returns the default I/O target of a device: the next lower
// driver. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetIoTarget(h WDFDEVICE) WDFIOTARGET {
	s.Enter(svcWdfDeviceGetIoTarget, uint64(h))
	dev := s.lookup(h, TypeDevice)
	if s.device(dev).target == 0 {
		n := len(s.f.targets)
		s.f.targets = append(s.f.targets, ioTarget{device: dev})
		i := s.create(TypeIoTarget, dev, n, nil, "")
		s.f.objects[i].noDelete = true
		s.f.targets[n].object, s.device(dev).target = i, i
	}
	t := s.device(dev).target.handle()
	s.Leave(trace.Hex, uint64(t))
	return t
}

// WdfIoTargetGetDevice returns the device that a target is one of. IRQL <=
// DISPATCH_LEVEL (fxiotargetapi.cpp).
func (s *Sys) WdfIoTargetGetDevice(h WDFIOTARGET) WDFDEVICE {
	s.Enter(svcWdfIoTargetGetDevice, uint64(h))
	d := s.f.targets[s.row(h, TypeIoTarget)].device.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}

// WdfRequestCreate makes a request for a target, or 0 for one that is formatted
// for some target later. Without a parent it belongs to the driver. IRQL <=
// DISPATCH_LEVEL (fxrequestapi.cpp).
func (s *Sys) WdfRequestCreate(a *ObjectAttributes, target WDFIOTARGET) (WDFREQUEST, NTSTATUS) {
	s.Enter(svcWdfRequestCreate, uint64(target))
	row := request{typ: RequestTypeNoFormat, information: 0}
	if target != 0 {
		row.device = s.f.targets[s.row(target, TypeIoTarget)].device
	}
	parent := s.parentOr(a, s.f.theDriver())
	s.Step()
	st := checkAttributes(a, false)
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.f.requests = append(s.f.requests, row)
	r := len(s.f.requests) - 1
	i := s.create(TypeRequest, parent, r, a, "")
	s.f.requests[r].object = i
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// RequestReuseParams is WDF_REQUEST_REUSE_PARAMS.
type RequestReuseParams struct {
	Size   uint32
	Flags  uint32
	Status NTSTATUS
}

// RequestReuseParamsSize is the size of WDF_REQUEST_REUSE_PARAMS in bytes.
const RequestReuseParamsSize = 24

// WdfRequestReuse makes a request that came back ready to be formatted and sent
// again; its completion routine is forgotten. Flags (another IRP) stop the run: not
// supported. IRQL <= DISPATCH_LEVEL (fxrequest.cpp).
func (s *Sys) WdfRequestReuse(h WDFREQUEST, p *RequestReuseParams) NTSTATUS {
	s.Enter(svcWdfRequestReuse, uint64(h))
	r := s.request(h)
	s.requirePointer(p != nil, "ReuseParams")
	switch {
	case p.Size != RequestReuseParamsSize, p.Flags&^3 != 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case p.Flags != 0:
		s.Unsupported("Flags of WDF_REQUEST_REUSE_PARAMS")
	}
	s.Step()
	row := &s.f.requests[r]
	if row.send != 0 {
		s.verifierBreak("WdfRequestReuse", "IOQ-10", "%s is reused, but the driver below has it", s.f.requestName(r))
	}
	s.forgetNext(r)
	row = &s.f.requests[r]
	row.completion, row.completionContext = 0, 0
	row.status, row.information, row.sendCancelled = p.Status, 0, false
	return s.LeaveStatus(StatusSuccess)
}

// format sets what a request says to the driver below.
func (s *Sys) format(r requestID, next nextStack) {
	s.forgetNext(r)
	next.formatted = true
	for _, m := range []id{next.input.memory, next.output.memory} {
		if m != 0 {
			s.f.objects[m].references++
		}
	}
	s.f.requests[r].next = next
}

// forgetNext undoes format.
func (s *Sys) forgetNext(r requestID) {
	next := s.f.requests[r].next
	s.f.requests[r].next = nextStack{}
	for _, m := range []id{next.input.memory, next.output.memory} {
		if m != 0 {
			s.dereference(m)
		}
	}
}

// part checks a part of a memory object, or none.
func (s *Sys) part(h WDFMEMORY, o *MemoryOffset) (memoryPart, NTSTATUS) {
	if h == 0 {
		return memoryPart{}, StatusSuccess
	}
	m := s.memory(h)
	p := memoryPart{memory: s.f.object(h), length: m.size}
	if o != nil {
		total := o.BufferOffset + o.BufferLength
		if total < o.BufferOffset || total > m.size {
			return p, StatusIntegerOverflow
		}
		p.offset, p.length = o.BufferOffset, o.BufferLength
		if o.BufferLength == 0 {
			p.length = m.size - o.BufferOffset
		}
	}
	return p, StatusSuccess
}

// WdfIoTargetFormatRequestForIoctl makes a request an I/O control with parts of
// memory objects, or none, for input and output. IRQL <= DISPATCH_LEVEL
// (fxiotargetapi.cpp).
func (s *Sys) WdfIoTargetFormatRequestForIoctl(target WDFIOTARGET, h WDFREQUEST, code uint32, in WDFMEMORY, inOffset *MemoryOffset,
	out WDFMEMORY, outOffset *MemoryOffset) NTSTATUS {
	s.Enter(svcWdfIoTargetFormatRequestForIoctl, uint64(target), uint64(h), uint64(code))
	return s.formatFor(target, h, nextStack{typ: RequestTypeDeviceControl, code: code}, in, inOffset, out, outOffset)
}

// WdfIoTargetFormatRequestForInternalIoctl is WdfIoTargetFormatRequestForIoctl for
// an internal I/O control. IRQL <= DISPATCH_LEVEL (fxiotargetapi.cpp).
func (s *Sys) WdfIoTargetFormatRequestForInternalIoctl(target WDFIOTARGET, h WDFREQUEST, code uint32, in WDFMEMORY, inOffset *MemoryOffset,
	out WDFMEMORY, outOffset *MemoryOffset) NTSTATUS {
	s.Enter(svcWdfIoTargetFormatRequestForInternalIoctl, uint64(target), uint64(h), uint64(code))
	return s.formatFor(target, h, nextStack{typ: RequestTypeDeviceControlInternal, code: code}, in, inOffset, out, outOffset)
}

// WdfIoTargetFormatRequestForRead makes a request a read into a part of a memory
// object. IRQL <= DISPATCH_LEVEL (fxiotargetapi.cpp).
func (s *Sys) WdfIoTargetFormatRequestForRead(target WDFIOTARGET, h WDFREQUEST, out WDFMEMORY, offset *MemoryOffset) NTSTATUS {
	s.Enter(svcWdfIoTargetFormatRequestForRead, uint64(target), uint64(h))
	return s.formatFor(target, h, nextStack{typ: RequestTypeRead}, 0, nil, out, offset)
}

// WdfIoTargetFormatRequestForWrite makes a request a write of a part of a memory
// object. IRQL <= DISPATCH_LEVEL (fxiotargetapi.cpp).
func (s *Sys) WdfIoTargetFormatRequestForWrite(target WDFIOTARGET, h WDFREQUEST, in WDFMEMORY, offset *MemoryOffset) NTSTATUS {
	s.Enter(svcWdfIoTargetFormatRequestForWrite, uint64(target), uint64(h))
	return s.formatFor(target, h, nextStack{typ: RequestTypeWrite}, in, offset, 0, nil)
}

func (s *Sys) formatFor(target WDFIOTARGET, h WDFREQUEST, next nextStack, in WDFMEMORY, inOffset *MemoryOffset, out WDFMEMORY, outOffset *MemoryOffset) NTSTATUS {
	s.row(target, TypeIoTarget)
	s.request(h)
	s.Step()
	r := s.request(h)
	var st NTSTATUS
	if next.input, st = s.part(in, inOffset); st.Failed() {
		return s.LeaveStatus(st)
	}
	if next.output, st = s.part(out, outOffset); st.Failed() {
		return s.LeaveStatus(st)
	}
	s.format(r, next)
	return s.LeaveStatus(StatusSuccess)
}

// WdfRequestFormatRequestUsingCurrentType lets the driver below get a request as
// the driver got it. A request that the driver has made is bug check 0x10D/6. IRQL
// <= DISPATCH_LEVEL (fxrequestapi.cpp).
func (s *Sys) WdfRequestFormatRequestUsingCurrentType(h WDFREQUEST) {
	s.Enter(svcWdfRequestFormatRequestUsingCurrentType, uint64(h))
	s.request(h)
	s.Step()
	r := s.request(h)
	row := &s.f.requests[r]
	if !row.fromApp {
		s.BugCheck(0x10D, [4]uint64{6, 2, uint64(h)}, "IOQ-10", s.f.requestName(r)+" has no current type: the driver has made it itself")
	}
	s.format(r, nextStack{current: true, typ: row.typ, code: row.code})
	s.LeaveVoid()
}
