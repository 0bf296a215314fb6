package mem_test

import (
	"bytes"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

// model is the simplest memory that could work: a map of pages.
type model struct {
	pages  map[uint64]modelPage // by address
	blocks []modelBlock
	order  []uint64 // addresses of pages, oldest first
}

type modelPage struct {
	data  *[page]byte // views of the same memory share it; nil: no memory
	prot  mem.Prot
	state mem.FaultKind // NoFault, Freed, BeyondBlock, DevicePage or NotPresent
}

type modelBlock struct {
	addr, size uint64
	freed      bool
}

// fault returns what an access of n bytes gives.
func (m *model) fault(addr uint64, n int, a mem.Access) mem.Fault {
	for i := 0; i < n; i++ {
		at := addr + uint64(i)
		if i > 0 && at%page != 0 {
			continue
		}
		p, ok := m.pages[at&^(page-1)]
		kind := p.state
		switch {
		case !ok && (at>>47 != 0 && at>>47 != 1<<17-1):
			kind = mem.NotCanonical
		case !ok:
			kind = mem.NotPresent
		case kind != mem.NoFault:
		case a == mem.Store && p.prot&mem.Write == 0:
			kind = mem.ReadOnly
		case a == mem.Fetch && p.prot&mem.Exec == 0:
			kind = mem.NoExecute
		}
		if kind != mem.NoFault {
			return mem.Fault{Kind: kind, Access: a, Addr: at}
		}
	}
	return mem.Fault{}
}

func (m *model) byteAt(addr uint64) *byte { return &m.pages[addr&^(page-1)].data[addr%page] }

func (m *model) add(addr uint64, p modelPage) {
	m.pages[addr] = p
	m.order = append(m.order, addr)
}

// clone copies a model; shared memory stays shared within the copy.
func (m *model) clone() *model {
	c := &model{pages: map[uint64]modelPage{}, blocks: append([]modelBlock(nil), m.blocks...), order: append([]uint64(nil), m.order...)}
	copies := map[*[page]byte]*[page]byte{nil: nil}
	for _, addr := range m.order {
		p := m.pages[addr]
		if copies[p.data] == nil && p.data != nil {
			d := *p.data
			copies[p.data] = &d
		}
		p.data = copies[p.data]
		c.pages[addr] = p
	}
	return c
}

// input reads the operations of a fuzz run.
type input struct{ b []byte }

func (in *input) n(n int) int {
	if len(in.b) == 0 || n <= 0 {
		return 0
	}
	v := int(in.b[0])
	in.b = in.b[1:]
	if n > 256 && len(in.b) > 0 {
		v = v<<8 | int(in.b[0])
		in.b = in.b[1:]
	}
	return v % n
}

// addr returns an address in or near a page of the model, often near its ends.
func (in *input) addr(m *model) uint64 {
	if len(m.order) == 0 {
		return uint64(in.n(1 << 16))
	}
	a := m.order[in.n(len(m.order))]
	switch in.n(4) {
	case 0:
		return a + uint64(in.n(page))
	case 1:
		return a + page - uint64(in.n(16))
	case 2:
		return a + uint64(in.n(16))
	}
	return a + uint64(in.n(3*page)) - page
}

// machineUnderTest is a space with its model and their snapshots.
type machineUnderTest struct {
	t         *testing.T
	s         *mem.Space
	m         *model
	snapshots []*mem.Snapshot
	models    []*model
	hashes    []mem.Hash
}

func (u *machineUnderTest) do(in *input) {
	prots := []mem.Prot{mem.Read | mem.Write, mem.Read, mem.Read | mem.Exec, mem.Read | mem.Write | mem.Pageable}
	switch in.n(16) {
	case 0:
		u.alloc(uint64(in.n(3*page)), in.n(2) == 1)
	case 1:
		u.free(in)
	case 2, 3, 4:
		u.store(in.addr(u.m), 1<<in.n(4), uint64(in.n(1<<16))*0x1000100010001)
	case 5:
		u.write(in.addr(u.m), in.n(2*page), byte(in.n(256)))
	case 6, 7:
		u.load(in.addr(u.m), 1<<in.n(4))
	case 8:
		u.read(in.addr(u.m), in.n(2*page))
	case 9:
		u.takeSnapshot()
	case 10:
		u.restore(in)
	case 11:
		region, prot := mem.Region(in.n(5)), prots[in.n(len(prots))]
		n := 1 + in.n(3)
		for i, a := 0, u.s.Map(region, n, prot); i < n; i++ {
			u.m.add(a+uint64(i)*page, modelPage{data: new([page]byte), prot: prot})
		}
	case 12:
		u.unmap(in)
	case 13:
		u.view(in.addr(u.m), 1+in.n(page), prots[in.n(len(prots))])
	case 14:
		u.writePhysical(in.addr(u.m), 1+in.n(64), byte(in.n(256)))
	case 15:
		u.setProt(in, prots[in.n(len(prots))])
	}
}

func (u *machineUnderTest) same(what string, got, want mem.Fault) {
	u.t.Helper()
	if got != want {
		u.t.Fatalf("%s: %+v, want %+v", what, got, want)
	}
}

func (u *machineUnderTest) alloc(size uint64, paged bool) {
	addr := u.s.Alloc(size, 0, paged, 0)
	if (addr == 0) != (size == 0) {
		u.t.Fatalf("a block of %d bytes at 0x%X", size, addr)
	}
	if addr == 0 {
		return
	}
	prot := mem.Read | mem.Write
	if paged {
		prot |= mem.Pageable
	}
	first := addr &^ (page - 1)
	for at := first; at < addr+size; at += page {
		if _, used := u.m.pages[at]; used {
			u.t.Fatalf("a new block at 0x%X, where something is or was", addr)
		}
		u.m.add(at, modelPage{data: new([page]byte), prot: prot})
	}
	u.m.add(first+(size+page-1)/page*page, modelPage{state: mem.BeyondBlock})
	u.m.blocks = append(u.m.blocks, modelBlock{addr: addr, size: size})
}

func (u *machineUnderTest) free(in *input) {
	if len(u.m.blocks) == 0 {
		return
	}
	b := &u.m.blocks[in.n(len(u.m.blocks))]
	if got := u.s.Free(b.addr, 0); got == b.freed && u.m.pages[b.addr&^(page-1)].state != mem.NotPresent {
		u.t.Fatalf("Free of 0x%X gives %v", b.addr, got)
	} else if !got {
		return
	}
	b.freed = true
	for at := b.addr &^ (page - 1); at < b.addr+b.size; at += page {
		if p := u.m.pages[at]; p.state == mem.NoFault {
			p.state = mem.Freed
			u.m.pages[at] = p
		}
	}
}

func (u *machineUnderTest) store(addr uint64, size int, v uint64) {
	want := u.m.fault(addr, size, mem.Store)
	u.same("Store", u.s.Store(addr, size, v), want)
	for i := 0; i < size && want.Kind == mem.NoFault; i++ {
		*u.m.byteAt(addr + uint64(i)) = byte(v >> (8 * i))
	}
}

func (u *machineUnderTest) write(addr uint64, n int, v byte) {
	want := u.m.fault(addr, n, mem.Store)
	u.same("Write", u.s.Write(addr, bytes.Repeat([]byte{v}, n)), want)
	for i := 0; i < n && want.Kind == mem.NoFault; i++ {
		*u.m.byteAt(addr + uint64(i)) = v
	}
}

func (u *machineUnderTest) load(addr uint64, size int) {
	want := u.m.fault(addr, size, mem.Load)
	v, f := u.s.Load(addr, size)
	u.same("Load", f, want)
	u.same("Check", u.s.Check(addr, size, mem.Fetch), u.m.fault(addr, size, mem.Fetch))
	for i := 0; i < size && want.Kind == mem.NoFault; i++ {
		if got, want := byte(v>>(8*i)), *u.m.byteAt(addr + uint64(i)); got != want {
			u.t.Fatalf("Load of 0x%X: byte %d is %d, want %d", addr, i, got, want)
		}
	}
}

func (u *machineUnderTest) read(addr uint64, n int) {
	want := u.m.fault(addr, n, mem.Load)
	b := make([]byte, n)
	u.same("Read", u.s.Read(addr, b), want)
	for i := 0; i < n && want.Kind == mem.NoFault; i++ {
		if want := *u.m.byteAt(addr + uint64(i)); b[i] != want {
			u.t.Fatalf("Read of 0x%X: byte %d is %d, want %d", addr, i, b[i], want)
		}
	}
}

func (u *machineUnderTest) takeSnapshot() {
	if len(u.snapshots) == 4 {
		u.snapshots, u.models, u.hashes = u.snapshots[1:], u.models[1:], u.hashes[1:]
	}
	u.snapshots = append(u.snapshots, u.s.Snapshot())
	u.models = append(u.models, u.m.clone())
	u.hashes = append(u.hashes, u.s.Hash())
}

func (u *machineUnderTest) restore(in *input) {
	if len(u.snapshots) == 0 {
		return
	}
	i := in.n(len(u.snapshots))
	u.s.Restore(u.snapshots[i])
	u.m = u.models[i].clone()
	if u.s.Hash() != u.hashes[i] {
		u.t.Fatal("another fingerprint after Restore")
	}
}

func (u *machineUnderTest) unmap(in *input) {
	if len(u.m.order) == 0 {
		return
	}
	at := u.m.order[in.n(len(u.m.order))]
	for _, b := range u.m.blocks { // nobody unmaps pool
		if at+page > b.addr && at <= b.addr+b.size+page {
			return
		}
	}
	u.s.Unmap(at, 1)
	u.m.pages[at] = modelPage{state: mem.NotPresent}
}

// view maps the physical pages behind an address a second time.
func (u *machineUnderTest) view(addr uint64, n int, prot mem.Prot) {
	pa, ok := u.s.Physical(addr)
	p := u.m.pages[addr&^(page-1)]
	if ok != (p.data != nil) {
		u.t.Fatalf("0x%X has a physical address: %v", addr, ok)
	}
	if !ok {
		return
	}
	n = min(n, int(page-addr%page))
	at := u.s.MapPhysical(mem.SystemMaps, pa, n, prot)
	if at%page != addr%page {
		u.t.Fatalf("a view of 0x%X at 0x%X", addr, at)
	}
	u.m.add(at&^(page-1), modelPage{data: p.data, prot: prot | mem.View})
}

func (u *machineUnderTest) writePhysical(addr uint64, n int, v byte) {
	pa, ok := u.s.Physical(addr)
	if !ok {
		return
	}
	n = min(n, int(page-addr%page))
	if !u.s.WritePhysical(pa, bytes.Repeat([]byte{v}, n)) {
		u.t.Fatalf("WritePhysical of %d bytes at 0x%X", n, pa)
	}
	for i := range n {
		*u.m.byteAt(addr + uint64(i)) = v
	}
	b := make([]byte, n)
	if !u.s.ReadPhysical(pa, b) || b[0] != v {
		u.t.Fatalf("ReadPhysical at 0x%X", pa)
	}
}

func (u *machineUnderTest) setProt(in *input, prot mem.Prot) {
	if len(u.m.order) == 0 {
		return
	}
	at := u.m.order[in.n(len(u.m.order))]
	u.s.SetProt(at, 1, prot)
	if p := u.m.pages[at]; p.data != nil {
		p.prot = prot | p.prot&mem.View
		u.m.pages[at] = p
	}
}

// all compares everything.
func (u *machineUnderTest) all() {
	for _, at := range u.m.order {
		u.read(at, page)
		if p := u.m.pages[at]; p.state == mem.NoFault && u.s.Prot(at) != p.prot || p.state != mem.NoFault && u.s.Prot(at) != 0 {
			u.t.Fatalf("protection of 0x%X is %b, want %b", at, u.s.Prot(at), p.prot)
		}
	}
}

func runModel(t *testing.T, data []byte) {
	u := &machineUnderTest{t: t, s: mem.New(), m: &model{pages: map[uint64]modelPage{}}}
	u.s.EnableHash()
	in := &input{data}
	for i := 0; len(in.b) > 0 && i < 2000; i++ {
		u.do(in)
	}
	u.all()
}

// FuzzSpace compares a space with a map of pages.
func FuzzSpace(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Fuzz(runModel)
}

// The same with operations from a fixed sequence.
func TestSpaceAgainstModel(t *testing.T) {
	x := uint64(1)
	data := make([]byte, 20_000)
	for range 30 {
		for i := range data {
			x = mem.Mix(x, uint64(i))
			data[i] = byte(x)
		}
		runModel(t, data)
	}
}
