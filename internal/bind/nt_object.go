package bind

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"ObReferenceObjectByHandle": (*call).referenceByHandle,
		"ObfReferenceObject":        func(c *call) uint64 { return uint64(c.ObfReferenceObject(c.arg(0))) },
		"ObfDereferenceObject":      func(c *call) uint64 { return uint64(c.ObfDereferenceObject(c.arg(0))) },
		"ZwClose":                   func(c *call) uint64 { return uint64(c.ZwClose(c.arg(0))) },
		"ZwWaitForSingleObject":     func(c *call) uint64 { return uint64(c.ZwWaitForSingleObject(c.arg(0), c.timeout(2))) },
		"ZwCreateEvent":             (*call).createEvent,

		"PsCreateSystemThread":    (*call).createSystemThread,
		"PsTerminateSystemThread": func(c *call) uint64 { return uint64(c.PsTerminateSystemThread(kernel.NTSTATUS(c.word(0)))) },
		"PsGetCurrentThread":      func(c *call) uint64 { return c.Thread.Object() },
		"KeGetCurrentThread":      func(c *call) uint64 { return c.Thread.Object() },
		"PsGetCurrentThreadId":    func(c *call) uint64 { return uint64(4 * (c.ID() + 1)) },
		"KeSetPriorityThread":     func(c *call) uint64 { return uint64(c.KeSetPriorityThread(c.arg(0), int8(c.arg(1)))) },
		"KeQueryPriorityThread":   func(c *call) uint64 { return uint64(c.KeQueryPriorityThread(c.arg(0))) },

		"KeSetSystemAffinityThread":      func(c *call) uint64 { c.KeSetSystemAffinityThreadEx(c.arg(0)); return 0 },
		"KeSetSystemAffinityThreadEx":    func(c *call) uint64 { return c.KeSetSystemAffinityThreadEx(c.arg(0)) },
		"KeRevertToUserAffinityThread":   func(c *call) uint64 { c.KeRevertToUserAffinityThreadEx(0); return 0 },
		"KeRevertToUserAffinityThreadEx": func(c *call) uint64 { c.KeRevertToUserAffinityThreadEx(c.arg(0)); return 0 },
	})
	registerChecked(map[string]func(c *call) uint64{
		"ObDereferenceObjectDeferDelete": func(c *call) uint64 { return uint64(c.ObfDereferenceObject(c.arg(0))) },
		"IoCreateNotificationEvent":      func(c *call) uint64 { return c.namedEvent(kernel.NotificationEvent) },
		"IoCreateSynchronizationEvent":   func(c *call) uint64 { return c.namedEvent(kernel.SynchronizationEvent) },
	})
}

// referenceByHandle is ObReferenceObjectByHandle(handle, access, type, mode,
// address for the object, handle information).
func (c *call) referenceByHandle() uint64 {
	addr, s := c.ObReferenceObjectByHandle(c.arg(0), c.arg(2), c.flag(3))
	c.give(4, addr)
	return uint64(s)
}

// createEvent is ZwCreateEvent(address for the handle, access, OBJECT_ATTRIBUTES,
// type, initial state).
func (c *call) createEvent() uint64 {
	if oa := c.arg(2); oa != 0 && c.load(oa+0x10, 8) != 0 {
		c.Unsupported("ZwCreateEvent with a name")
	}
	h, s := c.ZwCreateEvent(uint8(c.arg(3)), c.flag(4))
	c.give(0, h)
	return uint64(s)
}

// namedEvent is IoCreateNotificationEvent and IoCreateSynchronizationEvent:
// (name, address for the handle). An event is signalled when it is made; one of
// that name that is there already is opened.
func (c *call) namedEvent(typ uint8) uint64 {
	name := c.unicodeText(c.arg(0))
	h, addr := c.OpenNamedEvent(name)
	if h == 0 {
		addr, h = c.NewEvent(typ, true)
		c.NameEvent(addr, name)
	}
	c.give(1, h)
	return addr
}

// createSystemThread is PsCreateSystemThread(address for the handle, access,
// OBJECT_ATTRIBUTES, process, CLIENT_ID, routine, context).
func (c *call) createSystemThread() uint64 {
	id, s := c.PsCreateSystemThread(c.arg(5), c.arg(6))
	if s == wdf.StatusSuccess {
		c.give(0, c.ThreadHandle(id))
		if p := c.arg(4); p != 0 {
			c.store(p, 8, 4)
			c.store(p+8, 8, uint64(4*(id+1)))
		}
	}
	return uint64(s)
}
