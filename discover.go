package dirql

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/explore"
)

// What an exploration has found: each mistake once, reduced and recorded, with a
// count.

// discover reduces a finding, records it, and tells about it.
func (x *exploration) discover(rig *subject, d *explore.Discovery) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.found[d.Identity] != nil {
		return // of another worker
	}
	why := suppressed(x.o.Suppress, d.Identity)
	short := reduced{schedule: d.Schedule}
	minor := d.Detail == true
	if why == nil && !minor {
		rig.reducing = true
		short = rig.reduce(d, x.stop)
		rig.reducing = false
	}
	rep := rig.record(short.schedule)
	n := &Discovery{Identity: d.Identity, Run: d.Run, Strategy: d.Strategy, Before: len(d.Schedule), Report: rep,
		Preemptions: short.spent.Preemptions, Interrupts: short.spent.Interrupts, Minimum: short.minimum,
		Replay: x.s.replayOf(rig.r, short.schedule, rep, d.Identity)}
	if i := slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.identity == d.Identity }); i >= 0 {
		n.Finding = rep.Findings[i]
	}
	if why != nil {
		n.Suppressed = why.Reason
	}
	x.found[d.Identity] = n
	x.keepFinding(n)
	if x.o.New != nil && why == nil && !minor {
		x.o.New(n)
	}
}

// seen counts the variants of the findings of a run.
func (x *exploration) seen(list []Finding) {
	x.mu.Lock()
	defer x.mu.Unlock()
	counted := map[string]bool{}
	for i := range list {
		f := &list[i]
		if counted[f.identity+f.variant] {
			continue
		}
		counted[f.identity+f.variant] = true
		if x.variants[f.identity] == nil {
			x.variants[f.identity] = map[string]int{}
		}
		x.variants[f.identity][f.variant]++
	}
}

// otherVariants returns the variants of a mistake but for the one that is shown.
func (x *exploration) otherVariants(d *Discovery) []Variant {
	x.mu.Lock()
	defer x.mu.Unlock()
	var list []Variant
	for _, text := range slices.Sorted(maps.Keys(x.variants[d.Identity])) {
		if text != d.Finding.variant {
			list = append(list, Variant{text, x.variants[d.Identity][text]})
		}
	}
	return list
}

// report adds up what the workers did.
func (x *exploration) report(parts []*explore.CampaignReport) *ExploreReport {
	rep := &ExploreReport{Scenario: x.s.Name, Covered: x.covered, Earlier: x.first, Discoveries: slices.Clone(x.known)}
	for _, rig := range x.rigs {
		rep.Refused += int(rig.refused.Load())
	}
	for _, p := range parts {
		rep.Runs += p.Runs
		rep.Bounded += p.Bounded
		rep.Faulty += p.Faulty
		rep.Decisions += p.Decisions
		rep.Pairs = max(rep.Pairs, p.Pairs)
		rep.Visible = max(rep.Visible, p.Visible)
		for _, d := range p.Discoveries {
			x.count(rep, d)
		}
	}
	for _, d := range rep.Discoveries {
		d.Variants = x.otherVariants(d)
	}
	rep.Discoveries = slices.DeleteFunc(rep.Discoveries, func(d *Discovery) bool { return d.Finding.Minor && x.worse(d) })
	slices.SortFunc(rep.Discoveries, func(a, b *Discovery) int {
		return cmp.Or(cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.Run, b.Run))
	})
	return rep
}

// weight orders discoveries: what has to be mended, what is minor, what is known.
func (d *Discovery) weight() int {
	if d.Suppressed != "" {
		return 2
	}
	return weight(&d.Finding)
}

func weight(f *Finding) int {
	if f.Minor {
		return 1
	}
	return 0
}

// worse reports whether what is minor in some runs is a data race in others.
func (x *exploration) worse(d *Discovery) bool {
	_, place, _ := strings.Cut(d.Identity, "|")
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.found[dataRace+"|"+place] != nil
}

func (x *exploration) count(rep *ExploreReport, d *explore.Discovery) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.found[d.Identity]
	if n == nil {
		return
	}
	if slices.Contains(x.known, n) {
		return // counted when it was found
	}
	if !slices.Contains(rep.Discoveries, n) {
		n.Count = 0
		rep.Discoveries = append(rep.Discoveries, n)
	}
	n.Count += d.Count
}
