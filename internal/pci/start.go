package pci

import "github.com/dirql/dirql/device"

// messageAddress is where message-signalled interrupts are written to.
const messageAddress = 0xFEE00000

// Start programs the function as the bus driver does before a device starts or
// returns to D0: base addresses, memory space, bus mastering, messages.
func (b *Bus) Start(s *Slot) {
	f := s.Function
	s.setPower(device.PowerD0)
	for _, r := range s.bars {
		f.WriteConfig(device.ConfigBAR0+4*r.Index, 4, uint32(r.base))
		if r.Kind == device.Memory64 {
			f.WriteConfig(device.ConfigBAR0+4*r.Index+4, 4, uint32(r.base>>32))
		}
	}
	f.WriteConfig(device.ConfigCommand, 2, device.CommandMemory|device.CommandIO|device.CommandBusMaster)
	switch s.kind {
	case messages:
		s.enableMSI()
	case tableMessages:
		s.enableMSIX()
	}
}

// enableMSI programs the MSI capability with the slot's vectors.
func (s *Slot) enableMSI() {
	f := s.Function
	at := f.Capability(device.CapabilityMSI)
	data := device.MSIData32
	f.WriteConfig(at+device.MSIAddress, 4, messageAddress)
	if f.Info().Message64 {
		f.WriteConfig(at+device.MSIAddressHi, 4, 0)
		data = device.MSIData64
	}
	f.WriteConfig(at+data, 2, uint32(s.vectors[0]))
	log := 0
	for 1<<log < len(s.vectors) {
		log++
	}
	f.WriteConfig(at+device.MSIControl, 2, uint32(log<<device.MSIMultipleShift|device.MSIEnable))
}

// enableMSIX programs the table of MSI-X with the slot's vectors. Entries beyond
// them stay masked.
func (s *Slot) enableMSIX() {
	f := s.Function
	x := f.Info().MSIX
	control := f.Capability(device.CapabilityMSIX) + device.MSIXControl
	f.WriteConfig(control, 2, device.MSIXEnable|device.MSIXFunctionMask)
	for n, v := range s.vectors {
		entry := x.Table + uint64(n)*device.MSIXEntrySize
		f.WriteRegister(x.BAR, entry+device.MSIXEntryAddress, 8, messageAddress)
		f.WriteRegister(x.BAR, entry+device.MSIXEntryData, 8, uint64(v)) // and not masked
	}
	f.WriteConfig(control, 2, device.MSIXEnable)
}

// Stop takes the function off the bus, as the bus driver does when its device is
// stopped, which takes it out of D0: its addresses are nobody's, it can send no
// message and do no DMA.
func (b *Bus) Stop(s *Slot) {
	f := s.Function
	f.WriteConfig(device.ConfigCommand, 2, 0)
	if at := f.Capability(device.CapabilityMSI); at != 0 {
		f.WriteConfig(at+device.MSIControl, 2, 0)
	}
	if at := f.Capability(device.CapabilityMSIX); at != 0 {
		f.WriteConfig(at+device.MSIXControl, 2, 0)
	}
	b.PowerOff(s)
}

// PowerOff puts the function into D3hot, as the bus driver does after the
// device's own power-down.
func (b *Bus) PowerOff(s *Slot) { s.setPower(device.PowerD3hot) }

// setPower changes the power state of the function and nothing else in that
// register.
func (s *Slot) setPower(state uint32) {
	if at := s.Function.Capability(device.CapabilityPower); at != 0 {
		control := s.Function.ReadConfig(at+device.PowerControl, 2) &^ (device.PowerStateMask | device.PowerEventStatus)
		s.Function.WriteConfig(at+device.PowerControl, 2, control|state)
	}
}
