package x86_test

import (
	"encoding/hex"
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// machine is a processor with some memory.
type machine struct {
	*x86.CPU
	t     testing.TB
	space *mem.Space

	code, stack  uint64
	private, pub uint64 // pages of data, two each; nothing behind pub
	device       uint64
}

const trap = 0xFFFFF80F_00000000

func newMachine(t testing.TB, code []byte) *machine {
	m := &machine{t: t, space: mem.New()}
	m.code = m.space.Map(mem.Images, 2, mem.Read|mem.Write|mem.Exec)
	m.stack = m.space.Map(mem.Stacks, 4, mem.Read|mem.Write|mem.Private) + 3*mem.PageSize
	m.private = m.space.Map(mem.NonPagedPool, 2, mem.Read|mem.Write|mem.Private)
	m.pub = m.space.Map(mem.NonPagedPool, 2, mem.Read|mem.Write)
	m.device = m.space.MapDevice(mem.SystemMaps, 1)
	m.space.Write(m.code, code)
	m.CPU = x86.New(m.space)
	m.TrapBase, m.TrapEnd = trap, trap+0x1000
	m.RIP = m.code
	m.R[x86.RSP] = m.stack
	return m
}

// bytes decodes hexadecimal digits.
func bytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// prepare sets up a call of a function with the Microsoft calling convention.
func (m *machine) prepare(function string, args ...uint64) {
	sp := m.stack - 0x28
	m.space.Store(sp, 8, trap)
	m.R[x86.RSP], m.RIP = sp, m.code+programs[function]
	for i, a := range args {
		m.R[[]int{x86.RCX, x86.RDX, x86.R8, x86.R9}[i]] = a
	}
}

// run runs with a limit and expects a stop.
func (m *machine) run(limit uint64, want x86.Stop) {
	m.t.Helper()
	if got := m.Run(limit); got != want {
		m.t.Fatalf("%v at +%#x, want %v; access %+v, fault %+v, exception %+v, operation %+v, bytes % X",
			got, m.RIP-m.code, want, m.Access, m.Fault, m.Exception, m.Operation, m.Bytes)
	}
}

func (m *machine) load(addr uint64, size int) uint64 {
	v, _ := m.space.Load(addr, size)
	return v
}

func (m *machine) equal(what string, got, want uint64) {
	m.t.Helper()
	if got != want {
		m.t.Errorf("%s is %#x, want %#x", what, got, want)
	}
}
