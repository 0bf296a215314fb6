package bind

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// Loops that poll the 4 bytes at RCX.
var (
	// mov eax, [rcx]; pause; test eax, eax; jz back; ret
	untilSet = []byte{0x8B, 0x01, 0xF3, 0x90, 0x85, 0xC0, 0x74, 0xF8, 0xC3}
	// back: mov eax, 1; xchg eax, [rcx]; test eax, eax; jnz back; ret
	untilTaken = []byte{0xB8, 1, 0, 0, 0, 0x87, 0x01, 0x85, 0xC0, 0x75, 0xF5, 0xC3}
	// back: mov eax, [rcx]; inc edx; cmp edx, 3000; jb back; ret
	threeThousand = []byte{0x8B, 0x01, 0xFF, 0xC2, 0x81, 0xFA, 0xB8, 0x0B, 0, 0, 0x72, 0xF4, 0xC3}
	// back: mov eax, [rcx]; inc dword [rdx]; cmp dword [rdx], 1000; jb back; ret
	counting = []byte{0x8B, 0x01, 0xFF, 0x02, 0x81, 0x3A, 0xE8, 0x03, 0, 0, 0x72, 0xF4, 0xC3}
	// push rbx, rsi, rdi; sub rsp, 32; mov rbx, rcx; mov rsi, rdx; mov rdi, r8
	// back: mov eax, [rbx]; test eax, eax; jnz out; xor ecx, ecx; xor edx, edx; mov r8, rdi; call rsi; jmp back
	// out: add rsp, 32; pop rdi, rsi, rbx; ret
	sleepUntilSet = []byte{0x53, 0x56, 0x57, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x89, 0xCB, 0x48, 0x89, 0xD6, 0x4C, 0x89, 0xC7,
		0x8B, 0x03, 0x85, 0xC0, 0x75, 0x0B, 0x31, 0xC9, 0x31, 0xD2, 0x49, 0x89, 0xF8, 0xFF, 0xD6, 0xEB, 0xEF,
		0x48, 0x83, 0xC4, 0x20, 0x5F, 0x5E, 0x5B, 0xC3}
	// push 0; back: mov eax, [rcx]; inc dword [rsp]; cmp dword [rsp], 1000; jb back; pop rax; ret
	countingOnStack = []byte{0x6A, 0, 0x8B, 0x01, 0xFF, 0x04, 0x24, 0x81, 0x3C, 0x24, 0xE8, 0x03, 0, 0, 0x72, 0xF2, 0x58, 0xC3}
)

func TestBusyWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []byte
		value uint64 // of the polled bytes at first
		set   int    // what another thread stores later; -1: nothing
		want  kernel.Reason
		rule  string
	}{
		{"nobody sets it", untilSet, 0, -1, kernel.Stopped, "livelock"},
		{"another thread sets it", untilSet, 0, 7, kernel.Done, ""},
		{"another thread stores what was there", untilSet, 0, 0, kernel.Stopped, "livelock"},
		{"nobody gives it back", untilTaken, 1, -1, kernel.Stopped, "livelock"},
		{"another thread gives it back", untilTaken, 1, 0, kernel.Done, ""},
		{"sleeping until nobody sets it", sleepUntilSet, 0, -1, kernel.Stuck, ""},
		{"sleeping until another thread sets it", sleepUntilSet, 0, 7, kernel.Done, ""},
		{"counting in a register", threeThousand, 0, -1, kernel.Done, ""},
		{"counting in memory", counting, 0, -1, kernel.Done, ""},
		{"counting on the stack", countingOnStack, 0, -1, kernel.Done, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			code := r.m.Mem.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
			r.m.Mem.Write(code, c.code)
			cells := r.m.Mem.Alloc(16, kernel.PoolTag("Test"), false, 0)
			r.m.Mem.Store(cells, 4, c.value)
			r.m.Mem.Store(cells+8, 8, 0)
			args := kernel.Args{cells, cells + 8}
			if &c.code[0] == &sleepUntilSet[0] { // its arguments: what it polls, the routine, 1 ms
				var millisecond int64 = -10_000
				r.m.Mem.Store(cells+8, 8, uint64(millisecond))
				args = kernel.Args{cells, r.routines["KeDelayExecutionThread"], cells + 8}
			}
			if c.set >= 0 {
				other := r.m.InternalFunction("other thread", func(th *kernel.Thread, _ kernel.Args) uint64 {
					th.KeDelayExecutionThread(kernel.After(100_000_000))
					th.Store(cells, 4, uint64(c.set))
					return 0
				})
				r.m.NewThread(kernel.ThreadParams{Name: "other", Role: "thread", Routine: other, Foreground: true})
			}
			before := r.m.Steps()
			why := r.run(t, func(th *kernel.Thread) { th.Invoke("loop", code, args) })
			var rules []string
			for _, f := range r.m.Findings() {
				rules = append(rules, f.Rule)
			}
			if why != c.want || strings.Join(rules, " ") != c.rule {
				t.Errorf("%s, %q", why, rules)
			}
			if n := r.m.Steps() - before; n > 10_000 || c.set >= 0 && n > 300 {
				t.Errorf("%d steps", n)
			}
		})
	}
}
