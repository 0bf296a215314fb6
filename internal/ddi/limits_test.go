package ddi

import (
	"slices"
	"strings"
	"testing"
)

// TestLimits spot-checks the ranges of routines that the model relies on (IRQL-12).
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, want string
		kind       Kind
	}{
		{"KeInsertQueueDpc", "any IRQL", KindFunction},
		{"KeAcquireSpinLock", "IRQL <= DISPATCH_LEVEL", KindMacro},
		{"KeReleaseSpinLock", "IRQL = DISPATCH_LEVEL", KindMacro},
		{"KeAcquireSpinLockAtDpcLevel", "DISPATCH_LEVEL <= IRQL <= DIRQL", KindMacro},
		{"KeReleaseInterruptSpinLock", "IRQL = DIRQL", KindFunction},
		{"KeFlushQueuedDpcs", "IRQL = PASSIVE_LEVEL", KindFunction},
		{"KeDelayExecutionThread", "IRQL <= APC_LEVEL", KindFunction},
		{"ExReleaseFastMutex", "IRQL = APC_LEVEL", KindFunction},
		{"KeIpiGenericCall", "IRQL <= DIRQL", KindFunction},
		{"ExAcquireSpinLockSharedAtDpcLevel", "IRQL >= DISPATCH_LEVEL", KindFunction},
		{"KeWaitForSingleObject", "IRQL depends: zero non-NULL timeout: max DISPATCH; NULL or nonzero timeout: max APC", KindFunction},
		{"MmAllocatePagesForMdlEx", "IRQL not specified", KindFunction},
		{"KDEFERRED_ROUTINE", "IRQL = DISPATCH_LEVEL", KindCallback},
		{"KSERVICE_ROUTINE", "IRQL = DIRQL", KindCallback},
		{"EVT_WDF_INTERRUPT_DPC", "IRQL = DISPATCH_LEVEL", KindCallback},
		{"EVT_WDF_INTERRUPT_ISR", "IRQL depends: called at DIRQL; PASSIVE for passive-level interrupts", KindCallback},
		{"WdfInterruptQueueDpcForIsr", "IRQL <= DIRQL", KindFunction},
		{"WdfInterruptCreate", "IRQL <= DISPATCH_LEVEL", KindFunction},
		{"WdfRequestComplete", "IRQL <= DISPATCH_LEVEL", KindFunction},
		{"ExFreePool", "IRQL <= DISPATCH_LEVEL", KindFunction},
	} {
		l, ok := Limits(c.name)
		if !ok || l.Name != c.name {
			t.Errorf("%s: no limits", c.name)
			continue
		}
		if l.String() != c.want || l.Kind != c.kind {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, l, l.Kind, c.want, c.kind)
		}
	}
	if l, ok := Limits("NoSuchRoutine"); ok {
		t.Errorf("NoSuchRoutine has limits: %v", l)
	}
}

// TestLimitFields checks the fields that a checker reads.
func TestLimitFields(t *testing.T) {
	for _, want := range []Limit{
		{Name: "WdfInterruptQueueDpcForIsr", Min: 0, Max: 11, MinKnown: true, MaxKnown: true, Known: true,
			MaxIsDIRQL: true, Text: "<=DIRQL", Source: "reference page, wdfinterrupt.h"},
		{Name: "KeReleaseInterruptSpinLock", Min: 3, Max: 11, MinKnown: true, MaxKnown: true, Known: true,
			MinIsDIRQL: true, MaxIsDIRQL: true, Condition: "must be at the DIRQL set by the matching acquire",
			Text: "See Remarks section.", Source: "reference page, wdm.h"},
		{Name: "KeSetEvent", Min: 0, Max: 15, MinKnown: true, Conditional: true,
			Condition: "Wait=FALSE: max DISPATCH; Wait=TRUE: max APC, non-arbitrary thread",
			Text:      "See Remarks section.", Source: "reference page, wdm.h"},
		{Name: "MmFreePagesFromMdl", Min: 0, Max: 15, Text: "See Remarks section.", Source: "reference page, wdm.h"},
		{Name: "WdfCxVerifierKeBugCheck", Min: 0, Max: 15, Source: "no statement, class extension interface, not in public headers"},
		{Name: "WdfDriverErrorReportApiMissing", Min: 0, Max: 11, MinKnown: true, MaxKnown: true, Known: true,
			MaxIsDIRQL: true, Condition: "header: maximum DISPATCH + 1", Text: "DIRQL",
			Source: "reference page, wdfdriver.h"},
	} {
		if got, _ := Limits(want.Name); got != want {
			t.Errorf("got  %#v\nwant %#v", got, want)
		}
	}
}

// TestLimitAllows checks the comparison, with and without a known device level.
func TestLimitAllows(t *testing.T) {
	for _, c := range []struct {
		name         string
		dirql        uint8
		lowest, most uint8 // the range that is allowed
	}{
		{"KeInsertQueueDpc", 0, 0, 15},
		{"KeFlushQueuedDpcs", 0, 0, 0},
		{"KeReleaseSpinLock", 0, 2, 2},
		{"WdfInterruptQueueDpcForIsr", 0, 0, 11},
		{"WdfInterruptQueueDpcForIsr", 5, 0, 5},
		{"KeReleaseInterruptSpinLock", 0, 3, 11},
		{"KeReleaseInterruptSpinLock", 7, 7, 7},
		{"KeAcquireSpinLockAtDpcLevel", 7, 2, 7},
		{"KeWaitForSingleObject", 0, 0, 15},
		{"MmFreePagesFromMdl", 5, 0, 15},
	} {
		l, ok := Limits(c.name)
		if !ok {
			t.Errorf("%s: no limits", c.name)
		}
		for irql := uint8(0); irql <= 15; irql++ {
			if got, want := l.Allows(irql, c.dirql), c.lowest <= irql && irql <= c.most; got != want {
				t.Errorf("%s: Allows(%d, %d) = %v, want %v", c.name, irql, c.dirql, got, want)
			}
		}
	}
}

// TestLimitInvariants checks what every caller may rely on, for every name.
func TestLimitInvariants(t *testing.T) {
	for name, l := range limits() {
		if l.Name != name || l.Source == "" {
			t.Errorf("%s: name %q, source %q", name, l.Name, l.Source)
		}
		if l.Min > l.Max || l.Max > levelHigh {
			t.Errorf("%s: range %d to %d", name, l.Min, l.Max)
		}
		if !l.MinKnown && l.Min != levelPassive || !l.MaxKnown && l.Max != levelHigh {
			t.Errorf("%s: an unknown side restricts: %+v", name, l)
		}
		if l.Known != (l.MinKnown && l.MaxKnown) || l.Conditional && (l.Known || l.Condition == "") {
			t.Errorf("%s: flags contradict each other: %+v", name, l)
		}
		if l.MaxIsDIRQL && l.Max != levelMaxDevice || l.MinIsDIRQL && l.Min != levelMinDevice {
			t.Errorf("%s: DIRQL is %d to %d", name, l.Min, l.Max)
		}
	}
}

// TestDuplicatesAgree checks that rows for one name contradict each other only
// where data/README.md says so.
func TestDuplicatesAgree(t *testing.T) {
	names, lowest, highest := column(t, kernelFile, "function"), column(t, kernelFile, "min_irql"), column(t, kernelFile, "max_irql")
	headers, kinds := column(t, kernelFile, "docs_header"), column(t, kernelFile, "kind")
	pairs, places := make(map[string]string), make(map[string]bool)
	var differ []string
	for i, name := range names {
		pair := lowest[i] + ".." + highest[i]
		if old, ok := pairs[name]; ok && old != pair {
			differ = append(differ, name)
		}
		pairs[name] = pair
		if place := name + " " + headers[i] + " " + kinds[i]; places[place] {
			t.Errorf("%s occurs twice", place)
		} else {
			places[place] = true
		}
	}
	slices.Sort(differ)
	if want := []string{"RtlInitUTF8StringEx", "RtlUnicodeStringToUTF8String"}; !slices.Equal(differ, want) {
		t.Errorf("contradicting rows for %q, documented are %q", differ, want)
	}
	for name, want := range map[string]string{
		"RtlInitUTF8StringEx":          "IRQL <= DISPATCH_LEVEL",
		"RtlUnicodeStringToUTF8String": "IRQL = PASSIVE_LEVEL",
	} {
		if l, _ := Limits(name); l.String() != want {
			t.Errorf("%s: %v, want %s (the row that says something)", name, l, want)
		}
	}
}

// TestTablesDisagreeAsDocumented compares the two tables with IRQL columns: the
// names in which they differ are those that data/README.md lists, and the
// statement that cannot blame a correct driver wins.
func TestTablesDisagreeAsDocumented(t *testing.T) {
	pages := parseLimits(dataFile(kernelFile))
	both := 0
	var silent, conditional []string
	for _, f := range Functions() {
		page, ok := pages[f.Name]
		if !ok {
			continue
		}
		both++
		if page.sameRange(f.Limit) {
			continue
		}
		got, _ := Limits(f.Name)
		switch {
		case page.silent() && got == f.Limit:
			silent = append(silent, f.Name)
		case page.Conditional && got == page:
			conditional = append(conditional, f.Name)
		default:
			t.Errorf("%s: page %v, table %v, taken %v", f.Name, page, f.Limit, got)
		}
	}
	if both != 440 || len(silent) != 3 || len(conditional) != 7 {
		t.Errorf("%d names in both, %d silent %q, %d conditional %q; README.md says 440, 3, 7",
			both, len(silent), silent, len(conditional), conditional)
	}
	readme := dataFile("README.md")
	for _, name := range slices.Concat(silent, conditional) {
		if !strings.Contains(readme, name) {
			t.Errorf("README.md does not name %s, in which the tables differ", name)
		}
	}
}

const kernelHeader = "function,kind,docs_header,declared_header,library,dll,irql_text,min_irql,max_irql,condition,min_windows_client\n"

// TestLimitFaults checks that wrong rows are refused.
func TestLimitFaults(t *testing.T) {
	for text, want := range map[string]string{
		"F,function,wdm.h,wdm.h,,,,PASSIVE,VERY_HIGH,,\n":                                                      `unknown level "VERY_HIGH"`,
		"F,function,wdm.h,wdm.h,,,,DISPATCH,APC,,\n":                                                           "above highest",
		"F,thing,wdm.h,wdm.h,,,,PASSIVE,APC,,\n":                                                               "kind is",
		"F,function,wdm.h,wdm.h,,,,PASSIVE,conditional,,\n":                                                    "without a condition",
		",function,wdm.h,wdm.h,,,,PASSIVE,APC,,\n":                                                             "function is empty",
		"F,function,wdm.h,wdm.h,,,,PASSIVE,APC,,\nF,function,ntifs.h,wdm.h,,,,PASSIVE,DISPATCH,,\n":            "contradicts",
		"F,function,wdm.h,wdm.h,,,,PASSIVE,conditional,x,\nF,function,ntifs.h,wdm.h,,,,PASSIVE,DISPATCH,,\n":   "contradicts",
		"F,function,wdm.h,wdm.h,,,,unspecified,unspecified,,\nF,function,a.h,a.h,,,,conditional,conditional,,": "without a condition",
	} {
		mustBug(t, want, func() { parseLimits(kernelHeader + text) })
	}
	page := map[string]Limit{"F": {Name: "F", Max: 1, MinKnown: true, MaxKnown: true, Known: true}}
	kmdf := []KMDFFunction{{Name: "F", Limit: Limit{Name: "F", Max: 2, MinKnown: true, MaxKnown: true, Known: true}}}
	mustBug(t, "contradicts", func() { mergeLimits(page, kmdf) })
}
