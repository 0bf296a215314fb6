package wdf_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// ioBench is a bench with queues. Requests are numbered in the order in which
// they are sent, from 1; what their callbacks note carries the number.
type ioBench struct {
	*bench
	queues []wdf.WDFQUEUE
	sent   []wdf.WDFREQUEST
}

// queueSpec describes a queue: what differs from a sequential default queue whose
// EvtIoDefault leaves the request with the driver.
type queueSpec struct {
	kind       wdf.DispatchType // default: sequential
	other      bool             // not the default queue
	attributes *wdf.ObjectAttributes
	config     func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig)
	present    ioHandler // EvtIoDefault: noted as io1( )io1
	stop       func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32)
	resume     ioHandler
}

// ioHandler is a callback for request number n.
type ioHandler func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int)

func keep(*ioBench, *wdf.Sys, wdf.WDFREQUEST, int) {}

func completeNow(_ *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int) { s.WdfRequestComplete(r, 0) }

// ioDriver returns the driver with queues, and where the newest bench is found.
func ioDriver(d driver, queues ...queueSpec) (driver, **ioBench) {
	at := new(*ioBench)
	add := d.add
	d.add = func(b *bench, s *wdf.Sys) {
		x := &ioBench{bench: b}
		*at = x
		if add != nil {
			add(b, s)
		}
		for n := range queues {
			x.addQueue(s, n, &queues[n])
		}
	}
	return d, at
}

// ioScenario is scenario for a driver with queues and a started device.
func ioScenario(t *testing.T, d driver, queues []queueSpec, body func(x *ioBench)) {
	t.Helper()
	d, at := ioDriver(d, queues...)
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		body(*at)
	})
}

// newIO is newBench with queues and a started device.
func newIO(t *testing.T, d driver, queues ...queueSpec) *ioBench {
	t.Helper()
	d, at := ioDriver(d, queues...)
	newBench(t, d).startDevice()
	(*at).forget()
	return *at
}

func (x *ioBench) addQueue(s *wdf.Sys, n int, q *queueSpec) {
	if q.kind == 0 {
		q.kind = wdf.IoQueueDispatchSequential
	}
	c := wdf.IoQueueConfigInit(q.kind)
	c.DefaultQueue = !q.other
	name := func(role string) string { return fmt.Sprintf("%s%d", role, n) }
	if q.kind != wdf.IoQueueDispatchManual {
		c.EvtIoDefault = x.fn(name("EvtIoDefault"), func(s *wdf.Sys, a kernel.Args) uint64 {
			r, k := wdf.WDFREQUEST(a[1]), x.number(wdf.WDFREQUEST(a[1]))
			if wdf.WDFQUEUE(a[0]) != x.queues[n] {
				x.Errorf("io%d comes from the wrong queue", k)
			}
			x.note("io%d(", k)
			if q.present != nil {
				q.present(x, s, r, k)
			}
			x.note(")io%d", k)
			return 0
		})
	}
	if q.stop != nil {
		c.EvtIoStop = x.fn(name("EvtIoStop"), func(s *wdf.Sys, a kernel.Args) uint64 {
			r, k := wdf.WDFREQUEST(a[1]), x.number(wdf.WDFREQUEST(a[1]))
			x.note("stop%d(%X)", k, a[2])
			q.stop(x, s, r, k, uint32(a[2]))
			return 0
		})
	}
	if q.resume != nil {
		c.EvtIoResume = x.fn(name("EvtIoResume"), func(s *wdf.Sys, a kernel.Args) uint64 {
			k := x.number(wdf.WDFREQUEST(a[1]))
			x.note("resume%d", k)
			q.resume(x, s, wdf.WDFREQUEST(a[1]), k)
			return 0
		})
	}
	if q.config != nil {
		q.config(x, s, &c)
	}
	h, st := s.WdfIoQueueCreate(x.bench.device, &c, q.attributes)
	x.status("WdfIoQueueCreate", st, wdf.StatusSuccess)
	x.queues = append(x.queues, h)
}

// number returns which request a handle is: 1 for the first one sent.
func (x *ioBench) number(r wdf.WDFREQUEST) int {
	for n, h := range x.sent {
		if h == r {
			return n + 1
		}
	}
	x.Errorf("0x%X is no request that was sent", uint64(r))
	return 0
}

// cancel makes an EvtRequestCancel, noted as cancel1.
func (x *ioBench) cancel(name string, f ioHandler) wdf.Callback {
	return x.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
		r := wdf.WDFREQUEST(a[0])
		x.note("cancel%d", x.number(r))
		f(x, s, r, x.number(r))
		return 0
	})
}

// send sends a request in the caller's thread.
func (x *ioBench) send(s *wdf.Sys, p wdf.RequestParams) wdf.WDFREQUEST {
	h := s.PrepareRequest(x.bench.device, p)
	x.sent = append(x.sent, h)
	s.SubmitRequest(h)
	return h
}

var read4 = wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 4}

// sendReads sends reads, each from a thread of its own that has ended.
func (x *ioBench) sendReads(n int) {
	x.Helper()
	for range n {
		x.do(func(s *wdf.Sys) { x.send(s, read4) })
	}
}

// wantEnd checks how a request has ended.
func (x *ioBench) wantEnd(n int, want wdf.NTSTATUS) {
	x.Helper()
	result, done := x.f.RequestResult(x.sent[n-1])
	if !done {
		x.Errorf("request %d has not ended, want %s\n%s", n, trace.StatusName(uint32(want)), x.text())
	} else if result.Status != want {
		x.Errorf("request %d ended with %s, want %s\n%s", n, trace.StatusName(uint32(result.Status)), trace.StatusName(uint32(want)), x.text())
	}
}

// long skips a search with more than 5,000 runs in a short test.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("more than 5,000 runs")
	}
}

// search explores bodies; requests sent before stay numbered.
func (x *ioBench) search(bodies ...body) []string {
	x.Helper()
	known := len(x.sent)
	before := x.before
	x.before = func() {
		x.sent = x.sent[:known]
		if before != nil {
			before()
		}
	}
	return x.explore(bodies...)
}

// queueCalls checks the state of queue n.
func (x *ioBench) wantState(n int, state wdf.IoQueueState, waiting, driver uint32) {
	x.Helper()
	x.do(func(s *wdf.Sys) {
		if st, w, d := s.WdfIoQueueGetState(x.queues[n]); st != state || w != waiting || d != driver {
			x.Errorf("queue %d is 0x%X with %d and %d requests, want 0x%X with %d and %d", n, st, w, d, state, waiting, driver)
		}
	})
}

const (
	ready = wdf.IoQueueAcceptRequests | wdf.IoQueueDispatchRequests
	idle  = wdf.IoQueueNoRequests | wdf.IoQueueDriverNoRequests
)

func TestIOQ1Sequential(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(3)
		x.want("io1( )io1")
		x.wantState(0, ready, 2, 1)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.want("io2( )io2")
		x.do(func(s *wdf.Sys) { s.WdfRequestCompleteWithInformation(x.sent[1], wdf.StatusUnsuccessful, 3) })
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[2], 0) })
		x.want("io3( )io3")
		x.wantState(0, ready|idle, 0, 0)
		x.wantEnd(1, 0)
		x.wantEnd(2, wdf.StatusUnsuccessful)
		x.wantEnd(3, 0)
	})
}

func TestIOQ1Parallel(t *testing.T) {
	limited := func(_ *ioBench, _ *wdf.Sys, c *wdf.IoQueueConfig) { c.NumberOfPresentedRequests = 2 }
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchParallel}}, func(x *ioBench) {
		x.sendReads(3)
		x.want("io1( )io1 io2( )io2 io3( )io3")
		x.wantState(0, ready|wdf.IoQueueNoRequests, 0, 3)
	})
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchParallel, config: limited}}, func(x *ioBench) {
		x.sendReads(4)
		x.want("io1( )io1 io2( )io2")
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[1], 0) })
		x.want("io3( )io3")
		x.wantState(0, ready, 1, 2)
	})
}

func TestIOQ1Manual(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.sendReads(2)
		x.want("")
		x.do(func(s *wdf.Sys) {
			for n := range 2 {
				r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
				x.status("WdfIoQueueRetrieveNextRequest", st, 0)
				if x.number(r) != n+1 {
					x.Errorf("request %d is retrieved, want %d", x.number(r), n+1)
				}
				if got := s.WdfRequestGetIoQueue(r); got != x.queues[0] {
					x.Errorf("WdfRequestGetIoQueue: 0x%X", got)
				}
			}
			_, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			x.status("WdfIoQueueRetrieveNextRequest of an empty queue", st, wdf.StatusNoMoreEntries)
			x.status("WdfRequestRequeue", s.WdfRequestRequeue(x.sent[1]), 0)
			x.status("WdfRequestRequeue", s.WdfRequestRequeue(x.sent[0]), 0)
			r, _ := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			s.WdfRequestComplete(r, 0)
		})
		x.wantEnd(1, 0)
		x.wantState(0, ready|wdf.IoQueueDriverNoRequests, 1, 0)
	})
}

func TestIOQ1ReadyNotify(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		var notify wdf.Callback
		x.do(func(s *wdf.Sys) {
			notify = s.QueueState(func(_ *wdf.Sys, q wdf.WDFQUEUE, context uint64) { x.note("ready:%d:%v", context, q == x.queues[0]) })
			x.status("WdfIoQueueReadyNotify", s.WdfIoQueueReadyNotify(x.queues[0], notify, 7), 0)
		})
		x.sendReads(2) // it was empty once
		x.want("ready:7:true")
		x.do(func(s *wdf.Sys) {
			x.status("a second callback", s.WdfIoQueueReadyNotify(x.queues[0], notify, 7), wdf.StatusInvalidDeviceRequest)
			x.status("taking it back", s.WdfIoQueueReadyNotify(x.queues[0], 0, 0), wdf.StatusInvalidDeviceRequest)
		})
		x.wantFindings("verifier break: WdfIoQueueReadyNotify", "verifier break: WdfIoQueueReadyNotify")
		x.do(func(s *wdf.Sys) {
			s.WdfIoQueueStop(x.queues[0], 0, 0)
			s.WdfIoQueueStart(x.queues[0]) // there are requests
		})
		x.want("ready:7:true")
		x.do(func(s *wdf.Sys) {
			s.WdfIoQueueStop(x.queues[0], 0, 0)
			x.status("taking it back", s.WdfIoQueueReadyNotify(x.queues[0], 0, 0), 0)
			s.WdfIoQueueStart(x.queues[0])
		})
		x.want("")
	})
}

// What each type of request needs and gets.
func TestIOQ1Callbacks(t *testing.T) {
	all := func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) {
		note := func(name string, args int) wdf.Callback {
			return x.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
				x.note("%s%d", name, a[2:2+args])
				s.WdfRequestComplete(wdf.WDFREQUEST(a[1]), 0)
				return 0
			})
		}
		c.EvtIoDefault = 0
		c.EvtIoRead, c.EvtIoDeviceControl = note("read", 1), note("control", 3)
	}
	ioScenario(t, driver{}, []queueSpec{{config: all}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 9})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, Input: make([]byte, 3), OutputLength: 5})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: []byte{1}})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeDeviceControlInternal, IoControlCode: 0x220003 &^ 3})
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead}) // no bytes: not presented
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite})
		})
		x.want("read[9] control[5 3 2236416]")
		for n, want := range []wdf.NTSTATUS{0, 0, wdf.StatusInvalidDeviceRequest, wdf.StatusInvalidDeviceRequest, 0, wdf.StatusInvalidDeviceRequest} {
			x.wantEnd(n+1, want)
		}
	})
	zero := func(_ *ioBench, _ *wdf.Sys, c *wdf.IoQueueConfig) { c.AllowZeroLengthRequests = true }
	ioScenario(t, driver{}, []queueSpec{{config: zero, present: completeNow}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) { x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead}) })
		x.want("io1( )io1")
	})
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite})
			_, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			x.status("WdfIoQueueRetrieveNextRequest", st, wdf.StatusNoMoreEntries)
		})
		x.wantEnd(1, 0)
	})
}

func TestIOQ1ConfigureDispatching(t *testing.T) {
	other := queueSpec{other: true, kind: wdf.IoQueueDispatchManual, config: func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) {}}
	configure := func(x *ioBench, s *wdf.Sys, q int, typ wdf.RequestType) wdf.NTSTATUS {
		return s.WdfDeviceConfigureRequestDispatching(x.bench.device, x.queues[q], typ)
	}
	last := queueSpec{other: true, present: completeNow, config: func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) {
		x.status("writes to the manual queue", configure(x, s, 1, wdf.RequestTypeWrite), 0)
		x.status("writes twice", configure(x, s, 1, wdf.RequestTypeWrite), wdf.StatusWdfBusy)
		x.status("the default queue", configure(x, s, 0, wdf.RequestTypeRead), wdf.StatusInvalidDeviceRequest)
		x.status("cleanup", configure(x, s, 1, 0x12), wdf.StatusInvalidParameter)
		c.EvtIoRead, c.EvtIoDefault = c.EvtIoDefault, 0
	}}
	ioScenario(t, driver{}, []queueSpec{{}, other, last}, func(x *ioBench) {
		x.wantFindings("verifier break: WdfDeviceConfigureRequestDispatching", "verifier break: WdfDeviceConfigureRequestDispatching")
		x.do(func(s *wdf.Sys) {
			x.status("after the start", configure(x, s, 2, wdf.RequestTypeRead), wdf.StatusInvalidDeviceState)
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: []byte{1}})
			x.send(s, read4)
			r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[1])
			x.status("WdfIoQueueRetrieveNextRequest", st, 0)
			if x.number(r) != 1 {
				x.Errorf("request %d is in the manual queue", x.number(r))
			}
		})
		x.want("io2( )io2")
	})
}

func TestIOQ1CreateStatus(t *testing.T) {
	device, queue := wdf.SynchronizationScopeDevice, wdf.SynchronizationScopeQueue
	passive := &wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive}
	tests := []struct {
		name   string
		change func(c *wdf.IoQueueConfig)
		a      *wdf.ObjectAttributes
		want   wdf.NTSTATUS
	}{
		{"good", func(c *wdf.IoQueueConfig) {}, nil, 0},
		{"size of 1.9", func(c *wdf.IoQueueConfig) { c.Size = 88 }, nil, 0},
		{"size of 1.7", func(c *wdf.IoQueueConfig) { c.Size = 80; c.NumberOfPresentedRequests = 1 }, nil, 0},
		{"size", func(c *wdf.IoQueueConfig) { c.Size = 95 }, nil, wdf.StatusInfoLengthMismatch},
		{"type", func(c *wdf.IoQueueConfig) { c.DispatchType = 4 }, nil, wdf.StatusInvalidParameter},
		{"no callback", func(c *wdf.IoQueueConfig) { c.EvtIoDefault = 0 }, nil, wdf.StatusWdfNoCallback},
		{"manual with callback", func(c *wdf.IoQueueConfig) { c.DispatchType = 3 }, nil, wdf.StatusInvalidParameter},
		{"limit of a sequential queue", func(c *wdf.IoQueueConfig) { c.NumberOfPresentedRequests = 1 }, nil, wdf.StatusInvalidParameter},
		{"two default queues", func(c *wdf.IoQueueConfig) { c.DefaultQueue = true }, nil, wdf.StatusUnsuccessful},
		{"queue scope", func(c *wdf.IoQueueConfig) {}, &wdf.ObjectAttributes{SynchronizationScope: queue}, 0},
		{"device scope", func(c *wdf.IoQueueConfig) {}, &wdf.ObjectAttributes{SynchronizationScope: device}, 0},
		{"device scope, other level", func(c *wdf.IoQueueConfig) {},
			&wdf.ObjectAttributes{SynchronizationScope: device, ExecutionLevel: wdf.ExecutionLevelPassive}, wdf.StatusInvalidParameter},
		{"passive", func(c *wdf.IoQueueConfig) {}, passive, 0},
		{"scope 5", func(c *wdf.IoQueueConfig) {}, &wdf.ObjectAttributes{SynchronizationScope: 5}, wdf.StatusWdfObjectAttributesInvalid},
	}
	create := func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) {
		for _, test := range tests {
			k := wdf.IoQueueConfigInit(wdf.IoQueueDispatchSequential)
			k.EvtIoDefault = c.EvtIoDefault
			test.change(&k)
			_, st := s.WdfIoQueueCreate(x.bench.device, &k, test.a)
			x.status(test.name, st, test.want)
		}
		other, _ := s.WdfSpinLockCreate(nil)
		_, st := s.WdfIoQueueCreate(x.bench.device, c, &wdf.ObjectAttributes{ParentObject: other})
		x.status("parent without device", st, wdf.StatusInvalidDeviceRequest)
	}
	ioScenario(t, driver{}, []queueSpec{{}, {other: true, config: create}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			c := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchManual)
			_, st := s.WdfIoQueueCreate(x.bench.device, &c, nil)
			x.status("default queue of a started device", st, wdf.StatusInvalidDeviceState)
			if got := s.WdfDeviceGetDefaultQueue(x.bench.device); got != x.queues[0] {
				x.Errorf("default queue 0x%X", got)
			}
			s.WdfObjectDelete(x.queues[0])
		})
		x.wantFindings("verifier break: STATUS_CANNOT_DELETE")
	})
}

// A passive queue presents at PASSIVE_LEVEL, in a work item if need be (IOQ-2).
func TestIOQ2PassiveQueueFromDPC(t *testing.T) {
	spec := queueSpec{attributes: &wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive},
		present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			kind, _ := s.Activation()
			x.note("%s@%d", kind, s.KeGetCurrentIrql())
		}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(2)
		x.want("io1( thread@0 )io1")
		x.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfRequestComplete(x.sent[0], 0)
			x.note("completed")
			s.KeLowerIrql(old)
		})
		x.want("completed io2( work item@0 )io2")
	})
}

// A queue without constraints presents at the level of whoever completes.
func TestIOQ2LevelOfTheCaller(t *testing.T) {
	spec := queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { x.note("@%d", s.KeGetCurrentIrql()) }}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(2)
		x.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfRequestComplete(x.sent[0], 0)
			x.note("completed")
			s.KeLowerIrql(old)
		})
		x.want("io1( @0 )io1 io2( @2 )io2 completed")
	})
}

// lockDriver is the driver of litmus L-40: EvtIoDefault takes a spin lock, and a
// DPC completes the request that the driver has, under that lock or after it.
type lockDriver struct {
	cell, dpc uint64
	current   wdf.WDFREQUEST
	routine   wdf.Callback
}

func (l *lockDriver) spec(attributes *wdf.ObjectAttributes) queueSpec {
	return queueSpec{attributes: attributes, present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		old := s.KeAcquireSpinLock(l.cell)
		l.current = r
		s.KeReleaseSpinLock(l.cell, old)
	}}
}

// prepare makes lock and DPC and sends the first request.
func (l *lockDriver) prepare(x *ioBench, under bool) {
	l.cell = x.Mem.Alloc(8, kernel.PoolTag("Lock"), false, 0)
	l.dpc = x.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("Tdpc"), false, 0)
	x.NameLock(l.cell, "S")
	l.routine = x.fn("EvtInterruptDpc", func(s *wdf.Sys, _ kernel.Args) uint64 {
		old := s.KeAcquireSpinLock(l.cell)
		r := l.current
		l.current = 0
		if under && r != 0 {
			s.WdfRequestComplete(r, 0)
		}
		s.KeReleaseSpinLock(l.cell, old)
		if !under && r != 0 {
			s.WdfRequestComplete(r, 0)
		}
		return 0
	})
	x.do(func(s *wdf.Sys) { s.KeInitializeDpc(l.dpc, uint64(l.routine), 0) })
}

func (l *lockDriver) complete(s *wdf.Sys) { s.KeInsertQueueDpc(l.dpc, 0, 0) }

// Litmus L-40 (a): nobody is in the dispatch loop, so that the completion calls
// EvtIoDefault of the next request, which wants the lock (IOQ-3, IOQ-5).
func TestIOQ5CompletionUnderALock(t *testing.T) {
	l := &lockDriver{}
	ioScenario(t, driver{}, []queueSpec{l.spec(nil)}, func(x *ioBench) {
		l.prepare(x, true)
		x.sendReads(2)
		x.forget()
		x.stop(l.complete)
		x.want("io2(")
		x.wantBugCheck("IRQL-15", 0xC4, 0x1000, l.cell)
	})
	ioScenario(t, driver{}, []queueSpec{l.spec(nil)}, func(x *ioBench) {
		l.prepare(x, false)
		x.sendReads(2)
		x.forget()
		x.do(l.complete)
		x.want("io2( )io2")
	})
}

// The variants of litmus L-40: the queue is passive, or the completing thread
// owns its callback lock.
func TestIOQ4DeferredDispatch(t *testing.T) {
	l := &lockDriver{}
	ioScenario(t, driver{}, []queueSpec{l.spec(&wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive})}, func(x *ioBench) {
		l.prepare(x, true)
		x.sendReads(2)
		x.forget()
		x.do(l.complete)
		x.want("io2( )io2")
	})
	for _, scope := range []wdf.SynchronizationScope{wdf.SynchronizationScopeQueue, wdf.SynchronizationScopeDevice, wdf.SynchronizationScopeNone} {
		show := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			kind, _ := s.Activation()
			x.note("%s@%d", kind, s.KeGetCurrentIrql())
		}
		ioScenario(t, driver{}, []queueSpec{{attributes: &wdf.ObjectAttributes{SynchronizationScope: scope}, present: show}}, func(x *ioBench) {
			x.sendReads(2)
			x.forget()
			x.do(func(s *wdf.Sys) {
				s.WdfObjectAcquireLock(x.queues[0])
				s.WdfRequestComplete(x.sent[0], 0)
				x.note("completed")
				s.WdfObjectReleaseLock(x.queues[0])
				x.note("released")
			})
			x.want("completed io2( DPC@2 )io2 released")
		})
	}
	// The callback lock of a passive queue: a work item, which waits for the lock.
	passive := &wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive, SynchronizationScope: wdf.SynchronizationScopeQueue}
	ioScenario(t, driver{}, []queueSpec{{attributes: passive}}, func(x *ioBench) {
		x.sendReads(2)
		x.forget()
		x.do(func(s *wdf.Sys) {
			s.WdfObjectAcquireLock(x.queues[0])
			s.WdfRequestComplete(x.sent[0], 0)
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("release")
			s.WdfObjectReleaseLock(x.queues[0])
		})
		x.want("release io2( )io2")
	})
}

// The deferred dispatch looks again if it was asked to while it ran.
func TestIOQ4DeferredDispatchLooksAgain(t *testing.T) {
	long(t)
	x := newIO(t, driver{processors: 2}, queueSpec{kind: wdf.IoQueueDispatchParallel,
		attributes: &wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeQueue}})
	x.do(func(s *wdf.Sys) { s.WdfIoQueueStop(x.queues[0], 0, 0) })
	x.sendReads(1)
	start := func(s *wdf.Sys) {
		s.WdfObjectAcquireLock(x.queues[0])
		s.WdfIoQueueStart(x.queues[0])
		s.WdfObjectReleaseLock(x.queues[0])
	}
	got := x.search(body{0, start}, body{1, start})
	x.wantOutcomes(got, "io1( )io1")
}

// selfDeadlock is the headline of what Driver Verifier finds when a processor
// takes a spin lock twice.
func selfDeadlock(lock uint64) string {
	f := kernel.Finding{Code: 0xC4, Params: [4]uint64{0x1000, lock}}
	return f.Title()
}

// Litmus L-40 (b): the dispatch loop is active on the other processor, still in
// EvtIoDefault of the request that is completed; it takes the next one. (c):
// free, with both outcomes.
func TestIOQ3WhereTheNextRequestIsPresented(t *testing.T) {
	long(t)
	for _, under := range []bool{true, false} {
		l := &lockDriver{}
		spec := l.spec(nil)
		present := spec.present
		spec.present = func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			x.note("io%d@P%d", n, s.Processor())
			present(x, s, r, n)
		}
		x := newIO(t, driver{processors: 2}, spec)
		l.prepare(x, under)
		x.only = []string{"io2@P0", "io2@P1"}
		x.before = func() { l.current = 0 }
		got := x.search(
			body{1, func(s *wdf.Sys) {
				x.send(s, read4)
				x.send(s, read4)
			}},
			body{0, func(s *wdf.Sys) {
				s.BusyWait("a request", func() bool { return l.current != 0 })
				l.complete(s)
			}})
		// The second request may come before or after the first one is completed; with the
		// DPC in the loop of processor 0, or without.
		want := []string{"io2@P1", "io2@P0"}
		if under {
			want = []string{"io2@P1", "io2@P0 stopped " + selfDeadlock(l.cell)}
		}
		x.wantOutcomes(got, want...)
	}
}

// While one processor is in EvtIoDefault of a request that has been completed, a
// request that arrives on another one is presented there: only what ends visits
// the loop politely, what is new runs it.
func TestIOQ3NewRequestDuringALoop(t *testing.T) {
	x := newIO(t, driver{processors: 2}, queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestComplete(r, 0)
		s.Step()
	}})
	got := x.search(
		body{0, func(s *wdf.Sys) { x.send(s, read4) }},
		body{1, func(s *wdf.Sys) {
			s.BusyWait("the first request", func() bool { return len(x.sent) > 0 })
			x.send(s, read4)
		}})
	x.wantOutcomes(got,
		"io1( )io1 io2( )io2",
		"io1( io2( )io2 )io1",
		"io1( io2( )io1 )io2",
		"io2( )io2 io1( )io1",
		"io2( io1( )io1 )io2",
		"io2( io1( )io2 )io1",
	)
}

// However many requests are completed in their own EvtIoDefault, the stack does
// not grow.
func TestIOQ3StackStaysBounded(t *testing.T) {
	deep := 0
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		deep++
		if deep > 1 {
			x.Errorf("EvtIoDefault is called inside EvtIoDefault")
		}
		if n > 1 {
			s.WdfRequestComplete(r, 0)
		}
		deep--
	}}}, func(x *ioBench) {
		x.sendReads(20)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.wantState(0, ready|idle, 0, 0)
	})
}

func TestIOQ1Forward(t *testing.T) {
	forward := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		x.status("WdfRequestForwardToIoQueue", s.WdfRequestForwardToIoQueue(r, x.queues[1]), 0)
	}
	second := queueSpec{other: true, present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		if got := s.WdfRequestGetIoQueue(r); got != x.queues[1] {
			x.Errorf("WdfRequestGetIoQueue: 0x%X", got)
		}
	}}
	ioScenario(t, driver{}, []queueSpec{{present: forward}, second}, func(x *ioBench) {
		x.sendReads(2)
		x.want("io1( io1( )io1 )io1 io2( )io2")
		x.wantState(0, ready|idle, 0, 0)
		x.wantState(1, ready, 1, 1)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.want("io2( )io2")
	})
	wrong := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		x.status("to its own queue", s.WdfRequestForwardToIoQueue(r, x.queues[0]), wdf.StatusInvalidDeviceRequest)
		s.WdfIoQueueDrain(x.queues[1], 0, 0)
		x.status("to a queue that accepts nothing", s.WdfRequestForwardToIoQueue(r, x.queues[1]), wdf.StatusWdfBusy)
		x.status("requeue into a sequential queue", s.WdfRequestRequeue(r), wdf.StatusInvalidDeviceRequest)
		s.WdfRequestComplete(r, wdf.StatusWdfBusy)
	}
	ioScenario(t, driver{}, []queueSpec{{present: wrong}, second}, func(x *ioBench) {
		x.sendReads(1)
		x.wantFindings("verifier break: WdfRequestForwardToIoQueue", "verifier break: WdfRequestRequeue")
		x.wantEnd(1, wdf.StatusDeviceBusy) // the framework's own codes are replaced
	})
	// The driver uses a request that it has given away.
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		s.WdfRequestForwardToIoQueue(r, x.queues[1])
		s.WdfRequestComplete(r, 0)
	}}, {other: true, kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.sendReads(1)
		x.wantFindings("verifier break: InvalidReqAccess")
		x.wantState(1, ready|wdf.IoQueueDriverNoRequests, 1, 0)
	})
}

func TestIOQ1StopAndStart(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchParallel}}, func(x *ioBench) {
		var stopped wdf.Callback
		x.sendReads(1)
		x.do(func(s *wdf.Sys) {
			stopped = s.QueueState(func(_ *wdf.Sys, _ wdf.WDFQUEUE, context uint64) { x.note("stopped%d", context) })
			s.WdfIoQueueStop(x.queues[0], stopped, 5)
		})
		x.sendReads(1)
		x.want("io1( )io1")
		x.wantState(0, wdf.IoQueueAcceptRequests, 1, 1)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.want("stopped5")
		x.do(func(s *wdf.Sys) { s.WdfIoQueueStart(x.queues[0]) })
		x.want("io2( )io2")
		x.spawn(0, func(s *wdf.Sys) {
			s.WdfIoQueueStopSynchronously(x.queues[0])
			x.note("returned")
		})
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("complete")
			s.WdfRequestComplete(x.sent[1], 0)
		})
		x.want("complete returned")
		x.do(func(s *wdf.Sys) {
			s.WdfIoQueueStart(x.queues[0])
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfIoQueueStopSynchronously(x.queues[0])
			s.KeLowerIrql(old)
		})
		x.wantFindings("verifier break: KmdfIrql")
		x.wantState(0, ready|idle, 0, 0)
		x.sendReads(1)
		x.stop(func(s *wdf.Sys) {
			s.WdfIoQueueStop(x.queues[0], stopped, 0)
			s.WdfIoQueueStop(x.queues[0], stopped, 0)
		})
		x.wantBugCheck("ChangeQueueState", 0x10D, 0xA)
	})
}

func TestIOQ1PurgeAndDrain(t *testing.T) {
	mark := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		if n == 1 {
			s.WdfRequestMarkCancelable(r, x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
				s.WdfRequestComplete(r, wdf.StatusCancelled)
			}))
		}
	}
	limited := func(_ *ioBench, _ *wdf.Sys, c *wdf.IoQueueConfig) { c.NumberOfPresentedRequests = 2 }
	spec := queueSpec{kind: wdf.IoQueueDispatchParallel, present: mark, config: limited}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(3)
		x.forget()
		x.spawn(0, func(s *wdf.Sys) {
			s.WdfIoQueuePurgeSynchronously(x.queues[0])
			x.note("purged")
		})
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.send(s, read4)
			x.note("complete")
			s.WdfRequestComplete(x.sent[1], 0)
		})
		x.want("cancel1 complete purged")
		x.wantEnd(1, wdf.StatusCancelled)
		x.wantEnd(2, 0)
		x.wantEnd(3, wdf.StatusCancelled)
		x.wantEnd(4, wdf.StatusInvalidDeviceState)
		x.wantState(0, wdf.IoQueueDispatchRequests|idle, 0, 0)
		x.do(func(s *wdf.Sys) { s.WdfIoQueueStart(x.queues[0]) })
		x.wantState(0, ready|idle, 0, 0)
	})
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(3)
		x.forget()
		x.do(func(s *wdf.Sys) {
			s.WdfIoQueueDrain(x.queues[0], s.QueueState(func(_ *wdf.Sys, _ wdf.WDFQUEUE, _ uint64) { x.note("drained") }), 0)
			x.status("WdfRequestUnmarkCancelable", s.WdfRequestUnmarkCancelable(x.sent[0]), 0)
			for _, r := range x.sent {
				s.WdfRequestComplete(r, 0)
			}
		})
		x.want("io3( )io3 drained")
	})
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(3)
		x.forget()
		x.do(func(s *wdf.Sys) {
			s.WdfIoQueueStopAndPurge(x.queues[0], 0, 0)
			x.send(s, read4)
			s.WdfRequestComplete(x.sent[1], 0)
		})
		x.want("cancel1")
		x.wantState(0, wdf.IoQueueAcceptRequests|wdf.IoQueueDriverNoRequests, 1, 0)
		x.wantEnd(3, wdf.StatusCancelled)
	})
}

func TestIOQ1DrainSynchronously(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		if n > 1 {
			s.WdfRequestComplete(r, 0)
		}
	}}}, func(x *ioBench) {
		for _, wait := range []func(s *wdf.Sys){
			func(s *wdf.Sys) { s.WdfIoQueueDrainSynchronously(x.queues[0]) },
			func(s *wdf.Sys) { s.WdfIoQueueStopAndPurgeSynchronously(x.queues[0]) },
		} {
			x.sent = nil
			x.sendReads(3)
			x.spawn(0, func(s *wdf.Sys) {
				wait(s)
				x.note("returned")
			})
			x.do(func(s *wdf.Sys) {
				s.KeDelayExecutionThread(kernel.After(1_000_000))
				s.WdfRequestComplete(x.sent[0], 0)
				s.KeDelayExecutionThread(kernel.After(1_000_000))
				s.WdfIoQueueStart(x.queues[0])
			})
		}
		x.want("io1( )io1 io2( )io2 io3( )io3 returned io1( )io1 returned")
		x.wantEnd(2, wdf.StatusCancelled)
		x.do(func(s *wdf.Sys) { // the level is checked by the routines themselves
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfIoQueueDrainSynchronously(x.queues[0])
			s.WdfIoQueuePurgeSynchronously(x.queues[0])
			s.WdfIoQueueStopAndPurgeSynchronously(x.queues[0])
			s.KeLowerIrql(old)
		})
		x.wantFindings("verifier break: KmdfIrql", "verifier break: KmdfIrql", "verifier break: KmdfIrql")
		x.wantState(0, ready|idle, 0, 0)
	})
}

func TestIOQ1RetrieveFromOtherQueues(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{}, {other: true, kind: wdf.IoQueueDispatchParallel}}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) {
			_, st := s.WdfIoQueueRetrieveNextRequest(x.queues[1])
			x.status("parallel", st, wdf.StatusInvalidDeviceState)
			_, st = s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			x.status("sequential, the driver has none", st, wdf.StatusNoMoreEntries)
			x.status("WdfIoQueueReadyNotify", s.WdfIoQueueReadyNotify(x.queues[0], 1, 0), wdf.StatusInvalidDeviceRequest)
			if got := s.WdfIoQueueGetDevice(x.queues[1]); got != x.bench.device {
				x.Errorf("WdfIoQueueGetDevice: 0x%X", got)
			}
		})
		x.wantFindings("verifier break: WdfIoQueueRetrieveNextRequest", "verifier break: WdfIoQueueReadyNotify")
		x.sendReads(2)
		x.do(func(s *wdf.Sys) {
			r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0]) // before the first is completed
			x.status("sequential", st, 0)
			s.WdfRequestComplete(x.sent[0], 0)
			s.WdfRequestComplete(r, 0)
		})
		x.wantState(0, ready|idle, 0, 0)
	})
}

// EvtIoDefault and EvtRequestCancel never overlap under automatic serialization,
// and can otherwise (SER-1, IOQ-11).
func TestIOQ11SER1CancelIsSerialized(t *testing.T) {
	for _, scope := range []wdf.SynchronizationScope{wdf.SynchronizationScopeQueue, wdf.SynchronizationScopeDevice, wdf.SynchronizationScopeNone} {
		var cancel wdf.Callback
		x := newIO(t, driver{processors: 2, add: func(b *bench, s *wdf.Sys) {}}, queueSpec{
			kind: wdf.IoQueueDispatchParallel, attributes: &wdf.ObjectAttributes{SynchronizationScope: scope},
			present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
				if n == 1 {
					s.WdfRequestMarkCancelable(r, cancel)
				}
				s.Step()
			}})
		cancel = x.cancel("EvtRequestCancel", func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
			s.Step()
			s.WdfRequestComplete(r, wdf.StatusCancelled)
			x.note("/cancel1")
		})
		x.sendReads(1)
		x.forget()
		got := x.search(
			body{0, func(s *wdf.Sys) { x.send(s, read4) }},
			body{1, func(s *wdf.Sys) { s.CancelRequest(x.sent[0]) }})
		want := []string{"io2( )io2 cancel1 /cancel1", "cancel1 /cancel1 io2( )io2"}
		if scope == wdf.SynchronizationScopeNone {
			want = append(want, "cancel1 io2( )io2 /cancel1", "cancel1 io2( /cancel1 )io2")
			// While io2 runs, its loop takes the cancel: it comes after.
		}
		x.wantOutcomes(got, want...)
	}
}
