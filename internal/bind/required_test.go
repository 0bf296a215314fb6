package bind

import (
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
)

// OBJ-19: each function that requires a pointer stops at NULL, with the address
// of the caller; the arguments that it looks at before are good.
func TestOBJ19RequiredPointers(t *testing.T) {
	r := newRig(t)
	tried := 0
	for _, f := range ddi.Functions() {
		for _, n := range f.Required {
			if n > 5 || !Implemented(f.Name) {
				continue // what comes after the arguments that a test can give
			}
			lacks := false // an object of its type
			r.restore()
			r.run(t, func(th *kernel.Thread) {
				made := r.objects(r.d.f.Sys(th))
				block := th.AllocatePool(false, 64, kernel.PoolTag("Test"))
				var args [6]uint64
				for i := range args {
					args[i] = block
					if i < len(f.Params) && made[f.Params[i].Type] != 0 {
						args[i] = made[f.Params[i].Type]
					}
				}
				if p := f.Params[1]; isHandleType(p.Type) && made[p.Type] == 0 {
					lacks = true
					return
				}
				args[n] = 0
				r.guestCall(th, f.Name, args[:]...)
			})
			if lacks {
				continue
			}
			tried++
			found := r.m.Findings()
			if len(found) == 0 || found[len(found)-1].Code != 0x10D || found[len(found)-1].Params[0] != 4 {
				t.Errorf("%s with NULL for %s: %v", f.Name, f.Params[n].Name, found)
			} else if p := found[len(found)-1].Params; p[1] != 0 || p[2] != returnAddr {
				t.Errorf("%s: parameters %X, want 0 and the address of the caller", f.Name, p)
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d arguments were tried", tried)
	}
}

// An invalid handle is reported before a NULL pointer, as the framework does.
func TestOBJ18HandleBeforePointer(t *testing.T) {
	r := newRig(t)
	r.called(t, "WdfInterruptCreate", 0, 0x1234, 0, 0, 0)
	if f := r.m.Findings(); len(f) != 1 || f[0].Code != 0x10D || f[0].Params[0] != 5 || f[0].Params[1] != 0x1234 {
		t.Errorf("got %v", f)
	}
}
