package explore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
)

// digits is a program that asks for digits: as many alternatives as the list
// says, one question after the other. The outcome is what outcome makes of them.
func digits(alternatives []int, outcome func(digits []int) explore.Result) explore.Program {
	return func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		var d []int
		for _, n := range alternatives {
			d = append(d, source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, n)}))
		}
		return outcome(d)
	}
}

func TestPlainFindsEveryCombination(t *testing.T) {
	p := digits([]int{2, 3, 4}, func(d []int) explore.Result { return explore.Result{Outcome: fmt.Sprint(d)} })
	r := explore.Plain(p, explore.Limits{})
	if !r.Complete || r.Why != "" || r.Runs != 24 || len(r.Outcomes) != 24 || r.Pruned != 0 || r.States != 0 {
		t.Fatalf("%+v", r)
	}
	for i, o := range r.Outcomes {
		if want := fmt.Sprint([]int{i / 12, i / 4 % 3, i % 4}); o.Key != want || o.Count != 1 || fmt.Sprint(o.Choices) != want {
			t.Errorf("outcome %d: %+v, want %s", i, o, want)
		}
	}
}

// Equal outcomes are one, with the choices of the first run that had it, which
// lead there again.
func TestPlainCountsOutcomes(t *testing.T) {
	p := digits([]int{3, 3, 3}, func(d []int) explore.Result { return explore.Result{Outcome: fmt.Sprint(d[0] + d[1] + d[2])} })
	r := explore.Plain(p, explore.Limits{})
	var got []string
	for _, o := range r.Outcomes {
		got = append(got, fmt.Sprintf("%s:%d", o.Key, o.Count))
		script := &choice.Script{Answers: o.Choices}
		if again := p(script, nil); again.Outcome != o.Key || script.Diverged {
			t.Errorf("the choices of %s lead to %s", o.Key, again.Outcome)
		}
	}
	if s := strings.Join(got, " "); s != "0:1 1:3 2:6 3:7 4:6 5:3 6:1" {
		t.Error(s)
	}
}

// The number of questions may depend on the answers.
func TestPlainIrregularTree(t *testing.T) {
	r := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		s := ""
		for range 3 {
			a := source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, 2)})
			if s += fmt.Sprint(a); a == 1 {
				break
			}
		}
		return explore.Result{Outcome: s}
	}, explore.Limits{})
	var got []string
	for _, o := range r.Outcomes {
		got = append(got, o.Key)
	}
	if s := strings.Join(got, " "); s != "000 001 01 1" || r.Runs != 4 {
		t.Errorf("%d runs: %s", r.Runs, s)
	}
}

func TestPlainWithoutQuestions(t *testing.T) {
	r := explore.Plain(digits(nil, func([]int) explore.Result { return explore.Result{Outcome: "x"} }), explore.Limits{})
	if !r.Complete || r.Runs != 1 || len(r.Outcomes) != 1 {
		t.Errorf("%+v", r)
	}
}

// A bound on runs is told unless it was not needed.
func TestPlainBoundOnRuns(t *testing.T) {
	p := digits([]int{2, 2, 2}, func(d []int) explore.Result { return explore.Result{Outcome: fmt.Sprint(d)} })
	for runs, complete := range map[int]bool{1: false, 7: false, 8: true, 9: true} {
		r := explore.Plain(p, explore.Limits{Runs: runs})
		if r.Complete != complete || (r.Why == "") != complete || r.Runs != min(runs, 8) {
			t.Errorf("at most %d runs: %+v", runs, r)
		}
	}
}

// A run that reached a bound of the machine makes the search incomplete, also
// if it is not the last one.
func TestPlainBoundOfTheMachine(t *testing.T) {
	p := digits([]int{2, 2}, func(d []int) explore.Result {
		return explore.Result{Outcome: fmt.Sprint(d), Bounded: d[0] == 0 && d[1] == 1}
	})
	if r := explore.Plain(p, explore.Limits{}); r.Complete || r.Why == "" || r.Runs != 4 || len(r.Outcomes) != 4 {
		t.Errorf("%+v", r)
	}
}

// A program whose questions do not depend on the answers only is our mistake.
func TestPlainNeedsAFunctionOfTheChoices(t *testing.T) {
	defer func() {
		if s := fmt.Sprint(recover()); !strings.HasPrefix(s, "BUG:") {
			t.Errorf("panic %s", s)
		}
	}()
	run := 0
	explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		run++
		source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, 2)})
		source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, 1+run)})
		return explore.Result{}
	}, explore.Limits{})
}

// counter is a program of two processes that add to their own numbers; its
// state is the two numbers.
func counter(source choice.Source, visited func(kernel.State) bool) explore.Result {
	var n [2]int
	order := ""
	for n[0] < 4 || n[1] < 4 {
		i := 0
		switch {
		case n[0] == 4:
			i = 1
		case n[1] < 4:
			if visited != nil && visited(kernel.State{uint64(n[0]), uint64(n[1])}) {
				return explore.Result{Pruned: true}
			}
			i = source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, 2)})
		}
		n[i]++
		order += fmt.Sprint(i)
	}
	return explore.Result{Outcome: fmt.Sprint(n)}
}

// With merging each state is left once, by each of its alternatives.
func TestPlainMerge(t *testing.T) {
	full, merged := explore.Plain(counter, explore.Limits{}), explore.Plain(counter, explore.Limits{Merge: true})
	if full.Runs != 70 || len(full.Outcomes) != 1 || full.Outcomes[0].Count != 70 {
		t.Errorf("without merging %+v", full)
	}
	// 4x4 states with a choice; each but the first is met a second time by at most one way more.
	if merged.States != 16 || merged.Runs != 17 || merged.Pruned != 9 || len(merged.Outcomes) != 1 || merged.Outcomes[0].Count != 8 {
		t.Errorf("with merging %+v", merged)
	}
	if !merged.Complete {
		t.Error(merged.Why)
	}
}

// A program that goes round in circles ends with merging.
func TestPlainMergeCycle(t *testing.T) {
	r := explore.Plain(func(source choice.Source, visited func(kernel.State) bool) explore.Result {
		for at := uint64(0); ; at = (at + 1) % 5 {
			if visited(kernel.State{at}) {
				return explore.Result{Pruned: true}
			}
			if source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, 2)}) == 1 {
				return explore.Result{Outcome: fmt.Sprint(at)}
			}
		}
	}, explore.Limits{Merge: true})
	if !r.Complete || len(r.Outcomes) != 5 || r.Runs != 6 || r.Pruned != 1 {
		t.Errorf("%+v", r)
	}
}
