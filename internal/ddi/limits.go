package ddi

import (
	"fmt"
	"sync"
)

// IRQL values on x64 (clause IRQL-2). Device levels are 3 to 11.
const (
	levelPassive   = 0
	levelAPC       = 1
	levelDispatch  = 2
	levelMinDevice = 3
	levelMaxDevice = 11
	levelHigh      = 15
)

// Kind tells what a documented name is.
type Kind uint8

// The kinds of documented names.
const (
	KindFunction Kind = iota // a routine that drivers call
	KindMacro                // the same, as a macro of a header
	KindCallback             // a routine that the system calls; its limits say at which level
)

// String returns the word that the tables use.
func (k Kind) String() string {
	return [...]string{"function", "macro", "callback"}[k]
}

// Limit is the documented IRQL range of one routine, macro or callback
// (clause IRQL-12). A side without a usable statement has Min 0 or Max 15, so
// that comparing with the numbers alone never blames a driver.
type Limit struct {
	Name string
	Kind Kind

	// Min and Max are IRQL numbers, 0 to 15. DIRQL is 11 as a maximum and 3 as
	// a minimum: the widest range of device levels on x64.
	Min, Max uint8
	// MinKnown and MaxKnown tell whether a checker may report that side.
	MinKnown, MaxKnown bool
	// Known is set if both sides are known.
	Known bool
	// MinIsDIRQL and MaxIsDIRQL are set where the page means the DIRQL of the
	// interrupt in question; a caller that knows it should pass it to [Limit.Allows].
	MinIsDIRQL, MaxIsDIRQL bool
	// Conditional is set if the range depends on an argument; Condition says how,
	// and the checker has to look at the argument itself.
	Conditional bool
	// Condition is the condition, or a remark that goes with the range. Often empty.
	Condition string
	// Text is the IRQL text of the reference page, "" if it has none.
	Text string
	// Source names what the range was taken from: page or header annotation, and header file.
	Source string
}

// Limits returns the documented IRQL range of a routine, macro or callback by
// its documented name, and false if no table has it. Where a name has several
// rows, the statement that cannot blame a correct driver wins (data/README.md).
func Limits(name string) (Limit, bool) {
	l, ok := limits()[name]
	return l, ok
}

// Allows tells whether the documentation permits irql. It is false only where
// the documentation clearly says otherwise. dirql is the level of the device
// interrupt that the call is about, 0 if there is none or it is not known.
func (l Limit) Allows(irql, dirql uint8) bool {
	lowest, highest := l.Min, l.Max
	if l.MinIsDIRQL && dirql != 0 {
		lowest = dirql
	}
	if l.MaxIsDIRQL && dirql != 0 {
		highest = dirql
	}
	return (!l.MinKnown || irql >= lowest) && (!l.MaxKnown || irql <= highest)
}

// String returns the range as a finding shows it, for instance "IRQL <=
// DISPATCH_LEVEL", "IRQL = APC_LEVEL", "any IRQL", or "IRQL depends: ...".
func (l Limit) String() string {
	switch {
	case l.Conditional:
		return "IRQL depends: " + l.Condition
	case !l.MinKnown && !l.MaxKnown:
		return "IRQL not specified"
	case l.Min == l.Max || l.MinIsDIRQL && l.MaxIsDIRQL:
		return "IRQL = " + levelName(l.Min, l.MinIsDIRQL)
	case l.Min == levelPassive && l.Max == levelHigh:
		return "any IRQL"
	case l.Min == levelPassive:
		return "IRQL <= " + levelName(l.Max, l.MaxIsDIRQL)
	case l.Max == levelHigh:
		return "IRQL >= " + levelName(l.Min, l.MinIsDIRQL)
	}
	return levelName(l.Min, l.MinIsDIRQL) + " <= IRQL <= " + levelName(l.Max, l.MaxIsDIRQL)
}

func levelName(level uint8, isDIRQL bool) string {
	if isDIRQL {
		return "DIRQL"
	}
	switch level {
	case levelPassive:
		return "PASSIVE_LEVEL"
	case levelAPC:
		return "APC_LEVEL"
	case levelDispatch:
		return "DISPATCH_LEVEL"
	case levelHigh:
		return "HIGH_LEVEL"
	}
	return fmt.Sprint(level)
}

var limits = sync.OnceValue(func() map[string]Limit {
	documented := parseLimits(dataFile(kernelFile))
	return mergeLimits(documented, functions().list)
})

const kernelFile = "kernel-ddi-irql.csv"

// parseLimits reads the table of documented routines, merging the rows of
// routines that several headers declare.
func parseLimits(text string) map[string]Limit {
	rows := readTable(kernelFile, text, "function", "kind", "docs_header", "declared_header", "library", "dll",
		"irql_text", "min_irql", "max_irql", "condition", "min_windows_client")
	m := make(map[string]Limit, len(rows))
	for _, r := range rows {
		l := limitOf(r, r.text("condition"))
		l.Name = r.name("function")
		l.Kind = map[string]Kind{"function": KindFunction, "macro": KindMacro, "callback": KindCallback}[r.oneOf("kind",
			"function", "macro", "callback")]
		l.Text = r.text("irql_text")
		l.Source = "reference page, " + r.name("docs_header")
		if old, ok := m[l.Name]; ok {
			l = mergeRows(r, old, l)
		}
		m[l.Name] = l
	}
	return m
}

// limitOf reads the normalized pair of a row. condition is what applies if the
// pair says "conditional".
func limitOf(r row, condition string) Limit {
	var l Limit
	l.Min, l.MinKnown, l.MinIsDIRQL = levelOf(r, "min_irql", levelPassive, levelMinDevice)
	l.Max, l.MaxKnown, l.MaxIsDIRQL = levelOf(r, "max_irql", levelHigh, levelMaxDevice)
	l.Known = l.MinKnown && l.MaxKnown
	l.Conditional = r.text("min_irql") == "conditional" || r.text("max_irql") == "conditional"
	l.Condition = condition
	if l.Conditional && condition == "" {
		r.bug("conditional without a condition")
	}
	if l.Min > l.Max {
		r.bug("lowest level %d is above highest level %d", l.Min, l.Max)
	}
	return l
}

// levelOf translates one level name. unknown is the number that restricts
// nothing on this side, device the number that stands for DIRQL on this side.
func levelOf(r row, column string, unknown, device uint8) (level uint8, known, isDIRQL bool) {
	switch name := r.text(column); name {
	case "PASSIVE":
		return levelPassive, true, false
	case "APC":
		return levelAPC, true, false
	case "DISPATCH":
		return levelDispatch, true, false
	case "DIRQL":
		return device, true, true
	case "HIGH":
		return levelHigh, true, false
	case "conditional", "see-remarks", "unspecified":
	default:
		r.bug("%s: unknown level %q", column, name)
	}
	return unknown, false, false
}

// mergeRows unites two rows for one name, a and b. They must agree, or one of
// them must say nothing.
func mergeRows(at row, a, b Limit) Limit {
	if a.silent() {
		a, b = b, a
	}
	if !b.silent() && !a.sameRange(b) {
		at.bug("%s: %v contradicts %v (%s)", a.Name, b, a, a.Source)
	}
	if a.Condition == "" && b.sameRange(a) {
		a.Condition = b.Condition
	}
	if a.Kind == KindMacro { // also a routine: then it can be imported
		a.Kind = b.Kind
	}
	return a
}

// silent tells whether the row makes no statement at all.
func (l Limit) silent() bool { return !l.MinKnown && !l.MaxKnown && !l.Conditional }

func (l Limit) sameRange(o Limit) bool {
	return l.Min == o.Min && l.MinKnown == o.MinKnown && l.MinIsDIRQL == o.MinIsDIRQL &&
		l.Max == o.Max && l.MaxKnown == o.MaxKnown && l.MaxIsDIRQL == o.MaxIsDIRQL && l.Conditional == o.Conditional
}

// mergeLimits adds the KMDF function table to the documented routines. A
// conditional range is kept against a plain one, a plain one against silence.
func mergeLimits(documented map[string]Limit, kmdf []KMDFFunction) map[string]Limit {
	for _, f := range kmdf {
		l, ok := documented[f.Name]
		switch {
		case !ok || l.silent():
			l = f.Limit
		case f.Limit.silent() || l.sameRange(f.Limit) || l.Conditional:
			// what is there stays
		default:
			bug("%s: %v (%s) contradicts %v (%s)", f.Name, f.Limit, kmdfFile, l, kernelFile)
		}
		documented[f.Name] = l
	}
	return documented
}

// kmdfSource words the irql_source column of the KMDF function table.
func kmdfSource(r row) string {
	header := headerOf(r)
	switch r.oneOf("irql_source", "docs", "header", "docs+header", "none") {
	case "docs":
		return "reference page, " + header
	case "header":
		return "annotation in " + header
	case "docs+header":
		return "reference page and annotation, " + header
	}
	return "no statement, " + header
}
