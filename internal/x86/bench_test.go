package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

// BenchmarkKernels runs programs of programs_test.go and reports millions of
// guest instructions a second.
func BenchmarkKernels(b *testing.B) {
	for _, k := range []struct {
		name, program string
		visible       bool
		args          func(m *machine) []uint64
	}{
		{"alu", "alu", false, func(*machine) []uint64 { return []uint64{100_000} }},
		{"fib", "fib", false, func(*machine) []uint64 { return []uint64{20} }},
		{"memcpy", "memcpy", false, func(m *machine) []uint64 { return []uint64{m.pub, m.private, 4000} }},
		{"repmovs", "repmovs", false, func(m *machine) []uint64 { return []uint64{m.pub, m.private, 4000} }},
		{"crc32", "crc32", false, func(m *machine) []uint64 { return []uint64{m.pub, 4000} }},
		{"sort", "sort", false, func(m *machine) []uint64 { m.words(m.pub, 500, numbers()); return []uint64{m.pub, 500} }},
		{"atomic", "atomic", false, func(m *machine) []uint64 { return []uint64{m.pub, 1000} }},
		{"double", "double", false, func(m *machine) []uint64 { return []uint64{m.pub, 500} }},
		{"memcpy, each access seen", "memcpy", true, func(m *machine) []uint64 { return []uint64{m.pub, m.pub + 0x1000, 4000} }},
	} {
		b.Run(k.name, func(b *testing.B) {
			m := newMachine(b, bytes(b, programCode))
			m.StopVisible = k.visible
			args := k.args(m)
			b.ReportAllocs()
			for b.Loop() {
				m.prepare(k.program, args...)
				for m.Run(1<<62) == x86.StopVisible {
					m.Allow()
				}
				if m.RIP != trap {
					b.Fatalf("stopped at +%#x", m.RIP-m.code)
				}
			}
			b.ReportMetric(float64(m.Retired)/b.Elapsed().Seconds()/1e6, "MIPS")
		})
	}
}

// BenchmarkStopEverywhere runs one instruction at a time.
func BenchmarkStopEverywhere(b *testing.B) {
	m := newMachine(b, bytes(b, programCode))
	m.prepare("alu", 1<<40)
	for b.Loop() {
		m.Run(1)
	}
}

// BenchmarkDecode decodes one instruction.
func BenchmarkDecode(b *testing.B) {
	code := bytes(b, "488b842411223344")
	for b.Loop() {
		if _, err := x86.Decode(code, 0); err != nil {
			b.Fatal(err)
		}
	}
}
