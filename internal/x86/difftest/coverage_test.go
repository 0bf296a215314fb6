package main

import "testing"

// TestEncodings checks that every row that can be tested gets encodings and
// cases, for every operand size, with registers and with memory.
func TestEncodings(t *testing.T) {
	tester := newTester(nil)
	for _, row := range tester.rows() {
		encodings, cases := 0, 0
		forms := map[[2]any]int{}
		for seed := range uint64(400) {
			e := encodingOf(row, 0, seed)
			if e == nil {
				continue
			}
			encodings++
			tester.loadCode([]*encoding{e})
			r := newRNG(seed, salt(row)+1)
			if c, ok := tester.newCase(e, &r); ok && tester.interpret(c) {
				cases++
				forms[[2]any{e.Inst.Size, e.Inst.Mem}]++
			}
		}
		if encodings < 200 || cases < 100 {
			t.Errorf("%s %s %s: of 400 seeds, %d gave encodings, %d cases", row.Mnemonic, row.Encoding, row.OperandText, encodings, cases)
		}
		if testing.Verbose() {
			t.Logf("%-12s %-20s %-14s %3d %3d %v", row.Mnemonic, row.Encoding, row.OperandText, encodings, cases, forms)
		}
	}
}
