package bind

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// Machine code for what a processor refuses. RCX is the first argument.
const (
	codeRead     = "\x8B\x01\xC3"             // mov eax, [rcx]; ret
	codeWrite    = "\x89\x01\xC3"             // mov [rcx], eax; ret
	codeJump     = "\xFF\xE1"                 // jmp rcx
	codeDivide   = "\x31\xC9\x31\xD2\xF7\xF1" // xor ecx, ecx; xor edx, edx; div ecx
	codeUD2      = "\x0F\x0B"
	codeInt3     = "\xCC"
	codeFastFail = "\xB9\x03\x00\x00\x00\xCD\x29" // mov ecx, 3; int 29h
	codeRecurse  = "\xE8\xFB\xFF\xFF\xFF"         // call itself
	codeInt80    = "\xCD\x80"
	codeHalt     = "\xF4"
	codeFlush    = "\x0F\x01\x39\x0F\x09\xC3"                         // invlpg [rcx]; wbinvd; ret
	codeDisable  = "\xFA\x9C\x59\x0F\xBA\xE1\x09\x72\xFE\xFB\xC3"     // cli; pushf; pop rcx; bt ecx, 9; jc itself; sti; ret
	codeDisabled = "\xFA\xC3"                                         // cli; ret
	codeSSE      = "\x6A\x00\x0F\xAE\x14\x24\x0F\x57\xC0\x0F\x5E\xC0" // push 0; ldmxcsr [rsp]; xorps xmm0, xmm0; divps xmm0, xmm0
	codeStack    = "\x48\x89\xCC\x50"                                 // mov rsp, rcx; push rax
	codeAligned  = "\x0F\x28\x41\x01"                                 // movaps xmm0, [rcx+1]
)

// executed runs machine code with an argument at a level and returns its
// address.
func (r *rig) executed(t *testing.T, code string, irql uint8, arg func(th *kernel.Thread) uint64) (at uint64, why kernel.Reason) {
	t.Helper()
	r.restore()
	at = r.m.Mem.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
	r.m.Mem.Write(at, []byte(code))
	why = r.run(t, func(th *kernel.Thread) {
		a := kernel.Args{arg(th)}
		th.WriteCR8(irql)
		th.Invoke("test", at, a)
		th.WriteCR8(0)
	})
	return at, why
}

// Each refusal becomes the bug check that Windows would show, with parameters
// that say where.
func TestFaults(t *testing.T) {
	block := func(th *kernel.Thread) uint64 { return th.AllocatePool(false, 64, kernel.PoolTag("Test")) }
	freed := func(th *kernel.Thread) uint64 { p := block(th); th.FreePool(p); return p }
	behind := func(th *kernel.Thread) uint64 { return block(th) + 64 }
	paged := func(th *kernel.Thread) uint64 { return th.AllocatePool(true, 64, kernel.PoolTag("Test")) }
	const wild = 0xFFFFF800_7FFFF000
	nowhere := func(*kernel.Thread) uint64 { return wild }
	none := func(*kernel.Thread) uint64 { return 0 }
	notCanonical := func(*kernel.Thread) uint64 { return 1 << 60 }
	const rip, any = ^uint64(0), ^uint64(1)
	r := newColdRig(t)
	r.keep(t)
	for _, c := range []struct {
		name, code string
		irql       uint8
		arg        func(th *kernel.Thread) uint64
		bugCheck   uint32
		params     [4]uint64
	}{
		{"read nowhere", codeRead, 0, nowhere, 0x50, [4]uint64{wild, 0, rip, 2}},
		{"write nowhere", codeWrite, 0, nowhere, 0x50, [4]uint64{wild, 2, rip, 2}},
		{"jump nowhere", codeJump, 0, nowhere, 0x50, [4]uint64{wild, 0x10, wild, 2}},
		{"read nowhere at DISPATCH_LEVEL", codeRead, 2, nowhere, 0xD1, [4]uint64{wild, 2, 0, rip}},
		{"write nowhere at DISPATCH_LEVEL", codeWrite, 2, nowhere, 0xD1, [4]uint64{wild, 2, 1, rip}},
		{"jump nowhere at DISPATCH_LEVEL", codeJump, 2, nowhere, 0xD1, [4]uint64{wild, 2, 8, wild}},
		{"read NULL at DIRQL", codeRead, 5, none, 0xD1, [4]uint64{0, 5, 0, rip}},
		{"jump into data", codeJump, 0, block, 0xFC, [4]uint64{any}},
		{"freed block", codeRead, 0, freed, 0xD5, [4]uint64{any, 0, rip}},
		{"write to a freed block at DISPATCH_LEVEL", codeWrite, 2, freed, 0xD5, [4]uint64{any, 1, rip}},
		{"behind a block", codeWrite, 0, behind, 0xD6, [4]uint64{any, 1, rip}},
		{"pageable data at DISPATCH_LEVEL", codeRead, 2, paged, 0xD1, [4]uint64{any, 2, 0, rip}},
		{"write to pageable data at DISPATCH_LEVEL", codeWrite, 2, paged, 0xD1, [4]uint64{any, 2, 1, rip}},
		{"not canonical", codeRead, 0, notCanonical, 0x7E, [4]uint64{0xC0000005, rip, any, any}},
		{"jump to what is not canonical", codeJump, 0, notCanonical, 0x7E, [4]uint64{0xC0000005, rip, any, any}},
		{"not canonical, through the stack segment", codeStack, 0, notCanonical, 0x7F, [4]uint64{0xC}},
		{"not aligned", codeAligned, 0, block, 0x7E, [4]uint64{0xC0000005, rip, any, any}},
		{"SSE exception", codeSSE, 0, none, 0x7F, [4]uint64{0x13}},
		{"divide", codeDivide, 0, none, 0x7E, [4]uint64{0xC0000094, any, any, any}},
		{"UD2", codeUD2, 0, none, 0x7E, [4]uint64{0xC000001D, rip, any, any}},
		{"INT 3", codeInt3, 0, none, 0x7E, [4]uint64{0x80000003, any, any, any}},
		{"fast fail", codeFastFail, 0, none, 0x139, [4]uint64{3, any, any, any}},
		{"recursion", codeRecurse, 0, none, 0x7F, [4]uint64{8, any}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, why := r.executed(t, c.code, c.irql, c.arg)
			found := r.m.Findings()
			if why != kernel.Stopped || len(found) != 1 || found[0].Code != c.bugCheck {
				t.Fatalf("%s, %v; want bug check 0x%X", why, found, c.bugCheck)
			}
			for i, want := range c.params {
				if want == rip {
					want = at
				}
				if got := found[0].Params[i]; want != any && got != want {
					t.Errorf("parameter %d is 0x%X, not 0x%X", i+1, got, want)
				}
			}
			if len(found[0].Stack) == 0 || !strings.HasPrefix(found[0].Stack[0], "0x") {
				t.Errorf("the stack does not begin with the address: %q", found[0].Stack)
			}
		})
	}
}

// String port I/O comes to the bus element by element, with a port that nothing
// answers: ones.
func TestStringPorts(t *testing.T) {
	r := newColdRig(t)
	r.bus(t)
	r.keep(t)
	const code = "\x48\x89\xCF\xB9\x03\x00\x00\x00\xBA\x34\x12\x00\x00" + // mov rdi, rcx; mov ecx, 3; mov edx, 1234h
		"\xF3\x6C" + // rep insb
		"\x48\x8D\x77\xFD\xB1\x03\xF3\x6E" + // lea rsi, [rdi-3]; mov cl, 3; rep outsb
		"\x8B\x47\xFD\xC3" // mov eax, [rdi-3]; ret
	var at uint64
	_, why := r.executed(t, code, 0, func(th *kernel.Thread) uint64 {
		at = th.AllocatePool(false, 64, kernel.PoolTag("Test"))
		return at
	})
	if v, _ := r.m.Mem.Load(at, 8); why != kernel.Done || v != 0xFFFFFF || len(r.m.Findings()) != 0 {
		t.Errorf("%s, %v, memory 0x%X", why, r.m.Findings(), v)
	}
}

// Reads and writes that are allowed are done, and instructions that dirql does
// not have stop the run by name.
func TestNoFaults(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	block := func(th *kernel.Thread) uint64 { return th.AllocatePool(false, 8, kernel.PoolTag("Test")) }
	for _, code := range []string{codeRead, codeWrite, codeFlush, codeDisable} {
		if _, why := r.executed(t, code, 2, block); why != kernel.Done || len(r.m.Findings()) != 0 {
			t.Errorf("%s, %v", why, r.m.Findings())
		}
	}
	for _, code := range []string{codeInt80, codeHalt, codeDisabled} {
		if _, why := r.executed(t, code, 0, block); why != kernel.Stopped || !r.m.Findings()[0].Unsupported {
			t.Errorf("%s, %v", why, r.m.Findings())
		}
	}
}
