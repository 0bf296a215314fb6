package x86

import "github.com/dirql/dirql/internal/mem"

// The stack and flags outside the switch, strings, loops. Sources: the
// instruction's page in SDM volume 2.

// doPush is PUSH of memory.
func (c *CPU) doPush(_ *block, op *operation) bool {
	v, ok := c.get(c.address(op), op.size)
	return ok && c.push(v, op.size)
}

func (c *CPU) push(v uint64, n uint8) bool {
	ea := c.R[RSP] - uint64(n)
	if !c.put(ea, n, v) {
		return false
	}
	c.R[RSP] = ea
	return true
}

func (c *CPU) doPop(_ *block, op *operation) bool {
	v, ok := c.get(c.R[RSP], op.size)
	if !ok {
		return false
	}
	if op.mem {
		if !c.put(c.address(op), op.size, v) {
			return false
		}
		c.R[RSP] += uint64(op.size)
		return true
	}
	c.R[RSP] += uint64(op.size)
	c.setReg(op.a, 0, op.size, v)
	return true
}

func (c *CPU) doPushf(_ *block, op *operation) bool { return c.push(c.Flags(), op.size) }

// doPopf stops if it changes IF: the embedder decides when interrupts come.
func (c *CPU) doPopf(b *block, op *operation) bool {
	v, ok := c.get(c.R[RSP], op.size)
	if !ok {
		return false
	}
	if v&flagT != 0 {
		return c.unsupported(b, op) // single steps
	}
	if op.size == 2 {
		v = v&0xFFFF | c.sys&^0xFFFF
	}
	if (v^c.sys)&flagI != 0 {
		if _, ok := c.operation(Operation{Op: SetIF, Value: v >> 9 & 1}); !ok {
			return false
		}
	}
	c.SetFlags(v)
	c.R[RSP] += uint64(op.size)
	return true
}

func (c *CPU) doLahf(*block, *operation) bool {
	c.setReg(RAX, 8, 1, c.status()|flagsFixed)
	return true
}

func (c *CPU) doSahf(*block, *operation) bool {
	c.setStatus(c.R[RAX]>>8&0xFF | c.overflow()<<11)
	return true
}

func (c *CPU) doCmc(*block, *operation) bool {
	c.setCO(c.carry()^1, c.overflow())
	return true
}

func (c *CPU) doClc(*block, *operation) bool {
	c.setCO(0, c.overflow())
	return true
}

func (c *CPU) doStc(*block, *operation) bool {
	c.setCO(1, c.overflow())
	return true
}

func (c *CPU) doCld(*block, *operation) bool {
	c.sys &^= flagD
	return true
}

func (c *CPU) doStd(*block, *operation) bool {
	c.sys |= flagD
	return true
}

// doEnter knows nesting level 0, which is all that compilers use. The new top
// of the stack has to be writable.
func (c *CPU) doEnter(b *block, op *operation) bool {
	if op.imm>>16&31 != 0 {
		return c.unsupported(b, op)
	}
	frame := c.R[RSP] - uint64(op.size)
	end := frame - op.imm&0xFFFF
	if !c.put(frame, op.size, c.R[RBP]) {
		return false
	}
	if _, f := c.mem.ProtFor(end, mem.Store); f.Kind != mem.NoFault && f.Kind != mem.DevicePage && !c.done(end, op.size) {
		return c.halt(StopFault, Access{Addr: end, Size: op.size, Kind: Write}, f)
	}
	c.setReg(RBP, 0, op.size, frame)
	c.R[RSP] = end
	return true
}

func (c *CPU) doLeave(_ *block, op *operation) bool {
	v, ok := c.get(c.R[RBP], op.size)
	if !ok {
		return false
	}
	c.R[RSP] = c.R[RBP] + uint64(op.size)
	c.setReg(RBP, 0, op.size, v)
	return true
}

func (c *CPU) doXlat(_ *block, op *operation) bool {
	ea := c.R[RBX] + c.R[RAX]&0xFF
	if op.b != 0 {
		ea = uint64(uint32(ea))
	}
	v, ok := c.get(ea+c.segmentBase(op.a), 1)
	if ok {
		c.setReg(RAX, 0, 1, v)
	}
	return ok
}

func (c *CPU) segmentBase(seg uint8) uint64 {
	switch seg {
	case segFS:
		return c.FSBase
	case segGS:
		return c.GSBase
	}
	return 0
}

// target computes where an indirect jump or call goes, and pushes the return
// address of a call.
func (c *CPU) target(b *block, op *operation) bool {
	to := c.R[op.a]
	if op.mem {
		var ok bool
		if to, ok = c.get(c.address(op), 8); !ok {
			return false
		}
	}
	if !canonical(to) {
		return c.wild(to)
	}
	if op.code == oCalliR64 || op.code == oCalliM64 {
		if !c.push(b.pc+uint64(op.at)+uint64(op.len), 8) {
			return false
		}
	}
	c.RIP = to
	c.commit()
	return true
}

func canonical(addr uint64) bool { return addr+1<<47 < 1<<48 }

// wild stops at a jump to an address that is not canonical: the jump faults, not
// what is there (SDM volume 2, RET).
func (c *CPU) wild(to uint64) bool {
	c.stop, c.Access = StopFault, Access{Addr: to}
	c.Fault = mem.Fault{Kind: mem.NotCanonical, Access: mem.Fetch, Addr: to}
	return false
}

// counter is RCX, or ECX with 32-bit addresses.
func (c *CPU) counter(op *operation) uint64 {
	if op.b != 0 {
		return c.R[RCX] & mask(4)
	}
	return c.R[RCX]
}

func (c *CPU) setCounter(op *operation, v uint64) {
	if op.b != 0 {
		v &= mask(4)
	}
	c.R[RCX] = v
}

// branch sets RIP to the target of a relative jump, or behind it.
func (c *CPU) branch(b *block, taken bool) bool {
	c.RIP = b.next[0]
	if taken {
		c.RIP = b.next[1]
	}
	return true
}

// loop is LOOP, LOOPE and LOOPNE.
func (c *CPU) loop(b *block, op *operation, also bool) bool {
	c.setCounter(op, c.counter(op)-1)
	return c.branch(b, c.counter(op) != 0 && also)
}

func (c *CPU) doLoop(b *block, op *operation) bool   { return c.loop(b, op, true) }
func (c *CPU) doLoope(b *block, op *operation) bool  { return c.loop(b, op, c.fr == 0) }
func (c *CPU) doLoopne(b *block, op *operation) bool { return c.loop(b, op, c.fr != 0) }
func (c *CPU) doJrcxz(b *block, op *operation) bool  { return c.branch(b, c.counter(op) == 0) }
