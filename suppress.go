package dirql

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Suppression says that a finding is known and harmless.
type Suppression struct {
	Pattern string // of its identity; * stands for anything
	Reason  string
}

// ReadSuppressions reads suppressions, one a line: the pattern, " -- ", the
// reason. Empty lines and those that begin with # are for people. A suppression
// without a reason is an error: the next reader could not tell why.
func ReadSuppressions(r io.Reader) ([]Suppression, error) {
	var list []Suppression
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, reason, _ := strings.Cut(line, " -- ")
		s := Suppression{strings.TrimSpace(pattern), strings.TrimSpace(reason)}
		switch {
		case s.Reason == "":
			return nil, fmt.Errorf("line %d: %q has no reason; write: IDENTITY -- WHY IT IS HARMLESS", n, line)
		case strings.Trim(s.Pattern, "*|") == "":
			return nil, fmt.Errorf("line %d: %q would suppress everything", n, s.Pattern)
		}
		list = append(list, s)
	}
	return list, in.Err()
}

// Matches reports whether the suppression is about findings with an identity.
func (s *Suppression) Matches(identity string) bool {
	parts := strings.Split(s.Pattern, "*")
	rest, ok := strings.CutPrefix(identity, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, p := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, p)
		if at < 0 {
			return false
		}
		rest = rest[at+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// suppressed returns the suppression of findings with an identity, nil if there
// is none.
func suppressed(list []Suppression, identity string) *Suppression {
	for i := range list {
		if list[i].Matches(identity) {
			return &list[i]
		}
	}
	return nil
}
