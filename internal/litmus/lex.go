package litmus

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// tokenKind is the kind of a token: for punctuation the token's text says the rest.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenString
	tokenPunct
)

// token is a word of a line.
type token struct {
	kind  tokenKind
	text  string // of a string: without its quotes
	value int64  // of a number
	tight bool   // no blank before it
}

// String returns the token for a message.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the line"
	case tokenString:
		return strconv.Quote(t.text)
	}
	return strconv.Quote(t.text)
}

// puncts are the punctuation tokens; longer ones first.
var puncts = []string{"==", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "(", ")", "[", "]", "{", "}", ",", ":", "."}

// uncomment cuts the comment off a line. Two slashes inside a string do not begin one.
func uncomment(line string) string {
	quoted := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(line[i:], "//"):
			return line[:i]
		}
	}
	return line
}

// lex splits the text of a line into tokens.
func lex(text string, line int) []token {
	var list []token
	for i := 0; i < len(text); {
		if blank(text[i]) {
			i++
			continue
		}
		t, n := lexOne(text[i:], line)
		t.tight = i > 0 && !blank(text[i-1])
		list = append(list, t)
		i += n
	}
	return list
}

// lexOne reads the token that text starts with and returns its length too.
func lexOne(text string, line int) (token, int) {
	switch c := text[0]; {
	case c == '"':
		n := strings.IndexByte(text[1:], '"')
		if n < 0 {
			fail(line, `close it with "`, "string without end")
		}
		return token{kind: tokenString, text: text[1 : 1+n]}, n + 2
	case digit(c):
		n := span(text)
		v, err := strconv.ParseInt(text[:n], 0, 64)
		if err != nil {
			fail(line, "numbers are decimal or 0x hexadecimal", "bad number %q", text[:n])
		}
		return token{kind: tokenNumber, text: text[:n], value: v}, n
	case letter(c):
		n := span(text)
		return token{kind: tokenName, text: text[:n]}, n
	}
	for _, p := range puncts {
		if strings.HasPrefix(text, p) {
			return token{kind: tokenPunct, text: p}, len(p)
		}
	}
	c, _ := utf8.DecodeRuneInString(text)
	fail(line, "see the package comment of internal/litmus for the language", "unexpected character %q", c)
	return token{}, 0
}

// span returns the length of the letters, digits and underscores at the start of text.
func span(text string) int {
	n := 0
	for n < len(text) && (letter(text[n]) || digit(text[n])) {
		n++
	}
	return n
}

func blank(c byte) bool  { return c == ' ' || c == '\t' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// reader reads the tokens of one line from left to right.
type reader struct {
	line   int
	tokens []token
}

// peek returns the next token without taking it.
func (r *reader) peek() token {
	if len(r.tokens) == 0 {
		return token{}
	}
	return r.tokens[0]
}

// next takes the next token.
func (r *reader) next() token {
	t := r.peek()
	if len(r.tokens) > 0 {
		r.tokens = r.tokens[1:]
	}
	return t
}

// take takes the next token if it is that punctuation or name.
func (r *reader) take(text string) bool {
	if t := r.peek(); (t.kind == tokenPunct || t.kind == tokenName) && t.text == text {
		r.next()
		return true
	}
	return false
}

// need takes the next token, which has to be that punctuation or name.
func (r *reader) need(text, hint string) {
	if !r.take(text) {
		fail(r.line, hint, "expected %q, found %s", text, r.peek())
	}
}

// name takes the next token, which has to be a name.
func (r *reader) name(what, hint string) string {
	t := r.next()
	if t.kind != tokenName {
		fail(r.line, hint, "expected %s, found %s", what, t)
	}
	return t.text
}

// number takes the next token, which has to be a number between lo and hi.
func (r *reader) number(what string, lo, hi int64) int64 {
	t := r.next()
	if t.kind != tokenNumber {
		fail(r.line, "", "expected %s, found %s", what, t)
	}
	if t.value < lo || t.value > hi {
		fail(r.line, "it has to be between "+strconv.FormatInt(lo, 10)+" and "+strconv.FormatInt(hi, 10), "%s is %d", what, t.value)
	}
	return t.value
}

// done fails if the line has more tokens.
func (r *reader) done() {
	if t := r.peek(); t.kind != tokenEnd {
		fail(r.line, "a line has one statement; comments start with //", "unexpected %s", t)
	}
}
