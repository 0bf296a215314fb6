package litmus

import (
	"encoding/binary"
	"slices"

	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// Queues and requests. A request of a test without queues belongs to the driver from the start; in a test with queues an
// application sends it, to the first queue.

// createQueues makes the queues of the setup; the first one is the default queue. A test with requests, but without
// queues, gets a manual one.
func (b *bench) createQueues(s *wdf.Sys) (st wdf.NTSTATUS) {
	created, requests := false, false
	for i := range b.test.Objects {
		o := &b.test.Objects[i]
		requests = requests || o.Kind == KindRequest
		if o.Kind != KindQueue || st.Failed() {
			continue
		}
		st = b.createQueue(s, o, !created)
		created = true
	}
	if requests && !created {
		c := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchManual)
		_, st = s.WdfIoQueueCreate(b.device, &c, nil)
	}
	return st
}

func (b *bench) createQueue(s *wdf.Sys, o *Object, first bool) wdf.NTSTATUS {
	c := wdf.IoQueueConfigInit(wdf.IoQueueDispatchSequential)
	if c.EvtIoRead = b.callback(ProgramRead, o.ID); c.EvtIoRead == 0 {
		c.EvtIoDefault = ignoreRequest(s)
	}
	if o.Queue.Manual {
		c = wdf.IoQueueConfigInit(wdf.IoQueueDispatchManual)
	}
	c.DefaultQueue = first
	c.PowerManaged = wdf.False
	a := wdf.ObjectAttributes{}
	if o.Queue.Passive {
		a.ExecutionLevel = wdf.ExecutionLevelPassive
	}
	if o.Queue.Scope {
		a.SynchronizationScope = wdf.SynchronizationScopeQueue
	}
	h, st := s.WdfIoQueueCreate(b.device, &c, &a)
	b.objects[o.ID].handle = h
	return st
}

// ignoreRequest is the callback of a queue that gets no requests in the test: a sequential queue needs one.
func ignoreRequest(s *wdf.Sys) wdf.Callback {
	return s.IoRequest(func(*wdf.Sys, wdf.WDFQUEUE, wdf.WDFREQUEST) {})
}

// controlCode is the I/O control of the requests of tests without queues: METHOD_BUFFERED, without data. With queues they
// are reads.
const controlCode = 0x222000

// createRequest makes a request. Without a queue of the test the driver owns it at once.
func (b *bench) createRequest(s *wdf.Sys, o *Object) {
	if b.test.hasQueue() {
		b.objects[o.ID].handle = s.PrepareRequest(b.device, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8})
		return
	}
	b.objects[o.ID].handle = s.SendRequest(b.device, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: controlCode})
	if _, st := s.WdfIoQueueRetrieveNextRequest(s.WdfDeviceGetDefaultQueue(b.device)); st.Failed() {
		b.fail("WdfIoQueueRetrieveNextRequest for %s: %s", o.Name, trace.StatusName(uint32(st)))
	}
}

func (t *Test) hasQueue() bool {
	return slices.ContainsFunc(t.Objects, func(o Object) bool { return o.Kind == KindQueue })
}

func sendRequest(x *activation, in *Instr) int64 {
	x.sys().SubmitRequest(x.handle(in, 0))
	return 0
}

func cancelRequest(x *activation, in *Instr) int64 {
	return number(x.sys().CancelRequest(x.handle(in, 0)))
}

// retrieveRequest returns the next request of a queue, NULL if there is none.
func retrieveRequest(x *activation, in *Instr) int64 {
	h, st := x.sys().WdfIoQueueRetrieveNextRequest(x.handle(in, 0))
	if st.Failed() {
		return 0
	}
	return int64(h)
}

// ownRequest returns the request that EvtIoRead or EvtRequestCancel was called with.
func ownRequest(x *activation, _ *Instr) int64 {
	switch x.test.Programs[x.program].Kind {
	case ProgramRead:
		return int64(x.args[1])
	case ProgramCancel:
		return int64(x.args[0])
	}
	x.stop("%s was given no request", x.test.Programs[x.program].Name)
	return 0
}

// cancelRoutine returns the EvtRequestCancel of the request that a value refers to.
func (x *activation) cancelRoutine(h wdf.Handle) wdf.Callback {
	for i := range x.objects {
		if x.objects[i].handle == h && x.test.Objects[i].Kind == KindRequest {
			return x.callback(ProgramCancel, ObjectID(i))
		}
	}
	return 0
}

func markCancelable(x *activation, in *Instr) int64 {
	h := wdf.Handle(x.value(in, 0))
	x.sys().WdfRequestMarkCancelable(h, x.cancelRoutine(h))
	return 0
}

func markCancelableEx(x *activation, in *Instr) int64 {
	h := wdf.Handle(x.value(in, 0))
	return int64(x.sys().WdfRequestMarkCancelableEx(h, x.cancelRoutine(h)))
}

func unmarkCancelable(x *activation, in *Instr) int64 {
	return int64(x.sys().WdfRequestUnmarkCancelable(wdf.Handle(x.value(in, 0))))
}

// completeRequest completes a request, which a variable may refer to. What returns is counted as a completion.
func completeRequest(x *activation, in *Instr) int64 {
	h := wdf.Handle(x.value(in, 0))
	x.sys().WdfRequestComplete(h, wdf.StatusSuccess)
	x.completed(uint64(h))
	return 0
}

// completed counts a completion of a request that has returned.
func (b *bench) completed(handle uint64) {
	for i := range b.objects {
		if uint64(b.objects[i].handle) == handle && b.test.Objects[i].Kind == KindRequest {
			b.state.changed()
			b.state.completions[i]++
		}
	}
}

// allocateUser is what an application does: it maps 8 bytes with a value into its process. Each thread that calls it is a
// process of its own, and the first buffer has the same address in all of them.
func allocateUser(x *activation, in *Instr) int64 {
	x.t.Step()
	p := x.t.AllocateUser(8)
	x.m.Mem.WriteUser(x.t.Process(), p, binary.LittleEndian.AppendUint64(nil, uint64(x.value(in, 0))))
	return int64(p)
}

// mapUser locks the 8 bytes at an address of the calling process and maps them to an address of the kernel.
func mapUser(x *activation, in *Instr) int64 {
	mdl := x.t.IoAllocateMdl(uint64(x.value(in, 0)), 8)
	x.t.LockPages(mdl, false)
	return int64(x.t.MmGetSystemAddressForMdlSafe(mdl))
}
