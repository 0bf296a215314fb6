package x86

// FXSAVE and FXRSTOR (SDM volume 1, 10.5). x87 is not executed, so its part of the
// area always is that of a processor after FNINIT.

// fxArea is the part of the area that is written: control, x87, XMM registers.
const fxArea = 2 + 8 + 16

const (
	fxControl = 0x037F       // FCW after FNINIT; FSW, FTW (abridged), FOP, FIP, FDP are 0
	fxMask    = 0xFFFF       // bits of MXCSR that exist
	fxMXCSR   = fxMask << 32 // in the upper half of the second 16 bytes, above MXCSR
)

func (c *CPU) doFxsave(_ *block, op *operation) bool {
	ea := c.address(op)
	if ea&15 != 0 {
		return c.raise(GeneralProtection)
	}
	area := [fxArea]XMM{{Lo: fxControl}, {Hi: fxMXCSR | uint64(c.MXCSR)}}
	copy(area[10:], c.X[:])
	for i, v := range area {
		if !c.storeX(ea+16*uint64(i), v) {
			return false
		}
	}
	return true
}

// doFxrstor does not take an area that a program has put x87 state into.
func (c *CPU) doFxrstor(b *block, op *operation) bool {
	ea := c.address(op)
	if ea&15 != 0 {
		return c.raise(GeneralProtection)
	}
	var area [fxArea]XMM
	for i := range area {
		var ok bool
		if area[i], ok = c.loadX(ea + 16*uint64(i)); !ok {
			return false
		}
	}
	mxcsr := uint32(area[1].Hi)
	switch {
	case area[0].Lo&mask(5) != fxControl: // FCW, FSW, FTW
		return c.unsupported(b, op)
	case mxcsr&^fxMask != 0:
		return c.raise(GeneralProtection)
	}
	c.MXCSR = mxcsr
	copy(c.X[:], area[10:])
	return true
}
