package mem

// Alloc is one block of pool. Each block has pages of its own, ends (16-byte
// aligned) at the end of its last page, and is followed by a guard page; freed
// pages stay inaccessible for the rest of the run (VER-7).
type Alloc struct {
	Addr   uint64
	Size   uint64 // bytes asked for
	Tag    uint32 // pool tag, first character in the low byte
	Paged  bool
	Freed  bool
	Driver bool // asked for by a driver, who has to free it
	// Who allocated and freed it: the kernel's activation ids, for reports.
	AllocBy, FreeBy uint32
	pages           int32
	first           uint64 // address of its first page
}

// MaxAlloc is the largest block, in bytes, that Alloc hands out.
const MaxAlloc = 1 << 26

// Alloc makes a zeroed block and returns its address, or 0 if size is 0 or
// above MaxAlloc. Blocks of a page or more start at a page boundary, as on
// Windows; smaller ones end at one.
func (s *Space) Alloc(size uint64, tag uint32, paged bool, by uint32) uint64 {
	if size == 0 || size > MaxAlloc {
		return 0
	}
	r, prot := NonPagedPool, Read|Write
	if paged {
		r, prot = PagedPool, Read|Write|Pageable
	}
	id := int32(len(s.allocs))
	pages := int((size + PageSize - 1) >> pageShift)
	first := s.appendPages(r, pages, func(va uint64) pte { return pte{frame: s.newFrame(va), prot: prot, alloc: id} })
	s.appendPages(r, 1, func(uint64) pte { return pte{frame: -1, alloc: id, guard: true} })
	addr := first
	if size < PageSize {
		addr = first + PageSize - (size+15)&^15
	}
	s.mark(markAlloc, addr, size)
	s.allocs = append(s.allocs, Alloc{Addr: addr, Size: size, Tag: tag, Paged: paged, AllocBy: by, pages: int32(pages), first: first})
	return addr
}

// Free gives a block up. It reports false if addr is not the start of a live
// block; Find tells more.
func (s *Space) Free(addr uint64, by uint32) bool {
	a := s.Find(addr)
	if a == nil || a.Addr != addr || a.Freed {
		return false
	}
	a.Freed, a.FreeBy = true, by
	s.mark(markFree, addr, 0)
	for i := range a.pages {
		s.edit(a.first + uint64(i)<<pageShift).freed = true
	}
	return true
}

// Find returns the block, live or freed, whose pages or guard page hold addr,
// or nil. The pointer is valid until the next Alloc or Restore.
func (s *Space) Find(addr uint64) *Alloc {
	if p := s.entry(addr); p != nil && p.alloc != 0 {
		return &s.allocs[p.alloc]
	}
	return nil
}

// FreedBetween reports whether the n bytes at addr lie in a freed block.
func (s *Space) FreedBetween(addr uint64, n int) bool {
	p, q := s.entry(addr), s.entry(addr+uint64(n)-1)
	return p != nil && p.freed || q != nil && q.freed
}

// Live calls f for each block that is not freed, oldest first.
func (s *Space) Live(f func(*Alloc)) {
	for i := 1; i < len(s.allocs); i++ {
		if !s.allocs[i].Freed {
			f(&s.allocs[i])
		}
	}
}
