package litmus

import (
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/lost"
)

// Parse compiles the tests of a file. An error is an *Error; its file is name.
func Parse(name string, src []byte) (tests []*Test, err error) {
	defer catch(name, &err)
	for _, s := range split(src) {
		tests = append(tests, compile(name, s))
	}
	return tests, nil
}

// compiler turns one source into a test.
type compiler struct {
	*Test
	src      *source
	finished []bool   // lists whose type is known
	keys     []string // canonical forms of the allowed outcomes
}

// compile compiles a test. Setup comes first, because everything else refers to its objects; the names of the lists
// are collected before the programs, because conditions may count what another program appends.
func compile(file string, src *source) *Test {
	c := &compiler{
		Test: &Test{ID: src.id, Of: src.of, Title: src.title, File: file, Line: src.line},
		src:  src,
	}
	c.parseClauses()
	c.parseProfile()
	c.parseSetup()
	c.parseReports()
	c.collectLists()
	for i := range src.sections {
		c.parseProgram(&src.sections[i])
	}
	c.needPrograms()
	c.parseSteps()
	c.parseComponents()
	c.parseAllowed()
	c.parseForbidden()
	return c.Test
}

// body returns the lines of a section, which may be missing.
func (c *compiler) body(name string) []bodyLine {
	if s := c.src.section(name); s != nil {
		return s.body
	}
	return nil
}

// parseClauses reads the clause ids.
func (c *compiler) parseClauses() {
	for _, b := range c.body("clauses") {
		for id := range strings.FieldsSeq(b.text) {
			group, number, ok := strings.Cut(id, "-")
			if !ok || group == "" || number == "" || strings.Trim(number, "0123456789") != "" {
				fail(b.line, "clause ids look like DPC-15, with blanks between", "bad clause id %q", id)
			}
			c.Clauses = append(c.Clauses, id)
		}
	}
	if len(c.Clauses) == 0 {
		fail(c.Line, "add: clauses DPC-15", "test %s names no clause", c.ID)
	}
}

// parseProfile reads the deviations from the default profile.
func (c *compiler) parseProfile() {
	for _, b := range c.body("profile") {
		name := strings.Join(strings.Fields(b.text), "-")
		if name == "default" {
			c.Profile = Profile{}
		} else if err := c.Profile.Set(name); err != nil {
			fail(b.line, "write default or one of "+kernel.DeviationNames()+", blanks may stand for -", "unknown profile %q", b.text)
		}
	}
}

// Kinds of reports, beside those of package lost.
const (
	reportRace       = "data race"
	reportLostWakeup = "lost wakeup"
)

// reportKinds says which reports there are, and how the text after the kind names a subject.
var reportKinds = []struct {
	kind string
	link string // between kind and subject; "-": there is no subject
}{
	{reportRace, "on"},
	{lost.Event, ""},
	{reportLostWakeup, "-"},
	{lost.Work, "-"},
}

// parseReports reads the reports that exploring the test must produce.
func (c *compiler) parseReports() {
	for _, b := range c.body("report") {
		if b.text == "none" {
			c.Quiet = true
			continue
		}
		c.Reports = append(c.Reports, c.report(b.line, strings.Fields(b.text)))
	}
	if c.Quiet && len(c.Reports) > 0 {
		fail(c.Line, `write either "none" or the reports`, "test %s reports none and some", c.ID)
	}
}

// report reads one report.
func (c *compiler) report(line int, words []string) Report {
	for _, k := range reportKinds {
		kind := strings.Fields(k.kind)
		if len(words) < 2 || strings.Join(words[:2], " ") != k.kind {
			continue
		}
		rest := words[len(kind):]
		switch {
		case k.link == "-" && len(rest) == 0:
			return Report{Kind: k.kind}
		case k.link == "on" && len(rest) == 2 && rest[0] == "on":
			c.sharedVar(line, rest[1])
			return Report{Kind: k.kind, Subject: rest[1]}
		case k.link == "" && len(rest) == 1:
			return Report{Kind: k.kind, Subject: rest[0]}
		}
	}
	fail(line, "reports are: data race on VARIABLE, lost event VALUE, lost wakeup, lost work", "unknown report %q", strings.Join(words, " "))
	return Report{}
}

// sharedVar returns the shared variable with that name.
func (c *compiler) sharedVar(line int, name string) *Object {
	o := c.Object(name)
	if o == nil || o.Kind != KindVar {
		fail(line, "declare it in the setup: var "+name+" = 0", "%s is not a shared variable", name)
	}
	return o
}

// needPrograms checks that everything that can be called has a program.
func (c *compiler) needPrograms() {
	for _, o := range c.Objects {
		for _, k := range programKinds {
			if k.needed && k.of.has(o.Kind) && c.ProgramOf(k.kind, o.ID) == nil {
				fail(o.Line, "add a section: "+k.section+" "+o.Name, "%s %s has no %s", o.Kind, o.Name, k.routine)
			}
		}
	}
	if len(c.Programs) == 0 {
		fail(c.Line, "add a section such as: thread at P0", "test %s has no program", c.ID)
	}
}
