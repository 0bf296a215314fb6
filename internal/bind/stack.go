package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/x86"
)

// maxCalls bounds the calls of a stack: more than fit on a kernel stack.
const maxCalls = 2000

// Calls implements kernel.Executor: the calls of guest code, through the unwind
// information of the image.
func (d *Driver) Calls(t *kernel.Thread) [][]string {
	if t.ID() >= len(d.running) {
		return nil
	}
	var all [][]string
	calls := d.running[t.ID()]
	for i := len(calls) - 1; i >= 0; i-- {
		all = append(all, d.callStack(calls[i].CPU))
	}
	return all
}

// callStack describes the calls of one Execute, the innermost first. Code
// outside the image, where a wild jump or a call of an import leads, has no
// unwind information: what its caller pushed is taken for the return address.
func (d *Driver) callStack(c *x86.CPU) []string {
	var lines []string
	regs := pe.Registers{RIP: c.RIP}
	copy(regs.GPR[:], c.R[:16])
	read := pe.ReadMemory(d.m.Mem)
	if d.imageAt(regs.RIP) == nil {
		if d.imports[regs.RIP] == nil {
			lines = append(lines, fmt.Sprintf("0x%X", regs.RIP))
		}
		ret, ok := read(regs.GPR[pe.RSP])
		if !ok {
			return lines
		}
		regs.RIP = ret
		regs.GPR[pe.RSP] += 8
	}
	pe.Walk(regs, read, d.imageAt, maxCalls, func(im *pe.Image, r *pe.Registers) bool {
		if im == nil {
			return false
		}
		lines = append(lines, d.place(r.RIP, r.RIP != c.RIP))
		return true
	})
	lines = condense(lines)
	if len(lines) == 0 {
		lines = append(lines, d.m.NameOf(c.RIP))
	}
	return lines
}

func (d *Driver) imageAt(addr uint64) *pe.Image {
	if _, ok := d.image.RVA(addr); ok {
		return d.image
	}
	return nil
}

// place describes a code address: symbol, and source line if it is known. A
// return address belongs to the line of the call before it.
func (d *Driver) place(rip uint64, isReturn bool) string {
	s := d.m.NameOf(rip)
	rva, ok := d.image.RVA(rip)
	if !ok {
		return s
	}
	if isReturn && rva > 0 {
		rva--
	}
	if file, line, ok := d.symbols.Line(rva); ok {
		s += fmt.Sprintf(" (%s:%d)", file, line)
	}
	return s
}

// condense replaces equal lines in a row by one: a recursion.
func condense(lines []string) []string {
	var list []string
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		text := lines[i]
		if n > 1 {
			text += fmt.Sprintf(", %d times", n)
		}
		list = append(list, text)
		i += n
	}
	return list
}
