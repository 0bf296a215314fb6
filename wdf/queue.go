package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// DispatchType is WDF_IO_QUEUE_DISPATCH_TYPE.
type DispatchType int32

// Values of DispatchType (IOQ-1).
const (
	IoQueueDispatchSequential DispatchType = 1 // the next request after the driver gave up the last one
	IoQueueDispatchParallel   DispatchType = 2 // as they come
	IoQueueDispatchManual     DispatchType = 3 // on WdfIoQueueRetrieveNextRequest only
)

// IoQueueState is WDF_IO_QUEUE_STATE: a set of bits.
type IoQueueState uint32

// Bits of IoQueueState.
const (
	IoQueueAcceptRequests   IoQueueState = 0x01
	IoQueueDispatchRequests IoQueueState = 0x02
	IoQueueNoRequests       IoQueueState = 0x04
	IoQueueDriverNoRequests IoQueueState = 0x08
	IoQueuePnpHeld          IoQueueState = 0x10
)

// Accepted sizes of WDF_IO_QUEUE_CONFIG in bytes.
const (
	IoQueueConfigSize  = 96 // 1.11 and later
	ioQueueConfigSize9 = 88
	ioQueueConfigSize7 = 80 // without NumberOfPresentedRequests
)

// IoQueueConfig is WDF_IO_QUEUE_CONFIG.
type IoQueueConfig struct {
	Size                       uint32
	DispatchType               DispatchType
	PowerManaged               TriState
	AllowZeroLengthRequests    bool
	DefaultQueue               bool
	EvtIoDefault               Callback
	EvtIoRead                  Callback
	EvtIoWrite                 Callback
	EvtIoDeviceControl         Callback
	EvtIoInternalDeviceControl Callback
	EvtIoStop                  Callback
	EvtIoResume                Callback
	EvtIoCanceledOnQueue       Callback
	NumberOfPresentedRequests  uint32 // parallel queues: the most that the driver has at a time
}

// IoQueueConfigInit is WDF_IO_QUEUE_CONFIG_INIT.
func IoQueueConfigInit(t DispatchType) IoQueueConfig {
	c := IoQueueConfig{Size: IoQueueConfigSize, DispatchType: t, PowerManaged: UseDefault}
	if t == IoQueueDispatchParallel {
		c.NumberOfPresentedRequests = unlimited
	}
	return c
}

// IoQueueConfigInitDefaultQueue is WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE.
func IoQueueConfigInitDefaultQueue(t DispatchType) IoQueueConfig {
	c := IoQueueConfigInit(t)
	c.DefaultQueue = true
	return c
}

const unlimited = 0xFFFFFFFF

// queue is a WDFQUEUE.
type queue struct {
	object, device id
	kind           DispatchType
	powerManaged   bool
	zeroLength     bool   // reads and writes of no bytes go to the driver
	passive        bool   // callbacks at PASSIVE_LEVEL only (IOQ-2)
	serial         id     // whose callback lock is held around callbacks; 0: none
	lock           id     // whose callback lock makes its owner defer the dispatch (IOQ-4)
	limit          uint32 // most requests that a parallel queue leaves with the driver
	kdpc           uint64 // of the deferred dispatch

	evtDefault, evtRead, evtWrite Callback
	evtControl, evtInternal       Callback
	evtStop, evtResume            Callback
	evtCanceled                   Callback

	lists       [listCount]requestList
	driverCount int32 // requests that are with the driver
	loops       int32 // dispatch loops that are active: see dispatch

	accepts         bool // new requests
	dispatches      bool // WdfIoQueueStop closes this gate
	shutDown        bool // removal: WdfIoQueueStart does not open the queue again
	cancelReturned  bool // a purge is under way: what the driver gives back is cancelled
	filled          bool // it went from empty to not empty: EvtIoQueueState of WdfIoQueueReadyNotify is due
	fillNext        bool // the next request that comes counts as that
	dpcQueued       bool // dispatch was deferred to the DPC, which has not ended
	workQueued      bool // the same for the work item
	again           bool // that one has to look again before it ends
	disposing, gone bool // WdfObjectDelete, removal

	stopped, purged, ready stateCallback
	stopReached            bool // for WdfIoQueueStopSynchronously
	purgeReached           bool // for WdfIoQueuePurgeSynchronously and WdfIoQueueDrainSynchronously

	power     queuePower
	powerIdle bool // the power manager need not wait any longer
}

// stateCallback is an EvtIoQueueState with its context.
type stateCallback struct {
	callback Callback
	context  uint64
}

var (
	svcWdfIoQueueCreate                     = kernel.NewService("WdfIoQueueCreate")
	svcWdfIoQueueGetDevice                  = kernel.NewService("WdfIoQueueGetDevice")
	svcWdfIoQueueGetState                   = kernel.NewService("WdfIoQueueGetState")
	svcWdfDeviceConfigureRequestDispatching = kernel.NewService("WdfDeviceConfigureRequestDispatching")
)

// WdfIoQueueCreate makes a queue. IRQL <= DISPATCH_LEVEL. A default queue can be
// made before the device starts only, and once.
func (s *Sys) WdfIoQueueCreate(h WDFDEVICE, c *IoQueueConfig, a *ObjectAttributes) (WDFQUEUE, NTSTATUS) {
	s.Enter(svcWdfIoQueueCreate, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "Config")
	s.Step()
	parent, st := s.checkQueueConfig(dev, c, a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	q := queue{
		device: dev, kind: c.DispatchType, powerManaged: c.PowerManaged != False, zeroLength: c.AllowZeroLengthRequests,
		limit: c.NumberOfPresentedRequests, evtDefault: c.EvtIoDefault, evtRead: c.EvtIoRead, evtWrite: c.EvtIoWrite,
		evtControl: c.EvtIoDeviceControl, evtInternal: c.EvtIoInternalDeviceControl, evtStop: c.EvtIoStop,
		evtResume: c.EvtIoResume, evtCanceled: c.EvtIoCanceledOnQueue, dispatches: true,
	}
	if c.Size <= ioQueueConfigSize7 {
		q.limit = unlimited
	}
	d := s.device(dev)
	if q.shutDown = d.queuesShutDown && !d.queuesOn; !q.shutDown {
		q.accepts = true
	}
	if q.powerManaged && !d.queuesOn {
		q.power = queueOff
	}
	i := s.addQueue(q, parent, a)
	if c.DefaultQueue {
		s.device(dev).defaultQueue = i
		s.f.objects[i].noDelete = true
	}
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// addQueue makes the object, its DPC and its lock.
func (s *Sys) addQueue(q queue, parent id, a *ObjectAttributes) id {
	f := s.f
	q.kdpc = f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxQu"), false, s.ActivationID())
	f.queues = append(f.queues, q)
	n := len(f.queues) - 1
	i := s.create(TypeQueue, parent, n, a, "")
	f.queues[n].object = i
	scope, passive := f.queueConstraints(q.device, a)
	f.objects[i].scope, f.objects[i].level = scope, ExecutionLevelDispatch
	if passive {
		f.objects[i].level = ExecutionLevelPassive
	}
	lock, serial := i, id(0)
	switch scope {
	case SynchronizationScopeDevice:
		lock, serial = q.device, q.device
	case SynchronizationScopeQueue:
		serial = i
	}
	if lock == i {
		s.makeCallbackLock(i)
	}
	p := &f.queues[n]
	p.lock, p.serial, p.passive = lock, serial, passive
	s.InitializeDPC(p.kdpc, f.thunks.dispatchDPC, uint64(n))
	f.m.SetName(p.kdpc, f.m.NameOf(uint64(i.handle()))+" DPC")
	return i
}

// queueConstraints returns the scope and level of a queue: its own, else those
// of the device, whatever the parent.
func (f *Framework) queueConstraints(dev id, a *ObjectAttributes) (scope SynchronizationScope, passive bool) {
	scope, passive = f.resolveScope(dev)
	if a != nil && a.SynchronizationScope > SynchronizationScopeInherit {
		scope = a.SynchronizationScope
	}
	if a != nil && a.ExecutionLevel > ExecutionLevelInherit {
		passive = a.ExecutionLevel == ExecutionLevelPassive
	}
	return scope, passive
}

// checkQueueConfig does the checks of WdfIoQueueCreate in the order of the
// source and returns the parent.
func (s *Sys) checkQueueConfig(dev id, c *IoQueueConfig, a *ObjectAttributes) (parent id, st NTSTATUS) {
	if a != nil {
		plain := *a
		if plain.SynchronizationScope == SynchronizationScopeDevice || plain.SynchronizationScope == SynchronizationScopeQueue {
			plain.SynchronizationScope = SynchronizationScopeInherit // allowed here
		}
		if st = checkAttributes(&plain, true); st.Failed() {
			return 0, st
		}
	}
	switch c.Size {
	case IoQueueConfigSize, ioQueueConfigSize9, ioQueueConfigSize7:
	default:
		return 0, StatusInfoLengthMismatch
	}
	if c.DefaultQueue && s.device(dev).pnp != pnpInit {
		return 0, StatusInvalidDeviceState
	}
	parent = s.parentOr(a, dev)
	if s.f.deviceOf(parent) != dev {
		return 0, StatusInvalidDeviceRequest
	}
	if st = s.f.checkParent(parent); st.Failed() {
		return 0, st
	}
	scope, passive := s.f.queueConstraints(dev, a)
	if _, passiveDevice := s.f.resolveScope(dev); scope == SynchronizationScopeDevice && passive != passiveDevice {
		return 0, StatusInvalidParameter
	}
	if st = c.check(); st.Failed() {
		return 0, st
	}
	if c.DefaultQueue && s.device(dev).defaultQueue != 0 {
		return 0, StatusUnsuccessful
	}
	return parent, StatusSuccess
}

// check looks at what has to fit together in the configuration itself.
func (c *IoQueueConfig) check() NTSTATUS {
	handlers := c.EvtIoDefault | c.EvtIoRead | c.EvtIoWrite | c.EvtIoDeviceControl | c.EvtIoInternalDeviceControl
	switch {
	case c.DispatchType < IoQueueDispatchSequential || c.DispatchType > IoQueueDispatchManual:
		return StatusInvalidParameter
	case c.DispatchType != IoQueueDispatchManual && handlers == 0:
		return StatusWdfNoCallback
	case c.DispatchType == IoQueueDispatchManual && handlers != 0:
		return StatusInvalidParameter
	case c.Size > ioQueueConfigSize7 && c.DispatchType != IoQueueDispatchParallel && c.NumberOfPresentedRequests != 0:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// queue returns the number of the row behind a WDFQUEUE handle.
func (s *Sys) queue(h WDFQUEUE) queueID { return queueID(s.f.objects[s.lookup(h, TypeQueue)].index) }

// queueName returns the name of a queue for reports.
func (f *Framework) queueName(q queueID) string {
	return f.m.NameOf(uint64(f.queues[q].object.handle()))
}

// WdfIoQueueGetDevice returns the device of a queue. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueGetDevice(h WDFQUEUE) WDFDEVICE {
	s.Enter(svcWdfIoQueueGetDevice, uint64(h))
	d := s.f.queues[s.queue(h)].device.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}

// WdfIoQueueGetState returns the state of a queue, the number of requests that
// wait in it, and of those that the driver has from it. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueGetState(h WDFQUEUE) (state IoQueueState, waiting, driver uint32) {
	s.Enter(svcWdfIoQueueGetState, uint64(h))
	q := s.queue(h)
	s.Step()
	p := &s.f.queues[q]
	set := func(on bool, bit IoQueueState) {
		if on {
			state |= bit
		}
	}
	set(p.accepts, IoQueueAcceptRequests)
	set(p.dispatches, IoQueueDispatchRequests)
	set(p.lists[listWaiting].count == 0, IoQueueNoRequests)
	set(p.driverCount == 0, IoQueueDriverNoRequests)
	set(p.powerManaged && p.power != queueOn, IoQueuePnpHeld)
	waiting, driver = uint32(p.lists[listWaiting].count), uint32(p.driverCount)
	s.Leave(trace.Hex, uint64(state))
	return state, waiting, driver
}

// WdfDeviceConfigureRequestDispatching sends requests of one type to a queue
// instead of the default queue, before the device starts. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfDeviceConfigureRequestDispatching(h WDFDEVICE, queue WDFQUEUE, t RequestType) NTSTATUS {
	s.Enter(svcWdfDeviceConfigureRequestDispatching, uint64(h), uint64(queue), uint64(t))
	dev := s.lookup(h, TypeDevice)
	slot := t.slot()
	switch {
	case t == RequestTypeCreate:
		s.Unsupported("requests to open the device (WdfRequestTypeCreate)")
	case slot < 0:
		return s.LeaveStatus(StatusInvalidParameter)
	}
	q := s.queue(queue)
	s.Step()
	p := &s.f.queues[q]
	switch {
	case p.device != dev:
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case s.device(dev).pnp != pnpInit:
		return s.LeaveStatus(StatusInvalidDeviceState)
	case p.kind != IoQueueDispatchManual && !p.handles(t), s.device(dev).defaultQueue == p.object:
		s.verifierBreak("WdfDeviceConfigureRequestDispatching", "IOQ-1", "%s cannot get requests of this type: it has no callback for them, "+
			"or it is the default queue", s.f.queueName(q))
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case s.device(dev).queueByType[slot] != 0:
		s.verifierBreak("WdfDeviceConfigureRequestDispatching", "IOQ-1", "requests of this type go to %s already",
			s.f.m.NameOf(uint64(s.device(dev).queueByType[slot].handle())))
		return s.LeaveStatus(StatusWdfBusy)
	}
	s.device(dev).queueByType[slot] = p.object
	s.f.objects[p.object].noDelete = true
	return s.LeaveStatus(StatusSuccess)
}

// queueFor returns the queue that gets requests of a type, 0 if there is none.
func (f *Framework) queueFor(dev id, t RequestType) queueID {
	d := &f.devices[f.objects[dev].index]
	i := d.defaultQueue
	if slot := t.slot(); slot >= 0 && d.queueByType[slot] != 0 {
		i = d.queueByType[slot]
	}
	if i == 0 {
		return 0
	}
	return queueID(f.objects[i].index)
}

// handler returns the callback that gets requests of a type, 0 if there is none,
// and its name.
func (p *queue) handler(t RequestType) (c Callback, role string) {
	switch t {
	case RequestTypeRead:
		c, role = p.evtRead, "EvtIoRead"
	case RequestTypeWrite:
		c, role = p.evtWrite, "EvtIoWrite"
	case RequestTypeDeviceControl:
		c, role = p.evtControl, "EvtIoDeviceControl"
	case RequestTypeDeviceControlInternal:
		c, role = p.evtInternal, "EvtIoInternalDeviceControl"
	}
	if c == 0 {
		return p.evtDefault, "EvtIoDefault"
	}
	return c, role
}

func (p *queue) handles(t RequestType) bool {
	c, _ := p.handler(t)
	return c != 0
}

// rundownQueue is the disposal of a queue: it is purged, and no callback of it
// is left.
func (s *Sys) rundownQueue(n int32) {
	q, f := queueID(n), s.f
	s.purge(q, true, true, stateCallback{})
	s.Step()
	f.queues[q].disposing = true
	s.dispatch(q, 0)
	s.WaitUntil(fmt.Sprintf("%s to become empty", f.queueName(q)), func() bool { return f.queues[q].gone })
	s.WaitUntil("the work item of a queue", func() bool { return !f.queues[q].workQueued })
	if f.queues[q].dpcQueued {
		s.FlushDPCs()
	}
}

// registerQueueThunks gives the routines of the queues their addresses.
func (f *Framework) registerQueueThunks(add func(at *uint64, name string, fn func(s *Sys, a kernel.Args) uint64)) {
	add(&f.thunks.dispatchDPC, "QueueDpcThunk", (*Sys).queueDPCThunk)
	add(&f.thunks.dispatchWork, "QueueWorkItemThunk", (*Sys).queueWorkThunk)
	add(&f.thunks.stopReached, "QueueStopped", func(s *Sys, a kernel.Args) uint64 {
		s.f.queues[a[1]].stopReached = true
		return 0
	})
	add(&f.thunks.purgeReached, "QueuePurged", func(s *Sys, a kernel.Args) uint64 {
		s.f.queues[a[1]].purgeReached = true
		return 0
	})
	add(&f.thunks.cancelRoutine, "QueueCancelRoutine", func(*Sys, kernel.Args) uint64 { return 0 })
}
