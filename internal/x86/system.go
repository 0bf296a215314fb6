package x86

import "github.com/dirql/dirql/internal/mem"

// Instructions of the system: what the embedder decides stops here. Sources:
// the instruction's page in SDM volume 2.

// operation asks the embedder, or returns what it has answered.
func (c *CPU) operation(o Operation) (uint64, bool) {
	if v, ok := c.replay(0, 0, logOperation); ok {
		return v.Lo, true
	}
	c.stop, c.Operation = StopPrivileged, o
	return 0, false
}

// unsupported stops at an instruction that is not executed.
func (c *CPU) unsupported(b *block, op *operation) bool {
	c.Bytes = c.instruction(b.pc + uint64(op.at))
	c.stop = StopUnsupported
	return false
}

// stopAt stops at bytes that Decode refuses.
func (c *CPU) stopAt(b *block, op *operation) {
	c.unsupported(b, op)
	switch _, err := Decode(c.Bytes, b.pc+uint64(op.at)); err {
	case ErrUndefined:
		c.raise(InvalidOpcode)
	case ErrTooLong:
		c.raise(GeneralProtection)
	}
}

func (c *CPU) doNone(b *block, op *operation) bool { return c.unsupported(b, op) }

func (c *CPU) doUd(*block, *operation) bool { return c.raise(InvalidOpcode) }

// interrupt is an exception that the program asks for.
func (c *CPU) interrupt(b *block, op *operation, vector uint8) bool {
	c.Exception = Exception{Vector: vector, Asked: true, Next: b.pc + uint64(op.at) + uint64(op.len)}
	c.stop = StopException
	return false
}

func (c *CPU) doInt3(b *block, op *operation) bool { return c.interrupt(b, op, Breakpoint) }
func (c *CPU) doInt1(b *block, op *operation) bool { return c.interrupt(b, op, Debug) }
func (c *CPU) doInt(b *block, op *operation) bool  { return c.interrupt(b, op, uint8(op.imm)) }

func (c *CPU) doCli(*block, *operation) bool { return c.setIF(0) }
func (c *CPU) doSti(*block, *operation) bool { return c.setIF(1) }

func (c *CPU) setIF(v uint64) bool {
	_, ok := c.operation(Operation{Op: SetIF, Value: v})
	if ok {
		c.sys = c.sys&^flagI | v<<9
	}
	return ok
}

func (c *CPU) doHlt(*block, *operation) bool {
	_, ok := c.operation(Operation{Op: Halt})
	return ok
}

// port is the port of IN and OUT: DX, or an immediate.
func (c *CPU) port(op *operation) uint32 {
	if op.b == RDX {
		return uint32(c.R[RDX] & 0xFFFF)
	}
	return uint32(op.imm)
}

func (c *CPU) doIn(_ *block, op *operation) bool {
	v, ok := c.operation(Operation{Op: PortIn, Number: c.port(op), Size: op.size})
	if ok {
		c.setReg(RAX, 0, op.size, v)
	}
	return ok
}

func (c *CPU) doOut(_ *block, op *operation) bool {
	_, ok := c.operation(Operation{Op: PortOut, Number: c.port(op), Size: op.size, Value: c.R[RAX] & mask(op.size)})
	return ok
}

// setPair writes EDX:EAX.
func (c *CPU) setPair(v uint64) { c.R[RAX], c.R[RDX] = v&mask(4), v>>32 }

func (c *CPU) doRdtsc(*block, *operation) bool {
	v, ok := c.operation(Operation{Op: ReadTSC, Size: 8})
	if ok {
		c.setPair(v)
	}
	return ok
}

func (c *CPU) doRdtscp(*block, *operation) bool {
	v, ok := c.operation(Operation{Op: ReadTSC, Size: 8})
	if ok {
		c.setPair(v)
		c.R[RCX] = uint64(c.ID)
	}
	return ok
}

func (c *CPU) doRdpmc(*block, *operation) bool {
	v, ok := c.operation(Operation{Op: ReadPMC, Number: uint32(c.R[RCX]), Size: 8})
	if ok {
		c.setPair(v)
	}
	return ok
}

func (c *CPU) doRdmsr(*block, *operation) bool {
	v, ok := c.operation(Operation{Op: ReadMSR, Number: uint32(c.R[RCX]), Size: 8})
	if ok {
		c.setPair(v)
	}
	return ok
}

func (c *CPU) doWrmsr(*block, *operation) bool {
	_, ok := c.operation(Operation{Op: WriteMSR, Number: uint32(c.R[RCX]), Size: 8, Value: c.R[RAX]&mask(4) | c.R[RDX]<<32})
	return ok
}

// control returns a control register, nil if there is no such register.
func (c *CPU) control(n uint8) *uint64 {
	switch n {
	case 0:
		return &c.CR0
	case 2:
		return &c.CR2
	case 3:
		return &c.CR3
	case 4:
		return &c.CR4
	case 8:
		return &c.CR8
	}
	return nil
}

func (c *CPU) doMovfromcr(_ *block, op *operation) bool {
	p := c.control(op.b)
	if p == nil {
		return c.raise(InvalidOpcode)
	}
	c.R[op.a] = *p
	return true
}

// doMovtocr raises #GP where CR8 gets a value above 15 (SDM volume 3, 12.8.6).
func (c *CPU) doMovtocr(_ *block, op *operation) bool {
	p, v := c.control(op.b), c.R[op.a]
	switch {
	case p == nil:
		return c.raise(InvalidOpcode)
	case op.b == 8 && v > 15:
		return c.raise(GeneralProtection)
	}
	_, ok := c.operation(Operation{Op: WriteCR, Number: uint32(op.b), Size: 8, Value: v})
	if ok {
		*p = v
	}
	return ok
}

// selectors are those of a 64-bit Windows kernel: ES, CS, SS, DS, FS, GS.
var selectors = [8]uint64{0x2B, 0x10, 0x18, 0x2B, 0x53, 0x2B}

func (c *CPU) doMovfromseg(_ *block, op *operation) bool {
	if op.b > 5 {
		return c.raise(InvalidOpcode)
	}
	if op.mem {
		return c.put(c.address(op), 2, selectors[op.b&7])
	}
	c.setReg(op.a, 0, op.size, selectors[op.b&7])
	return true
}

func (c *CPU) doInvlpg(_ *block, op *operation) bool {
	_, ok := c.operation(Operation{Op: FlushPage, Value: c.address(op)})
	return ok
}

// doClflush is CLFLUSH and its like: there are no caches, but the address has to
// be that of memory.
func (c *CPU) doClflush(_ *block, op *operation) bool {
	ea := c.address(op)
	if _, f := c.mem.ProtFor(ea, mem.Load); f.Kind != mem.NoFault && f.Kind != mem.DevicePage {
		if _, ok := c.replay(ea, 1, logLoad); !ok {
			return c.halt(StopFault, Access{Addr: ea, Size: 1, Kind: Read}, f)
		}
	}
	return true
}

func (c *CPU) doWbinvd(*block, *operation) bool {
	_, ok := c.operation(Operation{Op: FlushCache})
	return ok
}

func (c *CPU) doSwapgs(*block, *operation) bool {
	c.GSBase, c.KernelGSBase = c.KernelGSBase, c.GSBase
	return true
}

func (c *CPU) doRdfsbase(_ *block, op *operation) bool {
	c.setReg(op.a, 0, op.size, c.FSBase)
	return true
}

func (c *CPU) doRdgsbase(_ *block, op *operation) bool {
	c.setReg(op.a, 0, op.size, c.GSBase)
	return true
}

func (c *CPU) doWrfsbase(_ *block, op *operation) bool {
	return c.setBase(&c.FSBase, c.R[op.a]&mask(op.size))
}

func (c *CPU) doWrgsbase(_ *block, op *operation) bool {
	return c.setBase(&c.GSBase, c.R[op.a]&mask(op.size))
}

func (c *CPU) setBase(base *uint64, v uint64) bool {
	if !canonical(v) {
		return c.raise(GeneralProtection)
	}
	*base = v
	return true
}

// doXgetbv: XCR0 says x87 and SSE, no AVX.
func (c *CPU) doXgetbv(*block, *operation) bool {
	if uint32(c.R[RCX]) != 0 {
		return c.raise(GeneralProtection)
	}
	c.setPair(3)
	return true
}

// cpuidLeaf is what CPUID returns for one value of EAX.
type cpuidLeaf struct{ a, b, c, d uint32 }

// Bits of leaf 1 and 7 (SDM volume 2, CPUID) that the virtual processor has.
const (
	leaf1C = 1<<0 | 1<<9 | 1<<13 | 1<<19 | 1<<20 | 1<<22 | 1<<23 | // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT
		1<<26 | 1<<27 | 1<<31 // XSAVE, OSXSAVE, hypervisor
	leaf1D = 1<<0 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<8 | 1<<9 | 1<<11 | // FPU, PSE, TSC, MSR, PAE, CX8, APIC, SEP
		1<<12 | 1<<13 | 1<<15 | 1<<16 | 1<<19 | 1<<23 | 1<<24 | 1<<25 | 1<<26 // MTRR, PGE, CMOV, PAT, CLFSH, MMX, FXSR, SSE, SSE2
	leaf7B  = 1<<0 | 1<<3 | 1<<8 | 1<<9 | 1<<19 | 1<<23 | 1<<24 // FSGSBASE, BMI1, BMI2, ERMS, ADX, CLFLUSHOPT, CLWB
	leafExC = 1<<0 | 1<<5 | 1<<8                                // LAHF, LZCNT, PREFETCHW
	leafExD = 1<<11 | 1<<20 | 1<<27 | 1<<29                     // SYSCALL, NX, RDTSCP, long mode
)

// vendor is "dirqldirqlCP" in the order EBX, EDX, ECX: no real processor's, so
// that no driver looks for the MSRs of one.
var vendor = cpuidLeaf{b: 'd' | 'i'<<8 | 'r'<<16 | 'q'<<24, d: 'l' | 'd'<<8 | 'i'<<16 | 'r'<<24, c: 'q' | 'l'<<8 | 'C'<<16 | 'P'<<24}

func (c *CPU) doCpuid(*block, *operation) bool {
	var l cpuidLeaf
	switch leaf := uint32(c.R[RAX]); leaf {
	case 0:
		l = vendor
		l.a = 0xD
	case 1:
		l = cpuidLeaf{a: 0x000006F0, b: c.ID<<24 | 8<<8, c: leaf1C, d: leaf1D}
	case 7:
		if uint32(c.R[RCX]) == 0 {
			l.b = leaf7B
		}
	case 0xB:
		l.d = c.ID
	case 0xD:
		if uint32(c.R[RCX]) == 0 {
			l = cpuidLeaf{a: 3, b: 576, c: 576}
		}
	case 0x80000000:
		l.a = 0x80000008
	case 0x80000001:
		l.c, l.d = leafExC, leafExD
	case 0x80000007:
		l.d = 1 << 8 // invariant TSC
	case 0x80000008:
		l.a = 48<<8 | 46 // bits of virtual and physical addresses
	}
	c.R[RAX], c.R[RBX], c.R[RCX], c.R[RDX] = uint64(l.a), uint64(l.b), uint64(l.c), uint64(l.d)
	return true
}
