package kernel

import (
	"fmt"
	"hash/fnv"

	"github.com/dirql/dirql/internal/mem"
)

// Args are the arguments of a callback: as many as the longest one has
// (EvtIoDeviceControl takes five).
type Args [6]uint64

// Func is a Go function behind an address.
type Func func(t *Thread, a Args) uint64

// Executor runs driver code that is not Go: guest instructions.
type Executor interface {
	// Execute calls the code at addr on the current activation of t and
	// returns what it returned.
	Execute(t *Thread, addr uint64, a Args) uint64
	// Calls describes what Execute runs on t: for each nested Execute, the
	// innermost first, a line for each call in it, the innermost first; at least
	// one.
	Calls(t *Thread) [][]string
}

// trapBase is where Go functions have their addresses: a part of the image
// region that holds no memory, so that a load or store there faults.
const (
	trapBase = 0xFFFFF80F_00000000
	trapMask = 0x00000000_FFFFFFF0
)

type goFunc struct {
	name     string
	addr     uint64
	fn       Func
	internal bool // of the kernel or the framework: no mark in the trace
}

// codeTable maps addresses to Go functions. It is part of the program, not of
// the state: a function keeps its address, which depends on its name only, in
// every run.
type codeTable struct {
	byAddr map[uint64]*goFunc
}

// Function returns the address of a Go function, which depends on the name
// only. Registering the same name again returns the same address and keeps the
// first function: two functions need two names.
func (m *Machine) Function(name string, fn Func) uint64 { return m.code.add(name, fn, false) }

// InternalFunction is Function for a routine of the kernel or the framework:
// calls of it do not appear in the trace.
func (m *Machine) InternalFunction(name string, fn Func) uint64 { return m.code.add(name, fn, true) }

func (c *codeTable) add(name string, fn Func, internal bool) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	addr := trapBase | h.Sum64()&trapMask
	if c.byAddr == nil {
		c.byAddr = map[uint64]*goFunc{}
	}
	if f := c.byAddr[addr]; f != nil {
		if f.name != name {
			panic(fmt.Sprintf("BUG: functions %s and %s get the same address", f.name, name))
		}
		return addr
	}
	c.byAddr[addr] = &goFunc{name, addr, fn, internal}
	return addr
}

// SetExecutor sets who runs guest code.
func (m *Machine) SetExecutor(e Executor) { m.exec = e }

func (c *codeTable) find(addr uint64) *goFunc { return c.byAddr[addr] }

// call transfers control to an address.
func (t *Thread) call(addr uint64, a Args) uint64 {
	f := t.m.code.find(addr)
	if f == nil || !f.internal {
		t.checkGone(addr, false, false)
	}
	if f != nil {
		return f.fn(t, a)
	}
	if t.m.exec != nil {
		return t.m.exec.Execute(t, addr, a)
	}
	t.badJump(addr)
	return 0
}

// badJump reports a call of an address where no code is (QD-8: a callback that
// is NULL).
func (t *Thread) badJump(addr uint64) {
	text := fmt.Sprintf("the driver's routine at 0x%X was called, but there is no code", addr)
	if addr == 0 {
		text = "a callback that was not registered (NULL) was called"
	}
	if irql := t.IRQL(); irql >= DispatchLevel {
		t.BugCheck(0xD1, [4]uint64{addr, uint64(irql), 8, addr}, "QD-8", text)
	}
	if f := (mem.Fault{Kind: mem.NotPresent, Access: mem.Fetch, Addr: addr}); t.Catchable(f) {
		e := AccessViolation(f, addr)
		e.Clause, e.Text = "QD-8", text
		t.Raise(e)
	}
	t.BugCheck(0x50, [4]uint64{addr, 0x10, addr, 2}, "QD-8", text)
}
