package litmus

import (
	"strings"
	"testing"
)

// TestRelation feeds starts and ends of runs: a1 starts run 1 of the first object on processor 0, b2+ run 2 of the
// second one; A1 ends it.
func TestRelation(t *testing.T) {
	tests := []struct {
		events string
		one    Value // rel(A)
		two    Value // rel(A, B)
	}{
		{"", None, None},
		{"a1 A1", None, None},
		{"a1 A1 a2 A2", "after", None},
		{"a1 a2 A1 A2", "overlap", None},
		{"a1 a2 A2 A1", "inside", None},
		{"a1 a2", None, None}, // the run was cut
		{"a1 A1 a2 a3 A2 A3", "after overlap", None},
		{"a1 a2 A2 A1 a3 a4 A3 A4", "after overlap inside", None},
		{"a1 a2 a3 A3 A2 A1", "inside", None},
		{"a1 A1 b1 B1", None, "after"},
		{"b1 B1 a1 A1", None, "after"},
		{"b1 a1 A1 B1", None, "inside"},
		{"b1 a1 B1 A1", None, "overlap"},
		{"a1 A1 a2 A2 b1 B1", "after", "after"},
		{"b1 B1 b2 B2", None, None},
		{"a1 b1 b2 B1 B2 A1", None, "inside"},
	}
	for _, tt := range tests {
		var one, two relation
		for e := range strings.FieldsSeq(tt.events) {
			a := activeRun{second: e[0]|0x20 == 'b', run: int(e[1] - '0')}
			start := e[0] >= 'a'
			switch {
			case start && !a.second:
				one.started(a, false)
			case !a.second:
				one.ended(a, false)
			}
			if start {
				two.started(a, true)
			} else {
				two.ended(a, true)
			}
		}
		if one.value() != tt.one || two.value() != tt.two {
			t.Errorf("%q: rel(A) %s, rel(A, B) %s, want %s, %s", tt.events, one.value(), two.value(), tt.one, tt.two)
		}
	}
}

func TestGap(t *testing.T) {
	type step struct {
		run, cpu int
		end      bool
		low      uint64
	}
	tests := []struct {
		name  string
		steps []step
		want  Value
	}{
		{"one run", []step{{1, 0, false, 3}, {1, 0, true, 3}}, None},
		{"nothing between", []step{{1, 0, false, 3}, {1, 0, true, 3}, {2, 0, false, 3}, {2, 0, true, 3}}, None},
		{"a thread between", []step{{1, 0, false, 3}, {1, 0, true, 3}, {2, 0, false, 4}}, "thread"},
		{"another processor", []step{{1, 0, false, 3}, {1, 0, true, 3}, {2, 1, false, 9}}, None},
		{"nested", []step{{1, 0, false, 3}, {2, 0, false, 3}, {2, 0, true, 3}, {1, 0, true, 3}}, None},
		{"only the first pair", []step{{1, 0, false, 3}, {1, 0, true, 3}, {2, 0, false, 4}, {2, 0, true, 4}, {3, 0, false, 4}}, "thread"},
		{"an older run ends", []step{{1, 0, false, 3}, {2, 1, false, 0}, {1, 0, true, 5}, {3, 1, false, 1}}, None},
	}
	for _, tt := range tests {
		var g gap
		for _, s := range tt.steps {
			if s.end {
				g.ended(s.run, s.low)
			} else {
				g.started(s.run, s.cpu, s.low)
			}
		}
		if g.value() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g.value(), tt.want)
		}
	}
}
