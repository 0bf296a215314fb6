package pe

import (
	"path/filepath"
	"testing"
)

// typeFixtures are made of types.c.
var typeFixtures = []string{"types-gcc2", "types-gcc5", "types-clang"}

func typesOf(t testing.TB, name string) *SymbolTable {
	t.Helper()
	f := parseFixture(t, name+".sys")
	pdbName, pdb, err := FindPDB(filepath.Join("testdata", name+".sys"), f)
	if err != nil {
		t.Fatal(err)
	}
	table := f.Symbols(pdbName, pdb)
	if len(table.Warnings) > 0 {
		t.Fatal(table.Warnings)
	}
	return table
}

// TestFields: what DWARF 2 and 5 and a PDB say of the same types.
func TestFields(t *testing.T) {
	for _, name := range typeFixtures {
		t.Run(name, func(t *testing.T) {
			table := typesOf(t, name)
			for _, c := range []struct {
				typ          string
				offset, size uint64
				want, kind   string
			}{
				{"DEVICE_CONTEXT", 0, 8, "DEVICE_CONTEXT.Head.Flink", ""},
				{"_DEVICE_CONTEXT", 8, 8, "_DEVICE_CONTEXT.Head.Blink", ""},
				{"COUNTERS", 4, 4, "COUNTERS.Received", ""},
				{"DEVICE_CONTEXT", 16, 4, "DEVICE_CONTEXT.Counters[0].Sent", "DEVICE_CONTEXT.Counters[].Sent"},
				{"DEVICE_CONTEXT", 72 + 8 + 4*(4*2+1), 4, "DEVICE_CONTEXT.Counters[1].Lost[2][1]", "DEVICE_CONTEXT.Counters[].Lost[][]"},
				{"DEVICE_CONTEXT", 72 + 8 + 4*(4*2+1) + 2, 1, "DEVICE_CONTEXT.Counters[1].Lost[2][1]", "DEVICE_CONTEXT.Counters[].Lost[][]"},
				{"DEVICE_CONTEXT", 128, 4, "DEVICE_CONTEXT.Ready, Gone, Reason, ... (bit fields)", "DEVICE_CONTEXT.Ready"},
				{"DEVICE_CONTEXT", 128, 1, "DEVICE_CONTEXT.Ready, Gone, Reason (bit fields)", "DEVICE_CONTEXT.Ready"},
				{"DEVICE_CONTEXT", 129, 1, "DEVICE_CONTEXT.Reason (bit field)", "DEVICE_CONTEXT.Ready"},
				{"DEVICE_CONTEXT", 130, 1, "DEVICE_CONTEXT.Ready (rest of its bits)", "DEVICE_CONTEXT.Ready"},
				{"DEVICE_CONTEXT", 131, 1, "DEVICE_CONTEXT.Tries (bit field)", "DEVICE_CONTEXT.Ready"},
				{"DEVICE_CONTEXT", 132, 4, "DEVICE_CONTEXT.State", ""},
				{"DEVICE_CONTEXT", 136, 8, "DEVICE_CONTEXT.Address.All (union)", "DEVICE_CONTEXT.Address.All"},
				{"DEVICE_CONTEXT", 136, 4, "DEVICE_CONTEXT.Address.Low (union)", "DEVICE_CONTEXT.Address.All"},
				{"DEVICE_CONTEXT", 140, 4, "DEVICE_CONTEXT.Address.High (union)", "DEVICE_CONTEXT.Address.All"},
				{"DEVICE_CONTEXT", 141, 1, "DEVICE_CONTEXT.Address.Bytes[5] (union)", "DEVICE_CONTEXT.Address.All"},
				{"DEVICE_CONTEXT", 144, 8, "DEVICE_CONTEXT.Buffer (union)", "DEVICE_CONTEXT.Buffer"},
				{"DEVICE_CONTEXT", 152, 1, "DEVICE_CONTEXT.Flag", ""},
				{"DEVICE_CONTEXT", 156, 4, "DEVICE_CONTEXT+0x9C (padding)", "DEVICE_CONTEXT+0x9C"},
				{"DEVICE_CONTEXT", 160, 8, "DEVICE_CONTEXT.Last", ""},
				{"DEVICE_CONTEXT", 168, 8, "DEVICE_CONTEXT.Next", ""},
				{"DEVICE_CONTEXT", 160, 16, "DEVICE_CONTEXT.Last and what follows", "DEVICE_CONTEXT.Last"},
				{"COUNTERS", 56, 4, "COUNTERS+0x38 (behind its end)", "COUNTERS+0x38"},
				{"DEVICE_CONTEXT", 200, 1, "DEVICE_CONTEXT.Data[24]", "DEVICE_CONTEXT.Data[]"},
			} {
				got, ok := table.Field(c.typ, c.offset, c.size)
				want := Place{c.want, c.kind}
				if c.kind == "" {
					want.Kind = c.want
				}
				if !ok || got != want {
					t.Errorf("%s+%d, %d bytes: %q, %v, want %q", c.typ, c.offset, c.size, got, ok, want)
				}
			}
			if p, ok := table.Field("NO_SUCH_TYPE", 0, 4); ok {
				t.Errorf("a type that does not exist has %q", p)
			}
		})
	}
}

// TestVariables: global and static ones, and one that is declared before.
func TestVariables(t *testing.T) {
	for _, name := range typeFixtures {
		t.Run(name, func(t *testing.T) {
			table := typesOf(t, name)
			for _, c := range []struct {
				variable     string
				offset, size uint32
				want, kind   string
			}{
				{"Single", 0, 8, "Single", "Single"},
				{"Totals", 2*56 + 4, 4, "Totals[2].Received", "Totals[].Received"},
				{"Declared", 8, 8, "Declared.Head.Blink", "Declared.Head.Blink"},
			} {
				rva, found := table.Find(c.variable)
				got, ok := table.Variable(rva+c.offset, uint64(c.size))
				if !found || !ok || got != (Place{c.want, c.kind}) {
					t.Errorf("%s+%d: %q, %v, want %q", c.variable, c.offset, got, ok, c.want)
				}
			}
			if rva, _ := table.Find("DriverEntry"); rva != 0 {
				if p, ok := table.Variable(rva, 4); ok {
					t.Errorf("code is the variable %q", p)
				}
			}
		})
	}
}

// TestTypesThatContainThemselves: no C compiler makes them.
func TestTypesThatContainThemselves(t *testing.T) {
	types := newTypeTable()
	types.add(1, cType{kind: typeFields, name: "S", size: 64, fields: []cField{{name: "a", typ: 1}, {name: "b", typ: 1}, {name: "c", typ: 2}}, of: 1})
	types.add(2, cType{kind: typeArray, of: 2, count: 1 << 40})
	types.add(3, cType{kind: typeAlias, of: 4})
	types.add(4, cType{kind: typeAlias, of: 3})
	types.add(5, cType{kind: typeFields, name: "D", declared: true, of: 5})
	types.add(6, cType{kind: typeArray, of: 1, count: 3})
	types.link()
	for id := range typeID(len(types.types)) {
		types.sizeOf(id)
		for _, offset := range []uint64{0, 5, 1 << 40, ^uint64(0)} {
			limits(t, func() string { return "a path" }, func() { types.path("x", id, offset, 8) })
		}
	}
}
