package hostcpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

// control is what the page at pageState holds.
type control struct {
	in, out State
	hostSP  uint64
	hostBP  uint64
	slot    uint64 // address of the instruction
	mxcsr   uint32 // Go's
	trap    Exception
	chain   [32]uint64 // Go's signal handlers
}

// Host is the host's processor. Only one goroutine may use it.
type Host struct {
	mem      []byte
	ctl      *control
	at       int // where the assembler is
	exits    [3]int
	features []string
	actions  map[int]action // Go's, by signal
}

// needed are the features that are taken for granted (names as in
// /proc/cpuinfo).
var needed = []string{"pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "movbe", "cx16", "lahf_lm"}

func enter(code uintptr)

// New maps the test area. There can be one at a time.
func New() (*Host, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	h := &Host{}
	for line := range strings.Lines(string(info)) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			h.features = strings.Fields(v)
			break
		}
	}
	for _, f := range needed {
		if !h.Has(f) {
			return nil, errors.New("native execution needs a processor with " + f)
		}
	}
	const fixedNoReplace = 0x100000
	addr, _, errno := syscall.Syscall6(syscall.SYS_MMAP, Base, Size, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|fixedNoReplace, ^uintptr(0), 0)
	if errno != 0 {
		return nil, fmt.Errorf("mapping the test area: %w", errno)
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&addr)) // outside the Go heap
	h.mem = unsafe.Slice((*byte)(p), Size)
	h.ctl = (*control)(p)
	h.ctl.mxcsr = 0x1F80
	h.assemble()
	if err := h.protect(); err != nil {
		return nil, err
	}
	return h, h.catch()
}

// protect makes the pages that fault.
func (h *Host) protect() error {
	h.mem[ReadOnly-Base] = 0 // the page is there from now on
	for addr, prot := range map[int]int{ReadOnly: syscall.PROT_READ, Hole: syscall.PROT_NONE} {
		if err := syscall.Mprotect(h.mem[addr-Base:][:0x1000], prot); err != nil {
			return fmt.Errorf("protecting a page of the test area: %w", err)
		}
	}
	return nil
}

// action is the kernel's struct sigaction.
type action struct{ handler, flags, restorer, mask uint64 }

var exceptionSignals = []syscall.Signal{syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV}

func sigaction(s syscall.Signal, set, old *action) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("the handler of signal %d: %w", s, errno)
	}
	return nil
}

// catch puts the handler in front of Go's. It runs as Go's does: on the stack
// for signals.
func (h *Host) catch() error {
	handler := uint64(h.at + Base)
	h.handler()
	h.actions = map[int]action{}
	for _, s := range exceptionSignals {
		var old action
		if err := sigaction(s, nil, &old); err != nil {
			return err
		}
		h.actions[int(s)] = old
		h.ctl.chain[s] = old.handler
		own := old
		own.handler = handler
		if err := sigaction(s, &own, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close gives the signals back to Go and unmaps the test area.
func (h *Host) Close() {
	for s, old := range h.actions {
		_ = sigaction(syscall.Signal(s), &old, nil)
	}
	addr := uintptr(Base)
	_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, addr, Size, 0)
}

// Has reports whether the processor has a feature, named as in /proc/cpuinfo.
func (h *Host) Has(feature string) bool { return slices.Contains(h.features, feature) }

// Data returns the data area.
func (h *Host) Data() []byte { return h.mem[Data-Base:][:DataSize] }

// Put writes an instruction into a slot, followed by jumps to the exits.
func (h *Host) Put(slot int, code []byte) {
	at := Slots - Base + slot*SlotSize
	copy(h.mem[at:], code)
	h.jump(at+len(code), h.exits[0])
	h.jump(at+Taken, h.exits[1])
}

func (h *Host) jump(at, to int) {
	h.mem[at] = 0xE9
	binary.LittleEndian.PutUint32(h.mem[at+1:], uint32(to-at-5))
}

// Run executes the instruction in a slot.
func (h *Host) Run(slot int, in, out *State) {
	h.ctl.in = *in
	h.ctl.slot = uint64(Slots + slot*SlotSize)
	runtime.LockOSThread()
	enter(pageCode)
	runtime.UnlockOSThread()
	*out = h.ctl.out
	if out.Path == 2 {
		out.Exception = h.ctl.trap
	}
}

func (h *Host) emit(code ...byte) {
	copy(h.mem[h.at:], code)
	h.at += len(code)
}

// relative emits the 32-bit displacement of an operand at off in the control
// page; after is how many bytes of the instruction follow.
func (h *Host) relative(off uintptr, after int) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(int(off)-(h.at+4+after)))
	h.emit(b[:]...)
}

// general emits MOV (opcode 8B loads, 89 stores) of a general register.
func (h *Host) general(opcode byte, reg int, off uintptr) {
	h.emit(0x48|byte(reg>>3)<<2, opcode, byte(reg&7)<<3|5)
	h.relative(off, 0)
}

// vector emits MOVUPS (opcode 10 loads, 11 stores).
func (h *Host) vector(opcode byte, reg int, off uintptr) {
	h.emit(0x40|byte(reg>>3)<<2, 0x0F, opcode, byte(reg&7)<<3|5)
	h.relative(off, 0)
}

// mxcsr emits LDMXCSR (/2) or STMXCSR (/3).
func (h *Host) mxcsr(digit byte, off uintptr) {
	h.emit(0x0F, 0xAE, digit<<3|5)
	h.relative(off, 0)
}

const (
	rsp = 4
	rbp = 5
)

// assemble writes the code around the instruction.
func (h *Host) assemble() {
	var c control
	in, out := unsafe.Offsetof(c.in), unsafe.Offsetof(c.out)
	h.at = pageCode - Base
	h.general(0x89, rsp, unsafe.Offsetof(c.hostSP))
	h.general(0x89, rbp, unsafe.Offsetof(c.hostBP))
	for i := range 16 {
		h.vector(0x10, i, in+unsafe.Offsetof(c.in.X)+uintptr(i)*16)
	}
	h.mxcsr(2, in+unsafe.Offsetof(c.in.MXCSR))
	h.emit(0xFF, 0x35) // push flags
	h.relative(in+unsafe.Offsetof(c.in.Flags), 0)
	h.emit(0x9D) // popfq
	for i := range 16 {
		h.general(0x8B, i, in+uintptr(i)*8)
	}
	h.emit(0xFF, 0x25) // jmp [slot]
	h.relative(unsafe.Offsetof(c.slot), 0)

	for _, exit := range []byte{2, 1, 0} {
		h.exits[exit] = h.at
		h.path(exit, out+unsafe.Offsetof(c.out.Path))
		h.emit(0xEB, exit*(pathSize+2)) // over the others
	}
	for i := range 16 {
		h.general(0x89, i, out+uintptr(i)*8)
	}
	h.general(0x8B, rsp, unsafe.Offsetof(c.hostSP))
	h.general(0x8B, rbp, unsafe.Offsetof(c.hostBP))
	h.emit(0x9C, 0x8F, 0x05) // pushfq; pop flags
	h.relative(out+unsafe.Offsetof(c.out.Flags), 0)
	h.emit(0xFC) // cld
	h.mxcsr(3, out+unsafe.Offsetof(c.out.MXCSR))
	h.mxcsr(2, unsafe.Offsetof(c.mxcsr))
	for i := range 16 {
		h.vector(0x11, i, out+unsafe.Offsetof(c.out.X)+uintptr(i)*16)
	}
	h.emit(0xC3)
}

const pathSize = 10

// path emits MOV of a constant to the control page; it leaves the flags alone.
func (h *Host) path(v byte, off uintptr) {
	h.emit(0xC7, 0x05)
	h.relative(off, 4)
	h.emit(v, 0, 0, 0)
}

// Offsets of registers in the ucontext that a handler gets (sys/ucontext.h).
const (
	contextRegs = 40
	contextRIP  = contextRegs + 16*8
	contextErr  = contextRegs + 19*8
	contextTrap = contextRegs + 20*8
	contextCR2  = contextRegs + 22*8
)

// handler assembles the signal handler: RDI has the signal, RDX the ucontext.
func (h *Host) handler() {
	var c control
	trap := unsafe.Offsetof(c.trap)
	h.context(0x8B, contextRIP)
	h.emit(0x48, 0x2D) // sub rax, Slots
	h.emit(binary.LittleEndian.AppendUint32(nil, Slots)...)
	h.emit(0x48, 0x3D) // cmp rax, the size of all slots
	h.emit(binary.LittleEndian.AppendUint32(nil, NumSlots*SlotSize)...)
	h.emit(0x73, 0) // jae to the chain
	over := h.at
	for _, f := range []struct {
		from uint32
		to   uintptr
	}{
		{contextTrap, unsafe.Offsetof(c.trap.Vector)}, {contextErr, unsafe.Offsetof(c.trap.Code)},
		{contextCR2, unsafe.Offsetof(c.trap.Addr)}, {contextRIP, unsafe.Offsetof(c.trap.RIP)},
	} {
		h.context(0x8B, f.from)
		h.general(0x89, 0, trap+f.to)
	}
	h.emit(0x48, 0x8D, 0x05) // lea rax, [exit]
	h.relative(uintptr(h.exits[2]), 0)
	h.context(0x89, contextRIP)
	h.emit(0xC3)
	h.mem[over-1] = byte(h.at - over)
	h.emit(0x48, 0x8D, 0x05) // lea rax, [chain]
	h.relative(unsafe.Offsetof(c.chain), 0)
	h.emit(0xFF, 0x24, 0xF8) // jmp [rax+rdi*8]
}

// context emits MOV between RAX and the ucontext.
func (h *Host) context(opcode byte, off uint32) {
	h.emit(0x48, opcode, 0x82)
	h.emit(binary.LittleEndian.AppendUint32(nil, off)...)
}
