package wdf_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// sendBench is a driver with an I/O target. Its completion routine is noted with
// level, status and information: back(2,0xC0000120,0).
type sendBench struct {
	*ioBench
	target  wdf.WDFIOTARGET
	routine wdf.Callback
	then    func(s *wdf.Sys, r wdf.WDFREQUEST) // in the completion routine
	got     []wdf.LowerRequest
}

func sendScenario(t *testing.T, answer wdf.LowerAnswer, body func(x *sendBench)) {
	t.Helper()
	d := driver{init: ioType(wdf.IoTypeDirect)}
	ioScenario(t, d, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(b *ioBench) {
		x := &sendBench{ioBench: b}
		x.f.SetLowerDriver(func(r wdf.LowerRequest) wdf.LowerAnswer {
			r.Input = slices.Clone(r.Input)
			x.got = append(x.got, r)
			return answer
		})
		x.routine = x.fn("EvtRequestCompletionRoutine", func(s *wdf.Sys, a kernel.Args) uint64 {
			if wdf.Handle(a[1]) != x.target || a[3] != 5 {
				x.Errorf("target 0x%X, context %d", a[1], a[3])
			}
			p, _ := s.WdfRequestGetCompletionParams(wdf.WDFREQUEST(a[0]))
			if st, n := s.Load(a[2]+8, 4), s.Load(a[2]+16, 8); wdf.NTSTATUS(st) != p.Status || n != p.Information {
				x.Errorf("the structure says 0x%X and %d", st, n)
			}
			x.note("back(%d,0x%X,%d)", s.IRQL(), uint32(s.WdfRequestGetStatus(wdf.WDFREQUEST(a[0]))), s.WdfRequestGetInformation(wdf.WDFREQUEST(a[0])))
			if x.then != nil {
				x.then(s, wdf.WDFREQUEST(a[0]))
			}
			return 0
		})
		x.do(func(s *wdf.Sys) {
			x.target = s.WdfDeviceGetIoTarget(x.bench.device)
			if s.WdfDeviceGetIoTarget(x.bench.device) != x.target || s.WdfIoTargetGetDevice(x.target) != x.bench.device {
				x.Errorf("WdfDeviceGetIoTarget")
			}
		})
		body(x)
	})
}

// retrieve sends a request and gets it from the manual queue.
func (x *sendBench) retrieve(s *wdf.Sys, p wdf.RequestParams) wdf.WDFREQUEST {
	x.send(s, p)
	r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
	x.status("WdfIoQueueRetrieveNextRequest", st, 0)
	return r
}

// A request is forwarded as it came, and completed when it comes back.
func TestIOQ6SendWithCompletionRoutine(t *testing.T) {
	for _, test := range []struct {
		answer wdf.LowerAnswer
		want   string
	}{
		{wdf.LowerAnswer{Information: 3, Output: []byte("abc")}, "back(0,0x0,3) sent"},
		{wdf.LowerAnswer{Information: 3, Output: []byte("abc"), Delay: 1_000_000}, "sent back(2,0x0,3)"},
	} {
		sendScenario(t, test.answer, func(x *sendBench) {
			x.then = func(s *wdf.Sys, r wdf.WDFREQUEST) {
				s.WdfRequestCompleteWithInformation(r, s.WdfRequestGetStatus(r), s.WdfRequestGetInformation(r))
			}
			for i, p := range []wdf.RequestParams{control(ioBuffered, []byte("in"), 3), {Type: wdf.RequestTypeRead, OutputLength: 3}} {
				x.do(func(s *wdf.Sys) {
					r := x.retrieve(s, p)
					s.WdfRequestFormatRequestUsingCurrentType(r)
					s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
					if !s.WdfRequestSend(r, x.target, nil) {
						x.Errorf("WdfRequestSend: FALSE")
					}
					x.note("sent")
					x.await(s, "abc", 0)
				})
				x.want(test.want)
				if g := x.got[i]; g.Type != p.Type || g.IoControlCode != p.IoControlCode || string(g.Input) != string(p.Input) || g.OutputLength != 3 {
					x.Errorf("the driver below got %+v", g)
				}
			}
		})
	}
}

// A request of the driver's own, with parts of memory objects, again and again.
func TestSendOwnRequest(t *testing.T) {
	answer := wdf.LowerAnswer{Information: 2, Output: []byte("yes")}
	sendScenario(t, answer, func(x *sendBench) {
		x.do(func(s *wdf.Sys) {
			r, st := s.WdfRequestCreate(nil, x.target)
			x.status("WdfRequestCreate", st, 0)
			in, pin, _ := s.WdfMemoryCreate(nil, wdf.NonPagedPool, 0, 8)
			out, pout, _ := s.WdfMemoryCreate(nil, wdf.NonPagedPool, 0, 8)
			put(s, pin, "abcdefgh")
			if s.WdfRequestSend(r, x.target, nil) || s.WdfRequestGetStatus(r) != wdf.StatusRequestNotAccepted {
				x.Errorf("a request that is not formatted is sent")
			}
			for _, bad := range []wdf.MemoryOffset{{BufferOffset: 8, BufferLength: 1}, {BufferOffset: 1, BufferLength: 1<<64 - 1}} {
				x.status("an offset", s.WdfIoTargetFormatRequestForWrite(x.target, r, in, &bad), wdf.StatusIntegerOverflow)
			}
			s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
			x.status("format", s.WdfIoTargetFormatRequestForInternalIoctl(x.target, r, 0x220003, in, &wdf.MemoryOffset{BufferOffset: 2, BufferLength: 3},
				out, &wdf.MemoryOffset{BufferOffset: 4, BufferLength: 2}), 0)
			x.note("%v", s.WdfRequestSend(r, x.target, nil))
			if got := get(s, pout, 8); got != "\x00\x00\x00\x00ye\x00\x00" {
				x.Errorf("output %q", got)
			}
			x.status("WdfRequestReuse", s.WdfRequestReuse(r, &wdf.RequestReuseParams{Size: 24}), 0)
			x.status("size", s.WdfRequestReuse(r, &wdf.RequestReuseParams{Size: 16}), wdf.StatusInvalidParameter)
			x.status("format", s.WdfIoTargetFormatRequestForRead(x.target, r, out, nil), 0)
			x.note("%v", s.WdfRequestSend(r, x.target, nil)) // the completion routine is forgotten
			if got := get(s, pout, 4); got != "yes\x00" {
				x.Errorf("output %q", got)
			}
			s.WdfObjectDelete(out) // the request keeps it
			put(s, pout, "!")
			x.status("WdfRequestReuse", s.WdfRequestReuse(r, &wdf.RequestReuseParams{Size: 24}), 0)
			s.WdfObjectDelete(r)
			s.WdfObjectDelete(in)
		})
		x.want("back(0,0x0,2) true true")
		if g := x.got[0]; g.Type != wdf.RequestTypeDeviceControlInternal || g.IoControlCode != 0x220003 || string(g.Input) != "cde" || g.OutputLength != 2 {
			x.Errorf("the driver below got %+v", g)
		}
	})
}

func TestSendSynchronously(t *testing.T) {
	sync := func(timeout int64) *wdf.RequestSendOptions {
		o := &wdf.RequestSendOptions{Size: wdf.RequestSendOptionsSize, Flags: wdf.SendOptionSynchronous}
		if timeout != 0 {
			o.Flags, o.Timeout = o.Flags|wdf.SendOptionTimeout, timeout
		}
		return o
	}
	for _, test := range []struct {
		answer  wdf.LowerAnswer
		timeout int64
		want    wdf.NTSTATUS
	}{
		{wdf.LowerAnswer{Status: 0}, 0, 0},
		{wdf.LowerAnswer{Status: wdf.StatusUnsuccessful, Delay: 5000}, 0, wdf.StatusUnsuccessful},
		{wdf.LowerAnswer{Never: true}, -10_000, wdf.StatusIOTimeout},
		{wdf.LowerAnswer{Delay: 2_000_000_000}, -10_000, wdf.StatusIOTimeout},
		{wdf.LowerAnswer{Delay: 5000}, -10_000_000, 0},
	} {
		sendScenario(t, test.answer, func(x *sendBench) {
			x.do(func(s *wdf.Sys) {
				r := x.retrieve(s, control(ioBuffered, nil, 0))
				s.WdfRequestFormatRequestUsingCurrentType(r)
				if !s.WdfRequestSend(r, x.target, sync(test.timeout)) {
					x.Errorf("WdfRequestSend: FALSE")
				}
				x.status(fmt.Sprint(test.answer), s.WdfRequestGetStatus(r), test.want)
				s.WdfRequestComplete(r, s.WdfRequestGetStatus(r))
			})
			x.wantEnd(1, test.want)
		})
	}
	sendScenario(t, wdf.LowerAnswer{Delay: 5000}, func(x *sendBench) {
		x.stop(func(s *wdf.Sys) {
			r := x.retrieve(s, control(ioBuffered, nil, 0))
			s.WdfRequestFormatRequestUsingCurrentType(r)
			s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfRequestSend(r, x.target, sync(0))
		})
		x.wantFindings("KmdfIrql", "bug check 0xB8 ATTEMPTED_SWITCH_FROM_DPC (0x0, 0x0, 0x0, 0x0)")
	})
}

// Send and forget: the sender gets the answer of the driver below, the queue goes
// on at once.
func TestSendAndForget(t *testing.T) {
	forget := &wdf.RequestSendOptions{Size: wdf.RequestSendOptionsSize, Flags: wdf.SendOptionSendAndForget}
	for _, delay := range []uint64{0, 1_000_000} {
		sendScenario(t, wdf.LowerAnswer{Information: 3, Output: []byte("abc"), Delay: delay}, func(x *sendBench) {
			x.do(func(s *wdf.Sys) {
				for _, p := range []wdf.RequestParams{control(ioBuffered, []byte("in"), 3), {Type: wdf.RequestTypeRead, OutputLength: 3}} {
					r := x.retrieve(s, p)
					x.note("%v", s.WdfRequestSend(r, x.target, forget))
					if _, waiting, driver := s.WdfIoQueueGetState(x.queues[0]); waiting+driver != 0 {
						x.Errorf("the queue still has the request")
					}
					x.await(s, "abc", 0)
				}
				r, _ := s.WdfRequestCreate(nil, x.target)
				if s.WdfRequestSend(r, x.target, forget) || s.WdfRequestGetStatus(r) != wdf.StatusInvalidDeviceState {
					x.Errorf("the driver's own request is sent and forgotten")
				}
				s.WdfObjectDelete(r)
			})
			x.want("true true")
		})
	}
	sendScenario(t, wdf.LowerAnswer{Delay: 1000}, func(x *sendBench) {
		x.stop(func(s *wdf.Sys) {
			r := x.retrieve(s, control(ioBuffered, nil, 0))
			s.WdfRequestSend(r, x.target, forget)
			s.WdfRequestComplete(r, 0)
		})
		if f := x.take(); len(f) != 1 || f[0].Code != 0x10D || f[0].Rule != "DoubleCompletion" {
			x.Errorf("findings %q", titles(f))
		}
	})
}

// Cancel by the driver, by the application, by a timeout, by the end of the device:
// the request comes back once.
func TestIOQ8CancelSentRequest(t *testing.T) {
	timeout := &wdf.RequestSendOptions{Size: wdf.RequestSendOptionsSize, Flags: wdf.SendOptionTimeout, Timeout: -1000}
	for name, test := range map[string]struct {
		o      *wdf.RequestSendOptions
		cancel func(x *sendBench, s *wdf.Sys, r wdf.WDFREQUEST) bool
		want   string
	}{
		"driver":      {nil, func(x *sendBench, s *wdf.Sys, r wdf.WDFREQUEST) bool { return s.WdfRequestCancelSentRequest(r) }, "back(0,0xC0000120,0) true"},
		"application": {nil, func(x *sendBench, s *wdf.Sys, r wdf.WDFREQUEST) bool { return s.CancelRequest(r) }, "back(0,0xC0000120,0) true"},
		"nobody":      {timeout, func(x *sendBench, s *wdf.Sys, r wdf.WDFREQUEST) bool { return false }, "false back(2,0xC00000B5,0)"},
	} {
		t.Run(name, func(t *testing.T) {
			sendScenario(t, wdf.LowerAnswer{Never: true}, func(x *sendBench) {
				x.then = func(s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfRequestComplete(r, s.WdfRequestGetStatus(r)) }
				x.do(func(s *wdf.Sys) {
					r := x.retrieve(s, control(ioBuffered, nil, 0))
					s.WdfRequestFormatRequestUsingCurrentType(r)
					s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
					s.WdfRequestSend(r, x.target, test.o)
					x.note("%v", test.cancel(x, s, r))
				})
				x.want(test.want)
			})
		})
	}
	sendScenario(t, wdf.LowerAnswer{Never: true}, func(x *sendBench) {
		x.do(func(s *wdf.Sys) {
			r, _ := s.WdfRequestCreate(nil, x.target)
			x.status("format", s.WdfIoTargetFormatRequestForIoctl(x.target, r, ioBuffered, 0, nil, 0, nil), 0)
			s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
			s.WdfRequestSend(r, x.target, nil)
		})
		x.only = []string{"back(0,0xC0000120,0)"}
		x.remove()
		x.want("back(0,0xC0000120,0)")
	})
}

// What is wrong with a send, and what becomes of it.
func TestIOQ10SendMistakes(t *testing.T) {
	own := func(x *sendBench, s *wdf.Sys) wdf.WDFREQUEST {
		r, _ := s.WdfRequestCreate(nil, x.target)
		s.WdfIoTargetFormatRequestForIoctl(x.target, r, ioBuffered, 0, nil, 0, nil)
		s.WdfRequestSend(r, x.target, nil)
		return r
	}
	for name, test := range map[string]struct {
		f    func(x *sendBench, s *wdf.Sys)
		want string
	}{
		"twice":           {func(x *sendBench, s *wdf.Sys) { s.WdfRequestSend(own(x, s), x.target, nil) }, "bug check 0x10D WDF_VIOLATION (0x6, 0x3"},
		"no current type": {func(x *sendBench, s *wdf.Sys) { s.WdfRequestFormatRequestUsingCurrentType(own(x, s)) }, "bug check 0x10D WDF_VIOLATION (0x6, 0x2"},
		"completed meanwhile": {func(x *sendBench, s *wdf.Sys) {
			r := x.retrieve(s, control(ioBuffered, nil, 0))
			s.WdfRequestFormatRequestUsingCurrentType(r)
			s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
			s.WdfRequestSend(r, x.target, nil)
			s.WdfRequestComplete(r, 0)
		}, "bug check 0x44 MULTIPLE_IRP_COMPLETE_REQUESTS"},
	} {
		t.Run(name, func(t *testing.T) {
			sendScenario(t, wdf.LowerAnswer{Never: true}, func(x *sendBench) {
				x.stop(func(s *wdf.Sys) { test.f(x, s) })
				if f := x.take(); len(f) != 1 || len(f[0].Title()) < len(test.want) || f[0].Title()[:len(test.want)] != test.want {
					x.Errorf("findings %q", titles(f))
				}
			})
		})
	}
	sendScenario(t, wdf.LowerAnswer{}, func(x *sendBench) {
		x.do(func(s *wdf.Sys) {
			r := x.retrieve(s, control(ioBuffered, nil, 0))
			for _, o := range []*wdf.RequestSendOptions{nil, {Size: 8}, {Size: 16, Flags: 16}, {Size: 16, Flags: wdf.SendOptionSendAndForget | wdf.SendOptionSynchronous}} {
				if s.WdfRequestSend(r, x.target, o) {
					x.Errorf("sent with %+v", o)
				}
			}
			x.status("WdfRequestGetStatus", s.WdfRequestGetStatus(r), wdf.StatusInvalidParameter)
			s.WdfRequestComplete(r, 0)
			mine, _ := s.WdfRequestCreate(nil, 0)
			s.WdfRequestComplete(mine, 0)
			s.WdfObjectDelete(mine)
		})
		options := "verifier break: WDF_REQUEST_SEND_OPTIONS"
		x.wantFindings("verifier break: WdfRequestSend", options, options, options, "verifier break: InvalidReqAccess")
	})
}
