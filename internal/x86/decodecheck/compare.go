package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/x86"
)

// comparison counts what the decoder and a reference agree on.
type comparison struct {
	ref                     reference
	limit                   int // instructions of each file; 0: all
	files, equal, different int
	missing                 map[string]int // by mnemonic
	reports                 []string       // the first differences
}

func newComparison(ref reference) *comparison {
	return &comparison{ref: ref, missing: map[string]int{}}
}

func (c *comparison) unsupported() (n int) {
	for _, k := range c.missing {
		n += k
	}
	return n
}

// file compares the code of a file.
func (c *comparison) file(name string) error {
	inside, err := functions(name)
	if err != nil {
		return err
	}
	c.files++
	n := 0
	return c.ref.disassemble(name, func(in instruction) bool {
		if inside == nil || within(inside, in.addr) {
			c.compare(name, in)
		}
		n++
		return c.limit == 0 || n < c.limit
	})
}

// within reports whether an address is in one of some ranges, which are sorted.
func within(spans []span, addr uint64) bool {
	i, found := slices.BinarySearchFunc(spans, addr, func(s span, addr uint64) int {
		switch {
		case s.to <= addr:
			return -1
		case s.from > addr:
			return 1
		}
		return 0
	})
	return found && spans[i].from <= addr
}

func (c *comparison) compare(file string, want instruction) {
	name := mnemonic(want.text)
	if name == "" || narrow.MatchString(name) {
		return
	}
	got, err := x86.Decode(want.code, want.addr)
	bad := name == "(BAD)"
	var why string
	switch {
	case bad && err == nil:
		why = "is bad, decoded as " + got.Name
	case bad:
		return
	case errors.Is(err, x86.ErrUndefined) && lax(got, want.code):
		c.equal++
		return
	case errors.Is(err, x86.ErrUnsupported):
		c.missing[name]++
		return
	case err != nil:
		why = err.Error()
	case got.Len != len(want.code):
		why = fmt.Sprintf("length %d", got.Len)
	case got.Name != name:
		why = "decoded as " + got.Name
	default:
		c.equal++
		return
	}
	c.different++
	if len(c.reports) < 40 {
		c.reports = append(c.reports, fmt.Sprintf("%s: %x: % X: %s (%s): %s", file, want.addr, want.code, want.text, name, why))
	}
}

// narrow are near branches with 66, of which processors differ in the length, and
// what is no instruction at all.
var narrow = regexp.MustCompile(`^((JMP|CALL|RET)W|\.BYTE|X(CRYPT|SHA|STORE).*|MONTMUL)$`)

// lax reports whether an instruction is undefined for a reason that disassemblers
// do not look for: a LOCK that is not allowed, prefixes in front of VEX.
func lax(got x86.Inst, code []byte) bool {
	return got.Lock || len(code) > 1 && (code[0] == 0x66 || code[0]&0xF2 == 0xF2 || code[0]&0xF0 == 0x40) && (code[1] == 0xC4 || code[1] == 0xC5)
}

// inFront are words that disassemblers print in front of a mnemonic.
var inFront = regexp.MustCompile(`^(lock|rep[a-z]*|xacquire|xrelease|bnd|notrack|data(16|32)|addr32|rex(\.[wrxb]+)?|hint-[a-z-]+|[cdefgs]s)$`)

// families are mnemonics that disassemblers print in many variants.
var families = []struct {
	variants *regexp.Regexp
	name     string
}{
	{regexp.MustCompile(`^jr?e?cxz$`), "JRCXZ"},
	{regexp.MustCompile(`^(bnd(ldx|stx|mk|cl|cu|cn|mov)|rdssp[dq]|hint_nop\d?)$`), "NOP"}, // without MPX and shadow stacks
	{regexp.MustCompile(`^j` + condition + `$`), "Jcc"},
	{regexp.MustCompile(`^set` + condition + `$`), "SETcc"},
	{regexp.MustCompile(`^cmov` + condition + `$`), "CMOVcc"},
	{regexp.MustCompile(`^cmp` + predicate + `ps$`), "CMPPS"},
	{regexp.MustCompile(`^cmp` + predicate + `pd$`), "CMPPD"},
	{regexp.MustCompile(`^cmp` + predicate + `ss$`), "CMPSS"},
	{regexp.MustCompile(`^cmp` + predicate + `sd$`), "CMPSD"},
}

const (
	condition = `n?(o|b|c|e|z|be|a|ae|s|p|pe|po|l|le|g|ge)`
	predicate = `(eq|lt|le|unord|neq|nlt|nle|ord)`
)

// spellings are names that disassemblers print for mnemonics of the manual.
var spellings = map[string]string{
	"movabs": "MOV", "cwde": "CBW", "cdqe": "CBW", "cdq": "CWD", "cqo": "CWD", "pushfq": "PUSHF", "popfq": "POPF", "iretq": "IRET", "iretd": "IRET",
	"pextrq": "PEXTRD", "pinsrq": "PINSRD", "xlatb": "XLAT", "icebp": "INT1", "sal": "SHL", "ret far": "RETF", "lret": "RETF",
	"prefetch": "PREFETCHW", "fxsave64": "FXSAVE", "fxrstor64": "FXRSTOR", "sysretq": "SYSRET", "sysretl": "SYSRET", "wait": "FWAIT",
	"nopw": "NOP", "popfw": "POPF", "pushfw": "PUSHF", "leavew": "LEAVE", "pushw": "PUSH", "popw": "POP", "enterw": "ENTER",
}

// general matches a general register of 64 bits, or a number.
var general = regexp.MustCompile(`^r([abcd]x|[sd]i|[sb]p|\d+)$`)

// mnemonic is the manual's name for what a disassembler prints; "" if that is
// no instruction.
func mnemonic(text string) string {
	text, _, _ = strings.Cut(strings.ToLower(text), "#")
	if strings.Contains(text, "(bad)") {
		return "(BAD)"
	}
	words := strings.Fields(strings.ReplaceAll(text, ",", " "))
	for len(words) > 0 && inFront.MatchString(words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return ""
	}
	name, operands := strings.TrimSuffix(words[0], "_xmm"), words[1:]
	for _, f := range families {
		if f.variants.MatchString(name) {
			return f.name
		}
	}
	switch {
	case name == "xchg" && slices.Equal(operands, []string{"ax", "ax"}):
		return "NOP"
	case name == "movq" && slices.ContainsFunc(operands, general.MatchString):
		return "MOVD"
	case isString(name) && !strings.Contains(text, "xmm"):
		return strings.ToUpper(name[:4])
	case name == "insb" || name == "insw" || name == "insd":
		return "INS"
	}
	if alias, ok := spellings[name]; ok {
		return alias
	}
	return strings.ToUpper(name)
}

// isString reports whether a name is that of a string instruction with a size.
func isString(name string) bool {
	if len(name) != 5 {
		return false
	}
	switch name[:4] {
	case "movs", "cmps", "stos", "lods", "scas", "outs":
		return strings.IndexByte("bwdq", name[4]) >= 0
	}
	return false
}
