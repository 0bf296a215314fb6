package x86

import "math/bits"

// Integer instructions outside the switch. Sources: the instruction's page in
// SDM volume 2, "Operation" and "Flags Affected". Undefined flags get a fixed
// value.

// setShift sets CF and OF (0 or 1) and the others by the result of n bytes.
func (c *CPU) setShift(cf, of uint64, n uint8, r uint64) {
	c.fa, c.fr, c.fk = cf|of<<11, extend(n, r), flagsShift
}

// count is the count of a shift: CL or an immediate, masked.
func (c *CPU) count(op *operation) uint64 {
	n := op.imm
	if op.b == RCX {
		n = c.R[RCX]
	}
	return c.maskCount(op, n)
}

func (c *CPU) maskCount(op *operation, n uint64) uint64 {
	if op.size == 8 {
		return n & 63
	}
	return n & 31
}

// shift is a shift or rotation of r/m by n bits: f returns result, CF and OF.
func (c *CPU) shift(op *operation, f func(x, n uint64, size uint8) (r, cf, of uint64)) (r, cf, of uint64, done bool) {
	x, ok := c.updateRM(op, op.a, op.ha)
	if !ok {
		return 0, 0, 0, false
	}
	r, cf, of = f(x, c.count(op), op.size)
	return r, cf, of, c.finishRM(op, op.a, op.ha, r)
}

func top(r uint64, size uint8) uint64 { return r >> (8*uint64(size) - 1) & 1 }

func shl(x, n uint64, size uint8) (r, cf, of uint64) {
	w := 8 * uint64(size)
	r = x << n
	if n > 0 && n <= w {
		cf = x >> (w - n) & 1
	}
	return r, cf, top(r, size) ^ cf
}

func shr(x, n uint64, size uint8) (r, cf, of uint64) {
	if n > 0 {
		cf = x >> (n - 1) & 1
	}
	return x >> n, cf, top(x, size)
}

func sar(x, n uint64, size uint8) (r, cf, of uint64) {
	s := int64(extend(size, x))
	if n > 0 {
		cf = uint64(s>>(n-1)) & 1
	}
	return uint64(s >> n), cf, 0
}

func (c *CPU) shifted(op *operation, f func(x, n uint64, size uint8) (r, cf, of uint64)) bool {
	n := c.count(op)
	r, cf, of, ok := c.shift(op, f)
	if ok && n != 0 {
		c.setShift(cf, of, op.size, r)
	}
	return ok
}

func (c *CPU) doShl(_ *block, op *operation) bool { return c.shifted(op, shl) }
func (c *CPU) doShr(_ *block, op *operation) bool { return c.shifted(op, shr) }
func (c *CPU) doSar(_ *block, op *operation) bool { return c.shifted(op, sar) }

func rol(x, n uint64, size uint8) (r, cf, of uint64) {
	w := 8 * uint64(size)
	k := n % w
	r = (x<<k | x>>(w-k)) & mask(size)
	return r, r & 1, top(r, size) ^ r&1
}

func ror(x, n uint64, size uint8) (r, cf, of uint64) {
	w := 8 * uint64(size)
	k := n % w
	r = (x>>k | x<<(w-k)) & mask(size)
	return r, top(r, size), top(r, size) ^ top(r<<1, size)
}

func (c *CPU) rotated(op *operation, f func(x, n uint64, size uint8) (r, cf, of uint64)) bool {
	n := c.count(op)
	_, cf, of, ok := c.shift(op, f)
	if ok && n != 0 {
		c.setCO(cf, of)
	}
	return ok
}

func (c *CPU) doRol(_ *block, op *operation) bool { return c.rotated(op, rol) }
func (c *CPU) doRor(_ *block, op *operation) bool { return c.rotated(op, ror) }

// doRcl rotates through the carry flag: a register of one bit more.
func (c *CPU) doRcl(_ *block, op *operation) bool {
	carry := c.carry()
	return c.rotated(op, func(x, n uint64, size uint8) (r, cf, of uint64) {
		r, cf = x, carry
		for range n % (8*uint64(size) + 1) {
			r, cf = r<<1|cf, top(r, size)
		}
		return r, cf, top(r, size) ^ cf
	})
}

func (c *CPU) doRcr(_ *block, op *operation) bool {
	carry := c.carry()
	return c.rotated(op, func(x, n uint64, size uint8) (r, cf, of uint64) {
		r, cf = x, carry
		for range n % (8*uint64(size) + 1) {
			r, cf = r>>1|cf<<(8*uint64(size)-1), r&1
		}
		return r, cf, top(r, size) ^ top(r<<1, size)
	})
}

func (c *CPU) doShld(_ *block, op *operation) bool { return c.double(op, true) }
func (c *CPU) doShrd(_ *block, op *operation) bool { return c.double(op, false) }

// double is SHLD and SHRD: bits move in from a register.
func (c *CPU) double(op *operation, left bool) bool {
	n := op.imm
	if op.c == RCX {
		n = c.R[RCX]
	}
	n = c.maskCount(op, n)
	x, ok := c.updateRM(op, op.a, 0)
	if !ok {
		return false
	}
	w, y := 8*uint64(op.size), c.R[op.b]&mask(op.size)
	r, cf := x, uint64(0)
	switch {
	case n == 0:
	case left:
		r, cf = x<<n|y>>((w-n)&63), x>>((w-n)&63)&1
		if n > w { // undefined
			r, cf = y<<(n-w)|x>>(2*w-n), y>>(2*w-n)&1
		}
	default:
		r, cf = x>>n|y<<((w-n)&63), x>>(n-1)&1
		if n > w {
			r, cf = y>>(n-w)|x<<(2*w-n), y>>(n-w-1)&1
		}
	}
	if !c.finishRM(op, op.a, 0, r) {
		return false
	}
	if n != 0 {
		c.setShift(cf, top(r^x, op.size), op.size, r)
	}
	return true
}

// setProduct sets the flags of a multiplication.
func (c *CPU) setProduct(op *operation, overflow bool, low uint64) {
	var v uint64
	if overflow {
		v = 1
	}
	c.setShift(v, v, op.size, low)
}

func (c *CPU) doMul(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	hi, lo := bits.Mul64(c.R[RAX]&mask(op.size), y)
	if op.size < 8 {
		hi = lo >> (8 * op.size)
	}
	c.setWide(op, hi, lo)
	c.setProduct(op, hi&mask(op.size) != 0, lo)
	return true
}

func (c *CPU) doImul1(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	hi, lo := signedProduct(extend(op.size, c.R[RAX]), extend(op.size, y))
	over := hi != uint64(int64(lo)>>63)
	if op.size < 8 {
		over = extend(op.size, lo) != lo
		hi = lo >> (8 * op.size)
	}
	c.setWide(op, hi, lo)
	c.setProduct(op, over, lo)
	return true
}

// setWide writes a double-width result to AX or to DX:AX, EDX:EAX, RDX:RAX.
func (c *CPU) setWide(op *operation, hi, lo uint64) {
	if op.size == 1 {
		c.setReg(RAX, 0, 2, lo&0xFF|hi<<8)
		return
	}
	c.setReg(RAX, 0, op.size, lo)
	c.setReg(RDX, 0, op.size, hi)
}

// doImul2 and doImul3 are the 16-bit forms.
func (c *CPU) doImul2(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.b, 0)
	if ok {
		c.imul16(op, c.R[op.a], y)
	}
	return ok
}

func (c *CPU) doImul3(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.b, 0)
	if ok {
		c.imul16(op, op.imm, y)
	}
	return ok
}

func (c *CPU) imul16(op *operation, x, y uint64) {
	r := extend(2, x) * extend(2, y)
	c.setReg(op.a, 0, 2, r)
	c.setProduct(op, extend(2, r) != r, r)
}

// dividend returns the double-width operand of a division.
func (c *CPU) dividend(op *operation) (hi, lo uint64) {
	if op.size == 1 {
		return c.R[RAX] >> 8 & 0xFF, c.R[RAX] & 0xFF
	}
	return c.R[RDX] & mask(op.size), c.R[RAX] & mask(op.size)
}

func (c *CPU) doDiv(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	hi, lo := c.dividend(op)
	if y <= hi { // also if y is 0
		return c.raise(DivideError)
	}
	if op.size < 8 {
		x := hi<<(8*op.size) | lo
		c.setWide(op, x%y, x/y)
		return true
	}
	q, r := bits.Div64(hi, lo, y)
	c.setWide(op, r, q)
	return true
}

func (c *CPU) doIdiv(_ *block, op *operation) bool {
	y, ok := c.readRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	hi, lo := c.dividend(op)
	if op.size < 8 { // sign-extend the dividend to 128 bits
		w := 8 * op.size
		lo |= hi << w
		if op.size < 4 {
			lo = extend(2*op.size, lo)
		}
		hi, y = uint64(int64(lo)>>63), extend(op.size, y)
	}
	q, r, ok := signedQuotient(hi, lo, y)
	if !ok || extend(op.size, q) != q {
		return c.raise(DivideError)
	}
	c.setWide(op, r, q)
	return true
}

// signedQuotient divides hi:lo by y, rounding to zero; false if the quotient
// does not fit into 64 bits.
func signedQuotient(hi, lo, y uint64) (q, r uint64, ok bool) {
	negX, negY := int64(hi) < 0, int64(y) < 0
	if negX {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if negY {
		y = -y
	}
	if y <= hi {
		return 0, 0, false
	}
	q, r = bits.Div64(hi, lo, y)
	if negX {
		r = -r
	}
	if negX != negY {
		return -q, r, q <= 1<<63
	}
	return q, r, q < 1<<63
}

// bitOp is BT, BTS, BTR and BTC. A bit number in a register reaches beyond an
// operand in memory.
func (c *CPU) bitOp(op *operation, number uint64, f func(x, bit uint64) uint64) bool {
	w := 8 * uint64(op.size)
	o := *op
	if op.mem {
		o.disp += uint64(int64(extend(op.size, number))>>bits.TrailingZeros64(w)) * uint64(op.size)
	}
	bit := uint64(1) << (number & (w - 1))
	var x uint64
	var ok bool
	if f == nil {
		x, ok = c.readRM(&o, op.a, 0)
	} else if x, ok = c.updateRM(&o, op.a, 0); ok {
		ok = c.finishRM(&o, op.a, 0, f(x, bit))
	}
	if ok {
		c.setCO(x>>(number&(w-1))&1, c.overflow())
	}
	return ok
}

func setBit(x, bit uint64) uint64    { return x | bit }
func resetBit(x, bit uint64) uint64  { return x &^ bit }
func invertBit(x, bit uint64) uint64 { return x ^ bit }

func (c *CPU) doBt(_ *block, op *operation) bool  { return c.bitOp(op, c.R[op.b], nil) }
func (c *CPU) doBts(_ *block, op *operation) bool { return c.bitOp(op, c.R[op.b], setBit) }
func (c *CPU) doBtr(_ *block, op *operation) bool { return c.bitOp(op, c.R[op.b], resetBit) }
func (c *CPU) doBtc(_ *block, op *operation) bool { return c.bitOp(op, c.R[op.b], invertBit) }

// The immediate forms stay inside the operand.
func (c *CPU) doBti(_ *block, op *operation) bool { return c.bitOp(op, c.bitNumber(op), nil) }
func (c *CPU) doBtsi(_ *block, op *operation) bool {
	return c.bitOp(op, c.bitNumber(op), setBit)
}
func (c *CPU) doBtri(_ *block, op *operation) bool {
	return c.bitOp(op, c.bitNumber(op), resetBit)
}
func (c *CPU) doBtci(_ *block, op *operation) bool {
	return c.bitOp(op, c.bitNumber(op), invertBit)
}

func (c *CPU) bitNumber(op *operation) uint64 { return op.imm & (8*uint64(op.size) - 1) }

// doBsf leaves the destination as it is if there is no bit (AMD APM volume 3;
// undefined in the SDM).
func (c *CPU) doBsf(_ *block, op *operation) bool {
	return c.scan(op, func(x uint64) uint64 { return uint64(bits.TrailingZeros64(x)) })
}

func (c *CPU) doBsr(_ *block, op *operation) bool {
	return c.scan(op, func(x uint64) uint64 { return uint64(63 - bits.LeadingZeros64(x)) })
}

func (c *CPU) scan(op *operation, f func(uint64) uint64) bool {
	x, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	if x != 0 {
		c.setReg(op.a, 0, op.size, f(x))
		c.setStatus(0)
	} else {
		c.setStatus(flagZ)
	}
	return true
}

func (c *CPU) doTzcnt(_ *block, op *operation) bool {
	return c.countBits(op, func(x uint64) int { return bits.TrailingZeros64(x | ^mask(op.size)) })
}

func (c *CPU) doLzcnt(_ *block, op *operation) bool {
	return c.countBits(op, func(x uint64) int { return bits.LeadingZeros64(x) - 64 + 8*int(op.size) })
}

func (c *CPU) countBits(op *operation, f func(uint64) int) bool {
	x, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	n := uint64(f(x))
	if x == 0 {
		n = 8 * uint64(op.size)
	}
	c.setReg(op.a, 0, op.size, n)
	var v uint64
	if x == 0 {
		v |= flagC
	}
	if n == 0 {
		v |= flagZ
	}
	c.setStatus(v)
	return true
}

func (c *CPU) doPopcnt(_ *block, op *operation) bool {
	x, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	c.setReg(op.a, 0, op.size, uint64(bits.OnesCount64(x)))
	if x == 0 {
		c.setStatus(flagZ)
	} else {
		c.setStatus(0)
	}
	return true
}

func (c *CPU) doBswap(_ *block, op *operation) bool {
	c.setReg(op.a, 0, op.size, swap(c.R[op.a], op.size))
	return true
}

func swap(x uint64, size uint8) uint64 { return bits.ReverseBytes64(x) >> (64 - 8*uint64(size)) }

func (c *CPU) doMovbeload(_ *block, op *operation) bool {
	x, ok := c.readRM(op, op.b, 0)
	if ok {
		c.setReg(op.a, 0, op.size, swap(x, op.size))
	}
	return ok
}

func (c *CPU) doMovbestore(_ *block, op *operation) bool {
	return c.writeRM(op, op.a, 0, swap(c.R[op.b], op.size))
}

// doXchg is the form with memory, which is always locked, and that of bytes.
func (c *CPU) doXchg(_ *block, op *operation) bool {
	x, ok := c.updateRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	y := c.R[op.b] >> (op.hb & 63)
	if !c.finishRM(op, op.a, op.ha, y) {
		return false
	}
	c.setReg(op.b, op.hb, op.size, x)
	return true
}

func (c *CPU) doXadd(_ *block, op *operation) bool {
	x, ok := c.updateRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	x = extend(op.size, x)
	y := extend(op.size, c.R[op.b]>>(op.hb&63))
	r := extend(op.size, x+y)
	if op.mem && !c.finishRM(op, op.a, op.ha, r) {
		return false
	}
	c.setReg(op.b, op.hb, op.size, x)
	if !op.mem {
		c.setReg(op.a, op.ha, op.size, r) // last, in case both are one register
	}
	c.fa, c.fb, c.fr, c.fk = x, y, r, flagsAdd
	return true
}

// doCmpxchg always writes the destination.
func (c *CPU) doCmpxchg(_ *block, op *operation) bool {
	y, ok := c.updateRM(op, op.a, op.ha)
	if !ok {
		return false
	}
	x := extend(op.size, c.R[RAX])
	y = extend(op.size, y)
	if x == y {
		if !c.finishRM(op, op.a, op.ha, c.R[op.b]>>(op.hb&63)) {
			return false
		}
	} else {
		if op.mem && !c.finishRM(op, op.a, op.ha, y) {
			return false
		}
		c.setReg(RAX, 0, op.size, y)
	}
	c.fa, c.fb, c.fr, c.fk = x, y, extend(op.size, x-y), flagsSub
	return true
}

func (c *CPU) doCmpxchg8b(_ *block, op *operation) bool {
	return c.exchangePair(op, XMM{Lo: c.R[RAX]&mask(4) | c.R[RDX]<<32}, XMM{Lo: c.R[RBX]&mask(4) | c.R[RCX]<<32})
}

func (c *CPU) doCmpxchg16b(_ *block, op *operation) bool {
	if c.address(op)&15 != 0 {
		return c.raise(GeneralProtection)
	}
	return c.exchangePair(op, XMM{c.R[RAX], c.R[RDX]}, XMM{c.R[RBX], c.R[RCX]})
}

func (c *CPU) exchangePair(op *operation, expected, replacement XMM) bool {
	ea := c.address(op)
	old, ok := c.rmwLoad(op, ea, op.size)
	if !ok {
		return false
	}
	equal := old == expected
	if !equal {
		replacement = old
	}
	if !c.rmwStore(op, ea, op.size, replacement) {
		return false
	}
	v := c.status() &^ flagZ
	if equal {
		v |= flagZ
	} else if op.size == 8 {
		c.R[RAX], c.R[RDX] = old.Lo&mask(4), old.Lo>>32
	} else {
		c.R[RAX], c.R[RDX] = old.Lo, old.Hi
	}
	c.setStatus(v)
	return true
}

func (c *CPU) doAdcx(_ *block, op *operation) bool {
	return c.addWith(op, flagC)
}

func (c *CPU) doAdox(_ *block, op *operation) bool {
	return c.addWith(op, flagO)
}

// addWith adds with one flag as carry in and out.
func (c *CPU) addWith(op *operation, flag uint64) bool {
	y, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	v := c.status()
	var in uint64
	if v&flag != 0 {
		in = 1
	}
	x := c.R[op.a] & mask(op.size)
	r, carry := bits.Add64(x, y, in)
	if op.size == 4 {
		carry = r >> 32
	}
	c.setReg(op.a, 0, op.size, r)
	v &^= flag
	if carry != 0 {
		v |= flag
	}
	c.setStatus(v)
	return true
}
