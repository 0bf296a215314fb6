package ddi

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// BugCheck is what is documented about a bug check, or about one of its cases
// that its first parameter tells apart (docs/spec/bugchecks.md, sections 1 to 7).
type BugCheck struct {
	Code uint32
	Name string // symbolic name: DRIVER_IRQL_NOT_LESS_OR_EQUAL
	Rule string // of sections 8 and 9, "" where none fits every case
	Args [4]BugCheckArg
}

// BugCheckArg is the meaning of one parameter of a bug check.
type BugCheckArg struct {
	Meaning string // "memory referenced"; "" for one that is reserved
	Form    ArgForm
	values  map[uint64]string // what some values stand for
}

// ArgForm says how the value of a parameter is to be shown besides its number.
type ArgForm uint8

// The forms of parameters of bug checks.
const (
	FormNumber  ArgForm = iota
	FormIRQL            // an interrupt request level
	FormCode            // an address of code
	FormName            // an object, a handle, or another address with a name
	FormStatus          // an NTSTATUS
	FormType            // the number of a framework object's type
	FormDecimal         // a count
)

var argForms = map[string]ArgForm{"irql": FormIRQL, "code": FormCode, "name": FormName, "status": FormStatus,
	"wdftype": FormType, "dec": FormDecimal}

// Value returns what a value of the parameter stands for, "" if nothing is said.
func (a *BugCheckArg) Value(v uint64) string { return a.values[v] }

// Values returns the values of which it is said what they stand for, ascending.
func (a *BugCheckArg) Values() []uint64 { return slices.Sorted(maps.Keys(a.values)) }

// BugCheckOf returns what is documented about a bug check with this first
// parameter, and false if no table has it.
func BugCheckOf(code uint32, p1 uint64) (BugCheck, bool) {
	if code == codeIRQLUnexpectedValue {
		p1 &= 0xFF // levels above
	}
	cases := bugChecks()[code]
	for _, c := range cases {
		if !c.Any && c.P1 == p1 {
			return c.BugCheck, true
		}
	}
	for _, c := range cases {
		if c.Any {
			return c.BugCheck, true
		}
	}
	return BugCheck{}, false
}

// BugCheckCodes returns the bug checks that the table has, ascending.
func BugCheckCodes() []uint32 { return slices.Sorted(maps.Keys(bugChecks())) }

// BugCheckCases returns the rows of a bug check, by their first parameter; the
// row for any other parameter comes first. There are none for an unknown one.
func BugCheckCases(code uint32) []BugCheckCase {
	return slices.SortedFunc(slices.Values(bugChecks()[code]), func(a, b BugCheckCase) int {
		if a.Any != b.Any {
			return map[bool]int{true: -1, false: 1}[a.Any]
		}
		return cmp.Compare(a.P1, b.P1)
	})
}

// codeIRQLUnexpectedValue is the one bug check whose parameter 1 has its kind in
// the lowest byte only.
const codeIRQLUnexpectedValue = 0xC8

// BugCheckName returns the symbolic name of a bug check, "" if no table has it.
func BugCheckName(code uint32) string {
	if cases := bugChecks()[code]; len(cases) > 0 {
		return cases[0].Name
	}
	return ""
}

// BugCheckCase is a row of the table.
type BugCheckCase struct {
	BugCheck
	P1  uint64 // first parameter, 0 with Any
	Any bool   // for every first parameter that no other row has
}

var bugChecks = sync.OnceValue(func() map[uint32][]BugCheckCase {
	table := map[uint32][]BugCheckCase{}
	for _, r := range readTable("bugchecks.csv", dataFile("bugchecks.csv"),
		"code", "p1", "name", "rule", "arg1", "arg2", "arg3", "arg4") {
		c := BugCheckCase{Any: r.text("p1") == ""}
		c.Code, c.Name, c.Rule = uint32(r.hex("code")), r.name("name"), r.text("rule")
		if !c.Any {
			c.P1 = r.hex("p1")
		}
		for i, column := range [4]string{"arg1", "arg2", "arg3", "arg4"} {
			c.Args[i] = r.bugCheckArg(column)
		}
		table[c.Code] = append(table[c.Code], c)
	}
	return table
})

// bugCheckArg reads "meaning", "meaning|form" or "meaning|0=text 1=text".
func (r row) bugCheckArg(column string) BugCheckArg {
	meaning, form, found := strings.Cut(r.text(column), "|")
	a := BugCheckArg{Meaning: meaning}
	if !found {
		return a
	}
	if f, ok := argForms[form]; ok {
		a.Form = f
		return a
	}
	a.values = map[uint64]string{}
	var last uint64
	for i, word := range strings.Split(form, " ") {
		number, text, starts := strings.Cut(word, "=")
		v, err := strconv.ParseUint(number, 16, 64)
		switch {
		case starts && err == nil:
			last, a.values[v] = v, text
		case i > 0 && !starts:
			a.values[last] += " " + word
		default:
			r.bug("%s: %q is neither a form nor a list of values", column, form)
		}
	}
	return a
}

// hex returns the hexadecimal number in a column.
func (r row) hex(column string) uint64 {
	v, err := strconv.ParseUint(strings.TrimPrefix(r.text(column), "0x"), 16, 64)
	if err != nil {
		r.bug("%s: %v", column, err)
	}
	return v
}
