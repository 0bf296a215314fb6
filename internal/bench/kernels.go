package bench

import (
	_ "embed"
	"testing"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

//go:embed kernels/kernels.bin
var kernelCode []byte

// Entries of kernels/kernels.c.
const (
	kernelInit = iota
	kernelAlu
	kernelCopy
	kernelFib
	kernelIsrLoop
	kernelScen
	kernelIsr
	kernelDpc
)

const (
	trapBase   = 0xFFFFF80F_00000000
	stackPages = 4
	dataPages  = 64
)

// processor is a processor with the kernels and memory for them.
type processor struct {
	*x86.CPU
	b     *testing.B
	space *mem.Space
	code  uint64
	stack uint64 // its end
	data  uint64 // a page each for device, ring, requests, registers; then what Copy copies
}

func newProcessor(b *testing.B) *processor {
	p := &processor{b: b, space: mem.New()}
	p.code = p.space.Map(mem.Images, 1, mem.Read|mem.Write|mem.Exec)
	p.stack = p.space.Map(mem.Stacks, stackPages, mem.Read|mem.Write|mem.Private) + stackPages*mem.PageSize
	p.data = p.space.Map(mem.NonPagedPool, dataPages, mem.Read|mem.Write)
	p.space.Write(p.code, kernelCode)
	p.space.SetProt(p.code, 1, mem.Read|mem.Exec)
	p.CPU = x86.New(p.space)
	p.TrapBase, p.TrapEnd = trapBase, trapBase+1
	p.call(kernelInit, p.data, p.page(1), p.page(2), p.page(3))
	return p
}

func (p *processor) page(n uint64) uint64 { return p.data + n*mem.PageSize }

// prepare sets up the call of a kernel.
func (p *processor) prepare(entry uint64, args ...uint64) {
	sp := p.stack - 0x48
	p.space.Store(sp, 8, trapBase)
	p.R[x86.RSP], p.RIP = sp, p.code+8*entry
	for i, a := range args {
		p.R[[...]int{x86.RCX, x86.RDX, x86.R8, x86.R9}[i]] = a
	}
}

// call calls a kernel.
func (p *processor) call(entry uint64, args ...uint64) (accesses int) {
	p.prepare(entry, args...)
	return p.finish()
}

// finish runs it to its end. With StopVisible all accesses to shared memory are
// logged; it returns how many there were.
func (p *processor) finish() (accesses int) {
	for {
		if p.StopVisible {
			p.Pass(logSize, logSize, logSize, nil)
		}
		s := p.Run(1 << 40)
		accesses += len(p.Passed())
		switch s {
		case x86.StopTrap:
			return accesses
		case x86.StopVisible:
			p.Pass(logSize, logSize, logSize, nil)
		default:
			p.b.Fatalf("the kernel stopped (%v) at +%#x", s, p.RIP-p.code)
		}
	}
}

// logSize is more than the log holds.
const logSize = 1 << 20

// kernel is a benchmark of the interpreter: a kernel that runs without a stop,
// or with a log of its accesses to memory that is not the stack.
type kernel struct {
	name  string
	entry uint64
	args  func(p *processor) []uint64
}

var kernels = []kernel{
	{"alu", kernelAlu, func(*processor) []uint64 { return []uint64{5000} }},
	{"copy", kernelCopy, func(p *processor) []uint64 { return []uint64{p.page(16), p.page(32), 512, 10} }},
	{"fib", kernelFib, func(*processor) []uint64 { return []uint64{15} }},
	{"isr", kernelIsrLoop, func(p *processor) []uint64 { return []uint64{1000, p.data} }},
	{"scen", kernelScen, func(p *processor) []uint64 { return []uint64{200, p.data} }},
}

func (k *kernel) run(b *testing.B, log bool) {
	p := newProcessor(b)
	p.StopVisible = log
	args := k.args(p)
	p.call(k.entry, args...) // decodes it
	p.Retired = 0
	for b.Loop() {
		p.call(k.entry, args...)
	}
	b.ReportMetric(float64(p.Retired)/b.Elapsed().Seconds()/1e6, "MIPS")
	b.ReportMetric(float64(p.Retired)/float64(b.N), "instructions/op")
}

// stopEverywhere runs one instruction at a time: one operation is one stop.
func stopEverywhere(b *testing.B) {
	p := newProcessor(b)
	p.prepare(kernelScen, 1<<40, p.data)
	for b.Loop() {
		if s := p.Run(1); s != x86.StopLimit {
			b.Fatal(s)
		}
	}
}

// restore returns a benchmark that writes to some pages and brings a snapshot of
// memory back.
func restore(pages uint64) func(b *testing.B) {
	return func(b *testing.B) {
		p := newProcessor(b)
		n := p.space.Snapshot()
		for b.Loop() {
			for i := range pages {
				p.space.Store(p.page(i), 8, i)
			}
			p.space.Restore(n)
		}
	}
}
