package litmus

import (
	"fmt"
	"testing"
)

// record makes an outcome from names and values in turn.
func record(code uint32, pairs ...string) Outcome {
	o := Outcome{BugCheck: code}
	for i := 0; i < len(pairs); i += 2 {
		o.Bindings = append(o.Bindings, Binding{pairs[i], Value(pairs[i+1])})
	}
	return o
}

func TestDiff(t *testing.T) {
	allowed := []Allowed{
		{Outcome: record(0, "runs", "2", "c", "2")},
		{Outcome: record(0, "runs", "2", "c", "1")},
		{Outcome: record(0, "runs", "1", "c", "1"), May: true},
		{Outcome: record(0x10D, "p1", "0x5")},
	}
	all := []Outcome{
		record(0, "runs", "2", "c", "2"),
		record(0, "runs", "2", "c", "1"),
		record(0x10D, "p1", "0x5", "p2", "R", "finding", "DoubleCompletion"),
	}
	tests := []struct {
		name           string
		observed       []Outcome
		missing, extra string
	}{
		{"exact", all, "[]", "[]"},
		{"a may member is reached", append([]Outcome{record(0, "runs", "1", "c", "1")}, all...), "[]", "[]"},
		{"nothing", nil, "[{bugcheck 0x10D, p1 = 0x5} {runs = 2, c = 1} {runs = 2, c = 2}]", "[]"},
		{"missing", all[1:], "[{runs = 2, c = 2}]", "[]"},
		{"extra, twice", append([]Outcome{record(0, "runs", "3", "c", "2"), record(0, "runs", "3", "c", "2")}, all...), "[]", "[{runs = 3, c = 2}]"},
		{"another parameter", append([]Outcome{record(0x10D, "p1", "0x6")}, all...), "[]", "[{bugcheck 0x10D, p1 = 0x6}]"},
		{"another code", append([]Outcome{record(0x44)}, all...), "[]", "[{bugcheck 0x44}]"},
		{"a failure is never allowed", append([]Outcome{{Failure: "hang", Bindings: all[0].Bindings}}, all...), "[]", "[{failure: hang, runs = 2, c = 2}]"},
	}
	for _, tt := range tests {
		missing, extra := Diff(tt.observed, allowed)
		if got := fmt.Sprint(missing); got != tt.missing {
			t.Errorf("%s: missing %s, want %s", tt.name, got, tt.missing)
		}
		if got := fmt.Sprint(extra); got != tt.extra {
			t.Errorf("%s: extra %s, want %s", tt.name, got, tt.extra)
		}
	}
}

// TestCatalogueDiff compares each allowed set with itself.
func TestCatalogueDiff(t *testing.T) {
	for _, lt := range mustCatalogue(t) {
		var observed []Outcome
		for _, a := range lt.Allowed {
			observed = append(observed, a.Outcome)
		}
		missing, extra := Diff(observed, lt.Allowed)
		if len(missing) > 0 || len(extra) > 0 {
			t.Errorf("%s: missing %v, extra %v", lt.ID, missing, extra)
		}
	}
}

func TestValues(t *testing.T) {
	lt := &Test{Words: []string{"A", "B"}}
	tests := []struct {
		typ  Type
		v    int64
		want Value
	}{
		{TypeInt, 12, "12"},
		{TypeInt, -1, "-1"},
		{TypeBool, 1, "T"},
		{TypeBool, 0, "F"},
		{TypeProc, 1, "P1"},
		{TypeProc, noProcessor, None},
		{TypeWord, 2, "B"},
		{TypeWord, 0, None},
		{TypeHandle, 0, "NULL"},
		{TypeStatus, 0x102, "STATUS_TIMEOUT"},
		{TypeStatus, 0xC0000005, "0xC0000005"},
	}
	for _, tt := range tests {
		if got := lt.Value(tt.typ, tt.v); got != tt.want {
			t.Errorf("%s %d is %s, want %s", tt.typ, tt.v, got, tt.want)
		}
	}
	if got := Seq("A", "B").String(); got != `"A B"` {
		t.Errorf("sequence is %s", got)
	}
}
