package pci

import (
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// descriptors returns how many resources the interrupts of the function are: one for
// its line, one for all messages of MSI, one for each of MSI-X.
func (s *Slot) descriptors() int {
	switch s.kind {
	case noInterrupt:
		return 0
	case tableMessages:
		return len(s.vectors)
	}
	return 1
}

// Requirements returns what the function asks for in interrupts. The framework
// filters them, and Resources takes the result.
func (b *Bus) Requirements(s *Slot) (list []wdf.InterruptRequirement) {
	for range s.descriptors() {
		r := wdf.InterruptRequirement{Message: s.kind != lineInterrupt, ShareDisposition: wdf.CmResourceShareShared, Processors: b.affinity(s)}
		if r.Message {
			r.ShareDisposition = wdf.CmResourceShareDeviceExclusive
		}
		list = append(list, r)
	}
	return list
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
	for n := range s.descriptors() {
		r, t := b.interruptResource(s, n, required)
		raw, translated = append(raw, r), append(translated, t)
	}
	if s.wakeLine >= 0 {
		d := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareDeviceExclusive,
			Flags: wdf.CmResourceInterruptLatched | wdf.CmResourceInterruptWakeHint,
			Level: s.options.DIRQL, Vector: uint32(s.wake), Affinity: b.affinity(s)}
		raw, translated = append(raw, d), append(translated, d)
	}
	return raw, translated
}

// interruptResource returns the raw and the translated descriptor of one of the
// function's interrupts.
func (b *Bus) interruptResource(s *Slot, n int, required []wdf.InterruptRequirement) (r, t wdf.Resource) {
	t = wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareShared,
		Level: s.options.DIRQL, Vector: uint32(s.vectors[n]), Affinity: b.affinity(s)}
	if n < len(required) {
		t.ShareDisposition = required[n].ShareDisposition
		if set := required[n].Processors & t.Affinity; required[n].Policy == wdf.IrqPolicySpecifiedProcessors && set != 0 {
			t.Affinity = set
		}
	}
	r = t
	r.Level, r.Vector = uint8(s.number), s.number // the raw line number
	if s.kind != lineInterrupt {
		t.ShareDisposition, t.Flags = wdf.CmResourceShareDeviceExclusive, wdf.CmResourceInterruptLatched|wdf.CmResourceInterruptMessage
		r = t
		r.MessageCount = uint16(len(s.vectors) / s.descriptors())
	}
	return r, t
}
