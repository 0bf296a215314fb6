package x86

// Integer vector instructions as functions of the destination's old value x
// and the source y. Sources: the instruction's page in SDM volume 2.

// map8 and the others apply f to each pair of elements.
func map8(x, y XMM, f func(a, b uint8) uint8) (r XMM) {
	for i := 0; i < 64; i += 8 {
		r.Lo |= uint64(f(uint8(x.Lo>>i), uint8(y.Lo>>i))) << i
		r.Hi |= uint64(f(uint8(x.Hi>>i), uint8(y.Hi>>i))) << i
	}
	return r
}

func map16(x, y XMM, f func(a, b uint16) uint16) (r XMM) {
	for i := 0; i < 64; i += 16 {
		r.Lo |= uint64(f(uint16(x.Lo>>i), uint16(y.Lo>>i))) << i
		r.Hi |= uint64(f(uint16(x.Hi>>i), uint16(y.Hi>>i))) << i
	}
	return r
}

func map32(x, y XMM, f func(a, b uint32) uint32) (r XMM) {
	for i := 0; i < 64; i += 32 {
		r.Lo |= uint64(f(uint32(x.Lo>>i), uint32(y.Lo>>i))) << i
		r.Hi |= uint64(f(uint32(x.Hi>>i), uint32(y.Hi>>i))) << i
	}
	return r
}

// elements of a register by size.
func (x XMM) u8(i int) uint8   { return uint8(x.half(i>>3) >> (i & 7 * 8)) }
func (x XMM) u16(i int) uint16 { return uint16(x.half(i>>2) >> (i & 3 * 16)) }
func (x XMM) u32(i int) uint32 { return uint32(x.half(i>>1) >> (i & 1 * 32)) }

func (x XMM) half(i int) uint64 {
	if i&1 == 0 {
		return x.Lo
	}
	return x.Hi
}

// set replaces element i of n bytes.
func (x XMM) set(i, n int, v uint64) XMM {
	m := mask(uint8(n))
	if at := i * n * 8; at < 64 {
		x.Lo = x.Lo&^(m<<at) | v&m<<at
	} else {
		x.Hi = x.Hi&^(m<<(at-64)) | v&m<<(at-64)
	}
	return x
}

func pand(x, y XMM) XMM  { return XMM{x.Lo & y.Lo, x.Hi & y.Hi} }
func pandn(x, y XMM) XMM { return XMM{^x.Lo & y.Lo, ^x.Hi & y.Hi} }
func por(x, y XMM) XMM   { return XMM{x.Lo | y.Lo, x.Hi | y.Hi} }
func pxor(x, y XMM) XMM  { return XMM{x.Lo ^ y.Lo, x.Hi ^ y.Hi} }

// Additions and subtractions without carries between elements: top has the
// highest bit of each.
func addEach(x, y XMM, top uint64) XMM {
	return XMM{addLanes(x.Lo, y.Lo, top), addLanes(x.Hi, y.Hi, top)}
}

func subEach(x, y XMM, top uint64) XMM {
	return XMM{subLanes(x.Lo, y.Lo, top), subLanes(x.Hi, y.Hi, top)}
}

func addLanes(x, y, top uint64) uint64 { return (x&^top + y&^top) ^ (x^y)&top }
func subLanes(x, y, top uint64) uint64 { return (x | top) - y&^top ^ (x^^y)&top }

const (
	tops8  = 0x8080808080808080
	tops16 = 0x8000800080008000
	tops32 = 0x8000000080000000
)

func paddb(x, y XMM) XMM { return addEach(x, y, tops8) }
func paddw(x, y XMM) XMM { return addEach(x, y, tops16) }
func paddd(x, y XMM) XMM { return addEach(x, y, tops32) }
func paddq(x, y XMM) XMM { return XMM{x.Lo + y.Lo, x.Hi + y.Hi} }
func psubb(x, y XMM) XMM { return subEach(x, y, tops8) }
func psubw(x, y XMM) XMM { return subEach(x, y, tops16) }
func psubd(x, y XMM) XMM { return subEach(x, y, tops32) }
func psubq(x, y XMM) XMM { return XMM{x.Lo - y.Lo, x.Hi - y.Hi} }

func signed8(v int) uint8     { return uint8(min(max(v, -128), 127)) }
func signed16(v int) uint16   { return uint16(min(max(v, -32768), 32767)) }
func unsigned8(v int) uint8   { return uint8(min(max(v, 0), 255)) }
func unsigned16(v int) uint16 { return uint16(min(max(v, 0), 65535)) }
func paddsb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return signed8(int(int8(a)) + int(int8(b))) })
}
func paddsw(x, y XMM) XMM { return map16(x, y, addSigned16) }
func paddusb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return unsigned8(int(a) + int(b)) })
}
func paddusw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return unsigned16(int(a) + int(b)) })
}
func psubsb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return signed8(int(int8(a)) - int(int8(b))) })
}
func psubsw(x, y XMM) XMM { return map16(x, y, subSigned16) }
func psubusb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return unsigned8(int(a) - int(b)) })
}
func psubusw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return unsigned16(int(a) - int(b)) })
}
func addSigned16(a, b uint16) uint16 { return signed16(int(int16(a)) + int(int16(b))) }
func subSigned16(a, b uint16) uint16 { return signed16(int(int16(a)) - int(int16(b))) }

func pminub(x, y XMM) XMM { return map8(x, y, func(a, b uint8) uint8 { return min(a, b) }) }
func pmaxub(x, y XMM) XMM { return map8(x, y, func(a, b uint8) uint8 { return max(a, b) }) }
func pminsb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return uint8(min(int8(a), int8(b))) })
}
func pmaxsb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return uint8(max(int8(a), int8(b))) })
}
func pminuw(x, y XMM) XMM { return map16(x, y, func(a, b uint16) uint16 { return min(a, b) }) }
func pmaxuw(x, y XMM) XMM { return map16(x, y, func(a, b uint16) uint16 { return max(a, b) }) }
func pminsw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(min(int16(a), int16(b))) })
}
func pmaxsw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(max(int16(a), int16(b))) })
}
func pminud(x, y XMM) XMM { return map32(x, y, func(a, b uint32) uint32 { return min(a, b) }) }
func pmaxud(x, y XMM) XMM { return map32(x, y, func(a, b uint32) uint32 { return max(a, b) }) }
func pminsd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) })
}
func pmaxsd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) })
}
func pavgb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return uint8((int(a) + int(b) + 1) >> 1) })
}
func pavgw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16((int(a) + int(b) + 1) >> 1) })
}

// all is all ones if true.
func all(b bool) uint64 {
	if b {
		return ^uint64(0)
	}
	return 0
}

func pcmpeqb(x, y XMM) XMM { return map8(x, y, func(a, b uint8) uint8 { return uint8(all(a == b)) }) }
func pcmpeqw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(all(a == b)) })
}
func pcmpeqd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 { return uint32(all(a == b)) })
}
func pcmpeqq(x, y XMM) XMM { return XMM{all(x.Lo == y.Lo), all(x.Hi == y.Hi)} }
func pcmpgtb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return uint8(all(int8(a) > int8(b))) })
}
func pcmpgtw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(all(int16(a) > int16(b))) })
}
func pcmpgtd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 { return uint32(all(int32(a) > int32(b))) })
}
func pcmpgtq(x, y XMM) XMM {
	return XMM{all(int64(x.Lo) > int64(y.Lo)), all(int64(x.Hi) > int64(y.Hi))}
}

func pmullw(x, y XMM) XMM { return map16(x, y, func(a, b uint16) uint16 { return a * b }) }
func pmulhuw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(uint32(a) * uint32(b) >> 16) })
}
func pmulhw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(int32(int16(a)) * int32(int16(b)) >> 16) })
}
func pmulhrsw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16((int32(int16(a))*int32(int16(b))>>14 + 1) >> 1) })
}
func pmulld(x, y XMM) XMM { return map32(x, y, func(a, b uint32) uint32 { return a * b }) }
func pmuludq(x, y XMM) XMM {
	return XMM{x.Lo & mask(4) * (y.Lo & mask(4)), x.Hi & mask(4) * (y.Hi & mask(4))}
}
func pmuldq(x, y XMM) XMM {
	return XMM{extend(4, x.Lo) * extend(4, y.Lo), extend(4, x.Hi) * extend(4, y.Hi)}
}

func pmaddwd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 {
		return uint32(int32(int16(a))*int32(int16(b)) + int32(int16(a>>16))*int32(int16(b>>16)))
	})
}

func pmaddubsw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 {
		return signed16(int(uint8(a))*int(int8(b)) + int(a>>8)*int(int8(b>>8)))
	})
}

func psadbw(x, y XMM) XMM { return XMM{sad(x.Lo, y.Lo), sad(x.Hi, y.Hi)} }

func sad(x, y uint64) (sum uint64) {
	for i := 0; i < 64; i += 8 {
		a, b := x>>i&0xFF, y>>i&0xFF
		sum += max(a, b) - min(a, b)
	}
	return sum
}

func phminposuw(_, y XMM) XMM {
	at, low := 0, y.u16(0)
	for i := range 8 {
		if v := y.u16(i); v < low {
			at, low = i, v
		}
	}
	return XMM{Lo: uint64(low) | uint64(at)<<16}
}

// Shifts: counts above the element size give zero, or the sign.

func shiftCount(y XMM) uint64 { return y.Lo } // bits 64 and up are ignored (SDM volume 2, PSLLW)

func each16(x XMM, f func(uint16) uint16) XMM {
	return map16(x, x, func(a, _ uint16) uint16 { return f(a) })
}

func each32(x XMM, f func(uint32) uint32) XMM {
	return map32(x, x, func(a, _ uint32) uint32 { return f(a) })
}

func psllwi(x XMM, n uint64) XMM { return each16(x, func(a uint16) uint16 { return a << n }) }
func pslldi(x XMM, n uint64) XMM { return each32(x, func(a uint32) uint32 { return a << n }) }
func psllqi(x XMM, n uint64) XMM { return XMM{x.Lo << n, x.Hi << n} }
func psrlwi(x XMM, n uint64) XMM { return each16(x, func(a uint16) uint16 { return a >> n }) }
func psrldi(x XMM, n uint64) XMM { return each32(x, func(a uint32) uint32 { return a >> n }) }
func psrlqi(x XMM, n uint64) XMM { return XMM{x.Lo >> n, x.Hi >> n} }
func psrawi(x XMM, n uint64) XMM {
	return each16(x, func(a uint16) uint16 { return uint16(int16(a) >> n) })
}
func psradi(x XMM, n uint64) XMM {
	return each32(x, func(a uint32) uint32 { return uint32(int32(a) >> n) })
}
func psllw(x, y XMM) XMM { return psllwi(x, shiftCount(y)) }
func pslld(x, y XMM) XMM { return pslldi(x, shiftCount(y)) }
func psllq(x, y XMM) XMM { return psllqi(x, shiftCount(y)) }
func psrlw(x, y XMM) XMM { return psrlwi(x, shiftCount(y)) }
func psrld(x, y XMM) XMM { return psrldi(x, shiftCount(y)) }
func psrlq(x, y XMM) XMM { return psrlqi(x, shiftCount(y)) }
func psraw(x, y XMM) XMM { return psrawi(x, shiftCount(y)) }
func psrad(x, y XMM) XMM { return psradi(x, shiftCount(y)) }

// psrldq and pslldq shift the whole register by bytes.
func psrldq(x XMM, n uint64) XMM {
	if n > 7 {
		return XMM{Lo: x.Hi >> (8 * (n - 8))}
	}
	return XMM{x.Lo>>(8*n) | x.Hi<<(64-8*n), x.Hi >> (8 * n)}
}

func pslldq(x XMM, n uint64) XMM {
	if n > 7 {
		return XMM{Hi: x.Lo << (8 * (n - 8))}
	}
	return XMM{x.Lo << (8 * n), x.Hi<<(8*n) | x.Lo>>(64-8*n)}
}

func palignr(x, y XMM, imm uint8) XMM {
	n := uint64(imm)
	if n > 16 {
		return psrldq(x, n-16)
	}
	return por(psrldq(y, n), pslldq(x, 16-n))
}

func pabsb(_, y XMM) XMM {
	return map8(y, y, func(a, _ uint8) uint8 {
		if int8(a) < 0 {
			return -a
		}
		return a
	})
}
func pabsw(_, y XMM) XMM {
	return each16(y, func(a uint16) uint16 {
		if int16(a) < 0 {
			return -a
		}
		return a
	})
}
func pabsd(_, y XMM) XMM {
	return each32(y, func(a uint32) uint32 {
		if int32(a) < 0 {
			return -a
		}
		return a
	})
}

func psignb(x, y XMM) XMM {
	return map8(x, y, func(a, b uint8) uint8 { return uint8(psign(uint64(a), int64(int8(b)))) })
}
func psignw(x, y XMM) XMM {
	return map16(x, y, func(a, b uint16) uint16 { return uint16(psign(uint64(a), int64(int16(b)))) })
}
func psignd(x, y XMM) XMM {
	return map32(x, y, func(a, b uint32) uint32 { return uint32(psign(uint64(a), int64(int32(b)))) })
}

func psign(a uint64, b int64) uint64 {
	switch {
	case b < 0:
		return -a
	case b == 0:
		return 0
	}
	return a
}

// phaddw and its like combine neighbours: those of x, then those of y.
func horizontal16(x, y XMM, f func(a, b uint16) uint16) (r XMM) {
	for i := range 4 {
		r = r.set(i, 2, uint64(f(x.u16(2*i), x.u16(2*i+1))))
		r = r.set(i+4, 2, uint64(f(y.u16(2*i), y.u16(2*i+1))))
	}
	return r
}

func horizontal32(x, y XMM, f func(a, b uint32) uint32) XMM {
	return XMM{
		uint64(f(x.u32(0), x.u32(1))) | uint64(f(x.u32(2), x.u32(3)))<<32,
		uint64(f(y.u32(0), y.u32(1))) | uint64(f(y.u32(2), y.u32(3)))<<32,
	}
}

func phaddw(x, y XMM) XMM  { return horizontal16(x, y, func(a, b uint16) uint16 { return a + b }) }
func phsubw(x, y XMM) XMM  { return horizontal16(x, y, func(a, b uint16) uint16 { return a - b }) }
func phaddd(x, y XMM) XMM  { return horizontal32(x, y, func(a, b uint32) uint32 { return a + b }) }
func phsubd(x, y XMM) XMM  { return horizontal32(x, y, func(a, b uint32) uint32 { return a - b }) }
func phaddsw(x, y XMM) XMM { return horizontal16(x, y, addSigned16) }
func phsubsw(x, y XMM) XMM { return horizontal16(x, y, subSigned16) }

func (x XMM) zero() bool { return x.Lo|x.Hi == 0 }

func movmask(x XMM, n int) (m uint64) {
	for i := range 16 / n {
		at := (i+1)*n*8 - 1
		m |= x.half(at>>6) >> (at & 63) & 1 << i
	}
	return m
}

func spread32(v uint64) uint64 { return v & mask(4) * (1<<32 + 1) }

func movsldup(_, y XMM) XMM { return XMM{spread32(y.Lo), spread32(y.Hi)} }
func movshdup(_, y XMM) XMM { return XMM{spread32(y.Lo >> 32), spread32(y.Hi >> 32)} }
func movddup(_, y XMM) XMM  { return XMM{y.Lo, y.Lo} }

// mpsadbw: sums of the absolute differences of 4 bytes of y with the bytes at 8
// successive places of x.
func mpsadbw(x, y XMM, imm uint8) (r XMM) {
	from, block := int(imm>>2&1)*4, int(imm&3)*4
	for i := range 8 {
		var sum uint64
		for k := range 4 {
			a, b := uint64(x.u8(from+i+k)), uint64(y.u8(block+k))
			sum += max(a, b) - min(a, b)
		}
		r = r.set(i, 2, sum)
	}
	return r
}
