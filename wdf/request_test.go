package wdf_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// Input and output of each type, with buffered I/O.
func TestIOQ7Buffers(t *testing.T) {
	echo := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		p := s.WdfRequestGetParameters(r)
		in, inLength, inStatus := s.WdfRequestRetrieveInputBuffer(r, 3)
		out, outLength, outStatus := s.WdfRequestRetrieveOutputBuffer(r, 2)
		x.note("%d: %s %d, %s %d, mode %d", n, trace.StatusName(uint32(inStatus)), inLength, trace.StatusName(uint32(outStatus)), outLength,
			s.WdfRequestGetRequestorMode(r))
		switch {
		case p.Type == wdf.RequestTypeDeviceControl && !inStatus.Failed() && in != out:
			x.Errorf("input and output of a buffered I/O control are different memory")
		case !outStatus.Failed():
			s.WriteBytes(out, []byte{1, 2})
			s.WdfRequestSetInformation(r, 2)
			if got := s.WdfRequestGetInformation(r); got != 2 {
				x.Errorf("WdfRequestGetInformation: %d", got)
			}
		case !inStatus.Failed():
			b := make([]byte, inLength)
			s.ReadBytes(in, b)
			x.note("%x", b)
		}
		s.WdfRequestComplete(r, 0)
	}
	ioScenario(t, driver{}, []queueSpec{{present: echo}}, func(x *ioBench) {
		var got []byte
		x.do(func(s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 1})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: []byte{7, 8, 9}})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, Input: []byte{1, 2, 3, 4}, OutputLength: 2})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControlInternal, IoControlCode: 0x222004})
			for _, r := range x.sent {
				got = append(got, s.AwaitRequest(r).Output...)
			}
		})
		if !bytes.Equal(got, []byte{1, 2, 1, 2}) {
			t.Errorf("output % x", got)
		}
		var lines []string
		for _, h := range x.history {
			if !strings.HasPrefix(h, "io") && !strings.HasPrefix(h, ")") {
				lines = append(lines, h)
			}
		}
		want := []string{
			"1: STATUS_INVALID_DEVICE_REQUEST 0, STATUS_SUCCESS 8, mode 1",
			"2: STATUS_INVALID_DEVICE_REQUEST 0, STATUS_BUFFER_TOO_SMALL 0, mode 1",
			"3: STATUS_SUCCESS 3, STATUS_INVALID_DEVICE_REQUEST 0, mode 1", "070809",
			"4: STATUS_SUCCESS 4, STATUS_SUCCESS 2, mode 1",
			"5: STATUS_BUFFER_TOO_SMALL 0, STATUS_BUFFER_TOO_SMALL 0, mode 0",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got  %q\nwant %q", lines, want)
		}
	})
}

// What a driver gets back counts: error statuses carry no output, warnings do.
func TestIOQ7OutputByStatus(t *testing.T) {
	const moreData = wdf.NTSTATUS(0x80000005)
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		out, _, _ := s.WdfRequestRetrieveOutputBuffer(r, 4)
		s.Store(out, 4, 0x04030201)
		s.WdfRequestCompleteWithInformation(r, []wdf.NTSTATUS{0, moreData, wdf.StatusUnsuccessful}[n-1], 3)
	}}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			for n, want := range []wdf.RequestResult{
				{Status: 0, Information: 3, Output: []byte{1, 2, 3}},
				{Status: moreData, Information: 3, Output: []byte{1, 2, 3}},
				{Status: wdf.StatusUnsuccessful, Information: 3},
			} {
				got := s.AwaitRequest(x.send(s, read4))
				if got.Status != want.Status || got.Information != want.Information || !bytes.Equal(got.Output, want.Output) {
					x.Errorf("request %d: got %v, want %v", n+1, got, want)
				}
			}
		})
	})
}

func TestIOQ7InformationTooLong(t *testing.T) {
	complete := func(status wdf.NTSTATUS) queueSpec {
		return queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			s.WdfRequestCompleteWithInformation(r, status, 5)
		}}
	}
	control := func(n uint64) wdf.RequestParams {
		return wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, OutputLength: n}
	}
	internal := control(4)
	internal.Type = wdf.RequestTypeDeviceControlInternal
	for name, test := range map[string]struct {
		p      wdf.RequestParams
		status wdf.NTSTATUS
		stops  bool
	}{
		"read":             {read4, 0, true},
		"write":            {wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: make([]byte, 4)}, 0, true},
		"control":          {control(4), 0, true},
		"control, no room": {control(0), 0, false},
		"internal control": {internal, 0, false},
		"warning":          {read4, 0x80000005, false},
	} {
		t.Run(name, func(t *testing.T) {
			ioScenario(t, driver{}, []queueSpec{complete(test.status)}, func(x *ioBench) {
				if !test.stops {
					x.do(func(s *wdf.Sys) { x.send(s, test.p) })
					return
				}
				x.stop(func(s *wdf.Sys) { x.send(s, test.p) })
				data := x.Findings()[0].Params[2]
				x.wantBugCheck("IOQ-7", 0x10D, 6, 4)
				for _, field := range [][3]uint64{{0, 8, uint64(x.sent[0])}, {16, 4, 4}, {24, 8, 5}, {32, 1, uint64(test.p.Type)}} {
					if v, _ := x.Mem.Load(data+field[0], int(field[1])); v != field[2] {
						x.Errorf("data+%d: 0x%X, want 0x%X", field[0], v, field[2])
					}
				}
			})
		})
	}
	off := kernel.Profile{DriverVerifier: true}
	ioScenario(t, driver{profile: &off}, []queueSpec{complete(0)}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) { x.send(s, read4) })
		x.wantEnd(1, 0)
	})
}

func TestIOQ6CompleteTwice(t *testing.T) {
	twice := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestComplete(r, 0)
		s.WdfRequestCompleteWithInformation(r, 0, 0)
	}
	check := func(x *ioBench) {
		x.Helper()
		if f := x.Findings()[0]; f.Rule != "DoubleCompletion" {
			x.Errorf("rule %s", f.Rule)
		}
		x.wantBugCheck("IOQ-6", 0x10D, 5, uint64(x.sent[0]), 0x1008)
		x.wantEnd(1, 0)
	}
	ioScenario(t, driver{}, []queueSpec{{present: twice}}, func(x *ioBench) {
		x.stop(func(s *wdf.Sys) { x.send(s, read4) })
		check(x)
	})
	// A reference keeps the object, not the request.
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfObjectReference(r)
		twice(x, s, r, n)
	}}}, func(x *ioBench) {
		x.stop(func(s *wdf.Sys) { x.send(s, read4) })
		check(x)
	})
}

// Litmus L-13: two processors complete one request. Either one of them sees that
// it is gone, or it is a double completion, also while the other completion is
// under way.
func TestIOQ6TwoProcessorsCompleteOneRequest(t *testing.T) {
	context := wdf.NewContextType("REQUEST_CONTEXT")
	d := driver{processors: 2, requests: func(b *bench) *wdf.ObjectAttributes {
		return &wdf.ObjectAttributes{ContextType: context, EvtCleanupCallback: b.fn("EvtCleanup", func(s *wdf.Sys, _ kernel.Args) uint64 {
			s.Step() // a completion takes time
			return 0
		})}
	}}
	x := newIO(t, d, queueSpec{})
	cell := x.Mem.Alloc(8, 0, false, 0)
	x.sendReads(1)
	x.forget()
	complete := func(s *wdf.Sys) {
		if r := s.Load(cell, 8); r != 0 {
			s.WdfRequestComplete(wdf.WDFREQUEST(r), 0)
			s.Store(cell, 8, 0)
			x.note("completed")
		}
	}
	x.before = func() { x.Mem.Store(cell, 8, uint64(x.sent[0])) }
	got := x.search(body{0, complete}, body{1, complete})
	x.wantOutcomes(got, "completed", // the other one saw 0
		"stopped bug check 0x10D WDF_VIOLATION (0x5, "+hex(uint64(x.sent[0]))+", 0x1008, 0x0)", // while the first completes
		"completed stopped bug check 0x10D WDF_VIOLATION (0x5, "+hex(uint64(x.sent[0]))+", 0x1008, 0x0)")
}

func hex(v uint64) string { return "0x" + strings.ToUpper(strings.TrimLeft(fmtHex(v), "0")) }

func fmtHex(v uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[15-i] = digits[v>>(4*i)&15]
	}
	return string(b[:])
}

func TestIOQ6CompletionLevelAndStatus(t *testing.T) {
	at := func(irql uint8, status wdf.NTSTATUS) []queueSpec {
		return []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			old := s.KeRaiseIrql(irql)
			s.WdfRequestComplete(r, status)
			s.KeLowerIrql(old)
		}}}
	}
	ioScenario(t, driver{}, at(5, 0), func(x *ioBench) {
		x.stop(func(s *wdf.Sys) { x.send(s, read4) })
		x.wantFindings("KmdfIrql2", x.Findings()[1].Title())
		if f := x.Findings()[1]; f.Code != 0xC9 || f.Params[0] != 0xE || f.Params[1] != 5 || f.Clause != "IOQ-6" {
			t.Errorf("got %s (%s)", f.Title(), f.Clause)
		}
	})
	ioScenario(t, driver{}, at(2, 0), func(x *ioBench) { x.do(func(s *wdf.Sys) { x.send(s, read4) }) })
	ioScenario(t, driver{}, at(0, wdf.StatusPending), func(x *ioBench) {
		x.stop(func(s *wdf.Sys) { x.send(s, read4) })
		x.wantBugCheck("IOQ-6", 0xC9, 6, uint64(wdf.StatusPending))
	})
}

// Status codes of the framework's own do not leave it.
func TestIOQ6StatusOfTheSender(t *testing.T) {
	codes := []struct{ driver, sender wdf.NTSTATUS }{
		{wdf.StatusWdfBusy, wdf.StatusDeviceBusy}, {wdf.StatusWdfPaused, wdf.StatusDeviceBusy}, {0xC0200201, wdf.StatusInternalError},
		{0xC0200214, wdf.StatusInsufficientResources}, {0xC020020A, wdf.StatusInvalidDeviceRequest}, {0xC0200299, wdf.StatusInvalidDeviceRequest},
		{wdf.StatusUnsuccessful, wdf.StatusUnsuccessful}, {0x40000000, 0x40000000},
	}
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		x.status("WdfRequestGetStatus", s.WdfRequestGetStatus(r), 0)
		s.WdfRequestComplete(r, codes[n-1].driver)
	}}}, func(x *ioBench) {
		x.sendReads(len(codes))
		for n, c := range codes {
			x.wantEnd(n+1, c.sender)
		}
	})
}

// A device without a queue for requests of a type, and what is not supported.
func TestIOQ1Refused(t *testing.T) {
	only := queueSpec{other: true, config: func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) { c.EvtIoRead, c.EvtIoDefault = c.EvtIoDefault, 0 }}
	ioScenario(t, driver{}, []queueSpec{only}, func(x *ioBench) {
		x.sendReads(1)
		x.wantEnd(1, wdf.StatusInvalidDeviceRequest)
		x.do(func(s *wdf.Sys) { x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 1 << 40}) })
		x.wantEnd(2, wdf.StatusInsufficientResources)
	})
	for _, test := range []func(x *ioBench, s *wdf.Sys){
		func(x *ioBench, s *wdf.Sys) { x.send(s, wdf.RequestParams{Type: wdf.RequestTypeCreate}) },
		func(x *ioBench, s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControlInternal, IoControlCode: 0x222001})
		},
	} {
		ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
			x.stop(func(s *wdf.Sys) { test(x, s) })
			if f := x.take(); len(f) != 1 || !f[0].Unsupported {
				x.Errorf("findings %v", titles(f))
			}
		})
	}
}

// With the framework's verifier off, a request that the driver does not have
// would spoil the framework's lists: the run ends.
func TestIOQ10NotOwnedWithoutVerifier(t *testing.T) {
	off := kernel.Profile{DriverVerifier: true}
	ioScenario(t, driver{profile: &off}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.sendReads(1)
		x.stop(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.wantFindings("InvalidReqAccess")
	})
}

// The attributes of requests: cleanup before the sender sees the end, destroy
// after the queue was visited, neither for what the driver never saw.
func TestIOQ6EndOfTheObject(t *testing.T) {
	context := wdf.NewContextType("REQUEST_CONTEXT")
	field := wdf.NewField[uint32](context, "N")
	d := driver{requests: func(b *bench) *wdf.ObjectAttributes {
		return &wdf.ObjectAttributes{ContextType: context, EvtCleanupCallback: b.object("cleanup", nil), EvtDestroyCallback: b.object("destroy", nil)}
	}}
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		p := s.WdfObjectGetTypedContext(r, context)
		field.Store(s, p, uint32(n))
	}}
	ioScenario(t, d, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(3)
		x.forget()
		x.do(func(s *wdf.Sys) {
			s.CancelRequest(x.sent[2])
			s.WdfObjectReference(x.sent[0])
			s.WdfRequestComplete(x.sent[0], 0)
		})
		x.want("cleanup io2( )io2")
		x.do(func(s *wdf.Sys) {
			if p := s.WdfObjectGetTypedContext(x.sent[0], context); p == 0 || field.Load(s, p) != 1 {
				x.Errorf("the context went although there is a reference")
			}
			s.WdfObjectDereference(x.sent[0])
			s.WdfRequestComplete(x.sent[1], 0)
		})
		x.want("destroy cleanup destroy")
		x.wantEnd(3, wdf.StatusCancelled)
	})
	ioScenario(t, d, []queueSpec{spec}, func(x *ioBench) { // the driver deletes what it must complete
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { s.WdfObjectDelete(x.sent[0]) })
		x.wantFindings("verifier break: ReqDelete")
	})
}

// Uses of a request and of its memory after the end.
func TestIOQ10UseAfterCompletion(t *testing.T) {
	var memory wdf.WDFMEMORY
	var buffer uint64
	after := func(use func(s *wdf.Sys, r wdf.WDFREQUEST)) func(x *ioBench) {
		return func(x *ioBench) {
			x.sendReads(1)
			x.stop(func(s *wdf.Sys) {
				memory, _ = s.WdfRequestRetrieveOutputMemory(x.sent[0])
				buffer, _ = s.WdfMemoryGetBuffer(memory)
				s.WdfRequestComplete(x.sent[0], 0)
				use(s, x.sent[0])
			})
		}
	}
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		after(func(s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfRequestGetInformation(r) })(x)
		if f := x.Findings()[0]; f.Rule != "InvalidReqAccess" {
			x.Errorf("rule %s", f.Rule)
		}
		x.wantBugCheck("IOQ-10", 0x10D, 5, uint64(x.sent[0]), 0x1008)
	})
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		after(func(s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfMemoryGetBuffer(memory) })(x)
		if f := x.Findings()[0]; f.Rule != "MemAfterReqCompleted" {
			x.Errorf("rule %s", f.Rule)
		}
		x.wantBugCheck("IOQ-10", 0x10D, 5, uint64(memory), 0x100A)
	})
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		after(func(s *wdf.Sys, r wdf.WDFREQUEST) { s.Store(buffer, 4, 1) })(x)
		x.wantBugCheck("VER-7", 0xD5, buffer, 1)
	})
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) { // it is the same object each time
		x.do(func(s *wdf.Sys) {
			r := x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, Input: []byte{1, 2}, OutputLength: 3})
			in, st := s.WdfRequestRetrieveInputMemory(r)
			x.status("WdfRequestRetrieveInputMemory", st, 0)
			again, _ := s.WdfRequestRetrieveInputMemory(r)
			out, _ := s.WdfRequestRetrieveOutputMemory(r)
			p, n := s.WdfMemoryGetBuffer(in)
			q, m := s.WdfMemoryGetBuffer(out)
			if in != again || in == out || p != q || n != 2 || m != 3 {
				x.Errorf("memory 0x%X, 0x%X, 0x%X: %d and %d bytes at 0x%X and 0x%X", in, again, out, n, m, p, q)
			}
			_, st = s.WdfRequestRetrieveInputMemory(x.send(s, read4))
			x.status("WdfRequestRetrieveInputMemory of a read", st, wdf.StatusInvalidDeviceRequest)
		})
	})
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) { // a memory object that is still referenced
		x.sendReads(1)
		x.stop(func(s *wdf.Sys) {
			memory, _ = s.WdfRequestRetrieveOutputMemory(x.sent[0])
			s.WdfObjectReference(memory)
			s.WdfRequestComplete(x.sent[0], 0)
		})
		x.wantBugCheck("MemAfterReqCompleted", 0x10D, 3, uint64(x.sent[0]), 1)
	})
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) { // the object is kept: breaks
		x.sendReads(1)
		x.do(func(s *wdf.Sys) {
			r := x.sent[0]
			s.WdfObjectReference(r)
			s.WdfRequestComplete(r, 0)
			s.WdfRequestSetInformation(r, 1)
			_, _, st := s.WdfRequestRetrieveOutputBuffer(r, 0)
			x.status("WdfRequestRetrieveOutputBuffer", st, wdf.StatusInternalError)
			x.status("WdfRequestUnmarkCancelable", s.WdfRequestUnmarkCancelable(r), wdf.StatusInvalidDeviceRequest)
			if q := s.WdfRequestGetIoQueue(r); q != 0 {
				x.Errorf("WdfRequestGetIoQueue: 0x%X", q)
			}
			s.WdfObjectDereference(r)
		})
		breaks := "verifier break: InvalidReqAccess"
		x.wantFindings(breaks, breaks, breaks)
	})
}

// doneBy makes an EvtRequestCancel that completes the request.
func doneBy(x *ioBench) wdf.Callback {
	return x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestComplete(r, wdf.StatusCancelled) })
}

// An application cancels a request that waits in the queue.
func TestIOQ8CancelInTheQueue(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(3)
		x.do(func(s *wdf.Sys) {
			if !s.CancelRequest(x.sent[1]) || s.CancelRequest(x.sent[1]) || s.CancelRequest(x.sent[0]) {
				x.Errorf("CancelRequest: wrong answers")
			}
			if !s.WdfRequestIsCanceled(x.sent[0]) {
				x.Errorf("WdfRequestIsCanceled: FALSE")
			}
			s.WdfRequestComplete(x.sent[0], wdf.StatusCancelled)
		})
		x.want("io1( )io1 io3( )io3")
		x.wantEnd(2, wdf.StatusCancelled)
	})
	// EvtIoCanceledOnQueue gets what the driver has had before.
	var canceled wdf.Callback
	spec := queueSpec{kind: wdf.IoQueueDispatchManual, config: func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) {
		c.EvtIoCanceledOnQueue = x.fn("EvtIoCanceledOnQueue", func(s *wdf.Sys, a kernel.Args) uint64 {
			x.note("canceled%d", x.number(wdf.WDFREQUEST(a[1])))
			s.WdfRequestComplete(wdf.WDFREQUEST(a[1]), wdf.StatusCancelled)
			return 0
		})
		canceled = c.EvtIoCanceledOnQueue
	}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(2)
		x.do(func(s *wdf.Sys) {
			r, _ := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			x.status("WdfRequestRequeue", s.WdfRequestRequeue(r), 0)
			s.CancelRequest(x.sent[0])
			s.CancelRequest(x.sent[1])
		})
		x.want("canceled1")
		x.wantEnd(1, wdf.StatusCancelled)
		x.wantEnd(2, wdf.StatusCancelled)
		x.wantState(0, ready|idle, 0, 0)
	})
	if canceled == 0 {
		t.Error("no callback")
	}
}

// Litmus L-42: the request is cancelled already when it is marked cancelable.
func TestIOQ8MarkCancelledRequest(t *testing.T) {
	var cell uint64
	lock := func(x *ioBench) wdf.Callback {
		cell = x.Mem.Alloc(8, kernel.PoolTag("Lock"), false, 0)
		x.NameLock(cell, "S")
		return x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			old := s.KeAcquireSpinLock(cell)
			s.WdfRequestComplete(r, wdf.StatusCancelled)
			s.KeReleaseSpinLock(cell, old)
		})
	}
	mark := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, cb wdf.Callback, ex bool) {
		old := s.KeAcquireSpinLock(cell)
		if ex {
			x.status("WdfRequestMarkCancelableEx", s.WdfRequestMarkCancelableEx(r, cb), wdf.StatusCancelled)
		} else {
			s.WdfRequestMarkCancelable(r, cb)
		}
		x.note("marked")
		s.KeReleaseSpinLock(cell, old)
		if ex {
			s.WdfRequestComplete(r, wdf.StatusCancelled)
		}
	}
	for _, ex := range []bool{false, true} {
		// (a) inside EvtIoDefault
		var cb wdf.Callback
		spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			s.CancelRequest(r)
			mark(x, s, r, cb, ex)
		}}
		ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
			cb = lock(x)
			x.sendReads(1)
			if ex {
				x.want("io1( marked )io1")
			} else {
				x.want("io1( marked )io1 cancel1")
				x.wantFindings("hazard")
			}
			x.wantEnd(1, wdf.StatusCancelled)
		})
		// (b) in another thread, after EvtIoDefault; (c) after a retrieval
		for _, kind := range []wdf.DispatchType{wdf.IoQueueDispatchSequential, wdf.IoQueueDispatchManual} {
			ioScenario(t, driver{}, []queueSpec{{kind: kind}}, func(x *ioBench) {
				cb = lock(x)
				x.sendReads(1)
				x.forget()
				run := func(s *wdf.Sys) {
					if kind == wdf.IoQueueDispatchManual {
						s.WdfIoQueueRetrieveNextRequest(x.queues[0])
					}
					s.CancelRequest(x.sent[0])
					mark(x, s, x.sent[0], cb, ex)
				}
				if ex {
					x.do(run)
					x.want("marked")
					x.wantEnd(1, wdf.StatusCancelled)
				} else {
					x.stop(run)
					x.want("cancel1")
					x.wantBugCheck("IRQL-15", 0xC4, 0x1000, cell)
				}
			})
		}
	}
}

// The hazard is one of WdfRequestMarkCancelable, whenever the cancel comes; the
// Ex form is made for use under a lock.
func TestIOQ8MarkUnderALock(t *testing.T) {
	for _, ex := range []bool{false, true} {
		ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
			cell := x.Mem.Alloc(8, kernel.PoolTag("Lock"), false, 0)
			cb := x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
				s.KeReleaseSpinLock(cell, s.KeAcquireSpinLock(cell))
				s.WdfRequestComplete(r, wdf.StatusCancelled)
			})
			x.sendReads(1)
			x.do(func(s *wdf.Sys) {
				old := s.KeAcquireSpinLock(cell)
				if ex {
					s.WdfRequestMarkCancelableEx(x.sent[0], cb)
				} else {
					s.WdfRequestMarkCancelable(x.sent[0], cb)
				}
				s.KeReleaseSpinLock(cell, old)
				s.CancelRequest(x.sent[0])
			})
			x.wantEnd(1, wdf.StatusCancelled)
			if !ex {
				x.wantFindings("hazard")
			}
		})
	}
}

// A cancel that comes later: by the loop that is active, or at once.
func TestIOQ8CancelLater(t *testing.T) {
	var cb wdf.Callback
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestMarkCancelable(r, cb)
		if n == 1 {
			s.CancelRequest(r)
			x.note("cancelled")
		}
	}}}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(1)
		x.want("io1( cancelled )io1 cancel1")
		x.sendReads(1)
		x.do(func(s *wdf.Sys) {
			s.CancelRequest(x.sent[1])
			x.note("returned")
		})
		x.want("io2( )io2 cancel2 returned")
	})
	// A passive queue defers it.
	passive := &wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive}
	ioScenario(t, driver{}, []queueSpec{{attributes: passive, present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestMarkCancelable(r, cb)
	}}}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(1)
		x.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.CancelRequest(x.sent[0])
			x.note("returned")
			s.KeLowerIrql(old)
		})
		x.want("io1( )io1 returned cancel1")
	})
}

func TestIOQ8MarkTwice(t *testing.T) {
	var cb wdf.Callback
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		x.status("WdfRequestMarkCancelableEx", s.WdfRequestMarkCancelableEx(r, cb), 0)
		x.status("WdfRequestMarkCancelableEx", s.WdfRequestMarkCancelableEx(r, cb), wdf.StatusInvalidDeviceRequest)
		if s.WdfRequestIsCanceled(r) {
			x.Errorf("WdfRequestIsCanceled")
		}
		x.status("forward", s.WdfRequestForwardToIoQueue(r, x.queues[0]), wdf.StatusInvalidDeviceRequest)
	}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(1)
		x.wantFindings("verifier break: MarkCancOnCancReqLocal", "verifier break: ReqIsCancOnCancReq", "verifier break: ReqNotCanceledLocal")
	})
}

func TestIOQ9Unmark(t *testing.T) {
	var cb wdf.Callback
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestMarkCancelable(r, cb) }}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		cb = x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			x.status("in EvtRequestCancel", s.WdfRequestUnmarkCancelable(r), wdf.StatusCancelled)
		})
		x.sendReads(1)
		x.do(func(s *wdf.Sys) {
			r := x.sent[0]
			x.status("marked", s.WdfRequestUnmarkCancelable(r), 0)
			x.status("not marked", s.WdfRequestUnmarkCancelable(r), wdf.StatusInvalidDeviceRequest)
			s.WdfRequestMarkCancelable(r, cb)
			s.CancelRequest(r)
			x.status("cancelled", s.WdfRequestUnmarkCancelable(r), wdf.StatusCancelled)
			s.WdfRequestComplete(r, wdf.StatusCancelled) // EvtRequestCancel has run: it is ours again
		})
		x.wantFindings("verifier break: unmark of a request that is not cancelable")
		x.wantEnd(1, wdf.StatusCancelled)
	})
	off := kernel.Profile{DriverVerifier: true}
	ioScenario(t, driver{profile: &off}, []queueSpec{{}}, func(x *ioBench) { // CON-8
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { x.status("not marked", s.WdfRequestUnmarkCancelable(x.sent[0]), wdf.StatusCancelled) })
	})
}

func TestIOQ10CompleteWhileMarked(t *testing.T) {
	var cb wdf.Callback
	mark := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestMarkCancelable(r, cb) }}
	ioScenario(t, driver{}, []queueSpec{mark}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(1)
		x.stop(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.wantFindings("verifier break: ReqNotCanceledLocal", x.Findings()[1].Title())
		if f := x.Findings()[1]; f.Code != 0xC9 || f.Params[0] != 7 {
			t.Errorf("got %s", f.Title())
		}
	})
	off := kernel.Profile{FrameworkVerifier: true}
	ioScenario(t, driver{profile: &off}, []queueSpec{mark}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.wantFindings("verifier break: ReqNotCanceledLocal")
		x.wantEnd(1, 0)
	})
}

// cancelDriver keeps its request in memory, under a lock if it is a good driver;
// its DPC and its EvtRequestCancel want to complete it.
type cancelDriver struct {
	cell, lock uint64 // the request, 0: none; a spin lock
	cb         wdf.Callback
}

var parameters = regexp.MustCompile(` [A-Z_]+ \(0x[^)]*\)`)

// run searches over a completion at DISPATCH_LEVEL on processor 0 and a cancel on
// processor 1. Outcomes say what was noted, how the request ended and what was
// found.
func (c *cancelDriver) run(t *testing.T, cancel, finish func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST), want ...string) {
	t.Helper()
	x := newIO(t, driver{processors: 2}, queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestMarkCancelable(r, c.cb)
		s.Store(c.cell, 8, uint64(r))
	}})
	c.cell, c.lock = x.Mem.Alloc(8, 0, false, 0), x.Mem.Alloc(8, 0, false, 0)
	c.cb = x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		cancel(x, s, r)
		x.note("/cancel1")
	})
	x.sendReads(1)
	x.forget()
	x.after = func() {
		if result, done := x.f.RequestResult(x.sent[0]); done {
			x.note("%s", trace.StatusName(uint32(result.Status)))
		}
	}
	got := x.search(
		body{0, func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			finish(x, s, x.sent[0])
			s.KeLowerIrql(old)
		}},
		body{1, func(s *wdf.Sys) { s.CancelRequest(x.sent[0]) }})
	for i := range got {
		got[i] = parameters.ReplaceAllString(got[i], "")
	}
	slices.Sort(got)
	x.wantOutcomes(slices.Compact(got), want...)
}

func completeCancelled(_ *ioBench, s *wdf.Sys, r wdf.WDFREQUEST) {
	s.WdfRequestComplete(r, wdf.StatusCancelled)
}

// The right way: whoever takes the request out of the driver's memory, under the
// lock, completes it, and the DPC only if it can unmark it. One completion in
// every schedule, and each state of EvtRequestCancel when the unmark fails
// (litmus L-43; "later" and "running" look alike to the DPC here).
func TestIOQ10ExactlyOneCompleter(t *testing.T) {
	long(t)
	c := &cancelDriver{}
	take := func(s *wdf.Sys, may func(r wdf.WDFREQUEST) bool) (r wdf.WDFREQUEST) {
		old := s.KeAcquireSpinLock(c.lock)
		if r = wdf.WDFREQUEST(s.Load(c.cell, 8)); r != 0 && may(r) {
			s.Store(c.cell, 8, 0)
		} else {
			r = 0
		}
		s.KeReleaseSpinLock(c.lock, old)
		return r
	}
	c.run(t, func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST) {
		take(s, func(wdf.WDFREQUEST) bool { return true })
		s.WdfRequestComplete(r, wdf.StatusCancelled)
	}, func(x *ioBench, s *wdf.Sys, _ wdf.WDFREQUEST) {
		r := take(s, func(r wdf.WDFREQUEST) bool {
			if s.WdfRequestUnmarkCancelable(r) == wdf.StatusCancelled {
				x.note("lost")
				return false
			}
			return true
		})
		if r != 0 {
			s.WdfRequestComplete(r, 0)
		}
	},
		"STATUS_SUCCESS",
		"lost cancel1 /cancel1 STATUS_CANCELLED",
		"cancel1 lost /cancel1 STATUS_CANCELLED",
		"cancel1 /cancel1 STATUS_CANCELLED",
	)
}

// The DPC unmarks without a lock and remembers nothing: it touches a request that
// EvtRequestCancel has completed.
func TestIOQ10UnmarkOfACompletedRequest(t *testing.T) {
	c := &cancelDriver{}
	c.run(t, completeCancelled, func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST) {
		if s.WdfRequestUnmarkCancelable(r) == wdf.StatusSuccess {
			s.WdfRequestComplete(r, 0)
		}
	},
		"STATUS_SUCCESS",
		"cancel1 /cancel1 STATUS_CANCELLED",
		"cancel1 /cancel1 STATUS_CANCELLED verifier break: InvalidReqAccess",
		"cancel1 /cancel1 stopped STATUS_CANCELLED bug check 0x10D",
	)
}

// The wrong way: the DPC does not unmark. If the cancel has begun, both complete.
func TestIOQ10CompletionWithoutUnmark(t *testing.T) {
	c := &cancelDriver{}
	c.run(t, completeCancelled, func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfRequestComplete(r, 0) },
		"stopped verifier break: ReqNotCanceledLocal bug check 0xC9",
		"cancel1 stopped STATUS_SUCCESS verifier break: ReqNotCanceledLocal bug check 0x10D",
		"cancel1 stopped STATUS_SUCCESS bug check 0x10D",
		"cancel1 stopped STATUS_CANCELLED bug check 0x10D",
		"cancel1 /cancel1 stopped STATUS_CANCELLED bug check 0x10D",
	)
}

// The wrong way: the DPC completes although WdfRequestUnmarkCancelable has
// returned STATUS_CANCELLED.
func TestIOQ9CompletionAfterFailedUnmark(t *testing.T) {
	c := &cancelDriver{}
	c.run(t, completeCancelled, func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST) {
		if st := s.WdfRequestUnmarkCancelable(r); st == wdf.StatusCancelled {
			s.WdfRequestComplete(r, 0)
		}
	},
		"", // the DPC was first and keeps the request
		"cancel1 /cancel1 STATUS_CANCELLED verifier break: InvalidReqAccess", // the unmark comes late: the object still exists
		"cancel1 /cancel1 stopped STATUS_CANCELLED bug check 0x10D",          // or it does not
		"cancel1 stopped STATUS_SUCCESS verifier break: CompleteCanceledReq bug check 0x10D",
		"cancel1 stopped STATUS_SUCCESS bug check 0x10D", // the DPC completes while EvtRequestCancel runs
		"cancel1 stopped STATUS_CANCELLED bug check 0x10D",
	)
}
