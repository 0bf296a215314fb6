package litmus

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a source file: they keep the parser's time and memory small whatever the file contains.
const (
	maxSource   = 128 << 10
	maxLine     = 400
	maxTests    = 256
	maxSections = 64
	maxBody     = 400 // lines of a section
)

// bodyLine is a line of a section without its comment.
type bodyLine struct {
	line int
	text string
}

// reader returns a reader for the tokens of the line.
func (b bodyLine) reader() *reader { return &reader{line: b.line, tokens: lex(b.text, b.line)} }

// section is a part of a test as it was written: a header, such as "dpc D", and the lines below it.
type section struct {
	name string // "setup", "dpc D": the part of a test that a variant can replace
	kind string // first word of the name
	line int
	body []bodyLine
}

// source is a test as it was written, after inheritance.
type source struct {
	id       string
	of       string
	title    string
	line     int
	sections []section
}

// section returns the section with that name, or nil.
func (s *source) section(name string) *section {
	for i := range s.sections {
		if s.sections[i].name == name {
			return &s.sections[i]
		}
	}
	return nil
}

// textSections are the sections whose header line may already contain text. The others, of programs, have a header
// that says what the program belongs to.
var textSections = []string{"clauses", "profile", "report", "setup", "steps", "outcome", "allowed", "forbidden"}

// split divides a file into its tests.
func split(src []byte) []*source {
	if len(src) > maxSource {
		fail(1, "split it into several files", "the file has more than %d bytes", maxSource)
	}
	if !utf8.Valid(src) {
		fail(1, "store it as UTF-8", "the file is not UTF-8 text")
	}
	s := splitter{}
	for i, raw := range bytes.Split(src, []byte("\n")) {
		s.add(i+1, strings.TrimSuffix(string(raw), "\r"))
	}
	s.finish()
	return s.tests
}

// splitter collects the lines of a file into sections and tests.
type splitter struct {
	tests   []*source
	written []section // of the last test, so far
}

// add takes the next line.
func (s *splitter) add(line int, raw string) {
	if len(raw) > maxLine {
		fail(line, "break it up", "the line is longer than %d bytes", maxLine)
	}
	text := strings.TrimRight(uncomment(raw), " \t")
	switch {
	case text == "":
	case blank(text[0]):
		s.addBody(bodyLine{line, strings.TrimSpace(text)})
	default:
		s.addHeader(line, text)
	}
}

// addBody takes an indented line.
func (s *splitter) addBody(b bodyLine) {
	if len(s.written) == 0 {
		fail(b.line, "sections start in column one, their lines are indented", "the line belongs to no section")
	}
	last := &s.written[len(s.written)-1]
	if len(last.body) == maxBody {
		fail(b.line, "", "section %s has more than %d lines", last.name, maxBody)
	}
	last.body = append(last.body, b)
}

// addHeader takes a line that starts a section or a test.
func (s *splitter) addHeader(line int, text string) {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case word == "test" || word == "variant":
		s.finish()
		s.begin(line, word, rest)
		return
	case len(s.tests) == 0:
		fail(line, "a file starts with: test ID title", "%q before the first test", word)
	case slices.Contains(textSections, word):
		sec := section{name: word, kind: word, line: line}
		if rest != "" {
			sec.body = []bodyLine{{line, rest}}
		}
		s.open(sec)
	default:
		s.open(section{name: strings.Join(strings.Fields(text), " "), kind: programSection(line, word), line: line})
	}
}

// programSection checks the first word of a program's header.
func programSection(line int, word string) string {
	names := append([]string{"test", "variant"}, textSections...)
	for _, k := range programKinds {
		if word == k.section {
			return word
		}
		names = append(names, k.section)
	}
	fail(line, "sections are "+strings.Join(names, ", "), "unknown section %q", word)
	return ""
}

// open starts a section of the current test.
func (s *splitter) open(sec section) {
	for _, other := range s.written {
		if other.name == sec.name {
			fail(sec.line, "put both parts into one", "section %q is there twice", sec.name)
		}
	}
	if len(s.written) == maxSections {
		fail(sec.line, "", "the test has more than %d sections", maxSections)
	}
	s.written = append(s.written, sec)
}

// begin starts a test or a variant.
func (s *splitter) begin(line int, word, rest string) {
	if len(s.tests) == maxTests {
		fail(line, "split the file", "the file has more than %d tests", maxTests)
	}
	t := &source{line: line}
	hint := "write: test L-01 Title"
	if word == "variant" {
		hint = "write: variant L-01/name of L-01: title"
		t.id, rest = cutWord(rest)
		of, tail, ok := strings.Cut(rest, ":")
		t.of, t.title = strings.TrimSpace(strings.TrimPrefix(of, "of ")), strings.TrimSpace(tail)
		if !ok || !strings.HasPrefix(of, "of ") || !identifier(t.of) {
			fail(line, hint, "variant without the test that it varies")
		}
	} else {
		t.id, t.title = cutWord(rest)
	}
	if !identifier(t.id) || t.title == "" {
		fail(line, hint, "%s without id or title", word)
	}
	if s.find(t.id) != nil {
		fail(line, "ids are unique", "there is another test %s", t.id)
	}
	if t.of != "" {
		s.inherit(t)
	}
	s.tests = append(s.tests, t)
}

// inherit gives a variant the sections of its base.
func (s *splitter) inherit(t *source) {
	base := s.find(t.of)
	if base == nil {
		fail(t.line, "it has to stand above, in the same file", "variant of %s, which is unknown", t.of)
	}
	t.sections = slices.Clone(base.sections)
	t.title = base.title + ": " + t.title
	if len(t.title) > maxLine {
		fail(t.line, "", "the title with that of %s is longer than %d bytes", t.of, maxLine)
	}
}

func (s *splitter) find(id string) *source {
	for _, t := range s.tests {
		if t.id == id {
			return t
		}
	}
	return nil
}

// finish gives the current test the sections that were written for it.
func (s *splitter) finish() {
	if len(s.tests) == 0 {
		return
	}
	t := s.tests[len(s.tests)-1]
	for _, sec := range s.written {
		if old := t.section(sec.name); old != nil {
			*old = sec
		} else {
			t.sections = append(t.sections, sec)
		}
	}
	s.written = nil
}

// cutWord cuts the first word off a text.
func cutWord(text string) (word, rest string) {
	word, rest, _ = strings.Cut(text, " ")
	return word, strings.TrimSpace(rest)
}

// identifier reports whether text can be the id of a test.
func identifier(text string) bool {
	for i := range len(text) {
		if c := text[i]; !letter(c) && !digit(c) && c != '-' && c != '/' {
			return false
		}
	}
	return text != ""
}
