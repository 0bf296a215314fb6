package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/dirql/dirql/internal/trace"
)

// Finding is something that was found wrong in a run, as it is reported.
type Finding struct {
	Title  string   `json:"title"`            // headline: the bug check with its parameters, or the rule
	Text   string   `json:"text"`             // what happened and what it means
	Rule   string   `json:"rule,omitempty"`   // short name of the rule
	Clause string   `json:"clause,omitempty"` // clause of the specification
	CPU    int      `json:"cpu"`              // processor, -1: none
	IRQL   uint8    `json:"irql"`
	Time   uint64   `json:"time_ns"`         // virtual nanoseconds
	Stack  []string `json:"stack,omitempty"` // activations and routines, innermost first
	Facts  []Fact   `json:"facts,omitempty"` // more about it; they take the place of the stack

	BugCheck *BugCheck `json:"bug_check,omitempty"` // nil: none
	Explain  string    `json:"explain,omitempty"`   // what dirql explain has a text about, "" if nothing
}

// Fact is something that is known about a finding.
type Fact struct {
	Name string `json:"name"` // a word
	Text string `json:"text"` // one line or more
}

// BugCheck is the bug check that a finding is.
type BugCheck struct {
	Code uint32     `json:"code"`
	Name string     `json:"name"`
	Args []Argument `json:"args"`
}

// Argument is a parameter of a bug check.
type Argument struct {
	Value   string `json:"value"`          // hexadecimal, without 0x
	Meaning string `json:"meaning"`        // "memory referenced"
	Text    string `json:"text,omitempty"` // what the value stands for: "read", a level, a name
}

// String returns the parameter as WinDbg users know it, and what it stands for.
func (a *Argument) String() string {
	if a.Text == "" {
		return a.Value + ", " + a.Meaning
	}
	return a.Value + ", " + a.Meaning + ": " + a.Text
}

// headline is the title without what the lines below say.
func (f *Finding) headline() string {
	if f.BugCheck == nil {
		return f.Title
	}
	return fmt.Sprintf("bug check 0x%X %s", f.BugCheck.Code, f.BugCheck.Name)
}

// findingWidth is the width of a block of findings in characters.
const findingWidth = 100

// Findings writes a block for each finding: the headline, what it means, where
// it happened, and the clause of the specification.
func Findings(w io.Writer, findings []Finding) error {
	b := bufio.NewWriter(w)
	if len(findings) == 0 {
		b.WriteString("No findings in this run.\n")
	}
	for i := range findings {
		f := &findings[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		number := ""
		if len(findings) > 1 {
			number = fmt.Sprintf("[%d of %d] ", i+1, len(findings))
		}
		paragraph(b, "*** ", number+f.headline())
		b.WriteByte('\n')
		if f.Text != "" {
			paragraph(b, "    ", f.Text)
			b.WriteByte('\n')
		}
		f.arguments(b)
		f.facts(b)
	}
	return b.Flush()
}

// arguments writes the parameters of a bug check, one by one.
func (f *Finding) arguments(w *bufio.Writer) {
	if f.BugCheck == nil {
		return
	}
	for i := range f.BugCheck.Args {
		paragraph(w, fmt.Sprintf("    Arg%d: ", i+1), f.BugCheck.Args[i].String())
	}
	w.WriteByte('\n')
}

// facts writes what is known about a finding, one line or more for each fact.
func (f *Finding) facts(w io.Writer) {
	fact := func(name, text string) {
		if text != "" {
			paragraph(w, fmt.Sprintf("    %-8s", name), text)
		}
	}
	fact("where", f.where())
	if len(f.Facts) == 0 {
		fact("stack", strings.Join(f.Stack, "\n"))
	}
	for i := range f.Facts {
		fact(f.Facts[i].Name, f.Facts[i].Text)
	}
	if !strings.HasPrefix(f.Title, f.Rule) {
		fact("rule", f.Rule)
	}
	fact("clause", f.Clause)
	if f.Explain != "" {
		fact("read", "dirql explain "+f.Explain)
	}
}

// where says on which processor, at which level and when.
func (f *Finding) where() string {
	when := fmt.Sprintf("%s us after the start", Microseconds(f.Time))
	if f.CPU < 0 {
		return "on no processor, " + when
	}
	return fmt.Sprintf("P%d at %s, %s", f.CPU, trace.LevelName(f.IRQL), when)
}

// paragraph writes a wrapped text; prefix stands before its first line.
func paragraph(w io.Writer, prefix, text string) {
	room := findingWidth - len(prefix)
	for i, line := range wrap(text, room, room) {
		if i > 0 {
			prefix = strings.Repeat(" ", len(prefix))
		}
		fmt.Fprintf(w, "%s%s\n", prefix, line)
	}
}
