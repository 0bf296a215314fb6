package wdf

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Which locks of the framework are held by whom, for the rules that verifiers have
// about them: acquire and release alternate, they are balanced in each callback,
// callback locks are taken in order.

// lockKind is a kind of lock that drivers take.
type lockKind uint8

const (
	lockCallback lockKind = iota // of a device or queue, also by automatic serialization
	lockSpin                     // WDFSPINLOCK
	lockWait                     // WDFWAITLOCK
	lockInterrupt
)

// lockRules are the rules "acquire and release alternate" and "they are balanced
// within a callback".
var lockRules = [...][2]string{
	lockCallback: {},
	lockSpin:     {"WdfSpinlock", "WdfSpinLockRelease"}, lockWait: {"WdfWaitlock", "WdfWaitlockRelease"},
	lockInterrupt: {"WdfInterruptLock", "WdfInterruptLockRelease"},
}

// heldLock is a lock that is held now.
type heldLock struct {
	object   id
	thread   int32 // + 1
	depth    int32 // of the stack where it was taken
	kind     lockKind
	passive  bool // a callback lock that is a mutex
	reported bool // it was left behind by a callback
}

// tookLock notes that the running code has a lock.
func (s *Sys) tookLock(k lockKind, object id) {
	s.f.held = append(s.f.held, heldLock{object: object, thread: s.self(), depth: int32(s.Depth()), kind: k,
		passive: k == lockCallback && s.f.objects[object].lock.passive})
}

// gaveLock notes that a lock is given back. One that was taken outside the callback
// that gives it back breaks a rule.
func (s *Sys) gaveLock(k lockKind, object id) {
	i := slices.IndexFunc(s.f.held, func(h heldLock) bool { return h.kind == k && h.object == object })
	if i < 0 {
		return
	}
	h := s.f.held[i]
	s.f.held = slices.Delete(s.f.held, i, i+1)
	if rule := lockRules[k][1]; rule != "" && !h.reported && h.thread == s.self() && int(h.depth) < s.CallbackDepth() {
		s.Report(kernel.Finding{Rule: rule, Clause: "ILK-9", Text: fmt.Sprintf("%s releases %s, which was acquired outside of it",
			s.f.m.NameOf(s.Caller()), s.f.m.NameOf(uint64(object.handle())))})
	}
}

// holdsLock reports whether the running thread has a lock.
func (s *Sys) holdsLock(k lockKind, object id) bool {
	return slices.ContainsFunc(s.f.held, func(h heldLock) bool { return h.kind == k && h.object == object && h.thread == s.self() })
}

// checkLocksReleased reports locks that a callback which has just returned took and
// did not give back.
func (s *Sys) checkLocksReleased(role string, c Callback) {
	for i := range s.f.held {
		h := &s.f.held[i]
		rule := lockRules[h.kind][1]
		if rule == "" || h.reported || h.thread != s.self() || int(h.depth) <= s.Depth() {
			continue
		}
		h.reported = true
		s.Report(kernel.Finding{Rule: rule, Clause: "ILK-9", Text: fmt.Sprintf("%s %s returns and has not released %s",
			role, s.f.m.NameOf(uint64(c)), s.f.m.NameOf(uint64(h.object.handle())))})
	}
}

// driverSpinLock returns a spin lock that is held, other than the callback lock of
// automatic serialization; 0 for none.
func (s *Sys) driverSpinLock() uint64 {
	var held [4]uint64
	n := s.HeldLocks(held[:])
	for _, lock := range held[:n] {
		if !slices.ContainsFunc(s.f.held, func(l heldLock) bool { return l.kind == lockCallback && s.f.objects[l.object].lock.cell == lock }) {
			return lock
		}
	}
	return 0
}

// checkSendLocks reports a request that is sent while a spin lock is held (IOQ-5).
func (s *Sys) checkSendLocks(h WDFREQUEST) {
	if lock := s.driverSpinLock(); lock != 0 {
		s.Report(kernel.Finding{Rule: "ReqSendWhileSpinlock", Clause: "IOQ-5", Text: fmt.Sprintf("%s is sent while %s is held: what it is sent to "+
			"may call back into the driver before WdfRequestSend returns", s.f.m.NameOf(uint64(h)), s.f.m.NameOf(lock))})
	}
}

// adviseCompletionLocks advises against a request that is completed while a spin lock
// is held (IOQ-5): the queue may present the next one before the completion returns.
func (s *Sys) adviseCompletionLocks(r requestID) {
	if lock := s.driverSpinLock(); lock != 0 {
		s.advise("SpinLockSafe", "IOQ-5", "%s is completed while %s is held: the next request can be presented, and its "+
			"handler take the lock, before the completion returns", s.f.requestName(r), s.f.m.NameOf(lock))
	}
}

// checkLockOrder is a check of the verifier: a thread takes the callback lock of a
// device before that of a queue (SER-9). Spin locks and mutexes are looked at
// separately.
func (s *Sys) checkLockOrder(object id) {
	if !s.f.m.Profile().FrameworkVerifier || s.f.objects[object].typ != TypeDevice {
		return
	}
	passive := s.f.objects[object].lock.passive
	for i := len(s.f.held) - 1; i >= 0; i-- {
		h := &s.f.held[i]
		if h.kind != lockCallback || h.thread != s.self() || h.passive != passive {
			continue
		}
		if s.f.objects[h.object].typ == TypeQueue {
			s.verifierBreak("callback lock order", "SER-9", "the lock of %s is acquired while that of %s is held: the order is device, then queue",
				s.f.m.NameOf(uint64(object.handle())), s.f.m.NameOf(uint64(h.object.handle())))
		}
		return
	}
}

// checkedCallbacks are the callbacks around which enhanced verification looks
// (VER-5): those of PnP, power and queues.
var checkedCallbacks = map[string]bool{
	"EvtDevicePrepareHardware": true, "EvtDeviceReleaseHardware": true, "EvtDeviceD0Entry": true,
	"EvtDeviceD0EntryPostInterruptsEnabled": true, "EvtDeviceD0ExitPreInterruptsDisabled": true, "EvtDeviceD0Exit": true,
	"EvtDeviceSelfManagedIoInit": true, "EvtDeviceSelfManagedIoSuspend": true, "EvtDeviceSelfManagedIoRestart": true,
	"EvtDeviceSelfManagedIoFlush": true, "EvtDeviceSelfManagedIoCleanup": true, "EvtDeviceSurpriseRemoval": true,
	"EvtDeviceQueryRemove": true, "EvtDeviceQueryStop": true,
	"EvtIoDefault": true, "EvtIoRead": true, "EvtIoWrite": true, "EvtIoDeviceControl": true, "EvtIoInternalDeviceControl": true,
	"EvtIoStop": true, "EvtIoResume": true, "EvtIoCanceledOnQueue": true,
}

// checkCallbackExit is the enhanced verification: a callback that changed the IRQL
// or the critical regions is a bug check (VER-5).
func (s *Sys) checkCallbackExit(role string, c Callback, irql uint8, regions int) {
	if !s.f.m.Profile().EnhancedVerifier || !checkedCallbacks[role] {
		return
	}
	name := role + " " + s.f.m.NameOf(uint64(c))
	if now := s.IRQL(); now != irql {
		s.BugCheck(0x10D, [4]uint64{0xE, uint64(irql), uint64(now)}, "VER-5", fmt.Sprintf("%s was called at %s and returned at %s", name,
			trace.LevelName(irql), trace.LevelName(now)))
	}
	if now := s.CriticalRegions(); (now != 0) != (regions != 0) {
		s.BugCheck(0x10D, [4]uint64{0xF, uint64(c)}, "VER-5", fmt.Sprintf("%s was called inside %d critical regions and returned inside %d", name, regions, now))
	}
}
