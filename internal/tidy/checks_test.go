package tidy

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// checks are all checks; each returns complaints, one per place.
var checks = []struct {
	name string
	run  func(*module) []string
}{
	{"parse", func(m *module) []string { return m.unparsed }},
	{"imports", checkImports},
	{"banned imports", checkImportBans},
	{"wall clock", checkWallClock},
	{"map order", checkMapOrder},
	{"panic texts", checkPanics},
	{"package names", checkNames},
	{"package comments", checkComments},
	{"file length", checkLength},
	{"specification paths", checkSpecPaths},
}

// TestProject runs every check on this project.
func TestProject(t *testing.T) {
	m, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if m.find("internal/tidy") == nil {
		t.Fatal("this package is not in the module that was read")
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			for _, complaint := range c.run(m) {
				t.Error(complaint)
			}
		})
	}
}

// wrongModules are modules with what the checks must find. A file without a
// package clause gets one, with a package comment.
var wrongModules = []struct {
	name, check string
	files       map[string]string
	want        []string // a part of each complaint, in order
}{
	{"clean", "", map[string]string{
		"wdf/a.go":              `import ("fmt"; "github.com/dirql/dirql/internal/kernel"); var _, _ = fmt.Sprint(), kernel.X`,
		"wdf/a_test.go":         `import ("time"; "github.com/dirql/dirql/wdf"); var _, _ = time.Now(), wdf.X; func f() { panic("x") }`,
		"internal/kernel/k.go":  `func f(e error, x []int) { for range x {}; panic("BUG: x"); panic(e) }`,
		"cmd/dirql/main.go":     `import ("time"; "github.com/dirql/dirql/drivers/edu"); var _ = time.Now()`,
		"internal/choice/c.go":  `import "math/rand/v2"`,
		"internal/x86/zz_t.go":  strings.Repeat("\n", maxTestLines),
		"internal/x/go.mod":     "module x",
		"internal/x/x.go":       "package util",
		"testdata/x/x.go":       "package util",
		".ci/x.go":              "package util",
		"device/x_test.go":      strings.Repeat("\n", maxTestLines-2),
		"device/_old/x.go":      "package util",
		"docs/spec/a.md":        "see `docs/spec/a.md` and `internal/ddi`",
		"drivers/edu/driver.go": `import ("github.com/dirql/dirql"; "example.com/x")`,
	}, nil},
	{"does not parse", "parse", map[string]string{"wdf/a.go": "var x ="}, []string{"wdf/a.go:3:8: expected operand"}},
	{"no row", "imports", map[string]string{"internal/new/a.go": ""},
		[]string{"internal/new has no row in the table layers in internal/tidy/imports_test.go: decide"}},
	{"upwards", "imports", map[string]string{
		"internal/kernel/a.go": `import "github.com/dirql/dirql/internal/x86"`,
		"wdf/a.go":             `import "github.com/dirql/dirql"`,
		"wdf/a_test.go":        `import "github.com/dirql/dirql/internal/bind"`,
		"internal/explore/a.go": `import ("github.com/dirql/dirql/wdf"; "github.com/dirql/dirql/device"
			"github.com/dirql/dirql/internal/bind"; "github.com/dirql/dirql/drivers/edu")`,
		"drivers/edu/a.go": `import "github.com/dirql/dirql/internal/kernel"`,
	}, []string{"drivers/edu must not import internal/kernel",
		"internal/explore must not import wdf", "internal/explore must not import device",
		"internal/explore must not import internal/bind", "internal/explore must not import drivers/edu",
		"internal/kernel must not import internal/x86", "wdf/a.go:3:8: wdf must not import .:",
		"wdf/a_test.go:3:8: wdf must not import internal/bind"}},
	{"foreign", "imports", map[string]string{"device/a.go": `import ("example.com/x"; "fmt")`},
		[]string{"device imports example.com/x, but may use the standard library only"}},
	{"random", "banned imports", map[string]string{
		"internal/choice/a.go": `import "math/rand"`,
		"wdf/a_test.go":        `import r "math/rand/v2"`,
		"device/a.go":          `import "C"`,
	}, []string{`device/a.go:3:8: import "C" is banned`, `import "math/rand" is banned`, `import "math/rand/v2" is banned`}},
	{"clock", "wall clock", map[string]string{
		"wdf/a.go":             `import "time"; var _ = time.Now; func f() { time.Sleep(1); time.Since(time.Time{}) }`,
		"internal/kernel/a.go": `import t "time"; var _ = t.NewTimer(1)`,
		"device/a.go":          `import . "time"`,
	}, []string{"device/a.go:3:8: import .", "time.NewTimer is banned", "time.Now is banned", "time.Sleep is banned", "time.Since is banned"}},
	{"map order", "map order", map[string]string{
		"internal/trace/a.go":  `type Set map[int]bool; func All() Set { return nil }; func f() { for range All() {} }`,
		"internal/kernel/a.go": `import "github.com/dirql/dirql/internal/trace"; func f() { for range trace.All() {} }`,
		"wdf/a.go": `import ("maps"; "slices")
			type set map[string]bool
			type table struct { set }
			func f[M ~map[int]V, V any](m M, t table) {
				for range m {}
				for range maps.Clone(t.set) {}
				for range maps.Keys(m) {}
				_ = slices.Collect(maps.Values[M](m))
				for range slices.Sorted(maps.Keys(m)) {}
				for range slices.SortedFunc(maps.Keys(m), nil) {}
				for range []set{} {}
				for range func(func(set) bool) {} {}
			}
			func g[S ~[]E, E any](s S) { for range s {} }`,
		"wdf/a_test.go": `func f(m map[int]int) { for range m {} }`,
		"device/a.go":   `import "example.com/x"; var unfinished int = x.F + y; func f(m map[int]int) { for range m {} }`,
	}, []string{"internal/kernel/a.go:3:60: range over a map", "wdf/a.go:7:5: range over a map", "wdf/a.go:8:5: range over a map",
		"wdf/a.go:9:15: iterator over a map", "wdf/a.go:10:24: iterator over a map", "device/a.go:3:79: range over a map"}},
	{"panics", "panic texts", map[string]string{"wdf/a.go": `import ("errors"; "fmt")
		func f(x string) {
			panic("x")
			panic("x" + x)
			panic(fmt.Sprintf("x %s", x))
			panic(errors.New("x"))
			panic((` + "`x`" + `))
			panic("BUG: " + x)
			panic(fmt.Sprintf("BUG: %s", x))
			panic(x + "y")
			panic(7)
			panic(fmt.Sprint(x))
			panic(fmt.Sprintf("%v", x))
		}`}, []string{"wdf/a.go:5:", "wdf/a.go:6:", "wdf/a.go:7:", "wdf/a.go:8:", "wdf/a.go:9:"}},
	{"names", "package names", map[string]string{
		"internal/common/a.go": "", "wdf/a.go": "// Package util is.\npackage util", "device/a_test.go": "package helpers_test",
	}, []string{`device: "helpers_test" is no name`, `internal/common: "common" is no name`, `wdf: "util" is no name`}},
	{"comments", "package comments", map[string]string{"wdf/a.go": "package wdf", "wdf/b.go": "package wdf",
		"device/a.go": "package device", "device/doc.go": ""}, []string{"wdf has no package comment"}},
	{"length", "file length", map[string]string{
		"wdf/a.go":      strings.Repeat("\n", maxCodeLines-1),
		"wdf/a_test.go": strings.Repeat("\n", maxTestLines-1),
	}, []string{"wdf/a.go has 901 lines, more than 900", "wdf/a_test.go has 1201 lines, more than 1200"}},
	{"specification", "specification paths", map[string]string{
		"docs/spec/a.md": "x\n`data/a.csv` and `docs/spec/b.md`\n`wdf/*.go`", "docs/spec/b.md": "",
	}, []string{"docs/spec/a.md:2: no file data/a.csv"}},
}

// TestChecksFind runs the checks on wrong modules: exactly the one check
// complains, about exactly the places.
func TestChecksFind(t *testing.T) {
	for _, w := range wrongModules {
		t.Run(w.name, func(t *testing.T) {
			fsys := make(fstest.MapFS)
			for name, text := range w.files {
				if strings.HasSuffix(name, ".go") && !strings.Contains(text, "package ") {
					text = "// Package x is.\npackage " + path.Base("dirql/"+path.Dir(name)) + "\n" + text
				}
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			m, err := load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				got := c.run(m)
				if c.name != w.check {
					if w.check == "" && len(got) > 0 {
						t.Errorf("%s: %q, want no complaints", c.name, got)
					}
					continue
				}
				if !slices.EqualFunc(got, w.want, strings.Contains) {
					t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(w.want, "\n"))
				}
			}
		})
	}
}
