package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// fileDriver is a driver with callbacks for files, noted as create, cleanup, close;
// answer is what EvtDeviceFileCreate says, nil: success.
func fileDriver(class uint32, more func(s *wdf.Sys, init *wdf.DeviceInit), answer func(b *bench, s *wdf.Sys, r wdf.WDFREQUEST)) driver {
	return driver{init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		told := func(name string) wdf.Callback {
			return b.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("%s", name)
				if h := wdf.Handle(a[0]); (h == 0) != (class == wdf.FileObjectNotRequired) || h != 0 && s.WdfFileObjectGetDevice(h) != b.device {
					b.Errorf("%s for 0x%X", name, a[0])
				}
				return 0
			})
		}
		c := wdf.FileObjectConfig{Size: wdf.FileObjectConfigSize, AutoForwardCleanupClose: wdf.UseDefault, FileObjectClass: class,
			EvtFileCleanup: told("cleanup"), EvtFileClose: told("close"),
			EvtDeviceFileCreate: b.fn("create", func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("create")
				r, h := wdf.WDFREQUEST(a[1]), wdf.Handle(a[2])
				if wdf.Handle(a[0]) != b.device || s.WdfRequestGetFileObject(r) != h || s.WdfRequestGetParameters(r).Type != wdf.RequestTypeCreate {
					b.Errorf("EvtDeviceFileCreate: device 0x%X, file 0x%X", a[0], a[2])
				}
				if h != 0 {
					if n := s.Load(s.WdfFileObjectGetFileName(h), 2); n != 0 {
						b.Errorf("the file name has %d bytes", n)
					}
				}
				if answer == nil {
					s.WdfRequestComplete(r, 0)
				} else {
					answer(b, s, r)
				}
				return 0
			})}
		a := &wdf.ObjectAttributes{EvtDestroyCallback: b.object("destroy", nil)}
		s.WdfDeviceInitSetFileObjectConfig(init, &c, a)
		if more != nil {
			more(s, init)
		}
	}}
}

// An open, requests through it, and its end.
func TestFileObjects(t *testing.T) {
	var file wdf.WDFFILEOBJECT
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		h := s.WdfRequestGetFileObject(r)
		if h == 0 || n > 1 && n < 3 && h != file || n == 3 && h == file {
			x.Errorf("request %d comes through file 0x%X", n, uint64(h))
		}
		file = h
		s.WdfRequestComplete(r, 0)
	}}
	ioScenario(t, fileDriver(wdf.FileObjectWdfCannotUseFsContexts, nil, nil), []queueSpec{spec}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, read4)
			x.send(s, read4)
			s.CloseFiles()
			s.CloseFiles()
			x.send(s, read4)
		})
		x.want("create io1( )io1 io2( )io2 cleanup close destroy create io3( )io3")
		x.only = []string{"cleanup", "close", "destroy"}
		x.remove() // the handle is still open
		x.want("cleanup close destroy")
	})
	none := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		if s.WdfRequestGetFileObject(r) != 0 {
			x.Errorf("there is a file object")
		}
		s.WdfRequestComplete(r, 0)
	}}
	ioScenario(t, fileDriver(wdf.FileObjectNotRequired, nil, nil), []queueSpec{none}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, read4)
			s.CloseFiles()
		})
		x.want("create io1( )io1 cleanup close")
	})
}

// An open that the driver refuses, or that it completes later.
func TestFileCreateStatus(t *testing.T) {
	refuse := func(b *bench, s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfRequestComplete(r, wdf.StatusDeviceNotReady) }
	ioScenario(t, fileDriver(4, nil, refuse), []queueSpec{{}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, read4)
			s.CloseFiles()
		})
		x.want("create destroy")
		x.wantEnd(1, wdf.StatusDeviceNotReady)
	})
	var open wdf.WDFREQUEST
	keep := func(b *bench, s *wdf.Sys, r wdf.WDFREQUEST) { open = r }
	ioScenario(t, fileDriver(4, nil, keep), []queueSpec{{}}, func(x *ioBench) {
		x.spawn(0, func(s *wdf.Sys) { x.send(s, read4); x.note("sent") })
		x.spawn(0, func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("completed")
			s.WdfRequestCompleteWithInformation(open, 0, 1)
		})
		x.run()
		x.want("create completed io1( )io1 sent")
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
	})
	exclusive := func(s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetExclusive(init, true) }
	ioScenario(t, fileDriver(4, exclusive, nil), []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.sendReads(2)
		x.wantEnd(1, 0)
		x.wantEnd(2, wdf.StatusAccessDenied)
	})
}

// The close of a file cancels what waits, and waits for what the driver has.
func TestFileClose(t *testing.T) {
	ioScenario(t, fileDriver(4, nil, nil), []queueSpec{{}}, func(x *ioBench) {
		var h wdf.File
		x.spawn(0, func(s *wdf.Sys) {
			h, _ = s.OpenFile(x.bench.device)
			x.send(s, read4)
			x.send(s, read4)
			s.CloseFile(h)
			x.note("closed")
		})
		x.spawn(0, func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("completed")
			s.WdfRequestComplete(x.sent[0], 0)
		})
		x.run()
		x.want("create io1( )io1 cleanup completed close destroy closed")
		x.wantEnd(1, 0)
		x.wantEnd(2, wdf.StatusCancelled)
	})
}
