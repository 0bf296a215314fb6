package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/dirql/dirql/internal/x86/hostcpu"
	"github.com/dirql/dirql/internal/x86/isa"
)

const (
	perEncoding = 16 // inputs of each encoding
	perRow      = 40 // recorded cases of each row
)

// random compares cases of randomly chosen rows, or of one mnemonic, until
// there are that many.
func (t *tester) random(cases int, seed uint64, only string) {
	rows := t.rows()
	if only != "" {
		var some []*isa.Row
		for _, r := range rows {
			if strings.EqualFold(r.Mnemonic, only) {
				some = append(some, r)
			}
		}
		rows = some
	}
	if len(rows) == 0 {
		return
	}
	r := newRNG(seed, 0)
	for t.Cases < cases {
		var batch []*encoding
		for slot := range hostcpu.NumSlots {
			if e := encodingOf(rows[r.below(len(rows))], slot, r.next()); e != nil {
				batch = append(batch, e)
			}
		}
		t.loadCode(batch)
		for _, e := range batch {
			t.test(e, min(perEncoding, max(cases-t.Cases, 1)), r.next())
		}
	}
}

// record returns the recorded vectors: for each row, hashes of the results of
// its first cases. It compares them with the host first.
func (t *tester) record() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Recorded by internal/x86/difftest -record: hashes of results, compared with a processor.\n")
	for _, row := range t.rows() {
		fmt.Fprintf(&b, "%s|%s|%s:", row.Mnemonic, row.Encoding, row.OperandText)
		for i := range uint64(perRow) {
			c, ok := t.recorded(row, i)
			if !ok {
				b.WriteString(" -")
				continue
			}
			if what := t.differs(c, t.native(c)); what != "" {
				return nil, fmt.Errorf("%s: % X: %s", row.Mnemonic, c.Code, what)
			}
			fmt.Fprintf(&b, " %08x", t.hash(c))
		}
		b.WriteString("\n")
	}
	return b.Bytes(), nil
}

// recorded runs case i of a row in the interpreter.
func (t *tester) recorded(row *isa.Row, i uint64) (*testCase, bool) {
	e := encodingOf(row, 0, i)
	if e == nil {
		return nil, false
	}
	t.loadCode([]*encoding{e})
	r := newRNG(i, salt(row)+1)
	c, ok := t.newCase(e, &r)
	return c, ok && !c.undefinedResult() && t.interpret(c)
}

// replayAll compares the interpreter with recorded vectors. It returns the number
// of cases and what is different.
func (t *tester) replayAll(vectors []byte) (cases int, problems []string) {
	rows := map[string]*isa.Row{}
	for _, r := range isa.Rows() {
		rows[r.Mnemonic+"|"+r.Encoding+"|"+r.OperandText] = r
	}
	lines := bufio.NewScanner(bytes.NewReader(vectors))
	for lines.Scan() {
		key, values, ok := strings.Cut(lines.Text(), ":")
		row := rows[key]
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if row == nil {
			problems = append(problems, "no row "+key+": record the vectors again")
			continue
		}
		for i, v := range strings.Fields(values) {
			if what := t.replay(row, uint64(i), v); what != "" {
				problems = append(problems, fmt.Sprintf("%s, case %d: %s", key, i, what))
			}
			cases++
		}
	}
	return cases, problems
}

func (t *tester) replay(row *isa.Row, i uint64, recorded string) string {
	c, ok := t.recorded(row, i)
	if recorded == "-" {
		if ok {
			return "has a result, had none when it was recorded"
		}
		return ""
	}
	want, err := strconv.ParseUint(recorded, 16, 32)
	switch {
	case err != nil:
		return err.Error()
	case !ok:
		return "has no result"
	case t.hash(c) != uint32(want):
		return fmt.Sprintf("% X gives another result than when it was recorded", c.Code)
	}
	return ""
}
