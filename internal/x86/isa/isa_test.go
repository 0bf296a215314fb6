package isa

import "testing"

func TestTableParses(t *testing.T) {
	rows := Rows()
	if len(rows) < 500 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.ModRM != hasModRM(r) {
			t.Errorf("%s %s: ModRM and operands %q disagree", r.Mnemonic, r.Encoding, r.OperandText)
		}
	}
}

func hasModRM(r *Row) bool {
	if r.Digit >= 0 || r.Fixed >= 0 {
		return true
	}
	for _, o := range r.Operands {
		switch o.Kind {
		case 'E', 'G', 'M', 'V', 'W', 'U', 'S', 'K':
			return true
		}
	}
	return false
}
