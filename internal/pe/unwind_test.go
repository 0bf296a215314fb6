package pe

import (
	"encoding/binary"
	"testing"
)

const (
	testBase = 0xFFFFF800_12340000
	testRet  = 0xFFFFF800_55555555
)

// testImage has one function of 0x100 bytes at 0x1000 with the given unwind
// information at 0x2000, and code from where it is put.
func testImage(info []byte, code map[uint32]string) *Image {
	f := &File{Name: "test", Size: 0x3000, HeaderSize: 0, data: make([]byte, 0x3000)}
	f.Sections = []Section{
		{Name: ".text", RVA: 0x1000, Size: 0x1000, offset: 0x1000, fileSize: 0x1000, Characteristics: scnExecute},
		{Name: ".xdata", RVA: 0x2000, Size: 0x1000, offset: 0x2000, fileSize: 0x1000},
	}
	for i := range 0x1000 {
		f.data[0x1000+i] = 0x90
	}
	for at, bytes := range code {
		copy(f.data[at:], bytes)
	}
	copy(f.data[0x2000:], info)
	f.functions = []RuntimeFunction{{0x1000, 0x1100, 0x2000}}
	return &Image{File: f, Base: testBase}
}

// header makes the head of unwind information: version 1.
func header(flags, prolog, codes, frame byte) []byte {
	return []byte{1 | flags<<3, prolog, codes, frame}
}

// testStack is memory in which every cell holds its address, but for some.
func testStack(cells map[uint64]uint64) ReadFunc {
	return func(addr uint64) (uint64, bool) {
		if v, ok := cells[addr]; ok {
			return v, true
		}
		return addr, addr>>32 == 0xFFFFF880
	}
}

const sp = 0xFFFFF880_00001000

// start returns registers at an RVA of the test image.
func start(rva uint64) Registers {
	r := Registers{RIP: testBase + rva}
	for i := range r.GPR {
		r.GPR[i] = 0xAA00 + uint64(i)
	}
	r.GPR[RSP] = sp
	return r
}

// TestUnwindCodes gives each code alone: what it does to rsp before the return
// address is taken, and which register it loads from where.
func TestUnwindCodes(t *testing.T) {
	for _, c := range []struct {
		name  string
		codes []byte
		frame byte
		rsp   uint64 // where the return address is, relative to sp
		reg   int    // -1: none
		from  uint64 // relative to sp
	}{
		{"push rbx", []byte{1, 0x30}, 0, 8, 3, 0},
		{"push r15", []byte{1, 0xF0}, 0, 8, 15, 0},
		{"small allocation", []byte{4, 0x42}, 0, 40, -1, 0},
		{"large allocation", []byte{7, 0x01, 0x34, 0x12}, 0, 0x1234 * 8, -1, 0},
		{"huge allocation", []byte{7, 0x11, 0x08, 0, 1, 0}, 0, 0x10008, -1, 0},
		{"frame register", []byte{8, 0x03}, 0x25, 0x1000 - 0x20, -1, 0},
		{"save rsi", []byte{8, 0x64, 0x03, 0}, 0, 0, 6, 0x18},
		{"save rsi far", []byte{8, 0x65, 0x18, 0, 0, 0}, 0, 0, 6, 0x18},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := testImage(append(header(0, 16, byte(len(c.codes)/2), c.frame), c.codes...), nil)
			r := start(0x1020)
			r.GPR[5] = sp + 0x1000 // frame register
			frame, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + c.rsp: testRet}))
			if !ok || r.RIP != testRet || r.GPR[RSP] != sp+c.rsp+8 || frame.Function.Begin != 0x1000 {
				t.Fatalf("%v: rip 0x%X rsp 0x%X", ok, r.RIP, r.GPR[RSP])
			}
			if c.reg >= 0 && r.GPR[c.reg] != sp+c.from {
				t.Errorf("register %d is 0x%X", c.reg, r.GPR[c.reg])
			}
		})
	}
}

// TestUnwindProlog stops at every instruction of a prologue:
//
//	push rbp; push rbx; sub rsp, 0x40; lea rbp, [rsp+0x20]; movaps [rsp+0x30], xmm6
func TestUnwindProlog(t *testing.T) {
	codes := []byte{15, 0x68, 3, 0, 10, 0x03, 6, 0x72, 2, 0x30, 1, 0x50}
	im := testImage(append(header(0, 15, 6, 0x25), codes...), nil)
	for _, c := range []struct {
		rva, ret uint64 // ret: where the return address is, relative to sp
		rbx, rbp bool   // were pushed
	}{{0x1000, 0, false, false}, {0x1001, 8, false, true}, {0x1002, 16, true, true}, {0x1006, 0x50, true, true}, {0x100A, 0x50, true, true}, {0x1020, 0x50, true, true}} {
		r := start(c.rva)
		if c.rva >= 0x100A {
			r.GPR[5] = sp + 0x20
		}
		if c.rva >= 0x1020 {
			r.GPR[RSP] -= 0x100 // alloca
		}
		_, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + c.ret: testRet}))
		if !ok || r.RIP != testRet || r.GPR[RSP] != sp+c.ret+8 {
			t.Errorf("0x%X: %v rip 0x%X rsp 0x%X", c.rva, ok, r.RIP, r.GPR[RSP])
		}
		if rbx := r.GPR[3] != 0xAA03; rbx != c.rbx {
			t.Errorf("0x%X: rbx 0x%X", c.rva, r.GPR[3])
		}
		if c.rbp && r.GPR[5] != sp+c.ret-8 {
			t.Errorf("0x%X: rbp 0x%X", c.rva, r.GPR[5])
		}
		if want := [2]uint64{sp + 0x30, sp + 0x38}; c.rva == 0x1020 && r.XMM[6] != want {
			t.Errorf("xmm6 %X", r.XMM[6])
		}
	}
}

// TestUnwindEpilogue puts instructions at 0x1080 of a function with a frame of
// 0x28 bytes and rbx pushed. Anything that is no epilogue unwinds by the codes.
func TestUnwindEpilogue(t *testing.T) {
	const body = 0x30 // where the return address is then, relative to sp
	for _, c := range []struct {
		name, code string
		ret        uint64
	}{
		{"body", "\x90", body},
		{"add rsp, 0x28; pop rbx; ret", "\x48\x83\xC4\x28\x5B\xC3", 0x30},
		{"add rsp, 0x1000; ret", "\x48\x81\xC4\x00\x10\x00\x00\xC3", 0x1000},
		{"pop rbx; ret", "\x5B\xC3", 8},
		{"pop r15; pop rbx; rep ret", "\x41\x5F\x5B\xF3\xC3", 16},
		{"ret", "\xC3", 0},
		{"ret 8", "\xC2\x08\x00", 0},
		{"jmp to another function", "\xE9\x7B\x0E\x00\x00", 0},
		{"jmp into this function", "\xE9\x00\x00\x00\x00", body},
		{"short jmp into this function", "\xEB\x10", body},
		{"jmp to the start of this function", "\xE9\x7B\xFF\xFF\xFF", 0},
		{"jmp [rip+8]", "\xFF\x25\x08\x00\x00\x00", 0},
		{"rex.w jmp rax", "\x48\xFF\xE0", 0},
		{"rex.w jmp [rax+56]", "\x48\xFF\x60\x38", 0},
		{"jmp rax", "\xFF\xE0", body},
		{"add rsp, 8; nop", "\x48\x83\xC4\x08\x90", body},
		{"lea rsp, without a frame register", "\x48\x8D\x65\x08\xC3", body},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := testImage(append(header(0, 5, 2, 0), 5, 0x42, 1, 0x30), map[uint32]string{0x1080: c.code})
			r := start(0x1080)
			_, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + c.ret: testRet}))
			if !ok || r.RIP != testRet || r.GPR[RSP] != sp+c.ret+8 {
				t.Errorf("%v: rip 0x%X rsp 0x%X", ok, r.RIP, r.GPR[RSP])
			}
		})
	}
	t.Run("lea rsp, [rbp+8]", func(t *testing.T) {
		im := testImage(append(header(0, 5, 1, 0x05), 5, 0x03), map[uint32]string{0x1080: "\x48\x8D\x65\x08\x5B\xC3"})
		r := start(0x1080)
		r.GPR[5] = sp + 0x100
		_, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + 0x110: testRet}))
		if !ok || r.RIP != testRet || r.GPR[3] != sp+0x108 {
			t.Errorf("%v: rip 0x%X rbx 0x%X", ok, r.RIP, r.GPR[3])
		}
	})
}

// TestUnwindChained: a part of a function whose frame another part describes.
func TestUnwindChained(t *testing.T) {
	info := append(header(unwChained, 5, 2, 0), 5, 0x64, 9, 0) // save rsi at 0x48
	info = binary.LittleEndian.AppendUint32(info, 0x1000)
	info = binary.LittleEndian.AppendUint32(info, 0x1100)
	info = binary.LittleEndian.AppendUint32(info, 0x2000)
	im := testImage(append(append(header(unwExceptionHandler, 4, 1, 0), 4, 0x42, 0, 0), 0, 0x1F, 0, 0), nil)
	copy(im.File.data[0x2100:], info)
	im.File.functions = append(im.File.functions, RuntimeFunction{0x1200, 0x1300, 0x2100})
	for _, c := range []struct {
		rva     uint64
		rsi     uint64
		handler uint32
	}{{0x1202, 0xAA06, 0}, {0x1210, sp + 0x48, 0x1F00}} {
		r := start(c.rva)
		frame, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + 0x28: testRet}))
		if !ok || r.RIP != testRet || r.GPR[6] != c.rsi {
			t.Errorf("0x%X: %v rip 0x%X rsi 0x%X", c.rva, ok, r.RIP, r.GPR[6])
		}
		if frame.Handler != c.handler || frame.Establisher != sp {
			t.Errorf("0x%X: %+v", c.rva, frame)
		}
	}
}

// TestUnwindVersion2: codes that describe epilogues are passed over.
func TestUnwindVersion2(t *testing.T) {
	info := append([]byte{2, 5, 4, 0}, 5, 0x16, 0x20, 0x06, 5, 0x42, 1, 0x30)
	im := testImage(info, nil)
	im.File.functions = append(im.File.functions, RuntimeFunction{0x1200, 0x1300, 0x3001}) // shares the information
	im.File.Sections[1].Size = 0x2000
	im.File.Sections[1].fileSize = 0x2000
	im.File.data = binary.LittleEndian.AppendUint64(im.File.data, 0x1100_00001000)
	im.File.data = append(binary.LittleEndian.AppendUint32(im.File.data, 0x2000), make([]byte, 0xFF4)...)
	for _, rva := range []uint64{0x1080, 0x1280} {
		r := start(rva)
		if _, ok := im.Unwind(&r, testStack(map[uint64]uint64{sp + 0x30: testRet})); !ok || r.RIP != testRet || r.GPR[3] != sp+0x28 {
			t.Errorf("0x%X: %v rip 0x%X rbx 0x%X", rva, ok, r.RIP, r.GPR[3])
		}
	}
}

// TestUnwindMachineFrame: a function that an interrupt has entered.
func TestUnwindMachineFrame(t *testing.T) {
	for info, at := range map[byte]uint64{0x0A: sp + 0x28, 0x1A: sp + 0x30} {
		im := testImage(append(header(0, 4, 2, 0), 4, 0x42, 0, info), nil)
		r := start(0x1010)
		frame, ok := im.Unwind(&r, testStack(map[uint64]uint64{at: testRet, at + 24: 0x1234}))
		if !ok || !frame.Interrupted || r.RIP != testRet || r.GPR[RSP] != 0x1234 {
			t.Errorf("%v %+v: rip 0x%X rsp 0x%X", ok, frame, r.RIP, r.GPR[RSP])
		}
	}
}

// TestUnwindRefuses: what cannot be unwound leaves the registers alone.
func TestUnwindRefuses(t *testing.T) {
	none := func(uint64) (uint64, bool) { return 0, false }
	for _, c := range []struct {
		name string
		rip  uint64
		read ReadFunc
	}{
		{"elsewhere", 0x1000, testStack(nil)},
		{"in the header", testBase + 0x10, testStack(nil)},
		{"no stack", testBase + 0x1020, none},
		{"leaf without stack", testBase + 0x1800, none},
	} {
		im := testImage(append(header(0, 16, 1, 0), 1, 0x30), nil)
		r := start(0)
		r.RIP = c.rip
		before := r
		if _, ok := im.Unwind(&r, c.read); ok || r != before {
			t.Errorf("%s: %v, %+v", c.name, ok, r)
		}
	}
}

// TestWalk ends: at the end of the code, at a stack that does not move, at the
// limit.
func TestWalk(t *testing.T) {
	im := testImage(append(header(0, 16, 1, 0), 1, 0x30), nil)
	find := func(rip uint64) *Image {
		if _, in := im.RVA(rip); in {
			return im
		}
		return nil
	}
	count := func(r Registers, read ReadFunc, limit int) (n int) {
		Walk(r, read, find, limit, func(*Image, *Registers) bool { n++; return true })
		return n
	}
	loop := func(uint64) (uint64, bool) { return testBase + 0x1020, true }
	if n := count(start(0x1020), loop, 100); n != 100 {
		t.Error("endless stack:", n)
	}
	if n := count(start(0x1020), testStack(map[uint64]uint64{sp + 8: testBase + 0x1900, sp + 16: testRet}), 100); n != 3 {
		t.Error("three frames:", n)
	}
	stuck := testImage(append(header(0, 4, 1, 0), 0, 0x0A), nil)
	im = stuck
	same := func(addr uint64) (uint64, bool) {
		if addr == sp {
			return testBase + 0x1020, true
		}
		return sp, true
	}
	if n := count(start(0x1020), same, 50); n != 50 {
		t.Error("interrupted frames end at the limit only:", n)
	}
}
