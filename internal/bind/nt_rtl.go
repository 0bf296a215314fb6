package bind

import (
	"bytes"
	"hash/fnv"

	"github.com/dirql/dirql/wdf"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"MmGetSystemRoutineAddress": (*call).getSystemRoutineAddress,
		"RtlGetVersion":             (*call).getVersion,
		"RtlUnicodeToMultiByteN":    (*call).unicodeToMultiByteN,
	})
	register(map[string]func(c *call) uint64{
		"RtlCompareMemory":         (*call).compareMemory,
		"memcmp":                   (*call).memcmp,
		"memcpy_s":                 (*call).memcpyS,
		"RtlAnsiCharToUnicodeChar": (*call).ansiCharToUnicodeChar,
		"KeBugCheck": func(c *call) uint64 {
			c.BugCheck(c.word(0), [4]uint64{}, "KeBugCheck", "the driver itself stops the system")
			return 0
		},
	})
}

// Version of Windows that the machine says it runs: Windows 10 2004, which has
// everything that the model has.
const (
	windowsMajor = 10
	windowsMinor = 0
	windowsBuild = 19041
)

// getVersion fills in RTL_OSVERSIONINFOW (276 bytes) or the EX form (284).
func (c *call) getVersion() uint64 {
	p := c.arg(0)
	switch c.load(p, 4) {
	case 276, 284:
	default:
		return uint64(wdf.StatusInvalidParameter)
	}
	for i, v := range []uint64{windowsMajor, windowsMinor, windowsBuild, 2} {
		c.store(p+4+uint64(4*i), 4, v)
	}
	c.store(p+20, 2, 0) // no service pack
	return uint64(wdf.StatusSuccess)
}

// getSystemRoutineAddress returns the address of a routine that is implemented,
// else NULL: a legal answer, which says that this system does not have it.
func (c *call) getSystemRoutineAddress() uint64 {
	name := c.unicodeText(c.arg(0))
	addr := uint64(0)
	switch {
	case variables[name].value != nil:
		addr = c.d.variable(name)
	case Implemented(name):
		addr = c.d.exportAddress(name)
	}
	c.Note("MmGetSystemRoutineAddress", name)
	return addr
}

// exportAddress returns the address of a routine of the kernel that the driver
// asks for while it runs. It follows from the name alone: what a run has asked
// for does not change the addresses of the next one.
func (d *Driver) exportAddress(name string) uint64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	addr := exportBase + uint64(h.Sum32()&^(trapStep-1))
	if r := d.imports[addr]; r != nil && r.name != name {
		panic("BUG: " + name + " and " + r.name + " get the same address")
	}
	d.imports[addr] = &routine{module: "ntoskrnl.exe", name: name, fn: implemented[name]}
	return addr
}

// unicodeText reads a UNICODE_STRING as far as its characters are ASCII.
func (c *call) unicodeText(addr uint64) string {
	s := c.structureAt(addr, "UNICODE_STRING")
	if s == nil {
		return ""
	}
	n, p := min(s.get("Length"), maxText), s.get("Buffer")
	var b []byte
	for i := uint64(0); i+1 < n; i += 2 {
		b = append(b, byte(c.load(p+i, 2)))
	}
	return string(b)
}

// compareMemory returns the number of bytes that match from the start.
func (c *call) compareMemory() uint64 {
	a, b := c.read(c.arg(0), c.arg(2)), c.read(c.arg(1), c.arg(2))
	for i := range a {
		if a[i] != b[i] {
			return uint64(i)
		}
	}
	return uint64(len(a))
}

func (c *call) memcmp() uint64 {
	a, b := c.read(c.arg(0), c.arg(2)), c.read(c.arg(1), c.arg(2))
	return uint64(uint32(bytes.Compare(a, b)))
}

// memcpyS is memcpy_s(dest, size of dest, source, count): ERANGE (34) where the
// destination is too small, with the destination zeroed.
func (c *call) memcpyS() uint64 {
	to, size, n := c.arg(0), c.arg(1), c.arg(3)
	if n > size {
		c.WriteBytes(to, make([]byte, c.extent(to, size)))
		return 34
	}
	c.WriteBytes(to, c.read(c.arg(2), n))
	return 0
}

// ansiCharToUnicodeChar takes a character from where a PUCHAR points to and
// moves that pointer on.
func (c *call) ansiCharToUnicodeChar() uint64 {
	p := c.load(c.arg(0), 8)
	c.store(c.arg(0), 8, p+1)
	return c.load(p, 1)
}

// unicodeToMultiByteN is (destination, its size, address for the length, source,
// bytes of source); characters beyond ASCII become '?'.
func (c *call) unicodeToMultiByteN() uint64 {
	n := min(uint64(c.word(1)), uint64(c.word(4))/2)
	for i := range n {
		ch := c.load(c.arg(3)+2*i, 2)
		if ch > 0x7F {
			ch = '?'
		}
		c.store(c.arg(0)+i, 1, ch)
	}
	if c.arg(2) != 0 {
		c.store(c.arg(2), 4, n)
	}
	return uint64(wdf.StatusSuccess)
}
