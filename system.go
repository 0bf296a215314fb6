package dirql

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pci"
	"github.com/dirql/dirql/wdf"
)

// System is what the system can do with the device of a scenario.
type System struct {
	s *wdf.Sys
	r *rig
}

// PowerDown brings the device to D3, as the system does when it goes to sleep.
func (s *System) PowerDown() {
	if s.r.device != 0 {
		s.s.SetPower(s.r.device, wdf.PowerDeviceD3)
		s.s.Step() // others can find the device asleep, also if PowerUp comes at once
	}
}

// PowerUp brings the device back to D0, unless it has been idle and stays so.
func (s *System) PowerUp() {
	if s.r.device == 0 {
		return
	}
	device := s.r.device
	if st := s.s.SetPower(device, wdf.PowerDeviceD0); st.Failed() {
		s.r.fail(s.s, "the return of the device to D0", st)
		s.r.DeviceFailed(s.s, device, false)
	}
}

// Suspend lets the system sleep, as PowerDown and PowerUp do, for a time in
// nanoseconds or until the device wakes it, which a device can that its driver has
// armed (WdfDeviceAssignSxWakeSettings). It reports whether the device has woken the
// system.
func (s *System) Suspend(nanoseconds uint64) (byDevice bool) {
	device := s.r.device
	if device == 0 {
		return false
	}
	s.PowerDown()
	byDevice = s.s.AwaitWake(device, nanoseconds)
	if s.r.device == device { // nobody has removed it
		s.PowerUp()
	}
	return byDevice
}

// Wake lets come what the device waits for when it is armed for wake: a key, a
// packet. It comes after a delay in nanoseconds, or, in Search and Explore, at any
// time from now; the call does not wait for it. A device that is not armed or cannot
// signal wake does not notice.
func (s *System) Wake(delay uint64) { s.r.bus.TriggerWake(s.r.slot, delay) }

// Resources is what Rebalance gives to a device besides other addresses and vectors.
type Resources struct {
	Line     bool // its line, although it has messages
	Messages int  // at most so many messages; 0: as many as it has
}

// Rebalance stops the device, gives it other resources and starts it again: what the
// PnP manager does when it needs room for another device. It returns false if the
// driver refuses (EvtDeviceQueryStop); then nothing has changed.
func (s *System) Rebalance(c Resources) bool {
	r, device := s.r, s.r.device
	if device == 0 {
		return false
	}
	stopped := false
	st := s.s.Rebalance(device, func() (raw, translated []wdf.Resource) {
		stopped = true
		r.bus.Stop(r.slot)
		if err := r.bus.Reassign(r.slot, pci.Change(c)); err != nil {
			s.s.Unsupported("a rebalance: " + err.Error())
		}
		return r.resources(s.s, device)
	})
	if stopped && st.Failed() {
		r.fail(s.s, "the start of the device with other resources", st)
		r.DeviceFailed(s.s, device, false)
	}
	return stopped
}

// SurpriseRemove takes the device out without notice.
func (s *System) SurpriseRemove() {
	device := s.r.device
	if s.r.gone {
		return
	}
	s.r.device, s.r.gone = 0, true
	s.r.bus.Remove(s.r.slot)
	if device != 0 {
		s.s.SurpriseRemove(device)
	}
}

// Sleep lets virtual time pass.
func (s *System) Sleep(nanoseconds uint64) { s.s.KeDelayExecutionThread(kernel.After(nanoseconds)) }
