package bind

import (
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// A context type that stands for another one is followed once, so that two that
// stand for each other are no endless loop.
func TestContextTypeCycle(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	why := r.run(t, func(th *kernel.Thread) {
		size := ddi.SizeOf("WDF_OBJECT_CONTEXT_TYPE_INFO")
		var infos [2]uint64
		for i := range infos {
			infos[i] = th.AllocatePool(false, size, kernel.PoolTag("Type"))
			th.Store(infos[i]+ddi.Offset("WDF_OBJECT_CONTEXT_TYPE_INFO", "ContextName"), 8, putText(th, []string{"first", "second"}[i], 1))
		}
		for i := range infos {
			th.Store(infos[i]+ddi.Offset("WDF_OBJECT_CONTEXT_TYPE_INFO", "UniqueType"), 8, infos[1-i])
		}
		c := &call{Sys: r.d.f.Sys(th), d: r.d}
		if a, b := c.contextType(infos[0]), c.contextType(infos[1]); a == nil || b == nil || a == b {
			t.Errorf("types %v and %v", a, b)
		}
		if c.contextType(0) != nil {
			t.Error("NULL is a type")
		}
	})
	if why != kernel.Done {
		t.Error(why, r.m.Findings())
	}
}

// A copy with a count that no memory has ends in the fault of the first byte
// that is not there, as on Windows, and takes no such memory of ours.
func TestHugeCopies(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	for _, name := range []string{"memcpy", "memmove", "memset", "memcmp", "RtlCompareMemory"} {
		for _, n := range []uint64{1 << 20, 1 << 32, ^uint64(0)} {
			r.restore()
			var end uint64
			why := r.run(t, func(th *kernel.Thread) {
				p := th.AllocatePool(false, 3*mem.PageSize, kernel.PoolTag("Copy"))
				end = p + 3*mem.PageSize
				r.guestCall(th, name, p, p, n)
			})
			f := r.m.Findings()
			if why != kernel.Stopped || len(f) != 1 || f[0].Code != 0xD6 || f[0].Params[0] != end {
				t.Errorf("%s of 0x%X bytes: %s, %v; want 0xD6 at 0x%X", name, n, why, f, end)
			}
		}
	}
}

// Runs of clear bits are found behind the hint, then before it, and the search
// looks at each bit once: a map of 8 million bits is no hang.
func TestFindClearBitsAndSet(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	const none = 0xFFFFFFFF
	for _, c := range []struct {
		size, bits uint64 // what is set before
		n, hint    uint64
		want, then uint64
	}{
		{32, 0, 4, 0, 0, 0xF},
		{32, 0, 4, 8, 8, 0xF00},
		{32, 0xFFFFFFF0, 4, 8, 0, 0xFFFFFFFF},
		{32, 0xFFFFFF0F, 4, 6, 4, 0xFFFFFFFF}, // across the hint
		{32, 0x11111111, 4, 0, none, 0x11111111},
		{32, 0x11111111, 3, 5, 5, 0x111111F1},
		{32, 0, 33, 0, none, 0},
		{8, 0, 8, 99, 0, 0xFF},
		{8, 0, 1, 7, 7, 0x80},
		{0, 0, 1, 0, none, 0},
	} {
		r.restore()
		r.run(t, func(th *kernel.Thread) {
			header, bits := th.AllocatePool(false, 16, kernel.PoolTag("Bits")), th.AllocatePool(false, 8, kernel.PoolTag("Bits"))
			th.Store(header, 4, c.size)
			th.Store(header+8, 8, bits)
			th.Store(bits, 8, c.bits)
			got := r.guestCall(th, "RtlFindClearBitsAndSet", header, c.n, c.hint)
			if then := th.Load(bits, 8); got != c.want || then != c.then {
				t.Errorf("%+v: 0x%X, then 0x%X", c, got, then)
			}
		})
		for _, f := range r.m.Findings() {
			t.Errorf("%+v: %v", c, f)
		}
	}
	r.restore()
	r.run(t, func(th *kernel.Thread) {
		const bytes = 1 << 20
		header, bits := th.AllocatePool(false, 16, kernel.PoolTag("Bits")), th.AllocatePool(false, bytes, kernel.PoolTag("Bits"))
		for off := uint64(0); off < bytes; off += 8 {
			r.m.Mem.Store(bits+off, 8, 1<<63)
		}
		th.Store(header, 4, 8*bytes)
		th.Store(header+8, 8, bits)
		if got := r.guestCall(th, "RtlFindClearBitsAndSet", header, 64, 0); got != none {
			t.Errorf("0x%X", got)
		}
	})
}
