package bind

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"RtlInitializeBitMap":    (*call).initializeBitMap,
		"RtlTestBit":             func(c *call) uint64 { return boolean(c.bit(uint64(c.word(1)), nil)) },
		"RtlSetBit":              func(c *call) uint64 { return c.setBits(uint64(c.word(1)), 1, true) },
		"RtlClearBit":            func(c *call) uint64 { return c.setBits(uint64(c.word(1)), 1, false) },
		"RtlSetBits":             func(c *call) uint64 { return c.setBits(uint64(c.word(1)), uint64(c.word(2)), true) },
		"RtlClearBits":           func(c *call) uint64 { return c.setBits(uint64(c.word(1)), uint64(c.word(2)), false) },
		"RtlSetAllBits":          func(c *call) uint64 { return c.setBits(0, c.bitCount(), true) },
		"RtlClearAllBits":        func(c *call) uint64 { return c.setBits(0, c.bitCount(), false) },
		"RtlAreBitsSet":          func(c *call) uint64 { return c.areBits(true) },
		"RtlAreBitsClear":        func(c *call) uint64 { return c.areBits(false) },
		"RtlNumberOfSetBits":     func(c *call) uint64 { return c.countBits(true) },
		"RtlNumberOfClearBits":   func(c *call) uint64 { return c.countBits(false) },
		"RtlFindSetBits":         func(c *call) uint64 { return c.findBits(true, false) },
		"RtlFindClearBits":       func(c *call) uint64 { return c.findBits(false, false) },
		"RtlFindSetBitsAndClear": func(c *call) uint64 { return c.findBits(true, true) },
		"RtlFindClearBitsAndSet": func(c *call) uint64 { return c.findBits(false, true) },
		"RtlFindLongestRunClear": (*call).findLongestRunClear,
		"RtlFindFirstRunClear":   (*call).findFirstRunClear,
	})
}

// RTL_BITMAP: number of bits (4 bytes), address of the bits at 8. Each routine
// takes the address of one first.

func (c *call) initializeBitMap() uint64 {
	c.store(c.arg(0), 4, uint64(c.word(2)))
	c.store(c.arg(0)+8, 8, c.arg(1))
	return 0
}

// bitCount is the number of bits; a bitmap of more than that has no memory.
func (c *call) bitCount() uint64 { return min(c.load(c.arg(0), 4), maxScan*8) }

// bit returns bit n of the bitmap that argument 0 points to, and changes it if
// to is given. Beyond the end it does nothing.
func (c *call) bit(n uint64, to *bool) bool {
	if n >= c.load(c.arg(0), 4) {
		return false
	}
	p := c.load(c.arg(0)+8, 8) + n/32*4
	w := c.load(p, 4)
	was := w>>(n%32)&1 != 0
	if to != nil {
		c.store(p, 4, w&^(1<<(n%32))|boolean(*to)<<(n%32))
	}
	return was
}

func (c *call) setBits(first, n uint64, to bool) uint64 {
	c.Step()
	for i := first; i < min(first+n, c.bitCount()); i++ {
		c.bit(i, &to)
	}
	return 0
}

// areBits is (bitmap, first, count); no bits are neither set nor clear.
func (c *call) areBits(set bool) uint64 {
	first, n := uint64(c.word(1)), uint64(c.word(2))
	return boolean(n != 0 && first+n <= c.bitCount() && c.run(first, set, first+n) == n)
}

func (c *call) countBits(set bool) (n uint64) {
	for i := range c.bitCount() {
		n += boolean(c.bit(i, nil) == set)
	}
	return n
}

// run returns how many bits from first on, but before end, are all set or all
// clear.
func (c *call) run(first uint64, set bool, end uint64) (n uint64) {
	for first+n < end && c.bit(first+n, nil) == set {
		n++
	}
	return n
}

// none is the index where there is nothing.
const noBits = 0xFFFFFFFF

// findBits is (bitmap, count, hint): the first run of count set or clear bits from
// the hint on, else from the start; it can be inverted in the same step.
func (c *call) findBits(set, invert bool) uint64 {
	c.Step()
	size, n, hint := c.bitCount(), uint64(c.word(1)), uint64(c.word(2))
	if hint >= size {
		hint = 0
	}
	first := c.findRun(set, n, hint, size)
	if first == noBits && hint > 0 {
		first = c.findRun(set, n, 0, min(hint+n, size)) // a run may reach beyond the hint
	}
	if first != noBits && invert {
		to := !set
		for i := range n {
			c.bit(first+i, &to)
		}
	}
	return first
}

// findRun returns the first run of n bits in [from, end).
func (c *call) findRun(set bool, n, from, end uint64) uint64 {
	for i := from; i+n <= end; {
		k := c.run(i, set, min(i+n, end))
		if k >= n {
			return i
		}
		i += k + 1
	}
	return noBits
}

// findLongestRunClear is (bitmap, address for the index); it returns the length
// of the first of the longest runs.
func (c *call) findLongestRunClear() uint64 {
	c.Step()
	var first, longest uint64
	for i, end := uint64(0), c.bitCount(); i < end; {
		n := c.run(i, false, end)
		if n > longest {
			first, longest = i, n
		}
		i += n + 1
	}
	c.store(c.arg(1), 4, first)
	return longest
}

// findFirstRunClear is (bitmap, address for the index).
func (c *call) findFirstRunClear() uint64 {
	c.Step()
	for i, end := uint64(0), c.bitCount(); i < end; i++ {
		if n := c.run(i, false, end); n > 0 {
			c.store(c.arg(1), 4, i)
			return n
		}
	}
	c.store(c.arg(1), 4, noBits)
	return 0
}
