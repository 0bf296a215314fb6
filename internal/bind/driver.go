package bind

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/x86"
	"github.com/dirql/dirql/wdf"
)

// Addresses of what drivers import: a trap range, without memory. Each entry
// takes trapStep bytes.
const (
	trapBase   = 0xFFFFF80E_00000000
	trapEnd    = 0xFFFFF810_00000000
	exportBase = 0xFFFFF80F_00000000 // those of MmGetSystemRoutineAddress
	trapStep   = 16
	returnAddr = trapBase + 0xFFFFFFF0 // where a routine of the driver returns to
)

// Driver is a .sys driver on a machine. It runs guest code for the kernel
// (kernel.Executor), and its state is part of snapshots (kernel.Component).
type Driver struct {
	f       *wdf.Framework
	m       *kernel.Machine
	image   *pe.Image
	symbols *pe.SymbolTable
	code    *x86.Code

	imports map[uint64]*routine         // by address; fixed after loading
	types   map[uint64]*wdf.ContextType // by address of the WDF_OBJECT_CONTEXT_TYPE_INFO
	running [][]guestCall               // by thread: the nested calls of guest code
	spare   []guestCall

	variables   variablePage
	busRoutines uint64 // address of the first routine of BUS_INTERFACE_STANDARD
	onAccess    func(t *kernel.Thread, a Access)

	state
}

// state is the plain data of a driver.
type state struct {
	driverObject  uint64
	registryPath  uint64
	globals       uint64           // WDF_DRIVER_GLOBALS
	stacks        []uint64         // by thread: top of its kernel stack; later ones have none yet
	providers     []bool           // of event tracing: those that are registered
	callbacks     []callbackObject // see nt_callback.go
	registrations []callbackRoutine
	pages         map[uint64]uint64     // by MDL: pages without an address; looked up only
	lists         map[wdf.Handle]uint64 // descriptors of a resource list in memory; looked up only
}

// Load puts a driver file into a machine and binds its imports.
func Load(f *wdf.Framework, file *pe.File, pdbName string, pdb []byte) (*Driver, error) {
	m := f.Machine()
	image, err := file.Load(m.Mem, 0)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		f: f, m: m, image: image, symbols: file.Symbols(pdbName, pdb), code: x86.NewCode(m.Mem),
		imports: map[uint64]*routine{}, types: map[uint64]*wdf.ContextType{},
	}
	d.lists, d.pages = map[wdf.Handle]uint64{}, map[uint64]uint64{}
	for i := range image.Slots {
		s := &image.Slots[i]
		image.Bind(m.Mem, *s, d.importTarget(s.DLL, importName(s.Import)))
	}
	m.ProcessorBlock(0)
	d.driverObject = m.Mem.Alloc(driverObjectSize, kernel.PoolTag("Driv"), false, 0)
	f.SetDriverObject(d.driverObject)
	d.busRoutines = d.addBusRoutines()
	d.registryPath = d.unicodeString(`\Registry\Machine\System\CurrentControlSet\Services\` + file.BaseName())
	m.SetExecutor(d)
	m.SetSymbols(d.symbol)
	m.SetStackCheck(d.checkStack)
	m.SetWhere(d.where)
	m.SetNamer(d)
	m.Attach(d)
	return d, nil
}

// driverObjectSize is the size of a DRIVER_OBJECT.
const driverObjectSize = 336

func importName(i *pe.Import) string {
	if i.ByOrdinal {
		return fmt.Sprintf("#%d", i.Ordinal)
	}
	return i.Name
}

// Access is an access of guest code to memory that others can see.
type Access struct {
	Addr   uint64
	Write  bool
	Locked bool   // interlocked: read and write in one step
	Value  uint64 // that is read or written, 8 bytes at most; of an interlocked operation, the value before it
}

// OnAccess sets who is told of each access, when it happens, in runs that are
// recorded. It must not change anything.
func (d *Driver) OnAccess(f func(t *kernel.Thread, a Access)) { d.onAccess = f }

// Entry calls the entry point of the image: DriverEntry behind the framework's
// static part.
func (d *Driver) Entry(s *wdf.Sys) wdf.NTSTATUS {
	return wdf.NTSTATUS(s.Invoke("DriverEntry", d.image.Entry, kernel.Args{d.driverObject, d.registryPath}))
}

// Unload takes the image out of memory.
func (d *Driver) Unload(t *kernel.Thread) {
	from := d.image.Base
	t.UnloadDriver(d.image.File.BaseName(), from, from+uint64(d.image.File.Size))
	d.image.Unload(d.m.Mem)
}

// unicodeString makes a UNICODE_STRING with its characters in memory.
func (d *Driver) unicodeString(s string) uint64 {
	n := uint64(2 * len(s))
	p := d.m.Mem.Alloc(16+n+2, kernel.PoolTag("Ustr"), false, 0)
	d.m.Mem.Store(p, 2, n)
	d.m.Mem.Store(p+2, 2, n+2)
	d.m.Mem.Store(p+8, 8, p+16)
	for i, c := range []byte(s) {
		d.m.Mem.Store(p+16+uint64(2*i), 2, uint64(c))
	}
	return p
}

// symbol names an address of the image: function, and offset if it is not the
// first byte.
func (d *Driver) symbol(addr uint64) (string, bool) {
	rva, ok := d.image.RVA(addr)
	if !ok {
		if r := d.imports[addr]; r != nil {
			return r.name, true
		}
		return "", false
	}
	base := d.image.File.Module()
	name, off, ok := d.symbols.Lookup(rva)
	switch {
	case !ok:
		return fmt.Sprintf("%s+0x%X", base, rva), true
	case off == 0:
		return fmt.Sprintf("%s!%s", base, name), true
	}
	return fmt.Sprintf("%s!%s+0x%X", base, name, off), true
}

// where returns the instruction of the driver that a thread is at, an address in
// the call where it has called a routine of the kernel; 0 if it runs none.
func (d *Driver) where(t *kernel.Thread) uint64 {
	id := t.ID()
	if id >= len(d.running) || len(d.running[id]) == 0 {
		return 0
	}
	calls := d.running[id]
	c := calls[len(calls)-1]
	if c.RIP < trapBase || c.RIP >= trapEnd {
		return c.RIP
	}
	ret, _ := d.m.Mem.Load(c.R[x86.RSP], 8)
	return ret - 1
}

// Line returns the source line of the instruction at an address.
func (d *Driver) Line(addr uint64) (file string, line int, ok bool) {
	rva, ok := d.image.RVA(addr)
	if !ok {
		return "", 0, false
	}
	return d.symbols.Line(rva)
}

// Snapshot implements kernel.Component.
func (d *Driver) Snapshot() any {
	s := d.state
	s.stacks, s.providers = slices.Clone(s.stacks), slices.Clone(s.providers)
	s.lists, s.pages = maps.Clone(s.lists), maps.Clone(s.pages)
	s.callbacks, s.registrations = slices.Clone(s.callbacks), slices.Clone(s.registrations)
	return s
}

// Restore implements kernel.Component.
func (d *Driver) Restore(v any) {
	s := v.(state)
	s.stacks, s.providers = append(d.stacks[:0], s.stacks...), slices.Clone(s.providers)
	s.lists, s.pages = maps.Clone(s.lists), maps.Clone(s.pages)
	s.callbacks, s.registrations = slices.Clone(s.callbacks), slices.Clone(s.registrations)
	d.state = s
	for i := range d.running {
		d.running[i] = d.running[i][:0]
	}
}

// AppendState implements kernel.Component: the processors of all calls under
// way, thread by thread (their memory is hashed elsewhere).
func (d *Driver) AppendState(b []byte) []byte {
	for thread, calls := range d.running {
		if len(calls) > 0 {
			b = append(b, byte(thread), byte(thread>>8), byte(len(calls)))
		}
		for _, c := range calls {
			b = c.AppendState(b)
			b = c.dispatch.appendState(b)
			b = c.waiting.appendState(b)
		}
	}
	for _, p := range d.providers {
		b = append(b, byte(boolean(p)))
	}
	for _, r := range d.registrations {
		b = fmt.Appendf(b, "%d %x %x;", r.object, r.function, r.context)
	}
	return fmt.Appendf(b, "%d", len(d.callbacks))
}
