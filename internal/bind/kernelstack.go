package bind

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

const (
	stackPages = 6 // 24 KB, as on Windows
	stackSize  = stackPages * mem.PageSize
)

// stackTop returns the top of a thread's kernel stack. Stacks are made in the
// order of the threads, so that it does not matter who runs first.
func (d *Driver) stackTop(thread int) uint64 {
	for len(d.stacks) <= thread {
		d.m.Mem.Map(mem.Stacks, 1, 0) // guard page: an overflow is a fault
		bottom := d.m.Mem.Map(mem.Stacks, stackPages, mem.Read|mem.Write|mem.Private)
		d.stacks = append(d.stacks, bottom+stackSize)
	}
	return d.stacks[thread]
}

// checkStack stops a driver that uses a local variable of a function that has
// returned: memory below the stack pointer of the thread that called it.
func (d *Driver) checkStack(t *kernel.Thread, addr uint64) {
	if !d.m.Mem.In(mem.Stacks, addr) {
		return
	}
	owner, _ := slices.BinarySearch(d.stacks, addr+1)
	if owner == len(d.stacks) || addr < d.stacks[owner]-stackSize {
		return // a guard page: the access faults
	}
	live := d.stacks[owner]
	if owner < len(d.running) && len(d.running[owner]) > 0 {
		calls := d.running[owner]
		live = calls[len(calls)-1].R[x86.RSP]
	}
	if addr >= live {
		return
	}
	t.Stop(kernel.Finding{Rule: "use after return", Clause: "kernel stack", About: "use after return|" + t.Routine(), Text: fmt.Sprintf("0x%X is on the stack of the thread %s, "+
		"below everything that is in use there: it was a local variable of a function that has returned", addr, d.m.ThreadName(owner))})
}
