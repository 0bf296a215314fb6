package tidy

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"slices"
	"sync"
)

// orderedPackages are the packages whose code runs inside a simulation: there,
// the order of a map would change the run.
var orderedPackages = []string{"internal/kernel", "internal/choice", "wdf", "device", "internal/pci"}

const orderAdvice = "the order of a map differs from run to run, and equal choices must give equal bytes; " +
	"keep the state in a slice, or go over slices.Sorted(maps.Keys(m))"

// checkMapOrder finds code whose result can depend on the order of a map:
// range over a map, and maps.Keys, maps.Values, maps.All that are not sorted at
// once. It needs types; packages with errors are checked as far as they go.
func checkMapOrder(m *module) []string {
	c := &typeChecker{module: m, done: make(map[string]*types.Package)}
	var complaints []string
	for _, name := range orderedPackages {
		p := m.find(name)
		if p == nil {
			continue
		}
		info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object)}
		c.check(p, info)
		for _, f := range p.files {
			if !f.test {
				complaints = append(complaints, unordered(m, f, info)...)
			}
		}
	}
	return complaints
}

// unordered finds the places in one file.
func unordered(m *module, f *goFile, info *types.Info) []string {
	var complaints []string
	sorted := make(map[ast.Expr]bool) // arguments of slices.Sorted and its like
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if t := info.TypeOf(n.X); t != nil && isMap(t) {
				complaints = append(complaints, m.at(n.Pos(), "range over a map: %s", orderAdvice))
			}
		case *ast.CallExpr:
			if len(n.Args) > 0 && calls(info, n, "slices", "Sorted", "SortedFunc", "SortedStableFunc") {
				sorted[n.Args[0]] = true
			}
			if calls(info, n, "maps", "Keys", "Values", "All") && !sorted[n] {
				complaints = append(complaints, m.at(n.Pos(), "iterator over a map that is not sorted at once: %s", orderAdvice))
			}
		}
		return true
	})
	return complaints
}

// isMap tells whether t is a map, or a type parameter that can be one.
func isMap(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface:
		for e := range u.EmbeddedTypes() {
			if isMap(e) {
				return true
			}
		}
	case *types.Union:
		for term := range u.Terms() {
			if isMap(term.Type()) {
				return true
			}
		}
	}
	return false
}

// calls tells whether a call is one of the functions of a standard package,
// with or without type arguments.
func calls(info *types.Info, call *ast.CallExpr, pkg string, names ...string) bool {
	fun := call.Fun
	switch f := fun.(type) {
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := info.Uses[sel.Sel].(*types.Func)
	return ok && f.Pkg() != nil && f.Pkg().Path() == pkg && slices.Contains(names, f.Name())
}

// typeChecker computes the types of the module's packages from source. It goes
// on after errors: finding those is the compiler's task.
type typeChecker struct {
	module *module
	done   map[string]*types.Package // by path relative to the module
}

// check type-checks the code of p without its tests.
func (c *typeChecker) check(p *goPackage, info *types.Info) *types.Package {
	var files []*ast.File
	for _, f := range p.files {
		if !f.test {
			files = append(files, f.ast)
		}
	}
	config := types.Config{Importer: c, Error: func(error) {}}
	checked, _ := config.Check(modulePath+"/"+p.path, c.module.fset, files, info)
	return checked
}

// Import implements types.Importer: packages of the module from its files,
// those of the standard library from GOROOT, and nothing else.
func (c *typeChecker) Import(importPath string) (*types.Package, error) {
	target, ours := projectPath(importPath)
	if !ours {
		if isForeign(importPath) {
			return nil, errors.New("the types of other modules are not looked up")
		}
		return standardLibrary().Import(importPath)
	}
	if p, ok := c.done[target]; ok {
		if p == nil {
			return nil, errors.New("import cycle")
		}
		return p, nil
	}
	p := c.module.find(target)
	if p == nil {
		return nil, errors.New("no such package")
	}
	c.done[target] = nil
	c.done[target] = c.check(p, nil)
	return c.done[target], nil
}

// standardLibrary reads the types of the standard library once, from source: it
// needs neither compiled packages nor the go command.
var standardLibrary = sync.OnceValue(func() types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "source", nil)
})
