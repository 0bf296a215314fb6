package report

import (
	"fmt"
	"io"
	"strings"
)

// unfinished lists what had not returned at the end of the trace: first what
// the processors were in, then threads without a processor.
func (r *replayer) unfinished(w io.Writer, width int) {
	var lines []string
	for cpu, l := range r.lanes {
		if l != nil && len(l.stack.frames) > 0 {
			lines = append(lines, fmt.Sprintf("P%d at %s: %s", cpu, levelName(l.irql), l.stack.path()))
		}
	}
	for _, s := range r.stacks {
		if len(s.frames) > 0 && !r.onProcessor(s) {
			lines = append(lines, fmt.Sprintf("thread %s, on no processor: %s", quoted(s.thread), s.path()))
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\nNot finished at the end, innermost first:\n")
	for _, line := range lines {
		for i, piece := range wrap(line, width-2, width-6) {
			fmt.Fprintf(w, "%*s%s\n", 2+4*min(i, 1), "", piece)
		}
	}
}

func (r *replayer) onProcessor(s *callStack) bool {
	for _, l := range r.lanes {
		if l != nil && l.stack == s {
			return true
		}
	}
	return false
}

// path names the frames of a stack, innermost first.
func (s *callStack) path() string {
	var names []string
	for i := len(s.frames) - 1; i >= 0; i-- {
		f := &s.frames[i]
		name := f.name
		if f.owns {
			name += fmt.Sprintf(" #%d", f.act)
		}
		names = append(names, name)
	}
	return strings.Join(names, " <- ")
}
