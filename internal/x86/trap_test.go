package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

// A jump through memory into the trap range is done when Run stops: its access
// is forgotten, and what the embedder lets run next does not see it again.
func TestJumpIntoTrapRangeIsDone(t *testing.T) {
	m := newMachine(t, bytes(t, "ff23"+"4883230090")) // jmp [rbx]; and qword [rbx], 0; nop
	m.StopVisible = true
	m.R[x86.RBX] = m.pub
	m.space.Store(m.pub, 8, trap)
	m.run(10, x86.StopVisible)
	m.Allow()
	m.run(10, x86.StopTrap)
	if m.Pending() {
		t.Error("the access of the jump is still remembered")
	}
	m.RIP = m.code + 2
	m.space.Store(m.pub, 8, 7)
	m.run(10, x86.StopVisible)
	if a := m.Access; a.Kind != x86.Read || !a.Half {
		t.Errorf("the next instruction stops at %+v, not at its load", a)
	}
}
