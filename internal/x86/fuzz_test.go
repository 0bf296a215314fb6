package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// FuzzRun executes random bytes with registers that point into memory: no
// panic, no hang, the limit is kept, and Decode agrees on what is unsupported.
func FuzzRun(f *testing.F) {
	for _, s := range []string{"90", "f3a4", "f0480fc70b", "c4e2f3f6c3", "0f0b", "488b842411223344", "e8fbffffff", "ff23", "c8100000", "66666666666666666666666666666690"} {
		f.Add(bytes(f, s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, code []byte, seed uint64) {
		if len(code) > mem.PageSize {
			return
		}
		m := newMachine(t, code)
		for i := range 16 {
			m.R[i] = m.pub + seed>>(4*i)&0xFF0
		}
		m.X[1] = x86.XMM{Lo: seed, Hi: ^seed}
		m.StopVisible, m.StopPageable = seed&1 != 0, seed&2 != 0
		m.R[x86.RCX] = seed & 15
		const limit = 200
		for range 400 {
			before := m.Retired
			s := m.Run(limit)
			if m.Retired-before > limit {
				t.Fatalf("%d instructions", m.Retired-before)
			}
			if !m.answer(s, seed) {
				return
			}
		}
	})
}

// answer lets a stopped machine go on; false if it cannot.
func (m *machine) answer(s x86.Stop, v uint64) bool {
	switch s {
	case x86.StopVisible:
		m.Allow()
	case x86.StopPageable:
		if m.Fault.Access == mem.Fetch {
			return false
		}
		m.Allow()
	case x86.StopDevice, x86.StopFault:
		switch {
		case m.Fault.Access == mem.Fetch:
			return false
		case m.Access.Kind == x86.Read:
			m.SupplyWide(x86.XMM{Lo: v, Hi: v})
		default:
			m.Allow()
		}
	case x86.StopPrivileged:
		m.Supply(v)
	case x86.StopException:
		if !m.Exception.Asked {
			return false
		}
		m.Allow()
	case x86.StopLimit:
	default:
		return false
	}
	return true
}

// FuzzDecode: any bytes decode without a panic, to at most 15 bytes, and the
// result does not depend on what follows.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x48\x8b\x84\x24\x11\x22\x33\x44"))
	f.Fuzz(func(t *testing.T, code []byte) {
		in, err := x86.Decode(code, 0x1000)
		if in.Len > 15 || in.Len > len(code) {
			t.Fatalf("length %d of %d bytes", in.Len, len(code))
		}
		if err == nil {
			again, err := x86.Decode(code[:in.Len], 0x1000)
			if err != nil || again != in {
				t.Fatalf("% X: %v", code, err)
			}
		}
	})
}
