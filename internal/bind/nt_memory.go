package bind

import (
	"github.com/dirql/dirql/internal/mem"
)

func init() {
	register(map[string]func(c *call) uint64{
		"MmMapIoSpace":               func(c *call) uint64 { return c.MmMapIoSpace(c.arg(0), c.arg(1)) },
		"MmMapIoSpaceEx":             func(c *call) uint64 { return c.MmMapIoSpace(c.arg(0), c.arg(1)) },
		"MmUnmapIoSpace":             func(c *call) uint64 { c.MmUnmapIoSpace(c.arg(0), c.arg(1)); return 0 },
		"MmAllocateContiguousMemory": func(c *call) uint64 { return c.MmAllocateContiguousMemory(c.arg(0), c.arg(1)) },
		"MmFreeContiguousMemory":     func(c *call) uint64 { c.MmFreeContiguousMemory(c.arg(0)); return 0 },
		"MmGetPhysicalAddress":       func(c *call) uint64 { return c.MmGetPhysicalAddress(c.arg(0)) },
		"ExAllocatePool2":            func(c *call) uint64 { return c.ExAllocatePool2(c.arg(0), c.arg(1), c.word(2)) },
		"ExAllocatePoolWithTag":      func(c *call) uint64 { return c.ExAllocatePoolWithTag(c.word(0), c.arg(1), c.word(2)) },
		"ExFreePoolWithTag":          func(c *call) uint64 { c.ExFreePoolWithTag(c.arg(0), c.word(1)); return 0 },
		"ExFreePool":                 func(c *call) uint64 { c.ExFreePoolWithTag(c.arg(0), 0); return 0 },
		"memcpy":                     (*call).copyMemory,
		"memmove":                    (*call).copyMemory,
		"memset":                     (*call).setMemory,
		"RtlCopyUnicodeString":       (*call).copyUnicodeString,
		"RtlInitUnicodeString":       (*call).initUnicodeString,
	})
}

// maxCopy bounds one copy, in bytes.
const maxCopy = mem.MaxAlloc

func (c *call) copyMemory() uint64 {
	n := min(c.arg(2), maxCopy)
	p := make([]byte, n)
	c.ReadBytes(c.arg(1), p)
	c.WriteBytes(c.arg(0), p)
	return c.arg(0)
}

func (c *call) setMemory() uint64 {
	n := min(c.arg(2), maxCopy)
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(c.arg(1))
	}
	c.WriteBytes(c.arg(0), p)
	return c.arg(0)
}

func (c *call) copyUnicodeString() uint64 {
	to := c.structure(0, "UNICODE_STRING")
	from := c.structure(1, "UNICODE_STRING")
	if from == nil {
		to.set("Length", 0)
		return 0
	}
	n := min(from.get("Length"), to.get("MaximumLength"))
	p := make([]byte, n)
	c.ReadBytes(from.get("Buffer"), p)
	c.WriteBytes(to.get("Buffer"), p)
	to.set("Length", n)
	return 0
}

func (c *call) initUnicodeString() uint64 {
	s := c.structure(0, "UNICODE_STRING")
	p, n := c.arg(1), uint64(0)
	for p != 0 && n < 0xFFFC && c.load(p+n, 2) != 0 {
		n += 2
	}
	s.set("Buffer", p)
	s.set("Length", n)
	s.set("MaximumLength", n+2*boolean(p != 0))
	return 0
}
