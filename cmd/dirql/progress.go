package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dirql/dirql"
)

// progress is a line on a terminal that says how far an exploration is. Where
// the output is no terminal, it says nothing.
type progress struct {
	w     io.Writer // nil: no terminal
	runs  int
	limit time.Duration
	began time.Time
	shown time.Time
}

func newProgress(w io.Writer, runs int, limit time.Duration) *progress {
	p := &progress{runs: runs, limit: limit, began: time.Now()}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		p.w = w
	}
	return p
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// show writes the line, a few times a second.
func (p *progress) show(r *dirql.ExploreReport) {
	if p.w == nil || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(r, time.Since(p.began)))
}

// line says what was done in that time.
func (p *progress) line(r *dirql.ExploreReport, took time.Duration) string {
	rate := float64(r.Runs) / max(took.Seconds(), 0.001)
	s := fmt.Sprintf("%d runs, %.0f a second, %d findings, %d pairs of accesses", r.Runs, rate, len(r.Discoveries), r.Pairs)
	left := p.limit - took
	if p.runs > 0 {
		left = time.Duration(float64(p.runs-r.Runs) / max(rate, 0.001) * float64(time.Second))
	}
	return s + ", " + max(left, 0).Round(time.Second).String() + " left"
}

// clear removes the line, so that something else can be printed.
func (p *progress) clear() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
