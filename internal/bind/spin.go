package bind

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// Busy waiting. A loop that only reads, pauses, stalls or sleeps, and comes back to the
// same place with the same registers and the same stack, will go round for ever
// unless something that it reads changes. It is blocked until that happens, like
// a processor that spins on a lock: schedules stay short, and a wait that
// nothing ends is a finding.
//
// Litmus tests do without it: they count on reading, and their searches end
// loops by recognising states.

// Bounds on what is taken for a busy wait.
const (
	spinStart  = 32   // accesses in a row without effect before anything is compared
	spinGiveUp = 4096 // accesses in a row after which nothing is any more
	spinReads  = 16   // different places that a loop reads
	spinStack  = 4096 // bytes of stack that a routine and what it calls use
)

// spin looks for a busy wait in one activation of guest code.
type spin struct {
	d         *Driver
	t         *kernel.Thread
	c         *x86.CPU
	top       uint64   // of its stack
	row       int      // accesses in a row that changed nothing
	renew     int      // the row at which candidate is replaced next (Brent's algorithm)
	candidate uint64   // fingerprint of the activation at some access of the row
	reads     []polled // since the candidate
	locked    polled   // the last interlocked operation: what was there before
	sleeps    bool     // the row has calls of KeDelayExecutionThread

	call *call // the present one of the activation
}

// polled is a read and what it found.
type polled struct {
	addr     uint64
	size     int
	value    uint64
	rip      uint64 // who reads
	device   bool   // it is a register:
	state    uint64 // fingerprint of the devices
	register string // its name, with a trace only
}

// effect: something has happened that a loop can make progress by.
func (s *spin) effect() { s.row, s.locked.size, s.sleeps = 0, 0, false }

// calls is called before a routine of the kernel or the framework is.
func (s *spin) calls(name string) {
	switch name {
	case "KeStallExecutionProcessor":
	case "KeDelayExecutionThread":
		s.sleeps = true
	default:
		s.effect()
	}
}

// suspicious reports whether the next reads may be those of a busy wait.
func (s *spin) suspicious() bool {
	return s.row >= spinStart && s.row < spinGiveUp && !s.d.m.Recognises()
}

// ahead returns how many reads in a row can come now, and after the next effect,
// without any doubt about them.
func (s *spin) ahead() (first, row int) {
	if s.row == spinGiveUp || s.d.m.Recognises() {
		return spinGiveUp, spinStart - 1
	}
	return max(spinStart-1-s.row, 0), spinStart - 1
}

// passed is before and found, or effect, for an access about which there is no doubt.
func (s *spin) passed(write bool) {
	if write {
		s.effect()
		return
	}
	s.row, s.renew = min(s.row+1, spinGiveUp), spinStart
}

// before is called before a read or an interlocked operation: it waits if the
// activation has been here before and nothing has changed since.
func (s *spin) before() {
	if l := &s.locked; l.size > 0 && s.changed(l) {
		s.effect()
	}
	s.locked.size = 0
	if s.row = min(s.row+1, spinGiveUp); !s.suspicious() {
		s.renew = spinStart
		return
	}
	state, ok := s.fingerprint()
	switch {
	case !ok:
		s.row = spinGiveUp
	case s.row >= s.renew:
		s.candidate, s.renew, s.reads = state, 2*s.row, s.reads[:0]
	case state == s.candidate:
		s.wait()
		s.reads, s.row, s.renew = s.reads[:0], spinStart, 2*spinStart
	}
}

// wait waits until a read of the loop would find something else.
func (s *spin) wait() {
	changed := func() bool { return slices.ContainsFunc(s.reads, func(p polled) bool { return s.changed(&p) }) }
	if s.sleeps {
		s.t.Await(s.text(), changed)
	} else {
		s.t.Spin(s.text(), changed)
	}
}

// changed reports whether a read would find something else now.
func (s *spin) changed(p *polled) bool {
	if p.device {
		return s.d.m.DeviceState() != p.state
	}
	v, fault := s.d.m.Mem.Load(p.addr, p.size)
	return fault.Kind != mem.NoFault || v != p.value
}

// found notes what a read of memory finds, or an interlocked operation before
// it changes it.
func (s *spin) found(a *x86.Access) {
	p := polled{addr: a.Addr, size: int(a.Size)}
	if !s.suspicious() {
		return
	}
	if p.size > 8 {
		s.effect()
		return
	}
	v, fault := s.d.m.Mem.Load(p.addr, p.size)
	if fault.Kind != mem.NoFault {
		s.effect()
		return
	}
	p.value = v
	if a.Kind == x86.ReadWrite {
		s.locked = p
	}
	s.add(p)
}

// poll reads a device register.
func (s *spin) poll(a *x86.Access) uint64 {
	if !s.suspicious() {
		return s.t.Load(a.Addr, int(a.Size))
	}
	r := s.t.Poll(a.Addr, int(a.Size))
	if !r.Steady {
		s.effect()
		return r.Value
	}
	s.add(polled{addr: a.Addr, size: int(a.Size), value: r.Value, device: true, state: r.Device, register: r.Name})
	return r.Value
}

func (s *spin) add(p polled) {
	p.rip = s.c.RIP
	for i := range s.reads {
		if q := &s.reads[i]; q.addr == p.addr && q.size == p.size {
			*q = p
			return
		}
	}
	if len(s.reads) == spinReads {
		s.row = spinGiveUp
		return
	}
	s.reads = append(s.reads, p)
}

// text says what the loop polls: a register, if it reads one.
func (s *spin) text() string {
	if len(s.reads) == 0 {
		return s.d.m.NameOf(s.c.RIP) + " stalls"
	}
	p := s.reads[max(slices.IndexFunc(s.reads, func(p polled) bool { return p.device }), 0)]
	name, gone := p.register, ""
	if name == "" {
		name = s.d.m.MemoryText(s.d.m.Mem.Home(p.addr), uint64(p.size))
	}
	if p.device && p.value == ^uint64(0)>>(64-8*p.size) {
		gone = ", as every register of a device that is gone (PWR-8)"
	}
	return fmt.Sprintf("%s reads %s and finds 0x%X%s", s.d.m.NameOf(p.rip), name, p.value, gone)
}

// fingerprint is one of the registers and the stack of the activation.
func (s *spin) fingerprint() (state uint64, ok bool) {
	sp := s.c.R[x86.RSP]
	if s.top-sp > spinStack {
		return 0, false
	}
	stack := make([]byte, s.top-sp)
	if f := s.d.m.Mem.Read(sp, stack); f.Kind != mem.NoFault {
		return 0, false
	}
	h := fnv.New64a()
	h.Write(s.c.AppendState(nil))
	h.Write(stack)
	return h.Sum64(), true
}

// appendState appends what decides whether the next read waits.
func (s *spin) appendState(b []byte) []byte {
	if s.d.m.Recognises() {
		return b
	}
	b = append(binary.LittleEndian.AppendUint16(b, uint16(s.row)), byte(boolean(s.sleeps)))
	b = appendRead(b, &s.locked)
	if !s.suspicious() {
		return b
	}
	b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16(b, uint16(s.renew)), s.candidate)
	for i := range s.reads {
		b = appendRead(b, &s.reads[i])
	}
	return append(b, byte(len(s.reads)))
}

func appendRead(b []byte, p *polled) []byte {
	b = append(b, byte(p.size))
	if p.size == 0 {
		return b
	}
	for _, v := range [...]uint64{p.addr, p.value, p.state} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}
