package x86

// String instructions (SDM volume 1, 7.3.9). With REP they can stop between
// iterations, at the same RIP and with the registers of that moment; each
// iteration counts as an instruction.

// stringOp does one iteration: si and di are the addresses. It reports false
// if it stopped.
type stringOp func(c *CPU, op *operation, si, di uint64) (ok bool)

const (
	usesSI = 1 << iota
	usesDI
	compares // REPE and REPNE look at ZF
)

// repeat runs a string instruction.
func (c *CPU) repeat(op *operation, uses int, do stringOp) bool {
	if op.rep == 0 {
		return c.iterate(op, uses, do)
	}
	for c.counter(op) != 0 {
		if !c.iterate(op, uses, do) {
			return false
		}
		c.setCounter(op, c.counter(op)-1)
		c.commit()
		if c.counter(op) == 0 || uses&compares != 0 && (c.fr == 0) == (op.rep == 0xF2) {
			break
		}
		if c.left == 0 {
			c.left-- // for the iteration that is paid back
			c.stop = StopLimit
			return false
		}
		c.left--
	}
	return true
}

// iterate does one iteration and advances the index registers.
func (c *CPU) iterate(op *operation, uses int, do stringOp) bool {
	si, di := c.R[RSI], c.R[RDI]
	if op.b != 0 {
		si, di = si&mask(4), di&mask(4)
	}
	if !do(c, op, si+c.segmentBase(op.a), di) {
		return false
	}
	step := uint64(op.size)
	if c.sys&flagD != 0 {
		step = -step
	}
	if uses&usesSI != 0 {
		c.advance(op, RSI, step)
	}
	if uses&usesDI != 0 {
		c.advance(op, RDI, step)
	}
	return true
}

func (c *CPU) advance(op *operation, r int, step uint64) {
	c.R[r] += step
	if op.b != 0 {
		c.R[r] &= mask(4)
	}
}

func (c *CPU) doMovs(_ *block, op *operation) bool {
	return c.repeat(op, usesSI|usesDI, func(c *CPU, op *operation, si, di uint64) bool {
		v, ok := c.get(si, op.size)
		return ok && c.put(di, op.size, v)
	})
}

func (c *CPU) doStos(_ *block, op *operation) bool {
	return c.repeat(op, usesDI, func(c *CPU, op *operation, _, di uint64) bool {
		return c.put(di, op.size, c.R[RAX])
	})
}

func (c *CPU) doLods(_ *block, op *operation) bool {
	return c.repeat(op, usesSI, func(c *CPU, op *operation, si, _ uint64) bool {
		v, ok := c.get(si, op.size)
		if ok {
			c.setReg(RAX, 0, op.size, v)
		}
		return ok
	})
}

func (c *CPU) doCmps(_ *block, op *operation) bool {
	return c.repeat(op, usesSI|usesDI|compares, func(c *CPU, op *operation, si, di uint64) bool {
		x, ok := c.get(si, op.size)
		if !ok {
			return false
		}
		y, ok := c.get(di, op.size)
		if ok {
			c.compare(op.size, x, y)
		}
		return ok
	})
}

func (c *CPU) doScas(_ *block, op *operation) bool {
	return c.repeat(op, usesDI|compares, func(c *CPU, op *operation, _, di uint64) bool {
		y, ok := c.get(di, op.size)
		if ok {
			c.compare(op.size, c.R[RAX], y)
		}
		return ok
	})
}

func (c *CPU) compare(n uint8, x, y uint64) {
	x, y = extend(n, x), extend(n, y)
	c.fa, c.fb, c.fr, c.fk = x, y, extend(n, x-y), flagsSub
}

func (c *CPU) doIns(_ *block, op *operation) bool {
	return c.repeat(op, usesDI, func(c *CPU, op *operation, _, di uint64) bool {
		v, ok := c.operation(Operation{Op: PortIn, Number: uint32(c.R[RDX] & 0xFFFF), Size: op.size})
		return ok && c.put(di, op.size, v)
	})
}

func (c *CPU) doOuts(_ *block, op *operation) bool {
	return c.repeat(op, usesSI, func(c *CPU, op *operation, si, _ uint64) bool {
		v, ok := c.get(si, op.size)
		if ok {
			_, ok = c.operation(Operation{Op: PortOut, Number: uint32(c.R[RDX] & 0xFFFF), Size: op.size, Value: v})
		}
		return ok
	})
}
