package litmus

import (
	"fmt"
	"slices"
	"strings"
)

// Outcome is how a run ended: a record of named components, or a bug check in its place.
type Outcome struct {
	// BugCheck is the code of the bug check that ended the run, else 0. Then the bindings are p1 to p4, which are object
	// names if they are handles and else [Hex], and finding, as in [Source].
	BugCheck uint32
	// Failure says why the run is wrong whatever is allowed: a check that did not hold, a hang. An outcome with a
	// failure matches nothing.
	Failure string
	// Bindings are the components, in the order of Test.Components.
	Bindings []Binding
}

// Binding gives a component its value.
type Binding struct {
	Name  string
	Value Value
}

// Value returns the value of a component, and whether the outcome names it.
func (o Outcome) Value(name string) (Value, bool) {
	for _, b := range o.Bindings {
		if b.Name == name {
			return b.Value, true
		}
	}
	return "", false
}

// String returns the canonical form of the outcome: two outcomes of one test are the same if their forms are.
func (o Outcome) String() string {
	var parts []string
	if o.Failure != "" {
		parts = append(parts, "failure: "+o.Failure)
	}
	if o.BugCheck != 0 {
		parts = append(parts, fmt.Sprintf("bugcheck 0x%X", o.BugCheck))
	}
	for _, b := range o.Bindings {
		parts = append(parts, b.Name+" = "+b.Value.String())
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Matches reports whether an observed outcome is the kind of end that o describes and has every component that o
// names; components that o does not name are not compared.
func (o Outcome) Matches(observed Outcome) bool {
	if o.Failure != "" || observed.Failure != "" || o.BugCheck != observed.BugCheck {
		return false
	}
	for _, b := range o.Bindings {
		if v, ok := observed.Value(b.Name); !ok || v != b.Value {
			return false
		}
	}
	return true
}

// Allowed is a member of the allowed set.
type Allowed struct {
	Outcome Outcome
	May     bool     // need not be reached
	Reports []Report // reports that the tool must make about a run with this outcome
	Line    int
}

// Forbidden is a wrong outcome with a name. Its bindings are those that make an outcome wrong.
type Forbidden struct {
	Name    string
	Outcome Outcome
	Line    int
}

// Diff compares the outcomes that exploration reached with the allowed set. missing are the allowed outcomes that were
// not reached although they must be; extra are the reached ones that are not allowed. Both are without duplicates and
// in canonical order.
func Diff(observed []Outcome, allowed []Allowed) (missing, extra []Outcome) {
	for _, a := range allowed {
		if !a.May && !slices.ContainsFunc(observed, a.Outcome.Matches) {
			missing = append(missing, a.Outcome)
		}
	}
	for _, o := range observed {
		if !slices.ContainsFunc(allowed, func(a Allowed) bool { return a.Outcome.Matches(o) }) {
			extra = append(extra, o)
		}
	}
	return canonical(missing), canonical(extra)
}

// canonical sorts outcomes by their canonical form and drops duplicates.
func canonical(list []Outcome) []Outcome {
	slices.SortFunc(list, func(a, b Outcome) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(list, func(a, b Outcome) bool { return a.String() == b.String() })
}
