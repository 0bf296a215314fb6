package explore_test
import ("testing";"github.com/dirql/dirql/internal/explore";"github.com/dirql/dirql/internal/choice";"github.com/dirql/dirql/internal/kernel")
type tr struct{ choice.Source; t *testing.T }
func (x tr) Choose(p *choice.Point) int { a := x.Source.Choose(p); x.t.Logf("   choose %v %v -> %d", p.Kind, p.Alternatives, a); return a }
func TestTmpX(t *testing.T) {
	s := uint64(102551)
	p := newGenerator(s).program(2 + int(s%6))
	r := newRunner(t, p)
	m := explore.Plain(r.run, explore.Limits{Merge: true})
	pl := explore.Plain(r.run, explore.Limits{})
	for _, o := range pl.Outcomes {
		found := false
		for _, q := range m.Outcomes { if q.Key == o.Key { found = true } }
		if found { continue }
		t.Log(o.Key, o.Choices)
		r.run(tr{&choice.Script{Answers: o.Choices}, t}, func(s kernel.State) bool { t.Logf("%x t=%d", s[0], r.Now()); return false })
	}
}
