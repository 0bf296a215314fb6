package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// This file is about devices that wake themselves or the system, as their power
// policy owner sees it. On the way out of D0, when I/O has stopped, the framework
// asks the bus to wait for wake and then the driver to arm the device; on the way
// back, before I/O starts again, it tells the driver whether wake was signalled and
// asks it to disarm the device (WAKE-7 to WAKE-10).

// wakeFrom says from what a device is to wake.
type wakeFrom uint8

const (
	wakeFromNothing wakeFrom = iota
	wakeFromS0               // it is idle, the system works
	wakeFromSx               // the system sleeps
)

// waitWake is where the request to wait for wake (IRP_MN_WAIT_WAKE) stands.
type waitWake uint8

const (
	waitWakeNone      waitWake = iota // there is none, or it was cancelled
	waitWakePending                   // the bus has it
	waitWakeSignalled                 // wake was signalled, and the driver is told
	waitWakeDropped                   // wake was signalled too early for that
)

// wakePolicy is the part of a device that this file is about.
type wakePolicy struct {
	enabled bool // from Sx, WdfDeviceAssignSxWakeSettings
	set     bool
	dx      PowerState
	from    wakeFrom // the driver has armed it for, and has to disarm it
	request waitWake
	failed  bool // EvtDeviceArmWakeFromS0 has failed: it returns to D0 at once
}

// arm prepares a device that leaves D0 for wake (WAKE-7). Where something fails, it
// leaves D0 and cannot wake.
func (s *Sys) arm(dev id, from wakeFrom) {
	if from == wakeFromNothing {
		return
	}
	d := s.device(dev)
	d.armed = true // wake interrupts stay connected, whatever comes of the rest
	d.wake.request = waitWakePending
	s.busWake(dev, true)
	s.Step()
	w := &s.device(dev).wake
	if w.request != waitWakePending { // at once: nothing is armed
		if from == wakeFromS0 {
			s.endWake(dev, from)
		}
		s.device(dev).wake.request = waitWakeNone
		return
	}
	w.from = from
	if !s.callArm(dev, from).Failed() {
		return
	}
	s.pnpNote(dev, "is not armed for wake")
	if from == wakeFromSx {
		s.callDisarm(dev, from)
	}
	w = &s.device(dev).wake
	w.from, w.failed = wakeFromNothing, from == wakeFromS0
	s.cancelWaitWake(dev)
}

// callArm asks the driver to arm the device. No child can be armed: the bus of
// WdfPdoInitAllocate cannot be told to wait for wake.
func (s *Sys) callArm(dev id, from wakeFrom) NTSTATUS {
	h, c := uint64(dev.handle()), s.device(dev).policy
	switch {
	case from == wakeFromS0:
		return s.callStatus("EvtDeviceArmWakeFromS0", c.EvtDeviceArmWakeFromS0, h)
	case c.EvtDeviceArmWakeFromSxWithReason != 0:
		return s.callStatus("EvtDeviceArmWakeFromSxWithReason", c.EvtDeviceArmWakeFromSxWithReason, h, 1, 0)
	}
	return s.callStatus("EvtDeviceArmWakeFromSx", c.EvtDeviceArmWakeFromSx, h)
}

func (s *Sys) callDisarm(dev id, from wakeFrom) {
	name, disarm := "EvtDeviceDisarmWakeFromS0", s.device(dev).policy.EvtDeviceDisarmWakeFromS0
	if from == wakeFromSx {
		name, disarm = "EvtDeviceDisarmWakeFromSx", s.device(dev).policy.EvtDeviceDisarmWakeFromSx
	}
	s.callVoid(name, disarm, uint64(dev.handle()))
}

// disarm ends wake for a device whose hardware works again (WAKE-8).
func (s *Sys) disarm(dev id) {
	if from := s.device(dev).wake.from; from != wakeFromNothing {
		s.endWake(dev, from)
	}
}

// endWake tells the driver that wake was signalled, if it was, and lets it disarm
// the device.
func (s *Sys) endWake(dev id, from wakeFrom) {
	d := s.device(dev)
	name, triggered := "EvtDeviceWakeFromS0Triggered", d.policy.EvtDeviceWakeFromS0Triggered
	if from == wakeFromSx {
		name, triggered = "EvtDeviceWakeFromSxTriggered", d.policy.EvtDeviceWakeFromSxTriggered
	}
	if d.wake.request == waitWakeSignalled {
		s.callVoid(name, triggered, uint64(dev.handle()))
	}
	s.callDisarm(dev, from)
	w := &s.device(dev).wake
	w.from, w.request = wakeFromNothing, waitWakeNone
}

func (s *Sys) callVoid(name string, c Callback, args ...uint64) {
	if c != 0 {
		s.call(name, c, args...)
	}
}

// cancelWaitWake ends the request to wait for wake, because the device goes to D0
// for another reason, or is gone.
func (s *Sys) cancelWaitWake(dev id) {
	w := &s.device(dev).wake
	if w.request == waitWakePending {
		w.request = waitWakeNone
	}
	s.busWake(dev, false)
}

// forgetWake is the end of wake for a device that does not come back to D0: the
// driver is not asked to disarm it (WAKE-9).
func (s *Sys) forgetWake(dev id) {
	s.cancelWaitWake(dev)
	w := &s.device(dev).wake
	w.from, w.request = wakeFromNothing, waitWakeNone
}

// busWake is the part of the bus driver.
func (s *Sys) busWake(dev id, on bool) {
	if d := s.device(dev); d.parent == 0 && s.f.pnpManager != nil {
		s.f.pnpManager.BusWake(d.location, on)
	}
}

// WakeSignalled is what follows when the function at a location signals wake: the
// bus driver ends the request to wait for it, and the power policy takes the device
// to D0. Without a request nothing happens.
func (f *Framework) WakeSignalled(location uint32) {
	for n := range f.devices {
		if d := &f.devices[n]; d.parent == 0 && d.location == location && d.pnp == pnpStarted && d.wake.request == waitWakePending {
			f.wakeDevice(d.object)
		}
	}
}

// wakeDevice lets a work item take a device to D0 that has signalled wake. A device
// that returns already, because there is a request for it, has not woken
// (WAKE-10).
func (f *Framework) wakeDevice(dev id) {
	d := &f.devices[f.objects[dev].index]
	if w := &d.wake; w.request == waitWakePending && d.idle.state != idleReturning {
		w.request = waitWakeSignalled
		if w.from == wakeFromSx && d.power == PowerDeviceD0 {
			w.request = waitWakeDropped
		}
	}
	f.m.QueueWork(uint64(dev.handle()), "wake", f.thunks.wake, kernel.Args{uint64(dev)})
}

// wakeWork is the routine of that work item: (number of the device object). A
// device that wakes while the system sleeps wakes the system.
func (s *Sys) wakeWork(a kernel.Args) uint64 {
	dev := id(a[0])
	s.lockPower(dev)
	if d := s.device(dev); d.pnp == pnpStarted && d.power != PowerDeviceD0 {
		d.asleep = false
		s.wake(dev)
	}
	if s.f.sleep != 0 {
		s.SetEvent(s.f.sleep)
	}
	s.unlockPower(dev)
	s.idleChanged(dev)
	s.parentChanged(dev)
	return 0
}

// AwaitWake is the sleep of the system after SetPower: it returns true when the
// device has woken it, and false when the time is over.
func (s *Sys) AwaitWake(h WDFDEVICE, nanoseconds uint64) bool {
	dev := s.lookup(h, TypeDevice)
	if s.f.sleep == 0 {
		s.f.sleep = s.f.m.Mem.Alloc(kernel.EventSize, kernel.PoolTag("FxSl"), false, s.ActivationID())
		s.InitializeEvent(s.f.sleep, kernel.NotificationEvent, false)
		s.f.m.SetName(s.f.sleep, "the end of the system's sleep")
	}
	s.KeClearEvent(s.f.sleep)
	return !s.device(dev).asleep || s.WaitFor(s.f.sleep, kernel.After(nanoseconds)) == StatusSuccess
}
