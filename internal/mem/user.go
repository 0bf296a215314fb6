package mem

import "slices"

// Process names an address space of applications, from 1. The kernel's
// addresses are the same in all of them; those of applications mean something
// else, or nothing, in another process. Process 0 has no such addresses.
type Process int32

// Addresses of applications. The first 64 KB are never mapped, as on Windows.
const (
	userBase  = 0x00000200_00000000 // in every process: where buffers begin
	UserStart = 0x10000
	UserEnd   = 0x00007FFF_FFFF0000
)

// IsUser reports whether an address is one of applications.
func IsUser(addr uint64) bool { return addr-UserStart < UserEnd-UserStart }

// userHome tells addresses of applications in different processes apart.
func userHome(p Process, addr uint64) uint64 { return addr | uint64(p)<<48 }

// UserOf is the reverse of Home for a buffer of an application: its address in
// its process.
func UserOf(home uint64) (addr uint64, ok bool) {
	addr = home & (1<<48 - 1)
	return addr, IsUser(addr)
}

// NewProcess makes an empty address space.
func (s *Space) NewProcess() Process {
	s.processes = append(s.processes, nil)
	return Process(len(s.processes))
}

// UseProcess says whose addresses the accesses that follow mean, and returns
// what was said before. It belongs to the running thread, not to the contents.
func (s *Space) UseProcess(p Process) (before Process) {
	before, s.current = s.current, p
	return before
}

// MapUser maps a zeroed buffer of size bytes (up to MaxAlloc) into a process and
// returns its address, 0 if there is no such size. As for pool, a buffer of a
// page or more begins at a page, a smaller one ends at one, and an unmapped page
// follows. No two pages that follow each other are neighbours in physical
// memory: a device has to be told of each.
func (s *Space) MapUser(p Process, size uint64) uint64 {
	if size == 0 || size > MaxAlloc {
		return 0
	}
	n := int((size + PageSize - 1) >> pageShift)
	t := &s.processes[p-1]
	first := userBase + uint64(len(*t))<<pageShift
	for i := range n { // the last page first
		*t = append(*t, pte{frame: s.newFrame(userHome(p, first+uint64(n-1-i)<<pageShift)), prot: Read | Write})
	}
	slices.Reverse((*t)[len(*t)-n:])
	*t = append(*t, pte{frame: -1})
	s.mark(markMap, userHome(p, first), size)
	if size < PageSize {
		return first + PageSize - (size+15)&^15
	}
	return first
}

// UnmapUser takes the buffer of size bytes at addr away; its addresses are not
// used again.
func (s *Space) UnmapUser(p Process, addr, size uint64) {
	before := s.UseProcess(p)
	s.Unmap(addr&^(PageSize-1), int((size+PageSize-1)>>pageShift))
	s.UseProcess(before)
}

// ReadUser and WriteUser are Read and Write in a process.
func (s *Space) ReadUser(p Process, addr uint64, b []byte) Fault {
	before := s.UseProcess(p)
	defer s.UseProcess(before)
	return s.Read(addr, b)
}

// WriteUser: see ReadUser.
func (s *Space) WriteUser(p Process, addr uint64, b []byte) Fault {
	before := s.UseProcess(p)
	defer s.UseProcess(before)
	return s.Write(addr, b)
}

// userEntry is entry for an address of applications.
func (s *Space) userEntry(addr uint64) *pte {
	if s.current == 0 {
		return nil
	}
	t := s.processes[s.current-1]
	if n := (addr - userBase) >> pageShift; n < uint64(len(t)) {
		return &t[n]
	}
	return nil
}

// copyProcesses copies tables into to, which it returns.
func copyProcesses(to, all [][]pte) [][]pte {
	for len(to) < len(all) {
		to = append(to, nil)
	}
	to = to[:len(all)]
	for i := range all {
		to[i] = append(to[i][:0], all[i]...)
	}
	return to
}
