// Package hostcpu executes single instructions on the host's processor, from Go
// without cgo: the oracle of the differential tests (internal/x86/difftest). It is
// for tests and tools only.
//
// A mapping at a fixed address holds the state to load and to store (State),
// machine code that does so, a data area, and slots for the instructions under
// test. An instruction may raise an exception: a signal handler of a few machine
// instructions in the same mapping notes it and goes on as if the instruction
// had ended; signals from elsewhere it passes on to Go. What must not happen is
// a jump away or an access to memory that is not the test's.
package hostcpu

// Where things are. The simulated memory of a test has its data and slots at
// the same addresses.
const (
	Base      = 0x5000_0000
	pageState = Base
	pageCode  = Base + 0x1000
	Data      = Base + 0x2000 // two pages of data
	DataSize  = 0x2000
	ReadOnly  = Base + 0x4000 // a page of zeros that faults when it is written
	Hole      = Base + 0x5000 // a page that faults
	Slots     = Base + 0x6000
	SlotSize  = 64
	NumSlots  = 512
	Size      = Slots - Base + NumSlots*SlotSize
	// Taken is the offset in a slot to which a jump under test goes.
	Taken = 32
)

// State is what an instruction starts with or leaves.
type State struct {
	R     [16]uint64
	Flags uint64
	X     [16][2]uint64
	MXCSR uint32
	// Path is where it went on: 0 behind the instruction, 1 at Taken, 2 nowhere:
	// it raised Exception.
	Path      uint32
	Exception Exception
}

// Exception is one of the processor: vector, error code, for a page fault the
// address, and where the instruction pointer was.
type Exception struct{ Vector, Code, Addr, RIP uint64 }
