package ddi

import "sync"

// NeedKind tells what a driver needs.
type NeedKind string

// The kinds of needs.
const (
	NeedKMDF        NeedKind = "kmdf"        // an entry of the KMDF function table
	NeedImport      NeedKind = "import"      // an import by name
	NeedInstruction NeedKind = "instruction" // an x86-64 instruction mnemonic
)

// Need is one thing that real KMDF drivers with hardware use; see data/README.md
// for the set of drivers.
type Need struct {
	Kind    NeedKind
	Module  string // the module imported from; "x86-64" for instructions
	Name    string
	Index   int // position in the KMDF function table; -1 for the other kinds
	Drivers int // how many different drivers of the set use it
}

// Needs returns what real drivers use, in the order of the table: by kind, the
// most used first.
func Needs() []Need { return needs() }

const needFile = "driver-needs.csv"

var needs = sync.OnceValue(func() []Need { return parseNeeds(dataFile(needFile)) })

func parseNeeds(text string) []Need {
	rows := readTable(needFile, text, "kind", "module", "name", "kmdf_index", "drivers")
	list := make([]Need, len(rows))
	seen := make(map[Need]bool, len(rows))
	for i, r := range rows {
		n := Need{
			Kind:   NeedKind(r.oneOf("kind", string(NeedKMDF), string(NeedImport), string(NeedInstruction))),
			Module: r.name("module"),
			Name:   r.name("name"),
			Index:  -1,
		}
		if seen[n] {
			r.bug("%s %s occurs twice", n.Module, n.Name)
		}
		seen[n] = true
		if n.Kind == NeedKMDF {
			n.Index = int(r.size("kmdf_index"))
		} else if s := r.text("kmdf_index"); s != "" {
			r.bug("kmdf_index is %q in a row that is not kmdf", s)
		}
		n.Drivers = int(r.size("drivers"))
		list[i] = n
	}
	return list
}
