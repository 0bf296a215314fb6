package bind

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// TestNames: the context and a variable of edu.sys, with debug information and
// without, and a use of the context after its end.
func TestNames(t *testing.T) {
	r := newRig(t)
	var context uint64
	r.m.Mem.Live(func(a *mem.Alloc) {
		if r.m.NameOf(a.Addr) == "EDU_DEVICE_CONTEXT" {
			context = a.Addr
		}
	})
	globals, ok := r.d.symbols.Find("WdfDriverGlobals")
	if context == 0 || !ok {
		t.Fatal("no context, or no variable")
	}
	check := func(addr, size uint64, name, kind string) {
		t.Helper()
		if got := r.m.PlaceOf(addr, size); got != (kernel.Place{Name: name, Kind: kind}) {
			t.Errorf("%q, want %q, %q", got, name, kind)
		}
	}
	check(context+48, 4, "EDU_DEVICE_CONTEXT.Causes", "EDU_DEVICE_CONTEXT.Causes")
	check(context+20, 4, "EDU_DEVICE_CONTEXT.BufferPA.HighPart (union)", "EDU_DEVICE_CONTEXT.BufferPA.HighPart")
	check(r.d.image.Addr(globals), 8, "edu!WdfDriverGlobals", "edu!WdfDriverGlobals")
	if text := r.m.MemoryText(context+52, 1); !strings.HasPrefix(text, "EDU_DEVICE_CONTEXT.Busy (byte 52 of the block at 0x") {
		t.Error(text)
	}
	debug := r.d.symbols
	r.d.symbols = parsed(t, "../../drivers/edu/testdata/edu-kmdf-1.11.sys").Symbols("", nil)
	check(context+48, 4, "EDU_DEVICE_CONTEXT+0x30", "EDU_DEVICE_CONTEXT+0x30")
	r.d.symbols = debug

	r.run(t, func(th *kernel.Thread) {
		r.m.Mem.Free(context, 0)
		th.Load(context+48, 4)
	})
	found := r.m.Findings()
	if len(found) != 1 || !strings.Contains(found[0].Text, "freed by #0: EDU_DEVICE_CONTEXT.Causes)") || found[0].Identity() != "freed block|EDU_DEVICE_CONTEXT" {
		t.Errorf("%+v", found)
	}
}
