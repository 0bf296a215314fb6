package bind

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// higher are routines that may be called above the level of their page: where
// KeAcquireSpinLockAtDpcLevel can be called, its try form can.
var higher = map[string]bool{"KeTryToAcquireSpinLockAtDpcLevel": true}

// IRQL-12: every kernel routine with a documented highest level looks at the level of
// its caller before anything else.
func TestIRQL12EveryRoutineLooksAtItsLevel(t *testing.T) {
	r := newRig(t)
	looked := 0
	for _, name := range ImplementedNames() {
		l, ok := ddi.Limits(name)
		if !ok || l.Conditional || higher[name] || strings.HasPrefix(name, "Wdf") || strings.Contains(l.Text, "emarks") || l.Allows(5, 0) {
			continue
		}
		irql := uint8(5)
		if !l.Allows(2, 0) {
			irql = 2
		}
		r.restore()
		r.run(t, func(th *kernel.Thread) {
			block := th.AllocatePool(false, 256, kernel.PoolTag("Test"))
			th.WriteCR8(irql)
			r.guestCall(th, name, block, block, block, block, block, block)
			th.WriteCR8(0)
		})
		looked++
		if f := r.m.Findings(); len(f) == 0 || !strings.Contains(f[0].Text, trace.LevelName(irql)) {
			t.Errorf("%s at %s, allowed is %s: findings %v", name, trace.LevelName(irql), l.String(), f)
		}
	}
	if looked < 100 {
		t.Errorf("only %d routines have a highest level", looked)
	}
}
