package x86_test

import (
	"encoding/csv"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/x86/isa"
)

// spellings are names that disassemblers print for mnemonics of the manual.
var spellings = map[string]string{
	"movabs": "MOV", "cdqe": "CBW", "cwde": "CBW", "cdq": "CWD", "cqo": "CWD",
	"insb": "INS", "stosb": "STOS", "movsb": "MOVS", "movsw": "MOVS", "scasb": "SCAS",
}

var conditional = regexp.MustCompile(`^(j|set|cmov)(o|no|b|ae|e|ne|be|a|s|ns|p|np|l|ge|le|g)$`)

// TestDriverNeeds checks that every instruction that was found in real drivers
// is in the table and executed.
func TestDriverNeeds(t *testing.T) {
	f, err := os.Open("../ddi/data/driver-needs.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range isa.Rows() {
		known[r.Mnemonic] = known[r.Mnemonic] || !r.Has("none")
	}
	n := 0
	for _, l := range lines {
		if l[0] != "instruction" {
			continue
		}
		n++
		if name := mnemonic(l[2]); !known[name] {
			t.Errorf("%s (%s) is not executed", l[2], name)
		}
	}
	if n < 100 {
		t.Errorf("%d instructions in the list", n)
	}
}

// mnemonic is the manual's name for what a disassembler prints.
func mnemonic(s string) string {
	prefix, name, ok := strings.Cut(s, " ")
	if !ok {
		prefix, name = "", s
	}
	if m := conditional.FindStringSubmatch(name); m != nil {
		return map[string]string{"j": "Jcc", "set": "SETcc", "cmov": "CMOVcc"}[m[1]]
	}
	if strings.HasPrefix(prefix, "rep") && name == "movsd" {
		return "MOVS"
	}
	if alias, ok := spellings[name]; ok {
		return alias
	}
	return strings.ToUpper(name)
}
