package tidy

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Limits of the length of a file, in lines. Files whose name starts with zz_
// are generated or tables and exempt.
const (
	maxCodeLines = 900
	maxTestLines = 1200
)

// checkLength finds files that are too long to read at once.
func checkLength(m *module) []string {
	var complaints []string
	m.files(func(_ *goPackage, f *goFile) {
		limit := maxCodeLines
		if f.test {
			limit = maxTestLines
		}
		if f.lines > limit && !strings.HasPrefix(path.Base(f.path), "zz_") {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, more than %d: split it by concern (generated files start with zz_)",
				f.path, f.lines, limit))
		}
	})
	return complaints
}

// emptyNames are package names that say nothing.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers"}

// checkNames finds packages named after nothing.
func checkNames(m *module) []string {
	var complaints []string
	for _, p := range m.packages {
		for _, name := range []string{p.files[0].ast.Name.Name, path.Base(p.path)} {
			if slices.Contains(emptyNames, strings.TrimSuffix(name, "_test")) {
				complaints = append(complaints, fmt.Sprintf("%s: %q is no name for a package: name it after what it provides, "+
					"or move the code to where it is used", p.path, name))
				break
			}
		}
	}
	return complaints
}

// checkComments finds packages without a package comment.
func checkComments(m *module) []string {
	var complaints []string
	for _, p := range m.packages {
		if !slices.ContainsFunc(p.files, func(f *goFile) bool { return f.ast.Doc != nil }) {
			complaints = append(complaints, fmt.Sprintf("%s has no package comment: say in one of its files (doc.go) what it is, what to "+
				"read first, and the rules that hold inside", p.path))
		}
	}
	return complaints
}

// checkSpecPaths finds file names in docs/spec that do not exist: names in
// back quotes that start with a folder of the project.
func checkSpecPaths(m *module) []string {
	files, err := fs.Glob(m.fsys, "docs/spec/*.md")
	if err != nil {
		return []string{err.Error()}
	}
	quoted := regexp.MustCompile("`((?:internal|docs|cmd|drivers|wdf|device|data)/[\\w./-]+\\.\\w+)`")
	var complaints []string
	for _, name := range files {
		text, err := fs.ReadFile(m.fsys, name)
		if err != nil {
			complaints = append(complaints, err.Error())
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, match := range quoted.FindAllStringSubmatch(line, -1) {
				if _, err := fs.Stat(m.fsys, match[1]); err != nil {
					complaints = append(complaints, fmt.Sprintf("%s:%d: no file %s: paths are relative to the root of the project", name, i+1, match[1]))
				}
			}
		}
	}
	return complaints
}
