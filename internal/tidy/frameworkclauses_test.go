package tidy

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// frameworkGroups are the groups of clauses about the framework: sections 4 to 12, 14
// and 15 of docs/spec/interrupts.md, and the power watchdog.
var frameworkGroups = []string{"WDFI", "WAKE", "QD", "QW", "SER", "PLI", "ILK", "OBJ", "IOQ", "PWR", "VER", "CON"}

// testedAs are clauses whose tests have the name of another one: a contradiction is
// settled where the rule is.
var testedAs = map[string]string{
	"CON-1": "QD-6", "CON-2": "ILK-2", "CON-3": "WDFI-12", "CON-4": "WDFI-32", "CON-5": "QW-4", "CON-6": "QW-3", "CON-7": "DPC-25",
	"CON-8": "IOQ-9", "CON-9": "DPC-8", "CON-10": "DPC-9", "CON-11": "WDFI-29", "CON-12": "ILK-7", "CON-14": "IRQL-15",
	"CON-15": "IRQL-12", "CON-16": "SER-1", "CON-17": "WDFI-10", "CON-18": "IOQ-8", "CON-19": "PWR-7", "CON-20": "PWR-7",
	"VER-4": "SER-9", // and SER-6, SER-8, OBJ-15; the yields around locks are left out: searches try every switch
}

// untestable are clauses that say nothing that a test of this program could see.
var untestable = map[string]string{
	"WDFI-14": "memory does not run out: Driver Verifier's low resources simulation is off in every profile (VER-6)",
	"VER-2":   "every driver is checked as one of the newest version",
	"CON-13":  "the name of an enumerator",
}

// TestFrameworkClausesHaveTests checks that every clause about the framework stands in
// the name of a test or in a table of tests, or in one of the tables above.
func TestFrameworkClausesHaveTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/interrupts.md")
	if err != nil {
		t.Fatal(err)
	}
	names := testNames(t, "../..")
	tested := func(clause string) bool {
		group, number, _ := strings.Cut(clause, "-")
		return regexp.MustCompile(`(^|[^A-Z])`+group+`-?`+number+`(\D|$)`).MatchString(names) ||
			regexp.MustCompile(`[a-z0-9]`+group+number+`(\D|$)`).MatchString(names)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\*\*([A-Z]+)-(\d+)[ *]`).FindAllStringSubmatch(string(text), -1) {
		clause := m[1] + "-" + m[2]
		known[clause] = true
		switch {
		case !slices.Contains(frameworkGroups, m[1]), untestable[clause] != "":
		case testedAs[clause] != "":
			if !tested(testedAs[clause]) {
				t.Errorf("clause %s is said to be tested as %s, which has no test", clause, testedAs[clause])
			}
		case !tested(clause):
			t.Errorf("no test is named after clause %s: add one, its name contains %s%s or, in a table, %s", clause, m[1], m[2], clause)
		}
	}
	if len(known) < 150 {
		t.Fatalf("the specification has only %d clauses", len(known))
	}
	for clause := range testedAs {
		if !known[clause] {
			t.Errorf("there is no clause %s", clause)
		}
	}
	for clause := range untestable {
		if !known[clause] || tested(clause) {
			t.Errorf("clause %s is unknown, or it has a test", clause)
		}
	}
}
