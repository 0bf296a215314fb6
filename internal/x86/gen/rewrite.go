package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Operations that stand for others, because less has to be done: an address
// without an index, and a comparison with the conditional jump behind it. The block
// builder puts them in (block.add, block.fuse); the tables say for what.

// direct is the address without an index.
const direct = "ea := R[op.base] + op.disp\n"

// addDirect adds the operations with an address without index, and returns which
// they stand for.
func (g *codes) addDirect() (table [][2]string) {
	for _, o := range g.hot {
		if strings.Contains(o.body, address) {
			name := o.name + "Base"
			g.addHot(name, strings.Replace(o.body, address, direct, 1))
			table = append(table, [2]string{o.name, name})
		}
	}
	return table
}

// jumps are conditions by their number without its lowest bit, which negates them,
// after operations that leave x, y and r.
var jumps = map[string]map[int]string{
	"Cmp":  compared,
	"Sub":  compared,
	"Test": tested,
	"And":  tested,
	"Add":  {4: "r == 0", 8: "int64(r) < 0"},
	"Inc":  {4: "r == 0", 8: "int64(r) < 0"},
	"Dec":  {4: "r == 0", 8: "int64(r) < 0"},
}

var (
	compared = map[int]string{2: "x < y", 4: "r == 0", 6: "x <= y", 8: "int64(r) < 0", 12: "int64(x) < int64(y)", 14: "int64(x) <= int64(y)"}
	tested   = map[int]string{4: "r == 0", 8: "int64(r) < 0", 12: "int64(r) < 0", 14: "int64(r) <= 0"}
)

// addJumps adds the operations that are two instructions, and returns for which
// first one and condition.
func (g *codes) addJumps() (table [][3]string) {
	for _, o := range g.hot {
		for _, sem := range slices.Sorted(maps.Keys(jumps)) {
			conditions := jumps[sem]
			form, ok := strings.CutPrefix(o.name, "o"+sem)
			writes := strings.HasPrefix(form, "M") && sem != "Cmp" && sem != "Test"
			indexed := strings.Contains(form, "M") && !strings.HasSuffix(form, "Base")
			if !ok || strings.IndexAny(form, "RM") != 0 || strings.Contains(form, "16") || writes || indexed {
				continue
			}
			for cc := range 16 {
				if c, ok := conditions[cc]; ok {
					name := fmt.Sprintf("%sJ%d", o.name, cc)
					g.addHot(name, o.body+"\nk = int(op.cc & 1)\nif "+c+" { k ^= 1 }\ngoto linked")
					table = append(table, [3]string{o.name, fmt.Sprint(cc / 2), name})
				}
			}
		}
	}
	return table
}

// rewrites are the tables as Go.
func (g *codes) rewrites() string {
	var b strings.Builder
	b.WriteString("\n// direct has the operations for addresses without an index.\nvar direct = [firstCold]uint16{\n")
	for _, r := range g.direct {
		fmt.Fprintf(&b, "%s: %s,\n", r[0], r[1])
	}
	b.WriteString("}\n\n// jumps has the operations that are also the conditional jump behind, by half the\n// number of the condition.\nvar jumps = [firstCold][8]uint16{\n")
	for i, r := range g.jumps {
		if i == 0 || g.jumps[i-1][0] != r[0] {
			fmt.Fprintf(&b, "%s: {", r[0])
		}
		fmt.Fprintf(&b, "%s: %s,", r[1], r[2])
		if i+1 == len(g.jumps) || g.jumps[i+1][0] != r[0] {
			b.WriteString("},\n")
		}
	}
	b.WriteString("}\n")
	return b.String()
}
