package choice_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/choice"
)

func point(n int) *choice.Point {
	return &choice.Point{Alternatives: make([]choice.Alternative, n)}
}

func TestFirst(t *testing.T) {
	for n := 2; n < 10; n++ {
		if got := (choice.First{}).Choose(point(n)); got != 0 {
			t.Errorf("%d of %d", got, n)
		}
	}
}

// The answers of a seed are fixed for ever: replay files depend on them.
func TestRandomIsFixed(t *testing.T) {
	answers := func(seed uint64) (list []int) {
		r := choice.NewRandom(seed)
		for n := 2; n < 18; n++ {
			list = append(list, r.Choose(point(n)))
		}
		return list
	}
	for seed, want := range map[uint64][]int{
		0: {1, 0, 3, 4, 2, 0, 4, 4, 0, 6, 8, 11, 2, 5, 7, 13},
		1: {0, 1, 0, 1, 4, 6, 6, 5, 2, 6, 9, 6, 11, 13, 2, 16},
	} {
		if got := answers(seed); !slices.Equal(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

func TestRandomIsUniform(t *testing.T) {
	r := choice.NewRandom(3)
	var count [5]int
	const runs = 50_000
	for range runs {
		count[r.Choose(point(5))]++
	}
	for i, n := range count {
		if n < runs/5*9/10 || n > runs/5*11/10 {
			t.Errorf("alternative %d was taken %d times of %d", i, n, runs)
		}
	}
}

func TestScript(t *testing.T) {
	s := &choice.Script{Answers: []int{1, 2, 0}}
	for i, want := range []int{1, 2, 0, 0, 0} {
		if got := s.Choose(point(3)); got != want {
			t.Errorf("answer %d is %d, want %d", i, got, want)
		}
	}
	if s.Diverged {
		t.Error("diverged")
	}
	for _, bad := range []int{3, -1} {
		s := &choice.Script{Answers: []int{bad, 1}}
		if got := s.Choose(point(3)); got != 0 || !s.Diverged {
			t.Errorf("answer %d of 3: %d, diverged %v", bad, got, s.Diverged)
		}
		if got := s.Choose(point(3)); got != 1 {
			t.Errorf("the answer after that: %d", got)
		}
	}
}

func TestKindNames(t *testing.T) {
	for k, want := range map[choice.Kind]string{choice.Step: "step", choice.Target: "target", choice.Device: "device", choice.Fault: "fault"} {
		if k.String() != want {
			t.Errorf("%d is %q", k, k)
		}
	}
}

// A kept schedule, followed, answers the same; also where more is asked.
func TestFollowRepeatsWhatAKeeperKept(t *testing.T) {
	at := func(op uint32, n int) *choice.Point {
		p := point(n)
		for i := range p.Alternatives {
			p.Alternatives[i].ID = uint32(10 * i)
		}
		p.At = choice.Position{Activation: choice.Activation{Kind: 1, Code: 2, Object: 3, Nth: 1}, Op: op}
		return p
	}
	k := &choice.Keeper{Source: choice.NewRandom(4)}
	var want []int
	for op := range uint32(50) {
		want = append(want, k.Choose(at(op, 3)))
	}
	if k.Asked != 50 || len(k.Schedule) == 0 || len(k.Schedule) == 50 {
		t.Fatalf("%d asked, %d deviations", k.Asked, len(k.Schedule))
	}
	for _, strict := range []bool{true, false} {
		f := &choice.Follow{Schedule: k.Schedule, Strict: strict}
		for op, w := range want {
			if got := f.Choose(at(uint32(op), 3)); got != w {
				t.Errorf("strict %v, operation %d: %d, want %d", strict, op, got, w)
			}
			if got := f.Choose(at(uint32(op)+1000, 2)); got != 0 {
				t.Errorf("strict %v, a decision that was not asked before: %d", strict, got)
			}
		}
		if f.Diverged || f.Left() != 0 {
			t.Errorf("strict %v: diverged %v, %d left", strict, f.Diverged, f.Left())
		}
	}
	f := &choice.Follow{Schedule: k.Schedule, Strict: true}
	for op := range uint32(50) {
		f.Choose(at(op, 1))
	}
	if !f.Diverged {
		t.Error("alternatives that are not there were taken")
	}
}

func TestConflicts(t *testing.T) {
	read, write := choice.Operation{Addr: 0x100, Size: 4}, choice.Operation{Addr: 0x102, Size: 1, Write: true}
	behind := choice.Operation{Addr: 0x104, Size: 8, Write: true}
	for _, c := range []struct {
		a, b choice.Operation
		want bool
	}{{read, read, false}, {read, write, true}, {write, read, true}, {read, behind, false}, {behind, behind, true}, {choice.Operation{}, read, true}} {
		if got := c.a.Conflicts(c.b); got != c.want {
			t.Errorf("%+v and %+v: %v", c.a, c.b, got)
		}
	}
}
