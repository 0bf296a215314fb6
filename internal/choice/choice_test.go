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

// What a recorder kept gives a script that answers the same.
func TestRecorder(t *testing.T) {
	r := &choice.Recorder{Source: choice.NewRandom(9)}
	var got []int
	for n := 2; n < 100; n++ {
		got = append(got, r.Choose(point(n)))
	}
	s := &choice.Script{Answers: r.Answers}
	for n := 2; n < 100; n++ {
		if a := s.Choose(point(n)); a != got[n-2] {
			t.Fatalf("answer %d is %d, was %d", n-2, a, got[n-2])
		}
	}
	if s.Diverged {
		t.Error("diverged")
	}
}

func TestKindNames(t *testing.T) {
	for k, want := range map[choice.Kind]string{choice.Step: "step", choice.Target: "target", choice.Device: "device"} {
		if k.String() != want {
			t.Errorf("%d is %q", k, k)
		}
	}
}
