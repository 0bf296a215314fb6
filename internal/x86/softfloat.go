package x86

import "math/bits"

// Floating point by integers: the same bits on every host, all rounding modes,
// all flags. Sources: SDM volume 1, chapters 4.8 (formats, rounding), 4.9
// (exceptions and their order), 11.5 (SSE exceptions); table 4-7 for NaNs.

// Bits of MXCSR (SDM volume 1, 10.2.3). The masks are the flags shifted by 7.
const (
	fpInvalid   = 1 << 0
	fpDenormal  = 1 << 1
	fpZero      = 1 << 2
	fpOverflow  = 1 << 3
	fpUnderflow = 1 << 4
	fpPrecision = 1 << 5
	fpFlags     = 0x3F

	mxcsrDAZ     = 1 << 6
	mxcsrFTZ     = 1 << 15
	mxcsrDefault = 0x1F80
)

// Rounding modes (MXCSR.RC).
const (
	toNearest = iota
	toMinus
	toPlus
	toZero
)

// format is a floating-point format.
type format struct {
	mant, exp uint // bits of the fraction and of the exponent
}

var (
	single = format{23, 8}
	double = format{52, 11}
)

func (f format) bias() int          { return 1<<(f.exp-1) - 1 }
func (f format) sign(x uint64) bool { return x>>(f.mant+f.exp)&1 != 0 }
func (f format) infinity() uint64   { return (1<<f.exp - 1) << f.mant }
func (f format) quiet() uint64      { return 1 << (f.mant - 1) }

// indefinite is the NaN of invalid operations.
func (f format) indefinite() uint64 { return 1<<(f.mant+f.exp) | f.infinity() | f.quiet() }

// magnitude is x without its sign.
func (f format) magnitude(x uint64) uint64 { return x & (1<<(f.mant+f.exp) - 1) }

func (f format) isNaN(x uint64) bool       { return f.magnitude(x) > f.infinity() }
func (f format) isSignaling(x uint64) bool { return f.isNaN(x) && x&f.quiet() == 0 }
func (f format) isInf(x uint64) bool       { return f.magnitude(x) == f.infinity() }
func (f format) isZero(x uint64) bool      { return f.magnitude(x) == 0 }

func (f format) signBit(neg bool) uint64 {
	if neg {
		return 1 << (f.mant + f.exp)
	}
	return 0
}

// isDenormal is for numbers that are not zero and have the smallest exponent.
func (f format) isDenormal(x uint64) bool {
	m := f.magnitude(x)
	return m != 0 && m>>f.mant == 0
}

// fpu does the operations of one instruction.
type fpu struct {
	format
	mxcsr uint32
	flags uint32
	imm   uint64 // predicate of CMPxx, mode of ROUNDxx
	lane  int    // element that is being computed
}

// rounding is the rounding mode.
func (p *fpu) rounding() uint32 { return p.mxcsr >> 13 & 3 }

// input replaces denormal operands by zero where MXCSR says so.
func (p *fpu) input(x uint64) uint64 {
	if p.mxcsr&mxcsrDAZ != 0 && p.isDenormal(x) {
		return p.signBit(p.sign(x))
	}
	return x
}

// noteDenormal sets DE if an operand is denormal.
func (p *fpu) noteDenormal(x ...uint64) {
	for _, v := range x {
		if p.isDenormal(v) {
			p.flags |= fpDenormal
		}
	}
}

// nans returns the result of an operation with a NaN among its operands: the
// first operand if it is one, else the second, made quiet.
func (p *fpu) nans(x, y uint64) (uint64, bool) {
	if !p.isNaN(x) && !p.isNaN(y) {
		return 0, false
	}
	if p.isSignaling(x) || p.isSignaling(y) {
		p.flags |= fpInvalid
	}
	if p.isNaN(x) {
		return x | p.quiet(), true
	}
	return y | p.quiet(), true
}

func (p *fpu) invalid() uint64 {
	p.flags |= fpInvalid
	return p.indefinite()
}

// number is a finite number that is not zero: sig/2^63 * 2^exp, highest bit of
// sig set.
type number struct {
	neg bool
	exp int
	sig uint64
}

func (f format) unpack(x uint64) number {
	m := f.magnitude(x)
	e := int(m >> f.mant)
	sig := m & (1<<f.mant - 1)
	if e == 0 {
		n := bits.LeadingZeros64(sig)
		return number{f.sign(x), 63 - n - int(f.mant) + 1 - f.bias(), sig << n}
	}
	return number{f.sign(x), e - f.bias(), (1<<f.mant | sig) << (63 - f.mant)}
}

// shiftRight shifts and keeps whether bits were lost in the lowest bit.
func shiftRight(x uint64, n int) uint64 {
	switch {
	case n <= 0:
		return x
	case n > 63:
		if x != 0 {
			return 1
		}
		return 0
	}
	r := x >> n
	if x<<(64-n) != 0 {
		r |= 1
	}
	return r
}

// roundUp reports whether the part of sig below bit n is rounded up.
func roundUp(neg bool, sig uint64, n uint, mode uint32) bool {
	rest, half := sig&(1<<n-1), uint64(1)<<(n-1)
	switch mode {
	case toNearest:
		return rest > half || rest == half && sig>>n&1 != 0
	case toMinus:
		return neg && rest != 0
	case toPlus:
		return !neg && rest != 0
	}
	return false
}

// pack rounds a number to the format. The lowest bit of sig may stand for all
// that is below it.
func (p *fpu) pack(v number) uint64 {
	drop := 63 - p.mant
	biased := v.exp + p.bias()
	if biased >= 1 {
		return p.packNormal(v, biased, drop)
	}
	// Tiny, unless rounding with unbounded exponent makes it normal.
	tiny := biased < 0 || !roundUp(v.neg, v.sig, drop, p.rounding()) || v.sig>>drop != 1<<(p.mant+1)-1
	sig := shiftRight(v.sig, 1-biased)
	inexact := sig&(1<<drop-1) != 0
	if tiny && p.mxcsr&mxcsrFTZ != 0 && p.mxcsr>>7&fpUnderflow != 0 {
		p.flags |= fpUnderflow | fpPrecision
		return p.signBit(v.neg)
	}
	if tiny && p.mxcsr>>7&fpUnderflow == 0 { // not masked: the exponent is unbounded (SDM volume 1, 4.9.1.5)
		p.flags |= fpUnderflow
		inexact = v.sig&(1<<drop-1) != 0
	}
	if inexact {
		p.flags |= fpPrecision
		if tiny {
			p.flags |= fpUnderflow
		}
	}
	r := sig >> drop
	if roundUp(v.neg, sig, drop, p.rounding()) {
		r++
	}
	return p.signBit(v.neg) | r
}

func (p *fpu) packNormal(v number, biased int, drop uint) uint64 {
	r := v.sig >> drop
	if v.sig&(1<<drop-1) != 0 {
		p.flags |= fpPrecision
	}
	if roundUp(v.neg, v.sig, drop, p.rounding()) {
		if r++; r>>(p.mant+1) != 0 {
			r >>= 1
			biased++
		}
	}
	if biased < 1<<p.exp-1 {
		return p.signBit(v.neg) | uint64(biased)<<p.mant | r&(1<<p.mant-1)
	}
	p.flags |= fpOverflow
	if p.mxcsr>>7&fpOverflow != 0 {
		p.flags |= fpPrecision // else the exponent is unbounded (SDM volume 1, 4.9.1.4)
	}
	mode := p.rounding()
	if mode == toZero || mode == toMinus && !v.neg || mode == toPlus && v.neg {
		return p.signBit(v.neg) | p.infinity() - 1 // the largest number
	}
	return p.signBit(v.neg) | p.infinity()
}

func (p *fpu) add(x, y uint64) uint64 {
	x, y = p.input(x), p.input(y)
	if r, ok := p.nans(x, y); ok {
		return r
	}
	if p.isInf(x) && p.isInf(y) && p.sign(x) != p.sign(y) {
		return p.invalid()
	}
	p.noteDenormal(x, y)
	switch {
	case p.isInf(x):
		return x
	case p.isInf(y):
		return y
	case p.isZero(x) && p.isZero(y):
		if p.sign(x) == p.sign(y) {
			return x
		}
		return p.signBit(p.rounding() == toMinus)
	case p.isZero(x):
		return p.repack(y)
	case p.isZero(y):
		return p.repack(x)
	}
	return p.sum(p.unpack(x), p.unpack(y))
}

// repack is the result of an exact operation: FTZ and underflow still apply.
func (p *fpu) repack(x uint64) uint64 { return p.pack(p.unpack(x)) }

func (p *fpu) sum(a, b number) uint64 {
	if a.exp < b.exp || a.exp == b.exp && a.sig < b.sig {
		a, b = b, a
	}
	x, y := a.sig>>1, shiftRight(b.sig>>1, a.exp-b.exp) // the lowest 10 bits are free
	if a.neg == b.neg {
		return p.normalize(number{a.neg, a.exp + 1, x + y})
	}
	if x == y {
		return p.signBit(p.rounding() == toMinus)
	}
	return p.normalize(number{a.neg, a.exp + 1, x - y})
}

// normalize moves the highest bit up and packs.
func (p *fpu) normalize(v number) uint64 {
	n := bits.LeadingZeros64(v.sig)
	v.sig <<= n
	v.exp -= n
	return p.pack(v)
}

func (p *fpu) sub(x, y uint64) uint64 {
	if p.isNaN(y) {
		return p.add(x, y)
	}
	return p.add(x, y^p.signBit(true))
}

func (p *fpu) mul(x, y uint64) uint64 {
	x, y = p.input(x), p.input(y)
	if r, ok := p.nans(x, y); ok {
		return r
	}
	if p.isInf(x) && p.isZero(y) || p.isZero(x) && p.isInf(y) {
		return p.invalid()
	}
	p.noteDenormal(x, y)
	neg := p.sign(x) != p.sign(y)
	switch {
	case p.isInf(x) || p.isInf(y):
		return p.signBit(neg) | p.infinity()
	case p.isZero(x) || p.isZero(y):
		return p.signBit(neg)
	}
	a, b := p.unpack(x), p.unpack(y)
	hi, lo := bits.Mul64(a.sig, b.sig)
	if lo != 0 {
		hi |= 1
	}
	return p.normalize(number{neg, a.exp + b.exp + 1, hi})
}

func (p *fpu) div(x, y uint64) uint64 {
	x, y = p.input(x), p.input(y)
	if r, ok := p.nans(x, y); ok {
		return r
	}
	if p.isInf(x) && p.isInf(y) || p.isZero(x) && p.isZero(y) {
		return p.invalid()
	}
	neg := p.sign(x) != p.sign(y)
	if p.isZero(y) && !p.isInf(x) {
		p.flags |= fpZero
		return p.signBit(neg) | p.infinity()
	}
	p.noteDenormal(x, y)
	switch {
	case p.isInf(x):
		return p.signBit(neg) | p.infinity()
	case p.isInf(y) || p.isZero(x):
		return p.signBit(neg)
	}
	a, b := p.unpack(x), p.unpack(y)
	q, rest := bits.Div64(a.sig>>1, a.sig<<63, b.sig)
	if rest != 0 {
		q |= 1
	}
	return p.normalize(number{neg, a.exp - b.exp, q})
}

func (p *fpu) sqrt(_, y uint64) uint64 {
	y = p.input(y)
	if r, ok := p.nans(y, y); ok {
		return r
	}
	switch {
	case p.isZero(y):
		return y
	case p.sign(y):
		return p.invalid()
	case p.isInf(y):
		return y
	}
	p.noteDenormal(y)
	v := p.unpack(y)
	hi, lo := v.sig>>1, v.sig<<63
	if v.exp&1 != 0 {
		hi, lo = v.sig, 0
	}
	root, exact := sqrt128(hi, lo)
	if !exact {
		root |= 1
	}
	return p.pack(number{false, v.exp >> 1, root})
}

// sqrt128 is the integer square root of hi:lo, of which one of the two highest
// bits is set, bit by bit.
func sqrt128(hi, lo uint64) (root uint64, exact bool) {
	var restHi, rest uint64
	for range 64 {
		restHi = restHi<<2 | rest>>62
		rest = rest<<2 | hi>>62
		hi, lo = hi<<2|lo>>62, lo<<2
		// subtract 4*root+1 if it fits
		tryHi, try := root>>62, root<<2|1
		root <<= 1
		if d, borrow := bits.Sub64(rest, try, 0); restHi > tryHi || restHi == tryHi && borrow == 0 {
			rest = d
			restHi -= tryHi + borrow
			root |= 1
		}
	}
	return root, restHi|rest == 0
}

// less compares two numbers that are not NaN.
func (f format) less(x, y uint64) bool {
	if f.isZero(x) && f.isZero(y) {
		return false
	}
	if f.sign(x) != f.sign(y) {
		return f.sign(x)
	}
	return (x < y) != f.sign(x) && x != y
}

func (f format) equal(x, y uint64) bool { return x == y || f.isZero(x) && f.isZero(y) }

// pick is MIN and MAX: the second operand where they are equal or one is a NaN.
func (p *fpu) pick(x, y uint64, larger bool) uint64 {
	x, y = p.input(x), p.input(y)
	if p.isNaN(x) || p.isNaN(y) {
		p.flags |= fpInvalid
		return y
	}
	p.noteDenormal(x, y)
	if larger && p.less(y, x) || !larger && p.less(x, y) {
		return x
	}
	return y
}

func (p *fpu) min(x, y uint64) uint64 { return p.pick(x, y, false) }
func (p *fpu) max(x, y uint64) uint64 { return p.pick(x, y, true) }

// toInteger converts to a signed integer of n bits; out of range is the
// smallest one.
func (p *fpu) toInteger(x uint64, n uint, mode uint32) uint64 {
	x = p.input(x)
	indefinite := uint64(1) << (n - 1)
	if p.isNaN(x) || p.isInf(x) {
		p.flags |= fpInvalid
		return indefinite
	}
	if p.isZero(x) {
		return 0
	}
	v := p.unpack(x)
	if v.exp > 63 {
		p.flags |= fpInvalid
		return indefinite
	}
	m, inexact := integerPart(v, mode)
	limit := indefinite
	if !v.neg {
		limit--
	}
	if m > limit {
		p.flags |= fpInvalid
		return indefinite
	}
	if inexact {
		p.flags |= fpPrecision
	}
	if v.neg {
		m = -m
	}
	return m & (1<<n - 1)
}

// integerPart rounds a number below 2^64 to an integer.
func integerPart(v number, mode uint32) (m uint64, inexact bool) {
	if v.exp == 63 {
		return v.sig, false
	}
	behind := uint(1) // bits behind the point: the last one stands for all below it
	s := v.sig
	if v.exp < 62 {
		behind = 2
		s = shiftRight(v.sig, 61-v.exp)
	}
	m = s >> behind
	if roundUp(v.neg, s, behind, mode) {
		m++
	}
	return m, s&(1<<behind-1) != 0
}

// fromInteger converts a signed integer.
func (p *fpu) fromInteger(x int64) uint64 {
	if x == 0 {
		return 0
	}
	v := number{neg: x < 0, exp: 63, sig: uint64(x)}
	if v.neg {
		v.sig = -v.sig
	}
	return p.normalize(v)
}

// convert changes the format.
func (p *fpu) convert(x uint64, to format) uint64 {
	from := p.format
	x = p.input(x)
	neg := from.sign(x)
	switch {
	case from.isNaN(x):
		if from.isSignaling(x) {
			p.flags |= fpInvalid
		}
		m := x & (1<<from.mant - 1) << (63 - from.mant) >> (63 - to.mant) // the highest bits of the payload stay
		return to.signBit(neg) | to.infinity() | m | to.quiet()
	case from.isInf(x):
		return to.signBit(neg) | to.infinity()
	case from.isZero(x):
		return to.signBit(neg)
	}
	p.noteDenormal(x)
	v := from.unpack(x)
	p.format = to
	r := p.pack(v)
	p.format = from
	return r
}

// roundToIntegral is ROUNDxx: the value stays floating point.
func (p *fpu) roundToIntegral(x uint64, mode uint32, quiet bool) uint64 {
	x = p.input(x)
	if r, ok := p.nans(x, x); ok {
		return r
	}
	if p.isInf(x) || p.isZero(x) {
		return x
	}
	v := p.unpack(x)
	if v.exp >= int(p.mant) {
		return x
	}
	m, inexact := integerPart(v, mode)
	if inexact && !quiet {
		p.flags |= fpPrecision
	}
	if m == 0 {
		return p.signBit(v.neg)
	}
	n := bits.LeadingZeros64(m)
	exact := fpu{format: p.format}
	return exact.pack(number{v.neg, 63 - n, m << n})
}
