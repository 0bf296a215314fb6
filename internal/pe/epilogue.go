package pe

import "encoding/binary"

// restore is what one instruction of an epilogue does.
type restore struct {
	pop bool
	reg uint8  // pop: into it; else: the stack pointer becomes reg + add
	add uint64 // may be negative
}

// maxEpilogue is the largest number of instructions that an epilogue can have:
// one that adjusts the stack, and pops.
const maxEpilogue = 16

// epilogue reports whether the code at rva is (the rest of) an epilogue, and
// what is left of it to do before the return. Unwind codes describe prologues
// only; an epilogue is recognised by its instructions, of which just these are
// allowed ("x64 prolog and epilog"):
//
//	add rsp, constant  or  lea rsp, [frame register + constant]
//	pop register ...
//	ret, or a jump out of the function
func (f *File) epilogue(rva uint32, fn RuntimeFunction, u *Unwind) ([]restore, bool) {
	code := f.at(rva) // not just that of fn: its last instructions can have an entry of their own
	var ops []restore
	if n, op, ok := adjustsStack(code, u); ok {
		ops = append(ops, op)
		code, rva = code[n:], rva+uint32(n)
	}
	for len(ops) < maxEpilogue {
		n, reg := popsRegister(code)
		if n == 0 {
			break
		}
		ops = append(ops, restore{pop: true, reg: reg})
		code, rva = code[n:], rva+uint32(n)
	}
	return ops, returns(code) || f.leaves(code, rva, fn)
}

// adjustsStack recognises add rsp, imm8/imm32 and lea rsp, [reg+disp8/disp32].
func adjustsStack(code []byte, u *Unwind) (int, restore, bool) {
	if len(code) < 4 || code[0]&0xF8 != 0x48 {
		return 0, restore{}, false
	}
	rex, op, modrm := code[0], code[1], code[2]
	imm32 := func() (int, restore, bool) {
		if len(code) < 7 {
			return 0, restore{}, false
		}
		return 7, restore{reg: RSP, add: uint64(int64(int32(binary.LittleEndian.Uint32(code[3:]))))}, true
	}
	imm8 := restore{reg: RSP, add: uint64(int64(int8(code[3])))}
	switch {
	case rex == 0x48 && op == 0x83 && modrm == 0xC4:
		return 4, imm8, true
	case rex == 0x48 && op == 0x81 && modrm == 0xC4:
		return imm32()
	case op == 0x8D && rex&^1 == 0x48 && modrm&0x38 == 0x20 && u.FrameReg != 0 && modrm&7|rex&1<<3 == u.FrameReg && modrm&7 != RSP:
		n, r, ok := 4, imm8, modrm>>6 == 1
		if modrm>>6 == 2 {
			n, r, ok = imm32()
		}
		r.reg = u.FrameReg
		return n, r, ok
	}
	return 0, restore{}, false
}

// popsRegister recognises pop reg; n is 0 if it is something else.
func popsRegister(code []byte) (n int, reg uint8) {
	switch {
	case len(code) >= 1 && code[0]&0xF8 == 0x58:
		return 1, code[0] & 7
	case len(code) >= 2 && code[0]&0xF0 == 0x40 && code[1]&0xF8 == 0x58:
		return 2, code[1]&7 | code[0]&1<<3
	}
	return 0, 0
}

// returns recognises ret, rep ret and ret imm16.
func returns(code []byte) bool {
	return len(code) >= 1 && (code[0] == 0xC3 || code[0] == 0xC2) || len(code) >= 2 && code[0] == 0xF3 && code[1] == 0xC3
}

// leaves recognises a jump out of the function: a relative one to the start of
// a function (also this one), or an indirect one that is marked as a tail call
// by rex.w or goes through a fixed pointer.
func (f *File) leaves(code []byte, rva uint32, fn RuntimeFunction) bool {
	var target uint32
	switch {
	case len(code) >= 2 && code[0] == 0xEB:
		target = rva + 2 + uint32(int32(int8(code[1])))
	case len(code) >= 5 && code[0] == 0xE9:
		target = rva + 5 + binary.LittleEndian.Uint32(code[1:])
	case len(code) >= 2 && code[0] == 0xFF && code[1] == 0x25: // jmp [rip+disp32]
		return true
	case len(code) >= 3 && code[0]&0xF8 == 0x48 && code[1] == 0xFF && code[2]>>3&7 == 4:
		return true
	default:
		return false
	}
	if target >= fn.Begin && target < fn.End {
		return target == fn.Begin && f.wholeFunction(fn)
	}
	// Another part of the same function is no way out.
	other, found := f.FunctionAt(target)
	return !found || other.Begin == target && f.wholeFunction(other)
}

// wholeFunction reports whether an entry is not chained to another one.
func (f *File) wholeFunction(fn RuntimeFunction) bool {
	u, ok := f.UnwindInfo(fn)
	return ok && u.Flags&unwChained == 0
}

// runEpilogue does what an epilogue would.
func (w *unwinder) runEpilogue(ops []restore) bool {
	for _, op := range ops {
		if !op.pop {
			w.regs.GPR[RSP] = w.regs.GPR[op.reg] + op.add
		} else if !w.pop(op.reg) {
			return false
		}
	}
	return true
}
