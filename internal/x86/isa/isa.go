// Package isa holds the table of instructions, from which the decoder, the
// interpreter's switch, its documentation and the test cases are made.
//
// Read table.txt first: its head explains the columns. This package only
// parses it; the shipped interpreter (internal/x86) does not import it, but
// contains what internal/x86/gen makes of it.
package isa

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed table.txt
var table string

// Map is an opcode map.
type Map uint8

// The opcode maps.
const (
	OneByte Map = iota
	Map0F
	Map0F38
	Map0F3A
)

// Prefix is the mandatory prefix of an encoding.
type Prefix uint8

// Mandatory prefixes. With Any, 66, F2 and F3 have their general meaning.
const (
	Any Prefix = iota
	NP
	P66
	PF2
	PF3
)

// Mod says what r/m has to be.
type Mod uint8

// Kinds of r/m.
const (
	RegOrMem Mod = iota
	MemOnly
	RegOnly
)

// Operand is one operand of an instruction, in the notation of table.txt.
type Operand struct {
	Kind        byte // E, G, Z, ...; C for CL, D for DX, 1
	Class       string
	Read, Write bool
}

// Row is one line of the table.
type Row struct {
	Mnemonic, Encoding, OperandText, FlagText string

	Sem      string // name of the semantics
	Map      Map
	Prefix   Prefix
	Opcode   uint8
	Plus     uint8 // 8: +r, 16: +cc, else 1: how many opcodes the row covers
	ModRM    bool
	Digit    int // -1 if reg is an operand
	Fixed    int // the whole ModRM byte, or -1
	Mod      Mod
	W        int // required REX.W, or -1
	NoB      bool
	VEX      bool
	Operands []Operand

	// Flags by letter: o s z a p c d.
	Written, ReadFlags, Undefined string

	attrs []string
}

// Has reports whether the row has an attribute.
func (r *Row) Has(attr string) bool { return slices.Contains(r.attrs, attr) }

// Value returns x of an attribute name=x, or "".
func (r *Row) Value(name string) string {
	for _, a := range r.attrs {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return ""
}

// Attributes returns the attributes as they are written in the table.
func (r *Row) Attributes() string { return strings.Join(r.attrs, " ") }

// Section is a part of the table under one heading.
type Section struct {
	Title string
	Rows  []*Row
}

// Rows returns all rows in the order of the table.
func Rows() []*Row {
	var rows []*Row
	for _, s := range Sections() {
		rows = append(rows, s.Rows...)
	}
	return rows
}

// Sections returns the rows under their headings.
func Sections() []Section {
	_, body, _ := strings.Cut(table, "\n\n")
	var sections []Section
	for i, line := range strings.Split(body, "\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			sections = append(sections, Section{Title: strings.TrimSuffix(title, ".")})
		} else if line != "" {
			r, err := parse(line)
			if err != nil {
				panic(fmt.Sprintf("BUG: table.txt, line %d after the head: %v", i+1, err))
			}
			s := &sections[len(sections)-1]
			s.Rows = append(s.Rows, r)
		}
	}
	return sections
}

func parse(line string) (*Row, error) {
	f := strings.Split(line, "|")
	if len(f) != 5 {
		return nil, fmt.Errorf("%d columns, not 5", len(f))
	}
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	r := &Row{Mnemonic: f[0], Encoding: f[1], OperandText: f[2], FlagText: f[3], attrs: strings.Fields(f[4]), Digit: -1, Fixed: -1, W: -1, Plus: 1}
	if r.Sem = r.Value("sem"); r.Sem == "" {
		r.Sem = strings.ToLower(r.Mnemonic)
	}
	if err := r.parseEncoding(strings.Fields(f[1])); err != nil {
		return nil, err
	}
	for _, s := range strings.Fields(f[2]) {
		r.Operands = append(r.Operands, r.parseOperand(s))
	}
	for _, s := range strings.Fields(f[3]) {
		name, v, _ := strings.Cut(s, "=")
		switch name {
		case "w":
			r.Written = v
		case "r":
			r.ReadFlags = v
		case "u":
			r.Undefined = v
		default:
			return nil, fmt.Errorf("flags %q", s)
		}
	}
	return r, nil
}

var prefixes = map[string]Prefix{"NP": NP, "66": P66, "F2": PF2, "F3": PF3}
var maps = map[string]Map{"0F": Map0F, "0F38": Map0F38, "0F3A": Map0F3A}

func (r *Row) parseEncoding(tokens []string) error {
	if tokens[0] == "VEX" {
		r.VEX, tokens = true, tokens[1:]
	}
	if p, ok := prefixes[tokens[0]]; ok {
		r.Prefix, tokens = p, tokens[1:]
	}
	if m, ok := maps[tokens[0]]; ok {
		r.Map, tokens = m, tokens[1:]
	}
	opcode, plus, _ := strings.Cut(tokens[0], "+")
	n, err := strconv.ParseUint(opcode, 16, 8)
	if err != nil {
		return err
	}
	r.Opcode = uint8(n)
	switch plus {
	case "r":
		r.Plus = 8
	case "cc":
		r.Plus = 16
	}
	for _, t := range tokens[1:] {
		if err := r.parseSuffix(t); err != nil {
			return err
		}
	}
	return nil
}

func (r *Row) parseSuffix(t string) error {
	switch {
	case t == "/r":
		r.ModRM = true
	case t[0] == '/':
		r.ModRM, r.Digit = true, int(t[1]-'0')
	case t[0] == '=':
		n, err := strconv.ParseUint(t[1:], 16, 8)
		r.ModRM, r.Fixed = true, int(n)
		return err
	case t == "W0", t == "W1":
		r.W = int(t[1] - '0')
	case t == "noB":
		r.NoB = true
	case t == "mem":
		r.Mod = MemOnly
	case t == "reg":
		r.Mod = RegOnly
	default:
		return fmt.Errorf("encoding %q", t)
	}
	return nil
}

func (r *Row) parseOperand(s string) Operand {
	o := Operand{Read: true}
	switch s[0] {
	case '+':
		o.Write, s = true, s[1:]
	case '=':
		o.Write, o.Read, s = true, false, s[1:]
	}
	o.Kind, o.Class = s[0], s[1:]
	switch s {
	case "CL", "DX", "1":
		o.Class = ""
	}
	switch o.Kind {
	case 'M':
		r.Mod = MemOnly
	case 'U':
		r.Mod = RegOnly
	}
	return o
}
