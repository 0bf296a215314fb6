package main

import (
	"encoding/binary"
	"slices"

	"github.com/dirql/dirql/internal/x86"
	"github.com/dirql/dirql/internal/x86/hostcpu"
	"github.com/dirql/dirql/internal/x86/isa"
)

// rng is SplitMix64.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (r *rng) below(n int) int     { return int(r.next() % uint64(n)) }
func (r *rng) chance(n int) bool   { return r.next()%uint64(n) == 0 }
func (r *rng) byte() byte          { return byte(r.next()) }
func (r *rng) pick(v []byte) byte  { return v[r.below(len(v))] }
func newRNG(seed, salt uint64) rng { return rng{seed*0xD1342543DE82EF95 + salt} }

// The window is the part of the data area that cases use: around the boundary
// of its two pages.
const (
	boundary   = hostcpu.Data + 0x1000
	windowSize = 0x400
	window     = boundary - windowSize/2

	edgeSize = 64 // bytes at the end of the data area that cases use, too
)

// encoding is an instruction with what its operands need.
type encoding struct {
	Row  *isa.Row
	Code []byte
	Inst x86.Inst
	Slot int

	// where is the address that the encoding itself fixes (absolute or relative
	// to RIP), index the value that its index register then has to have.
	where, index uint64
	fixed        bool
}

// Addr is where the instruction is.
func (e *encoding) Addr() uint64 { return hostcpu.Slots + uint64(e.Slot)*hostcpu.SlotSize }

// encode makes a random encoding of a row for a slot. It reports false if the
// dice gave one that cannot be used; try again.
func encode(row *isa.Row, slot int, r *rng) (*encoding, bool) {
	e := &encoding{Row: row, Slot: slot}
	a := assembler{e: e, r: r, row: row}
	if !a.assemble() {
		return nil, false
	}
	e.Code = a.code
	if len(e.Code) > x86MaxLength {
		return nil, false
	}
	in, err := x86.Decode(e.Code, e.Addr())
	if err != nil || in.Len != len(e.Code) || in.Name != row.Mnemonic {
		return e, false // the test of encodings reports it
	}
	e.Inst = in
	return e, true
}

const x86MaxLength = 15

// assembler puts the bytes together.
type assembler struct {
	e      *encoding
	r      *rng
	row    *isa.Row
	code   []byte
	rex    byte
	size   int // operand size in bytes where the row leaves it open
	addr32 bool
	tail   []byte // displacement and SIB
	ripAt  int    // offset in tail of a displacement relative to RIP, or -1
	modrm  byte
}

func (a *assembler) assemble() bool {
	a.ripAt = -1
	a.rex = a.r.pick([]byte{0, 0, 0x40, 0x41, 0x44, 0x48, 0x45, 0x4D}) | a.r.byte()&7&-(a.r.byte()&1)
	if a.rex&0x40 == 0 {
		a.rex = 0
	}
	has66 := a.r.chance(4) && a.row.Prefix == isa.Any && !a.row.Has("f64")
	if a.row.Prefix == isa.PF2 && a.row.Map == isa.Map0F38 || a.row.Prefix == isa.PF3 && a.row.Map == isa.Map0F && a.sized("v") {
		has66 = a.r.chance(4) // an operand size next to the mandatory prefix
	}
	if a.row.VEX {
		has66, a.rex = false, a.rex|0x40
	}
	if a.row.W >= 0 {
		a.rex = a.rex&^8 | byte(a.row.W)<<3 | 0x40
	}
	if a.row.NoB {
		a.rex &^= 1
	}
	a.addr32 = a.r.chance(16)
	if a.row.ModRM && !a.modRM() {
		return false
	}
	a.operandSize(has66)
	a.prefixes(has66)
	a.opcode()
	if a.row.ModRM {
		a.code = append(a.code, a.modrm)
	}
	at := len(a.code)
	a.code = append(a.code, a.tail...)
	a.immediates()
	if a.ripAt >= 0 {
		end := a.e.Addr() + uint64(len(a.code))
		binary.LittleEndian.PutUint32(a.code[at+a.ripAt:], uint32(a.e.where-end))
	}
	return true
}

// sized reports whether an operand has a class.
func (a *assembler) sized(class string) bool {
	for _, o := range a.row.Operands {
		if o.Class == class {
			return true
		}
	}
	return false
}

func (a *assembler) operandSize(has66 bool) {
	switch {
	case a.rex&8 != 0:
		a.size = 8
	case has66 || a.row.Prefix == isa.P66:
		a.size = 2
	case a.row.Has("d64") || a.row.Has("f64"):
		a.size = 8
	default:
		a.size = 4
	}
}

func (a *assembler) prefixes(has66 bool) {
	var p []byte
	if has66 || a.row.Prefix == isa.P66 && !a.row.VEX {
		p = append(p, 0x66)
	}
	if a.addr32 {
		p = append(p, 0x67)
	}
	if a.r.chance(16) {
		p = append(p, a.r.pick([]byte{0x2E, 0x36, 0x3E, 0x26, 0x65}))
	}
	if a.row.Has("lock") && a.memory() && (a.r.chance(3)) {
		p = append(p, 0xF0)
	}
	if a.row.Has("rep") && !a.r.chance(4) {
		p = append(p, a.r.pick([]byte{0xF2, 0xF3}))
	}
	if !a.row.VEX {
		switch a.row.Prefix {
		case isa.PF2:
			p = append(p, 0xF2)
		case isa.PF3:
			p = append(p, 0xF3)
		}
	}
	a.code = append(a.code, p...)
}

// memory reports whether r/m is memory.
func (a *assembler) memory() bool { return a.row.ModRM && a.modrm < 0xC0 }

func (a *assembler) opcode() {
	op := a.row.Opcode
	if a.row.Plus > 1 {
		op += byte(a.r.below(int(a.row.Plus)))
	}
	if a.row.VEX {
		m := byte(2)
		if a.row.Map == isa.Map0F3A {
			m = 3
		}
		pp := map[isa.Prefix]byte{isa.NP: 0, isa.P66: 1, isa.PF3: 2, isa.PF2: 3}[a.row.Prefix]
		vvvv := byte(15)
		if slices.ContainsFunc(a.row.Operands, func(o isa.Operand) bool { return o.Kind == 'B' }) {
			vvvv = a.r.byte() & 15
		}
		a.code = append(a.code, 0xC4, ^a.rex&7<<5|m, a.rex&8<<4|vvvv<<3|pp, op)
		return
	}
	if a.rex != 0 {
		a.code = append(a.code, a.rex)
	}
	switch a.row.Map {
	case isa.Map0F:
		a.code = append(a.code, 0x0F)
	case isa.Map0F38:
		a.code = append(a.code, 0x0F, 0x38)
	case isa.Map0F3A:
		a.code = append(a.code, 0x0F, 0x3A)
	}
	a.code = append(a.code, op)
}

// modRM chooses r/m, SIB and displacement.
func (a *assembler) modRM() bool {
	if a.row.Fixed >= 0 {
		a.modrm = byte(a.row.Fixed)
		return true
	}
	a.modrm = a.r.byte() &^ 0xC0
	if a.row.Digit >= 0 {
		a.modrm = a.modrm&7 | byte(a.row.Digit)<<3
	}
	reg := a.row.Mod == isa.RegOnly || a.row.Mod == isa.RegOrMem && a.r.chance(2)
	if reg {
		a.modrm |= 0xC0
		return true
	}
	a.modrm |= byte(a.r.below(3)) << 6
	a.e.where = want(a.row, a.r, true)
	return a.address()
}

// address writes SIB and displacement behind a ModRM byte for memory.
func (a *assembler) address() bool {
	mod, rm := a.modrm>>6, a.modrm&7
	absolute := false
	if rm == 4 {
		s := a.r.byte()
		a.tail = append(a.tail, s)
		base, index := s&7|a.rex&1<<3, s>>3&7|a.rex&2<<2
		if index != 4 && index == base && (mod != 0 || s&7 != 5) {
			return false // base and index would have to be one value
		}
		if mod == 0 && s&7 == 5 {
			absolute = true
			a.e.fixed = true
			disp := a.e.where
			if index != 4 {
				a.e.index = a.r.next() & 0x7FFF
				disp -= a.e.index << (s >> 6)
			}
			a.tail = binary.LittleEndian.AppendUint32(a.tail, uint32(disp))
		}
	} else if rm == 5 && mod == 0 {
		absolute = true
		a.e.fixed = true
		a.ripAt = len(a.tail)
		a.tail = append(a.tail, 0, 0, 0, 0)
	}
	switch {
	case absolute:
	case mod == 1:
		a.tail = append(a.tail, a.r.byte())
	case mod == 2:
		a.tail = binary.LittleEndian.AppendUint32(a.tail, uint32(a.r.next()))
	}
	return true
}

func (a *assembler) immediates() {
	for _, o := range a.row.Operands {
		switch o.Kind {
		case 'I':
			a.immediate(o.Class)
		case 'J':
			n := map[string]int{"b": 1, "z": 4}[o.Class]
			rel := uint32(hostcpu.Taken - len(a.code) - n)
			a.code = append(a.code, binary.LittleEndian.AppendUint32(nil, rel)[:n]...)
		case 'O':
			a.e.fixed = true
			a.e.where = want(a.row, a.r, true)
			b := binary.LittleEndian.AppendUint64(nil, a.e.where)
			if a.addr32 {
				b = b[:4]
			}
			a.code = append(a.code, b...)
		}
	}
}

func (a *assembler) immediate(class string) {
	n := 1
	switch class {
	case "w":
		n = 2
	case "v":
		n = a.size
	case "z":
		n = min(a.size, 4)
	}
	v := a.r.value()
	switch {
	case a.row.Sem == "enter" && n == 1:
		v = 0 // nesting levels are not supported
	case a.row.Sem == "enter":
		v &= 0xFF // the new top of the stack has to be in the data area
	}
	a.code = append(a.code, binary.LittleEndian.AppendUint64(nil, v)[:n]...)
}

// want is an address for a memory operand, below 4 GB if asked.
func want(row *isa.Row, r *rng, low bool) uint64 {
	if at, ok := trouble(row, r, low); ok {
		return at
	}
	at := uint64(window + 0x100 + r.below(0x200))
	if r.chance(8) {
		at = uint64(boundary - r.below(17))
	}
	if row.Has("align") {
		at &^= 15
	}
	return at
}

// trouble is now and then an address at which an access faults, or nearly so.
func trouble(row *isa.Row, r *rng, low bool) (uint64, bool) {
	if !r.chance(12) {
		return 0, false
	}
	kinds := 6
	if low {
		kinds = 5
	}
	switch kind := r.below(kinds); {
	case kind == 5:
		return notCanonical(r), true
	case kind == 0:
		return uint64(hostcpu.Hole + r.below(0x100)), true
	case row.Has("branch"):
		return 0, false // what it reads has to fault, or it jumps there
	case kind == 1:
		return uint64(hostcpu.Hole - r.below(40)), true
	case kind == 2:
		return uint64(hostcpu.ReadOnly - r.below(33)), true
	case kind == 3:
		return uint64(hostcpu.ReadOnly + r.below(0x100)), true
	}
	return uint64(window + 0x100 + r.below(0x200)), true // perhaps not aligned
}

// notCanonical is an address whose bits 63 to 47 differ, some of them hardly.
func notCanonical(r *rng) uint64 {
	switch r.below(3) {
	case 0:
		return 1<<47 + uint64(r.below(64))
	case 1:
		return ^uint64(1<<47) - uint64(r.below(64))
	}
	return r.next()&^(3<<62) | 1<<62
}

func canonical(at uint64) bool { return int64(at<<16)>>16 == int64(at) }
