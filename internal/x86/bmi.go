package x86

import "math/bits"

// BMI1, BMI2 and CRC32. Sources: the instruction's page in SDM volume 2.

// setBMI sets ZF and SF by the result, CF as given, OF to 0.
func (c *CPU) setBMI(op *operation, r uint64, carry bool) {
	var cf uint64
	if carry {
		cf = 1
	}
	c.setShift(cf, 0, op.size, r)
}

func (c *CPU) doAndn(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.c, 0)
	if ok {
		r := ^c.R[op.b] & y
		c.setReg(op.a, 0, op.size, r)
		c.setBMI(op, r, false)
	}
	return ok
}

func (c *CPU) doBextr(_ *block, op *operation) bool {
	x, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	start, n := c.R[op.c]&0xFF, c.R[op.c]>>8&0xFF
	r := x >> start & (1<<n - 1)
	c.setReg(op.a, 0, op.size, r)
	if r == 0 {
		c.setStatus(flagZ)
	} else {
		c.setStatus(0)
	}
	return true
}

// lowest is BLSR, BLSMSK and BLSI.
func (c *CPU) lowest(op *operation, f func(x uint64) uint64, carryIfZero bool) bool {
	x, ok := c.readRM(op, op.b, 0)
	if ok {
		r := f(x)
		c.setReg(op.a, 0, op.size, r)
		c.setBMI(op, r, (x == 0) == carryIfZero)
	}
	return ok
}

func (c *CPU) doBlsr(_ *block, op *operation) bool {
	return c.lowest(op, func(x uint64) uint64 { return x & (x - 1) }, true)
}

func (c *CPU) doBlsmsk(_ *block, op *operation) bool {
	return c.lowest(op, func(x uint64) uint64 { return x ^ (x - 1) }, true)
}

func (c *CPU) doBlsi(_ *block, op *operation) bool {
	return c.lowest(op, func(x uint64) uint64 { return x & -x }, false)
}

func (c *CPU) doBzhi(_ *block, op *operation) bool {
	x, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	n := c.R[op.c] & 0xFF
	over := n >= 8*uint64(op.size)
	if !over {
		x &= 1<<n - 1
	}
	c.setReg(op.a, 0, op.size, x)
	c.setBMI(op, x, over)
	return true
}

func (c *CPU) doPdep(_ *block, op *operation) bool {
	m, ok := c.readRM(op, op.c, 0)
	if !ok {
		return false
	}
	x, r := c.R[op.b], uint64(0)
	for ; m != 0; m &= m - 1 {
		if x&1 != 0 {
			r |= m & -m
		}
		x >>= 1
	}
	c.setReg(op.a, 0, op.size, r)
	return true
}

func (c *CPU) doPext(_ *block, op *operation) bool {
	m, ok := c.readRM(op, op.c, 0)
	if !ok {
		return false
	}
	x, r := c.R[op.b], uint64(0)
	for bit := uint64(1); m != 0; m &= m - 1 {
		if x&(m&-m) != 0 {
			r |= bit
		}
		bit <<= 1
	}
	c.setReg(op.a, 0, op.size, r)
	return true
}

func (c *CPU) doMulx(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.c, 0)
	if !ok {
		return false
	}
	hi, lo := bits.Mul64(c.R[RDX]&mask(op.size), y)
	if op.size == 4 {
		hi = lo >> 32
	}
	c.setReg(op.b, 0, op.size, lo)
	c.setReg(op.a, 0, op.size, hi) // wins if both are one register
	return true
}

// shiftx is SHLX, SHRX and SARX: no flags.
func (c *CPU) shiftx(op *operation, f func(x, n uint64, size uint8) (r, cf, of uint64)) bool {
	x, ok := c.readRM(op, op.b, 0)
	if ok {
		r, _, _ := f(x, c.maskCount(op, c.R[op.c]), op.size)
		c.setReg(op.a, 0, op.size, r)
	}
	return ok
}

func (c *CPU) doShlx(_ *block, op *operation) bool { return c.shiftx(op, shl) }
func (c *CPU) doShrx(_ *block, op *operation) bool { return c.shiftx(op, shr) }
func (c *CPU) doSarx(_ *block, op *operation) bool { return c.shiftx(op, sar) }

func (c *CPU) doRorx(_ *block, op *operation) bool {
	x, ok := c.readRM(op, op.b, 0)
	if ok {
		r, _, _ := ror(x, c.maskCount(op, op.imm), op.size)
		c.setReg(op.a, 0, op.size, r)
	}
	return ok
}

// castagnoli is the polynomial of CRC32, bits reversed.
const castagnoli = 0x82F63B78

func crc32(crc uint32, v uint64, n uint8) uint64 {
	for range n {
		crc ^= uint32(v & 0xFF)
		v >>= 8
		for range 8 {
			crc = crc>>1 ^ castagnoli&-(crc&1)
		}
	}
	return uint64(crc)
}

// doCrc32 takes a byte.
func (c *CPU) doCrc32(_ *block, op *operation) bool {
	v := c.R[op.b] >> (op.hb & 63)
	if op.mem {
		var ok bool
		if v, ok = c.get(c.address(op), 1); !ok {
			return false
		}
	}
	c.R[op.a] = crc32(uint32(c.R[op.a]), v, 1)
	return true
}

func (c *CPU) doCrc32v(_ *block, op *operation) bool {
	v, ok := c.readRM(op, op.b, 0)
	if ok {
		c.R[op.a] = crc32(uint32(c.R[op.a]), v, op.size)
	}
	return ok
}
