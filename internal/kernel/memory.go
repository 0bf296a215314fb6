package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// Bus is what lies behind the processors: it answers at physical addresses
// that are not memory, and it gets the events of device models.
type Bus interface {
	// ReadRegister and WriteRegister access size bytes (1, 2, 4 or 8) at a
	// physical address and name the register for the trace.
	ReadRegister(pa uint64, size int) (value uint64, name string)
	WriteRegister(pa uint64, size int, value uint64) (name string)
	// ReadPort and WritePort are the same for I/O space.
	ReadPort(port uint32, size int) (value uint64, name string)
	WritePort(port uint32, size int, value uint64) (name string)
	// Event is called when an event of ScheduleDevice happens.
	Event(device, event uint32)
}

// window is a mapping of device registers into the kernel's address space.
type window struct {
	va, pa uint64
	pages  int
	opaque string // the structure of the kernel that it is; no registers then
}

// MapIoSpace maps physical addresses of a device and returns the virtual
// address, 0 if size is 0.
func (m *Machine) MapIoSpace(pa uint64, size uint64) uint64 {
	if size == 0 || size > mem.MaxAlloc {
		return 0
	}
	pages := int((pa&(mem.PageSize-1) + size + mem.PageSize - 1) / mem.PageSize)
	va := m.Mem.MapDevice(mem.SystemMaps, pages)
	m.windows = append(m.windows, window{va: va, pa: pa &^ (mem.PageSize - 1), pages: pages})
	return va + pa&(mem.PageSize-1)
}

// UnmapIoSpace takes a mapping back; a later touch is a fault.
func (m *Machine) UnmapIoSpace(va uint64) {
	for i := range m.windows {
		if w := &m.windows[i]; w.contains(va) {
			m.Mem.Unmap(w.va, w.pages)
			w.pages = 0
		}
	}
}

func (w *window) contains(va uint64) bool { return va-w.va < uint64(w.pages)*mem.PageSize }

func (m *Machine) window(va uint64) *window {
	for i := range m.windows {
		if w := &m.windows[i]; w.contains(va) {
			return w
		}
	}
	panic(fmt.Sprintf("BUG: no window at 0x%X", va))
}

func (w *window) physical(va uint64) uint64 { return w.pa + va - w.va }

var (
	svcMmMapIoSpace   = NewLenientService("MmMapIoSpace")
	svcMmUnmapIoSpace = NewLenientService("MmUnmapIoSpace")
)

// checkIoSpaceLevel stops a mapping routine above DISPATCH_LEVEL, with its own code
// under Driver Verifier.
func (t *Thread) checkIoSpaceLevel(code uint64, s *Service, addr, size uint64) {
	if irql := t.IRQL(); irql > DispatchLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{code, uint64(irql), addr, size},
			Text: s.Name + " at " + trace.LevelName(irql)})
	}
}

// MmMapIoSpace maps device registers. IRQL <= DISPATCH_LEVEL; above it 0xC4/0x73.
func (t *Thread) MmMapIoSpace(pa, size uint64) uint64 {
	t.Enter(svcMmMapIoSpace, pa, size)
	t.checkIoSpaceLevel(0x73, svcMmMapIoSpace, pa, size)
	va := t.m.MapIoSpace(pa, size)
	t.Leave(trace.Hex, va)
	return va
}

// MmUnmapIoSpace takes a mapping of MmMapIoSpace back. IRQL <= DISPATCH_LEVEL;
// above it 0xC4/0x7B.
func (t *Thread) MmUnmapIoSpace(va, size uint64) {
	t.Enter(svcMmUnmapIoSpace, va, size)
	t.checkIoSpaceLevel(0x7B, svcMmUnmapIoSpace, va, size)
	t.point(op{})
	t.m.UnmapIoSpace(va)
	t.LeaveVoid()
}

var (
	svcMmAllocateContiguousMemory = NewService("MmAllocateContiguousMemory")
	svcMmFreeContiguousMemory     = NewService("MmFreeContiguousMemory")
	svcMmGetPhysicalAddress       = NewService("MmGetPhysicalAddress")
)

// MmAllocateContiguousMemory returns a zeroed non-paged block of consecutive
// physical pages that ends at or below highest, 0 if there is none. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) MmAllocateContiguousMemory(size, highest uint64) uint64 {
	t.Enter(svcMmAllocateContiguousMemory, size, highest)
	p := t.AllocatePool(false, (size+mem.PageSize-1)&^(mem.PageSize-1), tag("Cont"))
	if pa, ok := t.m.Mem.Physical(p); p != 0 && ok && pa+size-1 > highest {
		t.m.Mem.Free(p, t.ActivationID())
		p = 0
	}
	t.Leave(trace.Hex, p)
	return p
}

// MmFreeContiguousMemory frees a block of MmAllocateContiguousMemory. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) MmFreeContiguousMemory(addr uint64) {
	t.Enter(svcMmFreeContiguousMemory, addr)
	t.FreePool(addr)
	t.LeaveVoid()
}

// MmGetPhysicalAddress returns the physical address behind a virtual one, 0 if
// there is none. Any IRQL.
func (t *Thread) MmGetPhysicalAddress(addr uint64) uint64 {
	t.Enter(svcMmGetPhysicalAddress, addr)
	pa, _ := t.m.Mem.Physical(addr)
	t.Leave(trace.Hex, pa)
	return pa
}

// Load is a load of driver code: size bytes (1, 2, 4 or 8) at addr. It is a
// visible operation; at an address of device registers it reads the register.
func (t *Thread) Load(addr uint64, size int) uint64 {
	t.access(op{}, addr, size, false, false, t.Caller())
	v, _ := t.loadNow(addr, size)
	return v
}

// loadNow is Load without its scheduling point; it returns the name of a
// register, too, with a trace.
func (t *Thread) loadNow(addr uint64, size int) (v uint64, register string) {
	t.checkPageable(addr, size, mem.Load)
	v, f := t.m.Mem.Load(addr, size)
	switch f.Kind {
	case mem.NoFault:
	case mem.DevicePage:
		v, register = t.readRegister(addr, size)
	default:
		t.driverFault(f)
		v = t.m.Mem.LoadAnyway(addr, size)
	}
	t.observe(v)
	return v, register
}

// Store is a store of driver code; see Load.
func (t *Thread) Store(addr uint64, size int, v uint64) {
	t.access(op{value: v}, addr, size, true, false, t.Caller())
	t.checkPageable(addr, size, mem.Store)
	f := t.m.Mem.Store(addr, size, v)
	switch f.Kind {
	case mem.NoFault:
	case mem.DevicePage:
		t.writeRegister(addr, size, v)
	default:
		t.driverFault(f)
		t.m.Mem.StoreAnyway(addr, size, v)
	}
}

// Update is an interlocked read-modify-write of driver code: one visible
// operation. It returns the old value.
func (t *Thread) Update(addr uint64, size int, f func(old uint64) uint64) (old uint64) {
	t.access(op{}, addr, size, true, true, t.Caller())
	t.checkPageable(addr, size, mem.Store)
	old, fault := t.m.Mem.Load(addr, size)
	if fault.Kind == mem.NoFault {
		fault = t.m.Mem.Store(addr, size, f(old))
	}
	switch fault.Kind {
	case mem.NoFault:
	case mem.DevicePage:
		old, _ = t.readRegister(addr, size)
		t.writeRegister(addr, size, f(old))
	default:
		t.driverFault(fault)
		old = t.m.Mem.LoadAnyway(addr, size)
		t.m.Mem.StoreAnyway(addr, size, f(old))
	}
	t.observe(old)
	return old
}

// ReadBytes and WriteBytes copy driver memory as RtlCopyMemory does: one
// visible operation.
func (t *Thread) ReadBytes(addr uint64, p []byte) {
	t.access(op{}, addr, len(p), false, false, t.Caller())
	t.checkPageable(addr, len(p), mem.Load)
	if f := t.m.Mem.Read(addr, p); f.Kind != mem.NoFault {
		t.driverFault(f)
		clear(p)
	}
	t.ObserveBytes(p)
}

// ObserveBytes notes bytes that code in Go gets to see: see observe.
func (t *Thread) ObserveBytes(p []byte) {
	h := uint64(len(p))
	for ; len(p) >= 8; p = p[8:] {
		h = stir(h, binary.LittleEndian.Uint64(p), 0xD6E8FEB86659FD93)
	}
	for _, c := range p {
		h = stir(h, uint64(c), 0xD6E8FEB86659FD93)
	}
	t.observe(h)
}

// WriteBytes: see ReadBytes.
func (t *Thread) WriteBytes(addr uint64, p []byte) {
	t.access(op{}, addr, len(p), true, false, t.Caller())
	t.checkPageable(addr, len(p), mem.Store)
	if f := t.m.Mem.Write(addr, p); f.Kind != mem.NoFault {
		t.driverFault(f)
	}
}

func (t *Thread) readRegister(addr uint64, size int) (value uint64, name string) {
	if addr-sharedUserPage < mem.PageSize {
		t.m.TouchEverything() // the time is there
		return t.m.sharedUserData(addr-sharedUserPage, size), ""
	}
	w := t.m.window(addr)
	if w.opaque != "" {
		t.m.TouchEverything()
		return t.opaqueField(w, addr-w.va, size), ""
	}
	v, name := t.m.bus.ReadRegister(w.physical(addr), size)
	return t.registerRead(v, size, name), name
}

// registerRead records what a device answered.
func (t *Thread) registerRead(v uint64, size int, name string) uint64 {
	if v != ^uint64(0)>>(64-8*size) { // else there is no device
		t.note(RecordRegister, 0, v)
	}
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.Register, Name: name, Text: "read", ValueKind: trace.Hex, Value: v})
	}
	return v
}

func (t *Thread) writeRegister(addr uint64, size int, v uint64) {
	if addr-sharedUserPage < mem.PageSize {
		t.driverFault(mem.Fault{Kind: mem.ReadOnly, Access: mem.Store, Addr: addr})
	}
	w := t.m.window(addr)
	if w.opaque != "" {
		t.Unsupported("a write to the kernel's structure " + w.opaque)
	}
	t.registerWrite(v, func() string { return t.m.bus.WriteRegister(w.physical(addr), size, v) })
}

// registerWrite carries out a write to a device and records it before what the
// device does then.
func (t *Thread) registerWrite(v uint64, write func() (name string)) {
	t.Released(deviceWrite)
	if !t.m.Trace.On() {
		write()
		return
	}
	at := len(t.m.Trace.Events)
	t.m.Record(t.cpu, trace.Event{Kind: trace.Register, Text: "write", ValueKind: trace.Hex, Value: v})
	name := write()
	t.m.Trace.Events[at].Name = name
}

// ReadPort is the instruction IN of driver code, READ_PORT_UCHAR and so on in Go:
// size bytes (1, 2 or 4) from I/O space, a visible operation. Any IRQL.
func (t *Thread) ReadPort(port uint32, size int) uint64 {
	t.point(op{})
	v, name := t.m.bus.ReadPort(port, size)
	return t.registerRead(v, size, name)
}

// WritePort is the instruction OUT, WRITE_PORT_UCHAR and so on in Go.
func (t *Thread) WritePort(port uint32, size int, v uint64) {
	t.point(op{})
	t.registerWrite(v, func() string { return t.m.bus.WritePort(port, size, v) })
}

// kernelLoad is an access of the kernel or the framework to an object in driver
// memory, part of the present step.
func (t *Thread) kernelLoad(addr uint64, size int) uint64 {
	t.checkStack(addr)
	t.m.Touch(t.m.Mem.Home(addr), uint32(size), false)
	v, f := t.m.Mem.Load(addr, size)
	if f.Kind != mem.NoFault || t.pageableFault(addr) {
		t.kernelFault(f, addr, mem.Load)
		return t.m.Mem.LoadAnyway(addr, size)
	}
	return v
}

// kernelStore: see kernelLoad.
func (t *Thread) kernelStore(addr uint64, size int, v uint64) {
	t.checkStack(addr)
	t.m.Touch(t.m.Mem.Home(addr), uint32(size), true)
	f := t.m.Mem.Store(addr, size, v)
	if f.Kind != mem.NoFault || t.pageableFault(addr) {
		t.kernelFault(f, addr, mem.Store)
		t.m.Mem.StoreAnyway(addr, size, v)
	}
}

func (t *Thread) checkStack(addr uint64) {
	if t.m.stackCheck != nil {
		t.m.stackCheck(t, addr)
	}
}

func (t *Thread) pageableFault(addr uint64) bool {
	return t.IRQL() >= DispatchLevel && t.m.Mem.Prot(addr)&mem.Pageable != 0
}

// checkPageable stops a driver that touches pageable memory at DISPATCH_LEVEL or
// above, as force IRQL checking does (IRQL-10). It looks at every page of the
// size bytes at addr.
func (t *Thread) checkPageable(addr uint64, size int, a mem.Access) {
	t.CheckUser(addr)
	if t.IRQL() < DispatchLevel {
		return
	}
	for off := uint64(0); off < uint64(size); off += mem.PageSize - (addr+off)&(mem.PageSize-1) {
		if at := addr + off; t.pageableFault(at) {
			t.BugCheck(0xD1, [4]uint64{at, uint64(t.IRQL()), uint64(a)}, "IRQL-10",
				fmt.Sprintf("pageable memory is touched at %s: it may not be resident, and cannot be paged in here%s",
					trace.LevelName(t.IRQL()), t.blockText(at)))
		}
	}
}

// driverFault reports an access of the driver that cannot be done. It returns
// only where the run goes on without special pool (VER-7).
func (t *Thread) driverFault(f mem.Fault) {
	t.checkGone(f.Addr, f.Access == mem.Store, false)
	t.fault(f, [3]uint32{0xD5, 0xD6, 0xD1})
}

func (t *Thread) kernelFault(f mem.Fault, addr uint64, a mem.Access) {
	t.checkGone(addr, a == mem.Store, true)
	if f.Kind == mem.NoFault {
		t.BugCheck(0xA, [4]uint64{addr, uint64(t.IRQL()), uint64(a)}, "IRQL-10",
			"a kernel routine touches pageable memory of the driver at "+trace.LevelName(t.IRQL())+t.blockText(addr))
	}
	t.fault(f, [3]uint32{0xCC, 0xCD, 0xA})
}

// fault reports an impossible access with the code for a freed block, for the
// page behind a block, or for raised IRQL.
func (t *Thread) fault(f mem.Fault, codes [3]uint32) {
	irql := t.IRQL()
	params := [4]uint64{f.Addr, uint64(f.Access & 1), t.guestIP}
	text := fmt.Sprintf("%s of 0x%X: %s%s", f.Access, f.Addr, f.Kind, t.blockText(f.Addr))
	special := f.Kind == mem.Freed || f.Kind == mem.BeyondBlock
	switch rule := "use after free"; {
	case special:
		code, about := codes[0], t.m.freedAbout(f.Addr)
		if f.Kind == mem.BeyondBlock {
			rule, code = "pool overrun", codes[1]
		}
		if !t.m.cfg.Profile.DriverVerifier {
			t.Report(Finding{Rule: rule, Clause: "VER-7", Text: text, About: about})
			return
		}
		t.stop(Finding{Code: code, Params: params, Rule: rule, Clause: "VER-7", Text: text, About: about})
	case f.Kind == mem.ReadOnly && irql < DispatchLevel:
		t.BugCheck(0xBE, [4]uint64{f.Addr}, "IRQL-10", text)
	case f.Kind == mem.NoExecute && irql < DispatchLevel:
		t.BugCheck(0xFC, [4]uint64{f.Addr}, "IRQL-10", text)
	case irql >= DispatchLevel:
		t.BugCheck(codes[2], [4]uint64{f.Addr, uint64(irql), uint64(f.Access), t.guestIP}, "IRQL-10", text)
	}
	if t.Catchable(f) {
		t.Raise(AccessViolation(f, t.guestIP))
	}
	access := map[mem.Access]uint64{mem.Load: 0, mem.Store: 2, mem.Fetch: 0x10}[f.Access]
	why := uint64(2) // nothing is mapped there
	if f.Kind == mem.NotCanonical {
		why = 4
	}
	t.BugCheck(0x50, [4]uint64{f.Addr, access, t.guestIP, why}, "IRQL-10", text)
}
