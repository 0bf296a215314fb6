package device

import (
	"fmt"
	"math/bits"
)

// validate returns what makes the description impossible on a PCI bus, or nil.
func (i *Info) validate() error {
	switch {
	case i.Name == "":
		return fmt.Errorf("device: Info.Name is empty")
	case i.VendorID == 0xffff:
		return i.errorf("vendor id 0xffff means that no function is there")
	case i.Class > 0xffffff:
		return i.errorf("class %#x has more than 24 bits", i.Class)
	case i.InterruptPin > 1:
		return i.errorf("interrupt pin %d is neither 0 (none) nor 1 (INTA)", i.InterruptPin)
	case i.Messages < 0 || i.Messages > 32 || i.Messages&(i.Messages-1) != 0:
		return i.errorf("%d MSI messages are not 0 or a power of two up to 32", i.Messages)
	}
	var taken [numBARs]bool
	for _, b := range i.BARs {
		if err := b.validate(); err != nil {
			return i.errorf("BAR %d: %w", b.Index, err)
		}
		for n := b.Index; n < b.Index+b.registers(); n++ {
			if taken[n] {
				return i.errorf("base address register %d is used twice", n)
			}
			taken[n] = true
		}
	}
	if err := i.MSIX.validate(i.BARs); err != nil {
		return i.errorf("%w", err)
	}
	return nil
}

func (i *Info) errorf(format string, args ...any) error {
	return fmt.Errorf("device: model %q: %w", i.Name, fmt.Errorf(format, args...))
}

func (b BAR) validate() error {
	least, most := uint64(16), uint64(1)<<31
	switch b.Kind {
	case Memory32:
	case Memory64:
		most = 1 << 63
	case IO:
		least, most = 4, 256
	default:
		return fmt.Errorf("unknown kind %d", uint8(b.Kind))
	}
	switch {
	case b.Index < 0 || b.Index > numBARs-b.registers():
		return fmt.Errorf("index is outside 0 to %d", numBARs-b.registers())
	case bits.OnesCount64(b.Size) != 1 || b.Size < least || b.Size > most:
		return fmt.Errorf("size %#x of kind %v is not a power of two from %#x to %#x", b.Size, b.Kind, least, most)
	case b.Kind == IO && b.Prefetchable:
		return fmt.Errorf("I/O space cannot be prefetchable")
	}
	return nil
}

// registers returns how many base address registers the BAR takes.
func (b BAR) registers() int {
	if b.Kind == Memory64 {
		return 2
	}
	return 1
}
