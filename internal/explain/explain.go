package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
)

// Topic returns the name of the topic to read about a finding: of the rule that
// it names, if that says more than the bug check does, of the bug check, or of
// the clause. It is "" if no text says anything about it.
func Topic(code uint32, p1 uint64, rule, clause string) string {
	known, ok := ddi.BugCheckOf(code, p1)
	if rule != "" && (!ok || known.Rule != rule) {
		if t := named(rule); t != nil && !(ok && len(t.checks) > 0) {
			return t.names[0]
		}
	}
	if ok {
		if code == maskedCode {
			p1 &= 0xFF
		}
		if hasCase(code, p1) {
			return fmt.Sprintf("%X %X", code, p1)
		}
		return fmt.Sprintf("%X", code)
	}
	group, _, _ := strings.Cut(clause, "-")
	return groupTopics[group]
}

// groupTopics are the topics for the groups of clauses.
var groupTopics = map[string]string{
	"IRQL": "irql", "INT": "isr", "DPC": "dpc", "WD": "watchdogs", "WDFI": "isr", "WAKE": "power", "QD": "dpc", "QW": "passive",
	"SER": "locks", "PLI": "passive", "ILK": "locks", "OBJ": "handles", "IOQ": "requests", "PWR": "power", "UM": "passive", "VER": "verifier",
}

// maskedCode is the bug check whose first parameter tells its case in the lowest
// byte only (IRQL_UNEXPECTED_VALUE).
const maskedCode = 0xC8

// hasCase tells whether the first parameter chooses a row of its own.
func hasCase(code uint32, p1 uint64) bool {
	for _, c := range ddi.BugCheckCases(code) {
		if !c.Any && c.P1 == p1 {
			return true
		}
	}
	return false
}

// Names returns the name of every topic and of every case of a bug check, in
// the order of the list: each of them can be passed to Find.
func Names() []string {
	var list []string
	for _, t := range topics() {
		list = append(list, t.names[0])
	}
	for _, code := range ddi.BugCheckCodes() {
		list = append(list, fmt.Sprintf("%X", code))
		for _, c := range ddi.BugCheckCases(code) {
			if !c.Any {
				list = append(list, fmt.Sprintf("%X %X", code, c.P1))
			}
		}
	}
	return list
}

// Find returns the text about what a user asks for: a topic, a rule, a bug check
// by code or name, with parameters if they matter. The error is an *UnknownError.
func Find(words []string) (string, error) {
	asked := strings.Join(words, " ")
	if t := named(asked); t != nil && len(t.checks) == 0 {
		return t.text(), nil
	}
	code, params, ok := parseBugCheck(words)
	if t := named(asked); t != nil && !ok {
		c := t.checks[0]
		code, ok = c.code, true
		if !c.all {
			params = []uint64{c.first}
		}
	}
	if ok {
		if text, ok := bugCheckText(code, params); ok {
			return text, nil
		}
	}
	return "", unknown(asked)
}

// text is a topic that is not about a bug check, as it is printed.
func (t *topic) text() string {
	return fmt.Sprintf("%s: %s\n\n%s\n", t.names[0], t.summary, t.body)
}

// parseBugCheck reads a bug check as people write it: D1, 0xD1, C4/121, or its
// symbolic name, and up to four parameters.
func parseBugCheck(words []string) (code uint32, params []uint64, ok bool) {
	words = strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return strings.ContainsRune(" /,()", r) })
	if len(words) == 0 || len(words) > 5 {
		return 0, nil, false
	}
	if code, ok = codeNamed(words[0]); !ok {
		n, err := parseHex(words[0])
		if code, ok = uint32(n), err == nil && n>>32 == 0; !ok {
			return 0, nil, false
		}
	}
	for _, w := range words[1:] {
		n, err := parseHex(w)
		if err != nil {
			return 0, nil, false
		}
		params = append(params, n)
	}
	return code, params, true
}

func parseHex(s string) (uint64, error) {
	s = strings.TrimPrefix(strings.ToLower(s), "0x")
	return strconv.ParseUint(strings.ReplaceAll(s, "`", ""), 16, 64)
}

func codeNamed(name string) (uint32, bool) {
	for _, code := range ddi.BugCheckCodes() {
		if strings.EqualFold(ddi.BugCheckName(code), name) {
			return code, true
		}
	}
	return 0, false
}

// List returns the names of all topics, one line for each, and of the bug checks
// by number; their cases are listed with each of them.
func List() string {
	var b strings.Builder
	line := func(name, summary string) { fmt.Fprintf(&b, "  %-28s %s\n", name, summary) }
	b.WriteString("How it works\n")
	for _, t := range topics() {
		if t.group == "general" {
			line(t.names[0], t.summary)
		}
	}
	b.WriteString("\nBug checks (dirql explain D1; with parameters: dirql explain C4 121; or by name)\n")
	for _, code := range ddi.BugCheckCodes() {
		if t := about(code, wholeCode); t != nil {
			line(fmt.Sprintf("%X", code), t.summary)
		}
	}
	b.WriteString("\nRules (the other names of a rule work, too)\n")
	for _, t := range topics() {
		if t.group == "rules" {
			line(t.names[0], t.summary)
		}
	}
	return b.String()
}
