package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// This file is the power policy of a device that its driver owns: how many
// reasons there are to keep it in D0, and what happens when there is none for a
// while. The reasons are counted, not kept: references of WdfDeviceStopIdle,
// power-managed queues with requests, child devices in D0.

// idleState is where a device is between D0 and its idle state.
type idleState uint8

const (
	idleStopped   idleState = iota // not started yet, or removed: there are no references
	idleStarting                   // on its way to D0 for the first time
	idleD0                         // in D0
	idleCounting                   // in D0, and the idle timer runs
	idleLeaving                    // the timer has expired: a work item takes it to Dx
	idleDx                         // in Dx
	idleReturning                  // a work item takes it to D0
	idleFailed                     // it did not come back to D0
)

// idle is the part of a device that this file is about.
type idle struct {
	set, enabled  bool // WdfDeviceAssignS0IdleSettings
	canWake       bool // it signals wake when it is idle
	powerUpOnWake bool // when the system wakes, though it is idle
	systemManaged bool // the power framework decides about the timeout
	state         idleState
	dx            PowerState
	references    int32  // of WdfDeviceStopIdle, and those of children that want to go to D0
	timeout       uint64 // nanoseconds
	ktimer, kdpc  uint64
	due           uint64 // when the timer expires; a DPC that comes earlier is a late one
}

// inD0 reports whether a power reference has nothing to wait for.
func (i *idle) inD0() bool { return i.state == idleD0 || i.state == idleCounting }

// staysAsleep reports whether a device without power references stays where it is
// when the system wakes.
func (i *idle) staysAsleep() bool {
	return i.enabled && !i.canWake && !i.powerUpOnWake && !i.systemManaged
}

// settled reports whether nothing is left to wait for: it is in D0, or will not
// come there.
func (i *idle) settled() bool { return i.inD0() || i.state == idleStopped || i.state == idleFailed }

// powerReferences counts the reasons to keep a device in D0.
func (s *Sys) powerReferences(dev id) int32 {
	n := s.device(dev).idle.references
	s.queuesOf(dev, true, func(q queueID) {
		p := &s.f.queues[q]
		if p.lists[listWaiting].count+p.lists[listCancelledOnQueue].count+p.driverCount > 0 {
			n++
		}
	})
	for i := range s.f.devices {
		if c := &s.f.devices[i]; c.parent == dev && c.power == PowerDeviceD0 {
			n++
		}
	}
	return n
}

// queueChanged is idleChanged after the requests of a queue may have become more
// or fewer.
func (s *Sys) queueChanged(q queueID) {
	if q != 0 && s.f.queues[q].powerManaged {
		s.idleChanged(s.f.queues[q].device)
	}
}

// idleChanged looks whether a device has to begin a change of its power state:
// called in the step of everything that powerReferences counts, IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) idleChanged(dev id) {
	i := &s.device(dev).idle
	if !i.set {
		return
	}
	switch wanted := !i.enabled || s.powerReferences(dev) != 0; {
	case i.state == idleD0 && !wanted:
		i.state = idleCounting
		i.due = s.f.m.Now() + i.timeout
		s.SetTimerNow(i.ktimer, kernel.After(i.timeout), 0, i.kdpc)
	case i.state == idleCounting && wanted:
		i.state = idleD0
		s.CancelTimerNow(i.ktimer)
	case i.state == idleDx && wanted && !s.device(dev).asleep:
		i.state = idleReturning
		s.queueIdleWork(dev)
	}
}

// idleTimerThunk is the routine of the idle timer's DPC: (KDPC, device, ...).
func (s *Sys) idleTimerThunk(a kernel.Args) uint64 {
	dev := id(a[1])
	if i := &s.device(dev).idle; i.state == idleCounting && s.f.m.Now() >= i.due {
		i.state = idleLeaving
		s.pnpNote(dev, "is idle")
		s.queueIdleWork(dev)
	}
	return 0
}

func (s *Sys) queueIdleWork(dev id) {
	s.f.m.QueueWork(uint64(dev.handle()), "power policy of the device", s.f.thunks.idlePower, kernel.Args{uint64(dev)})
}

// idlePowerThunk is the routine of the work item that takes a device to Dx or
// back: (device).
func (s *Sys) idlePowerThunk(a kernel.Args) uint64 {
	dev := id(a[0])
	s.lockPower(dev)
	switch i := &s.device(dev).idle; {
	case i.state == idleLeaving && s.powerReferences(dev) == 0:
		s.enterIdle(dev)
	case i.state == idleLeaving:
		i.state = idleD0
	case i.state == idleReturning:
		s.wake(dev)
	}
	s.unlockPower(dev)
	s.idleChanged(dev)
	s.parentChanged(dev)
	return 0
}

// enterIdle takes a device to its idle state. One that could not be armed for wake
// comes back at once (WAKE-9).
func (s *Sys) enterIdle(dev id) {
	i, from := s.device(dev).idle, wakeFromNothing
	if i.canWake {
		from = wakeFromS0
	}
	s.powerDown(dev, i.dx, from)
	s.busPower(dev, false)
	s.setIdleState(dev, idleDx)
	if s.device(dev).wake.failed {
		s.device(dev).wake.failed = false
		s.wake(dev)
	}
}

// wake takes a device from its idle state to D0. One that does not come back has
// failed.
func (s *Sys) wake(dev id) {
	if s.returnToD0(dev).Failed() {
		s.deviceFailed(dev, false)
	}
}

// returnToD0 takes a device from a low-power state to D0. Its parent goes there
// first.
func (s *Sys) returnToD0(dev id) (st NTSTATUS) {
	parent := s.device(dev).parent
	if parent != 0 {
		s.device(parent).idle.references++
		s.idleChanged(parent)
		st = s.awaitD0(parent)
	}
	if !st.Failed() {
		s.cancelWaitWake(dev)
		s.busPower(dev, true)
		st = s.powerUp(dev, s.device(dev).power)
		if parent != 0 {
			s.device(parent).idle.references--
		}
	}
	s.setIdleState(dev, idleD0)
	if st.Failed() {
		s.setIdleState(dev, idleFailed)
	}
	return st
}

func (s *Sys) setIdleState(dev id, state idleState) { s.device(dev).idle.state = state }

// stopIdlePolicy ends the power policy of a device: it is removed.
func (s *Sys) stopIdlePolicy(dev id) {
	i := &s.device(dev).idle
	i.state = idleStopped
	if i.set {
		s.CancelTimerNow(i.ktimer)
		s.RemoveDPC(i.kdpc)
	}
}

// ensureAwake takes a device that is idle to D0 before it is asked something.
func (s *Sys) ensureAwake(dev id) {
	switch d := s.device(dev); {
	case d.asleep: // the system sleeps, too
	case d.idle.state == idleDx, d.idle.state == idleReturning:
		s.wake(dev)
	case d.idle.state == idleLeaving:
		d.idle.state = idleD0
	}
}

// parentChanged lets the parent of a device look at its own power policy.
func (s *Sys) parentChanged(dev id) {
	if parent := s.device(dev).parent; parent != 0 {
		s.idleChanged(parent)
	}
}

// lockPower waits until no other thread changes the power or PnP state of a
// device. unlockPower lets the next one go on.
func (s *Sys) lockPower(dev id) {
	s.WaitUntil("the end of a power transition of "+s.f.m.NameOf(uint64(dev.handle())), func() bool { return !s.device(dev).transition })
	s.device(dev).transition = true
}

func (s *Sys) unlockPower(dev id) { s.device(dev).transition = false }

// busPower is the part of the bus driver in an idle transition.
func (s *Sys) busPower(dev id, on bool) {
	if d := s.device(dev); d.parent == 0 && s.f.pnpManager != nil {
		s.f.pnpManager.BusPower(d.location, on)
	}
}

var (
	svcWdfDeviceStopIdleNoTrack   = kernel.NewLenientService("WdfDeviceStopIdleNoTrack")
	svcWdfDeviceStopIdleActual    = kernel.NewLenientService("WdfDeviceStopIdleActual")
	svcWdfDeviceResumeIdleNoTrack = kernel.NewService("WdfDeviceResumeIdleNoTrack")
	svcWdfDeviceResumeIdleActual  = kernel.NewService("WdfDeviceResumeIdleActual")
)

// WdfDeviceStopIdle keeps a device in D0 until WdfDeviceResumeIdle, and takes it
// there if it is idle. STATUS_PENDING: it is on its way; with wait, which needs
// PASSIVE_LEVEL, the routine returns when it is there.
// STATUS_POWER_STATE_INVALID: the device is not started, is removed, or does not
// come back. STATUS_INVALID_DEVICE_STATE: the driver is not the power policy
// owner. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp, poweridlestatemachine.cpp).
func (s *Sys) WdfDeviceStopIdle(h WDFDEVICE, wait bool) NTSTATUS {
	s.Enter(svcWdfDeviceStopIdleActual, uint64(h), boolValue(wait))
	return s.stopIdle(h, wait)
}

// WdfDeviceStopIdleNoTrack is WdfDeviceStopIdle for drivers before KMDF 1.15.
func (s *Sys) WdfDeviceStopIdleNoTrack(h WDFDEVICE, wait bool) NTSTATUS {
	s.Enter(svcWdfDeviceStopIdleNoTrack, uint64(h), boolValue(wait))
	return s.stopIdle(h, wait)
}

func (s *Sys) stopIdle(h WDFDEVICE, wait bool) NTSTATUS {
	s.lookup(h, TypeDevice)
	if wait && s.levelBreak("WdfDeviceStopIdle", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.levelReport("WdfDeviceStopIdle", "IRQL-12", DispatchLevel)
	s.Step()
	dev := s.lookup(h, TypeDevice)
	d := s.device(dev)
	switch {
	case !d.powerPolicyOwner:
		return s.LeaveStatus(StatusInvalidDeviceState)
	case d.idle.state == idleStopped || d.idle.state == idleFailed:
		return s.LeaveStatus(StatusPowerStateInvalid)
	}
	d.idle.references++
	s.idleChanged(dev)
	switch {
	case s.device(dev).idle.inD0():
		return s.LeaveStatus(StatusSuccess)
	case !wait:
		return s.LeaveStatus(StatusPending)
	}
	return s.LeaveStatus(s.awaitD0(dev))
}

// awaitD0 waits until a device with a new power reference is in D0. If it does not
// get there, the reference is taken back.
func (s *Sys) awaitD0(dev id) NTSTATUS {
	s.WaitUntil(s.f.m.NameOf(uint64(dev.handle()))+" to be in D0", func() bool { return s.device(dev).idle.settled() })
	if i := &s.device(dev).idle; !i.inD0() {
		i.references--
		return StatusPowerStateInvalid
	}
	return StatusSuccess
}

// WdfDeviceResumeIdle undoes one WdfDeviceStopIdle. One too many is a verifier
// break. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceResumeIdle(h WDFDEVICE) {
	s.Enter(svcWdfDeviceResumeIdleActual, uint64(h))
	s.resumeIdle(h)
	s.LeaveVoid()
}

// WdfDeviceResumeIdleNoTrack is WdfDeviceResumeIdle for drivers before KMDF 1.15.
func (s *Sys) WdfDeviceResumeIdleNoTrack(h WDFDEVICE) {
	s.Enter(svcWdfDeviceResumeIdleNoTrack, uint64(h))
	s.resumeIdle(h)
	s.LeaveVoid()
}

func (s *Sys) resumeIdle(h WDFDEVICE) {
	s.lookup(h, TypeDevice)
	s.Step()
	dev := s.lookup(h, TypeDevice)
	d := s.device(dev)
	if !d.powerPolicyOwner {
		return
	}
	if s.powerReferences(dev) == 0 {
		s.verifierBreak("WdfDeviceResumeIdle", "PWR-6", "%s has no power reference that WdfDeviceStopIdle has taken: the count is wrong from now on",
			s.f.m.NameOf(uint64(h)))
	}
	d.idle.references--
	s.idleChanged(dev)
}
