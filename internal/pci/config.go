package pci

// ReadConfig reads bytes of the configuration space of the function in a slot, and
// returns how many are inside it (GetBusData of BUS_INTERFACE_STANDARD).
func (b *Bus) ReadConfig(slot, offset uint32, p []byte) int {
	n := inConfig(offset, len(p))
	for i := range n {
		p[i] = byte(b.slots[slot].Function.ReadConfig(int(offset)+i, 1))
	}
	return n
}

// WriteConfig writes bytes to the configuration space, in the largest pieces that
// are aligned, as the bus driver does.
func (b *Bus) WriteConfig(slot, offset uint32, p []byte) int {
	n := inConfig(offset, len(p))
	f := b.slots[slot].Function
	for i := 0; i < n; {
		at, size := int(offset)+i, 4
		for at%size != 0 || size > n-i {
			size /= 2
		}
		v := uint32(0)
		for k := range size {
			v |= uint32(p[i+k]) << (8 * k)
		}
		f.WriteConfig(at, size, v)
		i += size
	}
	return n
}

// configSize is the size of the configuration space of a PCI function, in bytes.
const configSize = 256

func inConfig(offset uint32, length int) int {
	if offset >= configSize {
		return 0
	}
	return min(length, configSize-int(offset))
}
