package pci

import (
	"fmt"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// messageAddress is where message-signalled interrupts are written to.
const messageAddress = kernel.MessageAddress

// assign gives the function its addresses and interrupts, once: rebalancing
// does not change them.
func (b *Bus) assign(s *Slot) error {
	for _, r := range s.Function.Info().BARs {
		next := &b.nextMMIO
		if r.Kind == device.IO {
			next = &b.nextPort
		}
		base := (*next + r.Size - 1) &^ (r.Size - 1)
		if end := base + r.Size; r.Kind != device.IO && end > messageAddress || r.Kind == device.IO && end > 1<<16 {
			return fmt.Errorf("device %s: no room for BAR %d of 0x%X bytes", s.Function.Info().Name, r.Index, r.Size)
		}
		*next = base + r.Size
		s.bars = append(s.bars, bar{r, base})
	}
	return b.assignInterrupts(s)
}

// assignInterrupts gives the function vectors of its level: a block for
// messages, or one for its line, which functions on the same pin and level
// share.
func (b *Bus) assignInterrupts(s *Slot) error {
	info := s.Function.Info()
	messages := s.options.Messages && info.Messages > 0
	if !messages && info.InterruptPin == 0 {
		return nil
	}
	s.count = 1
	if messages {
		s.count = info.Messages
	}
	vector, ok := b.freeVectors(s.options.DIRQL, s.count)
	if !ok {
		return fmt.Errorf("device %s: no %d free vectors at DIRQL %d", info.Name, s.count, s.options.DIRQL)
	}
	s.vector = vector
	if !messages {
		s.line = b.m.AddLine(info.Name+" INTA", vector, false)
	}
	return nil
}

// freeVectors finds a block of vectors of a level; a vector's class is its
// DIRQL (IRQL-3). Blocks are aligned to their size, as MSI needs.
func (b *Bus) freeVectors(dirql uint8, count int) (uint8, bool) {
	for v := 0; v+count <= 16; v += count {
		first := int(dirql)<<4 + v
		free := true
		for _, s := range b.slots {
			if s.count > 0 && first < int(s.vector)+s.count && int(s.vector) < first+count && s.vector != 0 {
				free = false
			}
		}
		if free {
			return uint8(first), true
		}
	}
	return 0, false
}

// Start programs the function as the bus driver does before a device starts or
// returns to D0: base addresses, memory space, bus mastering, messages.
func (b *Bus) Start(s *Slot) {
	f := s.Function
	if pm := f.Capability(device.CapabilityPower); pm != 0 {
		f.WriteConfig(pm+device.PowerControl, 2, device.PowerD0)
	}
	for _, r := range s.bars {
		f.WriteConfig(device.ConfigBAR0+4*r.Index, 4, uint32(r.base))
		if r.Kind == device.Memory64 {
			f.WriteConfig(device.ConfigBAR0+4*r.Index+4, 4, uint32(r.base>>32))
		}
	}
	f.WriteConfig(device.ConfigCommand, 2, device.CommandMemory|device.CommandIO|device.CommandBusMaster)
	if s.count > 0 && s.line < 0 {
		b.enableMessages(s)
	}
}

// enableMessages programs the MSI capability with the slot's vectors.
func (b *Bus) enableMessages(s *Slot) {
	f, info := s.Function, s.Function.Info()
	at := f.Capability(device.CapabilityMSI)
	data := device.MSIData32
	f.WriteConfig(at+device.MSIAddress, 4, messageAddress)
	if info.Message64 {
		f.WriteConfig(at+device.MSIAddressHi, 4, 0)
		data = device.MSIData64
	}
	f.WriteConfig(at+data, 2, uint32(s.vector))
	log := 0
	for 1<<log < s.count {
		log++
	}
	f.WriteConfig(at+device.MSIControl, 2, uint32(log<<device.MSIMultipleShift|device.MSIEnable))
}

// PowerOff puts the function into D3hot, as the bus driver does after the
// device's own power-down.
func (b *Bus) PowerOff(s *Slot) {
	if pm := s.Function.Capability(device.CapabilityPower); pm != 0 {
		s.Function.WriteConfig(pm+device.PowerControl, 2, device.PowerD3hot)
	}
}

// Requirements returns what the function asks for in interrupts. The framework
// filters them, and Resources takes the result.
func (b *Bus) Requirements(s *Slot) []wdf.InterruptRequirement {
	if s.count == 0 {
		return nil
	}
	r := wdf.InterruptRequirement{Message: s.line < 0, ShareDisposition: wdf.CmResourceShareShared, Processors: b.affinity(s)}
	if r.Message {
		r.ShareDisposition = wdf.CmResourceShareDeviceExclusive
	}
	return []wdf.InterruptRequirement{r}
}

// affinity returns the processors to which the interrupts of the function can go.
func (b *Bus) affinity(s *Slot) uint64 {
	all := uint64(1)<<b.m.Processors() - 1
	if s.options.Affinity != 0 {
		return s.options.Affinity
	}
	return all
}

// Resources returns the raw and translated resource lists that the PnP manager
// gives to the driver. Of the policies that are required, specified processors are
// honoured as far as the function's interrupts can go to them; the others leave the
// choice to the PnP manager.
func (b *Bus) Resources(s *Slot, required []wdf.InterruptRequirement) (raw, translated []wdf.Resource) {
	for _, r := range s.bars {
		typ := uint8(wdf.CmResourceTypeMemory)
		if r.Kind == device.IO {
			typ = wdf.CmResourceTypePort
		}
		d := wdf.Resource{Type: typ, ShareDisposition: wdf.CmResourceShareDeviceExclusive, Start: r.base, Length: r.Size}
		raw, translated = append(raw, d), append(translated, d)
	}
	if s.count == 0 {
		return raw, translated
	}
	t := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareShared,
		Level: s.options.DIRQL, Vector: uint32(s.vector), Affinity: b.affinity(s)}
	if len(required) > 0 {
		t.ShareDisposition = required[0].ShareDisposition
		if set := required[0].Processors & t.Affinity; required[0].Policy == wdf.IrqPolicySpecifiedProcessors && set != 0 {
			t.Affinity = set
		}
	}
	r := t
	r.Level, r.Vector = uint8(s.number), s.number // the raw line number
	if s.line < 0 {
		flags := uint16(wdf.CmResourceInterruptLatched | wdf.CmResourceInterruptMessage)
		t.ShareDisposition, t.Flags = wdf.CmResourceShareDeviceExclusive, flags
		r = t
		r.MessageCount = uint16(s.count)
	}
	return append(raw, r), append(translated, t)
}
