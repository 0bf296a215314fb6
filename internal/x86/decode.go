package x86

import (
	"errors"
	"strings"
)

// Decoding follows SDM volume 2, chapter 2: prefixes, REX or VEX, opcode, ModRM,
// SIB, displacement, immediate. Which rows of the table an opcode may stand for
// is in maps (zz_rows.go); the most particular one comes first.

// row is one row of the table of instructions: see internal/x86/isa.
type row struct {
	name               string
	codes              [8]uint16 // by log2 of the operand size times 2, plus 1 for memory
	operands           [3]operand
	written, undefined uint64
	attrs              attrs
	fixed              int16
	digit, w           int8
	prefix, mod, size  uint8
	byCount            bool // undefined flags depend on the count
}

type operand struct {
	kind        byte
	class       uint8
	read, write bool
}

// Classes of operands.
const (
	classNone = iota
	classB
	classBS
	classW
	classD
	classQ
	classX
	classV
	classY
	classZ
)

type attrs uint16

const (
	canLock attrs = 1 << iota
	default64
	force64
	canRep
	endsBlock
	aligned
	notExecuted
	privileged
	notTested
	usesMXCSR
	noRexB
	hasModRM
	hasCond
)

// Mandatory prefixes and kinds of r/m, as in package isa.
const (
	prefixAny = iota
	prefixNP
	prefix66
	prefixF2
	prefixF3
)

const (
	modAny = iota
	modMem
	modReg
)

// Segments with a base.
const (
	segNone = iota
	segFS
	segGS
)

const maxLength = 15

// Inst is a decoded instruction.
type Inst struct {
	Name string // mnemonic of the manual
	Len  int
	Size uint8 // operand size in bytes

	// Reg are the register operands by position (general or XMM numbers); High
	// is 8 for AH, CH, DH and BH.
	Reg  [3]uint8
	High [3]uint8

	// Mem: an operand is in memory, at the base of Seg + Base + Index<<Scale +
	// Disp; registers 16 are none. An address relative to RIP is in Disp.
	Mem         bool
	Base, Index uint8
	Scale       uint8
	Seg         uint8 // 1 FS, 2 GS
	Addr32      bool
	Disp        uint64

	Imm  uint64 // also the target of a relative jump, and both of ENTER's
	Cond uint8
	Lock bool
	Rep  uint8 // 0, 0xF2 or 0xF3

	row *row
}

// Errors of Decode.
var (
	ErrShort       = errors.New("the instruction goes on behind the end of the bytes")
	ErrUndefined   = errors.New("undefined instruction")
	ErrUnsupported = errors.New("unsupported instruction")
	ErrTooLong     = errors.New("instruction of more than 15 bytes")
)

type decoder struct {
	code []byte
	at   int
	err  error

	p66, vex, vexL  bool
	rex             uint8 // 0x40 and the bits WRXB, also from VEX
	vvvv, vexPrefix uint8
	modrm           uint8
	mod, reg, rm    uint8
	opcode          uint8
	opcodeMap       int
	rip             bool
}

// Decode decodes the instruction at addr, of which code has the bytes.
func Decode(code []byte, addr uint64) (Inst, error) {
	d := decoder{code: code}
	if len(code) > maxLength {
		d.code = code[:maxLength]
	}
	in := Inst{Base: regZero, Index: regZero}
	d.prefixes(&in)
	r := d.find(&in)
	if r != nil {
		in.row, in.Name = r, r.name
		in.Size = d.size(r)
		if r.attrs&force64 != 0 && r.attrs&endsBlock != 0 && d.p66 && d.rex&8 == 0 {
			d.fail(ErrUnsupported) // a near branch of 16 bits on AMD, of 64 on Intel
		}
		d.operands(&in)
		d.finish(&in, addr)
	}
	if d.err == ErrShort && len(code) >= maxLength {
		d.err = ErrTooLong
	}
	in.Len = d.at
	return in, d.err
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) byte() uint8 {
	if d.at >= len(d.code) {
		d.fail(ErrShort)
		return 0
	}
	d.at++
	return d.code[d.at-1]
}

// immediate reads n bytes, little endian.
func (d *decoder) immediate(n int) (v uint64) {
	for i := range n {
		v |= uint64(d.byte()) << (8 * i)
	}
	return v
}

// prefixes reads up to and including the opcode.
func (d *decoder) prefixes(in *Inst) {
	for d.err == nil {
		b := d.byte()
		switch {
		case b == 0x66:
			d.p66 = true
		case b == 0x67:
			in.Addr32 = true
		case b == 0xF0:
			in.Lock = true
		case b == 0xF2 || b == 0xF3:
			in.Rep = b
		case b == 0x64:
			in.Seg = segFS
		case b == 0x65:
			in.Seg = segGS
		case b == 0x26 || b == 0x2E || b == 0x36 || b == 0x3E:
			// no effect in 64-bit mode, also on FS and GS (SDM volume 1, 3.3.7.1)
		case b&0xF0 == 0x40:
			d.rex = b
			if next := d.peek(); isPrefix(next) {
				d.rex = 0 // ignored if not directly in front of the opcode
			}
			continue
		default:
			d.escape(in, b)
			return
		}
	}
}

func (d *decoder) peek() uint8 {
	if d.at < len(d.code) {
		return d.code[d.at]
	}
	return 0
}

func isPrefix(b uint8) bool {
	return b&0xF0 == 0x40 || strings.IndexByte("\x66\x67\xF0\xF2\xF3\x64\x65\x26\x2E\x36\x3E", b) >= 0
}

// escape reads the opcode that begins with b.
func (d *decoder) escape(in *Inst, b uint8) {
	switch {
	case b == 0xC4 || b == 0xC5:
		d.readVEX(in, b)
		return
	case b == 0x62 || b == 0x8F && d.peek()&0x1F >= 8:
		d.fail(ErrUnsupported) // EVEX, XOP
	case b == 0x0F:
		d.opcodeMap = 1
		switch b = d.byte(); b {
		case 0x38:
			d.opcodeMap, b = 2, d.byte()
		case 0x3A:
			d.opcodeMap, b = 3, d.byte()
		}
	}
	d.opcode = b
}

func (d *decoder) readVEX(in *Inst, b uint8) {
	if d.p66 || in.Lock || in.Rep != 0 || d.rex != 0 {
		d.fail(ErrUndefined)
	}
	if b == 0xC5 {
		d.fail(ErrUnsupported) // map 0F: AVX only
		return
	}
	x := d.byte()
	y := d.byte()
	d.vex = true
	d.rex = 0x40 | ^x>>5&7 | y>>7<<3
	d.vvvv, d.vexPrefix = ^y>>3&15, y&3
	d.vexL = y&4 != 0
	if m := x & 31; m != 2 && m != 3 {
		d.fail(ErrUnsupported)
	} else {
		d.opcodeMap = int(m) + 2
	}
	d.opcode = d.byte()
}

// find returns the row that the bytes stand for. What the table does not have is
// undefined.
func (d *decoder) find(in *Inst) *row {
	if d.err != nil {
		return nil
	}
	list := maps[d.opcodeMap][d.opcode]
	for _, i := range candidates[list[0] : list[0]+list[1]] {
		r := &rows[i]
		if r.attrs&hasModRM != 0 && d.mod == 0 && !d.readModRM() {
			return nil
		}
		if d.matches(r, in) {
			if d.vexL {
				d.fail(ErrUndefined) // VEX.L has to be 0
			}
			return r
		}
	}
	if d.vex {
		d.fail(ErrUnsupported) // AVX
	}
	d.fail(ErrUndefined)
	return nil
}

// modRMRead marks that readModRM was called: no ModRM byte has this mod.
const modRMRead = 4

func (d *decoder) readModRM() bool {
	d.modrm = d.byte()
	d.mod, d.reg, d.rm = d.modrm>>6|modRMRead, d.modrm>>3&7, d.modrm&7
	return d.err == nil
}

func (d *decoder) isReg() bool { return d.mod&3 == 3 }

func (d *decoder) matches(r *row, in *Inst) bool {
	switch {
	case !d.prefixMatches(r.prefix, in),
		r.fixed >= 0 && int16(d.modrm) != r.fixed,
		r.digit >= 0 && int8(d.reg) != r.digit,
		r.mod == modMem && d.isReg(), r.mod == modReg && !d.isReg(),
		r.w >= 0 && int8(d.rex>>3&1) != r.w,
		r.attrs&noRexB != 0 && d.rex&1 != 0:
		return false
	}
	return true
}

func (d *decoder) prefixMatches(p uint8, in *Inst) bool {
	if d.vex {
		return d.vexPrefix == [...]uint8{0, 0, 1, 3, 2}[p]
	}
	switch p {
	case prefixNP:
		return !d.p66 && in.Rep == 0
	case prefix66:
		return d.p66 && in.Rep == 0
	case prefixF2:
		return in.Rep == 0xF2
	case prefixF3:
		return in.Rep == 0xF3
	}
	return true
}

// size is the operand size (SDM volume 1, 3.6.1).
func (d *decoder) size(r *row) uint8 {
	wide := d.rex&8 != 0
	switch {
	case r.attrs&force64 != 0:
		return 8
	case r.size == classB:
		return 1
	case r.size == classW:
		return 2
	case r.size == classD:
		return 4
	case r.size == classQ:
		return 8
	case r.size == classX:
		return 16
	case wide && r.size != classZ:
		return 8
	case r.size == classY:
		return 4
	case d.p66:
		return 2
	case r.attrs&default64 != 0:
		return 8
	}
	return 4
}

// operands reads ModRM's address and fills in the registers.
func (d *decoder) operands(in *Inst) {
	r := in.row
	moveCR := r.operands[0].kind == 'K' || r.operands[1].kind == 'K'
	if r.attrs&hasModRM != 0 && !d.isReg() && !moveCR {
		d.memory(in)
	}
	for i, o := range r.operands {
		b := d.rex & 1 << 3
		switch o.kind {
		case 'E':
			if !in.Mem {
				d.general(in, i, d.rm|b, o.class)
			}
		case 'G':
			d.general(in, i, d.reg|d.rex&4<<1, o.class)
		case 'Z':
			d.general(in, i, d.opcode&7|b, o.class)
		case 'B':
			in.Reg[i] = d.vvvv
		case 'C':
			in.Reg[i] = RCX
		case 'D':
			in.Reg[i] = RDX
		case 'V', 'K':
			in.Reg[i] = d.reg | d.rex&4<<1
		case 'S':
			in.Reg[i] = d.reg
		case 'W', 'U':
			in.Reg[i] = d.rm | b
		case 'O':
			in.Mem = true
			n := 8
			if in.Addr32 {
				n = 4
			}
			in.Disp = d.immediate(n)
		}
	}
}

// general sets a general register operand: without REX, byte registers 4 to 7
// are AH, CH, DH, BH (SDM volume 2, 2.2.1).
func (d *decoder) general(in *Inst, i int, reg, class uint8) {
	if class == classB && d.rex == 0 && reg >= 4 {
		in.Reg[i], in.High[i] = reg-4, 8
		return
	}
	in.Reg[i] = reg
}

// memory reads SIB and displacement (SDM volume 2, 2.1.5).
func (d *decoder) memory(in *Inst) {
	in.Mem = true
	mod := d.mod & 3
	switch {
	case d.rm == 4:
		d.sib(in, mod)
	case d.rm == 5 && mod == 0:
		d.rip = true
		in.Disp = extend(4, d.immediate(4))
	default:
		in.Base = d.rm | d.rex&1<<3
	}
	switch mod {
	case 1:
		in.Disp = extend(1, d.immediate(1))
	case 2:
		in.Disp = extend(4, d.immediate(4))
	}
}

func (d *decoder) sib(in *Inst, mod uint8) {
	s := d.byte()
	in.Scale = s >> 6
	if x := s>>3&7 | d.rex&2<<2; x != 4 {
		in.Index = x
	}
	if s&7 == 5 && mod == 0 {
		in.Disp = extend(4, d.immediate(4))
		return
	}
	in.Base = s&7 | d.rex&1<<3
}

// finish reads the immediates and checks what the prefixes ask for.
func (d *decoder) finish(in *Inst, addr uint64) {
	r := in.row
	shift := 0
	relative := false
	for _, o := range r.operands {
		switch o.kind {
		case 'I':
			in.Imm |= d.constant(in, o.class) << shift
			shift += 16
		case 'J':
			relative = true
			n := uint8(4)
			if o.class == classB {
				n = 1
			}
			in.Imm = extend(n, d.immediate(int(n)))
		case '1':
			in.Imm = 1
		}
	}
	end := addr + uint64(d.at)
	if relative {
		in.Imm += end
	}
	if d.rip {
		in.Disp += end
	}
	if r.attrs&hasCond != 0 {
		in.Cond = d.opcode & 15
	}
	switch {
	case in.Lock && (r.attrs&canLock == 0 || !in.Mem):
		d.fail(ErrUndefined)
	case d.vex && d.vvvv != 0 && r.operands[0].kind != 'B' && r.operands[1].kind != 'B' && r.operands[2].kind != 'B':
		d.fail(ErrUndefined) // VEX.vvvv has to be 1111 (SDM volume 2, 2.3.5.6)
	case r.attrs&notExecuted != 0:
		d.fail(ErrUnsupported)
	}
}

// constant reads an immediate.
func (d *decoder) constant(in *Inst, class uint8) uint64 {
	switch class {
	case classBS:
		return extend(1, d.immediate(1))
	case classB:
		return d.immediate(1)
	case classW:
		return d.immediate(2)
	case classV:
		return d.immediate(int(in.Size))
	}
	if in.Size == 2 {
		return extend(2, d.immediate(2))
	}
	return extend(4, d.immediate(4))
}
