package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// modulePath is the import path of the root package.
const modulePath = "github.com/dirql/dirql"

// module is the source of a module: all Go files outside testdata, vendor,
// hidden folders and nested modules.
type module struct {
	fsys     fs.FS
	fset     *token.FileSet
	packages []*goPackage // by path
	unparsed []string     // complaints about files that could not be parsed
}

// goPackage is one folder with Go files; its external tests belong to it.
type goPackage struct {
	path  string // relative to the module, "." for the root package
	files []*goFile
}

type goFile struct {
	path  string // slash-separated, relative to the module
	ast   *ast.File
	lines int
	test  bool // *_test.go
}

// load reads a module. Only a file system that cannot be read is an error: a
// file that cannot be parsed is a complaint.
func load(fsys fs.FS) (*module, error) {
	m := &module{fsys: fsys, fset: token.NewFileSet()}
	byPath := make(map[string]*goPackage)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if skipFolder(fsys, name) {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go" || strings.HasPrefix(path.Base(name), "."):
			return nil
		}
		f, err := m.parse(name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		p := byPath[dir]
		if p == nil {
			p = &goPackage{path: dir}
			byPath[dir] = p
			m.packages = append(m.packages, p)
		}
		p.files = append(p.files, f)
		return nil
	})
	slices.SortFunc(m.packages, func(a, b *goPackage) int { return strings.Compare(a.path, b.path) })
	return m, err
}

// skipFolder tells whether a folder is none of the project's Go code.
func skipFolder(fsys fs.FS, name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func (m *module) parse(name string) (*goFile, error) {
	src, err := fs.ReadFile(m.fsys, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(m.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		m.unparsed = append(m.unparsed, fmt.Sprintf("%v: the file does not parse", err))
	}
	return &goFile{
		path:  name,
		ast:   f,
		lines: bytes.Count(src, []byte("\n")),
		test:  strings.HasSuffix(name, "_test.go"),
	}, nil
}

// find returns the package of a path, nil if the module has none.
func (m *module) find(path string) *goPackage {
	for _, p := range m.packages {
		if p.path == path {
			return p
		}
	}
	return nil
}

// files calls visit for every file.
func (m *module) files(visit func(*goPackage, *goFile)) {
	for _, p := range m.packages {
		for _, f := range p.files {
			visit(p, f)
		}
	}
}

// at formats a complaint about a place in a file.
func (m *module) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%v: %s", m.fset.Position(pos), fmt.Sprintf(format, args...))
}

// importPath returns the path of an import; "" if it is not a string.
func importPath(spec *ast.ImportSpec) string {
	s, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return ""
	}
	return s
}

// projectPath translates an import path into a path relative to the module.
func projectPath(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// matches tells whether a package path is the one of a pattern; "x/..." is x
// and everything below.
func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pattern == pkg
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}
