package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// The functions of this file are what the PnP manager and the power manager
// ask of a driver, in a thread at PASSIVE_LEVEL. Each is one walk through the
// framework's state machine: read them to see which callback comes when
// (WDFI-22, WDFI-24, PWR-6, PWR-7).

// AddDevice asks the driver for a device: EvtDriverDeviceAdd. location is the
// number of the function on its bus. The handle is 0 if the driver did not make
// a device.
func (s *Sys) AddDevice(location uint32) (WDFDEVICE, NTSTATUS) {
	f := s.f
	if len(f.drivers) == 0 || f.drivers[0].add == 0 {
		return 0, StatusInvalidDeviceRequest
	}
	init := f.newInit(DeviceInit{location: location})
	st := NTSTATUS(s.call("EvtDriverDeviceAdd", f.drivers[0].add, uint64(f.drivers[0].object.handle()), init.address))
	f.freeInit(init)
	if init.device == 0 {
		if init.physical != 0 {
			s.FreeBlock(init.physical)
		}
		if !st.Failed() {
			st = StatusInvalidDeviceState
		}
		return 0, st
	}
	if st.Failed() {
		s.deleteObject(init.device)
		return 0, st
	}
	return init.device.handle(), st
}

// StartDevice gives a device its resources and brings it to D0 (WDFI-22). Then
// the PnP manager asks for its children.
func (s *Sys) StartDevice(h WDFDEVICE, raw, translated []Resource) NTSTATUS {
	dev := s.lookup(h, TypeDevice)
	s.lockPnp()
	st := s.startDevice(dev, raw, translated)
	if !st.Failed() {
		s.enumerate(dev)
	}
	s.unlockPnp()
	return st
}

func (s *Sys) startDevice(dev id, raw, translated []Resource) NTSTATUS {
	s.lockPower(dev)
	s.device(dev).known = true
	st := s.startHardware(dev, raw, translated)
	if st.Failed() {
		s.stopIdlePolicy(dev)
	}
	s.unlockPower(dev)
	if !st.Failed() {
		s.idleChanged(dev)
		s.parentChanged(dev)
	}
	return st
}

func (s *Sys) startHardware(dev id, raw, translated []Resource) NTSTATUS {
	h := dev.handle()
	d := s.device(dev)
	d.raw = s.newResourceList(dev, raw, "raw resources")
	d = s.device(dev)
	d.translated = s.newResourceList(dev, translated, "translated resources")
	d = s.device(dev)
	d.pnp, d.prepared = pnpPreparing, true
	s.pnpNote(dev, "start device")
	s.assignInterrupts(dev)
	c := d.callbacks
	st := s.callStatus("EvtDevicePrepareHardware", c.EvtDevicePrepareHardware, uint64(h), uint64(d.raw.handle()), uint64(d.translated.handle()))
	if st.Failed() {
		s.releaseHardware(dev)
		return st
	}
	s.device(dev).pnp = pnpStarting
	s.assignSyncIRQL(dev)
	s.setIdleState(dev, idleStarting)
	if st = s.powerUp(dev, PowerDeviceD3Final); st.Failed() {
		s.releaseHardware(dev)
		return st
	}
	d = s.device(dev)
	d.pnp, d.accepting, d.idle.state = pnpStarted, true, idleD0
	return StatusSuccess
}

// transition orders what a driver does in a power transition before what it does in
// the next one of the device: the framework makes one after the other. It returns
// a function that ends it.
func (s *Sys) transition(dev id) (end func()) {
	last := kernel.EndOf(uint64(dev.handle()))
	s.Acquired(last)
	return func() { s.Released(last) }
}

// powerUp brings a device from a low-power state to D0 (WDFI-22).
func (s *Sys) powerUp(dev id, from PowerState) NTSTATUS {
	defer s.watchPower(dev, from)()
	defer s.transition(dev)()
	defer s.watchStates(dev)()
	h := uint64(dev.handle())
	c := s.device(dev).callbacks
	s.pnpNote(dev, "power up from %s", from)
	if st := s.callStatus("EvtDeviceD0Entry", c.EvtDeviceD0Entry, h, uint64(from)); st.Failed() {
		s.d0EntryFailed(dev, from)
		return st // EvtDeviceD0Exit is not called (PWR-6)
	}
	s.device(dev).power = PowerDeviceD0
	s.wakeEnteringD0(dev)
	st := s.connectInterrupts(dev, s.powerUpFlags(dev, from))
	if !st.Failed() {
		st = s.callStatus("EvtDeviceD0EntryPostInterruptsEnabled", c.EvtDeviceD0EntryPostInterruptsEnabled, h, uint64(from))
	}
	if st.Failed() {
		s.disconnectInterrupts(dev, notifyForce)
		s.exitD0(dev, PowerDeviceD3Final)
		return st
	}
	s.scanForChildren(dev)
	s.disarm(dev)
	s.startQueues(dev)
	if st = s.startSelfManaged(dev); st.Failed() {
		s.powerDown(dev, PowerDeviceD3Final, wakeFromNothing)
	}
	return st
}

func (s *Sys) startSelfManaged(dev id) (st NTSTATUS) {
	c := s.device(dev).callbacks
	if s.device(dev).selfManaged == selfManagedCreated {
		st = s.callStatus("EvtDeviceSelfManagedIoInit", c.EvtDeviceSelfManagedIoInit, uint64(dev.handle()))
	} else {
		st = s.callStatus("EvtDeviceSelfManagedIoRestart", c.EvtDeviceSelfManagedIoRestart, uint64(dev.handle()))
	}
	s.device(dev).selfManaged = selfManagedStarted
	if st.Failed() {
		s.device(dev).selfManaged = selfManagedFailed
	}
	return st
}

// suspendSelfManaged calls EvtDeviceSelfManagedIoSuspend if self-managed I/O is
// under way, which it is not if Init or Restart failed.
func (s *Sys) suspendSelfManaged(dev id) {
	if s.device(dev).selfManaged != selfManagedStarted {
		return
	}
	st := s.callStatus("EvtDeviceSelfManagedIoSuspend", s.device(dev).callbacks.EvtDeviceSelfManagedIoSuspend, uint64(dev.handle()))
	s.device(dev).selfManaged = selfManagedSuspended
	if st.Failed() {
		s.device(dev).selfManaged = selfManagedFailed
	}
}

// powerUpFlags says why the interrupts are connected.
func (s *Sys) powerUpFlags(dev id, from PowerState) notify {
	switch {
	case from == PowerDeviceD3Final:
		return 0
	case s.device(dev).notPowerPageable:
		return notifyNP
	}
	return notifyPowerUp
}

// d0EntryFailed disconnects what stayed connected in Dx (WAKE-5, PWR-6).
func (s *Sys) d0EntryFailed(dev id, from PowerState) {
	if from == PowerDeviceD3Final {
		return
	}
	s.forgetWake(dev)
	s.wakeD0EntryFailed(dev)
	if s.device(dev).notPowerPageable {
		s.disconnectInterrupts(dev, notifyForce)
	} else {
		s.disconnectInterrupts(dev, notifyForce|notifyInactive)
	}
}

// connectInterrupts connects and enables the interrupts in creation order; the
// first failure ends the walk.
func (s *Sys) connectInterrupts(dev id, why notify) NTSTATUS {
	for n := range s.f.interrupts {
		if s.f.interrupts[n].device != dev {
			continue
		}
		if st := s.connectInterrupt(n, why); st.Failed() {
			return st
		}
	}
	return StatusSuccess
}

// disconnectInterrupts disables and disconnects the interrupts in reverse creation
// order.
func (s *Sys) disconnectInterrupts(dev id, why notify) {
	for n := len(s.f.interrupts) - 1; n >= 0; n-- {
		if s.f.interrupts[n].device == dev {
			s.disconnectInterrupt(n, why)
		}
	}
}

// powerDown brings a device from D0 to a low-power state (WDFI-24), also after a
// surprise removal (PWR-7), and prepares it to wake from there (WAKE-7).
func (s *Sys) powerDown(dev id, to PowerState, from wakeFrom) {
	defer s.watchPower(dev, to)()
	defer s.transition(dev)()
	h := uint64(dev.handle())
	c := s.device(dev).callbacks
	s.pnpNote(dev, "power down to %s", to)
	s.suspendSelfManaged(dev)
	s.stopQueues(dev)
	s.arm(dev, from)
	defer s.watchStates(dev)()
	if to != PowerDeviceD3Final {
		s.wakeLeavingD0(dev)
	}
	s.callStatus("EvtDeviceD0ExitPreInterruptsDisabled", c.EvtDeviceD0ExitPreInterruptsDisabled, h, uint64(to))
	s.disconnectInterrupts(dev, s.powerDownFlags(dev, to))
	s.exitD0(dev, to)
}

// powerDownFlags says why the interrupts are disconnected.
func (s *Sys) powerDownFlags(dev id, to PowerState) notify {
	switch d := s.device(dev); {
	case to == PowerDeviceD3Final:
		return notifyForce
	case d.notPowerPageable:
		return notifyNP
	case d.armed:
		return notifyPowerDown | notifyArmed
	}
	return notifyPowerDown
}

// removalInDx disconnects what is still connected in Dx (PWR-7).
func (s *Sys) removalInDx(dev id) {
	if s.device(dev).notPowerPageable {
		s.disconnectInterrupts(dev, notifySurprise)
	} else {
		s.disconnectInterrupts(dev, notifyForce|notifyInactive)
	}
}

func (s *Sys) exitD0(dev id, to PowerState) {
	s.callStatus("EvtDeviceD0Exit", s.device(dev).callbacks.EvtDeviceD0Exit, uint64(dev.handle()), uint64(to))
	s.device(dev).power = to
}

// SetPower brings a started device to D0 or to a low-power state, as the system
// does when it wakes or goes to sleep: children leave D0 before their parent and
// come back after it. A device that is idle stays where it is.
func (s *Sys) SetPower(h WDFDEVICE, to PowerState) (st NTSTATUS) {
	dev := s.lookup(h, TypeDevice)
	if to != PowerDeviceD0 {
		s.sleepChildren(dev, to)
	}
	s.lockPower(dev)
	switch {
	case s.device(dev).pnp != pnpStarted: // it was removed meanwhile
		st = StatusNoSuchDevice
	case to == PowerDeviceD0:
		st = s.leaveSleep(dev)
	default:
		s.enterSleep(dev, to)
	}
	s.unlockPower(dev)
	s.idleChanged(dev)
	if to == PowerDeviceD0 && !st.Failed() {
		s.wakeChildren(dev)
	}
	s.parentChanged(dev)
	return st
}

// enterSleep takes a device to the state in which it sleeps with the system, armed
// for wake if its driver wants that (WAKE-7). A device that is armed for wake from
// its idle state, or has to be armed, goes to D0 first.
func (s *Sys) enterSleep(dev id, to PowerState) {
	d := s.device(dev)
	if d.asleep {
		return
	}
	d.asleep = true
	if d.idle.state == idleCounting {
		s.CancelTimerNow(d.idle.ktimer)
	}
	from := wakeFromNothing
	if d.wake.enabled {
		from, to = wakeFromSx, d.wake.dx
	}
	if d.power != PowerDeviceD0 && d.idle.state == idleDx && (from == wakeFromSx || d.wake.from == wakeFromS0) {
		s.wake(dev)
	}
	d = s.device(dev)
	if d.idle.state == idleFailed {
		return
	}
	if d.idle.state != idleStopped {
		d.idle.state = idleDx
	}
	if d.power == PowerDeviceD0 {
		s.powerDown(dev, to, from)
		s.busPower(dev, false)
	}
}

// leaveSleep takes a device to D0, unless it has nothing to do there.
func (s *Sys) leaveSleep(dev id) NTSTATUS {
	d := s.device(dev)
	d.asleep = false
	if d.power == PowerDeviceD0 || d.wake.from == wakeFromNothing && d.idle.staysAsleep() && s.powerReferences(dev) == 0 {
		return StatusSuccess
	}
	return s.returnToD0(dev)
}

// Rebalance stops a started device, which EvtDeviceQueryStop can refuse, and
// starts it again with other resources (WDFI-34), for which it asks in between.
func (s *Sys) Rebalance(h WDFDEVICE, other func() (raw, translated []Resource)) NTSTATUS {
	dev := s.lookup(h, TypeDevice)
	if !s.lockPnpFor(dev) {
		return StatusNoSuchDevice
	}
	if len(s.f.childDevices(dev)) > 0 {
		s.Unsupported("the rebalance of a device that has children")
	}
	s.pnpNote(dev, "stop device")
	st := s.stopDevice(dev)
	if !st.Failed() {
		raw, translated := other()
		st = s.startDevice(dev, raw, translated)
	}
	s.unlockPnp()
	return st
}

// stopDevice asks the driver and then takes the device out of D0 and its resources
// back.
func (s *Sys) stopDevice(dev id) NTSTATUS {
	s.lockPower(dev)
	s.ensureAwake(dev)
	d := s.device(dev)
	st := StatusInvalidDeviceState
	if d.notStoppable == 0 && d.pnp == pnpStarted {
		st = s.callStatus("EvtDeviceQueryStop", d.callbacks.EvtDeviceQueryStop, uint64(dev.handle()))
	}
	if !st.Failed() {
		s.stopIdlePolicy(dev)
		s.forgetWake(dev)
		if s.device(dev).power == PowerDeviceD0 {
			s.powerDown(dev, PowerDeviceD3Final, wakeFromNothing)
		} else {
			s.removalInDx(dev)
		}
		s.releaseHardware(dev)
	}
	s.unlockPower(dev)
	return st
}

// RemoveDevice is an orderly removal: EvtDeviceQueryRemove, which can refuse,
// power-down, EvtDeviceReleaseHardware, and the end of the device object. The
// children of the device are asked and removed before it.
func (s *Sys) RemoveDevice(h WDFDEVICE) NTSTATUS {
	dev := s.lookup(h, TypeDevice)
	if !s.lockPnpFor(dev) {
		return StatusNoSuchDevice
	}
	s.pnpNote(dev, "remove device")
	st := s.queryRemove(dev)
	if !st.Failed() {
		s.removeDevice(dev)
	}
	s.unlockPnp()
	return st
}

func (s *Sys) queryRemove(dev id) NTSTATUS {
	for _, child := range s.f.childDevices(dev) {
		if st := s.queryRemove(child); st.Failed() {
			return st
		}
	}
	s.lockPower(dev)
	st := StatusSuccess
	switch d := s.device(dev); {
	case d.notStoppable != 0:
		st = StatusInvalidDeviceState
	case d.pnp == pnpStarted:
		s.ensureAwake(dev)
		st = s.callStatus("EvtDeviceQueryRemove", d.callbacks.EvtDeviceQueryRemove, uint64(dev.handle()))
	}
	s.unlockPower(dev)
	return st
}

func (s *Sys) removeDevice(dev id) {
	for _, child := range s.f.childDevices(dev) {
		s.removeDevice(child)
	}
	s.lockPower(dev)
	s.device(dev).accepting = false
	s.leaveForEver(dev)
}

// leaveForEver is the last power-down of a device and what follows it.
func (s *Sys) leaveForEver(dev id) {
	s.stopIdlePolicy(dev)
	s.forgetWake(dev)
	if s.device(dev).power == PowerDeviceD0 {
		s.powerDown(dev, PowerDeviceD3Final, wakeFromNothing)
	} else {
		s.removalInDx(dev)
	}
	s.endDevice(dev)
	s.unlockPower(dev)
	s.parentChanged(dev)
}

// SurpriseRemove is what follows when a device has gone without notice (PWR-7):
// EvtDeviceSurpriseRemoval, the implicit power-down, and the end of the device
// object; the children of the device go before it.
func (s *Sys) SurpriseRemove(h WDFDEVICE) {
	dev := s.lookup(h, TypeDevice)
	if s.lockPnpFor(dev) {
		s.surpriseRemove(dev)
		s.unlockPnp()
	}
}

func (s *Sys) surpriseRemove(dev id) {
	for _, child := range s.f.childDevices(dev) {
		s.surpriseRemove(child)
	}
	s.lockPower(dev)
	d := s.device(dev)
	d.pnp, d.accepting, d.surprise = pnpSurpriseRemoved, false, true
	s.pnpNote(dev, "surprise removal")
	if c := d.callbacks.EvtDeviceSurpriseRemoval; c != 0 {
		s.call("EvtDeviceSurpriseRemoval", c, uint64(dev.handle()))
	}
	s.leaveForEver(dev)
}

// endDevice does what follows the last power-down.
func (s *Sys) endDevice(dev id) {
	end := s.watchPower(dev, PowerDeviceD3Final)
	h := uint64(dev.handle())
	s.releaseHardware(dev)
	c := s.device(dev).callbacks
	selfManaged := s.device(dev).selfManaged != selfManagedCreated
	s.purgeQueues(dev, true)
	if selfManaged {
		s.callStatus("EvtDeviceSelfManagedIoFlush", c.EvtDeviceSelfManagedIoFlush, h)
	}
	s.purgeQueues(dev, false)
	if selfManaged {
		s.callStatus("EvtDeviceSelfManagedIoCleanup", c.EvtDeviceSelfManagedIoCleanup, h)
	}
	end()
	s.device(dev).pnp = pnpRemoved
	s.endChildren(dev)
	s.deleteObject(dev)
}

// releaseHardware calls EvtDeviceReleaseHardware, once for each
// EvtDevicePrepareHardware, and takes the resources back; interrupts made in
// EvtDevicePrepareHardware are deleted in reverse order (WDFI-32).
func (s *Sys) releaseHardware(dev id) {
	d := s.device(dev)
	if !d.prepared {
		return
	}
	d.prepared = false
	s.callStatus("EvtDeviceReleaseHardware", d.callbacks.EvtDeviceReleaseHardware, uint64(dev.handle()), uint64(d.translated.handle()))
	s.revokeInterrupts(dev)
	for n := len(s.f.interrupts) - 1; n >= 0; n-- {
		if in := &s.f.interrupts[n]; in.device == dev && in.prepare && s.f.objects[in.object].state == live {
			s.deleteObject(in.object)
			s.device(dev).interrupts--
		}
	}
	s.device(dev).pnp = pnpStopped
}

func (s *Sys) pnpNote(dev id, format string, args ...any) {
	s.note(trace.Framework, s.f.m.NameOf(uint64(dev.handle())), format, args...)
}

var _ kernel.Component = (*Framework)(nil)
