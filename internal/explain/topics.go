package explain

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed topics/*.md
var files embed.FS

// topic is a text with its names.
type topic struct {
	group   string      // the file that it is from
	names   []string    // the first one is the one to show
	checks  []caseRange // the cases of bug checks that it is about
	summary string
	body    string
}

// caseRange are cases of a bug check.
type caseRange struct {
	code        uint32
	first, last uint64 // first parameters
	all         bool   // whatever the first parameter is
}

func (c caseRange) has(code uint32, p1 uint64) bool {
	return c.code == code && (c.all || c.first <= p1 && p1 <= c.last)
}

// name returns how a user asks for the cases: "C4 120".
func (c caseRange) name() string {
	if c.all {
		return fmt.Sprintf("%X", c.code)
	}
	return fmt.Sprintf("%X %X", c.code, c.first)
}

// groups are the files, in the order in which names are looked up.
var groups = []string{"general", "bugchecks", "verifier", "rules"}

// topics returns all topics in order.
var topics = sync.OnceValue(func() []*topic {
	var list []*topic
	for _, g := range groups {
		text, err := files.ReadFile("topics/" + g + ".md")
		if err != nil {
			panic("BUG: " + err.Error())
		}
		for _, part := range strings.Split("\n"+strings.ReplaceAll(string(text), "\r\n", "\n"), "\n# ")[1:] {
			list = append(list, parseTopic(g, part))
		}
	}
	return list
})

// parseTopic reads a topic from the names on.
func parseTopic(group, text string) *topic {
	heading, rest, _ := strings.Cut(text, "\n")
	summary, body, _ := strings.Cut(rest, "\n")
	t := &topic{group: group, summary: summary, body: strings.Trim(body, "\n")}
	for _, name := range strings.Split(heading, " | ") {
		if !strings.HasPrefix(name, "0x") {
			t.names = append(t.names, name)
			continue
		}
		c, err := parseCases(name)
		if err != nil {
			panic(fmt.Sprintf("BUG: topic %q: %v", heading, err))
		}
		t.checks = append(t.checks, c)
	}
	if len(t.checks) > 0 {
		t.names = slices.Insert(t.names, 0, t.checks[0].name())
	}
	return t
}

// parseCases reads 0xD1, 0xC4/0x121 or 0xC4/0x120-0x122.
func parseCases(s string) (caseRange, error) {
	code, cases, found := strings.Cut(s, "/")
	n, err := strconv.ParseUint(code, 0, 32)
	c := caseRange{code: uint32(n), all: !found}
	if err != nil || !found {
		return c, err
	}
	first, last, found := strings.Cut(cases, "-")
	if !found {
		last = first
	}
	if c.first, err = strconv.ParseUint(first, 0, 64); err != nil {
		return c, err
	}
	c.last, err = strconv.ParseUint(last, 0, 64)
	return c, err
}

// key is a name as it is compared: without case, and with a hyphen for blanks.
func key(name string) string { return strings.Join(strings.Fields(strings.ToLower(name)), "-") }

// named returns the topic with a name, nil if there is none.
func named(name string) *topic { return index()[key(name)] }

// index has the topics by the keys of their names.
var index = sync.OnceValue(func() map[string]*topic {
	byKey := map[string]*topic{}
	for _, t := range topics() {
		for _, name := range t.names {
			byKey[key(name)] = t
		}
	}
	return byKey
})

// wholeCode is no first parameter of any case: it stands for the whole code.
const wholeCode = ^uint64(0)

// about returns the topic for a case of a bug check: the one of the case, else
// the one of the whole code, nil if there is none.
func about(code uint32, p1 uint64) *topic {
	var whole *topic
	for _, t := range topics() {
		for _, c := range t.checks {
			switch {
			case c.all && c.code == code:
				whole = t
			case c.has(code, p1):
				return t
			}
		}
	}
	return whole
}
