package wdf

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Where IRPs would lie in memory, for reports: most are never asked for.
const irpBase = 0xFFFFE0ED_00000000

// irp returns the address of the IRP of a request.
func (f *Framework) irp(r requestID) uint64 {
	if p := f.requests[r].irpBlock; p != 0 {
		return p
	}
	return irpBase + uint64(r)<<9
}

var svcWdfRequestWdmGetIrp = kernel.NewService("WdfRequestWdmGetIrp")

// WdfRequestWdmGetIrp returns the address of the IRP of a request, with its I/O
// stack locations: the type of the request, its buffers, and whether it is
// cancelled. What a driver writes there has no effect. IRQL <= DISPATCH_LEVEL
// (fxrequestapi.cpp).
func (s *Sys) WdfRequestWdmGetIrp(h WDFREQUEST) (p uint64) {
	s.Enter(svcWdfRequestWdmGetIrp, uint64(h))
	if r := s.request(h); s.verifyAlive(r, "WdfRequestWdmGetIrp") {
		if s.f.requests[r].irpBlock == 0 {
			s.makeIRP(r)
		}
		p = s.f.requests[r].irpBlock
	}
	s.Leave(trace.Hex, p)
	return p
}

// irpStack is the number of I/O stack locations: the device's and one for the
// driver below.
const irpStack = 2

// makeIRP makes the IRP of a request when it is asked for. A request that the
// driver has made has no stack location of its own.
func (s *Sys) makeIRP(r requestID) {
	header, location := ddi.SizeOf("IRP"), ddi.SizeOf("IO_STACK_LOCATION")
	p := s.f.m.Mem.Alloc(header+irpStack*location, kernel.PoolTag("Irp "), false, s.ActivationID())
	row := &s.f.requests[r]
	row.irpBlock = p
	put := func(structure string, at uint64, name string, size int, v uint64) {
		s.f.m.Mem.Store(at+ddi.Offset(structure, name), size, v)
	}
	current := uint64(irpStack)
	if !row.fromApp {
		current++
	}
	top := p + header + (current-1)*location
	put("IRP", p, "Type", 2, 6)
	put("IRP", p, "Size", 2, header+irpStack*location)
	put("IRP", p, "MdlAddress", 8, row.mdl)
	put("IRP", p, "AssociatedIrp.SystemBuffer", 8, row.systemBuffer)
	put("IRP", p, "IoStatus", 4, uint64(row.status))
	put("IRP", p, "RequestorMode", 1, uint64(row.requestorMode()))
	put("IRP", p, "StackCount", 1, irpStack)
	put("IRP", p, "CurrentLocation", 1, current)
	put("IRP", p, "Cancel", 1, boolValue(row.irpCancelled))
	put("IRP", p, "UserBuffer", 8, row.irpUserBuffer())
	put("IRP", p, "Tail.Overlay.CurrentStackLocation", 8, top)
	if !row.fromApp {
		return
	}
	put("IO_STACK_LOCATION", top, "MajorFunction", 1, uint64(row.typ))
	switch row.typ {
	case RequestTypeCreate:
	case RequestTypeRead, RequestTypeWrite:
		put("IO_STACK_LOCATION", top, "Parameters.Read.Length", 4, row.length())
	default:
		put("IO_STACK_LOCATION", top, "Parameters.DeviceIoControl.OutputBufferLength", 4, row.outputLength)
		put("IO_STACK_LOCATION", top, "Parameters.DeviceIoControl.InputBufferLength", 4, row.inputLength)
		put("IO_STACK_LOCATION", top, "Parameters.DeviceIoControl.IoControlCode", 4, uint64(row.code))
		put("IO_STACK_LOCATION", top, "Parameters.DeviceIoControl.Type3InputBuffer", 8, row.userInput)
	}
	d := s.device(row.device)
	if d.functional == 0 {
		s.makeDeviceObjects(d)
	}
	put("IO_STACK_LOCATION", top, "DeviceObject", 8, d.functional)
}

// irpUserBuffer returns Irp->UserBuffer.
func (r *request) irpUserBuffer() uint64 {
	if r.typ == RequestTypeWrite {
		return r.userInput
	}
	return r.userOutput
}

// cancelIRP sets Irp->Cancel.
func (s *Sys) cancelIRP(r requestID) {
	row := &s.f.requests[r]
	row.irpCancelled = true
	if row.irpBlock != 0 {
		s.f.m.Mem.Store(row.irpBlock+ddi.Offset("IRP", "Cancel"), 1, 1)
	}
}

// freeIRP gives up the memory of an IRP.
func (s *Sys) freeIRP(r requestID) {
	if row := &s.f.requests[r]; row.irpBlock != 0 {
		p := row.irpBlock
		row.irpBlock = 0
		row.formerIRP = p
		s.FreeBlock(p)
	}
}
