package bind

import (
	"bytes"

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

// extent returns n, or less: the number of bytes from addr up to the first one
// that is not there. So what is copied is never larger than the memory of the
// machine, whatever count a driver passes, and the copy still ends in its fault.
func (c *call) extent(addr, n uint64) uint64 {
	for off := uint64(0); off < n; {
		if _, f := c.d.m.Mem.Load(addr+off, 1); f.Kind != mem.NoFault {
			return off + 1
		}
		off += mem.PageSize - (addr+off)%mem.PageSize
	}
	return n
}

// read reads n bytes: one visible operation.
func (c *call) read(addr, n uint64) []byte {
	p := make([]byte, c.extent(addr, n))
	c.ReadBytes(addr, p)
	return p
}

func (c *call) copyMemory() uint64 {
	c.WriteBytes(c.arg(0), c.read(c.arg(1), c.arg(2)))
	return c.arg(0)
}

func (c *call) setMemory() uint64 {
	to := c.arg(0)
	c.WriteBytes(to, bytes.Repeat([]byte{byte(c.arg(1))}, int(c.extent(to, c.arg(2)))))
	return to
}

func (c *call) copyUnicodeString() uint64 {
	to := c.pointee(0, "UNICODE_STRING")
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
	s := c.pointee(0, "UNICODE_STRING")
	p, n := c.arg(1), uint64(0)
	for p != 0 && n < 0xFFFC && c.load(p+n, 2) != 0 {
		n += 2
	}
	s.set("Buffer", p)
	s.set("Length", n)
	s.set("MaximumLength", n+2*boolean(p != 0))
	return 0
}
