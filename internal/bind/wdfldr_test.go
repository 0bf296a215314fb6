package bind

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// bindInfo is a WDF_BIND_INFO with the component's name and room for a table.
type bindInfo struct {
	component           string
	count, minor, major uint32
	table               bool
}

// put writes a bind info into guest memory and returns its address and that of
// the table.
func (b *bindInfo) put(th *kernel.Thread) (info, table uint64) {
	info = th.AllocatePool(false, 64, kernel.PoolTag("Bind"))
	name := th.AllocatePool(false, 64, kernel.PoolTag("Bind"))
	table = th.AllocatePool(false, 8*512, kernel.PoolTag("Bind"))
	for i, ch := range []byte(b.component + "\x00") {
		th.Store(name+uint64(2*i), 2, uint64(ch))
	}
	field := func(field string, v uint64) {
		s, _ := ddi.Struct("WDF_BIND_INFO")
		f, _ := s.Field(field)
		th.Store(info+f.Offset, int(f.Size), v)
	}
	field("Size", ddi.SizeOf("WDF_BIND_INFO"))
	field("Component", name)
	field("FuncCount", uint64(b.count))
	th.Store(info+ddi.Offset("WDF_BIND_INFO", "Version"), 4, uint64(b.major))
	th.Store(info+ddi.Offset("WDF_BIND_INFO", "Version")+4, 4, uint64(b.minor))
	if b.table {
		field("FuncTable", table)
	}
	return info, table
}

// bound calls WdfVersionBind with a bind info and returns the status, the first
// entry of the table and the globals.
func (r *rig) bound(t *testing.T, b *bindInfo) (st wdf.NTSTATUS, first, globals uint64, why kernel.Reason) {
	t.Helper()
	r.restore()
	why = r.run(t, func(th *kernel.Thread) {
		info, table := b.put(th)
		out := th.AllocatePool(false, 8, kernel.PoolTag("Bind"))
		st = wdf.NTSTATUS(r.guestCall(th, "WdfVersionBind", r.d.driverObject, r.d.registryPath, info, out))
		first, globals = th.Load(table, 8), th.Load(out, 8)
	})
	return st, first, globals, why
}

// Every released table length binds: short tables are copied, long ones get a
// pointer to the framework's own.
func TestVersionBindReleases(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	for _, rel := range ddi.Releases() {
		b := bindInfo{component: "KmdfLibrary", count: uint32(rel.Entries), major: 1, minor: uint32(rel.Version.Minor), table: true}
		st, first, globals, why := r.bound(t, &b)
		if st != 0 || why != kernel.Done || globals == 0 || first == 0 {
			t.Fatalf("KMDF %s: status 0x%X, table 0x%X, globals 0x%X, %s", rel.Version, uint32(st), first, globals, why)
		}
		if f := r.m.Findings(); len(f) > 0 {
			t.Errorf("KMDF %s: %v", rel.Version, f)
		}
		name := r.m.NameOf(first)
		if copied := name == ddi.Functions()[0].Name; copied != (rel.Entries <= copiedTable) {
			t.Errorf("KMDF %s: the first entry of the table is %s", rel.Version, name)
		}
	}
}

// A WDF_BIND_INFO2 gets its answers.
func TestVersionBindInfo2(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	why := r.run(t, func(th *kernel.Thread) {
		b := bindInfo{component: "KmdfLibrary", count: 458, major: 1, minor: 33, table: true}
		short, _ := b.put(th)
		info := th.AllocatePool(false, 88, kernel.PoolTag("Bind"))
		for off := uint64(0); off < 48; off += 8 {
			th.Store(info+off, 8, th.Load(short+off, 8))
		}
		th.Store(info, 4, 88)
		answers := th.AllocatePool(false, 16, kernel.PoolTag("Bind"))
		th.Store(answers, 8, ^uint64(0))
		th.Store(info+ddi.Offset("WDF_BIND_INFO2", "ClientVersionHigherThanFramework"), 8, answers)
		th.Store(info+ddi.Offset("WDF_BIND_INFO2", "FuncCountPtr"), 8, answers+4)
		st := r.guestCall(th, "WdfVersionBind", r.d.driverObject, r.d.registryPath, info, answers+8)
		if got := th.Load(answers, 8); st != 0 || got != 458<<32|0xFFFFFF00 {
			t.Errorf("status 0x%X, answers 0x%X", st, got)
		}
	})
	if why != kernel.Done {
		t.Errorf("%s: %v", why, r.m.Findings())
	}
}

// What no loader binds is refused with a status and a finding that names the
// mistake; nothing is written.
func TestVersionBindRefuses(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	good := bindInfo{component: "KmdfLibrary", count: 453, major: 1, minor: 15, table: true}
	for _, c := range []struct {
		name   string
		change func(b *bindInfo)
		status wdf.NTSTATUS
		text   string
	}{
		{"count one too small", func(b *bindInfo) { b.count-- }, wdf.StatusInvalidParameter, "452 entries"},
		{"no functions", func(b *bindInfo) { b.count = 0 }, wdf.StatusInvalidParameter, "0 entries"},
		{"huge count", func(b *bindInfo) { b.count = 0xFFFFFFFF }, wdf.StatusInvalidParameter, "4294967295 entries"},
		{"wrong component", func(b *bindInfo) { b.component = "UmdfLibrary" }, statusObjectNameNotFound, `"UmdfLibrary"`},
		{"no component", func(b *bindInfo) { b.component = "" }, statusObjectNameNotFound, `""`},
		{"newer minor version", func(b *bindInfo) { b.minor = 99 }, statusObjectTypeMismatch, "1.99"},
		{"other major version", func(b *bindInfo) { b.major = 2 }, statusObjectNameNotFound, "2.15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := good
			c.change(&b)
			st, first, globals, why := r.bound(t, &b)
			if st != c.status || why != kernel.Done || first != 0 || globals != 0 {
				t.Errorf("status 0x%X, table 0x%X, globals 0x%X, %s", uint32(st), first, globals, why)
			}
			if f := r.m.Findings(); len(f) != 1 || !strings.Contains(f[0].Text, c.text) {
				t.Errorf("findings: %v", f)
			}
		})
	}
}

// A table that is nowhere is the caller's fault: a bug check.
func TestVersionBindNoTable(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	b := bindInfo{component: "KmdfLibrary", count: 453, major: 1, minor: 15}
	if _, _, _, why := r.bound(t, &b); why != kernel.Stopped || len(r.m.Findings()) != 1 || r.m.Findings()[0].Code != 0x7E { // NULL lies where applications are: an exception
		t.Errorf("%s, %v", why, r.m.Findings())
	}
	for _, args := range [][]uint64{{0, 0, 0, 0}, {1, 1, 0, 1}} {
		st, why := r.called(t, "WdfVersionBind", args...)
		if wdf.NTSTATUS(st) != wdf.StatusInvalidParameter || why != kernel.Done {
			t.Errorf("%v: 0x%X, %s", args, st, why)
		}
	}
}

// The driver is bound and unbound as often as its globals say.
func TestVersionUnbind(t *testing.T) {
	r := newRig(t)
	if st, why := r.called(t, "WdfVersionUnbind", r.d.registryPath, 0, r.d.globals); st != 0 || why != kernel.Done {
		t.Errorf("0x%X, %s, %v", st, why, r.m.Findings())
	}
}

// Structures of every version that the framework accepts are read as far as
// their size goes: the fields behind it are absent.
func TestStructureVersions(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	for _, typ := range ddi.Structs() {
		size, ok := typ.Field("Size")
		if !ok || size.Offset != 0 || size.Size != 4 {
			continue
		}
		for n := size.Size; n <= typ.Size; n += 4 {
			r.restore()
			why := r.run(t, func(th *kernel.Thread) {
				// At the end of its block: one byte too far is a fault.
				p := th.AllocatePool(false, typ.Size, kernel.PoolTag("Strc"))
				for off := uint64(0); off < typ.Size; off++ {
					th.Store(p+off, 1, 0xA5)
				}
				th.Store(p, 4, n)
				c := &call{Sys: r.d.f.Sys(th), d: r.d}
				s := c.structureAt(p, typ.Name)
				for _, f := range typ.Fields {
					if f.Size == 0 || f.Size > 8 || f.Size&(f.Size-1) != 0 {
						continue
					}
					v, has := s.field(f.Name)
					switch {
					case has != (f.Offset+f.Size <= n):
						t.Errorf("%s of %d bytes: %s: %v", typ.Name, n, f.Name, has)
					case !has && v != 0, has && f.Offset > 0 && v != 0xA5A5A5A5A5A5A5A5>>(64-8*f.Size):
						t.Errorf("%s of %d bytes: %s is 0x%X", typ.Name, n, f.Name, v)
					}
				}
			})
			if why != kernel.Done {
				t.Fatalf("%s of %d bytes: %v", typ.Name, n, r.m.Findings())
			}
		}
	}
}

// Every size that kmdf-struct-sizes.csv has is at most that of the newest
// version: what is read of it lies in the structure.
func TestStructureSizesKnown(t *testing.T) {
	for _, typ := range ddi.Structs() {
		history, _ := ddi.StructSizes(typ.Name)
		for _, s := range append(history.Older, history.Headers...) {
			if s.Size > typ.Size {
				t.Errorf("%s of KMDF %s has %d bytes, the newest %d", typ.Name, s.Version, s.Size, typ.Size)
			}
		}
	}
}
