package tidy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// says is what a clause says that no test can see.
var says = map[string]string{
	"INT-24": "advice about durations; the hard limits are WD-1 and WD-2",
}

// TestClausesHaveTests checks that every clause about the kernel (IRQL, INT, DPC,
// WD), and every clause that the litmus catalogue names, stands in the name of a
// test, or in a table of tests: a clause without one is a promise that nobody
// keeps. The litmus tests themselves are subtests with the names of their clauses.
func TestClausesHaveTests(t *testing.T) {
	names := testNames(t, "../..")
	clauses := append(kernelClauses(t, "../../docs/spec/interrupts.md"), litmusClauses(t, "../../docs/spec/litmus.md")...)
	for _, clause := range clauses {
		if says[clause] != "" {
			continue
		}
		group, number, _ := strings.Cut(clause, "-")
		if !regexp.MustCompile(group + `-?` + number + `(\D|$)`).MatchString(names) {
			t.Errorf("no test is named after clause %s: add one, its name contains %s%s or, in a table, %s", clause, group, number, clause)
		}
	}
}

// kernelClauses returns the ids of the clauses about the kernel.
func kernelClauses(t *testing.T, file string) (ids []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\*\*((?:IRQL|INT|DPC|WD)-\d+) `).FindAllStringSubmatch(string(text), -1) {
		ids = append(ids, m[1])
	}
	if len(ids) < 70 {
		t.Fatalf("%s has only %d clauses about the kernel", file, len(ids))
	}
	return ids
}

// litmusClauses returns the clause ids that the catalogue names.
func litmusClauses(t *testing.T, file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, line := range regexp.MustCompile(`(?m)^Clauses: .*$`).FindAllString(string(text), -1) {
		ids = append(ids, regexp.MustCompile(`[A-Z]+-\d+`).FindAllString(line, -1)...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// testNames returns the names of all tests, the strings in test files that look
// like names of subtests with a clause, and the clauses of litmus tests.
func testNames(t *testing.T, root string) string {
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
	if err != nil {
		t.Fatal(err)
	}
	return names.String()
}
