package bind

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
)

// Assertions, which the checked build of a driver has: INT 2Ch (NT_ASSERT), or a call
// of RtlAssert (ASSERT). Without a debugger they are exceptions. PAGED_CODE() is one of
// either form.

func init() {
	register(map[string]func(c *call) uint64{"RtlAssert": (*call).assertFailed})
}

// assertion is INT 2Ch, which DbgRaiseAssertionFailure is.
const assertion = 0x2C

// assertFailed is RtlAssert(expression, file, line, message or NULL): a breakpoint.
func (c *call) assertFailed() uint64 {
	e := kernel.Exception{Code: kernel.StatusBreakpoint, Clause: "exception"}
	expression := c.text(c.arg(0))
	e.Text = fmt.Sprintf("ASSERT(%s) failed, %s line %d", expression, c.text(c.arg(1)), c.word(2))
	if message := c.text(c.arg(3)); message != "" {
		e.Text += ": " + message
	}
	if strings.Contains(expression, "KeGetCurrentIrql() <= APC_LEVEL") {
		pagedCode(c.Thread, &e)
	}
	c.Raise(e)
	return 0
}

// pagedCode says of a failed assertion that it is PAGED_CODE, which only looks at the
// level.
func pagedCode(t *kernel.Thread, e *kernel.Exception) {
	if irql := t.IRQL(); irql > kernel.APCLevel {
		e.Rule, e.Clause = "PagedCode", "IRQL-10"
		e.Text = "PAGED_CODE() at " + trace.LevelName(irql) + ": the routine may be called at APC_LEVEL or below only"
	}
}

// maxLeaf and maxSearched bound the code that asksForLevel looks at, in bytes.
const (
	maxLeaf     = 64
	maxSearched = 1 << 16
)

// asksForLevel reports whether the function around an address reads the IRQL: register
// CR8, or with KeGetCurrentIrql. An assertion in it that fails above APC_LEVEL is
// PAGED_CODE.
func (d *Driver) asksForLevel(rip uint64) bool {
	rva, ok := d.image.RVA(rip)
	if !ok {
		return false
	}
	fn, ok := d.image.File.FunctionAt(rva)
	if !ok { // a leaf function
		fn = pe.RuntimeFunction{Begin: rva - min(rva, maxLeaf), End: rva}
	}
	code := make([]byte, min(fn.End-fn.Begin, maxSearched))
	if d.m.Mem.Read(d.image.Base+uint64(fn.Begin), code).Kind != mem.NoFault {
		return false
	}
	for i := 0; i+6 <= len(code); i++ {
		switch b := code[i:]; {
		case b[0]&^1 == 0x44 && b[1] == 0x0F && b[2] == 0x20 && b[3]&^7 == 0xC0: // mov r64, cr8
			return true
		case b[0] == 0xFF && b[1] == 0x15: // call [rip+n]
			next := d.image.Base + uint64(fn.Begin) + uint64(i) + 6
			slot := next + uint64(int64(int32(binary.LittleEndian.Uint32(b[2:]))))
			target, f := d.m.Mem.Load(slot, 8)
			if r := d.imports[target]; f.Kind == mem.NoFault && r != nil && r.name == "KeGetCurrentIrql" {
				return true
			}
		}
	}
	return false
}
