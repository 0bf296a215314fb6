package tidy

import (
	"slices"
	"strings"
	"testing"
)

// layer is one row of the table of allowed imports.
type layer struct {
	pkg string // relative to the module; "." is the root package, "x/..." is x and everything below
	// imports are the packages of the project that it may import.
	imports []string
	// tests are packages that only its tests may import in addition.
	tests []string
	// stdOnly forbids modules of others, too.
	stdOnly bool
}

// base are the packages that know nothing of Windows beyond facts: the choice
// source, the trace, simulated memory, the documented tables.
var base = []string{"internal/choice", "internal/trace", "internal/mem", "internal/ddi"}

// layers is the table, from low to high: a row names rows above it only. A
// package without a row fails. What it protects:
//
//   - kernel does not know what code is behind an address: it never sees x86 or bind.
//   - device is for people who write models: the standard library only.
//   - explore does not know what a driver is: it drives a machine by choices.
//   - report reads traces, so that it also works on a saved one.
//   - drivers are written against what is public, as a user's drivers are.
var layers = []layer{
	{pkg: "internal/choice"},
	{pkg: "internal/trace"},
	{pkg: "internal/mem"},
	{pkg: "internal/ddi"},
	{pkg: "internal/ddi/genheader", imports: []string{"internal/ddi"}},
	{pkg: "internal/kernel", imports: base, tests: []string{"internal/explore"}},

	{pkg: "device", stdOnly: true},
	{pkg: "wdf", imports: with(base, "internal/kernel"), tests: []string{"internal/explore"}},

	{pkg: "internal/pci", imports: with(base, "internal/kernel", "device", "wdf")},
	{pkg: "internal/explore", imports: with(base, "internal/kernel")},

	{pkg: "internal/report", imports: []string{"internal/trace"}, tests: []string{"internal/kernel"}},
	{pkg: "internal/explain", imports: []string{"internal/trace", "internal/ddi"}},
	{pkg: "internal/race", imports: with(base, "internal/kernel")},
	{pkg: "internal/lost", imports: with(base, "internal/kernel")},
	{pkg: "internal/x86/isa"},
	{pkg: "internal/x86/hostcpu"},
	{pkg: "internal/x86", imports: []string{"internal/mem", "internal/x86/isa"}, tests: []string{"internal/x86/diff", "internal/x86/hostcpu"}},
	{pkg: "internal/x86/diff", imports: []string{"internal/mem", "internal/x86", "internal/x86/isa", "internal/x86/hostcpu"}},
	{pkg: "internal/x86/...", imports: []string{"internal/mem", "internal/x86", "internal/x86/isa", "internal/x86/hostcpu", "internal/x86/diff"}},
	{pkg: "internal/pe", imports: []string{"internal/mem"}},
	{pkg: "internal/bind", imports: with(base, "internal/kernel", "device", "wdf", "internal/pci", "internal/x86", "internal/pe")},
	{pkg: "internal/litmus", imports: with(base, "internal/kernel", "device", "wdf", "internal/pci", "internal/explore",
		"internal/race", "internal/lost", "internal/pe", "internal/bind"), tests: []string{"drivers/litmus"}},

	{pkg: ".", imports: with(base, "internal/kernel", "device", "wdf", "internal/pci", "internal/explore", "internal/report",
		"internal/explain", "internal/race", "internal/lost", "internal/x86", "internal/pe", "internal/bind"), tests: []string{"drivers/...", "internal/tidy"}},

	{pkg: "dirqltest", imports: []string{"."}, tests: []string{"drivers/..."}},

	{pkg: "drivers/litmus", imports: []string{"internal/pe"}, tests: []string{"internal/litmus", "internal/trace"}},
	{pkg: "drivers/patterns/kit", imports: []string{"wdf"}},
	{pkg: "drivers/patterns/...", imports: []string{"wdf", "drivers/patterns/kit"}},
	{pkg: "drivers/patterns", imports: []string{".", "device", "wdf", "drivers/patterns/..."}},
	{pkg: "drivers/...", imports: []string{".", "device", "wdf"}},
	{pkg: "drivers/hostile", imports: []string{"."}, tests: []string{"drivers/..."}},
	{pkg: "drivers/seh", imports: []string{"."}, tests: []string{"drivers/..."}},
	{pkg: "drivers/edu", imports: []string{".", "device", "wdf"}},
	{pkg: "drivers/selftest", imports: []string{".", "drivers/edu"}},
	{pkg: "drivers/dpc", tests: []string{"drivers/selftest"}},
	{pkg: "drivers/resource", tests: []string{"drivers/selftest"}},
	{pkg: "drivers/rules", tests: []string{".", "device", "drivers/selftest"}},
	{pkg: "drivers/connect", tests: []string{".", "device", "drivers/selftest"}},
	{pkg: "drivers", imports: []string{".", "drivers/..."}}, // the list of them
	{pkg: "internal/bench", imports: with(base, ".", "internal/kernel", "internal/x86", "drivers/...")},
	{pkg: "cmd/dirql", imports: []string{".", "internal/bench", "internal/explain", "internal/litmus", "internal/pe", "internal/report", "internal/trace", "drivers/..."}},

	{pkg: "internal/tidy"},
}

// with returns list and more.
func with(list []string, more ...string) []string { return slices.Concat(list, more) }

const tableName = "the table layers in internal/tidy/imports_test.go"

// rowOf returns the index of the row for a package, -1 if there is none: that of
// its own name, else that of the pattern which it matches.
func rowOf(path string) int {
	if i := slices.IndexFunc(layers, func(l layer) bool { return l.pkg == path }); i >= 0 {
		return i
	}
	return slices.IndexFunc(layers, func(l layer) bool { return matches(l.pkg, path) })
}

// checkImports compares every import with the table.
func checkImports(m *module) []string {
	var complaints []string
	for _, p := range m.packages {
		i := rowOf(p.path)
		if i < 0 {
			complaints = append(complaints, p.path+" has no row in "+tableName+": decide which layer it belongs to and add a "+
				"row there that names the packages of the project that it may import, as few as it needs")
			continue
		}
		for _, f := range p.files {
			complaints = append(complaints, checkFileImports(m, p, f, layers[i])...)
		}
	}
	return complaints
}

func checkFileImports(m *module, p *goPackage, f *goFile, l layer) []string {
	var complaints []string
	for _, spec := range f.ast.Imports {
		target, ours := projectPath(importPath(spec))
		switch {
		case !ours && l.stdOnly && isForeign(importPath(spec)):
			complaints = append(complaints, m.at(spec.Pos(), "%s imports %s, but may use the standard library only (%s)",
				p.path, importPath(spec), tableName))
		case !ours || target == p.path || matchesAny(l.imports, target) || f.test && matchesAny(l.tests, target):
		default:
			complaints = append(complaints, m.at(spec.Pos(), "%s must not import %s: it is not in its row of %s. "+
				"Move the code to where the import is allowed, or pass what is needed as an interface or a value; "+
				"change the row only if the design changes", p.path, target, tableName))
		}
	}
	return complaints
}

// isForeign tells whether an import path is neither of the standard library nor
// of this project: its first element is a domain.
func isForeign(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

// TestLayerTable checks the table itself: rows are unique, and imports name rows above.
func TestLayerTable(t *testing.T) {
	var above []string
	for _, l := range layers {
		if slices.Contains(above, l.pkg) {
			t.Errorf("%s has two rows", l.pkg)
		}
		for _, name := range l.imports {
			if !slices.Contains(above, name) {
				t.Errorf("%s: %s is not a row above it, so the table is not in order or names nothing", l.pkg, name)
			}
		}
		above = append(above, l.pkg)
	}
	for _, l := range layers {
		for _, name := range l.tests {
			if !slices.Contains(above, name) {
				t.Errorf("%s: tests may import %s, which is no row", l.pkg, name)
			}
		}
	}
}
