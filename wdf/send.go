package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// LowerRequest is a request as the driver below gets it.
type LowerRequest struct {
	Type          RequestType
	IoControlCode uint32
	Input         []byte
	OutputLength  uint64
}

// LowerAnswer is what the driver below does with it.
type LowerAnswer struct {
	Status      NTSTATUS
	Information uint64
	Output      []byte // up to the OutputLength of the request
	Delay       uint64 // ns until it is completed, at DISPATCH_LEVEL; 0: at once, in the thread that sends
	Never       bool   // only when it is cancelled
}

// SetLowerDriver sets what the driver below the devices answers: always the same
// to the same request. Without it all requests get STATUS_INVALID_DEVICE_REQUEST:
// the bus does not know them.
func (f *Framework) SetLowerDriver(answer func(LowerRequest) LowerAnswer) { f.lower = answer }

// RequestSendOptions is WDF_REQUEST_SEND_OPTIONS.
type RequestSendOptions struct {
	Size    uint32
	Flags   uint32
	Timeout int64 // 100 ns units, negative for a time from now
}

// RequestSendOptionsSize is the size of WDF_REQUEST_SEND_OPTIONS in bytes.
const RequestSendOptionsSize = 16

// Values of RequestSendOptions.Flags.
const (
	SendOptionTimeout           = 1
	SendOptionSynchronous       = 2
	SendOptionIgnoreTargetState = 4
	SendOptionSendAndForget     = 8
)

// sending is one journey of a request to the driver below.
type sending struct {
	request     requestID
	target      id
	forget      bool // the driver gave the request away
	synchronous bool // the sender waits
	ended       bool
	cancelled   bool // the answer will be STATUS_CANCELLED
	timedOut    bool
	status      NTSTATUS // the answer
	information uint64
	output      uint64 // block with bytes of the answer, 0: none
	length      uint64
	timers      [2]sendTimer
}

// What the timers of a sending are for.
const (
	timerAnswer  = 0
	timerTimeout = 1
)

type sendTimer struct{ ktimer, kdpc uint64 }

var (
	svcWdfRequestSend                 = kernel.NewService("WdfRequestSend")
	svcWdfRequestSetCompletionRoutine = kernel.NewService("WdfRequestSetCompletionRoutine")
	svcWdfRequestGetCompletionParams  = kernel.NewService("WdfRequestGetCompletionParams")
	svcWdfRequestCancelSentRequest    = kernel.NewService("WdfRequestCancelSentRequest")
	svcAnswer                         = kernel.NewService("the end of a request that was sent")
)

// RequestCompletion makes an EvtRequestCompletionRoutine of a function; params is
// the address of a WDF_REQUEST_COMPLETION_PARAMS.
func (s *Sys) RequestCompletion(fn func(s *Sys, request WDFREQUEST, target WDFIOTARGET, params, context uint64)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), a[2], a[3])
		return 0
	})
}

// WdfRequestSetCompletionRoutine says what is called when the driver below has
// completed the request, at IRQL <= DISPATCH_LEVEL in whatever thread; 0 takes it
// back. IRQL <= DISPATCH_LEVEL (fxrequestapi.cpp).
func (s *Sys) WdfRequestSetCompletionRoutine(h WDFREQUEST, routine Callback, context uint64) {
	s.Enter(svcWdfRequestSetCompletionRoutine, uint64(h), uint64(routine), context)
	row := &s.f.requests[s.request(h)]
	row.completion, row.completionContext = routine, context
	s.LeaveVoid()
}

// WdfRequestSend sends a request to the driver below. FALSE: it was not sent, and
// WdfRequestGetStatus says why. A request that the driver has from a queue needs a
// completion routine, unless it is sent synchronously or sent and forgotten. With
// SendOptionSynchronous the routine returns when the request has come back. IRQL <=
// DISPATCH_LEVEL, PASSIVE_LEVEL with SendOptionSynchronous (fxrequestapi.cpp,
// fxiotarget.cpp).
func (s *Sys) WdfRequestSend(h WDFREQUEST, target WDFIOTARGET, o *RequestSendOptions) bool {
	s.Enter(svcWdfRequestSend, uint64(h), uint64(target))
	s.request(h)
	s.row(target, TypeIoTarget)
	if o == nil {
		o = &RequestSendOptions{Size: RequestSendOptionsSize}
	}
	if o.Flags&SendOptionSynchronous != 0 {
		s.levelReport("WdfRequestSend with WDF_REQUEST_SEND_OPTION_SYNCHRONOUS", "IRQL-12", PassiveLevel)
	}
	s.checkSendLocks(h)
	s.Step()
	r, t := s.request(h), s.lookup(target, TypeIoTarget)
	if st := s.checkSend(r, o); st.Failed() {
		s.f.requests[r].status = st
		return s.LeaveBool(false)
	}
	s.send(r, t, o)
	return s.LeaveBool(true)
}

// checkSend returns why a request cannot be sent.
func (s *Sys) checkSend(r requestID, o *RequestSendOptions) NTSTATUS {
	row := &s.f.requests[r]
	name := s.f.requestName(r)
	forget := o.Flags&SendOptionSendAndForget != 0
	switch {
	case o.Size != RequestSendOptionsSize, o.Flags&^0xF != 0, forget && o.Flags != SendOptionSendAndForget:
		s.verifierBreak("WDF_REQUEST_SEND_OPTIONS", "OBJ-19", "Size %d or Flags 0x%X is not valid: %s is not sent", o.Size, o.Flags, name)
		return StatusInvalidParameter
	case row.send != 0:
		s.BugCheck(0x10D, [4]uint64{6, 3, uint64(row.object.handle())}, "IOQ-10", name+" is sent, but the driver below has it already")
	case row.fromApp && s.verifyOwned(r, "sent").Failed(),
		row.fromApp && !s.verifyNotMarked(r, "ReqMarkCancelableSend", "IOQ-10", "is sent while it is marked cancelable"):
		return StatusInvalidDeviceRequest
	case forget && !row.fromApp:
		return StatusInvalidDeviceState
	case forget && row.next.formatted && !row.next.current:
		s.verifierBreak("WdfRequestSend", "IOQ-10", "%s is sent and forgotten, but was formatted with memory of the driver", name)
		return StatusInvalidDeviceRequest
	case row.fromApp && o.Flags&(SendOptionSynchronous|SendOptionSendAndForget) == 0 && row.completion == 0:
		s.verifierBreak("WdfRequestSend", "IOQ-6", "%s is sent without a completion routine: nobody would complete it", name)
		return StatusInvalidDeviceRequest
	case forget && row.completion != 0:
		s.verifierBreak("WdfRequestSend", "IOQ-6", "%s is sent and forgotten: its completion routine is not called", name)
	case !forget && !row.next.formatted:
		s.note(trace.Framework, name, "is not formatted")
		return StatusRequestNotAccepted
	case row.sendCancelled:
		return StatusCancelled
	}
	return StatusSuccess
}

// send hands a request to the driver below. For a synchronous one it returns when
// the request has come back.
func (s *Sys) send(r requestID, target id, o *RequestSendOptions) {
	f := s.f
	row := &f.requests[r]
	n := int32(len(f.sendings))
	x := sending{request: r, target: target, forget: o.Flags&SendOptionSendAndForget != 0, synchronous: o.Flags&SendOptionSynchronous != 0}
	if x.forget && !row.next.formatted {
		row.next = nextStack{formatted: true, current: true, typ: row.typ, code: row.code}
	}
	f.sendings = append(f.sendings, x)
	row.send = n
	if x.forget {
		row.completed, row.owned = true, false
		s.disposeEarly(r)
	} else {
		f.objects[row.object].references++
	}
	if o.Flags&SendOptionTimeout != 0 && o.Timeout != 0 {
		s.startSendTimer(n, timerTimeout, kernel.Timeout{Limited: true, Ticks: o.Timeout})
	}
	request := s.lowerRequest(r)
	answer := LowerAnswer{Status: StatusInvalidDeviceRequest}
	if f.lower != nil {
		answer = f.lower(request)
	}
	s.note(trace.Framework, f.requestName(r), "is sent to the driver below")
	s.Released(uint64(row.object.handle()))
	s.keepAnswer(n, answer)
	if answer.Delay == 0 && !answer.Never {
		s.answer(n)
	} else if answer.Delay != 0 {
		s.startSendTimer(n, timerAnswer, kernel.After(answer.Delay))
	}
	if x.forget {
		s.giveAway(r)
	}
	if x.synchronous && !f.sendings[n].ended {
		if irql := s.IRQL(); irql > APCLevel {
			s.BugCheck(0xB8, [4]uint64{}, "IRQL-12", f.requestName(r)+" is sent synchronously at "+trace.LevelName(irql)+", where a thread cannot wait")
		}
		s.WaitForRelease(uint64(f.requests[r].object.handle()), "the answer to "+f.requestName(r), func() bool { return f.sendings[n].ended })
	}
}

// lowerRequest returns a request as the driver below sees it.
func (s *Sys) lowerRequest(r requestID) LowerRequest {
	row := &s.f.requests[r]
	l := LowerRequest{Type: row.next.typ, IoControlCode: row.next.code, OutputLength: row.next.output.length}
	if !row.next.current {
		l.Input = s.partBytes(row.next.input)
		return l
	}
	l.OutputLength = row.outputLength
	l.Input = make([]byte, row.inputLength)
	switch {
	case row.userInput != 0:
		s.f.m.Mem.ReadUser(row.process, row.userInput, l.Input)
	case row.systemBuffer != 0:
		s.f.m.Mem.Read(row.systemBuffer, l.Input)
	}
	return l
}

func (s *Sys) partBytes(p memoryPart) []byte {
	if p.memory == 0 {
		return nil
	}
	b := make([]byte, min(p.length, mem.MaxAlloc))
	s.f.m.Mem.Read(s.f.memories[s.f.objects[p.memory].index].buffer+p.offset, b)
	return b
}

// keepAnswer remembers an answer until its time has come.
func (s *Sys) keepAnswer(n int32, a LowerAnswer) {
	x := &s.f.sendings[n]
	x.status, x.information = a.Status, a.Information
	if len(a.Output) > 0 {
		x.length = uint64(len(a.Output))
		x.output = s.f.m.Mem.Alloc(x.length, kernel.PoolTag("Lowr"), false, s.ActivationID())
		s.f.m.Mem.Write(x.output, a.Output)
	}
}

// giveAway is the driver's end of a request that was sent and forgotten; its IRP
// may live on below.
func (s *Sys) giveAway(r requestID) {
	f := s.f
	s.SetPosition(1)
	s.Step()
	if row := &f.requests[r]; row.fromQueue {
		f.takeBack(row.queue, r)
		s.visit(row.queue)
	}
	object := f.requests[r].object
	f.unlink(object)
	s.dereference(object)
}

// answer is the end of a request in the driver below: its output is there, and the
// sender hears of it.
func (s *Sys) answer(n int32) {
	f := s.f
	x := &f.sendings[n]
	if x.ended {
		return
	}
	x.ended = true
	s.Begin(svcAnswer, uint64(n), uint64(x.status))
	r := x.request
	if x.cancelled {
		x.status, x.information, x.length = StatusCancelled, 0, 0
		if x.timedOut {
			x.status = StatusIOTimeout
		}
	}
	s.returnAnswer(n)
	s.stopSendTimer(n, timerAnswer)
	s.stopSendTimer(n, timerTimeout)
	x, row := &f.sendings[n], &f.requests[r]
	row.send, row.status, row.information = 0, x.status, x.information
	object := row.object
	s.Acquired(uint64(object.handle()))
	s.Released(uint64(object.handle()))
	if x.forget {
		s.completeIRP(r, x.status)
	} else {
		s.note(trace.Framework, f.requestName(r), "comes back with %s", trace.StatusName(uint32(x.status)))
		if c := row.completion; c != 0 {
			s.SetPosition(2)
			s.call("EvtRequestCompletionRoutine", c, uint64(object.handle()), uint64(x.target.handle()), s.completionParams(r), row.completionContext)
		}
		s.dereference(object)
	}
	s.End()
}

// returnAnswer stores the output of an answer where the request wants it.
func (s *Sys) returnAnswer(n int32) {
	f := s.f
	x := &f.sendings[n]
	if x.output == 0 {
		return
	}
	row := &f.requests[x.request]
	b := make([]byte, x.length)
	f.m.Mem.Read(x.output, b)
	s.FreeBlock(x.output)
	x.output = 0
	switch next := row.next; {
	case !next.current && next.output.memory != 0:
		f.m.Mem.Write(f.memories[f.objects[next.output.memory].index].buffer+next.output.offset, b[:min(x.length, next.output.length)])
	case !next.current:
	case row.userOutput != 0:
		f.m.Mem.WriteUser(row.process, row.userOutput, b[:min(x.length, row.outputLength)])
	case row.systemBuffer != 0:
		f.m.Mem.Write(row.systemBuffer, b[:min(x.length, row.outputLength)])
	}
}

// completionParams returns the address of the WDF_REQUEST_COMPLETION_PARAMS of a
// request that has come back.
func (s *Sys) completionParams(r requestID) uint64 {
	row := &s.f.requests[r]
	if row.params == 0 {
		row.params = s.f.m.Mem.Alloc(ddi.SizeOf("WDF_REQUEST_COMPLETION_PARAMS"), kernel.PoolTag("FxRq"), false, s.ActivationID())
	}
	for _, f := range s.completionFields(r) {
		s.f.m.Mem.Store(row.params+f.Offset, f.Size, f.Value)
	}
	return row.params
}

// CompletionField is one field of a WDF_REQUEST_COMPLETION_PARAMS.
type CompletionField struct {
	Offset uint64
	Size   int
	Value  uint64
}

func (s *Sys) completionFields(r requestID) (list []CompletionField) {
	row := &s.f.requests[r]
	next := row.next
	add := func(name string, size int, v uint64) {
		list = append(list, CompletionField{ddi.Offset("WDF_REQUEST_COMPLETION_PARAMS", name), size, v})
	}
	add("Size", 4, ddi.SizeOf("WDF_REQUEST_COMPLETION_PARAMS"))
	add("Type", 4, uint64(next.typ))
	status := ddi.Offset("WDF_REQUEST_COMPLETION_PARAMS", "IoStatus")
	list = append(list, CompletionField{status, 4, uint64(row.status)}, CompletionField{status + 8, 8, row.information})
	switch {
	case next.current:
	case next.typ == RequestTypeRead:
		add("Parameters.Read.Buffer", 8, uint64(next.output.memory.handle()))
		add("Parameters.Read.Length", 8, row.information)
		add("Parameters.Read.Offset", 8, next.output.offset)
	case next.typ == RequestTypeWrite:
		add("Parameters.Write.Buffer", 8, uint64(next.input.memory.handle()))
		add("Parameters.Write.Length", 8, row.information)
		add("Parameters.Write.Offset", 8, next.input.offset)
	default:
		add("Parameters.Ioctl.IoControlCode", 4, uint64(next.code))
		add("Parameters.Ioctl.Input.Buffer", 8, uint64(next.input.memory.handle()))
		add("Parameters.Ioctl.Input.Offset", 8, next.input.offset)
		add("Parameters.Ioctl.Output.Buffer", 8, uint64(next.output.memory.handle()))
		add("Parameters.Ioctl.Output.Offset", 8, next.output.offset)
		add("Parameters.Ioctl.Output.Length", 8, row.information)
	}
	return list
}

// RequestCompletionParams is the part of WDF_REQUEST_COMPLETION_PARAMS that all
// types have.
type RequestCompletionParams struct {
	Type        RequestType
	Status      NTSTATUS
	Information uint64
}

// WdfRequestGetCompletionParams returns what came of a request that was sent, and
// the fields of the whole structure for the binding. IRQL <= DISPATCH_LEVEL
// (fxrequestapi.cpp).
func (s *Sys) WdfRequestGetCompletionParams(h WDFREQUEST) (p RequestCompletionParams, fields []CompletionField) {
	s.Enter(svcWdfRequestGetCompletionParams, uint64(h))
	r := s.request(h)
	row := &s.f.requests[r]
	p = RequestCompletionParams{row.next.typ, row.status, row.information}
	s.LeaveVoid()
	return p, s.completionFields(r)
}

// WdfRequestCancelSentRequest cancels a request that the driver below has; TRUE:
// that driver can cancel it, and its completion routine has been called or will be.
// IRQL <= DISPATCH_LEVEL (fxrequestbase.cpp).
func (s *Sys) WdfRequestCancelSentRequest(h WDFREQUEST) bool {
	s.Enter(svcWdfRequestCancelSentRequest, uint64(h))
	s.request(h)
	s.Step()
	row := &s.f.requests[s.request(h)]
	row.sendCancelled = true
	return s.LeaveBool(s.cancelSending(row.send, false))
}

// cancelSending is IoCancelIrp for a request that the driver below has.
func (s *Sys) cancelSending(n int32, timedOut bool) bool {
	if n == 0 || s.f.sendings[n].ended {
		return false
	}
	x := &s.f.sendings[n]
	x.cancelled, x.timedOut = true, timedOut
	s.answer(n)
	return true
}

// startSendTimer sets a timer of a sending.
func (s *Sys) startSendTimer(n int32, which int, due kernel.Timeout) {
	f := s.f
	t := sendTimer{f.m.Mem.Alloc(kernel.TimerSize, kernel.PoolTag("FxRq"), false, s.ActivationID()),
		f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxRq"), false, s.ActivationID())}
	f.sendings[n].timers[which] = t
	name := [...]string{"the driver below", "timeout of "}[which] + f.requestName(f.sendings[n].request)
	if which == timerAnswer {
		name = fmt.Sprintf("the driver below, for %s,", f.requestName(f.sendings[n].request))
	}
	f.m.SetName(t.ktimer, name)
	f.m.SetName(t.kdpc, name+" DPC")
	s.InitializeTimer(t.ktimer, false)
	s.InitializeDPC(t.kdpc, f.thunks.sendTimer, uint64(n)<<1|uint64(which))
	s.SetTimer(t.ktimer, due, 0, t.kdpc)
}

// stopSendTimer takes a timer back. If it has expired, its DPC frees it.
func (s *Sys) stopSendTimer(n int32, which int) {
	if t := s.f.sendings[n].timers[which]; t.ktimer != 0 && s.CancelTimer(t.ktimer) {
		s.freeSendTimer(n, which)
	}
}

func (s *Sys) freeSendTimer(n int32, which int) {
	t := &s.f.sendings[n].timers[which]
	s.FreeBlock(t.ktimer)
	s.FreeBlock(t.kdpc)
	*t = sendTimer{}
}

// sendTimerThunk is the routine of the KDPCs: (KDPC, number of the sending and
// which timer, ...).
func (s *Sys) sendTimerThunk(a kernel.Args) uint64 {
	n, which := int32(a[1]>>1), int(a[1]&1)
	s.freeSendTimer(n, which)
	s.Step()
	if which == timerAnswer {
		s.answer(n)
	} else {
		s.cancelSending(n, true)
	}
	return 0
}

// rundownTarget cancels what was sent to a target that is deleted.
func (s *Sys) rundownTarget(n int32) {
	for i := 1; i < len(s.f.sendings); i++ {
		if s.f.sendings[i].target == s.f.targets[n].object {
			s.cancelSending(int32(i), false)
		}
	}
}
