package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// A wake interrupt is a passive-level interrupt that brings its device back to D0
// (KMDF 1.13 and later). Its service routine goes by where the device is:
//
//   - In D0 it calls EvtInterruptIsr (WAKE-3).
//   - In Dx, armed, it asks the power policy for D0 and waits; the thread that
//     brings the device up calls EvtInterruptIsr after EvtDeviceD0Entry and before
//     interrupts are connected (WAKE-2). If the power-up fails it claims nothing
//     (WAKE-5).
//   - In Dx and not armed it calls EvtInterruptIsr (WAKE-4).
//
// Leaving D0 waits for an EvtInterruptIsr that is running.

// wakeState is where the machine of a wake interrupt stands.
type wakeState uint8

const (
	wakeD0       wakeState = iota
	wakeDx                 // armed
	wakeNotArmed           // Dx, and the device cannot wake itself
	wakeWaking             // a service routine waits for D0
	wakeFailed             // the power-up has failed
)

// wakeTimeout is DbgWaitForWakeInterruptIsrTimeoutInSec, in nanoseconds: a wait for
// D0 that takes longer is a verifier break; it goes on (WAKE-6).
const wakeTimeout = 60 * 1_000_000_000

// ArmForWake says whether the device can wake itself once it has left D0: a
// wait-wake request is outstanding. The power policy decides that before a
// power-down; coming back to D0 disarms.
func (s *Sys) ArmForWake(h WDFDEVICE, armed bool) {
	s.device(s.lookup(h, TypeDevice)).armed = armed
}

// wakeISR is the service routine of a wake interrupt.
func (s *Sys) wakeISR(n int32) uint64 {
	s.Step()
	in := &s.f.interrupts[n]
	switch in.wake {
	case wakeFailed:
		return 0
	case wakeDx:
		return s.wakeAndWait(n)
	}
	row := *in
	in.wakeRunning = true
	s.SetPosition(1)
	r := s.callISR(&row)
	s.f.interrupts[n].wakeRunning = false
	return r
}

// wakeAndWait asks for D0 and waits until the power-up has called EvtInterruptIsr,
// or has failed.
func (s *Sys) wakeAndWait(n int32) uint64 {
	f := s.f
	in := &f.interrupts[n]
	in.wake, in.wakeClaimed = wakeWaking, false
	name := f.m.NameOf(uint64(in.object.handle()))
	s.note(trace.Framework, name, "asks for D0")
	f.wakeDevice(in.device)
	s.SetPosition(2)
	if s.WaitFor(in.wakeEvent, kernel.After(wakeTimeout)) == StatusTimeout {
		s.verifierBreak("wake interrupt stuck", "WAKE-6", "the service routine of %s has waited for D0 for 60 seconds, and goes on waiting", name)
		s.SetPosition(3)
		s.WaitFor(in.wakeEvent, kernel.Forever)
	}
	return boolValue(f.interrupts[n].wakeClaimed)
}

// wakeInterrupts calls do for the wake interrupts of a device.
func (s *Sys) wakeInterrupts(dev id, do func(n int32)) {
	for n := range s.f.interrupts {
		if in := &s.f.interrupts[n]; in.device == dev && in.canWake && s.f.objects[in.object].state == live {
			do(int32(n))
		}
	}
}

// wakeLeavingD0 tells the wake interrupts that the device is about to leave D0: an
// EvtInterruptIsr that runs has returned, and of those that stay connected the DPC
// and the work item have run (WAKE-1).
func (s *Sys) wakeLeavingD0(dev id) {
	armed := s.device(dev).armed
	s.wakeInterrupts(dev, func(n int32) {
		s.WaitUntil("the ISR of a wake interrupt to return", func() bool { return !s.f.interrupts[n].wakeRunning })
		s.Step()
		if !armed {
			s.f.interrupts[n].wake = wakeNotArmed
			return
		}
		s.f.interrupts[n].wake = wakeDx
		s.FlushDPCs()
		s.flushInterruptWork(n)
	})
}

// wakeEnteringD0 tells the wake interrupts that the device is in D0 again: for one
// whose service routine waits, EvtInterruptIsr is called here (WAKE-2).
func (s *Sys) wakeEnteringD0(dev id) {
	s.wakeInterrupts(dev, func(n int32) {
		s.Step()
		if in := s.f.interrupts[n]; in.wake == wakeWaking {
			claimed := s.callISR(&in) != 0
			s.f.interrupts[n].wakeClaimed = claimed
			s.SetEvent(in.wakeEvent)
		}
		s.f.interrupts[n].wake = wakeD0
	})
	s.device(dev).armed = false
}

// wakeD0EntryFailed lets waiting service routines go (WAKE-5).
func (s *Sys) wakeD0EntryFailed(dev id) {
	s.wakeInterrupts(dev, func(n int32) {
		s.Step()
		in := &s.f.interrupts[n]
		waiting, event := in.wake == wakeWaking, in.wakeEvent
		if in.wake != wakeD0 {
			in.wake = wakeFailed
		}
		if waiting {
			s.SetEvent(event)
		}
	})
}
