package x86_test

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// The loop around a processor: what stops it, and how it goes on.
func Example() {
	m := mem.New()
	code := m.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
	stack := m.Map(mem.Stacks, 1, mem.Read|mem.Write|mem.Private) + mem.PageSize
	shared := m.Map(mem.NonPagedPool, 1, mem.Read|mem.Write)
	register := m.MapDevice(mem.SystemMaps, 1)
	m.Write(code, []byte{0x8B, 0x01, 0xFF, 0x02, 0xC3}) // mov eax,[rcx]; inc dword [rdx]; ret

	const home = 0xFFFFF80F_00000000 // where the routine returns to
	c := x86.New(m)
	c.TrapBase, c.TrapEnd = home, home+1
	c.StopVisible = true
	c.R[x86.RSP], c.R[x86.RCX], c.R[x86.RDX], c.RIP = stack-0x28, register, shared, code
	m.Store(c.R[x86.RSP], 8, home)

	for {
		switch stop := c.Run(1000); stop {
		case x86.StopVisible: // a scheduling point; other processors may run here
			fmt.Println(stop, c.Access.Kind, "half:", c.Access.Half)
			c.Allow()
		case x86.StopDevice:
			fmt.Println(stop, c.Access.Kind)
			c.Supply(0x55)
		case x86.StopTrap:
			fmt.Printf("%v, EAX=%#x, memory %d, %d instructions\n", stop, c.R[x86.RAX], must(m.Load(shared, 4)), c.Retired)
			return
		default:
			fmt.Println(stop, c.Fault, c.Exception, c.Operation)
			return
		}
	}
	// Output:
	// device read
	// visible read half: true
	// visible write half: true
	// trap, EAX=0x55, memory 1, 3 instructions
}

func must(v uint64, _ mem.Fault) uint64 { return v }
