package report

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// glue is a blank at which no line ends.
const glue = "\u00a0"

// together makes a text that stays on one line if it fits.
func together(s string) string { return strings.ReplaceAll(s, " ", glue) }

// clean makes a text safe for a terminal: control characters and bytes that
// are no text become escapes. New lines stay.
func clean(s string) string {
	safe := func(r rune) bool {
		return r == '\n' || string(r) == glue || r != utf8.RuneError && unicode.IsPrint(r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if safe(r) {
			b.WriteString(s[:n])
		} else {
			q := strconv.QuoteToASCII(s[:n])
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// wrap breaks a text into lines of at most first and then rest characters, at
// blanks or after a parenthesis where possible. A new line in the text begins
// a line.
func wrap(text string, first, rest int) []string {
	var lines []string
	width := max(first, 1)
	for part := range strings.SplitSeq(clean(text), "\n") {
		for {
			line, more := cut(part, width)
			lines = append(lines, strings.ReplaceAll(line, glue, " "))
			width = max(rest, 1)
			if more == "" {
				break
			}
			part = more
		}
	}
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// cut cuts a line of at most width characters off a text: at the last blank, or
// after the last parenthesis if the word behind the blank is too long for a
// line.
func cut(s string, width int) (line, more string) {
	at, blank, paren := 0, 0, 0
	for n := 0; n < width && at < len(s); n++ {
		r, size := utf8.DecodeRuneInString(s[at:])
		if r == ' ' {
			blank = at
		}
		if at += size; r == '(' {
			paren = at
		}
	}
	if at == len(s) {
		return s, ""
	}
	if s[at] == ' ' {
		blank = at
	}
	word, _, _ := strings.Cut(strings.TrimLeft(s[blank:], " "), " ")
	switch usable := strings.TrimSpace(s[:blank]) != ""; {
	case usable && (paren < blank || utf8.RuneCountInString(word) <= width):
		at = blank
	case paren > 0:
		at = paren
	}
	return strings.TrimRight(s[:at], " "), strings.TrimLeft(s[at:], " ")
}
