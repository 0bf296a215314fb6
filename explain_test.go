package dirql_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/explain"
)

// rulesOfTests are rules that findings about a test have, not about a driver.
var rulesOfTests = map[string]bool{"unsupported": true, "the test has failed": true}

// Every rule that the source can report has a topic of its own, so that a
// finding can name it.
func TestRulesAreExplained(t *testing.T) {
	found := 0
	for _, dir := range []string{".", "internal", "wdf", "device"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && dir == "." && path != ".":
				return fs.SkipDir
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			for _, rule := range rulesIn(t, path) {
				found++
				if !rulesOfTests[rule] && explain.Topic(0, 0, rule, "") == "" {
					t.Errorf("%s: nothing is written about the rule %q: add its name or a text to internal/explain/topics/rules.md", path, rule)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 80 {
		t.Errorf("only %d rules were found in the source: the scan does not work", found)
	}
}

// rulesIn returns the rules that a file names: in literals of findings, as the
// first argument of a verifier break, and in variables and constants called rule.
func rulesIn(t *testing.T, path string) (rules []string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
				rules = append(rules, s)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if code, _ := findingFields(n); code != nil || isFinding(n) {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == "Rule" {
						add(kv.Value)
					}
				}
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 1 {
				switch sel.Sel.Name {
				case "verifierBreak":
					add(n.Args[0])
				case "requestGone", "verifyNotMarked":
					add(n.Args[1])
				}
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && id.Name == "rule" && i < len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "rule") && len(n.Values) == 1 {
				add(n.Values[0])
			}
		}
		return true
	})
	return rules
}

func isFinding(lit *ast.CompositeLit) bool {
	return isKernelFinding(lit.Type) || fmt.Sprint(lit.Type) == "Finding"
}
