package explain

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/ddi"
)

// maxLines and maxColumns bound what a topic prints: half a page that fits a
// terminal.
const (
	maxLines   = 45
	maxColumns = 105
)

// Every name leads to a text, and to one only; no text is too long.
func TestTopics(t *testing.T) {
	seen := map[string]bool{}
	for _, topic := range topics() {
		if topic.summary == "" || topic.body == "" {
			t.Errorf("%q has no text", topic.names)
		}
		for _, name := range topic.names {
			if seen[key(name)] {
				t.Errorf("two topics are called %q", name)
			}
			seen[key(name)] = true
			if _, err := Find([]string{name}); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, topic := range topics() {
		if topic.group == "general" && !strings.Contains(topic.body, "\n    dirql ") {
			t.Errorf("%s shows no command", topic.names[0])
		}
	}
	for _, name := range Names() {
		text, err := Find(strings.Fields(name))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > maxLines {
			t.Errorf("%s has %d lines, more than %d", name, len(lines), maxLines)
		}
		for _, line := range lines {
			if len(line) > maxColumns || strings.HasSuffix(line, " ") || strings.Contains(line, "\t") {
				t.Errorf("%s: too long, or blanks at its end: %q", name, line)
			}
		}
	}
}

// Every row of the table of bug checks has a text, and no text is about cases
// that the table does not have.
func TestBugChecksHaveTexts(t *testing.T) {
	for _, code := range ddi.BugCheckCodes() {
		for _, c := range ddi.BugCheckCases(code) {
			if about(code, c.P1) == nil {
				t.Errorf("nothing is written about bug check 0x%X, case 0x%X", code, c.P1)
			}
		}
		if about(code, wholeCode) == nil {
			t.Errorf("nothing is written about bug check 0x%X as a whole", code)
		}
	}
	for _, topic := range topics() {
		for _, c := range topic.checks {
			found := slices.ContainsFunc(ddi.BugCheckCases(c.code), func(r ddi.BugCheckCase) bool {
				return c.all || !r.Any && c.has(c.code, r.P1)
			})
			if !found {
				t.Errorf("%q is about 0x%X, 0x%X, which the table does not have", topic.names, c.code, c.first)
			}
		}
	}
}

// Every clause and litmus test that a text names exists.
func TestCitedClausesExist(t *testing.T) {
	defined := map[string]bool{}
	for file, pattern := range map[string]string{
		"interrupts.md": `(?m)^\*\*([A-Z]+-\d+)\b`, "litmus.md": `(?m)^### (L-\d+)\b`,
	} {
		text, err := os.ReadFile("../../docs/spec/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			defined[m[1]] = true
		}
	}
	cited := 0
	for _, topic := range topics() {
		for _, id := range regexp.MustCompile(`\b[A-Z]{1,4}-\d+\b`).FindAllString(topic.body, -1) {
			cited++
			if !defined[id] {
				t.Errorf("%s: docs/spec does not have %s", topic.names[0], id)
			}
		}
	}
	if len(defined) < 200 || cited < 200 {
		t.Errorf("%d ids are defined and %d cited: the test does not find them", len(defined), cited)
	}
}

// The rules that the tables name have texts.
func TestRulesHaveTexts(t *testing.T) {
	for _, code := range ddi.BugCheckCodes() {
		for _, c := range ddi.BugCheckCases(code) {
			if c.Rule != "" && named(c.Rule) == nil {
				t.Errorf("nothing is written about the rule %s of bug check 0x%X", c.Rule, code)
			}
		}
	}
	text, err := os.ReadFile("../../docs/spec/bugchecks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rules, _ := strings.Cut(string(text), "\n## 8.")
	rules, _, _ = strings.Cut(rules, "\n## 10.")
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Za-z]\w+).* \|`).FindAllStringSubmatch(rules, -1) {
		if name := row[1]; name != "Rule" && name != "DriverCreate" && named(name) == nil {
			t.Errorf("nothing is written about the rule %s of docs/spec/bugchecks.md", name)
		}
	}
}

func TestTopic(t *testing.T) {
	for _, c := range []struct {
		code         uint32
		p1           uint64
		rule, clause string
		want         string
	}{
		{0, 0, "lost work", "DPC-29", "lost work"},
		{0, 0, "lost event", "QD-5", "lost event"},
		{0, 0, "lost wakeup", "INT-6", "lost wakeup"},
		{0xD1, 0xFFFF, "", "IRQL-10", "D1"},
		{0xC4, 0x121, "", "IRQL-9", "C4 121"},
		{0xC4, 0x80, "IrqlKeSetEvent", "IRQL-12", "C4 80"},
		{0xC4, 0xE5, "IrqlZwPassive", "IRQL-12", "routine-levels"},
		{0x10D, 5, "DoubleCompletion", "IOQ-6", "DoubleCompletion"},
		{0x10D, 5, "", "OBJ-18", "10D 5"},
		{0xC8, 0x50803, "", "IRQL-8", "C8 3"},
		{0x7F, 6, "", "", "7F"},
		{0xD5, 0x1000, "use after free", "VER-7", "D5"},
		{0xCC, 0x1000, "use after free", "VER-7", "CC"},
		{0, 0, "use after free", "VER-7", "D5"},
		{0x7F, 8, "kernel stack", "", "7F 8"},
		{0, 0, "data race", "IRQL-14", "races"},
		{0, 0, "a rule of which nobody has written", "IOQ-3", "requests"},
		{0, 0, "", "", ""},
		{0xDEAD, 0, "", "", ""},
	} {
		if got := Topic(c.code, c.p1, c.rule, c.clause); got != c.want {
			t.Errorf("0x%X, 0x%X, rule %q, clause %q: %q, want %q", c.code, c.p1, c.rule, c.clause, got, c.want)
		} else if _, err := Find(strings.Fields(got)); got != "" && err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
	for group, topic := range groupTopics {
		if named(topic) == nil {
			t.Errorf("there is no topic %q, for the clauses %s", topic, group)
		}
	}
}

func TestFindParameters(t *testing.T) {
	for asked, want := range map[string]string{
		"0xC4/0x121":                    "a wait at DISPATCH_LEVEL with a timeout of NULL",
		"c4 (121, 2)":                   "Arg2: 2, IRQL: DISPATCH_LEVEL",
		"DRIVER_IRQL_NOT_LESS_OR_EQUAL": "bug check 0xD1",
		"WDF_VIOLATION 5":               "WDF_INVALID_HANDLE",
		"WDF_INVALID_HANDLE":            "stale or of another type",
		"d1 0 2 8":                      "access: execute",
		"C8 20503":                      "a service routine returned",
		"1E C0000005":                   "STATUS_ACCESS_VIOLATION",
		"data race":                     "IRQL-14",
		"0xfffffffff":                   "",
		"C4 121 2 3 4 5":                "",
		"C4 DEAD":                       "",
		"":                              "",
		strings.Repeat("x", 1<<20):      "",
	} {
		text, err := Find(strings.Fields(asked))
		if (err == nil) != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%.30q: error %v, text %.200q, want %q", asked, err, text, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for asked, want := range map[string]string{
		"dcp": "dpc", "DubleCompletion": "DoubleCompletion", "KmdfIrq": "KmdfIrql", "watchdog": "watchdogs",
		"DRIVER_IRQL_NOT_LESS_EQUAL": "D1", "qd-3": "WdfInterruptQueueDpcForIsr",
	} {
		_, err := Find([]string{asked})
		unknown, ok := err.(*UnknownError)
		if !ok || !slices.Contains(unknown.Near, want) {
			t.Errorf("%s: %v, which does not name %s", asked, err, want)
		}
	}
}
