package x86

// Instructions that move elements between places of vectors. Sources: the
// instruction's page in SDM volume 2.

// interleave8 puts the bytes of two 32-bit values in turns.
func interleave8(x, y uint64) (r uint64) {
	for i := range 4 {
		r |= x>>(8*i)&0xFF<<(16*i) | y>>(8*i)&0xFF<<(16*i+8)
	}
	return r
}

func interleave16(x, y uint64) uint64 {
	return x&0xFFFF | y&0xFFFF<<16 | x>>16&0xFFFF<<32 | y>>16&0xFFFF<<48
}

func interleave32(x, y uint64) uint64 { return x&mask(4) | y<<32 }

func punpcklbw(x, y XMM) XMM {
	return XMM{interleave8(x.Lo, y.Lo), interleave8(x.Lo>>32, y.Lo>>32)}
}
func punpckhbw(x, y XMM) XMM {
	return XMM{interleave8(x.Hi, y.Hi), interleave8(x.Hi>>32, y.Hi>>32)}
}
func punpcklwd(x, y XMM) XMM {
	return XMM{interleave16(x.Lo, y.Lo), interleave16(x.Lo>>32, y.Lo>>32)}
}
func punpckhwd(x, y XMM) XMM {
	return XMM{interleave16(x.Hi, y.Hi), interleave16(x.Hi>>32, y.Hi>>32)}
}
func punpckldq(x, y XMM) XMM {
	return XMM{interleave32(x.Lo, y.Lo), interleave32(x.Lo>>32, y.Lo>>32)}
}
func punpckhdq(x, y XMM) XMM {
	return XMM{interleave32(x.Hi, y.Hi), interleave32(x.Hi>>32, y.Hi>>32)}
}
func punpcklqdq(x, y XMM) XMM { return XMM{x.Lo, y.Lo} }
func punpckhqdq(x, y XMM) XMM { return XMM{x.Hi, y.Hi} }

// narrow16 packs the words of x and y to bytes; narrow32 is the same a size up.
func narrow16(x, y XMM, f func(v int) uint8) (r XMM) {
	for i := range 8 {
		r.Lo |= uint64(f(int(int16(x.u16(i))))) << (8 * i)
		r.Hi |= uint64(f(int(int16(y.u16(i))))) << (8 * i)
	}
	return r
}

func narrow32(x, y XMM, f func(v int) uint16) (r XMM) {
	for i := range 4 {
		r.Lo |= uint64(f(int(int32(x.u32(i))))) << (16 * i)
		r.Hi |= uint64(f(int(int32(y.u32(i))))) << (16 * i)
	}
	return r
}

func packsswb(x, y XMM) XMM { return narrow16(x, y, signed8) }
func packuswb(x, y XMM) XMM { return narrow16(x, y, unsigned8) }
func packssdw(x, y XMM) XMM { return narrow32(x, y, signed16) }
func packusdw(x, y XMM) XMM { return narrow32(x, y, unsigned16) }

func pshufd(_, y XMM, imm uint8) (r XMM) {
	for i := range 4 {
		r = r.set(i, 4, uint64(y.u32(int(imm>>(2*i)&3))))
	}
	return r
}

// words permutes the four words of a half.
func words(v uint64, imm uint8) (r uint64) {
	for i := range 4 {
		r |= v >> (16 * (imm >> (2 * i) & 3)) & 0xFFFF << (16 * i)
	}
	return r
}

func pshuflw(_, y XMM, imm uint8) XMM { return XMM{words(y.Lo, imm), y.Hi} }
func pshufhw(_, y XMM, imm uint8) XMM { return XMM{y.Lo, words(y.Hi, imm)} }

func shufps(x, y XMM, imm uint8) XMM {
	return XMM{
		uint64(x.u32(int(imm&3))) | uint64(x.u32(int(imm>>2&3)))<<32,
		uint64(y.u32(int(imm>>4&3))) | uint64(y.u32(int(imm>>6)))<<32,
	}
}

func shufpd(x, y XMM, imm uint8) XMM { return XMM{x.half(int(imm)), y.half(int(imm >> 1))} }

func pshufb(x, y XMM) (r XMM) {
	for i := range 16 {
		if k := y.u8(i); k < 0x80 {
			r = r.set(i, 1, uint64(x.u8(int(k&15))))
		}
	}
	return r
}

// blend takes elements of n bytes from y where the bit of the mask is set.
func blend(x, y XMM, n int, bits uint64) XMM {
	for i := range 16 / n {
		if bits>>i&1 != 0 {
			at := i * n * 8
			x = x.set(i, n, y.half(at>>6)>>(at&63))
		}
	}
	return x
}

func blendps(x, y XMM, imm uint8) XMM { return blend(x, y, 4, uint64(imm)) }
func blendpd(x, y XMM, imm uint8) XMM { return blend(x, y, 8, uint64(imm)) }
func pblendw(x, y XMM, imm uint8) XMM { return blend(x, y, 2, uint64(imm)) }

// The variable blends take the mask from XMM0.
func (c *CPU) blendBySign(op *operation, n int) bool {
	y, ok := c.readX(op)
	if ok {
		c.X[op.a&15] = blend(c.X[op.a&15], y, n, movmask(c.X[0], n))
	}
	return ok
}

func (c *CPU) doPblendvb(_ *block, op *operation) bool { return c.blendBySign(op, 1) }
func (c *CPU) doBlendvps(_ *block, op *operation) bool { return c.blendBySign(op, 4) }
func (c *CPU) doBlendvpd(_ *block, op *operation) bool { return c.blendBySign(op, 8) }

// widen makes elements of n times the size.
func widen(y XMM, from, to int, signed bool) (r XMM) {
	for i := range 16 / to {
		v := y.Lo >> (8 * from * i) & mask(uint8(from))
		if signed {
			v = extend(uint8(from), v)
		}
		r = r.set(i, to, v)
	}
	return r
}

func pmovsxbw(_, y XMM) XMM { return widen(y, 1, 2, true) }
func pmovsxbd(_, y XMM) XMM { return widen(y, 1, 4, true) }
func pmovsxbq(_, y XMM) XMM { return widen(y, 1, 8, true) }
func pmovsxwd(_, y XMM) XMM { return widen(y, 2, 4, true) }
func pmovsxwq(_, y XMM) XMM { return widen(y, 2, 8, true) }
func pmovsxdq(_, y XMM) XMM { return widen(y, 4, 8, true) }
func pmovzxbw(_, y XMM) XMM { return widen(y, 1, 2, false) }
func pmovzxbd(_, y XMM) XMM { return widen(y, 1, 4, false) }
func pmovzxbq(_, y XMM) XMM { return widen(y, 1, 8, false) }
func pmovzxwd(_, y XMM) XMM { return widen(y, 2, 4, false) }
func pmovzxwq(_, y XMM) XMM { return widen(y, 2, 8, false) }
func pmovzxdq(_, y XMM) XMM { return widen(y, 4, 8, false) }
