package main

import "testing"

// TestRestart runs every row with memory that the interpreter stops before, and
// with memory that is not there but served by the test: the results have to be
// those of an uninterrupted run.
func TestRestart(t *testing.T) {
	plain := newTester(nil)
	for _, other := range []*tester{newTesterOn(nil, visiblePages), newTesterOn(nil, devicePages)} {
		cases := 0
		for _, row := range plain.rows() {
			for seed := range uint64(60) {
				want, ok := plain.recorded(row, seed)
				got, also := other.recorded(row, seed)
				if ok != also && !other.crossed {
					t.Errorf("%s %s, case %d: %t and %t", row.Mnemonic, row.Encoding, seed, ok, also)
				}
				if !ok || !also {
					continue
				}
				cases++
				if plain.hash(want) != other.hash(got) {
					other.out = plain.got
					t.Errorf("%s %s, pages %d: % X: %s", row.Mnemonic, row.Encoding, other.pages, got.Code, other.differs(got, plain.after[:]))
				}
			}
		}
		t.Logf("pages %d: %d cases, %d stops", other.pages, cases, other.stops)
		if cases < 20_000 || other.stops < cases/2 {
			t.Errorf("pages %d: only %d cases, %d stops", other.pages, cases, other.stops)
		}
	}
}
