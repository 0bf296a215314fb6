package device

// CapabilityPower is the id of the power management capability (PCI Bus Power
// Management Interface Specification 1.2, section 3.2). The function supports
// D0 and D3hot, and signals power management events (PME#) if its Info says so.
const CapabilityPower = 0x01

// Offsets of 16-bit registers from the start of the capability, and bits of the
// power management control/status register.
const (
	PowerCapabilities = 2
	PowerControl      = 4

	PowerStateMask   = 3
	PowerD0          = 0
	PowerD3hot       = 3
	PowerNoSoftReset = 1 << 3
	PowerEventEnable = 1 << 8  // PME_En
	PowerEventStatus = 1 << 15 // PME_Status; written 1 to clear

	powerEventStates = 1<<11 | 1<<14 // PME_Support in PowerCapabilities: D0, D3hot
)

// powerCapability is where the capability is: the first of the list.
const powerCapability = 0x40

func (l *layout) power(info *Info) {
	const version12 = 3
	l.reset[powerCapability] = CapabilityPower
	l.reset.put16(powerCapability+PowerCapabilities, version12)
	if info.NoSoftReset {
		l.reset.put16(powerCapability+PowerControl, PowerNoSoftReset)
	}
	control := uint16(PowerStateMask)
	if info.Wake {
		l.reset.put16(powerCapability+PowerCapabilities, version12|powerEventStates)
		l.clear.put16(powerCapability+PowerControl, PowerEventStatus)
		control |= PowerEventEnable
	}
	l.writable.put16(powerCapability+PowerControl, control)
}

// powerState returns PowerD0 or PowerD3hot.
func (f *Function) powerState() byte {
	return f.config[powerCapability+PowerControl] & PowerStateMask
}

// changePower completes a write to configuration space that may have changed
// the power state. A state that the function does not support (D1, D2) leaves
// it where it was. The step from D3hot to D0 resets the function unless its
// Info has NoSoftReset; what is said and known of power management events stays.
func (f *Function) changePower(before byte) {
	switch f.powerState() {
	case before:
	case PowerD0:
		if !f.info.NoSoftReset {
			events := f.powerControl() & (PowerEventEnable | PowerEventStatus)
			f.Reset()
			f.config.put16(powerCapability+PowerControl, f.powerControl()|events)
		}
	case PowerD3hot:
	default:
		control := &f.config[powerCapability+PowerControl]
		*control = *control&^PowerStateMask | before
	}
}

func (f *Function) powerControl() uint16 { return f.config.get16(powerCapability + PowerControl) }

// SignalWake implements [Bus].
func (f *Function) SignalWake() {
	enabled := f.powerControl()&PowerEventEnable != 0
	switch {
	case f.removed:
	case !f.info.Wake:
		f.Note("no power management event: the function cannot signal any")
	case f.powerState() == PowerD0 && !enabled:
		f.Note("no power management event: they are not enabled, and the device is in D0")
	default:
		before := f.wakes()
		f.config.put16(powerCapability+PowerControl, f.powerControl()|PowerEventStatus)
		f.updateWake(before)
	}
}

// wakes tells whether the function asserts PME#.
func (f *Function) wakes() bool {
	const both = PowerEventEnable | PowerEventStatus
	return !f.removed && f.powerControl()&both == both
}

// updateWake tells the host when PME# becomes asserted. It is called after every
// change of what wakes reads.
func (f *Function) updateWake(before bool) {
	if !before && f.wakes() {
		f.host.SignalWake(f)
	}
}
