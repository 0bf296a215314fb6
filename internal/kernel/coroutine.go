package kernel

import (
	"fmt"
	"iter"
	"runtime/debug"
)

// coroutine carries a simulated thread: a Go stack that is switched to and
// away from, never running at the same time as another one of its machine.
// Coroutines are pooled: a search starts thousands of threads.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	job   func()
}

// unwound is the private panic that takes a suspended coroutine down.
type unwound struct{}

type coroutinePool struct{ idle []*coroutine }

// start returns a coroutine that will do job when it is resumed first.
func (p *coroutinePool) start(job func()) *coroutine {
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		c.job = job
		return c
	}
	c := &coroutine{job: job}
	c.next, c.stop = iter.Pull(c.loop)
	return c
}

// loop does one job after another; it yields after each.
func (c *coroutine) loop(yield func(struct{}) bool) {
	c.yield = yield
	for {
		c.run()
		if !yield(struct{}{}) {
			return
		}
	}
}

func (c *coroutine) run() {
	defer func() {
		c.job = nil
		switch r := recover().(type) {
		case nil, unwound:
		default:
			panic(fmt.Sprintf("%v\n\n%s", r, debug.Stack()))
		}
	}()
	c.job()
}

// finished reports whether the job is done.
func (c *coroutine) finished() bool { return c.job == nil }

// suspend gives control back to whoever resumed the coroutine.
func (c *coroutine) suspend() {
	if !c.yield(struct{}{}) {
		panic(unwound{})
	}
}

func (p *coroutinePool) put(c *coroutine) { p.idle = append(p.idle, c) }

func (p *coroutinePool) close() {
	for _, c := range p.idle {
		c.stop()
	}
	p.idle = nil
}
