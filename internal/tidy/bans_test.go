package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// importBan forbids an import, except in some packages.
type importBan struct {
	path   string
	except []string
	reason string
}

var importBans = []importBan{
	{"math/rand", nil, "its sequence is not the project's to keep; ask the choice source (internal/choice), so that the run can be replayed"},
	{"math/rand/v2", []string{"internal/choice"}, "everything that could go either way is asked of the choice source (internal/choice), or the run cannot be replayed"},
	{"C", nil, "dirql is one static binary that cross-compiles with CGO_ENABLED=0; write it in Go"},
}

// checkImportBans finds imports that are banned.
func checkImportBans(m *module) []string {
	var complaints []string
	m.files(func(p *goPackage, f *goFile) {
		for _, spec := range f.ast.Imports {
			for _, ban := range importBans {
				if importPath(spec) == ban.path && !matchesAny(ban.except, p.path) {
					complaints = append(complaints, m.at(spec.Pos(), "import %q is banned: %s", ban.path, ban.reason))
				}
			}
		}
	})
	return complaints
}

// wallClock are the functions of package time that read or wait for the clock
// of the host.
var wallClock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// checkWallClock finds uses of the host's clock outside cmd/ and tests.
func checkWallClock(m *module) []string {
	var complaints []string
	m.files(func(p *goPackage, f *goFile) {
		if f.test || matches("cmd/...", p.path) {
			return
		}
		local, spec := importName(f.ast, "time")
		if local == "." {
			complaints = append(complaints, m.at(spec.Pos(), "import . %q is banned: the check for the wall clock cannot see through it", "time"))
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if name, ok := selected(n, local); ok && slices.Contains(wallClock, name) {
				complaints = append(complaints, m.at(n.Pos(), "time.%s is banned outside cmd/ and tests: a run has virtual time only, "+
					"or it cannot be replayed; a limit on real time is passed in from cmd/ as a context", name))
			}
			return true
		})
	})
	return complaints
}

// importName returns the name by which a file knows a package whose last path
// element is its name; "" if it does not import it.
func importName(f *ast.File, pkg string) (string, *ast.ImportSpec) {
	for _, spec := range f.Imports {
		if importPath(spec) != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, spec
		}
		return path.Base(pkg), spec
	}
	return "", nil
}

// selected returns Name if n is the expression local.Name.
func selected(n ast.Node, local string) (string, bool) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	x, ok := sel.X.(*ast.Ident)
	return sel.Sel.Name, ok && x.Name == local
}

// checkPanics finds panics with a text that does not say whose fault it is.
func checkPanics(m *module) []string {
	var complaints []string
	m.files(func(_ *goPackage, f *goFile) {
		if f.test {
			return
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if fun, ok := call.Fun.(*ast.Ident); !ok || fun.Name != "panic" {
				return true
			}
			if text, ok := leadingText(call.Args[0]); ok && !strings.HasPrefix(text, "BUG:") {
				complaints = append(complaints, m.at(n.Pos(), "panic(%q...) does not start with \"BUG:\": a panic is for our own "+
					"mistakes; a user's mistake is an error, a driver's is a finding", text))
			}
			return true
		})
	})
	return complaints
}

// leadingText returns the literal that a message starts with, also if more is
// added to it or if it is a format. A format that starts with a verb (a panic
// that is passed on with a stack, say) does not start with a literal.
func leadingText(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.ParenExpr:
		return leadingText(e.X)
	case *ast.BinaryExpr:
		return leadingText(e.X)
	case *ast.CallExpr:
		for _, f := range [][2]string{{"fmt", "Sprintf"}, {"fmt", "Sprint"}, {"fmt", "Errorf"}, {"errors", "New"}} {
			if name, ok := selected(e.Fun, f[0]); ok && name == f[1] && len(e.Args) > 0 {
				text, ok := leadingText(e.Args[0])
				return text, ok && !strings.HasPrefix(text, "%")
			}
		}
	}
	return "", false
}
