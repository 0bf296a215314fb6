package main

import (
	"fmt"
	"strings"
)

// Bodies of the cases of the interpreter's switch. Values of operands smaller
// than 64 bits are kept sign-extended: then flags.go needs no sizes.
//
// In a body, op is the operation, R the registers, c the processor; "goto
// fault" leaves the instruction undone.

// builtin are the operations that no row of the table stands for.
var builtin = []struct{ name, body string }{
	{"oNext", "k = 0\ngoto linked"},
	{"oAddress", "R[regAddress] = c.segmented(op)"},
	{"oStop", "c.stopAt(b, op)\ngoto fault"},
}

// ext sign-extends an expression from bits to 64.
func ext(bits int, expr string) string {
	if bits == 64 {
		return expr
	}
	return fmt.Sprintf("uint64(int64(int%d(%s)))", bits, expr)
}

// zext zero-extends it.
func zext(bits int, expr string) string {
	if bits == 64 {
		return expr
	}
	return fmt.Sprintf("uint64(uint%d(%s))", bits, expr)
}

// raw is a register operand (a or b) with the wanted bits lowest.
func raw(bits int, f string) string {
	if bits == 8 {
		return fmt.Sprintf("R[op.%s]>>(op.h%s&63)", f, f)
	}
	return fmt.Sprintf("R[op.%s]", f)
}

func reg(bits int, f string) string { return ext(bits, raw(bits, f)) }

// setReg assigns to a register: 32-bit results clear the upper half, smaller
// ones keep the rest (SDM volume 1, 3.4.1.1).
func setReg(bits int, f, v string) string {
	switch bits {
	case 8:
		return fmt.Sprintf("R[op.%s] = R[op.%s]&^(0xFF<<(op.h%s&63)) | uint64(uint8(%s))<<(op.h%s&63)\n", f, f, f, v, f)
	case 16:
		return fmt.Sprintf("R[op.%s] = R[op.%s]&^0xFFFF | uint64(uint16(%s))\n", f, f, v)
	}
	return fmt.Sprintf("R[op.%s] = %s\n", f, zext(bits, v))
}

const address = "ea := R[op.base] + R[op.idx]<<(op.sc&63) + op.disp\n"

// The bytes of an access are put together and taken apart one by one, which the
// compiler makes one load or store: nothing is inlined into a function as large as
// the switch. o, their offset in the page, has been compared with the last one
// that is possible; the compiler does not see that, hence unsafe.
const bytesAt = "p := (*[%d]byte)(unsafe.Add(unsafe.Pointer(e.data), o))\n"

// get assigns to m.
func get(bits int) string {
	s := fmt.Sprintf(bytesAt+"m = ", bits/8)
	for i := range bits / 8 {
		if i > 0 {
			s += " | "
		}
		s += fmt.Sprintf("uint64(p[%d])<<%d", i, 8*i)
	}
	return s
}

func put(bits int, v string) string {
	s := fmt.Sprintf(bytesAt+"v := %s\n", bits/8, v)
	for i := range bits / 8 {
		s += fmt.Sprintf("p[%d] = byte(v >> %d)\n", i, 8*i)
	}
	return s
}

// offset declares o, the offset of an access in the page of entry e of a TLB.
func offset(tlb string) string {
	return "e := &c." + tlb + "[ea>>pageShift&tlbMask]\no := ea - e.page\n"
}

// load declares m, zero-extended.
func load(bits int) string { return "var m uint64\n" + reload(bits) }

func reload(bits int) string {
	return offset("rt") + fmt.Sprintf("if o <= %d { %s } else if m, ok = c.load%d(b, op, ea); !ok { goto fault }\n",
		4096-bits/8, get(bits), bits)
}

func store(bits int, v string) string {
	return offset("wt") + fmt.Sprintf("if o <= %d { %s } else if !c.store%d(b, op, ea, %s) { goto fault }\n",
		4096-bits/8, put(bits, v), bits, zext(bits, v))
}

// modify is a read-modify-write: body makes r from x, both sign-extended.
func modify(bits int, body string) string {
	return address + "var m uint64\n" + offset("wt") +
		fmt.Sprintf("fast := o <= %d\n", 4096-bits/8) +
		fmt.Sprintf("if fast { %s } else if m, ok = c.update%d(b, op, ea); !ok { goto fault }\n", get(bits), bits) +
		"x := " + ext(bits, "m") + "\n" + body +
		fmt.Sprintf("if fast { %s } else if !c.finish%d(b, op, ea, %s) { goto fault }\n", put(bits, "r"), bits, zext(bits, "r"))
}

// hotBody returns the body for the semantics with operands of a form, "" if
// they are not in the switch.
func hotBody(sem, form string, bits int) string {
	if a, ok := alu[sem]; ok {
		return a.body(form, bits)
	}
	if f, ok := unary[sem]; ok {
		return unaryBody(f, form, bits)
	}
	if f, ok := hotBodies[sem]; ok {
		return f(form, bits)
	}
	return ""
}

// aluOp is an operation with two operands, a destination and flags.
type aluOp struct {
	expr, flags string
	extend      bool // the result has to be sign-extended again
	compare     bool // no destination
}

var alu = map[string]aluOp{
	"add":  {expr: "x + y", flags: "c.fa, c.fb, c.fr, c.fk = x, y, r, flagsAdd", extend: true},
	"adc":  {expr: "x + y + c.carry()", flags: "c.fa, c.fb, c.fr, c.fk = x, y, r, flagsAdd", extend: true},
	"sub":  {expr: "x - y", flags: "c.fa, c.fb, c.fr, c.fk = x, y, r, flagsSub", extend: true},
	"sbb":  {expr: "x - y - c.carry()", flags: "c.fa, c.fb, c.fr, c.fk = x, y, r, flagsSbb", extend: true},
	"cmp":  {expr: "x - y", flags: "c.fa, c.fb, c.fr, c.fk = x, y, r, flagsSub", extend: true, compare: true},
	"and":  {expr: "x & y", flags: "c.fr, c.fk = r, flagsLogic"},
	"or":   {expr: "x | y", flags: "c.fr, c.fk = r, flagsLogic"},
	"xor":  {expr: "x ^ y", flags: "c.fr, c.fk = r, flagsLogic"},
	"test": {expr: "x & y", flags: "c.fr, c.fk = r, flagsLogic", compare: true},
}

func (a aluOp) body(form string, bits int) string {
	r := "r := " + a.expr + "\n"
	if a.extend {
		r = "r := " + ext(bits, a.expr) + "\n"
	}
	y := map[byte]string{'R': "y := " + reg(bits, "b") + "\n", 'I': "y := op.imm\n"}
	switch {
	case len(form) != 2:
		return ""
	case form == "RM":
		s := address + load(bits) + "x, y := " + reg(bits, "a") + ", " + ext(bits, "m") + "\n" + r
		if !a.compare {
			s += setReg(bits, "a", "r")
		}
		return s + a.flags
	case form[0] == 'R':
		s := "x := " + reg(bits, "a") + "\n" + y[form[1]] + r
		if !a.compare {
			s += setReg(bits, "a", "r")
		}
		return s + a.flags
	case a.compare:
		return address + load(bits) + "x := " + ext(bits, "m") + "\n" + y[form[1]] + r + a.flags
	}
	return modify(bits, y[form[1]]+r) + a.flags
}

// unary has expression and flags of operations with one operand.
var unary = map[string][2]string{
	"inc": {"x + 1", "c.fc = c.carry()\nc.fa, c.fb, c.fr, c.fk = x, 1, r, flagsInc"},
	"dec": {"x - 1", "c.fc = c.carry()\nc.fa, c.fb, c.fr, c.fk = x, 1, r, flagsDec"},
	"neg": {"-x", "c.fa, c.fb, c.fr, c.fk = 0, x, r, flagsSub"},
	"not": {"^x", ""},
}

func unaryBody(f [2]string, form string, bits int) string {
	r := "r := " + ext(bits, f[0]) + "\n"
	if form == "R" {
		return "x := " + reg(bits, "a") + "\n" + r + setReg(bits, "a", "r") + f[1]
	}
	return modify(bits, r) + f[1]
}

var hotBodies map[string]func(form string, bits int) string

func init() {
	hotBodies = map[string]func(form string, bits int) string{
		"mov": movBody, "lea": leaBody, "xchg": xchgBody,
		"movzxb": extendBody(8, false), "movzxw": extendBody(16, false),
		"movsxb": extendBody(8, true), "movsxw": extendBody(16, true), "movsxd": extendBody(32, true),
		"shl": shiftBody("shl"), "shr": shiftBody("shr"), "sar": shiftBody("sar"), "rol": rotateBody("rol"), "ror": rotateBody("ror"),
		"imul2": imulBody, "imul3": imulBody,
		"push": pushBody, "pop": popBody, "cmovcc": cmovBody, "setcc": setBody, "cbw": cbwBody, "cwd": cwdBody,
		"jmp":  func(string, int) string { return "k = 1\ngoto linked" },
		"jcc":  func(string, int) string { return jccBody },
		"call": callBody, "ret": retBody, "retn": retBody, "jmpi": indirectBody, "calli": indirectBody,
		"nop": func(string, int) string { return "// nothing" }, "pause": func(string, int) string { return "c.Pauses++" },
		"movups": moveXMM(false), "movaps": moveXMM(true),
	}
}

func movBody(form string, bits int) string {
	switch form {
	case "RR":
		return setReg(bits, "a", raw(bits, "b"))
	case "RI":
		return setReg(bits, "a", "op.imm")
	case "RM":
		return address + load(bits) + setReg(bits, "a", "m")
	case "MR":
		return address + store(bits, raw(bits, "b"))
	}
	return address + store(bits, "op.imm")
}

func leaBody(_ string, bits int) string { return address + setReg(bits, "a", "ea") }

func xchgBody(form string, bits int) string {
	switch {
	case form == "MR": // always as with LOCK: see block.add
		return modify(bits, "r := "+raw(bits, "b")+"\n") + setReg(bits, "b", "x")
	case bits == 8:
		return ""
	}
	return "x, y := R[op.a], R[op.b]\n" + setReg(bits, "a", "y") + setReg(bits, "b", "x")
}

func extendBody(from int, signed bool) func(form string, bits int) string {
	f := zext
	if signed {
		f = ext
	}
	return func(form string, bits int) string {
		if form == "RR" {
			return setReg(bits, "a", f(from, raw(from, "b")))
		}
		return address + load(from) + setReg(bits, "a", f(from, "m"))
	}
}

// shiftBody is for register destinations; SDM volume 2, SAL/SAR/SHL/SHR.
func shiftBody(sem string) func(form string, bits int) string {
	return func(form string, bits int) string {
		if form[0] == 'M' || bits < 32 {
			return ""
		}
		n := "n := op.imm & %d\n"
		if form == "RR" {
			n = "n := R[op.b] & %d\n"
		}
		s := fmt.Sprintf(n, bits-1) + "x := " + zext(bits, "R[op.a]") + "\n"
		var cf, of string
		switch sem {
		case "shl":
			s += "r := " + ext(bits, "x << (n & 63)") + "\n"
			cf, of = fmt.Sprintf("x >> ((%d - n) & 63) & 1", bits), "(r>>63 ^ cf) << 11"
		case "shr":
			s += "r := " + ext(bits, "x >> (n & 63)") + "\n"
			cf, of = "x >> ((n - 1) & 63) & 1", fmt.Sprintf("x >> %d << 11", bits-1)
		case "sar":
			s += "r := uint64(int64(" + ext(bits, "x") + ") >> (n & 63))\n"
			cf, of = "x >> ((n - 1) & 63) & 1", "0"
		}
		s += setReg(bits, "a", "r")
		if of != "0" {
			of = " | " + of
		} else {
			of = ""
		}
		return s + "if n != 0 { cf := " + cf + "\nc.fa, c.fr, c.fk = cf" + of + ", r, flagsShift }"
	}
}

func rotateBody(sem string) func(form string, bits int) string {
	return func(form string, bits int) string {
		if form != "RI" || bits < 32 {
			return ""
		}
		s := fmt.Sprintf("n := op.imm & %d\nx := %s\n", bits-1, zext(bits, "R[op.a]"))
		if sem == "rol" {
			s += fmt.Sprintf("r := %s\n", zext(bits, fmt.Sprintf("x << (n & 63) | x >> ((%d - n) & 63)", bits)))
			return s + setReg(bits, "a", "r") + fmt.Sprintf("if n != 0 { c.setCO(r & 1, (r ^ r >> %d) & 1) }", bits-1)
		}
		s += fmt.Sprintf("r := %s\n", zext(bits, fmt.Sprintf("x >> (n & 63) | x << ((%d - n) & 63)", bits)))
		return s + setReg(bits, "a", "r") + fmt.Sprintf("if n != 0 { c.setCO(r >> %d, (r >> %d ^ r >> %d) & 1) }", bits-1, bits-1, bits-2)
	}
}

func imulBody(form string, bits int) string {
	if bits == 16 {
		return ""
	}
	var s string
	switch form {
	case "RR":
		s = "x, y := " + reg(bits, "a") + ", " + reg(bits, "b") + "\n"
	case "RM":
		s = address + load(bits) + "x, y := " + reg(bits, "a") + ", " + ext(bits, "m") + "\n"
	case "RRI":
		s = "x, y := " + reg(bits, "b") + ", op.imm\n"
	case "RMI":
		s = address + load(bits) + "x, y := " + ext(bits, "m") + ", op.imm\n"
	}
	s += "r := " + ext(bits, "x * y") + "\n" + setReg(bits, "a", "r") + "c.fa, c.fr, c.fk = 0, r, flagsShift\n"
	if bits == 64 {
		return s + "if mulOverflows(x, y) { c.fa = flagC | flagO }"
	}
	return s + "if r != x*y { c.fa = flagC | flagO }"
}

// Accesses to the stack look into the TLB's entry for it.

func pushTo(bits int, v string) string {
	return fmt.Sprintf("e := &c.top\no := ea - e.page\nif o <= %d { %s } else if !c.pushTo(b, op, ea, %d, %s) { goto fault }\n",
		4096-bits/8, put(bits, v), bits/8, zext(bits, v))
}

var popFrom = "var m uint64\ne := &c.top\no := ea - e.page\nif o <= 4088 { " + get(64) +
	" } else if m, ok = c.popFrom(b, op, ea); !ok { goto fault }\n"

func pushBody(form string, bits int) string {
	v := map[string]string{"R": "R[op.a]", "I": "op.imm"}[form]
	if v == "" {
		return ""
	}
	return fmt.Sprintf("ea := R[RSP] - %d\n", bits/8) + pushTo(bits, v) + "R[RSP] = ea"
}

func popBody(form string, bits int) string {
	if bits != 64 || form != "R" {
		return ""
	}
	return "ea := R[RSP]\n" + popFrom + "R[RSP] = ea + 8\nR[op.a] = m"
}

func cmovBody(form string, bits int) string {
	s := "m := R[op.b]\n"
	if form == "RM" {
		s = address + load(bits)
	}
	return s + "if !c.cond(op.cc) { m = R[op.a] }\n" + setReg(bits, "a", "m")
}

func setBody(form string, _ int) string {
	s := "v := c.condValue(op.cc)\n"
	if form == "R" {
		return s + setReg(8, "a", "v")
	}
	return address + s + store(8, "v")
}

func cbwBody(_ string, bits int) string { return setReg(bits, "a", ext(bits/2, "R[op.a]")) }

func cwdBody(_ string, bits int) string {
	return strings.ReplaceAll(setReg(bits, "a", "uint64(int64("+ext(bits, "R[RAX]")+")>>63)"), "op.a", "RDX")
}

const jccBody = `if op.cc&^1 == 4 {
	k = 0
	if (c.fr == 0) == (op.cc == 4) { k = 1 }
	goto linked
}
k = 0
if c.cond(op.cc) { k = 1 }
goto linked`

func callBody(string, int) string {
	return "ea := R[RSP] - 8\n" + pushTo(64, "op.disp") + "R[RSP] = ea\nk = 1\ngoto linked"
}

func retBody(form string, _ int) string {
	s := "ea := R[RSP]\n" + popFrom + "if !canonical(m) { c.wild(m); goto fault }\nR[RSP] = ea + 8"
	if form == "I" {
		s += " + op.imm"
	}
	return s + "\nc.RIP = m\ngoto indirect"
}

func indirectBody(form string, _ int) string {
	return "c.at(b, op)\nif !c.target(b, op) { goto fault }\ngoto indirect"
}

func moveXMM(aligned bool) func(form string, bits int) string {
	check := ""
	if aligned {
		check = "if ea&15 != 0 { c.misaligned(ea); goto fault }\n"
	}
	return func(form string, _ int) string {
		switch form {
		case "XX":
			return "c.X[op.a&15] = c.X[op.b&15]"
		case "XM":
			return address + check + "c.at(b, op)\nv, ok := c.loadX(ea)\nif !ok { goto fault }\nc.X[op.a&15] = v\nif c.logN > 0 { c.commit() }"
		}
		return address + check + "c.at(b, op)\nif !c.storeX(ea, c.X[op.b&15]) { goto fault }\nif c.logN > 0 { c.commit() }"
	}
}

// execFile is the interpreter's loop.
func (g *codes) execFile() string {
	var b strings.Builder
	b.WriteString(header + execTop)
	for _, o := range g.hot {
		fmt.Fprintf(&b, "case %s:\n%s\n", o.name, strings.TrimSpace(o.body))
	}
	b.WriteString(execBottom)
	return b.String()
}

const execTop = `import (
	"encoding/binary"
	"unsafe"
)

var le = binary.LittleEndian

const operationSize = unsafe.Sizeof(operation{})

// exec runs block b and what follows it, until something stops or the block
// that comes next has to be looked up by Run: then RIP says where to go on, and
// c.stop is none. The instructions of b are paid for by the caller.
func (c *CPU) exec(b *block) {
	R := &c.R
	var ok bool
	var next *block
	k := 0
	op := b.first
loop:
	for {
		switch op.code {
`

const execBottom = `default:
			c.at(b, op)
			if !c.cold(b, op) { goto fault }
			if c.logN > 0 { c.commit() }
			if op.jumps { goto indirect }
		}
		// The last operation of a block does not come here.
		op = (*operation)(unsafe.Add(unsafe.Pointer(op), operationSize))
	}
linked:
	next = b.link[k&1]
	if next == nil || next.seen != c.epoch || next.n > c.left {
		c.RIP = b.next[k&1]
		if next = c.follow(b, k); next == nil { return }
	}
	goto enter
indirect:
	next = c.code.cache[c.RIP&cacheMask]
	if next == nil || next.pc != c.RIP || next.seen != c.epoch || next.n > c.left {
		if next = c.follow(nil, 0); next == nil { return }
	}
enter:
	c.left -= next.n
	b, op = next, next.first
	goto loop
fault:
	c.RIP = b.pc + uint64(op.at)
	c.left += b.n - uint64(op.num)
}
`
