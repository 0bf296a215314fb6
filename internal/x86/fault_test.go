package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// TestFaultExceptions: which exception a processor raises for a fault, with its
// error code. (The differential tests compare it with the host's.)
func TestFaultExceptions(t *testing.T) {
	const wild = 1 << 60
	for _, c := range []struct {
		name, code string
		at         func(m *machine) uint64 // for RBX; RSP and RBP are 8 above
		want       x86.Exception
	}{
		{"load of nothing", "8b03", func(*machine) uint64 { return 0x123456 }, x86.Exception{Vector: x86.PageFault}},
		{"store to nothing", "8903", func(*machine) uint64 { return 0x123456 }, x86.Exception{Vector: x86.PageFault, Code: 2}},
		{"store to read-only memory", "8903", func(m *machine) uint64 { return m.space.Map(mem.Images, 1, mem.Read) }, x86.Exception{Vector: x86.PageFault, Code: 3}},
		{"jump to nothing", "ffe3", func(*machine) uint64 { return 0x123456 }, x86.Exception{Vector: x86.PageFault, Code: 16}},
		{"jump to data", "ffe3", func(m *machine) uint64 { return m.pub }, x86.Exception{Vector: x86.PageFault, Code: 17}},
		{"load", "8b03", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.GeneralProtection}},
		{"last byte of a load", "8b03", func(*machine) uint64 { return 1<<47 - 3 }, x86.Exception{Vector: x86.GeneralProtection}},
		{"load by RBP", "8b4500", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.StackFault}},
		{"load by RBP and GS", "658b4500", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.GeneralProtection}},
		{"load by RSP", "8b0424", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.StackFault}},
		{"push", "50", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.StackFault}},
		{"push of what is there", "ff33", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.GeneralProtection}},
		{"call", "e800000000", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.StackFault}},
		{"return", "c3", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.StackFault}},
		{"jump", "ffe3", func(*machine) uint64 { return wild }, x86.Exception{Vector: x86.GeneralProtection}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := asm(t, c.code)
			m.R[x86.RBX] = c.at(m)
			m.R[x86.RSP], m.R[x86.RBP] = m.R[x86.RBX]+8, m.R[x86.RBX]+8
			m.run(10, x86.StopFault)
			if got := m.FaultException(); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestWildJumps: a jump to an address that is not canonical faults itself, with
// nothing done.
func TestWildJumps(t *testing.T) {
	for name, code := range map[string]string{"jmp rbx": "ffe3", "jmp [rcx]": "ff21", "call rbx": "ffd3", "call [rcx]": "ff11", "ret": "c3", "ret 8": "c20800"} {
		m := asm(t, code)
		m.R[x86.RBX], m.R[x86.RCX], m.R[x86.RSP] = 1<<47, m.pub, m.pub
		m.space.Store(m.pub, 8, 1<<47)
		var before, after x86.Context
		m.Save(&before)
		m.run(10, x86.StopFault)
		if want := (mem.Fault{Kind: mem.NotCanonical, Access: mem.Fetch, Addr: 1 << 47}); m.Fault != want {
			t.Errorf("%s: %+v", name, m.Fault)
		}
		if m.Save(&after); before != after {
			t.Errorf("%s: the state has changed", name)
		}
	}
}
