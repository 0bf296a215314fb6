package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// Private pages of others are visible like any other memory, also when they
// were one's own before.
func TestPrivatePagesOfOthers(t *testing.T) {
	m := asm(t, "488b03"+"488903"+"f4") // mov rax,[rbx]; mov [rbx],rax; hlt
	m.StopVisible = true
	m.R[x86.RBX] = m.private + 8
	run := func(from, to uint64, stops int) {
		t.Helper()
		m.RIP = m.code
		m.SetPrivate(from, to)
		for range stops {
			m.run(10, x86.StopVisible)
			m.equal("address", m.Access.Addr, m.private+8)
			m.Allow()
		}
		m.run(10, x86.StopPrivileged)
	}
	run(0, 0, 0)
	run(m.private, m.private+mem.PageSize, 0)
	run(m.stack-mem.PageSize, m.stack, 2)
	run(m.private+mem.PageSize, m.private+2*mem.PageSize, 2)
	run(m.private, m.private+2*mem.PageSize, 0)
}
