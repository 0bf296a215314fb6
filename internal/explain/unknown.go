package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
)

// UnknownError says that no text is about what a user has asked for.
type UnknownError struct {
	Asked string
	Near  []string // names of topics that may be meant, the nearest first
}

func (e *UnknownError) Error() string {
	if len(e.Near) == 0 {
		return fmt.Sprintf("nothing is explained under %q; dirql explain lists the topics", e.Asked)
	}
	return fmt.Sprintf("nothing is explained under %q; do you mean %s? dirql explain lists the topics", e.Asked, strings.Join(e.Near, ", "))
}

// maxNear bounds the suggestions.
const maxNear = 3

// maxAsked bounds what is compared letter by letter.
const maxAsked = 100

// unknown returns the error with the nearest topics: those that cite a clause if
// it is one, those with a similar name otherwise.
func unknown(asked string) *UnknownError {
	e := &UnknownError{Asked: asked}
	if clauseID.MatchString(asked) {
		e.Near = citing(strings.ToUpper(asked))
	} else if asked != "" && len(asked) <= maxAsked {
		e.Near = similar(key(asked))
	}
	return e
}

var clauseID = regexp.MustCompile(`(?i)^[a-z]{2,4}-\d+$`)

// citing returns the topics whose text names a clause.
func citing(clause string) []string {
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(clause) + `\b`)
	var list []string
	for _, t := range topics() {
		if word.MatchString(t.body) && len(list) < maxNear {
			list = append(list, t.names[0])
		}
	}
	return list
}

// similar returns the topics with a name that differs in few letters or contains
// what was asked for.
func similar(asked string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var list []candidate
	add := func(shown, name string) {
		d := distance(asked, key(name))
		if strings.Contains(key(name), asked) {
			d = 1
		}
		if d <= max(2, len(asked)/4) {
			list = append(list, candidate{shown, d})
		}
	}
	for _, t := range topics() {
		for _, name := range t.names {
			add(t.names[0], name)
		}
	}
	for _, code := range ddi.BugCheckCodes() {
		add(fmt.Sprintf("%X", code), ddi.BugCheckName(code))
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range list {
		if !slices.Contains(names, c.name) && len(names) < maxNear {
			names = append(names, c.name)
		}
	}
	return names
}

// distance is the number of letters to change, add or leave out between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
