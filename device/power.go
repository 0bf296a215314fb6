package device

// CapabilityPower is the id of the power management capability (PCI Bus Power
// Management Interface Specification 1.2, section 3.2). The function supports
// D0 and D3hot and no power management events.
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
	l.writable.put16(powerCapability+PowerControl, PowerStateMask)
}

// powerState returns PowerD0 or PowerD3hot.
func (f *Function) powerState() byte {
	return f.config[powerCapability+PowerControl] & PowerStateMask
}

// changePower completes a write to configuration space that may have changed
// the power state. A state that the function does not support (D1, D2) leaves
// it where it was. The step from D3hot to D0 resets the function unless its
// Info has NoSoftReset.
func (f *Function) changePower(before byte) {
	switch f.powerState() {
	case before:
	case PowerD0:
		if !f.info.NoSoftReset {
			f.Reset()
		}
	case PowerD3hot:
	default:
		control := &f.config[powerCapability+PowerControl]
		*control = *control&^PowerStateMask | before
	}
}
