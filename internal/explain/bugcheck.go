package explain

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/trace"
)

// bugCheckText returns the text about a bug check: what its parameters mean, for
// the case at hand if the first one is given, and what is written about it. It
// is false if no table has it.
func bugCheckText(code uint32, params []uint64) (string, bool) {
	cases := ddi.BugCheckCases(code)
	if len(cases) == 0 {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "bug check 0x%X %s\n\n", code, cases[0].Name)
	if len(params) == 0 && (len(cases) > 1 || !cases[0].Any) {
		writeCases(&b, code, cases)
		return b.String(), true
	}
	p1 := uint64(0)
	if len(params) > 0 {
		p1 = params[0]
	}
	known, ok := ddi.BugCheckOf(code, p1)
	if !ok {
		return "", false
	}
	writeArgs(&b, &known, params)
	if known.Rule != "" {
		fmt.Fprintf(&b, "    rule: %s\n", known.Rule)
	}
	if code == maskedCode {
		p1 &= 0xFF
	}
	if t := about(code, p1); t != nil {
		fmt.Fprintf(&b, "\n%s.\n\n%s\n", t.summary, t.body)
	}
	return b.String(), true
}

// writeArgs writes what the parameters mean, with their values if they are given.
func writeArgs(b *strings.Builder, known *ddi.BugCheck, params []uint64) {
	for i := range known.Args {
		a := &known.Args[i]
		meaning := a.Meaning
		if meaning == "" {
			meaning = "reserved"
		}
		value := ""
		if i < len(params) {
			value = fmt.Sprintf("%X, ", params[i])
			if shown := shownAs(a, params[i]); shown != "" {
				meaning += ": " + shown
			}
		}
		fmt.Fprintf(b, "    Arg%d: %s%s\n", i+1, value, meaning)
		if i >= len(params) {
			writeValues(b, a)
		}
	}
}

// shownAs says what a value stands for, "" if the number says all.
func shownAs(a *ddi.BugCheckArg, v uint64) string {
	if s := a.Value(v); s != "" {
		return s
	}
	switch {
	case a.Form == ddi.FormIRQL && v <= 15:
		return trace.LevelName(uint8(v))
	case a.Form == ddi.FormStatus:
		return trace.StatusName(uint32(v))
	case a.Form == ddi.FormDecimal:
		return fmt.Sprint(v)
	}
	return ""
}

// writeValues writes what the values of a parameter stand for.
func writeValues(b *strings.Builder, a *ddi.BugCheckArg) {
	for _, v := range a.Values() {
		fmt.Fprintf(b, "          %X: %s\n", v, a.Value(v))
	}
}

// writeCases writes what there is about a bug check whose first parameter tells
// its cases apart: the texts with the cases that they are about.
func writeCases(b *strings.Builder, code uint32, cases []ddi.BugCheckCase) {
	whole := about(code, wholeCode)
	if whole != nil {
		fmt.Fprintf(b, "%s.\n\n%s\n\n", whole.summary, whole.body)
	}
	if cases[0].Any {
		writeArgs(b, &cases[0].BugCheck, nil)
		b.WriteByte('\n')
	}
	b.WriteString("The first parameter tells the case; ask for it, too:\n\n")
	for _, t := range topics() {
		if spans := t.spans(code); spans != "" {
			fmt.Fprintf(b, "    %-18s %s\n", spans, t.summary)
		}
	}
	for i := range cases {
		c := &cases[i]
		if !c.Any && about(code, c.P1) == whole {
			fmt.Fprintf(b, "    %-18X %s\n", c.P1, c.Args[0].Meaning)
		}
	}
}

// spans shows the cases of a bug check that a topic is about: "3B, 120-122".
func (t *topic) spans(code uint32) string {
	var list []string
	for _, c := range t.checks {
		switch {
		case c.all || c.code != code:
		case c.first == c.last:
			list = append(list, fmt.Sprintf("%X", c.first))
		default:
			list = append(list, fmt.Sprintf("%X-%X", c.first, c.last))
		}
	}
	return strings.Join(list, ", ")
}
