package pe

import (
	"strings"

	"github.com/dirql/dirql/internal/mem"
)

// Image is a File in simulated memory.
type Image struct {
	File  *File
	Base  uint64
	Entry uint64 // address of the entry point
	Slots []Slot // what the binder has to fill in: see Bind
	// Cookie is the value that the security cookie was set to; 0: the image has none.
	Cookie uint64
}

// Slot is the place of an import in memory.
type Slot struct {
	*Import
	Addr uint64
}

// Load maps the image at base, or at the next free address if base is 0, and
// makes it ready to be bound and entered: contents, relocations, security
// cookie, protections. An error is an *Error; nothing is mapped then.
//
// The guard pointers keep what the linker put there: routines of the image
// that check nothing (see LoadConfig).
func (f *File) Load(m *mem.Space, base uint64) (*Image, error) {
	if base%pageSize != 0 {
		return nil, f.fail(-1, "give an address that ends in 000", "cannot load at 0x%X: not the start of a page", base)
	}
	if base != f.ImageBase && !f.relocatable() {
		return nil, f.fail(-1, "link it without /fixed", "the driver cannot be relocated: it was linked for address 0x%X only", f.ImageBase)
	}
	base, ok := m.MapImage(base, int(f.Size/pageSize), mem.Read|mem.Write)
	if !ok {
		return nil, f.fail(-1, "load it elsewhere, or fewer drivers", "there is no room for %d bytes of image", f.Size)
	}
	im := &Image{File: f, Base: base, Entry: base + uint64(f.EntryRVA)}
	im.copyIn(m)
	im.relocate(m)
	im.setCookie(m)
	for i := range f.Imports {
		im.Slots = append(im.Slots, Slot{&f.Imports[i], im.Addr(f.Imports[i].Slot)})
	}
	im.protect(m)
	return im, nil
}

// Addr returns the address of an RVA; 0 for 0, which stands for nothing.
func (im *Image) Addr(rva uint32) uint64 {
	if rva == 0 {
		return 0
	}
	return im.Base + uint64(rva)
}

// RVA returns the RVA of an address in the image.
func (im *Image) RVA(addr uint64) (uint32, bool) {
	rva := addr - im.Base
	return uint32(rva), rva < uint64(im.File.Size)
}

// copyIn copies headers and sections. Debug information stays out: no driver
// reads it, and Windows discards it.
func (im *Image) copyIn(m *mem.Space) {
	f := im.File
	put := func(rva uint32, data []byte) {
		if fault := m.Write(im.Base+uint64(rva), data); fault.Kind != mem.NoFault {
			panic("BUG: loading an image: " + fault.Kind.String())
		}
	}
	put(0, f.data[:f.HeaderSize])
	for i := range f.Sections {
		if s := &f.Sections[i]; !s.Debug() && s.fileSize > 0 {
			put(s.RVA, f.data[s.offset:s.offset+s.fileSize])
		}
	}
}

// relocate adds the distance from the linker's base to the real one.
func (im *Image) relocate(m *mem.Space) {
	delta := im.Base - im.File.ImageBase
	if delta == 0 {
		return
	}
	for _, rva := range im.File.relocs {
		if s := im.File.SectionAt(rva); s.Debug() {
			continue
		}
		v, _ := m.Load(im.Base+uint64(rva), 8)
		m.Store(im.Base+uint64(rva), 8, v+delta)
	}
}

// defaultCookie is the value by which a driver recognises that its loader did
// not set the cookie.
const defaultCookie = 0x2B992DDFA232

// setCookie gives the security cookie a value that is the same in every run:
// it depends on the image and on where it lies. The upper 16 bits are zero.
func (im *Image) setCookie(m *mem.Space) {
	rva := im.File.Config.Cookie
	if rva == 0 {
		return
	}
	v := mem.Mix(im.Base, uint64(im.File.TimeDateStamp)<<32|uint64(rva)) >> 16
	if v == 0 || v == defaultCookie {
		v++
	}
	im.Cookie = v
	m.Store(im.Addr(rva), 8, v)
}

// protect gives the pages their final protection. Where sections share a page
// (an alignment below 4096), it allows what one of them allows.
func (im *Image) protect(m *mem.Space) {
	f := im.File
	prots := make([]mem.Prot, f.Size/pageSize)
	resident := make([]bool, len(prots)) // has something that is not pageable
	for i := range (f.HeaderSize + pageSize - 1) / pageSize {
		prots[i], resident[i] = mem.Read, true
	}
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Debug() || s.Size == 0 {
			continue
		}
		for p := s.RVA / pageSize; p <= (s.RVA+s.Size-1)/pageSize; p++ {
			prots[p] |= s.prot()
			resident[p] = resident[p] || !s.Pageable()
		}
	}
	for i, prot := range prots {
		addr := im.Base + uint64(i)*pageSize
		switch {
		case prot == 0:
			m.Unmap(addr, 1)
		case resident[i]:
			m.SetProt(addr, 1, prot&^mem.Pageable)
		default:
			m.SetProt(addr, 1, prot)
		}
	}
}

// prot returns the protection that a section asks for. Everything that is
// mapped can be read.
func (s *Section) prot() mem.Prot {
	p := mem.Read
	if s.Writable() {
		p |= mem.Write
	}
	if s.Executable() {
		p |= mem.Exec
	}
	if s.Pageable() {
		p |= mem.Pageable
	}
	return p
}

// Bind stores the address that an import resolves to into its slot, whatever
// the protection of its page is.
func (im *Image) Bind(m *mem.Space, s Slot, value uint64) {
	page := s.Addr &^ (pageSize - 1)
	prot := m.Prot(page)
	m.SetProt(page, 1, prot|mem.Write)
	if fault := m.Store(s.Addr, 8, value); fault.Kind != mem.NoFault {
		panic("BUG: binding an import: " + fault.Kind.String())
	}
	m.SetProt(page, 1, prot)
}

// Discard unmaps the sections that Windows frees when DriverEntry has
// returned. A page that another section shares stays.
func (im *Image) Discard(m *mem.Space) {
	f := im.File
	for i := range f.Sections {
		s := &f.Sections[i]
		if !s.Discardable() || s.Debug() || s.RVA%pageSize != 0 {
			continue
		}
		last := i == len(f.Sections)-1 || f.Sections[i+1].RVA%pageSize == 0
		pages := (s.Size + pageSize - 1) / pageSize
		if !last {
			pages = s.Size / pageSize
		}
		m.Unmap(im.Addr(s.RVA), int(pages))
	}
}

// Unload unmaps the whole image.
func (im *Image) Unload(m *mem.Space) { m.Unmap(im.Base, int(im.File.Size/pageSize)) }

// BaseName returns the name of the driver file without its folder.
func (f *File) BaseName() string { return f.Name[strings.LastIndexAny(f.Name, `\/`)+1:] }

// Module returns the name of the file without folder and extension: what
// debuggers call the module.
func (f *File) Module() string {
	name := f.BaseName()
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	return name
}

// ReadMemory returns a ReadFunc for simulated memory.
func ReadMemory(m *mem.Space) ReadFunc {
	return func(addr uint64) (uint64, bool) {
		v, fault := m.Load(addr, 8)
		return v, fault.Kind == mem.NoFault
	}
}
