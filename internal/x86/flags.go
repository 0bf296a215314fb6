package x86

import "math/bits"

// Lazy flags. An operation leaves its operands and its result, sign-extended to
// 64 bits, in fa, fb and fr and its kind in fk; the flags are computed when
// something asks for them. Sign extension keeps the order of unsigned values
// and puts the sign and the carry out of the top bit into bit 63, so that no
// formula needs the operand size. What holds for every kind: ZF is set if and
// only if fr is 0.

// Kinds of operations.
const (
	flagsAdd   = iota // fr = fa + fb (+ carry)
	flagsSub          // fr = fa - fb
	flagsSbb          // fr = fa - fb - carry
	flagsInc          // fr = fa + fb, CF is fc
	flagsDec          // fr = fa - fb, CF is fc
	flagsLogic        // CF, OF and AF are 0
	flagsShift        // CF, OF and AF are the bits of fa; SF, PF are those of fr
	flagsRaw          // all are the bits of fa
)

// Bits of RFLAGS (SDM volume 1, 3.4.3).
const (
	flagC = 1 << 0
	flagP = 1 << 2
	flagA = 1 << 4
	flagZ = 1 << 6
	flagS = 1 << 7
	flagT = 1 << 8
	flagI = 1 << 9
	flagD = 1 << 10
	flagO = 1 << 11

	flagsStatus = flagC | flagP | flagA | flagZ | flagS | flagO
	// flagsSystem are the other bits that exist: TF, IF, DF, IOPL, NT, AC, ID.
	flagsSystem = flagT | flagI | flagD | 3<<12 | 1<<14 | 1<<18 | 1<<21
	flagsFixed  = 1 << 1 // always 1
)

// Flags returns RFLAGS.
func (c *CPU) Flags() uint64 { return c.status() | c.sys | flagsFixed }

// SetFlags sets RFLAGS; bits that do not exist are ignored.
func (c *CPU) SetFlags(v uint64) {
	c.setStatus(v)
	c.sys = v & flagsSystem
}

// setStatus sets the status flags to those of v.
func (c *CPU) setStatus(v uint64) {
	c.fa, c.fr, c.fk = v&flagsStatus, ^v>>6&1, flagsRaw
}

// setCO sets CF and OF (0 or 1) and keeps the others.
func (c *CPU) setCO(cf, of uint64) {
	switch c.fk {
	case flagsRaw, flagsShift:
		c.fa = c.fa&^(flagC|flagO) | cf | of<<11
	default:
		af := c.status() & flagA
		c.fa, c.fk = cf|of<<11|af, flagsShift
	}
}

// status computes the status flags.
func (c *CPU) status() uint64 {
	if c.fk == flagsRaw {
		return c.fa
	}
	v := c.fr >> 63 << 7
	if bits.OnesCount8(uint8(c.fr))&1 == 0 {
		v |= flagP
	}
	if c.fr == 0 {
		v |= flagZ
	}
	switch c.fk {
	case flagsLogic:
		return v
	case flagsShift:
		return v | c.fa
	}
	return v | c.carry() | (c.fa^c.fb^c.fr)&flagA | c.overflow()<<11
}

// carry returns CF as 0 or 1. The carry out of a bit is the majority of the
// operands' bits and the inverted result.
func (c *CPU) carry() uint64 {
	a, b, r := c.fa, c.fb, c.fr
	switch c.fk {
	case flagsAdd:
		return (a&b | (a|b)&^r) >> 63
	case flagsSub, flagsSbb:
		return (^a&b | (^a|b)&r) >> 63
	case flagsInc, flagsDec:
		return c.fc
	case flagsLogic:
		return 0
	}
	return a & flagC
}

// overflow returns OF as 0 or 1.
func (c *CPU) overflow() uint64 {
	a, b, r := c.fa, c.fb, c.fr
	switch c.fk {
	case flagsAdd, flagsInc:
		return ((a ^ r) & (b ^ r)) >> 63
	case flagsSub, flagsSbb, flagsDec:
		return ((a ^ b) & (a ^ r)) >> 63
	case flagsLogic:
		return 0
	}
	return a >> 11 & 1
}

func (c *CPU) sign() uint64 {
	if c.fk == flagsRaw {
		return c.fa >> 7 & 1
	}
	return c.fr >> 63
}

func (c *CPU) parity() uint64 {
	if c.fk == flagsRaw {
		return c.fa >> 2 & 1
	}
	return uint64(^bits.OnesCount8(uint8(c.fr)) & 1)
}

// cond evaluates a condition of Jcc, SETcc and CMOVcc (SDM volume 1, appendix
// B.1).
func (c *CPU) cond(cc uint8) bool {
	if c.fk == flagsSub {
		return c.compared(cc)
	}
	return c.condValue(cc) != 0
}

// compared is cond after a comparison.
func (c *CPU) compared(cc uint8) bool {
	var r bool
	switch cc >> 1 & 7 {
	case 0:
		r = c.overflow() != 0
	case 1:
		r = c.fa < c.fb
	case 2:
		r = c.fr == 0
	case 3:
		r = c.fa <= c.fb
	case 4:
		r = int64(c.fr) < 0
	case 5:
		r = c.parity() != 0
	case 6:
		r = int64(c.fa) < int64(c.fb)
	case 7:
		r = int64(c.fa) <= int64(c.fb)
	}
	return r != (cc&1 != 0)
}

// condValue is cond as 0 or 1.
func (c *CPU) condValue(cc uint8) uint64 {
	var zero, r uint64
	if c.fr == 0 {
		zero = 1
	}
	switch cc >> 1 & 7 {
	case 0:
		r = c.overflow()
	case 1:
		r = c.carry()
	case 2:
		r = zero
	case 3:
		r = c.carry() | zero
	case 4:
		r = c.sign()
	case 5:
		r = c.parity()
	case 6:
		r = c.sign() ^ c.overflow()
	case 7:
		r = c.sign() ^ c.overflow() | zero
	}
	return r ^ uint64(cc&1)
}

// mulOverflows reports whether the signed product needs more than 64 bits.
func mulOverflows(x, y uint64) bool {
	hi, lo := signedProduct(x, y)
	return hi != uint64(int64(lo)>>63)
}

// signedProduct is the 128-bit product of signed numbers.
func signedProduct(x, y uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(x, y)
	hi -= uint64(int64(x)>>63)&y + uint64(int64(y)>>63)&x
	return hi, lo
}
