package pe

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/mem"
)

func load(t *testing.T, name string, m *mem.Space, base uint64) *Image {
	t.Helper()
	im, err := parseFixture(t, name).Load(m, base)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestLoad looks at every page of a loaded driver.
func TestLoad(t *testing.T) {
	const base = 0xFFFFF800_00010000
	m := mem.New()
	im := load(t, "clang.sys", m, base)
	if im.Base != base || im.Entry != base+0x5000 {
		t.Fatalf("base 0x%X, entry 0x%X", im.Base, im.Entry)
	}
	const r, w, x, p = mem.Read, mem.Write, mem.Exec, mem.Pageable
	for i, want := range []mem.Prot{r, r | x, r, r | w, r, r | w | x, r | x | p, r, r, 0} {
		if got := m.Prot(base + uint64(i)*pageSize); got != want {
			t.Errorf("page %d: protection %b, want %b", i, got, want)
		}
	}
	if m.Prot(base-1) != 0 {
		t.Error("something is mapped before the image")
	}
	// unload points to Unload, bindInfo.Component to component.
	for rva, want := range map[uint32]uint64{0x3018: base + 0x1180, 0x3028: base + 0x20A0, 0x3000: 7, 0x3058: 0} {
		if v, fault := m.Load(im.Addr(rva), 8); v != want || fault.Kind != mem.NoFault {
			t.Errorf("0x%X holds 0x%X (%v), want 0x%X", rva, v, fault.Kind, want)
		}
	}
	if v, _ := m.Load(base, 2); v != 'M'|'Z'<<8 {
		t.Errorf("the header begins with 0x%X", v)
	}
}

// TestCookie: fact 1 of what drivers expect of their loader.
func TestCookie(t *testing.T) {
	m := mem.New()
	im := load(t, "clang.sys", m, 0)
	v, _ := m.Load(im.Addr(im.File.Config.Cookie), 8)
	if v != im.Cookie || v == 0 || v == defaultCookie || v>>48 != 0 {
		t.Errorf("cookie 0x%X, should be 0x%X", v, im.Cookie)
	}
	if again := load(t, "clang.sys", mem.New(), 0); again.Cookie != im.Cookie {
		t.Error("the cookie differs from run to run")
	}
	if second := load(t, "clang.sys", m, 0); second.Cookie == im.Cookie || second.Base < im.Base+uint64(im.File.Size)+pageSize {
		t.Errorf("second image at 0x%X with cookie 0x%X", second.Base, second.Cookie)
	}
}

// TestBind fills the slots, which lie in a read-only section.
func TestBind(t *testing.T) {
	m := mem.New()
	im := load(t, "clang.sys", m, 0)
	var names []string
	for i, s := range im.Slots {
		names = append(names, s.Name)
		before := m.Prot(s.Addr)
		im.Bind(m, s, 0xFFFFF80F_00000000+uint64(i))
		if v, _ := m.Load(s.Addr, 8); v != 0xFFFFF80F_00000000+uint64(i) || m.Prot(s.Addr) != before {
			t.Errorf("%s: slot holds 0x%X, protection %b", s.Name, v, m.Prot(s.Addr))
		}
	}
	if got := strings.Join(names, " "); got != "DbgPrint IoFileObjectType KeGetCurrentIrql WdfVersionBind WdfVersionUnbind" {
		t.Error(got)
	}
}

// TestDiscard takes INIT and .reloc away, and then everything.
func TestDiscard(t *testing.T) {
	m := mem.New()
	im := load(t, "clang.sys", m, 0)
	im.Discard(m)
	for i := range uint64(9) {
		gone := i == 5 || i == 8
		if got := m.Prot(im.Base + i*pageSize); (got == 0) != gone {
			t.Errorf("page %d: protection %b", i, got)
		}
	}
	im.Unload(m)
	for i := range uint64(9) {
		if m.Prot(im.Base+i*pageSize) != 0 {
			t.Errorf("page %d is still there", i)
		}
	}
}

// TestDebugNotLoaded: debug sections take no memory.
func TestDebugNotLoaded(t *testing.T) {
	m := mem.New()
	im := load(t, "gcc4.sys", m, 0)
	for i := range im.File.Sections {
		s := &im.File.Sections[i]
		if mapped := m.Prot(im.Addr(s.RVA)) != 0; mapped == s.Debug() {
			t.Errorf("section %s: mapped %v", s.Name, mapped)
		}
	}
}

// TestLoadElsewhere: where an image cannot lie.
func TestLoadElsewhere(t *testing.T) {
	const images = 0xFFFFF800_00000000
	p := newPatch(t, "clang.sys")
	p.directory(dirReloc, 0, 0)
	if _, err := p.load(0); err != nil {
		t.Error("an image without relocations that was not linked for one address:", err)
	}
	p.header(22, 2, relocsStripped|executableImage)
	for _, c := range []struct {
		base uint64
		want string
	}{
		{0, "cannot be relocated: it was linked for address 0x140000000 only"},
		{0x140000000, "no room"},
		{images + 1, "not the start of a page"},
	} {
		if _, err := p.load(c.base); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("0x%X: %v, want ...%s...", c.base, err, c.want)
		}
	}
	f := parseFixture(t, "clang.sys")
	m := mem.New()
	for _, c := range []struct {
		base uint64
		ok   bool
	}{{images + 0x5000, true}, {images, false}, {images + 0x5000, false}, {images + 1<<32 - 0x5000, false}, {images + 0x10000, true}} {
		if _, err := f.Load(m, c.base); (err == nil) != c.ok {
			t.Errorf("0x%X: %v", c.base, err)
		}
	}
}

// TestSmallAlignment merges the protections of sections that share a page.
func TestSmallAlignment(t *testing.T) {
	f := &File{
		Name: "small.sys", Size: 0x2000, HeaderSize: 0x200, EntryRVA: 0x200, alignment: 0x80, data: make([]byte, 0x2000),
		Sections: []Section{
			{Name: ".text", RVA: 0x200, Size: 0xE00, Characteristics: scnExecute, offset: 0x200, fileSize: 0xE00},
			{Name: "PAGE", RVA: 0x1000, Size: 0x400, Characteristics: scnExecute, offset: 0x1000, fileSize: 0x400},
			{Name: ".data", RVA: 0x1400, Size: 0x400, Characteristics: scnWrite, offset: 0x1400, fileSize: 0x400},
		},
	}
	m := mem.New()
	im, err := f.Load(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []mem.Prot{mem.Read | mem.Exec, mem.Read | mem.Write | mem.Exec} {
		if got := m.Prot(im.Base + uint64(i)*pageSize); got != want {
			t.Errorf("page %d: protection %b, want %b", i, got, want)
		}
	}
}
