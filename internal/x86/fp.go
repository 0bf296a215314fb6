package x86

// SSE floating-point instructions; the arithmetic is in softfloat.go. Sources:
// the instruction's page in SDM volume 2.

// fpu returns what does the arithmetic of an instruction. It is part of CPU, so
// that nothing is allocated.
func (c *CPU) fpu(op *operation, wide bool) *fpu {
	c.fp = fpu{format: single, mxcsr: c.MXCSR, imm: op.imm}
	if wide {
		c.fp.format = double
	}
	return &c.fp
}

// settle sets the exception flags; it stops if one of them is not masked. An
// unmasked exception of the operands hides those of the result (SDM volume 1,
// 4.9.2).
func (c *CPU) settle(p *fpu) bool {
	const operands = fpInvalid | fpDenormal | fpZero
	unmasked := p.flags &^ (c.MXCSR >> 7)
	if unmasked&operands != 0 {
		p.flags &= operands
	}
	c.MXCSR |= p.flags & fpFlags
	if unmasked != 0 {
		return c.raise(FloatingPoint)
	}
	return true
}

// fpOp is an operation on two numbers.
type fpOp func(p *fpu, x, y uint64) uint64

var (
	fpAdd  fpOp = (*fpu).add
	fpSub  fpOp = (*fpu).sub
	fpMul  fpOp = (*fpu).mul
	fpDiv  fpOp = (*fpu).div
	fpSqrt fpOp = (*fpu).sqrt
	fpMin  fpOp = (*fpu).min
	fpMax  fpOp = (*fpu).max
)

// lanes applies f to each pair of elements, or, if not packed, to the lowest;
// the rest is that of x.
func (p *fpu) lanes(x, y XMM, packed bool, f fpOp) XMM {
	r := x
	n := 1
	switch {
	case p.format == double:
		r.Lo = f(p, x.Lo, y.Lo)
		if packed {
			p.lane = 1
			r.Hi = f(p, x.Hi, y.Hi)
		}
		return r
	case packed:
		n = 4
	}
	for i := range n {
		p.lane = i
		r = r.set(i, 4, f(p, uint64(x.u32(i)), uint64(y.u32(i))))
	}
	return r
}

// arithmetic is an instruction that applies f to its operands.
func (c *CPU) arithmetic(op *operation, f fpOp, wide, packed bool) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, wide)
	r := p.lanes(c.X[op.a&15], y, packed, f)
	return c.result(op, p, r)
}

// result writes the result unless an exception stops it.
func (c *CPU) result(op *operation, p *fpu, r XMM) bool {
	if !c.settle(p) {
		return false
	}
	c.X[op.a&15] = r
	return true
}

// predicate is CMPxx; LT, LE and their opposites signal quiet NaNs, too.
func (p *fpu) predicate(x, y uint64) uint64 {
	x, y = p.input(x), p.input(y)
	kind := p.imm & 3
	unordered := p.isNaN(x) || p.isNaN(y)
	switch {
	case !unordered:
		p.noteDenormal(x, y)
	case p.isSignaling(x) || p.isSignaling(y) || kind == 1 || kind == 2:
		p.flags |= fpInvalid
	}
	var r bool
	switch kind {
	case 0:
		r = !unordered && p.equal(x, y)
	case 1:
		r = !unordered && p.less(x, y)
	case 2:
		r = !unordered && !p.less(y, x)
	case 3:
		r = unordered
	}
	return all(r != (p.imm&4 != 0))
}

func (c *CPU) doCmpps(_ *block, op *operation) bool {
	return c.arithmetic(op, (*fpu).predicate, false, true)
}
func (c *CPU) doCmppd(_ *block, op *operation) bool {
	return c.arithmetic(op, (*fpu).predicate, true, true)
}
func (c *CPU) doCmpss(_ *block, op *operation) bool {
	return c.arithmetic(op, (*fpu).predicate, false, false)
}
func (c *CPU) doCmpsd(_ *block, op *operation) bool {
	return c.arithmetic(op, (*fpu).predicate, true, false)
}

func (c *CPU) doUcomiss(_ *block, op *operation) bool { return c.compareFP(op, false, false) }
func (c *CPU) doUcomisd(_ *block, op *operation) bool { return c.compareFP(op, true, false) }
func (c *CPU) doComiss(_ *block, op *operation) bool  { return c.compareFP(op, false, true) }
func (c *CPU) doComisd(_ *block, op *operation) bool  { return c.compareFP(op, true, true) }

// compareFP sets ZF, PF and CF; signals: quiet NaNs are invalid, too.
func (c *CPU) compareFP(op *operation, wide, signals bool) bool {
	src, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, wide)
	x, y := c.X[op.a&15].Lo, src.Lo
	if !wide {
		x, y = x&mask(4), y&mask(4)
	}
	x, y = p.input(x), p.input(y)
	var v uint64
	switch {
	case p.isNaN(x) || p.isNaN(y):
		if signals || p.isSignaling(x) || p.isSignaling(y) {
			p.flags |= fpInvalid
		}
		v = flagZ | flagP | flagC
	case p.less(x, y):
		v = flagC
	case p.equal(x, y):
		v = flagZ
	}
	if v != flagZ|flagP|flagC {
		p.noteDenormal(x, y)
	}
	if !c.settle(p) {
		return false
	}
	c.setStatus(v)
	return true
}

func (c *CPU) doCvtsi2ss(_ *block, op *operation) bool { return c.fromGeneral(op, false) }
func (c *CPU) doCvtsi2sd(_ *block, op *operation) bool { return c.fromGeneral(op, true) }

func (c *CPU) fromGeneral(op *operation, wide bool) bool {
	v, ok := c.readRM(op, op.b, 0)
	if !ok {
		return false
	}
	p := c.fpu(op, wide)
	r := p.fromInteger(int64(extend(op.size, v)))
	n := 4
	if wide {
		n = 8
	}
	return c.result(op, p, c.X[op.a&15].set(0, n, r))
}

func (c *CPU) doCvtss2si(_ *block, op *operation) bool  { return c.toGeneral(op, false, false) }
func (c *CPU) doCvtsd2si(_ *block, op *operation) bool  { return c.toGeneral(op, true, false) }
func (c *CPU) doCvttss2si(_ *block, op *operation) bool { return c.toGeneral(op, false, true) }
func (c *CPU) doCvttsd2si(_ *block, op *operation) bool { return c.toGeneral(op, true, true) }

// toGeneral converts to a register of op.size bytes.
func (c *CPU) toGeneral(op *operation, wide, truncate bool) bool {
	n := uint8(4)
	if wide {
		n = 8
	}
	v := c.X[op.b&15].Lo & mask(n)
	if op.mem {
		var ok bool
		if v, ok = c.get(c.address(op), n); !ok {
			return false
		}
	}
	p := c.fpu(op, wide)
	mode := p.rounding()
	if truncate {
		mode = toZero
	}
	r := p.toInteger(v, 8*uint(op.size), mode)
	if !c.settle(p) {
		return false
	}
	c.setReg(op.a, 0, op.size, r)
	return true
}

// eachInteger converts elements between integers and single.
func (c *CPU) eachInteger(op *operation, f fpOp) bool { return c.arithmetic(op, f, false, true) }

func (c *CPU) doCvtdq2ps(_ *block, op *operation) bool {
	return c.eachInteger(op, func(p *fpu, _, y uint64) uint64 { return p.fromInteger(int64(int32(y))) })
}

func (c *CPU) doCvtps2dq(_ *block, op *operation) bool {
	return c.eachInteger(op, func(p *fpu, _, y uint64) uint64 { return p.toInteger(y, 32, p.rounding()) })
}

func (c *CPU) doCvttps2dq(_ *block, op *operation) bool {
	return c.eachInteger(op, func(p *fpu, _, y uint64) uint64 { return p.toInteger(y, 32, toZero) })
}

func (c *CPU) doCvtpd2dq(_ *block, op *operation) bool {
	return c.narrow(op, func(p *fpu, y uint64) uint64 { return p.toInteger(y, 32, p.rounding()) })
}

func (c *CPU) doCvttpd2dq(_ *block, op *operation) bool {
	return c.narrow(op, func(p *fpu, y uint64) uint64 { return p.toInteger(y, 32, toZero) })
}

func (c *CPU) doCvtpd2ps(_ *block, op *operation) bool {
	return c.narrow(op, func(p *fpu, y uint64) uint64 { return p.convert(y, single) })
}

// narrow converts two doubles to the low half of the destination.
func (c *CPU) narrow(op *operation, f func(p *fpu, y uint64) uint64) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, true)
	return c.result(op, p, XMM{Lo: f(p, y.Lo) | f(p, y.Hi)<<32})
}

// cvtdq2pd is exact.
func cvtdq2pd(_, y XMM) XMM {
	p := fpu{format: double, mxcsr: mxcsrDefault}
	return XMM{p.fromInteger(int64(int32(y.Lo))), p.fromInteger(int64(y.Lo) >> 32)}
}

func (c *CPU) doCvtps2pd(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, false)
	return c.result(op, p, XMM{p.convert(y.Lo&mask(4), double), p.convert(y.Lo>>32, double)})
}

func (c *CPU) doCvtss2sd(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, false)
	return c.result(op, p, c.X[op.a&15].set(0, 8, p.convert(y.Lo&mask(4), double)))
}

func (c *CPU) doCvtsd2ss(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	p := c.fpu(op, true)
	return c.result(op, p, c.X[op.a&15].set(0, 4, p.convert(y.Lo, single)))
}

// alternate subtracts in even elements and adds in odd ones.
func (c *CPU) alternate(op *operation, wide bool) bool {
	return c.arithmetic(op, func(p *fpu, x, y uint64) uint64 {
		if p.lane&1 == 0 {
			return p.sub(x, y)
		}
		return p.add(x, y)
	}, wide, true)
}

func (c *CPU) doAddsubps(_ *block, op *operation) bool { return c.alternate(op, false) }
func (c *CPU) doAddsubpd(_ *block, op *operation) bool { return c.alternate(op, true) }

// neighbours combines pairs of x, then pairs of y.
func (c *CPU) neighbours(op *operation, wide bool, f fpOp) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	x := c.X[op.a&15]
	p := c.fpu(op, wide)
	var r XMM
	if wide {
		r = XMM{f(p, x.Lo, x.Hi), f(p, y.Lo, y.Hi)}
	} else {
		pair := func(v uint64) uint64 { return f(p, v&mask(4), v>>32) }
		r = XMM{pair(x.Lo) | pair(x.Hi)<<32, pair(y.Lo) | pair(y.Hi)<<32}
	}
	return c.result(op, p, r)
}

func (c *CPU) doHaddps(_ *block, op *operation) bool { return c.neighbours(op, false, fpAdd) }
func (c *CPU) doHaddpd(_ *block, op *operation) bool { return c.neighbours(op, true, fpAdd) }
func (c *CPU) doHsubps(_ *block, op *operation) bool { return c.neighbours(op, false, fpSub) }
func (c *CPU) doHsubpd(_ *block, op *operation) bool { return c.neighbours(op, true, fpSub) }

func (c *CPU) doRoundps(_ *block, op *operation) bool { return c.round(op, false, true) }
func (c *CPU) doRoundpd(_ *block, op *operation) bool { return c.round(op, true, true) }
func (c *CPU) doRoundss(_ *block, op *operation) bool { return c.round(op, false, false) }
func (c *CPU) doRoundsd(_ *block, op *operation) bool { return c.round(op, true, false) }

func (c *CPU) round(op *operation, wide, packed bool) bool {
	return c.arithmetic(op, func(p *fpu, _, y uint64) uint64 {
		mode := uint32(p.imm & 3)
		if p.imm&4 != 0 {
			mode = p.rounding()
		}
		return p.roundToIntegral(y, mode, p.imm&8 != 0)
	}, wide, packed)
}

// doDpps is the dot product: the high half of imm chooses the factors, the low
// half the elements that get the sum.
func (c *CPU) doDpps(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	x := c.X[op.a&15]
	p := c.fpu(op, false)
	var t [4]uint64
	for i := range t {
		if op.imm>>(4+i)&1 != 0 {
			t[i] = p.mul(uint64(x.u32(i)), uint64(y.u32(i)))
		}
	}
	low := p.add(t[0], t[1])
	high := p.add(t[2], t[3])
	sum := p.add(low, high)
	return c.result(op, p, blend(XMM{}, XMM{sum | sum<<32, sum | sum<<32}, 4, op.imm&15))
}

func (c *CPU) doDppd(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	x := c.X[op.a&15]
	p := c.fpu(op, true)
	var t [2]uint64
	for i := range t {
		if op.imm>>(4+i)&1 != 0 {
			t[i] = p.mul(x.half(i), y.half(i))
		}
	}
	sum := p.add(t[0], t[1])
	return c.result(op, p, blend(XMM{}, XMM{sum, sum}, 8, op.imm&3))
}
