package explore

import (
	"slices"

	"github.com/dirql/dirql/internal/choice"
)

// What has to come in another order than in a run: see Reduced.

// order is what orders the steps of a run in every run that is equivalent.
type order struct {
	process []int      // of each step: its number
	nth     []uint32   // of each step: the how manieth of its process, from 1
	clocks  [][]uint32 // of each step: how many steps of each process are before it or itself
}

// before reports whether step i comes before step j, which is a later one here.
func (o *order) before(i, j int) bool {
	c, p := o.clocks[j], o.process[i]
	return p < len(c) && c[p] >= o.nth[i]
}

// join: what is before step i is before step j, too.
func (o *order) join(i, j int) {
	for p, n := range o.clocks[i] {
		if p == len(o.clocks[j]) {
			o.clocks[j] = append(o.clocks[j], 0)
		}
		o.clocks[j][p] = max(o.clocks[j][p], n)
	}
}

// add adds the next step, of a process whose last one was step last (-1: none).
func (o *order) add(process, last int) (step int) {
	step = len(o.process)
	nth, clock := uint32(1), make([]uint32, process+1)
	if last >= 0 {
		nth = o.nth[last] + 1
	}
	o.process, o.nth, o.clocks = append(o.process, process), append(o.nth, nth), append(o.clocks, clock)
	if last >= 0 {
		o.join(last, step)
	}
	o.clocks[step][process] = nth
	return step
}

// reverse adds to the decisions of the run what has to be tried there: for each
// two steps that conflict, and between which there is no other reason for their
// order, what leads to the later one without the earlier one.
func (s *reduced) reverse() {
	for _, l := range s.lost {
		s.path[l.node].need([]choice.Process{l.Process})
	}
	o := &order{}
	numbers, last := map[choice.Process]int{}, []int{}
	nodes := s.nodes()
	for j := range s.steps.List {
		p, known := numbers[s.steps.List[j].Process]
		if !known {
			p = len(numbers)
			numbers[s.steps.List[j].Process] = p
			last = append(last, -1)
		}
		o.add(p, last[p])
		last[p] = j
		for i := j - 1; i >= 0; i-- {
			if o.before(i, j) || !conflict(s.steps.Of(i), s.steps.Of(j)) {
				continue
			}
			if nodes[i] >= 0 {
				s.path[nodes[i]].need(s.instead(o, i, j))
			}
			o.join(i, j)
		}
	}
}

// nodes returns the node of each step, -1 for those that were no decision.
func (s *reduced) nodes() []int {
	list := make([]int, len(s.steps.List))
	for i := range list {
		list[i] = -1
	}
	for n := range s.path {
		if s.path[n].step && s.path[n].index < len(list) {
			list[s.path[n].index] = n
		}
	}
	return list
}

// instead returns the processes with which a run can begin, in the place of step
// i, that comes to step j without step i: that of j, if it can be the first.
func (s *reduced) instead(o *order, i, j int) (first []choice.Process) {
	var way []int
	for k := i + 1; k <= j; k++ {
		if k < j && o.before(i, k) {
			continue
		}
		if !slices.ContainsFunc(way, func(m int) bool { return o.before(m, k) }) {
			first = append(first, s.steps.List[k].Process)
		}
		way = append(way, k)
	}
	slices.Reverse(first)
	return first
}

// need: one of these processes has to be tried at a decision, if it can go on
// there.
func (n *node) need(any []choice.Process) {
	add := -1
	for _, p := range any {
		at := slices.Index(n.of, p)
		switch {
		case n.sleeps(p) || at >= 0 && n.state[at] != notNeeded:
			return // it is, or was before
		case at >= 0 && add < 0:
			add = at
		}
	}
	if add >= 0 {
		n.state[add] = needed
	}
}
