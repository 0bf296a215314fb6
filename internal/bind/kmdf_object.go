package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfObjectGetTypedContextWorker": func(c *call) uint64 { return c.WdfObjectGetTypedContext(c.handle(1), c.contextType(c.arg(2))) },
		"WdfObjectAllocateContext":       (*call).objectAllocateContext,
		"WdfObjectCreate":                func(c *call) uint64 { return c.created(2)(c.WdfObjectCreate(c.attributes(1))) },
		"WdfVerifierDbgBreakPoint":       func(c *call) uint64 { c.WdfVerifierDbgBreakPoint(); return 0 },
		"WdfVerifierKeBugCheck":          (*call).verifierBugCheck,
		"WdfObjectDelete":                func(c *call) uint64 { c.WdfObjectDelete(c.handle(1)); return 0 },
		"WdfObjectReferenceActual":       func(c *call) uint64 { c.WdfObjectReference(c.handle(1)); return 0 },
		"WdfObjectDereferenceActual":     func(c *call) uint64 { c.WdfObjectDereference(c.handle(1)); return 0 },
		"WdfObjectAcquireLock":           func(c *call) uint64 { c.WdfObjectAcquireLock(c.handle(1)); return 0 },
		"WdfObjectReleaseLock":           func(c *call) uint64 { c.WdfObjectReleaseLock(c.handle(1)); return 0 },
		"WdfSpinLockCreate":              func(c *call) uint64 { return c.created(2)(c.WdfSpinLockCreate(c.attributes(1))) },
		"WdfSpinLockAcquire":             func(c *call) uint64 { c.WdfSpinLockAcquire(c.handle(1)); return 0 },
		"WdfSpinLockRelease":             func(c *call) uint64 { c.WdfSpinLockRelease(c.handle(1)); return 0 },
	})
}

// created stores the handle of a new object where argument n points to.
func (c *call) created(n int) func(h wdf.Handle, st wdf.NTSTATUS) uint64 {
	return func(h wdf.Handle, st wdf.NTSTATUS) uint64 {
		if !st.Failed() {
			c.give(n, uint64(h))
		}
		return uint64(st)
	}
}

func (c *call) objectAllocateContext() uint64 {
	p, st := c.WdfObjectAllocateContext(c.handle(1), c.attributes(2))
	if !st.Failed() {
		c.give(3, p)
	}
	return uint64(st)
}

// verifierBugCheck: (code, four parameters).
func (c *call) verifierBugCheck() uint64 {
	c.BugCheck(c.word(1), [4]uint64{c.arg(2), c.arg(3), c.arg(4), c.arg(5)}, "WdfVerifierKeBugCheck",
		"the driver itself stops the system")
	return 0
}
