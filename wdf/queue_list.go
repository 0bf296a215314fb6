package wdf

// requestID is the number of a request's row; 0 is none. queueID is that of a
// queue.
type (
	requestID int32
	queueID   int32
)

// listID names a list of requests that every queue has. A request is on at most
// one of the lists up to listCancelledOnQueue, and on at most one of the others.
type listID uint8

const (
	noList               listID = iota
	listWaiting                 // not presented yet; cancelable
	listCancelable              // with the driver, marked cancelable
	listCancelled               // EvtRequestCancel is to be called
	listCancelledOnQueue        // EvtIoCanceledOnQueue is to be called
	listDriver                  // with the driver
	listNotify                  // with the driver; EvtIoStop or EvtIoResume is to be called
	listNotified                // with the driver; it has to answer for EvtIoStop
	listAcknowledged            // with the driver; it has answered with WdfRequestStopAcknowledge
	listCount
)

// requestList is a doubly linked list of requests.
type requestList struct {
	first, last requestID
	count       int32
}

// requestLink is the place of a request in a list.
type requestLink struct {
	list       listID
	next, prev requestID
}

// link returns the link of a request for a kind of lists.
func (f *Framework) link(r requestID, list listID) *requestLink {
	if list >= listDriver {
		return &f.requests[r].ownerLink
	}
	return &f.requests[r].queueLink
}

// addLast puts a request at the end of a list of a queue.
func (f *Framework) addLast(q queueID, list listID, r requestID) {
	l, n := &f.queues[q].lists[list], f.link(r, list)
	*n = requestLink{list: list, prev: l.last}
	if l.last == 0 {
		l.first = r
	} else {
		f.link(l.last, list).next = r
	}
	l.last = r
	l.count++
}

// addFirst puts a request at the head of a list.
func (f *Framework) addFirst(q queueID, list listID, r requestID) {
	l, n := &f.queues[q].lists[list], f.link(r, list)
	*n = requestLink{list: list, next: l.first}
	if l.first == 0 {
		l.last = r
	} else {
		f.link(l.first, list).prev = r
	}
	l.first = r
	l.count++
}

// remove takes a request out of the list that it is on.
func (f *Framework) remove(q queueID, list listID, r requestID) {
	l, n := &f.queues[q].lists[list], f.link(r, list)
	if n.prev == 0 {
		l.first = n.next
	} else {
		f.link(n.prev, list).next = n.next
	}
	if n.next == 0 {
		l.last = n.prev
	} else {
		f.link(n.next, list).prev = n.prev
	}
	*n = requestLink{}
	l.count--
}

// pop takes the first request out of a list.
func (f *Framework) pop(q queueID, list listID) requestID {
	r := f.queues[q].lists[list].first
	f.remove(q, list, r)
	return r
}

// takeNext takes the first request that has a cancel routine out of a list and
// takes the routine away: it cannot be cancelled any more. Those without are
// being cancelled now: their cancel routine is about to find them. 0 if there
// is none.
func (f *Framework) takeNext(q queueID, list listID) requestID {
	for r := f.queues[q].lists[list].first; r != 0; r = f.link(r, list).next {
		if f.requests[r].cancelRoutine {
			f.requests[r].cancelRoutine = false
			f.remove(q, list, r)
			return r
		}
	}
	return 0
}

// insertCancelable puts a request into a list in which it can be cancelled. It
// reports false, and does nothing, for a request that is cancelled already.
func (f *Framework) insertCancelable(q queueID, list listID, r requestID, head bool) bool {
	if f.requests[r].irpCancelled {
		return false
	}
	f.requests[r].cancelRoutine = true
	if head {
		f.addFirst(q, list, r)
	} else {
		f.addLast(q, list, r)
	}
	return true
}
