package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

// TestFxsave saves, changes and restores, with and without stops before each of
// the accesses.
func TestFxsave(t *testing.T) {
	for _, visible := range []bool{false, true} {
		m := asm(t, "0fae03"+"f4"+"0fae0b"+"f4") // fxsave [rbx]; hlt; fxrstor [rbx]; hlt
		m.StopVisible = visible
		for i := range m.X {
			m.X[i] = x86.XMM{Lo: uint64(i) * 3, Hi: ^uint64(i)}
		}
		m.MXCSR = 0x9FC0
		var before, after x86.Context
		m.Save(&before)
		run := func() {
			stops := 0
			for m.Run(10) == x86.StopVisible {
				m.Allow()
				stops++
			}
			if m.Operation.Op != x86.Halt || visible != (stops == 26) {
				t.Errorf("visible %t: %d stops, %v", visible, stops, m.Operation)
			}
			m.Allow()
			m.run(0, x86.StopLimit)
		}
		run()
		m.equal("control word", m.load(m.pub+0x10, 2), 0x37F)
		m.equal("MXCSR", m.load(m.pub+0x10+24, 4), 0x9FC0)
		m.equal("XMM1", m.load(m.pub+0x10+160+16, 8), 3)
		m.Abandon()
		clear(m.X[:])
		m.MXCSR, m.RIP = 0x1F80, m.code+4
		run()
		m.Save(&after)
		if after.X != before.X || after.MXCSR != before.MXCSR {
			t.Errorf("visible %t: %+v, %+v", visible, before, after)
		}
		m.Abandon()
		m.space.Store(m.pub+0x10+24, 4, 1<<20)
		m.StopVisible, m.RIP = false, m.code+4
		m.run(10, x86.StopException)
		m.equal("vector with a reserved bit of MXCSR", uint64(m.Exception.Vector), x86.GeneralProtection)
		m.space.Store(m.pub+0x10+4, 1, 1)
		m.run(10, x86.StopUnsupported)
	}
}
