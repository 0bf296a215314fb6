package pci

import "github.com/dirql/dirql/device"

// OnWake sets who is told when a function signals wake (PME#): what the bus driver
// does with it.
func (b *Bus) OnWake(told func(slot uint32)) { b.onWake = told }

// SignalWake implements device.Host.
func (b *Bus) SignalWake(f *device.Function) {
	b.note(f, "signals wake (PME#)")
	if b.onWake != nil {
		b.onWake(b.slot(f).number)
	}
}

// CanWake reports whether the function in a slot can signal wake.
func (b *Bus) CanWake(s *Slot) bool { return s.wakeLine >= 0 || s.Function.Info().Wake }

// EnableWake lets the function signal wake by PME#, or not any more; then what it
// has signalled is forgotten.
func (b *Bus) EnableWake(s *Slot, on bool) {
	f := s.Function
	at := f.Capability(device.CapabilityPower)
	if at == 0 || !f.Info().Wake {
		return
	}
	control := f.ReadConfig(at+device.PowerControl, 2) &^ (device.PowerEventEnable | device.PowerEventStatus)
	if on {
		control |= device.PowerEventEnable
	} else {
		control |= device.PowerEventStatus
	}
	f.WriteConfig(at+device.PowerControl, 2, control)
}

// outside marks events that come from outside the machine: the number of the slot
// with it is nobody's, so that a reset of the function does not cancel them.
const outside = 1 << 31

// TriggerWake lets come what the function waits for when it is asleep: a key, a
// packet. It comes after a delay in nanoseconds, or at any time (Options.Free).
func (b *Bus) TriggerWake(s *Slot, delay uint64) {
	b.m.ScheduleDevice(s.number|outside, 0, delay, s.options.Free)
}

// wakeTriggered is that event: it comes by the wake line, if there is one, else as a
// power management event.
func (b *Bus) wakeTriggered(s *Slot) {
	switch {
	case s.Function.Removed():
	case s.wakeLine >= 0:
		b.m.SetLine(s.wakeLine, int(s.number)&63, true)
		b.m.SetLine(s.wakeLine, int(s.number)&63, false)
	default:
		s.Function.SignalWake()
	}
}
