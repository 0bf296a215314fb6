package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// queuePower is where a queue is in a power transition of its device. Queues
// that are not power-managed are always on, but for the purge at removal.
type queuePower uint8

// A transition goes through three states: it begins, the driver is told about
// each request that it has, it was told about all.
const (
	queueOn             queuePower = iota
	queueOff                       // nothing is delivered
	queueHeld                      // nothing is delivered any more; callbacks may still run
	queueStopping                  // EvtIoStop is to be called
	queueStopTelling               //
	queueStopTold                  // the driver has to answer for its requests
	queuePurging                   // the same at removal
	queuePurgeTelling              //
	queuePurgeTold                 //
	queueRestarting                // EvtIoResume is to be called
	queueRestartTelling            //
	queueRestartTold               //
)

// changing reports whether the dispatch loop has to do something about power.
func (p queuePower) changing() bool { return p > queueOff }

// notifying reports whether the driver is being told: cancel callbacks wait
// (IOQ-8).
func (p queuePower) notifying() bool {
	return p == queueStopTelling || p == queuePurgeTelling || p == queueRestartTelling
}

// Flags of EvtIoStop.
const (
	RequestStopActionSuspend     uint32 = 0x00000001
	RequestStopActionPurge       uint32 = 0x00000002
	RequestStopRequestCancelable uint32 = 0x10000000
)

// stopAnswer is what the driver said with WdfRequestStopAcknowledge.
type stopAnswer uint8

const (
	notAnswered stopAnswer = iota
	answeredKeep
	answeredRequeue
)

var (
	svcHoldQueue                 = kernel.NewService("the hold of a queue")
	svcStopQueuePower            = kernel.NewService("the power-down of a queue")
	svcPurgeQueuePower           = kernel.NewService("the removal of a queue")
	svcResumeQueue               = kernel.NewService("the power-up of a queue")
	svcReleaseQueue              = kernel.NewService("the release of a queue")
	svcWdfRequestStopAcknowledge = kernel.NewService("WdfRequestStopAcknowledge")
)

// queuesOf calls do for the queues of a device, power-managed or not.
func (s *Sys) queuesOf(dev id, managed bool, do func(queueID)) {
	for q := queueID(1); int(q) < len(s.f.queues); q++ {
		if p := &s.f.queues[q]; p.device == dev && p.powerManaged == managed && !p.gone {
			do(q)
		}
	}
}

// startQueues lets the power-managed queues deliver: the device is in D0. All
// are on before one of them delivers.
func (s *Sys) startQueues(dev id) {
	d := s.device(dev)
	d.queuesOn, d.queuesShutDown = true, false
	s.queuesOf(dev, true, s.resumeQueue)
	s.queuesOf(dev, true, s.releaseQueue)
}

func (s *Sys) resumeQueue(q queueID) {
	s.Begin(svcResumeQueue, uint64(q))
	s.Step()
	if p := &s.f.queues[q]; p.power == queueOff {
		p.power = queueRestarting
		s.dispatch(q, 0)
	}
	s.End()
}

func (s *Sys) releaseQueue(q queueID) {
	s.Begin(svcReleaseQueue, uint64(q))
	s.Step()
	s.f.refill(q)
	s.dispatch(q, 0)
	s.End()
}

// stopQueues stops the power-managed queues before the device leaves D0
// (IOQ-12): first none delivers any more, then the driver is asked to answer for
// the requests that it has. It returns when it has.
func (s *Sys) stopQueues(dev id) {
	s.device(dev).queuesOn = false
	s.queuesOf(dev, true, s.holdQueue)
	s.queuesOf(dev, true, s.stopQueue)
}

func (s *Sys) holdQueue(q queueID) {
	s.Begin(svcHoldQueue, uint64(q))
	s.Step()
	if p := &s.f.queues[q]; p.power == queueOn {
		p.power = queueHeld
		s.awaitQueue(q, "the callbacks of %s to return, so that its device can leave D0")
	}
	s.End()
}

func (s *Sys) stopQueue(q queueID) {
	s.Begin(svcStopQueuePower, uint64(q))
	s.Step()
	if p := &s.f.queues[q]; p.power == queueHeld {
		p.power = queueStopping
		s.awaitQueue(q, "the driver to complete, requeue or acknowledge the requests that it has from %s, so that its device can leave D0 "+
			"(Windows: bug check 0x9F)")
	}
	s.End()
}

// purgeQueues ends what is left in the queues of a device that is removed:
// waiting requests are cancelled, EvtIoStop is called for those that the driver
// has, new ones are refused.
func (s *Sys) purgeQueues(dev id, managed bool) {
	d := s.device(dev)
	d.queuesOn, d.queuesShutDown = false, true
	s.queuesOf(dev, managed, s.purgeForRemoval)
}

func (s *Sys) purgeForRemoval(q queueID) {
	s.Begin(svcPurgeQueuePower, uint64(q))
	s.Step()
	p := &s.f.queues[q]
	p.shutDown, p.accepts = true, false
	s.purge(q, true, true, stateCallback{})
	s.SetPosition(1)
	s.Step()
	s.f.queues[q].power = queuePurging
	s.awaitQueue(q, "the driver to complete the requests that it has from %s, so that its device can be removed (Windows: bug check 0x9F)")
	s.End()
}

// awaitQueue runs the dispatch loop and waits until the transition that was
// begun is over.
func (s *Sys) awaitQueue(q queueID, what string) {
	f := s.f
	f.queues[q].powerIdle = false
	if s.dispatch(q, 0) {
		s.WaitUntil(fmt.Sprintf(what, f.queueName(q)), func() bool { return f.queues[q].powerIdle })
	}
}

// powerTurn does the next part of a power transition, in the dispatch loop, and
// reports whether the loop goes on.
func (s *Sys) powerTurn(q queueID) bool {
	f := s.f
	switch p := &f.queues[q]; p.power {
	case queueHeld:
		p.powerIdle = p.powerIdle || p.loops == 1
		return false
	case queueStopping, queuePurging, queueRestarting:
		p.power++
		for p.lists[listDriver].first != 0 {
			f.addLast(q, listNotify, f.pop(q, listDriver))
		}
	case queueStopTelling, queuePurgeTelling, queueRestartTelling:
		switch {
		case p.lists[listNotify].first == 0:
			p.power++
		case p.power == queueRestartTelling:
			s.tellResume(q)
		default:
			s.tellStop(q)
		}
	case queueStopTold, queuePurgeTold:
		return s.collectAnswers(q)
	case queueRestartTold:
		p.power = queueOn
		s.note(trace.Framework, f.queueName(q), "is powered on")
		return false
	}
	return true
}

// tellStop calls EvtIoStop for the next request that the driver has. Without the
// callback, and for a request that is cancelled, the power manager waits for its
// end all the same.
func (s *Sys) tellStop(q queueID) {
	f := s.f
	p := &f.queues[q]
	r := f.pop(q, listNotify)
	f.addLast(q, listNotified, r)
	row := &f.requests[r]
	action := RequestStopActionSuspend
	if p.power == queuePurgeTelling {
		action, row.answer = RequestStopActionPurge, notAnswered
	}
	if p.evtStop == 0 || row.cancelled {
		return
	}
	if row.queueLink.list == listCancelable {
		action |= RequestStopRequestCancelable
	}
	object := row.object
	f.objects[object].references++
	row.stopTold, row.inStop = true, true
	s.SetPosition(position(atStop, r))
	s.callback(p.serial, "EvtIoStop", p.evtStop, uint64(p.object.handle()), uint64(object.handle()), uint64(action))
	row = &f.requests[r]
	row.inStop = false
	if row.owned && row.answer == notAnswered {
		s.advise("EvtIoStopCompleteOrStopAck", "IOQ-12", "EvtIoStop returns and has neither completed %s nor acknowledged the stop: the device "+
			"leaves D0 when the request ends", f.requestName(r))
	}
	s.dereference(object)
	s.SetPosition(atHead)
	s.Step()
}

// tellResume calls EvtIoResume for the next request that the driver kept.
func (s *Sys) tellResume(q queueID) {
	f := s.f
	p := &f.queues[q]
	r := f.pop(q, listNotify)
	f.addLast(q, listDriver, r)
	row := &f.requests[r]
	if p.evtResume == 0 || row.cancelled {
		return
	}
	object := row.object
	f.objects[object].references++
	s.SetPosition(position(atResume, r))
	s.callback(p.serial, "EvtIoResume", p.evtResume, uint64(p.object.handle()), uint64(object.handle()))
	s.dereference(object)
	s.SetPosition(atHead)
	s.Step()
}

// collectAnswers takes in what the driver has answered for its requests. When it
// has answered for all, and this is the only loop, the queue is off. It reports
// whether anything has changed.
func (s *Sys) collectAnswers(q queueID) (changed bool) {
	f := s.f
	for r := f.queues[q].lists[listNotified].first; r != 0; {
		next := f.requests[r].ownerLink.next
		if f.requests[r].answer != notAnswered {
			f.remove(q, listNotified, r)
			f.addLast(q, listAcknowledged, r)
		}
		r = next
	}
	for f.queues[q].lists[listAcknowledged].first != 0 {
		s.takeAnswer(q, f.pop(q, listAcknowledged))
		changed = true
	}
	p := &f.queues[q]
	if p.lists[listNotified].first != 0 || p.loops > 1 {
		return changed
	}
	p.power, p.powerIdle = queueOff, true
	s.note(trace.Framework, f.queueName(q), "is powered off")
	return true
}

// takeAnswer keeps a request with the driver, or puts it back at the head of its
// queue.
func (s *Sys) takeAnswer(q queueID, r requestID) {
	f := s.f
	f.addLast(q, listDriver, r)
	row := &f.requests[r]
	requeue := row.answer == answeredRequeue
	row.answer, row.stopTold = notAnswered, false
	if requeue {
		s.requeue(q, r)
	}
}

// requeue puts a request that the driver has back at the head of its queue, or
// ends it if it is cancelled.
func (s *Sys) requeue(q queueID, r requestID) {
	f := s.f
	f.takeBack(q, r)
	s.note(trace.Framework, f.requestName(r), "goes back into %s", f.queueName(q))
	if f.queues[q].cancelReturned || !f.insertCancelable(q, listWaiting, r, true) {
		s.cancelOnQueue(q, r)
		return
	}
	f.checkFilled(q)
}

// WdfRequestStopAcknowledge answers EvtIoStop for a request that the driver goes
// on having: it keeps it, or requeue puts it back at the head of its queue. It is
// called in EvtIoStop only; later nobody looks at it. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestStopAcknowledge(h WDFREQUEST, requeue bool) {
	s.Enter(svcWdfRequestStopAcknowledge, uint64(h), boolValue(requeue))
	defer s.LeaveVoid()
	r := s.request(h)
	s.Step()
	row := &s.f.requests[r]
	if !row.stopTold {
		s.verifierBreak("StopAckWithinEvtIoStop", "IOQ-12", "WdfRequestStopAcknowledge for %s, for which EvtIoStop was not called: nothing happens",
			s.f.requestName(r))
		return
	}
	if !row.completed && requeue && (s.verifyOwned(r, "acknowledged").Failed() ||
		!s.verifyNotMarked(r, "ReqNotCanceledLocal", "IOQ-12", "is put back into its queue while it is marked cancelable")) {
		return
	}
	if !row.inStop {
		s.Report(kernel.Finding{Rule: "StopAckWithinEvtIoStop", Clause: "IOQ-12", Text: fmt.Sprintf("WdfRequestStopAcknowledge for %s comes after "+
			"EvtIoStop has returned: the framework may not notice it", s.f.requestName(r))})
	}
	row.answer = answeredKeep
	if requeue {
		row.answer = answeredRequeue
	}
}
