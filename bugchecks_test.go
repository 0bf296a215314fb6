package dirql_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/wdf"
)

// computed lists the places where a bug check code, or the first parameter of
// one that has cases, is not a literal: what it can be there.
var computed = map[string][]bugCheckCase{
	"internal/kernel/irql.go badLevelChange":     {{0xC4, 0x30}, {0xC4, 0x31}, {0x9, 0}, {0xA, 0}},
	"internal/kernel/memory.go fault":            {{0xD5, 0}, {0xD6, 0}, {0xD1, 0}, {0xCC, 0}, {0xCD, 0}, {0xA, 0}},
	"internal/kernel/pool.go checkPoolLevel":     {{0xC4, 1}, {0xC4, 2}, {0xC4, 0x11}, {0xC4, 0x12}, {0xC2, 8}, {0xC2, 9}},
	"internal/kernel/wait.go checkWait":          {{0xC4, 0x120}, {0xC4, 0x121}, {0xC4, 0x122}},
	"internal/kernel/dpc.go callDPC":             {{0xC7, 4}, {0xC7, 5}, {0xC8, 0xD0}},
	"internal/kernel/interrupt.go wrongISRLevel": {{0xC8, 3}},
	"internal/kernel/thread.go checkThreadEnd":   {{0xC8, 0xFE}},
	"wdf/interruptlock.go nullInFramework":       {{0x7E, 0}, {0xD1, 0}},
	"internal/kernel/exception.go Unhandled":     {{0x1E, 0}, {0x3B, 0}, {0x3D, 0}, {0x7E, 0}},

	"internal/kernel/pool.go FreePool":              {{0xC4, 0x10}, {0xC4, 0x13}, {0xC2, 7}},
	"internal/kernel/spinlock.go checkReleaseLevel": {{0xC4, 0x32}, {0xC4, 0x36}, {0xC4, 0x41}},
	"internal/kernel/lockorder.go deadlockIssue": {{0xC4, 0x1000}, {0xC4, 0x1001}, {0xC4, 0x1002}, {0xC4, 0x1005}, {0xC4, 0x1007},
		{0xC4, 0x1008}, {0xC4, 0x1009}},
	"internal/kernel/region.go checkRegionLevel":    {{0xC4, 0x11A}, {0xC4, 0x11B}},
	"internal/kernel/region.go leftover":            {{0xC4, 0x40003}, {0xC4, 0x40006}, {0xC4, 0x40009}, {0xC4, 0x4000E}},
	"internal/kernel/fastmutex.go checkUnsafeLevel": {{0xC4, 0x39}, {0xC4, 0x3A}},
	"internal/kernel/resource.go checkAPCsDisabled": {{0xC4, 0x37}, {0xC4, 0x38}},
	"internal/kernel/memory.go checkIoSpaceLevel":   {{0xC4, 0x73}, {0xC4, 0x7B}},
}

// passedOn lists the places that take a code from elsewhere: from a caller that
// this test sees, or from the driver.
var passedOn = map[string]bool{
	"internal/kernel/bugcheck.go BugCheck":          true,
	"internal/bind/nt_kernel.go bugCheckEx":         true, // KeBugCheckEx
	"internal/bind/kmdf_object.go verifierBugCheck": true, // WdfVerifierKeBugCheck
	"internal/bind/nt_rtl.go init":                  true, // KeBugCheck
}

type bugCheckCase struct {
	code uint32
	p1   uint64
}

// hasCases tells whether the first parameter of a bug check tells its cases
// apart, so that each has to have an entry of its own.
func hasCases(code uint32) bool {
	switch code {
	case 0x1A, 0x76, 0x9F, 0xC2, 0xC4, 0xC7, 0xC8, 0xC9, 0xCA, 0x10D, 0x133:
		return true
	}
	return false
}

// Every bug check that the source can raise has an entry with a name and
// meanings: no code without an explanation.
func TestBugChecksAreExplained(t *testing.T) {
	scan := bugCheckScan{t: t, used: map[string]bool{}}
	for _, dir := range []string{"internal", "wdf", "device"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
				scan.file(filepath.ToSlash(path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if scan.found < 40 {
		t.Errorf("only %d bug checks were found in the source: the scan does not work", scan.found)
	}
	for place, cases := range computed {
		if !scan.used[place] {
			t.Errorf("the list has %s, but no code is computed there", place)
		}
		for _, c := range cases {
			scan.explained(place, c)
		}
	}
}

type bugCheckScan struct {
	t     *testing.T
	found int
	used  map[string]bool // of computed
}

func (s *bugCheckScan) file(path string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		place := path + " " + fn.Name.Name
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "BugCheck" && len(n.Args) == 4 {
					s.raised(place, n.Args[0], n.Args[1])
				}
			case *ast.CompositeLit:
				if code, params := findingFields(n); code != nil {
					s.raised(place, code, params)
				}
			}
			return true
		})
	}
}

// findingFields returns the code and the parameters in a literal of Finding.
func findingFields(lit *ast.CompositeLit) (code, params ast.Expr) {
	if !strings.HasSuffix(fmt.Sprint(lit.Type), "Finding") && !isKernelFinding(lit.Type) {
		return nil, nil
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			switch fmt.Sprint(kv.Key) {
			case "Code":
				code = kv.Value
			case "Params":
				params = kv.Value
			}
		}
	}
	return code, params
}

func isKernelFinding(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Finding" && fmt.Sprint(sel.X) == "kernel"
}

// raised checks a place that raises a bug check.
func (s *bugCheckScan) raised(place string, code, params ast.Expr) {
	s.found++
	c, ok := literal(code)
	var p1 uint64
	if ok && hasCases(uint32(c)) {
		p1, ok = firstOf(params)
	}
	switch {
	case ok:
		s.explained(place, bugCheckCase{uint32(c), p1})
	case computed[place] != nil:
		s.used[place] = true
	case !passedOn[place]:
		s.t.Errorf("%s: the code or its first parameter is computed: add what it can be to the list computed in this test", place)
	}
}

func firstOf(params ast.Expr) (uint64, bool) {
	lit, ok := params.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 {
		return 0, ok
	}
	return literal(lit.Elts[0])
}

func literal(e ast.Expr) (uint64, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(lit.Value, 0, 64)
	return v, err == nil
}

// explained checks that a case has a name, and a meaning for what the first
// parameter tells.
func (s *bugCheckScan) explained(place string, c bugCheckCase) {
	known, ok := ddi.BugCheckOf(c.code, c.p1)
	switch {
	case !ok || known.Name == "":
		s.t.Errorf("%s: bug check 0x%X, parameter 0x%X has no row in internal/ddi/data/bugchecks.csv", place, c.code, c.p1)
	case hasCases(c.code) && known.Args[0].Meaning == "":
		s.t.Errorf("%s: bug check 0x%X does not say what parameter 0x%X means", place, c.code, c.p1)
	}
}

// The parameters of a bug check are explained for the case at hand; code in Go
// has no address.
func TestArguments(t *testing.T) {
	const wild = 0xFFFFF800_7FFFF000
	s := edu.Scenario()
	s.Driver.Entry = func(s *wdf.Sys) wdf.NTSTATUS {
		s.KeRaiseIrql(wdf.DispatchLevel)
		s.Store(wild, 4, 1)
		return wdf.StatusSuccess
	}
	r, err := s.Run(dirql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []dirql.Argument{
		{Value: wild, Meaning: "memory referenced"},
		{Value: 2, Meaning: "IRQL", Text: "DISPATCH_LEVEL"},
		{Value: 1, Meaning: "access", Text: "write"},
		{Value: 0, Meaning: "instruction that made the access", Text: "no address: a routine of the kernel, or a driver in Go"},
	}
	if len(r.Findings) != 1 || !slices.Equal(r.Findings[0].Arguments, want) {
		t.Errorf("got %+v", r.Findings)
	}
}
