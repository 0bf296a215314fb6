package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/x86/isa"
)

var classNames = map[string]string{
	"b": "classB", "bs": "classBS", "w": "classW", "d": "classD", "q": "classQ", "x": "classX",
	"v": "classV", "y": "classY", "z": "classZ", "": "classNone",
}

var attrNames = []struct{ attr, name string }{
	{"lock", "canLock"}, {"d64", "default64"}, {"f64", "force64"}, {"rep", "canRep"}, {"branch", "endsBlock"},
	{"align", "aligned"}, {"none", "notExecuted"}, {"priv", "privileged"}, {"notest", "notTested"}, {"fp", "usesMXCSR"},
}

func rowsFile(rows []*isa.Row, g *codes) string {
	var b strings.Builder
	b.WriteString(header + "var rows = [...]row{\n")
	for _, r := range rows {
		b.WriteString(rowLiteral(r, g))
	}
	b.WriteString("}\n\n// maps has the rows for each opcode: first index into candidates, number.\nvar maps = [6][256][2]uint16{\n")
	var candidates []int
	for m := range 6 {
		b.WriteString("{")
		for opcode := range 256 {
			list := matching(rows, m, opcode)
			if len(list) > 0 {
				fmt.Fprintf(&b, "0x%02X: {%d, %d},\n", opcode, len(candidates), len(list))
			}
			candidates = append(candidates, list...)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\nvar candidates = [...]uint16{")
	for i, c := range candidates {
		if i%16 == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%d, ", c)
	}
	b.WriteString("\n}\n")
	return b.String()
}

// matching returns the rows for an opcode, the most particular first.
func matching(rows []*isa.Row, m, opcode int) []int {
	var list []int
	for i, r := range rows {
		n := int(r.Map)
		if r.VEX {
			n += 2 // only 0F38 and 0F3A occur
		}
		if n == m && opcode >= int(r.Opcode) && opcode < int(r.Opcode)+int(r.Plus) {
			list = append(list, i)
		}
	}
	rank := func(i int) int {
		r := rows[i]
		n := 0
		if r.Fixed >= 0 {
			n -= 100
		}
		if r.NoB {
			n -= 50
		}
		switch r.Prefix {
		case isa.PF2, isa.PF3:
			n -= 30
		case isa.P66, isa.NP:
			n -= 20
		}
		if r.Digit >= 0 {
			n -= 5
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b int) int { return rank(a) - rank(b) })
	return list
}

func rowLiteral(r *isa.Row, g *codes) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{name: %q, prefix: %d, digit: %d, fixed: %d, mod: %d, w: %d, size: %s", r.Mnemonic, r.Prefix, r.Digit, r.Fixed, r.Mod, r.W,
		classNames[sizeClass(r)])
	var attrs []string
	for _, a := range attrNames {
		if r.Has(a.attr) {
			attrs = append(attrs, a.name)
		}
	}
	if r.NoB {
		attrs = append(attrs, "noRexB")
	}
	if r.ModRM {
		attrs = append(attrs, "hasModRM")
	}
	if r.Plus == 16 {
		attrs = append(attrs, "hasCond")
	}
	if len(attrs) > 0 {
		fmt.Fprintf(&b, ", attrs: %s", strings.Join(attrs, "|"))
	}
	if len(r.Operands) > 0 {
		b.WriteString(", operands: [3]operand{")
		for _, o := range r.Operands {
			fmt.Fprintf(&b, "{'%c', %s, %t, %t},", o.Kind, classNames[o.Class], o.Read, o.Write)
		}
		b.WriteString("}")
	}
	fmt.Fprintf(&b, ", written: %d, undefined: %d, byCount: %t", flagBits(r.Written), flagBits(r.Undefined), r.Undefined == "shift")
	b.WriteString(", codes: [8]uint16{")
	for v := range 8 {
		if name := g.find(r, v); name != "" {
			fmt.Fprintf(&b, "%d: %s,", v, name)
		}
	}
	b.WriteString("}},\n")
	return b.String()
}

// flagBits turns letters into bits of RFLAGS (SDM volume 1, 3.4.3).
func flagBits(letters string) (bits uint64) {
	if letters == "shift" {
		return 0
	}
	for _, l := range letters {
		bits |= map[rune]uint64{'c': 1, 'p': 4, 'a': 0x10, 'z': 0x40, 's': 0x80, 'd': 0x400, 'o': 0x800}[l]
	}
	return bits
}
