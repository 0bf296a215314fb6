package x86

import "math/bits"

// The string comparisons of SSE4.2 (SDM volume 2, 4.1: imm8 control byte).

// stringCompare is one of them, its operands taken apart.
type stringCompare struct {
	imm    uint8
	n      int // elements: 8 words or 16 bytes
	x, y   XMM
	nx, ny int // elements that are valid
}

// element is element i as a number that keeps the order of the format.
func (s *stringCompare) element(v XMM, i int) int {
	switch s.imm & 3 {
	case 0:
		return int(v.u8(i))
	case 1:
		return int(v.u16(i))
	case 2:
		return int(int8(v.u8(i)))
	}
	return int(int16(v.u16(i)))
}

// terminated is the number of elements in front of the first zero.
func (s *stringCompare) terminated(v XMM) int {
	for i := range s.n {
		if s.element(v, i) == 0 {
			return i
		}
	}
	return s.n
}

// explicit is the number of elements that a register gives.
func (s *stringCompare) explicit(v uint64) int {
	if int64(v) < 0 {
		v = -v
	}
	return int(min(v, uint64(s.n)))
}

// matches reports whether the aggregation holds for element j of y.
func (s *stringCompare) matches(j int) bool {
	switch s.imm >> 2 & 3 {
	case 0: // equal to any of x
		for i := range s.nx {
			if j < s.ny && s.element(s.x, i) == s.element(s.y, j) {
				return true
			}
		}
		return false
	case 1: // in one of the ranges in x
		for i := 0; i+1 < s.nx; i += 2 {
			if e := s.element(s.y, j); j < s.ny && s.element(s.x, i) <= e && e <= s.element(s.x, i+1) {
				return true
			}
		}
		return false
	case 2: // equal to the same element of x
		if j >= s.nx || j >= s.ny {
			return j >= s.nx && j >= s.ny
		}
		return s.element(s.x, j) == s.element(s.y, j)
	}
	for i := 0; i < s.nx && j+i < s.n; i++ { // x begins there
		if j+i >= s.ny || s.element(s.x, i) != s.element(s.y, j+i) {
			return false
		}
	}
	return true
}

// result is a bit for each element of y.
func (s *stringCompare) result() (r uint64) {
	for j := range s.n {
		if s.matches(j) {
			r |= 1 << j
		}
	}
	switch s.imm >> 4 & 3 {
	case 1:
		r ^= 1<<s.n - 1
	case 3:
		r ^= 1<<s.ny - 1
	}
	return r
}

// compareStrings does what all of them have in common. Lengths of some bytes are in
// RAX and RDX; with 0 bytes, strings end with zeros.
func (c *CPU) compareStrings(op *operation, length uint8) (s stringCompare, r uint64, ok bool) {
	y := c.X[op.b&15]
	if op.mem {
		if y, ok = c.loadX(c.address(op)); !ok {
			return s, 0, false
		}
	}
	s = stringCompare{imm: uint8(op.imm), n: 16 >> (op.imm & 1), x: c.X[op.a&15], y: y}
	if length > 0 {
		s.nx, s.ny = s.explicit(extend(length, c.R[RAX])), s.explicit(extend(length, c.R[RDX]))
	} else {
		s.nx, s.ny = s.terminated(s.x), s.terminated(s.y)
	}
	r = s.result()
	flags := r & 1 << 11
	if r != 0 {
		flags |= flagC
	}
	if s.ny < s.n {
		flags |= flagZ
	}
	if s.nx < s.n {
		flags |= flagS
	}
	c.setStatus(flags)
	return s, r, true
}

// index puts the place of the lowest or highest bit into ECX.
func (c *CPU) index(op *operation, length uint8) bool {
	s, r, ok := c.compareStrings(op, length)
	if !ok {
		return false
	}
	at := s.n
	if r != 0 {
		at = bits.TrailingZeros64(r)
		if s.imm>>6&1 != 0 {
			at = bits.Len64(r) - 1
		}
	}
	c.R[RCX] = uint64(at)
	return true
}

// matchMask puts the result into XMM0: as bits, or as elements of ones.
func (c *CPU) matchMask(op *operation, length uint8) bool {
	s, r, ok := c.compareStrings(op, length)
	if !ok {
		return false
	}
	c.X[0] = XMM{Lo: r}
	if s.imm>>6&1 != 0 {
		c.X[0] = XMM{}
		for i := range s.n {
			c.X[0] = c.X[0].set(i, 16/s.n, all(r>>i&1 != 0))
		}
	}
	return true
}

func (c *CPU) doPcmpestri(_ *block, op *operation) bool  { return c.index(op, 4) }
func (c *CPU) doPcmpestriq(_ *block, op *operation) bool { return c.index(op, 8) }
func (c *CPU) doPcmpistri(_ *block, op *operation) bool  { return c.index(op, 0) }
func (c *CPU) doPcmpestrm(_ *block, op *operation) bool  { return c.matchMask(op, 4) }
func (c *CPU) doPcmpestrmq(_ *block, op *operation) bool { return c.matchMask(op, 8) }
func (c *CPU) doPcmpistrm(_ *block, op *operation) bool  { return c.matchMask(op, 0) }
