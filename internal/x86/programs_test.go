package x86_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// program is a compiled function with its inputs and what it has to do; the
// expected values come from the same source, executed natively.
type program struct {
	name  string
	args  func(m *machine) []uint64
	check func(m *machine)
}

func (m *machine) result(want uint64) { m.t.Helper(); m.equal("result", m.R[x86.RAX], want) }

func (m *machine) fill(addr uint64, n int, f func(i int) byte) {
	p := make([]byte, n)
	for i := range p {
		p[i] = f(i)
	}
	m.space.Write(addr, p)
}

func (m *machine) words(addr uint64, n int, f func(i int) uint64) {
	var p []byte
	for i := range n {
		p = binary.LittleEndian.AppendUint64(p, f(i))
	}
	m.space.Write(addr, p)
}

func pattern(i int) byte { return byte(i*7 + i>>5) }

// doubles are the inputs of the program double.
func doubles(i int) uint64 { return math.Float64bits(float64(float64(i)*0.37) - 5) }

func numbers() func(int) uint64 {
	x := uint64(1)
	return func(int) uint64 {
		x = x*6364136223846793005 + 1442695040888963407
		return x
	}
}

func copied(m *machine) {
	m.result(777)
	var p [779]byte
	m.space.Read(m.pub+0xE80, p[:])
	for i := range 777 {
		if p[i] != pattern(i) {
			m.t.Fatalf("byte %d is %d", i, p[i])
		}
	}
	m.equal("byte behind the copy", uint64(p[777]), 0)
}

func copyArgs(m *machine) []uint64 {
	m.fill(m.private+0xD00, 1000, pattern)
	return []uint64{m.pub + 0xE80, m.private + 0xD00, 777}
}

var programTests = []program{
	{"memcpy", copyArgs, copied},
	{"repmovs", copyArgs, copied},
	{"crc32", func(m *machine) []uint64 {
		m.fill(m.pub, 1000, pattern)
		return []uint64{m.pub, 1000}
	}, func(m *machine) { m.result(2644563285) }},
	{"sort", func(m *machine) []uint64 {
		m.words(m.pub+0x800, 200, numbers())
		return []uint64{m.pub + 0x800, 200}
	}, func(m *machine) {
		for i := range uint64(199) {
			if a, b := m.load(m.pub+0x800+i*8, 8), m.load(m.pub+0x808+i*8, 8); int64(a) > int64(b) {
				m.t.Fatalf("element %d: %d > %d", i, int64(a), int64(b))
			}
		}
		m.equal("middle", m.load(m.pub+0x800+800, 8), 244006229642219628)
	}},
	{"atomic", func(m *machine) []uint64 { return []uint64{m.pub + 0x10, 100} }, func(m *machine) {
		m.result(100)
		for i, want := range []uint64{100, 16954432650940778984, 99, 100} {
			m.equal("word", m.load(m.pub+0x10+uint64(i)*8, 8), want)
		}
	}},
	{"strlen", func(m *machine) []uint64 {
		m.fill(m.pub+0xFF0, 100, func(i int) byte { return byte(100 - i - 1) })
		return []uint64{m.pub + 0xFF0}
	}, func(m *machine) { m.result(99) }},
	{"double", func(m *machine) []uint64 {
		m.words(m.pub, 100, doubles)
		return []uint64{m.pub, 100}
	}, func(m *machine) {
		m.result(11429)
		h := uint64(0)
		for i := range uint64(100) {
			h = h*31 + m.load(m.pub+i*8, 8)
		}
		m.equal("hash of the results", h, 17873942963085175945)
	}},
	{"div", func(*machine) []uint64 { return []uint64{0x123456789ABCDEF, 77} }, func(m *machine) { m.result(3776873327679655668) }},
	{"fib", func(*machine) []uint64 { return []uint64{15} }, func(m *machine) { m.result(610) }},
	{"alu", func(*machine) []uint64 { return []uint64{1000} }, func(m *machine) { m.result(1473976059108041227) }},
}

func TestPrograms(t *testing.T) {
	for _, p := range programTests {
		t.Run(p.name, func(t *testing.T) {
			m := newMachine(t, bytes(t, programCode))
			m.prepare(p.name, p.args(m)...)
			m.run(1_000_000, x86.StopTrap)
			p.check(m)
			m.equal("stack pointer", m.R[x86.RSP], m.stack-0x20)
		})
	}
}

// TestCut runs the programs uncut, and again cut at random places and, in the
// second round, before every visible access: the state has to be the same, and
// so does the number of instructions.
func TestCut(t *testing.T) {
	for _, p := range programTests {
		t.Run(p.name, func(t *testing.T) {
			whole := newMachine(t, bytes(t, programCode))
			whole.prepare(p.name, p.args(whole)...)
			whole.run(1_000_000, x86.StopTrap)
			for round := range uint64(6) {
				m := newMachine(t, bytes(t, programCode))
				m.StopVisible = round&1 != 0
				if round > 3 {
					m.space.EnableHash()
				}
				m.prepare(p.name, p.args(m)...)
				stops := m.runCut(round)
				p.check(m)
				m.same(whole)
				if m.Retired != whole.Retired {
					t.Errorf("%d instructions, uncut %d", m.Retired, whole.Retired)
				}
				if stops[x86.StopLimit] < 2 || m.StopVisible && stops[x86.StopVisible] == 0 && p.name != "fib" && p.name != "alu" && p.name != "div" {
					t.Errorf("stops: %v", stops)
				}
			}
		})
	}
}

// runCut runs to the trap in pieces.
func (m *machine) runCut(seed uint64) map[x86.Stop]int {
	stops := map[x86.Stop]int{}
	var before x86.Context
	for n := uint64(1); ; n++ {
		n = n*6364136223846793005 + seed + 1442695040888963407
		limit := n >> 33 % 60
		if n>>60 == 0 {
			limit *= 100
		}
		s := m.Run(limit)
		stops[s]++
		switch s {
		case x86.StopTrap:
			return stops
		case x86.StopVisible:
			m.Allow()
		case x86.StopLimit:
			if !m.Pending() { // another activation uses the processor
				m.Save(&before)
				m.Load(&x86.Context{})
				m.Load(&before)
			}
		default:
			m.t.Fatalf("%v at +%#x, access %+v", s, m.RIP-m.code, m.Access)
		}
	}
}

// same compares the state with that of another machine.
func (m *machine) same(o *machine) {
	m.t.Helper()
	var a, b x86.Context
	m.Save(&a)
	o.Save(&b)
	if a != b {
		m.t.Errorf("registers differ:\n%+v\n%+v", a, b)
	}
	for _, at := range []uint64{m.stack - 3*mem.PageSize, m.private, m.pub} {
		for off := uint64(0); off < 2*mem.PageSize; off += 8 {
			if x, y := m.load(at+off, 8), o.load(at+off, 8); x != y {
				m.t.Fatalf("memory at %#x: %#x and %#x", at+off, x, y)
			}
		}
	}
}
