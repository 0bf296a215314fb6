package choice

// Deviation is a decision that differs from the default one: at a position of
// the run, which alternative was taken.
type Deviation struct {
	At    Position
	Kind  Kind
	Event bool
	ID    uint32
}

// Schedule describes a run by its deviations, in the order in which they
// happened. What is decided nowhere else goes the default way.
type Schedule []Deviation

// Keeper passes questions on and keeps the deviations: the schedule of the run.
type Keeper struct {
	Source   Source
	Schedule Schedule
	Asked    int // decisions
}

// Choose implements Source.
func (k *Keeper) Choose(p *Point) int {
	k.Asked++
	a := k.Source.Choose(p)
	if a != 0 {
		alt := &p.Alternatives[a]
		k.Schedule = append(k.Schedule, Deviation{p.At, p.Kind, alt.Event, alt.ID})
	}
	return a
}

// Follow repeats a schedule. It does not depend on how many decisions a run has
// between deviations, so a schedule stays valid where more of them are asked.
type Follow struct {
	Schedule Schedule
	next     int
	// Strict: a deviation whose alternative does not exist where it should, or
	// whose position never came, is a divergence. Otherwise deviations are taken
	// where they fit, in any order: for the search for shorter schedules.
	Strict   bool
	Diverged bool
	Used     Schedule // those that were taken
	done     []bool
}

// Choose implements Source.
func (f *Follow) Choose(p *Point) int {
	if f.Strict {
		return f.strict(p)
	}
	if f.done == nil {
		f.done = make([]bool, len(f.Schedule))
	}
	for i := f.next; i < len(f.Schedule); i++ {
		d := &f.Schedule[i]
		if f.done[i] || d.At != p.At || d.Kind != p.Kind {
			continue
		}
		if a := d.find(p); a >= 0 {
			f.done[i] = true
			for f.next < len(f.done) && f.done[f.next] {
				f.next++
			}
			f.Used = append(f.Used, *d)
			return a
		}
	}
	return 0
}

func (f *Follow) strict(p *Point) int {
	if f.next == len(f.Schedule) || f.Schedule[f.next].At != p.At || f.Schedule[f.next].Kind != p.Kind {
		return 0
	}
	a := f.Schedule[f.next].find(p)
	f.next++
	if a < 0 {
		f.Diverged = true
		return 0
	}
	return a
}

// Left returns the number of deviations that were not reached; with Strict a
// run that is over and has some left was not the one that was recorded.
func (f *Follow) Left() int { return len(f.Schedule) - f.next }

// find returns the index of the alternative of a deviation, -1 if it is not
// there.
func (d *Deviation) find(p *Point) int {
	for i := range p.Alternatives {
		if a := &p.Alternatives[i]; a.Event == d.Event && a.ID == d.ID {
			return i
		}
	}
	return -1
}
