package main

import (
	"fmt"
	"strings"
)

// passFile has the accesses that pass without a stop, by size, each short enough
// to need no stack frame: what else can happen is behind the call at its end.
func passFile() string {
	var b strings.Builder
	b.WriteString(header + "import (\n\"unsafe\"\n\n\"github.com/dirql/dirql/internal/mem\"\n)\n")
	for _, bits := range []int{8, 16, 32, 64} {
		r := strings.NewReplacer("BITS", fmt.Sprint(bits), "BYTES", fmt.Sprint(bits/8), "GET", get(bits), "PUT", put(bits, "x"),
			"NOTE", strings.ReplaceAll(note, "BYTES", fmt.Sprint(bits/8)))
		b.WriteString(r.Replace(passLoad + passStore + passUpdate + passFinish))
	}
	return b.String()
}

// note is CPU.passed: the compiler would not inline it into a function that is
// inlined itself. kind is set.
const note = `l := &p.list[p.n&(maxPass+maxLog-1)]
	p.n++
	l.Addr, l.PC = ea, b.pc+uint64(op.at)
	l.Before, l.what = uint32(c.limit-c.left-b.n+uint64(op.num)), kind|BYTES`

const passLoad = `
func (c *CPU) loadBITS(b *block, op *operation, ea uint64) (m uint64, ok bool) {
	p := &c.pass
	e := &p.r[ea>>pageShift&tlbMask]
	o := ea - e.page
	if o > mem.PageSize-BYTES || p.n >= p.end || e.stops != nil { return c.load(b, op, ea, BYTES) }
	const kind = whatRead
	NOTE
	{ GET }
	return m, true
}
`

const passStore = `
func (c *CPU) storeBITS(b *block, op *operation, ea, x uint64) bool {
	p := &c.pass
	e := &p.w[ea>>pageShift&tlbMask]
	o := ea - e.page
	if o > mem.PageSize-BYTES || p.n >= p.end || e.stops != nil { return c.store(b, op, ea, BYTES, x) }
	const kind = whatWrite
	NOTE
	l.Value = x
	p.end = min(p.n+p.row, p.max)
	{ PUT }
	return true
}
`

const passUpdate = `
func (c *CPU) updateBITS(b *block, op *operation, ea uint64) (m uint64, ok bool) {
	p := &c.pass
	e := &p.w[ea>>pageShift&tlbMask]
	o := ea - e.page
	if o > mem.PageSize-BYTES || p.n >= p.end || e.stops != nil { return c.update(b, op, ea, BYTES) }
	kind := uint32(whatRead | whatHalf)
	if op.lock { kind = whatReadWrite }
	NOTE
	{ GET }
	return m, true
}
`

const passFinish = `
func (c *CPU) finishBITS(b *block, op *operation, ea, x uint64) bool {
	p := &c.pass
	e := &p.w[ea>>pageShift&tlbMask]
	o := ea - e.page
	if o > mem.PageSize-BYTES || p.end == 0 || c.logN > 0 { return c.finish(b, op, ea, BYTES, x) }
	if !op.lock {
		const kind = whatWrite | whatHalf
		NOTE
		l.Value = x
		p.end = min(p.n+p.row, p.max)
	}
	{ PUT }
	return true
}
`
