package wdf

import (
	"encoding/binary"
	"unsafe"

	"github.com/dirql/dirql/internal/kernel"
)

// tables hold the whole state of the framework. Rows are plain data without
// pointers to other rows, so that copying the tables copies the framework.
type tables struct {
	objects    []object
	contexts   []context
	drivers    []driver
	devices    []device
	interrupts []interrupt
	dpcs       []dpc
	timers     []timer
	workItems  []workItem
	spinLocks  []spinLock
	waitLocks  []waitLock
	queues     []queue
	requests   []request
	memories   []memory
	lists      []resourceList
	resources  []Resource
	waiters    []waiter
	held       []heldLock

	collections   []collectionItem
	dmaEnablers   []dmaEnabler
	transactions  []dmaTransaction
	targets       []ioTarget
	sendings      []sending // number 0: none
	files         []file    // number 0: none
	commonBuffers []commonBuffer
	strings       []stringObject
	keys          []key
	lookasides    []lookaside
	names         []deviceName
	inits         []*DeviceInit // by address; nil: freed
	childLists    []childList
	childRows     []child
	wmiProviders  []wmiProvider
	wmiInstances  []wmiInstance
	properties    []property
	identities    []pdoIDs

	driverObject uint64 // DRIVER_OBJECT, 0: nobody asked for it
	pnpBusy      bool   // the PnP manager is at work
	sleep        uint64 // KEVENT of AwaitWake, 0: nobody has called that yet
}

// copyTo copies the tables to c, into the memory of those that are there.
func (t *tables) copyTo(c *tables) {
	*c = tables{
		objects:    append(c.objects[:0], t.objects...),
		contexts:   append(c.contexts[:0], t.contexts...),
		drivers:    append(c.drivers[:0], t.drivers...),
		devices:    append(c.devices[:0], t.devices...),
		interrupts: append(c.interrupts[:0], t.interrupts...),
		dpcs:       append(c.dpcs[:0], t.dpcs...),
		timers:     append(c.timers[:0], t.timers...),
		workItems:  append(c.workItems[:0], t.workItems...),
		spinLocks:  append(c.spinLocks[:0], t.spinLocks...),
		waitLocks:  append(c.waitLocks[:0], t.waitLocks...),
		queues:     append(c.queues[:0], t.queues...),
		requests:   append(c.requests[:0], t.requests...),
		memories:   append(c.memories[:0], t.memories...),
		lists:      append(c.lists[:0], t.lists...),
		resources:  append(c.resources[:0], t.resources...),
		waiters:    append(c.waiters[:0], t.waiters...),
		held:       append(c.held[:0], t.held...),

		collections:   append(c.collections[:0], t.collections...),
		dmaEnablers:   append(c.dmaEnablers[:0], t.dmaEnablers...),
		transactions:  append(c.transactions[:0], t.transactions...),
		targets:       append(c.targets[:0], t.targets...),
		sendings:      append(c.sendings[:0], t.sendings...),
		files:         append(c.files[:0], t.files...),
		commonBuffers: append(c.commonBuffers[:0], t.commonBuffers...),
		strings:       append(c.strings[:0], t.strings...),
		keys:          append(c.keys[:0], t.keys...),
		lookasides:    append(c.lookasides[:0], t.lookasides...),
		names:         append(c.names[:0], t.names...),
		inits:         cloneInits(t.inits),
		childLists:    append(c.childLists[:0], t.childLists...),
		childRows:     append(c.childRows[:0], t.childRows...),
		wmiProviders:  append(c.wmiProviders[:0], t.wmiProviders...),
		wmiInstances:  append(c.wmiInstances[:0], t.wmiInstances...),
		properties:    append(c.properties[:0], t.properties...),
		identities:    append(c.identities[:0], t.identities...),

		driverObject: t.driverObject,
		pnpBusy:      t.pnpBusy,
		sleep:        t.sleep,
	}
}

// Snapshot implements kernel.Component.
func (f *Framework) Snapshot() any {
	c := &tables{}
	f.copyTo(c)
	return c
}

// Restore implements kernel.Component.
func (f *Framework) Restore(s any) { s.(*tables).copyTo(&f.tables) }

// AppendState implements kernel.Component: the bytes of all rows. Rows hold
// everything that matters and nothing that does not, so that all of their bytes
// count; what a padding byte could do is keep two equal states apart, never
// make two different ones equal.
func (f *Framework) AppendState(b []byte) []byte {
	b = rows(b, f.objects)
	b = rows(b, f.devices)
	b = rows(b, f.interrupts)
	b = rows(b, f.dpcs)
	b = rows(b, f.timers)
	b = rows(b, f.workItems)
	b = rows(b, f.spinLocks)
	b = rows(b, f.waitLocks)
	b = rows(b, f.queues)
	b = rows(b, f.requests)
	b = rows(b, f.memories)
	b = rows(b, f.collections)
	b = rows(b, f.dmaEnablers)
	b = rows(b, f.transactions)
	b = rows(b, f.targets)
	b = rows(b, f.sendings)
	b = rows(b, f.files)
	b = rows(b, f.commonBuffers)
	b = rows(b, f.strings)
	b = rows(b, f.childLists)
	b = rows(b, f.childRows)
	b = rows(b, f.wmiProviders)
	b = rows(b, f.wmiInstances)
	b = rows(b, f.held)
	return rows(b, f.waiters)
}

func rows[T any](b []byte, t []T) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t)))
	if len(t) == 0 {
		return b
	}
	return append(b, unsafe.Slice((*byte)(unsafe.Pointer(&t[0])), uintptr(len(t))*unsafe.Sizeof(t[0]))...)
}

// thunks are the addresses of the framework's own routines.
type thunks struct {
	isr, dpc, interruptWork                  uint64
	driverDPC, timer, timerWork, work        uint64
	delete, dispatchWork, dispatchDPC        uint64
	stopReached, purgeReached, cancelRoutine uint64
	destroy, sendTimer                       uint64
	idleTimer, idlePower, enumerate, failed  uint64
	wake, watchdog                           uint64
}

// registerThunks gives the framework's own routines their addresses.
func (f *Framework) registerThunks() {
	add := func(at *uint64, name string, fn func(s *Sys, a kernel.Args) uint64) {
		*at = f.m.InternalFunction("Wdf01000!"+name, func(t *kernel.Thread, a kernel.Args) uint64 { return fn(f.Sys(t), a) })
	}
	add(&f.thunks.isr, "InterruptThunk", (*Sys).interruptThunk)
	add(&f.thunks.dpc, "InterruptDpcThunk", (*Sys).interruptDPCThunk)
	add(&f.thunks.interruptWork, "InterruptWorkItemThunk", (*Sys).interruptWorkThunk)
	add(&f.thunks.watchdog, "PowerWatchdog", (*Sys).watchdogWork)
	add(&f.thunks.wake, "WakeDevice", (*Sys).wakeWork)
	add(&f.thunks.driverDPC, "DpcThunk", (*Sys).dpcThunk)
	add(&f.thunks.timer, "TimerDpcThunk", (*Sys).timerThunk)
	add(&f.thunks.timerWork, "TimerWorkItemThunk", (*Sys).timerWorkThunk)
	add(&f.thunks.work, "WorkItemThunk", (*Sys).workItemThunk)
	add(&f.thunks.sendTimer, "SendTimerDpcThunk", (*Sys).sendTimerThunk)
	add(&f.thunks.delete, "DeferredDelete", (*Sys).deferredDelete)
	add(&f.thunks.destroy, "DeferredDestroy", func(s *Sys, a kernel.Args) uint64 {
		s.destroy(id(a[0]))
		return 0
	})
	add(&f.thunks.idleTimer, "IdleTimerDpc", (*Sys).idleTimerThunk)
	add(&f.thunks.idlePower, "IdlePowerWorkItem", (*Sys).idlePowerThunk)
	add(&f.thunks.enumerate, "BusRelationsWorkItem", (*Sys).enumerateThunk)
	add(&f.thunks.failed, "FailedDeviceWorkItem", (*Sys).failedThunk)
	f.registerQueueThunks(add)
}

// rundown stops what an object does, before its cleanup callback.
func (s *Sys) rundown(i id) {
	n := s.f.objects[i].index
	switch s.f.objects[i].typ {
	case TypeInterrupt:
		s.rundownInterrupt(n)
	case TypeDPC:
		s.rundownDPC(n)
	case TypeTimer:
		s.rundownTimer(n)
	case TypeWorkItem:
		s.rundownWorkItem(n)
	case TypeQueue:
		s.rundownQueue(n)
	case TypeCommonBuffer:
		s.rundownCommonBuffer(n)
	case TypeDMATransaction:
		s.rundownTransaction(n)
	case TypeIoTarget:
		s.rundownTarget(n)
	case TypeFileObject:
		s.rundownFile(n)
	case TypeRequest:
		if r := requestID(n); !s.f.requests[r].next.current {
			s.forgetNext(r)
		}
	}
}

// freeBody gives up the simulated memory of an object, after its destroy
// callback.
func (s *Sys) freeBody(i id) {
	f := s.f
	n := f.objects[i].index
	free := func(p uint64) {
		if p != 0 {
			s.FreeBlock(p)
		}
	}
	free(f.objects[i].lock.cell)
	switch f.objects[i].typ {
	case TypeInterrupt:
		free(f.interrupts[n].kdpc)
		free(f.interrupts[n].wakeEvent)
		if in := &f.interrupts[n]; in.ownWait {
			free(f.waitLocks[in.wait].event)
		}
	case TypeDPC:
		free(f.dpcs[n].kdpc)
	case TypeTimer:
		free(f.timers[n].ktimer)
		free(f.timers[n].kdpc)
	case TypeDevice:
		s.freeDevice(n)
	case TypeSpinLock:
		free(f.spinLocks[n].cell)
	case TypeWaitLock:
		free(f.waitLocks[n].event)
	case TypeQueue:
		free(f.queues[n].kdpc)
	case TypeMemory:
		free(f.memories[n].owned)
		s.FreeMDL(f.memories[n].mdl)
	case TypeRequest:
		if f.requests[n].send == 0 {
			free(f.requests[n].systemBuffer)
		}
		free(f.requests[n].params)
		s.freeIRP(requestID(n))
	case TypeFileObject:
		free(f.files[n].name)
	case TypeString:
		free(f.strings[n].buffer)
	case TypeCollection:
		s.clearCollection(i)
	case TypeChildList:
		free(f.childLists[n].lock)
	}
}
