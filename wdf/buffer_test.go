package wdf_test

import (
	"bytes"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// I/O controls by transfer method.
const (
	ioBuffered  = 0x222000
	ioInDirect  = 0x222001
	ioOutDirect = 0x222002
	ioNeither   = 0x222003
)

func control(code uint32, in []byte, out int) wdf.RequestParams {
	return wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: code, Input: in, OutputLength: uint64(out)}
}

func ioType(t wdf.IoType) func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
	return func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetIoType(init, t) }
}

// put and get are accesses of a driver to bytes.
func put(s *wdf.Sys, p uint64, b string) { s.WriteBytes(p, []byte(b)) }

func get(s *wdf.Sys, p uint64, n int) string {
	b := make([]byte, n)
	s.ReadBytes(p, b)
	return string(b)
}

// await waits for the end of the newest request and compares its output.
func (x *ioBench) await(s *wdf.Sys, want string, st wdf.NTSTATUS) {
	x.Helper()
	r := s.AwaitRequest(x.sent[len(x.sent)-1])
	if string(r.Output) != want || r.Status != st {
		x.Errorf("request %d: %q, 0x%X, want %q, 0x%X", len(x.sent), r.Output, uint32(r.Status), want, uint32(st))
	}
}

// The driver reaches the pages of the application through a mapping of its own,
// in any process; the mapping and the MDL end with the request.
func TestDirectIO(t *testing.T) {
	var mapped, mdl uint64
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		switch p := s.WdfRequestGetParameters(r); p.Type {
		case wdf.RequestTypeRead:
			buffer, length, st := s.WdfRequestRetrieveOutputBuffer(r, 5000)
			x.status("WdfRequestRetrieveOutputBuffer", st, 0)
			if length != 5000 {
				x.Errorf("length %d", length)
			}
			put(s, buffer+4094, "abcd") // over a page boundary
			mapped = buffer
			var again uint64
			if mdl, st = s.WdfRequestRetrieveOutputWdmMdl(r); st.Failed() || s.MmGetSystemAddressForMdlSafe(mdl) != buffer {
				x.Errorf("WdfRequestRetrieveOutputWdmMdl: 0x%X, 0x%X", mdl, uint32(st))
			}
			if m, _ := s.WdfRequestRetrieveOutputMemory(r); m != 0 {
				again, length = s.WdfMemoryGetBuffer(m)
			}
			if again != buffer || length != 5000 {
				x.Errorf("the memory object has %d bytes at 0x%X", length, again)
			}
			_, st = s.WdfRequestRetrieveInputWdmMdl(r)
			x.status("WdfRequestRetrieveInputWdmMdl of a read", st, wdf.StatusInvalidDeviceRequest)
			s.WdfRequestCompleteWithInformation(r, 0, 5000)
		case wdf.RequestTypeWrite:
			buffer, _, st := s.WdfRequestRetrieveInputBuffer(r, 0)
			x.status("WdfRequestRetrieveInputBuffer", st, 0)
			x.note("%s", get(s, buffer, 3))
			s.WdfRequestComplete(r, 0)
		}
	}}
	ioScenario(t, driver{init: ioType(wdf.IoTypeDirect)}, []queueSpec{spec}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 5000})
			want := bytes.Repeat([]byte{0}, 5000)
			copy(want[4094:], "abcd")
			x.await(s, string(want), 0)
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: []byte("xyz")})
		})
		x.want("io1( )io1 io2( xyz )io2")
		x.stop(func(s *wdf.Sys) { s.Load(mapped, 1) })
		x.wantBugCheck("IRQL-10", 0x50, mapped)
	})
	ioScenario(t, driver{init: ioType(wdf.IoTypeDirect)}, []queueSpec{spec}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) { x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 5000}) })
		x.stop(func(s *wdf.Sys) { s.Load(mdl, 8) })
		x.wantBugCheck("VER-7", 0xD5, mdl)
	})
}

// METHOD_IN_DIRECT and METHOD_OUT_DIRECT: the input is copied, the other buffer is
// the application's.
func TestDirectIOControl(t *testing.T) {
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		in, _, st := s.WdfRequestRetrieveInputBuffer(r, 2)
		x.status("WdfRequestRetrieveInputBuffer", st, 0)
		out, _, st := s.WdfRequestRetrieveOutputBuffer(r, 4)
		x.status("WdfRequestRetrieveOutputBuffer", st, 0)
		x.note("%s%s", get(s, in, 2), get(s, out, 4))
		_, st = s.WdfRequestRetrieveInputWdmMdl(r)
		x.status("WdfRequestRetrieveInputWdmMdl", st, 0)
		_, st = s.WdfRequestRetrieveOutputWdmMdl(r)
		x.status("WdfRequestRetrieveOutputWdmMdl", st, 0)
		_, _, st = s.WdfRequestRetrieveOutputBuffer(r, 5)
		x.status("5 bytes", st, wdf.StatusBufferTooSmall)
		put(s, out, "back")
		s.WdfRequestCompleteWithInformation(r, 0, 4)
	}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: ioInDirect, Input: []byte("in"), Output: []byte("data")})
			x.await(s, "back", 0)
			x.send(s, control(ioOutDirect, []byte("in"), 4))
			x.await(s, "back", 0)
		})
		x.want("io1( indata )io1 io2( in\x00\x00\x00\x00 )io2")
	})
}

// inCaller is a driver whose EvtIoInCallerContext is f.
func inCaller(f func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST)) driver {
	return driver{init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		s.WdfDeviceInitSetIoInCallerContextCallback(init, b.fn("EvtIoInCallerContext", func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("caller(")
			f(b, s, wdf.Handle(a[0]), wdf.WDFREQUEST(a[1]))
			b.note(")caller")
			return 0
		}))
	}}
}

// A driver that locks the application's buffers in EvtIoInCallerContext uses the
// mappings later, and elsewhere.
func TestIRQL16NeitherIO(t *testing.T) {
	var in, out wdf.WDFMEMORY
	var user uint64
	d := inCaller(func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		u, n, st := s.WdfRequestRetrieveUnsafeUserInputBuffer(r, 3)
		b.status("WdfRequestRetrieveUnsafeUserInputBuffer", st, 0)
		in, st = s.WdfRequestProbeAndLockUserBufferForRead(r, u, n)
		b.status("WdfRequestProbeAndLockUserBufferForRead", st, 0)
		if user, n, _ = s.WdfRequestRetrieveUnsafeUserOutputBuffer(r, 0); n != 6 {
			b.Errorf("room for %d bytes", n)
		}
		_, _, st = s.WdfRequestRetrieveUnsafeUserOutputBuffer(r, 7)
		b.status("7 bytes", st, wdf.StatusBufferTooSmall)
		out, st = s.WdfRequestProbeAndLockUserBufferForWrite(r, user, n)
		b.status("WdfRequestProbeAndLockUserBufferForWrite", st, 0)
		for _, bad := range []struct {
			p, n uint64
			want wdf.NTSTATUS
		}{{user, 0, wdf.StatusInvalidUserBuffer}, {user + 1<<30, 1, wdf.StatusAccessViolation}, {user, 5000, wdf.StatusAccessViolation},
			{0xFFFFE000_00000000, 4, wdf.StatusAccessViolation}} {
			_, st = s.WdfRequestProbeAndLockUserBufferForWrite(r, bad.p, bad.n)
			b.status("a bad buffer", st, bad.want)
		}
		_, _, st = s.WdfRequestRetrieveOutputBuffer(r, 0)
		b.status("WdfRequestRetrieveOutputBuffer", st, wdf.StatusInvalidDeviceRequest)
		_, st = s.WdfRequestRetrieveOutputWdmMdl(r)
		b.status("WdfRequestRetrieveOutputWdmMdl", st, wdf.StatusInvalidDeviceRequest)
		b.status("WdfDeviceEnqueueRequest", s.WdfDeviceEnqueueRequest(device, r), 0)
	})
	ioScenario(t, d, []queueSpec{{}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) { x.send(s, control(ioNeither, []byte("ask"), 6)) })
		x.want("caller( io1( )io1 )caller")
		x.do(func(s *wdf.Sys) { // another process, at DISPATCH_LEVEL
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			from, _ := s.WdfMemoryGetBuffer(in)
			to, _ := s.WdfMemoryGetBuffer(out)
			x.note("%s", get(s, from, 3))
			put(s, to, "answer")
			s.KeLowerIrql(old)
			_, _, st := s.WdfRequestRetrieveUnsafeUserInputBuffer(x.sent[0], 0)
			x.status("outside of EvtIoInCallerContext", st, wdf.StatusInvalidDeviceRequest)
			_, st = s.WdfRequestProbeAndLockUserBufferForWrite(x.sent[0], user, 6)
			x.status("in another thread", st, wdf.StatusAccessViolation)
			s.WdfRequestCompleteWithInformation(x.sent[0], 0, 6)
			x.await(s, "answer", 0)
		})
		x.want("ask")
		x.wantFindings("verifier break: WdfRequestRetrieveUnsafeUserInputBuffer")
	})
}

// EvtIoInCallerContext may complete a request; one that nobody has a queue for
// stays with it.
func TestIOQ1InCallerContext(t *testing.T) {
	complete := func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		s.WdfRequestComplete(r, wdf.StatusNotSupported)
	}
	ioScenario(t, inCaller(complete), []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(1)
		x.want("caller( )caller")
		x.wantEnd(1, wdf.StatusNotSupported)
	})
	twice := func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		b.status("WdfRequestMarkCancelableEx", s.WdfRequestMarkCancelableEx(r, 1), wdf.StatusInvalidDeviceRequest)
		b.status("WdfDeviceEnqueueRequest", s.WdfDeviceEnqueueRequest(device, r), 0)
		b.status("again", s.WdfDeviceEnqueueRequest(device, r), wdf.StatusInvalidDeviceRequest)
	}
	ioScenario(t, inCaller(twice), []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(1)
		x.want("caller( io1( )io1 )caller")
		x.wantFindings("verifier break: WdfRequestMarkCancelable", "verifier break: WdfDeviceEnqueueRequest")
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
	})
	none := func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		b.status("WdfDeviceEnqueueRequest", s.WdfDeviceEnqueueRequest(device, r), wdf.StatusInvalidDeviceRequest)
		s.WdfRequestComplete(r, wdf.StatusUnsuccessful)
	}
	ioScenario(t, inCaller(none), []queueSpec{{other: true}}, func(x *ioBench) {
		x.sendReads(1)
		x.wantEnd(1, wdf.StatusUnsuccessful)
		x.wantFindings("verifier break: WdfDeviceEnqueueRequest")
	})
	// cancelled before it is enqueued
	cancelled := func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		s.CancelRequest(r)
		b.status("WdfDeviceEnqueueRequest", s.WdfDeviceEnqueueRequest(device, r), 0)
	}
	ioScenario(t, inCaller(cancelled), []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(1)
		x.want("caller( )caller")
		x.wantEnd(1, wdf.StatusCancelled)
	})
}

// Litmus L-75: a DPC reads an address of an application while the application A,
// another one B with other data at that address, or C without any is current.
func TestIRQL16UserAddressInADPC(t *testing.T) {
	var user uint64
	d := inCaller(func(b *bench, s *wdf.Sys, device wdf.WDFDEVICE, r wdf.WDFREQUEST) {
		user, _, _ = s.WdfRequestRetrieveUnsafeUserInputBuffer(r, 0)
		s.WdfDeviceEnqueueRequest(device, r)
	})
	const title = "user-mode address in arbitrary context"
	for _, test := range []struct {
		data    string // of the current process; none: it has no memory
		another bool
		want    string
	}{{"A", false, "A"}, {"B", true, "B"}, {"", true, ""}} {
		ioScenario(t, d, []queueSpec{{kind: wdf.IoQueueDispatchParallel}}, func(x *ioBench) {
			dpc := func(s *wdf.Sys) {
				old := s.KeRaiseIrql(wdf.DispatchLevel)
				x.note("%s%s", get(s, user, 1), get(s, user, 1))
				s.KeLowerIrql(old)
			}
			first := func(s *wdf.Sys) uint64 {
				x.send(s, control(ioNeither, []byte("A"), 0))
				return user
			}
			if !test.another {
				x.do(func(s *wdf.Sys) {
					first(s)
					x.forget()
					dpc(s)
				})
			} else {
				var a uint64
				x.do(func(s *wdf.Sys) { a = first(s) })
				body := func(s *wdf.Sys) {
					if test.data != "" {
						x.send(s, control(ioNeither, []byte(test.data), 0))
						if user != a {
							x.Errorf("the second process has its buffer at 0x%X, the first at 0x%X", user, a)
						}
					}
					user = a
					x.forget()
					dpc(s)
				}
				if test.data == "" {
					x.stop(body)
					f := x.take()
					if len(f) != 2 || f[0].Title() != title || f[1].Code != 0xD1 || f[1].Params[0] != user {
						x.Errorf("findings %q", titles(f))
					}
					return
				}
				x.do(body)
			}
			x.want(test.want + test.want)
			x.wantFindings(title)
		})
	}
}

// The kernel's routines for MDLs.
func TestMDL(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		var mdl uint64
		b.do(func(s *wdf.Sys) {
			p := s.ExAllocatePoolWithTag(0, 9000, kernel.PoolTag("Test"))
			mdl = s.IoAllocateMdl(p+100, 8000)
			s.MmBuildMdlForNonPagedPool(mdl)
			if got := s.MmGetSystemAddressForMdlSafe(mdl); got != p+100 {
				b.Errorf("system address 0x%X, want 0x%X", got, p+100)
			}
			pa, _ := b.Mem.Physical(p + 100 + 5000)
			if got := s.MDLPhysical(mdl, 5000); got != pa {
				b.Errorf("physical address 0x%X, want 0x%X", got, pa)
			}
			s.MmUnmapLockedPages(mdl) // nothing to take back
			s.Load(p+100, 1)
			s.IoFreeMdl(mdl)
			s.ExFreePoolWithTag(p, 0)
			if s.IoAllocateMdl(p, 0) != 0 || s.IoAllocateMdl(p, 1<<31) != 0 {
				b.Errorf("IoAllocateMdl of an impossible length")
			}
		})
	})
	for _, test := range []struct {
		f    func(s *wdf.Sys, mdl uint64)
		code uint32
		p    uint64
	}{
		{func(s *wdf.Sys, mdl uint64) { s.MmMapLockedPagesSpecifyCache(mdl) }, 0x1A, 0x1233},
		{func(s *wdf.Sys, mdl uint64) { s.MmUnlockPages(mdl) }, 0x76, 1},
		{func(s *wdf.Sys, mdl uint64) { s.IoFreeMdl(mdl); s.IoFreeMdl(mdl) }, 0xC4, 0x13},
	} {
		scenario(t, driver{}, func(b *bench) {
			b.stop(func(s *wdf.Sys) { test.f(s, s.IoAllocateMdl(0xFFFFE000_12345000, 100)) })
			if f := b.take(); len(f) != 1 || f[0].Code != test.code || f[0].Params[0] != test.p {
				b.Errorf("findings %q", titles(f))
			}
		})
	}
}
