package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// asm makes a machine with some instructions, and RBX at pub+0x10.
func asm(t testing.TB, code string) *machine {
	m := newMachine(t, bytes(t, code))
	m.R[x86.RBX] = m.pub + 0x10
	return m
}

func (m *machine) access(want x86.Access) {
	m.t.Helper()
	if m.Access != want {
		m.t.Fatalf("access is %+v, want %+v", m.Access, want)
	}
}

// TestVisibleLoadAndStore: nothing happens before Allow, exactly one access
// after it.
func TestVisibleLoadAndStore(t *testing.T) {
	m := asm(t, "488b03"+"48894308"+"ff33"+"f4") // mov rax,[rbx]; mov [rbx+8],rax; push [rbx]; hlt
	m.StopVisible = true
	m.R[x86.RAX] = 1
	m.run(10, x86.StopVisible)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 8, Kind: x86.Read})
	m.equal("RAX before", m.R[x86.RAX], 1)
	m.run(10, x86.StopVisible) // without Allow it stops again
	m.space.Store(m.pub+0x10, 8, 77)
	m.Allow()
	m.run(10, x86.StopVisible)
	m.equal("RAX", m.R[x86.RAX], 77)
	m.access(x86.Access{Addr: m.pub + 0x18, Size: 8, Kind: x86.Write, Value: x86.XMM{Lo: 77}})
	m.equal("memory before", m.load(m.pub+0x18, 8), 0)
	m.Allow()
	m.run(10, x86.StopVisible)
	m.equal("memory", m.load(m.pub+0x18, 8), 77)
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("pushed", m.load(m.R[x86.RSP], 8), 77)
	m.equal("retired", m.Retired, 3)
}

// TestLostUpdate: INC without LOCK is two accesses; another processor's store
// falls between them and is lost. With LOCK it cannot.
func TestLostUpdate(t *testing.T) {
	m := asm(t, "ff03"+"f0ff03"+"f4") // inc dword [rbx]; lock inc dword [rbx]; hlt
	m.StopVisible = true
	m.run(10, x86.StopVisible)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 4, Kind: x86.Read, Half: true})
	m.Allow()
	m.run(10, x86.StopVisible)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 4, Kind: x86.Write, Half: true, Value: x86.XMM{Lo: 1}})
	if !m.Pending() {
		t.Error("between the halves, the instruction is not pending")
	}
	m.equal("RIP between the halves", m.RIP, m.code)
	m.space.Store(m.pub+0x10, 4, 100)
	m.run(10, x86.StopVisible)
	m.Allow()
	m.run(10, x86.StopVisible)
	m.equal("after the lost update", m.load(m.pub+0x10, 4), 1)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 4, Kind: x86.ReadWrite})
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("after LOCK INC", m.load(m.pub+0x10, 4), 2)
}

// TestXchgIsAtomic: XCHG with memory and CMPXCHG16B with LOCK are one access.
func TestXchgIsAtomic(t *testing.T) {
	m := asm(t, "8703"+"f0480fc70b"+"f4") // xchg [rbx],eax; lock cmpxchg16b [rbx]; hlt
	m.StopVisible = true
	m.R[x86.RAX] = 5
	m.run(10, x86.StopVisible)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 4, Kind: x86.ReadWrite})
	m.Allow()
	m.run(10, x86.StopVisible)
	m.access(x86.Access{Addr: m.pub + 0x10, Size: 16, Kind: x86.ReadWrite})
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("RAX after a failed comparison", m.R[x86.RAX], 5)
}

func TestDevice(t *testing.T) {
	m := asm(t, "8b03"+"ff03"+"89431c"+"f00903"+"f4") // mov eax,[rbx]; inc [rbx]; mov [rbx+1c],eax; lock or [rbx],eax; hlt
	m.R[x86.RBX] = m.device
	for _, visible := range []bool{false, true} {
		m.StopVisible = visible
		m.RIP = m.code
		m.run(10, x86.StopDevice)
		m.access(x86.Access{Addr: m.device, Size: 4, Kind: x86.Read})
		m.Supply(0x1234)
		m.run(10, x86.StopDevice)
		m.equal("RAX", m.R[x86.RAX], 0x1234)
		m.access(x86.Access{Addr: m.device, Size: 4, Kind: x86.Read, Half: true})
		m.Supply(7)
		m.run(10, x86.StopDevice)
		m.access(x86.Access{Addr: m.device, Size: 4, Kind: x86.Write, Half: true, Value: x86.XMM{Lo: 8}})
		m.Allow()
		m.run(10, x86.StopDevice)
		m.access(x86.Access{Addr: m.device + 0x1C, Size: 4, Kind: x86.Write, Value: x86.XMM{Lo: 0x1234}})
		m.Allow()
		m.run(10, x86.StopDevice)
		m.Supply(1)
		m.run(10, x86.StopDevice)
		m.access(x86.Access{Addr: m.device, Size: 4, Kind: x86.Write, Value: x86.XMM{Lo: 0x1235}})
		m.Allow()
		m.run(10, x86.StopPrivileged)
	}
}

// TestStringToDevice: REP MOVS from a device to memory asks for each element.
func TestStringToDevice(t *testing.T) {
	m := asm(t, "f3a5"+"f4") // rep movsd; hlt
	m.R[x86.RSI], m.R[x86.RDI], m.R[x86.RCX] = m.device, m.pub, 3
	for i := range uint64(3) {
		m.run(100, x86.StopDevice)
		m.equal("address", m.Access.Addr, m.device+4*i)
		m.equal("RCX", m.R[x86.RCX], 3-i)
		m.Supply(10 + i)
	}
	m.run(100, x86.StopPrivileged)
	m.equal("last element", m.load(m.pub+8, 4), 12)
	m.equal("retired", m.Retired, 3)
}

// TestFaults: a fault leaves the state as before the instruction, and running
// again succeeds if the reason has gone.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, code string
		rbx        func(m *machine) uint64
		want       mem.Fault
		at         uint64 // offset of the fault from RBX
	}{
		{"load of nothing", "8b03", func(*machine) uint64 { return 0x123456 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Load}, 0},
		{"store to nothing", "8903", func(*machine) uint64 { return 0 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Store}, 0},
		{"not canonical", "8b03", func(*machine) uint64 { return 1 << 60 }, mem.Fault{Kind: mem.NotCanonical, Access: mem.Load}, 0},
		{"second page of a load", "488b03", func(m *machine) uint64 { return m.pub + 0x1FFC }, mem.Fault{Kind: mem.NotPresent, Access: mem.Load}, 4},
		{"second page of a store", "48890b", func(m *machine) uint64 { return m.pub + 0x1FFC }, mem.Fault{Kind: mem.NotPresent, Access: mem.Store}, 4},
		{"read-modify-write of nothing", "ff03", func(*machine) uint64 { return 0x123456 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Store}, 0},
		{"16 bytes", "0f1003", func(m *machine) uint64 { return m.pub + 0x1FF8 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Load}, 8},
		{"push", "50", func(m *machine) uint64 { return 0x123456 - 8 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Store}, 0},
		{"call", "e800000000", func(m *machine) uint64 { return 0x123456 - 8 }, mem.Fault{Kind: mem.NotPresent, Access: mem.Store}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := asm(t, c.code)
			m.R[x86.RBX] = c.rbx(m)
			m.R[x86.RSP] = m.R[x86.RBX] + 8
			c.want.Addr = m.R[x86.RBX] + c.at
			var before, after x86.Context
			m.Save(&before)
			m.run(10, x86.StopFault)
			if m.Fault != c.want {
				t.Errorf("fault %+v, want %+v", m.Fault, c.want)
			}
			if m.Save(&after); before != after {
				t.Error("the state has changed")
			}
		})
	}
}

// TestFaultGoesOn: without special pool, the embedder does the access itself.
func TestFaultGoesOn(t *testing.T) {
	m := asm(t, "ff03"+"f4") // inc dword [rbx]; hlt
	block := m.space.Alloc(16, 0, false, 0)
	m.space.Store(block, 4, 41)
	m.space.Free(block, 0)
	m.R[x86.RBX] = block
	m.run(10, x86.StopFault)
	m.equal("reason", uint64(m.Fault.Kind), uint64(mem.Freed))
	m.Supply(m.space.LoadAnyway(block, 4))
	m.run(10, x86.StopFault)
	m.access(x86.Access{Addr: block, Size: 4, Kind: x86.Write, Half: true, Value: x86.XMM{Lo: 42}})
	m.space.StoreAnyway(block, 4, m.Access.Value.Lo)
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("memory", m.space.LoadAnyway(block, 4), 42)
}

func TestReadOnlyAndNoExecute(t *testing.T) {
	m := asm(t, "8903"+"ffe3") // mov [rbx],eax; jmp rbx
	ro := m.space.Map(mem.Images, 1, mem.Read)
	m.R[x86.RBX] = ro
	m.run(10, x86.StopFault)
	m.equal("store", uint64(m.Fault.Kind), uint64(mem.ReadOnly))
	m.Abandon()
	m.RIP += 2
	m.run(10, x86.StopFault)
	m.equal("jump", uint64(m.Fault.Kind), uint64(mem.NoExecute))
	m.equal("RIP", m.RIP, ro)
}

// TestPageable: at raised IRQL, loads, stores and execution stop.
func TestPageable(t *testing.T) {
	m := asm(t, "8b03"+"ffe3") // mov eax,[rbx]; jmp rbx
	page := m.space.Map(mem.Images, 1, mem.Read|mem.Exec|mem.Pageable)
	m.R[x86.RBX] = page
	m.run(1, x86.StopLimit)
	m.RIP = m.code
	m.StopPageable = true
	m.run(10, x86.StopPageable)
	m.access(x86.Access{Addr: page, Size: 4, Kind: x86.Read})
	m.Allow()
	m.run(10, x86.StopPageable)
	m.equal("RIP", m.RIP, page)
	m.equal("access", uint64(m.Fault.Access), uint64(mem.Fetch))
}

// TestPageableLock: a locked access to pageable memory is one access, too.
func TestPageableLock(t *testing.T) {
	m := asm(t, "f0ff03"+"f4")
	m.R[x86.RBX] = m.space.Map(mem.PagedPool, 1, mem.Read|mem.Write|mem.Pageable)
	m.StopPageable, m.StopVisible = true, true
	m.run(10, x86.StopPageable)
	m.access(x86.Access{Addr: m.R[x86.RBX], Size: 4, Kind: x86.ReadWrite})
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("memory", m.load(m.R[x86.RBX], 4), 1)
}

// TestExceptions: vector, and nothing has changed.
func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		name, code string
		vector     uint8
		set        func(m *machine)
	}{
		{"div by 0", "f7f1", x86.DivideError, func(m *machine) { m.R[x86.RCX] = 0 }},
		{"div overflow, 64 bits", "48f7f1", x86.DivideError, func(m *machine) { m.R[x86.RCX], m.R[x86.RDX] = 5, 5 }},
		{"div overflow, 32 bits", "f7f1", x86.DivideError, func(m *machine) { m.R[x86.RCX], m.R[x86.RDX] = 1, 1 }},
		{"div overflow, 16 bits", "66f7f1", x86.DivideError, func(m *machine) { m.R[x86.RCX], m.R[x86.RDX] = 7, 7 }},
		{"div overflow, 8 bits", "f6f1", x86.DivideError, func(m *machine) { m.R[x86.RCX], m.R[x86.RAX] = 2, 0x200 }},
		{"idiv by 0", "48f7f9", x86.DivideError, func(m *machine) { m.R[x86.RCX] = 0 }},
		{"idiv overflow, 64 bits", "48f7f9", x86.DivideError, func(m *machine) {
			m.R[x86.RAX], m.R[x86.RDX], m.R[x86.RCX] = 1<<63, ^uint64(0), ^uint64(0)
		}},
		{"idiv overflow, 32 bits", "f7f9", x86.DivideError, func(m *machine) {
			m.R[x86.RAX], m.R[x86.RDX], m.R[x86.RCX] = 1<<31, 0xFFFFFFFF, 0xFFFFFFFF
		}},
		{"idiv overflow, 16 bits", "66f7f9", x86.DivideError, func(m *machine) {
			m.R[x86.RAX], m.R[x86.RDX], m.R[x86.RCX] = 1<<15, 0xFFFF, 0xFFFF
		}},
		{"idiv overflow, 8 bits", "f6f9", x86.DivideError, func(m *machine) { m.R[x86.RAX], m.R[x86.RCX] = 0xFF80, 0xFF }},
		{"movaps, not aligned", "0f2803", x86.GeneralProtection, func(m *machine) { m.R[x86.RBX] += 8 }},
		{"movaps store, not aligned", "0f2903", x86.GeneralProtection, func(m *machine) { m.R[x86.RBX] += 8 }},
		{"paddb, not aligned", "660ffc03", x86.GeneralProtection, func(m *machine) { m.R[x86.RBX] += 1 }},
		{"cmpxchg16b, not aligned", "480fc70b", x86.GeneralProtection, func(m *machine) { m.R[x86.RBX] += 8 }},
		{"cr8 above 15", "440f22c0", x86.GeneralProtection, func(m *machine) { m.R[x86.RAX] = 16 }},
		{"more than 15 bytes", "66666666666666666666666666666690", x86.GeneralProtection, nil},
		{"ud2", "0f0b", x86.InvalidOpcode, nil},
		{"push es", "06", x86.InvalidOpcode, nil},
		{"nothing in the manual", "0f0a", x86.InvalidOpcode, nil},
		{"reserved digit", "ff38", x86.InvalidOpcode, nil},
		{"register where memory has to be", "0f2bc0", x86.InvalidOpcode, nil},
		{"prefix with another meaning", "f20f14c1", x86.InvalidOpcode, nil},
		{"lock on a register", "f001c8", x86.InvalidOpcode, nil},
		{"lock on mov", "f08903", x86.InvalidOpcode, nil},
		{"unmasked division", "0f5ec1", x86.FloatingPoint, func(m *machine) { m.MXCSR = 0x1D80; m.X[0].Lo = 0x3F800000 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := asm(t, c.code)
			if c.set != nil {
				c.set(m)
			}
			var before, after x86.Context
			m.Save(&before)
			m.run(10, x86.StopException)
			if m.Exception != (x86.Exception{Vector: c.vector}) {
				t.Errorf("%+v, want vector %d", m.Exception, c.vector)
			}
			m.Save(&after)
			if after.MXCSR &^= 0x3F; before != after {
				t.Error("the state has changed")
			}
		})
	}
}

func TestAskedExceptions(t *testing.T) {
	m := asm(t, "cc"+"cd29"+"cd2d"+"f4") // int3; int 29h; int 2Dh; hlt
	for _, vector := range []uint8{x86.Breakpoint, x86.FastFail, 0x2D} {
		m.run(10, x86.StopException)
		if e := m.Exception; e.Vector != vector || !e.Asked || e.Next <= m.RIP {
			t.Fatalf("%+v", e)
		}
		m.Allow()
	}
	m.run(10, x86.StopPrivileged)
	m.equal("retired", m.Retired, 3)
}

// TestPrivileged: what the embedder decides, and what it takes effect on.
func TestPrivileged(t *testing.T) {
	m := asm(t, "440f22c0"+"440f20c1"+"fa"+"fb"+"0f31"+"e460"+"ed"+"e661"+"66ef"+"0f32"+"0f30"+"f4"+"90")
	expect := func(want x86.Operation) {
		t.Helper()
		m.run(10, x86.StopPrivileged)
		if m.Operation != want {
			t.Fatalf("%+v, want %+v", m.Operation, want)
		}
	}
	m.R[x86.RAX], m.R[x86.RDX] = 2, 0x3F8
	expect(x86.Operation{Op: x86.WriteCR, Number: 8, Size: 8, Value: 2})
	m.equal("CR8 before", m.CR8, 0)
	m.Allow()
	expect(x86.Operation{Op: x86.SetIF})
	m.equal("CR8", m.CR8, 2)
	m.equal("RCX from CR8", m.R[x86.RCX], 2)
	m.Allow()
	expect(x86.Operation{Op: x86.SetIF, Value: 1})
	m.equal("IF", m.Flags()>>9&1, 0)
	m.Allow()
	expect(x86.Operation{Op: x86.ReadTSC, Size: 8})
	m.Supply(0x1_00000002)
	expect(x86.Operation{Op: x86.PortIn, Number: 0x60, Size: 1})
	m.equal("RDX from RDTSC", m.R[x86.RDX], 1)
	m.Supply(0xAB)
	expect(x86.Operation{Op: x86.PortIn, Number: 1, Size: 4})
	m.equal("AL", m.R[x86.RAX], 0xAB)
	m.Supply(0x11223344)
	expect(x86.Operation{Op: x86.PortOut, Number: 0x61, Size: 1, Value: 0x44})
	m.Allow()
	expect(x86.Operation{Op: x86.PortOut, Number: 1, Size: 2, Value: 0x3344})
	m.Allow()
	expect(x86.Operation{Op: x86.ReadMSR, Number: 2, Size: 8})
	m.Supply(3)
	expect(x86.Operation{Op: x86.WriteMSR, Number: 2, Size: 8, Value: 3})
	m.Allow()
	expect(x86.Operation{Op: x86.Halt})
	m.Allow()
	m.run(2, x86.StopLimit)
	m.equal("retired", m.Retired, 13)
}

// TestPopf stops only if it changes IF.
func TestPopf(t *testing.T) {
	m := asm(t, "9c"+"9d"+"6a02"+"9d"+"f4") // pushf; popf; push 2; popf; hlt
	m.run(3, x86.StopLimit)
	m.run(10, x86.StopPrivileged)
	if m.Operation != (x86.Operation{Op: x86.SetIF}) {
		t.Fatalf("%+v", m.Operation)
	}
	m.Allow()
	m.run(10, x86.StopPrivileged)
	m.equal("flags", m.Flags(), 2)
}

// TestPorts: INS and OUTS ask for each element.
func TestPorts(t *testing.T) {
	m := asm(t, "f36c"+"f36e"+"f4") // rep insb; rep outsb; hlt
	m.StopVisible = true
	m.R[x86.RDX], m.R[x86.RDI], m.R[x86.RCX] = 0x1F0, m.pub, 2
	for i := range uint64(2) {
		m.run(100, x86.StopPrivileged)
		m.Supply(5 + i)
		m.run(100, x86.StopVisible)
		m.Allow()
	}
	m.run(0, x86.StopLimit)
	m.run(2, x86.StopLimit)
	m.RIP, m.R[x86.RSI], m.R[x86.RCX] = m.code+2, m.pub, 2
	for i := range uint64(2) {
		m.run(100, x86.StopVisible)
		m.Allow()
		m.run(100, x86.StopPrivileged)
		m.equal("value", m.Operation.Value, 5+i)
		m.Allow()
	}
	m.run(100, x86.StopPrivileged)
}

func TestUnsupported(t *testing.T) {
	for _, code := range []string{"d9c0", "62f17c4828c1", "c5f877", "0fc7f0", "0f05", "c8000001", "0f53c0", "0fc7f8", "0f01d5", "660f38dcc1", "0fefc0", "8fe878c1c000"} {
		m := asm(t, code)
		m.run(10, x86.StopUnsupported)
		if want := bytes(t, code); string(m.Bytes[:len(want)]) != string(want) {
			t.Errorf("%s: bytes % X", code, m.Bytes)
		}
		m.equal("RIP", m.RIP, m.code)
	}
}

// TestRepeatCounts: each iteration counts, and a limit can fall anywhere.
func TestRepeatCounts(t *testing.T) {
	for limit := uint64(1); limit < 12; limit++ {
		m := asm(t, "90"+"f3aa"+"90"+"f4") // nop; rep stosb; nop; hlt
		m.R[x86.RDI], m.R[x86.RCX], m.R[x86.RAX] = m.pub, 8, 1
		m.run(limit, map[bool]x86.Stop{true: x86.StopLimit, false: x86.StopPrivileged}[limit <= 10])
		m.equal("retired", m.Retired, min(limit, 10))
		m.equal("RCX", m.R[x86.RCX], 8-min(max(limit, 1)-1, 8))
	}
	m := asm(t, "f3aa"+"f4")
	m.R[x86.RCX] = 0
	m.run(1, x86.StopLimit)
	m.equal("RIP after no iteration", m.RIP, m.code+2)
}

// TestSelfModifying: a store to the next instruction takes effect at once, also
// in the block that is running; so does a store from elsewhere between runs.
func TestSelfModifying(t *testing.T) {
	// mov byte [rip+4],0x42 (inc eax becomes inc edx: ff c0 -> ff c2); nop; nop; inc; hlt
	m := asm(t, "c60504000000c2"+"9090"+"90ff"+"c0"+"f4")
	m.R[x86.RAX], m.R[x86.RDX] = 0, 0
	m.run(100, x86.StopPrivileged)
	m.equal("RAX", m.R[x86.RAX], 0)
	m.equal("RDX", m.R[x86.RDX], 1)
	m.equal("retired", m.Retired, 5)
	m.space.Store(m.code+11, 1, 0xC1) // inc ecx
	m.RIP, m.R[x86.RCX] = m.code+7, 0
	m.run(100, x86.StopPrivileged)
	m.equal("RCX", m.R[x86.RCX], 1)
}

// TestCrossingInstruction: an instruction across pages, also when the second
// page is missing or changes.
func TestCrossingInstruction(t *testing.T) {
	m := asm(t, "")
	at := m.code + mem.PageSize - 3
	m.space.Write(at, bytes(t, "b801000000"+"f4")) // mov eax,1; hlt
	m.RIP = at
	m.run(10, x86.StopPrivileged)
	m.equal("RAX", m.R[x86.RAX], 1)
	m.space.Store(m.code+mem.PageSize, 1, 2) // mov eax,0x20001
	m.RIP = at
	m.run(10, x86.StopPrivileged)
	m.equal("RAX", m.R[x86.RAX], 0x20001)
	last := m.code + 2*mem.PageSize - 2
	m.space.Write(last, bytes(t, "b801"))
	m.RIP = last
	m.run(10, x86.StopFault)
	m.equal("fault", m.Fault.Addr, m.code+2*mem.PageSize)
}

// TestSnapshot: after Restore, neither memory nor code is stale.
func TestSnapshot(t *testing.T) {
	m := asm(t, "ff03"+"8b03"+"f4") // inc [rbx]; mov eax,[rbx]; hlt
	snap := m.space.Snapshot()
	for range 3 {
		m.RIP = m.code
		m.run(10, x86.StopPrivileged)
		m.equal("RAX", m.R[x86.RAX], 1)
		m.space.Restore(snap)
		m.equal("memory", m.load(m.pub+0x10, 4), 0)
	}
}

// TestAlias: two views of one page that a store copies.
func TestAlias(t *testing.T) {
	m := asm(t, "8b03"+"ff01"+"8b13"+"f4") // mov eax,[rbx]; inc [rcx]; mov edx,[rbx]; hlt
	pa, _ := m.space.Physical(m.pub)
	m.R[x86.RCX] = m.space.MapPhysical(mem.SystemMaps, pa, mem.PageSize, mem.Read|mem.Write) + 0x10
	snap := m.space.Snapshot()
	m.run(10, x86.StopPrivileged)
	m.equal("RDX", m.R[x86.RDX], 1)
	m.space.Restore(snap)
	m.equal("memory", m.load(m.pub+0x10, 4), 0)
}

// TestHash: the fingerprint is that of the same stores by another way.
func TestHash(t *testing.T) {
	m := asm(t, "ff03"+"48894308"+"0f114310"+"f4") // inc [rbx]; mov [rbx+8],rax; movups [rbx+10],xmm0; hlt
	m.space.EnableHash()
	m.R[x86.RAX], m.X[0] = 5, x86.XMM{Lo: 6, Hi: 7}
	m.run(10, x86.StopPrivileged)
	got := m.space.Hash()
	o := asm(t, "")
	o.space.EnableHash()
	for i, v := range []uint64{1, 5, 6, 7} {
		o.space.Store(o.pub+0x10+8*uint64(i), 8, v)
	}
	if got != o.space.Hash() {
		t.Error("the fingerprints differ")
	}
}

func TestSegments(t *testing.T) {
	m := asm(t, "65488b042520000000"+"64488b0c2508000000"+"0f01f8"+"f4") // mov rax,gs:[20h]; mov rcx,fs:[8]; swapgs; hlt
	m.GSBase, m.FSBase, m.KernelGSBase = m.pub, m.private, 3
	m.space.Store(m.pub+0x20, 8, 11)
	m.space.Store(m.private+8, 8, 12)
	m.run(10, x86.StopPrivileged)
	m.equal("RAX", m.R[x86.RAX], 11)
	m.equal("RCX", m.R[x86.RCX], 12)
	m.equal("GS", m.GSBase, 3)
}

func TestCPUID(t *testing.T) {
	m := asm(t, "0fa2"+"f4")
	m.R[x86.RAX], m.R[x86.RCX], m.ID = 1, 0, 3
	m.run(10, x86.StopPrivileged)
	m.equal("SSE2, OSXSAVE, no AVX", m.R[x86.RDX]>>26&1<<2|m.R[x86.RCX]>>27&3, 5)
	m.equal("APIC id", m.R[x86.RBX]>>24, 3)
}

// TestShared: two processors on one memory with common code.
func TestShared(t *testing.T) {
	m := asm(t, "f0ff03"+"ebfb") // l: lock inc [rbx]; jmp l
	code := x86.NewCode(m.space)
	var cpus [2]*x86.CPU
	for i := range cpus {
		cpus[i] = x86.NewShared(code)
		cpus[i].RIP, cpus[i].R[x86.RBX] = m.code, m.pub
	}
	for i := range 100 {
		if s := cpus[i&1].Run(uint64(i % 7)); s != x86.StopLimit {
			t.Fatal(s)
		}
	}
	m.equal("increments", m.load(m.pub, 4), (cpus[0].Retired+1)/2+(cpus[1].Retired+1)/2)
}

// TestNoAllocations: executing allocates nothing.
func TestNoAllocations(t *testing.T) {
	m := newMachine(t, bytes(t, programCode))
	args := programTests[6].args(m)
	n := testing.AllocsPerRun(20, func() {
		m.prepare("double", args...)
		if m.Run(1_000_000) != x86.StopTrap {
			t.Error("no trap")
		}
	})
	if n > 0 {
		t.Errorf("%v allocations in a run", n)
	}
}

// TestAppendState: processors that differ in what the first half of an
// instruction has read are in different states, on equal memory.
func TestAppendState(t *testing.T) {
	half := func(value uint64) *machine {
		m := asm(t, "ff03") // inc dword [rbx]
		m.StopVisible = true
		m.space.Store(m.pub+0x10, 4, value)
		m.run(10, x86.StopVisible)
		m.Allow()
		m.run(10, x86.StopVisible)
		m.space.Store(m.pub+0x10, 4, 9) // another processor
		return m
	}
	a, b, c := half(1), half(1), half(2)
	if string(a.AppendState(nil)) != string(b.AppendState(nil)) {
		t.Error("equal processors have different states")
	}
	if string(a.AppendState(nil)) == string(c.AppendState(nil)) {
		t.Error("the state does not tell what the first half has read")
	}
	before := string(a.AppendState(nil))
	a.Abandon()
	if string(a.AppendState(nil)) == before {
		t.Error("the state does not tell that an instruction is half done")
	}
	a.X[3], a.MXCSR = x86.XMM{Lo: 7}, 0x9FC0
	a.SetFlags(1)
	a.Reset()
	if string(a.AppendState(nil)) != string(x86.New(a.space).AppendState(nil)) {
		t.Error("after Reset the state is not that of a new processor")
	}
}
