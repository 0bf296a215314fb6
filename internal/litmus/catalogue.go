package litmus

import (
	"embed"
	"fmt"
	"path"
)

// files holds the catalogue, one file per group.
//
//go:embed catalogue/*.litmus
var files embed.FS

// Catalogue returns the tests of the catalogue, group by group.
func Catalogue() ([]*Test, error) {
	entries, err := files.ReadDir("catalogue")
	if err != nil {
		return nil, err
	}
	var all []*Test
	for _, e := range entries { // sorted by name
		name := path.Join("catalogue", e.Name())
		src, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		tests, err := Parse(name, src)
		if err != nil {
			return nil, err
		}
		all = append(all, tests...)
	}
	return all, checkUnique(all)
}

// checkUnique checks that ids are unique over all files.
func checkUnique(all []*Test) error {
	for i, t := range all {
		for _, other := range all[:i] {
			if other.ID == t.ID {
				hint := fmt.Sprintf("rename it, or the one in %s:%d", other.File, other.Line)
				return &Error{File: t.File, Line: t.Line, What: "there is another test " + t.ID, Hint: hint}
			}
		}
	}
	return nil
}
