package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// This file has the dispatch loop, from which all callbacks of a queue are
// called. Everything that changes a queue visits it:
//
//   - dispatch: what is new for the queue (a request that arrives or is
//     forwarded to it, WdfIoQueueStart, a power transition, the deferred
//     dispatch) always runs the loop, even while another thread is in it.
//   - visit: what follows from a request that ends or is cancelled runs the loop
//     only if nobody is in it (IOQ-3, IOQ-8). Whoever is in it, in another
//     thread or further up the stack of this one, looks again after the callback
//     that it is in.
//
// What the framework does under the lock of the queue is one step here: code
// between two scheduling points. Where the framework gives the lock up and takes
// it again there is a Step.

var (
	svcDispatch      = kernel.NewService("the dispatch loop of a queue")
	svcQueueState    = kernel.NewService("the notice of a queue's state")
	svcDeferDispatch = kernel.NewService("the deferral of a dispatch")
)

// Positions of the dispatch loop (Thread.SetPosition): what is under way, and
// for which request.
const (
	atHead uint64 = iota
	atPresent
	atCancel
	atCancelNext
	atCanceledOnQueue
	atCanceledOnQueueNext
	atStopped
	atPurged
	atReady
	atStop
	atResume
)

func position(at uint64, r requestID) uint64 { return uint64(r)<<8 | at }

// queueLock notes that the framework's own lock of a queue is taken and given
// back: what is done before is ordered before what is done after it elsewhere.
func (s *Sys) queueLock(q queueID) {
	h := uint64(s.f.queues[q].object.handle())
	s.Acquired(h)
	s.Released(h)
}

// visit runs the dispatch loop unless it is active.
func (s *Sys) visit(q queueID) {
	if s.f.queues[q].loops == 0 {
		s.dispatch(q, 0)
	}
}

// dispatch runs the dispatch loop, with a request that arrives or 0, or hands
// that to a DPC or a work item if it cannot be done here. It reports false for a
// queue that is gone.
func (s *Sys) dispatch(q queueID, fresh requestID) bool {
	f := s.f
	s.queueLock(q)
	switch {
	case f.queues[q].gone:
		return false
	case s.mustDefer(q):
		f.queues[q].again = true
		f.enqueue(q, fresh)
		s.deferDispatch(q)
		s.queueChanged(q)
		return true
	}
	f.queues[q].loops++
	s.Begin(svcDispatch, uint64(f.queues[q].object.handle()))
	for s.turn(q, &fresh) {
	}
	f.queues[q].loops--
	s.queueChanged(q)
	s.End()
	return true
}

// due is what a queue has to deliver.
type due uint8

const (
	dueNothing         due = iota
	dueCancel              // EvtRequestCancel
	dueCanceledOnQueue     // EvtIoCanceledOnQueue
	dueStopped             // EvtIoQueueState of WdfIoQueueStop
	duePurged              // EvtIoQueueState of WdfIoQueuePurge and WdfIoQueueDrain
	duePower               // the next part of a power transition
	dueEnd                 // the queue was deleted and is empty
	dueReady               // EvtIoQueueState of WdfIoQueueReadyNotify
	dueRequest             // the next request, if there is one
)

// due says what comes next: what has ended, what the power manager wants,
// requests. arriving says that there is a request that is not in the queue yet.
func (p *queue) due(arriving bool) due {
	last := p.loops == 1 // no callback of this queue is running elsewhere
	empty := p.lists[listWaiting].count+p.driverCount == 0 && !arriving
	switch {
	case p.lists[listCancelled].first != 0 && !p.power.notifying():
		return dueCancel
	case p.lists[listCancelledOnQueue].first != 0 && !p.power.notifying():
		return dueCanceledOnQueue
	case p.stopped.callback != 0 && last && p.driverCount == 0:
		return dueStopped
	case p.purged.callback != 0 && last && empty:
		return duePurged
	case p.power.changing():
		return duePower
	case p.disposing && last && empty:
		return dueEnd
	case p.power == queueOff, !p.dispatches:
		return dueNothing
	case p.kind == IoQueueDispatchManual && p.ready.callback != 0 && p.filled:
		return dueReady
	case p.kind == IoQueueDispatchManual,
		p.kind == IoQueueDispatchSequential && p.driverCount > 0,
		p.kind == IoQueueDispatchParallel && uint32(p.driverCount) >= p.limit:
		return dueNothing
	}
	return dueRequest
}

// turn delivers one thing and reports whether to look again. While it looks
// nobody else changes the queue; a callback is called without that protection,
// and after it everything may be different. A request that arrives is presented
// at once if nothing comes before it, else it waits in the queue.
func (s *Sys) turn(q queueID, fresh *requestID) bool {
	f := s.f
	s.queueLock(q)
	p := &f.queues[q]
	if p.kind == IoQueueDispatchManual {
		f.enqueue(q, take(fresh))
	}
	d := p.due(*fresh != 0)
	if d != dueRequest {
		f.enqueue(q, take(fresh))
	}
	switch d {
	case dueNothing:
		return false
	case dueCancel:
		s.tellCancelled(q)
	case dueCanceledOnQueue:
		s.tellCancelledOnQueue(q)
	case dueStopped:
		c := p.stopped
		p.stopped, p.cancelReturned = stateCallback{}, false
		s.tellState(q, atStopped, 0, c)
	case duePurged:
		c := p.purged
		p.purged, p.cancelReturned = stateCallback{}, false
		s.tellState(q, atPurged, p.serial, c)
	case duePower:
		return s.powerTurn(q)
	case dueEnd:
		p.gone = true
		return false
	case dueReady:
		p.filled = false
		s.tellState(q, atReady, p.serial, p.ready)
	case dueRequest:
		return s.presentNext(q, fresh)
	}
	return true
}

// presentNext presents the first request of the queue, else the one that arrives,
// and reports whether there was one.
func (s *Sys) presentNext(q queueID, fresh *requestID) bool {
	f := s.f
	r := f.takeNext(q, listWaiting)
	if r != 0 {
		f.enqueue(q, take(fresh))
	} else if r = take(fresh); r != 0 {
		p := &f.queues[q]
		f.requests[r].queue = q
		p.filled, p.fillNext = true, false
	} else {
		return false
	}
	s.present(q, r)
	return true
}

// take returns a request and leaves 0.
func take(r *requestID) requestID {
	t := *r
	*r = 0
	return t
}

// enqueue puts a request that arrives at the end of the queue; with 0 it does
// nothing.
func (f *Framework) enqueue(q queueID, r requestID) {
	if r != 0 {
		f.requests[r].queue = q
		if !f.insertCancelable(q, listWaiting, r, false) {
			panic("BUG: a request is cancelled before it was sent")
		}
		f.checkFilled(q)
	}
}

// checkFilled notes that a queue is not empty any more.
func (f *Framework) checkFilled(q queueID) {
	if p := &f.queues[q]; p.lists[listWaiting].count == 1 || p.fillNext {
		p.filled, p.fillNext = true, false
	}
}

// give makes a request one that the driver has.
func (f *Framework) give(q queueID, r requestID) {
	f.addLast(q, listDriver, r)
	f.queues[q].driverCount++
	f.requests[r].fromQueue, f.requests[r].owned = true, true
}

// takeBack undoes give.
func (f *Framework) takeBack(q queueID, r requestID) {
	f.remove(q, f.requests[r].ownerLink.list, r)
	f.queues[q].driverCount--
	f.requests[r].fromQueue, f.requests[r].owned = false, false
}

// present gives a request to the driver and calls the callback for it.
// Transfers of no bytes succeed without the driver unless it wants them;
// requests without a callback are refused.
func (s *Sys) present(q queueID, r requestID) {
	f := s.f
	f.give(q, r)
	p, row := &f.queues[q], &f.requests[r]
	c, role := p.handler(row.typ)
	switch {
	case c == 0:
		s.finish(r, StatusInvalidDeviceRequest)
	case row.typ.transfers() && row.length() == 0 && !p.zeroLength:
		s.finish(r, StatusSuccess)
	default:
		row.presented, row.handler = true, c
		queue, request := uint64(p.object.handle()), uint64(row.object.handle())
		args := []uint64{queue, request}
		switch role {
		case "EvtIoRead", "EvtIoWrite":
			args = append(args, row.length())
		case "EvtIoDeviceControl", "EvtIoInternalDeviceControl":
			args = append(args, row.outputLength, row.inputLength, uint64(row.code))
		}
		s.SetPosition(position(atPresent, r))
		s.callback(p.serial, role, c, args...)
	}
	s.SetPosition(atHead)
	s.Step()
}

// callback calls a callback of a queue, with the callback lock held if there is
// automatic serialization (SER-1).
func (s *Sys) callback(serial id, role string, c Callback, args ...uint64) {
	s.serialized(serial, func() { s.call(role, c, args...) })
}

// tellState calls an EvtIoQueueState.
func (s *Sys) tellState(q queueID, at uint64, serial id, c stateCallback) {
	s.SetPosition(at)
	s.Begin(svcQueueState, uint64(c.callback), c.context)
	s.callback(serial, "EvtIoQueueState", c.callback, uint64(s.f.queues[q].object.handle()), c.context)
	s.End()
	s.SetPosition(atHead)
	s.Step()
}

// mustDefer reports whether the caller cannot call callbacks of the queue: a
// passive queue above PASSIVE_LEVEL (IOQ-2), or a caller that owns the callback
// lock (IOQ-4).
func (s *Sys) mustDefer(q queueID) bool {
	p := &s.f.queues[q]
	return p.passive && s.IRQL() > PassiveLevel || s.ownsCallbackLock(p.lock)
}

// deferDispatch hands the dispatch to the work item of a passive queue, to the
// DPC of another one, unless it is there already.
func (s *Sys) deferDispatch(q queueID) {
	f := s.f
	p := &f.queues[q]
	switch {
	case p.passive && !p.workQueued:
		p.workQueued = true
		s.note(trace.Framework, f.queueName(q), "dispatch is deferred to a work item")
		f.m.QueueWork(uint64(p.object.handle()), "queue work item", f.thunks.dispatchWork, kernel.Args{uint64(q)})
	case !p.passive && !p.dpcQueued:
		p.dpcQueued = true
		s.note(trace.Framework, f.queueName(q), "dispatch is deferred to a DPC")
		s.Begin(svcDeferDispatch, uint64(p.object.handle()))
		s.InsertDPC(p.kdpc, 0, 0)
		s.End()
	}
}

// queueDPCThunk is the routine of the queue's DPC.
func (s *Sys) queueDPCThunk(a kernel.Args) uint64 {
	q := queueID(a[1])
	s.Step()
	s.f.queues[q].again = false
	s.dispatch(q, 0)
	s.SetPosition(1)
	s.Step()
	switch p := &s.f.queues[q]; {
	case p.again && !p.gone:
		s.SetPosition(2)
		s.InsertDPC(p.kdpc, 0, 0)
	default:
		p.again, p.dpcQueued = false, false
	}
	return 0
}

// queueWorkThunk is the routine of the queue's work item.
func (s *Sys) queueWorkThunk(a kernel.Args) uint64 {
	q := queueID(a[0])
	s.Step()
	s.f.queues[q].again = false
	s.dispatch(q, 0)
	s.SetPosition(1)
	s.Step()
	switch p := &s.f.queues[q]; {
	case p.again && !p.gone:
		s.f.m.QueueWork(uint64(p.object.handle()), "queue work item", s.f.thunks.dispatchWork, a)
	default:
		p.again, p.workQueued = false, false
	}
	return 0
}
