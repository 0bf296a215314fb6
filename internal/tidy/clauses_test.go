package tidy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestClausesHaveTests checks that every clause of the specification stands in the
// name of a test or in a table of tests, or that a table says why it does not: a
// clause without one is a promise that nobody keeps. The litmus tests are subtests
// with the names of their clauses.
func TestClausesHaveTests(t *testing.T) {
	sections, err := Coverage("../..")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range sections {
		for _, c := range s.Clauses {
			known[c.ID] = true
			switch {
			case c.Tested && c.Reason != "":
				t.Errorf("clause %s is said to have no test (%s), but one names it", c.ID, c.Reason)
			case c.Tested, c.Reason != "":
			case c.As != "":
				t.Errorf("clause %s is said to be tested as %s, which has no test", c.ID, c.As)
			default:
				t.Errorf("no test is named after clause %s: add one, its name contains the id, with or without the hyphen", c.ID)
			}
		}
	}
	if len(sections) < 15 || len(known) < 220 {
		t.Fatalf("the specification has only %d sections with %d clauses", len(sections), len(known))
	}
	for clause := range testedAs {
		if !known[clause] || untestable[clause] != "" {
			t.Errorf("testedAs: there is no clause %s, or it is in untestable", clause)
		}
	}
	for clause := range untestable {
		if !known[clause] {
			t.Errorf("untestable: there is no clause %s", clause)
		}
	}
	for _, clause := range litmusClauses(t) {
		if !known[clause] {
			t.Errorf("docs/spec/litmus.md names clause %s, which does not exist", clause)
		}
	}
}

// litmusClauses returns the clause ids that the catalogue names.
func litmusClauses(t *testing.T) (ids []string) {
	text, err := os.ReadFile("../../docs/spec/litmus.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^Clauses: .*$`).FindAllString(string(text), -1) {
		ids = append(ids, regexp.MustCompile(`[A-Z]+-\d+`).FindAllString(line, -1)...)
	}
	if len(ids) < 100 {
		t.Fatalf("the catalogue names only %d clauses", len(ids))
	}
	return ids
}

// TestDecisionsAreExplained checks that section 16 of the specification has a row for
// each clause with the status [T].
func TestDecisionsAreExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/interrupts.md")
	if err != nil {
		t.Fatal(err)
	}
	clauses, decisions, found := strings.Cut(string(text), "\n## 16. ")
	if !found {
		t.Fatal("the specification has no section 16")
	}
	decided := map[string]bool{}
	for _, part := range regexp.MustCompile(`(?m)^\*\*[A-Z]+-\d+`).FindAllStringIndex(clauses, -1) {
		id, rest := clauses[part[0]+2:part[1]], clauses[part[1]:]
		if end := regexp.MustCompile(`(?m)^(\*\*[A-Z]+-\d+|## )`).FindStringIndex(rest); end != nil {
			rest = rest[:end[0]]
		}
		if decided[id] = strings.Contains(rest, "[T]"); decided[id] && !regexp.MustCompile(`(?m)^\| (.*, )?`+id+`[ ,]`).MatchString(decisions) {
			t.Errorf("clause %s is decided by the tool [T], and section 16 does not say why", id)
		}
	}
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z]+-\d+(?:, [A-Z]+-\d+)*) \|`).FindAllStringSubmatch(decisions, -1) {
		for id := range strings.SplitSeq(row[1], ", ") {
			if !decided[id] {
				t.Errorf("section 16 explains %s, which has no [T]", id)
			}
		}
	}
}

// A clause is found under its id only: not under that of a longer number or group.
func TestIsNamed(t *testing.T) {
	for _, c := range []struct {
		id, names string
		want      bool
	}{
		{"QD-3", `"QD-3 the forum question"`, true},
		{"QD-3", "TestQD3Forum", true},
		{"QD-3", "TestQD34", false},
		{"INT-2", "WDFINT-2", false},
		{"INT-2", "TestDirqlINT2", true},
	} {
		if got := isNamed(c.id, c.names); got != c.want {
			t.Errorf("%s in %q: %v", c.id, c.names, got)
		}
	}
}
