package tidy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Section is a section of docs/spec/interrupts.md.
type Section struct {
	Title   string // with its number
	Clauses []Clause
}

// Clause is a clause of the specification.
type Clause struct {
	ID     string
	Tested bool   // the id stands in the name of a test or in a table of tests
	As     string // clause whose tests are those of this one, "" for its own id
	Reason string // why no test names it
}

// testedAs are clauses whose tests have the name of another one: a contradiction is
// settled where the rule is.
var testedAs = map[string]string{
	"CON-1": "QD-6", "CON-2": "ILK-2", "CON-3": "WDFI-12", "CON-4": "WDFI-32", "CON-5": "QW-4", "CON-6": "QW-3", "CON-7": "DPC-25",
	"CON-8": "IOQ-9", "CON-9": "DPC-8", "CON-10": "DPC-9", "CON-11": "WDFI-29", "CON-12": "ILK-7", "CON-14": "IRQL-15",
	"CON-15": "IRQL-12", "CON-16": "SER-1", "CON-17": "WDFI-10", "CON-18": "IOQ-8", "CON-19": "PWR-7", "CON-20": "PWR-7",
}

// untestable are clauses that say nothing that a test of this program could see.
var untestable = map[string]string{
	"INT-24":  "advice about durations; the hard limits are WD-1 and WD-2",
	"WDFI-14": "memory does not run out: Driver Verifier's low resources simulation is off in every profile (VER-6)",
	"VER-2":   "every driver is checked as one of the newest version",
	"CON-13":  "the name of an enumerator",
}

// outOfScope are groups of clauses that dirql does not simulate.
var outOfScope = map[string]string{"UM": "UMDF drivers run in user mode; dirql runs kernel drivers"}

// Coverage returns the sections of the specification below root with what tests say
// of each clause.
func Coverage(root string) ([]Section, error) {
	text, err := os.ReadFile(filepath.Join(root, "docs/spec/interrupts.md"))
	if err != nil {
		return nil, err
	}
	names, err := testNames(root)
	if err != nil {
		return nil, err
	}
	var sections []Section
	for _, m := range regexp.MustCompile(`(?m)^## (\d+\. .*)$|^\*\*([A-Z]+-\d+)[ *]`).FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			sections = append(sections, Section{Title: m[1]})
			continue
		}
		if len(sections) == 0 {
			return nil, fmt.Errorf("clause %s stands before the first section", m[2])
		}
		s := &sections[len(sections)-1]
		s.Clauses = append(s.Clauses, coverageOf(m[2], names))
	}
	return slices.DeleteFunc(sections, func(s Section) bool { return len(s.Clauses) == 0 }), nil
}

func coverageOf(id, names string) Clause {
	group, _, _ := strings.Cut(id, "-")
	c := Clause{ID: id, As: testedAs[id], Reason: untestable[id]}
	if c.Reason == "" {
		c.Reason = outOfScope[group]
	}
	tests := id
	if c.As != "" {
		tests = c.As
	}
	c.Tested = isNamed(tests, names)
	return c
}

// isNamed reports whether a clause stands in the names of tests: QD-3, or QD3 in
// the name of a function.
func isNamed(id, names string) bool {
	group, number, _ := strings.Cut(id, "-")
	return regexp.MustCompile(`(^|[^A-Z])`+group+`-?`+number+`(\D|$)`).MatchString(names) ||
		regexp.MustCompile(`[a-z0-9]`+group+number+`(\D|$)`).MatchString(names)
}

// testNames returns the names of all tests, the strings in test files that look
// like names of subtests with a clause, and the clauses of litmus tests.
func testNames(root string) (string, error) {
	var names strings.Builder
	pattern := regexp.MustCompile(`func (Test\w+)|"[^"\n]*\b[A-Z]{2,4}-\d+[^"\n]*"|(?m)^clauses .*$`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		tests := strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "clauses_test.go") || strings.HasSuffix(path, ".litmus")
		if err != nil || d.IsDir() || !tests {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range pattern.FindAllString(string(text), -1) {
			names.WriteString(m + "\n")
		}
		return err
	})
	return names.String(), err
}
