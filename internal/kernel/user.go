package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// Each thread of an application that has memory of its own is a process. The
// process of the running thread is the current one: an ISR, a DPC or a work item
// finds whatever thread it runs on (IRQL-16).

// Process returns the process of the thread, 0 for one of the system.
func (t *Thread) Process() mem.Process { return t.process }

// AllocateUser maps a zeroed buffer into the process of the thread, which becomes
// one if it is none yet, and returns its address; 0 if there is no such size. It
// is what an application does for itself.
func (t *Thread) AllocateUser(size uint64) uint64 {
	if t.process == 0 {
		t.process = t.m.Mem.NewProcess()
		t.m.Mem.UseProcess(t.process)
	}
	return t.m.Mem.MapUser(t.process, size)
}

const ruleUserAddress = "user-mode address in arbitrary context"

// CheckUser reports a touch of an application's address at DISPATCH_LEVEL or
// above, the first one of an activation: whose process is current there is
// arbitrary (IRQL-16).
func (t *Thread) CheckUser(addr uint64) {
	irql := t.IRQL()
	if !mem.IsUser(addr) || irql < DispatchLevel {
		return
	}
	id := t.ActivationID()
	for i := range t.m.findings {
		if f := &t.m.findings[i]; f.Rule == ruleUserAddress && f.Activation == id {
			return
		}
	}
	t.Report(Finding{Rule: ruleUserAddress, Clause: "IRQL-16", Text: fmt.Sprintf(
		"0x%X, an address of an application, is touched at %s: it means something only in the process of the application, and whose process "+
			"is current here is arbitrary", addr, trace.LevelName(irql))})
}
