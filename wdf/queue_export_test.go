package wdf

import "fmt"

// CheckQueues returns what is wrong with the tables of queues and requests of a
// machine at rest.
func (f *Framework) CheckQueues() error {
	on := map[requestID]int{}
	for q := range f.queues {
		p := &f.queues[q]
		var owned int32
		for l := listWaiting; l < listCount; l++ {
			list := p.lists[l]
			n, last := int32(0), requestID(0)
			for r := list.first; r != 0; r = f.link(r, l).next {
				row := &f.requests[r]
				switch k := f.link(r, l); {
				case k.list != l || k.prev != last || row.queue != queueID(q):
					return fmt.Errorf("queue %d list %d: request %d has link %+v and queue %d", q, l, r, *k, row.queue)
				case row.phase != requestSent || row.completed:
					return fmt.Errorf("queue %d list %d: request %d has ended", q, l, r)
				case row.cancelRoutine != (row.queueLink.list == listWaiting || row.queueLink.list == listCancelable):
					return fmt.Errorf("queue %d list %d: request %d: cancel routine %v", q, l, r, row.cancelRoutine)
				case row.owned != (row.ownerLink.list != noList):
					return fmt.Errorf("queue %d list %d: request %d: owned %v", q, l, r, row.owned)
				}
				n, last = n+1, r
				on[r]++
			}
			if n != list.count || last != list.last {
				return fmt.Errorf("queue %d list %d: %d requests, counted %d; last %d, noted %d", q, l, n, list.count, last, list.last)
			}
			if l >= listDriver {
				owned += n
			}
		}
		switch {
		case owned != p.driverCount:
			return fmt.Errorf("queue %d: the driver has %d requests, counted %d", q, owned, p.driverCount)
		case p.loops != 0 || p.dpcQueued || p.workQueued || p.again:
			return fmt.Errorf("queue %d: %d loops, DPC %v, work item %v, again %v", q, p.loops, p.dpcQueued, p.workQueued, p.again)
		case p.lists[listCancelled].first != 0 || p.lists[listCancelledOnQueue].first != 0 || p.lists[listAcknowledged].first != 0:
			return fmt.Errorf("queue %d: cancels were not delivered", q)
		}
	}
	for r := requestID(1); int(r) < len(f.requests); r++ {
		if sent := f.requests[r].phase == requestSent; sent != (on[r] > 0) {
			return fmt.Errorf("request %d: sent %v, on %d lists", r, sent, on[r])
		}
	}
	return nil
}
