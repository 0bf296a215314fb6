package x86

// SSE instructions that move between XMM registers, general registers, memory
// and flags. Sources: the instruction's page in SDM volume 2.

// readX reads the operand xmm/m of op.size bytes; a register is read whole.
func (c *CPU) readX(op *operation) (XMM, bool) {
	if !op.mem {
		return c.X[op.b&15], true
	}
	ea := c.address(op)
	if op.size == 16 {
		if op.aligned && ea&15 != 0 {
			return XMM{}, c.raise(GeneralProtection)
		}
		return c.loadX(ea)
	}
	v, ok := c.get(ea, op.size)
	return XMM{Lo: v}, ok
}

func (c *CPU) doMovss(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	switch {
	case ok && op.mem:
		c.X[op.a&15] = y
	case ok:
		c.X[op.a&15] = c.X[op.a&15].set(0, 4, y.Lo)
	}
	return ok
}

func (c *CPU) doMovsd(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	switch {
	case ok && op.mem:
		c.X[op.a&15] = y
	case ok:
		c.X[op.a&15].Lo = y.Lo
	}
	return ok
}

func (c *CPU) doMovssstore(_ *block, op *operation) bool {
	if op.mem {
		return c.put(c.address(op), 4, c.X[op.b&15].Lo)
	}
	c.X[op.a&15] = c.X[op.a&15].set(0, 4, c.X[op.b&15].Lo)
	return true
}

// doMovsdstore is MOVSD, MOVLPS and MOVLPD to memory.
func (c *CPU) doMovsdstore(_ *block, op *operation) bool {
	if op.mem {
		return c.put(c.address(op), 8, c.X[op.b&15].Lo)
	}
	c.X[op.a&15].Lo = c.X[op.b&15].Lo
	return true
}

func (c *CPU) doMovlpsload(_ *block, op *operation) bool {
	v, ok := c.get(c.address(op), 8)
	if ok {
		c.X[op.a&15].Lo = v
	}
	return ok
}

func (c *CPU) doMovhpsload(_ *block, op *operation) bool {
	v, ok := c.get(c.address(op), 8)
	if ok {
		c.X[op.a&15].Hi = v
	}
	return ok
}

func (c *CPU) doMovhpsstore(_ *block, op *operation) bool {
	return c.put(c.address(op), 8, c.X[op.b&15].Hi)
}

func (c *CPU) doMovhlps(_ *block, op *operation) bool {
	c.X[op.a&15].Lo = c.X[op.b&15].Hi
	return true
}

func (c *CPU) doMovlhps(_ *block, op *operation) bool {
	c.X[op.a&15].Hi = c.X[op.b&15].Lo
	return true
}

// doMovdload is MOVD and MOVQ from a general register or memory.
func (c *CPU) doMovdload(_ *block, op *operation) bool {
	v, ok := c.readRM(op, op.b, 0)
	if ok {
		c.X[op.a&15] = XMM{Lo: v}
	}
	return ok
}

func (c *CPU) doMovdstore(_ *block, op *operation) bool {
	return c.writeRM(op, op.a, 0, c.X[op.b&15].Lo)
}

func (c *CPU) doMovqload(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if ok {
		c.X[op.a&15] = XMM{Lo: y.Lo}
	}
	return ok
}

func (c *CPU) doMovqstore(_ *block, op *operation) bool {
	if op.mem {
		return c.put(c.address(op), 8, c.X[op.b&15].Lo)
	}
	c.X[op.a&15] = XMM{Lo: c.X[op.b&15].Lo}
	return true
}

func (c *CPU) doMovmskps(_ *block, op *operation) bool { return c.signs(op, 4) }
func (c *CPU) doMovmskpd(_ *block, op *operation) bool { return c.signs(op, 8) }
func (c *CPU) doPmovmskb(_ *block, op *operation) bool { return c.signs(op, 1) }

func (c *CPU) signs(op *operation, n int) bool {
	c.R[op.a] = movmask(c.X[op.b&15], n)
	return true
}

func (c *CPU) doPinsrb(_ *block, op *operation) bool { return c.insert(op, 1) }
func (c *CPU) doPinsrw(_ *block, op *operation) bool { return c.insert(op, 2) }
func (c *CPU) doPinsrd(_ *block, op *operation) bool { return c.insert(op, int(op.size)) }

func (c *CPU) insert(op *operation, n int) bool {
	v := c.R[op.b] // the low byte also where a byte register would be AH
	if op.mem {
		var ok bool
		if v, ok = c.get(c.address(op), uint8(n)); !ok {
			return false
		}
	}
	c.X[op.a&15] = c.X[op.a&15].set(int(op.imm)&(16/n-1), n, v)
	return true
}

func (c *CPU) doPextrb(_ *block, op *operation) bool      { return c.extract(op, 1) }
func (c *CPU) doPextrw(_ *block, op *operation) bool      { return c.extract(op, 2) }
func (c *CPU) doPextrwstore(_ *block, op *operation) bool { return c.extract(op, 2) }
func (c *CPU) doPextrd(_ *block, op *operation) bool      { return c.extract(op, int(op.size)) }

func (c *CPU) extract(op *operation, n int) bool {
	at := int(op.imm) & (16/n - 1) * n * 8
	v := c.X[op.b&15].half(at>>6) >> (at & 63) & mask(uint8(n))
	if op.mem {
		return c.put(c.address(op), uint8(n), v)
	}
	c.R[op.a] = v
	return true
}

func (c *CPU) doInsertps(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	v := y.Lo
	if !op.mem {
		v = uint64(y.u32(int(op.imm >> 6 & 3)))
	}
	r := c.X[op.a&15].set(int(op.imm>>4&3), 4, v)
	c.X[op.a&15] = blend(r, XMM{}, 4, op.imm&15)
	return true
}

func (c *CPU) doPtest(_ *block, op *operation) bool {
	y, ok := c.readX(op)
	if !ok {
		return false
	}
	x, v := c.X[op.a&15], uint64(0)
	if pand(x, y).zero() {
		v |= flagZ
	}
	if pandn(x, y).zero() {
		v |= flagC
	}
	c.setStatus(v)
	return true
}

// doLdmxcsr: reserved bits are #GP (SDM volume 1, 10.2.3).
func (c *CPU) doLdmxcsr(_ *block, op *operation) bool {
	v, ok := c.get(c.address(op), 4)
	if !ok {
		return false
	}
	if v>>16 != 0 {
		return c.raise(GeneralProtection)
	}
	c.MXCSR = uint32(v)
	return true
}

func (c *CPU) doStmxcsr(_ *block, op *operation) bool {
	return c.put(c.address(op), 4, uint64(c.MXCSR))
}
