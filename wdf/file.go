package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// fileConfig is what WdfDeviceInitSetFileObjectConfig said; zero: nothing.
type fileConfig struct {
	set                        bool
	objects                    bool // files have a WDFFILEOBJECT
	forward                    bool // AutoForwardCleanupClose
	create, cleanup, close     Callback
	context                    *ContextType
	objectCleanup, objectEnded Callback // of the attributes
}

// file is an open of a device, with its WDFFILEOBJECT.
type file struct {
	object   id // 0: the device wants none
	device   id
	thread   int32 // that has it open
	open     bool
	requests int32  // that have not ended
	name     uint64 // UNICODE_STRING in memory, 0: nobody asked for it
}

// File is a handle of an application for a device, from 1.
type File int32

var (
	svcNtCreateFile            = kernel.NewLenientService("NtCreateFile")
	svcNtClose                 = kernel.NewLenientService("NtClose")
	svcWdfFileObjectGetDevice  = kernel.NewService("WdfFileObjectGetDevice")
	svcWdfFileObjectGetName    = kernel.NewService("WdfFileObjectGetFileName")
	svcWdfRequestGetFileObject = kernel.NewService("WdfRequestGetFileObject")
)

// DeviceFileCreate makes an EvtDeviceFileCreate of a function, which completes the
// request.
func (s *Sys) DeviceFileCreate(fn func(s *Sys, device WDFDEVICE, request WDFREQUEST, file WDFFILEOBJECT)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), Handle(a[2]))
		return 0
	})
}

// OpenFile is what happens when an application opens a device: EvtDeviceFileCreate
// is called, and the routine returns when the driver has completed the request. Not
// for drivers under test. PASSIVE_LEVEL.
func (s *Sys) OpenFile(device WDFDEVICE) (File, NTSTATUS) {
	s.Enter(svcNtCreateFile, uint64(device))
	s.Step()
	f := s.f
	dev := f.object(device)
	if dev == 0 || f.objects[dev].typ != TypeDevice || f.objects[dev].state != live || !s.device(dev).accepting {
		return 0, s.LeaveStatus(StatusNoSuchDevice)
	}
	if s.device(dev).settings.exclusive && f.isOpen(dev) {
		return 0, s.LeaveStatus(StatusAccessDenied)
	}
	c := s.device(dev).settings.files
	if c.forward {
		s.Unsupported("AutoForwardCleanupClose of WDF_FILEOBJECT_CONFIG: opens that are forwarded to the driver below")
	}
	n := len(f.files)
	f.files = append(f.files, file{device: dev, thread: int32(s.ID()), open: true})
	if c.objects {
		i := s.create(TypeFileObject, dev, n, &ObjectAttributes{ContextType: c.context, EvtCleanupCallback: c.objectCleanup,
			EvtDestroyCallback: c.objectEnded}, "")
		f.objects[i].noDelete = true
		f.files[n].object = i
	}
	if c.create == 0 {
		return File(n), s.LeaveStatus(StatusSuccess)
	}
	if st := s.decideOpen(dev, n, c.create); st.Failed() {
		f.files[n].open = false
		s.deleteFile(n)
		return 0, s.LeaveStatus(st)
	}
	return File(n), s.LeaveStatus(StatusSuccess)
}

// StatusAccessDenied is STATUS_ACCESS_DENIED: an exclusive device is open already.
const StatusAccessDenied NTSTATUS = 0xC0000022

// decideOpen lets EvtDeviceFileCreate decide on an open, and returns its status.
func (s *Sys) decideOpen(dev id, n int, callback Callback) NTSTATUS {
	f := s.f
	r := requestID(len(f.requests))
	f.requests = append(f.requests, request{device: dev, typ: RequestTypeCreate, fromApp: true, phase: requestSent, sender: int32(s.ID()),
		file: int32(n), owned: true, presented: true})
	t := s.device(dev).requestAttributes
	i := s.create(TypeRequest, dev, int(r), &ObjectAttributes{ContextType: t.context, EvtCleanupCallback: t.cleanup, EvtDestroyCallback: t.destroy}, "")
	f.requests[r].object = i
	f.files[n].requests++
	if f.m.Trace.On() {
		f.m.SetName(uint64(i.handle()), fmt.Sprintf("create %d", r))
	}
	s.EnterRegion()
	s.call("EvtDeviceFileCreate", callback, uint64(dev.handle()), uint64(i.handle()), uint64(f.files[n].object.handle()))
	s.LeaveRegion()
	s.SetPosition(1)
	s.WaitForRelease(uint64(i.handle()), "the end of "+f.requestName(r), func() bool { return f.requests[r].phase == requestDone })
	return f.requests[r].status
}

func (f *Framework) isOpen(dev id) bool {
	for i := range f.files {
		if f.files[i].device == dev && f.files[i].open {
			return true
		}
	}
	return false
}

// CloseFile is what happens when an application closes its last handle: EvtFileCleanup,
// the cancel of what waits in queues, and when all requests of the file have ended
// EvtFileClose. PASSIVE_LEVEL (fxpkggeneral.cpp).
func (s *Sys) CloseFile(h File) {
	s.Enter(svcNtClose, uint64(h))
	s.Step()
	f := s.f
	if n := int(h); f.files[n].open {
		f.files[n].open = false
		s.tellFile("EvtFileCleanup", n)
		s.SetPosition(1)
		s.Step()
		s.flushFile(n)
		s.SetPosition(2)
		s.WaitUntil("the end of the requests of a file that is closed", func() bool { return f.files[n].requests == 0 })
		s.tellFile("EvtFileClose", n)
		s.deleteFile(n)
	}
	s.LeaveVoid()
}

// CloseFiles closes what the caller has open: the end of an application, which
// cancels its requests.
func (s *Sys) CloseFiles() {
	f := s.f
	for n := 1; n < len(f.files); n++ {
		if !f.files[n].open || int(f.files[n].thread) != s.ID() {
			continue
		}
		for r := 1; r < len(f.requests); r++ {
			if row := &f.requests[r]; row.file == int32(n) && row.phase == requestSent {
				s.CancelRequest(row.object.handle())
			}
		}
		s.CloseFile(File(n))
	}
}

// flushFile cancels the requests of a file that wait in queues.
func (s *Sys) flushFile(n int) {
	f := s.f
	for r := requestID(1); int(r) < len(f.requests); r++ {
		if row := &f.requests[r]; row.file == int32(n) && row.cancelRoutine && row.queueLink.list == listWaiting {
			row.cancelRoutine = false
			f.remove(row.queue, listWaiting, r)
			s.SetPosition(uint64(r)<<8 | 3)
			s.cancelOnQueue(row.queue, r)
		}
	}
}

// tellFile calls a callback of the device for a file.
func (s *Sys) tellFile(role string, n int) {
	f := s.f
	c := s.device(f.files[n].device).settings.files
	callback := c.cleanup
	if role == "EvtFileClose" {
		callback = c.close
	}
	if callback != 0 {
		s.call(role, callback, uint64(f.files[n].object.handle()))
	}
}

func (s *Sys) deleteFile(n int) {
	if i := s.f.files[n].object; i != 0 {
		s.deleteObject(i)
	}
}

// rundownFile is the disposal of a file object: with a device that is gone, a file
// is closed.
func (s *Sys) rundownFile(n int32) {
	if s.f.files[n].open {
		s.f.files[n].open = false
		s.tellFile("EvtFileCleanup", int(n))
		s.tellFile("EvtFileClose", int(n))
	}
}

// fileOf returns the file that the caller's requests to a device go through: the
// first one opens it. Devices whose drivers do not ask have none.
func (s *Sys) fileOf(dev id) (int32, NTSTATUS) {
	f := s.f
	if dev == 0 || !s.device(dev).settings.files.set {
		return 0, StatusSuccess
	}
	for n := range f.files {
		if o := &f.files[n]; o.open && o.device == dev && int(o.thread) == s.ID() {
			return int32(n), StatusSuccess
		}
	}
	n, st := s.OpenFile(dev.handle())
	return int32(n), st
}

// WdfRequestGetFileObject returns the file object that a request came through, 0 if
// the device has none. IRQL <= DISPATCH_LEVEL (fxrequestapi.cpp).
func (s *Sys) WdfRequestGetFileObject(h WDFREQUEST) (o WDFFILEOBJECT) {
	s.Enter(svcWdfRequestGetFileObject, uint64(h))
	r := s.request(h)
	if !s.verifyOwned(r, "asked for its file object").Failed() {
		o = s.f.files[s.f.requests[r].file].object.handle()
	}
	s.Leave(trace.Hex, uint64(o))
	return o
}

// WdfFileObjectGetDevice returns the device of a file object. IRQL <=
// DISPATCH_LEVEL (fxfileobjectapi.cpp).
func (s *Sys) WdfFileObjectGetDevice(h WDFFILEOBJECT) WDFDEVICE {
	s.Enter(svcWdfFileObjectGetDevice, uint64(h))
	d := s.f.files[s.row(h, TypeFileObject)].device.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}

// WdfFileObjectGetFileName returns the address of a UNICODE_STRING: what an
// application names behind the device, which is nothing here. PASSIVE_LEVEL
// (fxfileobjectapi.cpp).
func (s *Sys) WdfFileObjectGetFileName(h WDFFILEOBJECT) uint64 {
	s.Enter(svcWdfFileObjectGetName, uint64(h))
	o := &s.f.files[s.row(h, TypeFileObject)]
	if o.name == 0 {
		o.name = s.f.m.Mem.Alloc(16, kernel.PoolTag("FxFo"), false, s.ActivationID())
	}
	p := o.name
	s.Leave(trace.Hex, p)
	return p
}
