package report

import (
	"github.com/dirql/dirql/internal/trace"
)

// maxFrames bounds how deep a stack is followed; what lies deeper is shown at
// that depth.
const maxFrames = 256

// frame is a routine or a call that has not returned.
type frame struct {
	call  bool
	act   uint32
	owns  bool // the outermost frame of its activation
	name  string
	args  string // of a call
	rails string // this frame and those below it
}

// callStack is what is nested on one thread: the thread's own code and what
// interrupted it.
type callStack struct {
	thread string // "" if unknown
	cpu    int    // processor that runs it or ran it last
	frames []frame
	over   int  // frames above maxFrames
	listed bool // in replayer.stacks
}

// top returns the innermost frame, an empty one if there is none.
func (s *callStack) top() frame {
	if n := len(s.frames); n > 0 {
		return s.frames[n-1]
	}
	return frame{}
}

func (s *callStack) rails() string { return s.top().rails }

// push opens a frame and tells whether it is the outermost of its activation.
func (s *callStack) push(e *trace.Event, rail byte) (owns bool) {
	if len(s.frames) == maxFrames {
		s.over++
		return false
	}
	n := len(s.frames)
	owns = e.Kind == trace.Start && e.Act != 0 && (n == 0 || s.frames[n-1].act != e.Act)
	f := frame{act: e.Act, owns: owns, name: e.Name, rails: s.rails() + string(rail)}
	if e.Kind == trace.Call {
		f.call, f.args = true, e.Text
	}
	s.frames = append(s.frames, f)
	return owns
}

// pop closes the frame that an end or a return belongs to, with those above it
// that never returned. It tells whether there is one.
func (s *callStack) pop(e *trace.Event) bool {
	if s.over > 0 {
		s.over--
		return false
	}
	for i := len(s.frames) - 1; i >= 0; i-- {
		f := &s.frames[i]
		if f.act == e.Act && f.call == (e.Kind == trace.Return) && f.name == e.Name {
			s.frames = s.frames[:i]
			return true
		}
	}
	return false
}

// lane is what happens on one processor.
type lane struct {
	stack   *callStack
	irql    uint8
	starter string // thread that begins here: the next start names it
	object  string // DPC that was taken out of the queue: the next start names it
}

// replayer goes through the events once more with the stack of every thread.
// The trace does not number threads: a thread that goes on is recognized by
// its activation.
type replayer struct {
	plan   *plan
	events []trace.Event
	lanes  []*lane
	stacks []*callStack          // all that had a frame, in order of the first one
	byAct  map[uint32]*callStack // by activation; looked up only
	rows   []row
}

func replay(events []trace.Event, verbose bool) *replayer {
	r := &replayer{plan: newPlan(events, verbose), events: events, byAct: map[uint32]*callStack{}}
	for i := range events {
		if e := &events[i]; cpuOf(e) < 0 {
			r.outside(e)
		} else {
			r.on(i, e, r.lane(int(e.CPU)), verbose)
		}
	}
	return r
}

// lane returns the lane of a processor.
func (r *replayer) lane(cpu int) *lane {
	if cpu >= len(r.lanes) {
		r.lanes = append(r.lanes, make([]*lane, cpu+1-len(r.lanes))...)
	}
	if r.lanes[cpu] == nil {
		r.lanes[cpu] = &lane{stack: &callStack{cpu: cpu}}
	}
	return r.lanes[cpu]
}

// outside adds the row of an event of no processor.
func (r *replayer) outside(e *trace.Event) {
	r.rows = append(r.rows, row{time: e.Time, cpu: -1, level: actor(e), text: outsideText(e)})
}

// on adds the row of an event of a processor, if it gets one, and keeps its
// stack.
func (r *replayer) on(i int, e *trace.Event, l *lane, verbose bool) {
	before := l.irql
	l.irql = e.IRQL
	if r.plan.hidden[i] {
		if e.Kind == trace.Dequeue {
			l.object = e.Name
		}
		return
	}
	switch e.Kind {
	case trace.Start:
		r.start(e, l)
	case trace.Call:
		r.call(i, e, l)
	case trace.End, trace.Return:
		r.end(e, l)
	case trace.Switch:
		r.switchThread(i, e, l, verbose)
	case trace.IRQL:
		r.add(e, l, levelChange(before, e.IRQL))
	default:
		r.add(e, l, eventText(e, l.stack))
	}
}

// add adds an ordinary row.
func (r *replayer) add(e *trace.Event, l *lane, text string) {
	rails := l.stack.rails()
	r.rows = append(r.rows, row{time: e.Time, cpu: int(e.CPU), level: levelName(e.IRQL), rails: rails, after: rails, text: text})
}

func (r *replayer) start(e *trace.Event, l *lane) {
	text := startText(e, l.starter, l.object)
	l.starter, l.object = "", ""
	rails := l.stack.rails()
	owns := r.push(e, l, boxRail)
	x := row{time: e.Time, cpu: int(e.CPU), level: levelName(e.IRQL), rails: rails, after: l.stack.rails(), text: text, mark: opening}
	if owns {
		x.act = e.Act
	}
	r.rows = append(r.rows, x)
}

// push opens a frame on the stack of a lane.
func (r *replayer) push(e *trace.Event, l *lane, rail byte) (owns bool) {
	if !l.stack.listed {
		l.stack.listed = true
		r.stacks = append(r.stacks, l.stack)
	}
	r.byAct[e.Act] = l.stack
	return l.stack.push(e, rail)
}

func (r *replayer) call(i int, e *trace.Event, l *lane) {
	if back := r.plan.fold[i]; back != 0 {
		r.add(e, l, foldedText(e, &r.events[back], r.queuedBy(i)))
		return
	}
	r.add(e, l, "call "+callText(e))
	r.push(e, l, callRail)
	r.rows[len(r.rows)-1].after = l.stack.rails()
}

// queuedBy returns the event of the DPC that a folded call queued, nil if none.
func (r *replayer) queuedBy(call int) *trace.Event {
	if q := r.plan.queued[call]; q != 0 {
		return &r.events[q]
	}
	return nil
}

func (r *replayer) end(e *trace.Event, l *lane) {
	known := l.stack.pop(e)
	r.add(e, l, returnText(e))
	if known && e.Kind == trace.End {
		r.rows[len(r.rows)-1].mark = closing
	}
}

// switchThread gives a processor to another thread. Left out are the start of
// a thread, which its first routine tells, and the end of the last one.
func (r *replayer) switchThread(i int, e *trace.Event, l *lane, verbose bool) {
	left := l.stack
	goesOn := r.park(e, l)
	if verbose {
		r.add(e, l, "switch to "+threadName(e.Name))
		return
	}
	if len(left.frames) > 0 {
		r.rows = append(r.rows, row{time: e.Time, cpu: int(e.CPU), level: levelName(e.IRQL), rails: left.rails(),
			after: l.stack.rails(), text: leaveText(left.thread, e.Name, int(e.CPU))})
	}
	k, ok := r.plan.kindAt(r.plan.next[i])
	switch {
	case goesOn:
		r.add(e, l, threadName(e.Name)+" goes on"+movedText(l.stack.cpu, int(e.CPU)))
	case ok && k == trace.Start:
		l.starter = e.Name
		fallthrough
	case e.Name == idleThread:
		r.rows = append(r.rows, row{cpu: int(e.CPU), after: l.stack.rails(), silent: true})
	default:
		r.add(e, l, threadName(e.Name)+" runs")
	}
	l.stack.cpu = int(e.CPU)
}

// park puts the stack of a lane away and takes the one of the thread that goes
// on; it tells whether that one was interrupted in the middle of something.
func (r *replayer) park(e *trace.Event, l *lane) (goesOn bool) {
	if s := r.byAct[e.Act]; e.Act != 0 && s != nil && len(s.frames) > 0 && s.thread == e.Name {
		l.stack = s
		return true
	}
	l.stack = &callStack{thread: e.Name, cpu: int(e.CPU)}
	return false
}
