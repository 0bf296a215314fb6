package x86_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// seen is an access to shared memory, stopped or passed, and how many
// instructions were executed before it.
type seen struct {
	x86.Passed
	stopped bool
}

// accesses runs to the trap and lets up to n() accesses pass in each Run.
func (m *machine) accesses(n func() int, stops *mem.ByteSet) (list []seen) {
	start := m.Retired
	for {
		before := m.Retired
		first, row := n(), n()
		m.Pass(n(), first, row, stops)
		stop := m.Run(200)
		for left, i := first, 0; i < len(m.Passed()); i++ {
			p := m.Passed()[i]
			if left--; left < 0 && !p.Half() {
				m.t.Fatalf("access %d is one too many in a row: first %d, then %d", i, first, row)
			}
			if p.Kind() == x86.Write {
				left = row
			}
			p.Before += uint32(before - start)
			if p.Kind() != x86.Write {
				p.Value = 0 // it means nothing
			}
			list = append(list, seen{p, false})
		}
		switch stop {
		case x86.StopTrap:
			return list
		case x86.StopLimit:
		case x86.StopVisible:
			a := &m.Access
			list = append(list, seen{x86.PassedAt(a, m.RIP, uint32(m.Retired-start)), true})
			m.Allow()
		default:
			m.t.Fatalf("%v at +%#x", stop, m.RIP-m.code)
		}
	}
}

// TestPass: what passes is what would stop, in the same order and with the same
// effect, however many may pass and whatever stops all the same.
func TestPass(t *testing.T) {
	for _, p := range programTests {
		t.Run(p.name, func(t *testing.T) {
			run := func(hash bool, n func() int, stops *mem.ByteSet) ([]seen, *machine) {
				m := newMachine(t, bytes(t, programCode))
				if hash {
					m.space.EnableHash()
				}
				m.StopVisible = true
				m.prepare(p.name, p.args(m)...)
				list := m.accesses(n, stops)
				p.check(m)
				return list, m
			}
			all, whole := run(false, func() int { return 0 }, nil)
			for round := range uint64(6) {
				next := numbers()
				n := func() int { return int(next(0) >> 33 % (1 << (2 * round))) }
				stops := &mem.ByteSet{}
				for i := uint64(0); i < 2*mem.PageSize && round&1 != 0; i += 13 {
					stops.Add(whole.pub+i, 1+uint32(i%3))
				}
				list, m := run(round == 4, n, stops)
				m.same(whole)
				passed := 0
				for i := range list {
					if i < len(all) && list[i].Passed != all[i].Passed {
						t.Fatalf("round %d: access %d of %d is %+v, want %+v", round, i, len(all), list[i].Passed, all[i].Passed)
					}
					if !list[i].stopped {
						passed++
						if p := &list[i]; stops.Has(p.Addr, uint32(p.Size())) {
							t.Fatalf("round %d: an access that has to stop passed: %+v", round, *p)
						}
					}
				}
				if len(list) != len(all) || round > 0 && len(all) > 20 && passed == 0 {
					t.Errorf("round %d: %d accesses, %d of them passed, want %d", round, len(list), passed, len(all))
				}
			}
		})
	}
}

// What is no ordinary memory of the kernel never passes.
func TestPassNever(t *testing.T) {
	m := asm(t, "488b03"+"488903"+"f4") // mov rax,[rbx]; mov [rbx],rax; hlt
	m.StopVisible = true
	code := m.space.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
	paged := m.space.Alloc(8, 0, true, 0)
	pa, _ := m.space.Physical(m.pub)
	view := m.space.MapPhysical(mem.SystemMaps, pa, 8, mem.Read|mem.Write)
	process := m.space.NewProcess()
	m.space.UseProcess(process)
	user := m.space.MapUser(process, 8)
	for _, c := range []struct {
		name     string
		addr     uint64
		pageable bool
		want     []x86.Stop
	}{
		{"shared", m.pub, false, nil},
		{"across pages", m.pub + mem.PageSize - 4, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"a stack of others", m.private, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"a mapping", view, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"an application's", user, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"code", code, false, []x86.Stop{x86.StopVisible}},
		{"pageable", paged, false, nil},
		{"pageable, at raised IRQL", paged, true, []x86.Stop{x86.StopPageable, x86.StopPageable}},
		{"what stops", m.pub + 0x100, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"beside it", m.pub + 0xF8, false, nil},
		{"a device", m.device, false, []x86.Stop{x86.StopDevice, x86.StopDevice}},
	} {
		stops := &mem.ByteSet{}
		stops.Add(m.pub+0x104, 1)
		for range 3 { // the second time, the pages are known
			m.RIP, m.R[x86.RBX], m.StopPageable = m.code, c.addr, c.pageable
			m.SetPrivate(m.stack-mem.PageSize, m.stack)
			m.Abandon()
			m.Pass(10, 10, 10, stops)
			var got []x86.Stop
			stop := m.Run(10)
			for ; stop != x86.StopPrivileged; stop = m.Run(10) {
				got = append(got, stop)
				if stop == x86.StopDevice && m.Access.Kind == x86.Read {
					m.Supply(0)
				} else {
					m.Allow()
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: stops %v, want %v", c.name, got, c.want)
			}
		}
	}
}
