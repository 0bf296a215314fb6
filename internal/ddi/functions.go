package ddi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Version is a KMDF version, for instance 1.33.
type Version struct{ Major, Minor int }

// String returns the version as "1.33".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Compare returns -1, 0 or 1: v is older than, equal to, newer than o.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor))
}

// parseVersion reads "1.33".
func parseVersion(s string) (Version, error) {
	major, minor, ok := strings.Cut(s, ".")
	a, errA := strconv.ParseUint(major, 10, 16)
	b, errB := strconv.ParseUint(minor, 10, 16)
	if !ok || errA != nil || errB != nil {
		return Version{}, fmt.Errorf("%q is not a version such as 1.33", s)
	}
	return Version{int(a), int(b)}, nil
}

func (r row) version(column string) Version {
	v, err := parseVersion(r.text(column))
	if err != nil {
		r.bug("%s: %v", column, err)
	}
	return v
}

// Param is one machine argument of a KMDF function, typed as in the headers.
type Param struct{ Type, Name string }

// KMDFFunction is one entry of the KMDF function table.
type KMDFFunction struct {
	Index      int // position in the table that a driver is bound to
	Name       string
	Header     string // the public header that declares it, or a remark that none does
	ReturnType string
	// Params are all machine arguments; the first is the driver globals pointer
	// that the inline wrapper of the header adds.
	Params []Param
	// Required are the indexes in Params of the pointers that must not be NULL, in
	// the order in which the library looks at them (bug check 0x10D, 4).
	Required []int
	// MinVersion is the first KMDF version whose table has the entry.
	MinVersion Version
	// DocVersion is the reference page's statement, "" if it makes none. Two
	// entries differ from MinVersion (data/README.md).
	DocVersion string
	// DocIRQL is the page's IRQL text, HeaderIRQL the header's annotation; either can be "".
	DocIRQL, HeaderIRQL string
	// Limit is the range of this table's row alone. A checker asks [Limits],
	// which also knows the conditions of the reference pages.
	Limit Limit
	// Public is false if only class extensions call it.
	Public bool
	// Documented is set if there is a reference page.
	Documented bool
}

// Functions returns the KMDF function table; element i is the entry with index i.
func Functions() []KMDFFunction { return functions().list }

// Function returns the KMDF function of that name, and false if there is none.
func Function(name string) (KMDFFunction, bool) {
	t := functions()
	i, ok := t.byName[name]
	if !ok {
		return KMDFFunction{}, false
	}
	return t.list[i], true
}

type functionTable struct {
	list   []KMDFFunction
	byName map[string]int
}

const kmdfFile = "kmdf-functions.csv"

var functions = sync.OnceValue(func() functionTable {
	t := parseFunctions(dataFile(kmdfFile))
	t.addRequired(dataFile("kmdf-required-pointers.csv"))
	return t
})

func parseFunctions(text string) functionTable {
	rows := readTable(kmdfFile, text, "index", "function", "header", "return_type", "abi_param_count", "abi_params",
		"min_kmdf_version_by_table", "min_kmdf_version_in_docs", "docs_irql", "header_irql_annotation",
		"min_irql", "max_irql", "irql_source", "public_prototype", "documented")
	t := functionTable{make([]KMDFFunction, len(rows)), make(map[string]int, len(rows))}
	for i, r := range rows {
		f := functionOf(r)
		if f.Index != i {
			r.bug("index is %d, want %d", f.Index, i)
		}
		if _, ok := t.byName[f.Name]; ok {
			r.bug("%s occurs twice", f.Name)
		}
		t.list[i], t.byName[f.Name] = f, i
	}
	return t
}

// addRequired reads kmdf-required-pointers.csv into a function table.
func (t *functionTable) addRequired(text string) {
	for _, r := range readTable("kmdf-required-pointers.csv", text, "function", "required") {
		i, ok := t.byName[r.name("function")]
		if !ok {
			r.bug("there is no function %s", r.text("function"))
		}
		f := &t.list[i]
		for name := range strings.SplitSeq(r.name("required"), "; ") {
			at := slices.IndexFunc(f.Params, func(p Param) bool { return p.Name == name })
			if at < 0 {
				r.bug("%s has no parameter %s", f.Name, name)
			}
			f.Required = append(f.Required, at)
		}
	}
}

func functionOf(r row) KMDFFunction {
	f := KMDFFunction{
		Index:      int(r.number("index")),
		Name:       r.name("function"),
		Header:     headerOf(r),
		ReturnType: r.name("return_type"),
		Params:     paramsOf(r),
		MinVersion: r.version("min_kmdf_version_by_table"),
		DocVersion: r.text("min_kmdf_version_in_docs"),
		DocIRQL:    r.text("docs_irql"),
		HeaderIRQL: r.text("header_irql_annotation"),
		Public:     r.yes("public_prototype"),
		Documented: r.yes("documented"),
	}
	f.Limit = limitOf(r, conditionOf(f.HeaderIRQL))
	f.Limit.Name = f.Name
	f.Limit.Text = f.DocIRQL
	f.Limit.Source = kmdfSource(r)
	return f
}

// headerOf returns the header without the brackets of a remark.
func headerOf(r row) string { return strings.Trim(r.name("header"), "()") }

// conditionOf returns a header annotation that depends on an argument, "" otherwise.
func conditionOf(annotation string) string {
	if strings.Contains(annotation, "_When_(") {
		return annotation
	}
	return ""
}

// paramsOf splits "TYPE Name; TYPE Name". The type may have several words; the
// annotation aliasesMem (the callee keeps the pointer) is dropped.
func paramsOf(r row) []Param {
	var params []Param
	for p := range strings.SplitSeq(r.name("abi_params"), "; ") {
		i := strings.LastIndexByte(p, ' ')
		if i <= 0 || i == len(p)-1 {
			r.bug("parameter %q is not a type and a name", p)
		}
		params = append(params, Param{Type: strings.TrimPrefix(p[:i], "aliasesMem "), Name: p[i+1:]})
	}
	if n := r.number("abi_param_count"); int64(len(params)) != n {
		r.bug("%d parameters, abi_param_count says %d", len(params), n)
	}
	return params
}
