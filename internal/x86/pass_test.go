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
func (m *machine) accesses(n func() int, version uint64, marks func(uint64) *x86.Marks) (list []seen) {
	start := m.Retired
	for {
		before := m.Retired
		first, row := n(), n()
		m.Pass(n(), first, row, version, marks)
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
			run := func(hash bool, n func() int, marks func(uint64) *x86.Marks) ([]seen, *machine) {
				m := newMachine(t, bytes(t, programCode))
				if hash {
					m.space.EnableHash()
				}
				m.StopVisible = true
				m.prepare(p.name, p.args(m)...)
				list := m.accesses(n, 1, marks)
				p.check(m)
				return list, m
			}
			none := func(uint64) *x86.Marks { return nil }
			all, whole := run(false, func() int { return 0 }, none)
			for round := range uint64(6) {
				next := numbers()
				n := func() int { return int(next(0) >> 33 % (1 << (2 * round))) }
				marked := &x86.Marks{}
				for i := range marked {
					if round&1 != 0 && i%5 == 0 {
						marked[i] = uint8(i)
					}
				}
				list, m := run(round == 4, n, func(page uint64) *x86.Marks {
					if page == whole.pub>>12 {
						return marked
					}
					return nil
				})
				m.same(whole)
				passed := 0
				for i := range list {
					if i < len(all) && list[i].Passed != all[i].Passed {
						t.Fatalf("round %d: access %d of %d is %+v, want %+v", round, i, len(all), list[i].Passed, all[i].Passed)
					}
					if !list[i].stopped {
						passed++
						if p := &list[i]; p.Addr>>12 == whole.pub>>12 && anyMarked(marked, p.Addr, p.Size()) {
							t.Fatalf("round %d: a marked access passed: %+v", round, *p)
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

func anyMarked(k *x86.Marks, addr uint64, n uint8) bool {
	for i := range uint64(n) {
		if off := (addr + i) & (mem.PageSize - 1); addr+i-off == addr-addr&(mem.PageSize-1) && k[off/8]>>(off%8)&1 != 0 {
			return true
		}
	}
	return false
}

// What is no ordinary memory of the kernel never passes.
func TestPassNever(t *testing.T) {
	m := asm(t, "488b03"+"488903"+"f4") // mov rax,[rbx]; mov [rbx],rax; hlt
	m.StopVisible = true
	code := m.space.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
	paged := m.space.Alloc(8, 0, true, 0)
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
		{"an application's", user, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"code", code, false, []x86.Stop{x86.StopVisible}},
		{"pageable", paged, false, nil},
		{"pageable, at raised IRQL", paged, true, []x86.Stop{x86.StopPageable, x86.StopPageable}},
		{"marked", m.pub + 0x100, false, []x86.Stop{x86.StopVisible, x86.StopVisible}},
		{"beside what is marked", m.pub + 0xF8, false, nil},
		{"a device", m.device, false, []x86.Stop{x86.StopDevice, x86.StopDevice}},
	} {
		marks := func(page uint64) *x86.Marks {
			if page != m.pub>>12 {
				return nil
			}
			k := &x86.Marks{}
			k[0x104/8] = 1 << (0x104 % 8)
			return k
		}
		for range 3 { // the second time, the pages are known
			m.RIP, m.R[x86.RBX], m.StopPageable = m.code, c.addr, c.pageable
			m.SetPrivate(m.stack-mem.PageSize, m.stack)
			m.Abandon()
			m.Pass(10, 10, 10, 7, marks)
			var stops []x86.Stop
			stop := m.Run(10)
			for ; stop != x86.StopPrivileged; stop = m.Run(10) {
				stops = append(stops, stop)
				if stop == x86.StopDevice && m.Access.Kind == x86.Read {
					m.Supply(0)
				} else {
					m.Allow()
				}
			}
			if !slices.Equal(stops, c.want) {
				t.Errorf("%s: stops %v, want %v", c.name, stops, c.want)
			}
		}
	}
}
