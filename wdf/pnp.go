package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
)

// PnpManager is the part of the system around a device that the framework asks
// for something on its own: a scenario has one.
type PnpManager interface {
	// BusPower takes the function at a location (AddDevice) to D0 or to a
	// low-power state: what the bus driver does when the driver's device is idle
	// or comes back.
	BusPower(location uint32, on bool)
	// CanWake reports whether the function at a location can signal wake in D3: what
	// the capabilities of the device say.
	CanWake(location uint32) bool
	// BusWake lets the function signal wake, or not any more: what the bus driver
	// does with a request to wait for wake. The signal is Framework.WakeSignalled.
	BusWake(location uint32, on bool)
	// DeviceFailed removes a device that the driver has declared failed; with
	// restart it is found again. It is called in a worker thread.
	DeviceFailed(s *Sys, device WDFDEVICE, restart bool)
}

// SetPnpManager says who does that; without one idle devices keep the power of
// their bus, no device can wake, and failed devices are not supported.
func (f *Framework) SetPnpManager(p PnpManager) { f.pnpManager = p }

// lockPnp waits until the PnP manager, which does one thing at a time, is free.
func (s *Sys) lockPnp() {
	s.WaitUntil("the PnP manager", func() bool { return !s.f.pnpBusy })
	s.f.pnpBusy = true
}

// lockPnpFor is lockPnp for a removal; false: somebody else has removed the device
// meanwhile.
func (s *Sys) lockPnpFor(dev id) bool {
	s.lockPnp()
	if s.device(dev).pnp != pnpRemoved {
		return true
	}
	s.unlockPnp()
	return false
}

func (s *Sys) unlockPnp() { s.f.pnpBusy = false }

// childDevices returns the devices whose parent is dev and that are there, in the
// order in which they were made.
func (f *Framework) childDevices(dev id) (children []id) {
	for i := range f.devices {
		if d := &f.devices[i]; d.parent == dev && d.pnp != pnpRemoved && f.objects[d.object].state == live {
			children = append(children, d.object)
		}
	}
	return children
}

// sleepChildren takes the children of a device out of D0, wakeChildren back.
func (s *Sys) sleepChildren(dev id, to PowerState) {
	for _, child := range s.f.childDevices(dev) {
		if s.device(child).pnp == pnpStarted {
			s.SetPower(child.handle(), to)
		}
	}
}

func (s *Sys) wakeChildren(dev id) {
	for _, child := range s.f.childDevices(dev) {
		if s.device(child).pnp == pnpStarted {
			if st := s.SetPower(child.handle(), PowerDeviceD0); st.Failed() {
				s.deviceFailed(child, false)
			}
		}
	}
}

// deviceFailed lets a worker thread remove a device that has failed.
func (s *Sys) deviceFailed(dev id, restart bool) {
	d := s.device(dev)
	if d.failing {
		return
	}
	d.failing = true
	s.pnpNote(dev, "has failed")
	s.f.m.QueueWork(uint64(dev.handle()), "removal of a failed device", s.f.thunks.failed, kernel.Args{uint64(dev), boolValue(restart)})
}

// failedThunk is the routine of that work item: (device, restart).
func (s *Sys) failedThunk(a kernel.Args) uint64 {
	dev, restart := id(a[0]), a[1] != 0
	if s.f.objects[dev].state != live || s.device(dev).pnp == pnpSurpriseRemoved || s.device(dev).pnp == pnpRemoved {
		return 0 // it is gone already
	}
	switch {
	case s.device(dev).parent != 0 && restart:
		s.Unsupported("the restart of a child device that has failed")
	case s.device(dev).parent != 0:
		s.SurpriseRemove(dev.handle())
	case s.f.pnpManager == nil:
		s.Unsupported("a device that has failed, without a scenario")
	default:
		s.f.pnpManager.DeviceFailed(s, dev.handle(), restart)
	}
	return 0
}

// finishDevice is the part of WdfDeviceCreate that depends on what the device is.
func (s *Sys) finishDevice(dev id, init *DeviceInit) {
	init.device = dev
	if init.parent != 0 {
		s.f.identities = append(s.f.identities, init.ids.clone())
		s.device(dev).identity = int32(len(s.f.identities))
		s.f.m.SetName(uint64(dev.handle()), fmt.Sprintf("PDO %d", dev))
	}
	if init.children != nil {
		list := s.newChildList(dev, init.children, init.childrenAttributes, false)
		s.device(dev).childList = list
	}
	if init.allocated() {
		s.f.freeInit(init)
	}
}

// freeDevice gives up the memory of a device.
func (s *Sys) freeDevice(n int32) {
	d := s.f.devices[n]
	blocks := []uint64{d.functional, d.physical, d.idle.ktimer, d.idle.kdpc}
	if d.functional == d.physical {
		blocks = blocks[1:]
	}
	for _, p := range blocks {
		if p != 0 {
			s.FreeBlock(p)
		}
	}
}
