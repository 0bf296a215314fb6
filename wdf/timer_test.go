package wdf_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// milliseconds is a due time from now.
func milliseconds(n int64) int64 { return -n * 10_000 }

func TestOBJ6Create(t *testing.T) {
	with := func(change func(c *wdf.TimerConfig)) func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
		return func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
			c := wdf.TimerConfigInit(1)
			change(&c)
			_, st := s.WdfTimerCreate(&c, a)
			return st
		}
	}
	good := with(func(*wdf.TimerConfig) {})
	passive := func(period uint32) func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
		return func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
			a.ExecutionLevel = wdf.ExecutionLevelPassive
			return with(func(c *wdf.TimerConfig) { c.Period = period })(s, a)
		}
	}
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			tryChildren(b, s, good,
				createChild{"size 32", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.Size = 32 })},
				createChild{"size 24", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.Size = 24 })},
				createChild{"size 16", wdf.StatusInfoLengthMismatch, with(func(c *wdf.TimerConfig) { c.Size = 16 })},
				createChild{"period", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.Period = math.MaxInt32 })},
				createChild{"period too long", wdf.StatusInvalidParameter, with(func(c *wdf.TimerConfig) { c.Period = 1 << 31 })},
				createChild{"delay", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.TolerableDelay = math.MaxUint32 })},
				createChild{"delay before 1.13", wdf.StatusInvalidParameter, with(func(c *wdf.TimerConfig) { c.Size, c.TolerableDelay = 32, 1<<31 })},
				createChild{"no delay before 1.11", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.Size, c.TolerableDelay = 24, 1<<31 })},
				createChild{"high resolution", wdf.StatusSuccess, with(func(c *wdf.TimerConfig) { c.UseHighResolutionTimer = true })},
				createChild{"high resolution with delay", wdf.StatusInvalidParameter, with(func(c *wdf.TimerConfig) {
					c.UseHighResolutionTimer, c.TolerableDelay = true, 1
				})},
				createChild{"passive", wdf.StatusSuccess, passive(0)},
				createChild{"passive and periodic", wdf.StatusNotSupported, passive(10)},
			)
			c := wdf.TimerConfigInit(0)
			timer := must(s.WdfTimerCreate(&c, parent(b.device)))
			if p := s.WdfTimerGetParentObject(timer); p != b.device {
				t.Errorf("parent 0x%X", p)
			}
			s.WdfTimerStart(timer, milliseconds(1)) // no callback: nothing happens
		})
	})
	if c := wdf.TimerConfigInitPeriodic(3, 7); c != (wdf.TimerConfig{Size: 40, EvtTimerFunc: 3, Period: 7, AutomaticSerialization: true}) {
		t.Errorf("TimerConfigInitPeriodic: %+v", c)
	}
}

// timerDriver is a driver with a WDFTIMER. Its runs are noted as [ ].
func timerDriver(h *wdf.WDFTIMER, period uint32, level wdf.ExecutionLevel, f func(b *bench, s *wdf.Sys)) driver {
	return driver{add: func(b *bench, s *wdf.Sys) {
		c := wdf.TimerConfigInitPeriodic(b.fn("timer", func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("[")
			if wdf.Handle(a[0]) != *h {
				b.Errorf("EvtTimerFunc gets 0x%X", a[0])
			}
			if f != nil {
				f(b, s)
			}
			b.note("]")
			return 0
		}), period)
		c.AutomaticSerialization = false
		a := parent(b.device)
		a.ExecutionLevel = level
		*h = must(s.WdfTimerCreate(&c, a))
	}}
}

// DISPATCH_LEVEL by default; PASSIVE_LEVEL in a work item if the attributes of
// the timer say so, not those of the parent (OBJ-7).
func TestOBJ7Level(t *testing.T) {
	for level, want := range map[wdf.ExecutionLevel]string{
		wdf.ExecutionLevelInherit: "[ DPC 2 ]", wdf.ExecutionLevelDispatch: "[ DPC 2 ]", wdf.ExecutionLevelPassive: "[ work item 0 ]",
	} {
		var timer wdf.WDFTIMER
		d := timerDriver(&timer, 0, level, func(b *bench, s *wdf.Sys) {
			kind, _ := s.Activation()
			b.note("%v %d", kind, s.KeGetCurrentIrql())
		})
		d.attributes.ExecutionLevel = wdf.ExecutionLevelPassive
		scenario(t, d, func(b *bench) {
			b.forget()
			b.do(func(s *wdf.Sys) { s.WdfTimerStart(timer, milliseconds(1)) })
			b.want(want)
		})
	}
}

// Expiries of a passive timer become one while its work item is enqueued
// (OBJ-7).
func TestOBJ7PassiveExpiriesCoalesce(t *testing.T) {
	var timer wdf.WDFTIMER
	scenario(t, timerDriver(&timer, 0, wdf.ExecutionLevelPassive, nil), func(b *bench) {
		b.forget()
		routine := b.threadRoutine("urgent", func(s *wdf.Sys) { // no worker runs on this processor meanwhile
			for range 3 {
				s.WdfTimerStart(timer, milliseconds(1))
				s.KeStallExecutionProcessor(2000)
				s.KeStallExecutionProcessor(1)
			}
		})
		b.NewThread(kernel.ThreadParams{Name: "urgent", Routine: routine, Priority: kernel.HighestPriority, Foreground: true})
		b.run()
		b.want("[ ]")
	})
}

// Start returns whether the timer was set, and sets it anew; it expires in time,
// once, or each period (OBJ-8).
func TestOBJ8Start(t *testing.T) {
	var timer wdf.WDFTIMER
	at := func(b *bench, s *wdf.Sys) { b.note("%dms", (b.Now()+500_000)/1_000_000) }
	scenario(t, timerDriver(&timer, 0, 0, at), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.note("%v", s.WdfTimerStart(timer, milliseconds(50)))
			b.note("%v", s.WdfTimerStart(timer, milliseconds(20)))
			s.KeDelayExecutionThread(kernel.After(30_000_000))
			b.note("%v", s.WdfTimerStart(timer, 90*10_000)) // since the start of the machine
		})
		b.want("false true [ 20ms ] false [ 90ms ]")
	})
	scenario(t, timerDriver(&timer, 10, 0, at), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.WdfTimerStart(timer, milliseconds(5))
			s.KeDelayExecutionThread(kernel.After(29_000_000))
			b.note("%v", s.WdfTimerStop(timer, true))
		})
		b.want("[ 5ms ] [ 15ms ] [ 25ms ] true")
	})
}

// Stop without wait: TRUE if the timer was set; also in its own callback (OBJ-9).
func TestOBJ9StopWithoutWait(t *testing.T) {
	var timer wdf.WDFTIMER
	scenario(t, timerDriver(&timer, 10, 0, func(b *bench, s *wdf.Sys) { b.note("%v", s.WdfTimerStop(timer, false)) }), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.note("%v", s.WdfTimerStop(timer, false))
			s.WdfTimerStart(timer, milliseconds(1))
			b.note("%v", s.WdfTimerStop(timer, false))
			b.note("%v", s.WdfTimerStop(timer, false))
			s.WdfTimerStart(timer, milliseconds(1))
			s.KeDelayExecutionThread(kernel.After(50_000_000))
		})
		b.want("false true false [ true ]") // the periodic timer was set again before the callback
	})
}

// Stop with wait returns when no callback runs any more, whatever the schedule:
// TRUE, no callback; FALSE, it has ended (OBJ-9). Without wait it may still run.
func TestOBJ9StopWithWait(t *testing.T) {
	for _, level := range []wdf.ExecutionLevel{wdf.ExecutionLevelDispatch, wdf.ExecutionLevelPassive} {
		var timer wdf.WDFTIMER
		var x uint64
		d := timerDriver(&timer, 0, level, func(b *bench, s *wdf.Sys) { s.Load(x, 8) })
		d.processors = 2
		b := newBench(t, d)
		x = b.Mem.Alloc(8, 0, false, 0)
		stop := func(wait bool) []string {
			return b.explore(
				body{1, func(s *wdf.Sys) { s.WdfTimerStart(timer, 0) }},
				body{0, func(s *wdf.Sys) { b.note("%v", s.WdfTimerStop(timer, wait)) }},
			)
		}
		b.wantOutcomes(stop(true),
			"true", // also if the start was ignored
			"[ ] false",
			"false [ ]", // the start came after the stop
		)
		if got := stop(false); !slices.Contains(got, "[ false ]") {
			t.Errorf("outcomes without wait: %q", got)
		}
	}
}

// Start is ignored during a Stop that waits: FALSE, and the Stop returns TRUE
// (OBJ-8, OBJ-9). A callback that started its timer just before is followed by a
// second round: a timer that starts itself is at rest after the Stop.
func TestOBJ8StartDuringStop(t *testing.T) {
	var timer wdf.WDFTIMER
	runs := 0
	d := timerDriver(&timer, 0, 0, func(b *bench, s *wdf.Sys) {
		if runs++; runs == 1 {
			s.WdfTimerStart(timer, milliseconds(1))
		}
	})
	d.processors = 2
	b := newBench(t, d)
	b.before = func() { runs = 0 }
	b.after = func() {
		if slices.ContainsFunc(b.log.Events, func(e trace.Event) bool { return strings.HasPrefix(e.Text, "WdfTimerStart is ignored") }) {
			b.note("ignored")
		}
	}
	got := b.explore(
		body{1, func(s *wdf.Sys) { s.WdfTimerStart(timer, 0) }},
		body{0, func(s *wdf.Sys) {
			s.KeStallExecutionProcessor(1)
			b.note("stop:%v", s.WdfTimerStop(timer, true))
			b.note("left:%v", s.WdfTimerStop(timer, false))
		}},
	)
	b.wantOutcomes(got,
		"[ ] stop:true left:false",         // its start was cancelled, in the first or the second round
		"[ ] stop:true left:false ignored", // its start was ignored
		"stop:true left:false",             // the first start was cancelled
		"stop:true left:false ignored",     // the first start was ignored
		"stop:false left:true",             // the first start came later
		"stop:false [ ] left:true",
		"stop:false [ left:false ] [ ]",
		"stop:false left:false [ ] [ ]",
	)
}

// Stop with wait in the timer's own callback: in the DPC the verifier refuses
// the level, in the work item the framework refuses to wait for itself; nothing
// is stopped (OBJ-9, VER-3).
func TestOBJ9StopInOwnCallback(t *testing.T) {
	for level, finding := range map[wdf.ExecutionLevel]string{
		wdf.ExecutionLevelDispatch: "verifier break: KmdfIrql2",
		wdf.ExecutionLevelPassive:  "verifier break: WdfTimerStop in the timer's callback",
	} {
		var timer wdf.WDFTIMER
		runs := 0
		d := timerDriver(&timer, 0, level, func(b *bench, s *wdf.Sys) {
			if runs++; runs > 1 {
				return
			}
			s.WdfTimerStart(timer, milliseconds(1))
			b.note("%v", s.WdfTimerStop(timer, true))
		})
		scenario(t, d, func(b *bench) {
			runs = 0
			b.forget()
			b.do(func(s *wdf.Sys) { s.WdfTimerStart(timer, milliseconds(1)) })
			b.want("[ false ] [ ]")
			b.wantFindings(finding)
		})
	}
	// Without the verifier the DPC gets the same answer, from the same check.
	var timer wdf.WDFTIMER
	d := timerDriver(&timer, 0, 0, func(b *bench, s *wdf.Sys) { b.note("%v", s.WdfTimerStop(timer, true)) })
	d.profile = &kernel.Profile{}
	scenario(t, d, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfTimerStart(timer, milliseconds(1)) })
		b.want("[ false ]")
		b.wantFindings("KmdfIrql2")
	})
}

// Two threads that stop at a time (OBJ-9).
func TestOBJ9TwoStops(t *testing.T) {
	var timer wdf.WDFTIMER
	d := timerDriver(&timer, 0, 0, nil)
	d.processors = 2
	b := newBench(t, d)
	stop := func(s *wdf.Sys) { s.WdfTimerStop(timer, true) }
	got := b.explore(body{0, stop}, body{1, stop})
	b.wantOutcomes(got, "", "verifier break: WdfTimerStop twice at a time")
}

// Deleting a timer stops it and waits for the callback; Start is refused from
// then on (OBJ-8). Deletion in the callback: a work item does it, and in the
// callback of a passive timer it waits for itself.
func TestTimerDelete(t *testing.T) {
	var timer wdf.WDFTIMER
	scenario(t, timerDriver(&timer, 0, 0, nil), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			c := wdf.TimerConfigInit(b.object("other", nil))
			a := parent(b.device)
			a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) {
				b.note("%v %d", s.WdfTimerStart(h, milliseconds(1)), s.WdfTimerGetParentObject(h))
			})
			other := must(s.WdfTimerCreate(&c, a))
			s.WdfTimerStart(other, milliseconds(1))
			s.WdfObjectDelete(other)
		})
		b.want("cleanup false 0")
		b.wantFindings("verifier break: WdfTimerStart on a deleted timer")
	})
	remove := func(b *bench, s *wdf.Sys) { s.WdfObjectDelete(timer) }
	scenario(t, timerDriver(&timer, 0, 0, remove), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfTimerStart(timer, milliseconds(1)) })
		b.want("[ ]")
	})
	b := newBench(t, timerDriver(&timer, 0, wdf.ExecutionLevelPassive, remove))
	b.stop(func(s *wdf.Sys) {
		s.WdfTimerStart(timer, milliseconds(1))
		s.KeDelayExecutionThread(kernel.After(10_000_000))
	})
	b.wantFindings("verifier break: timer deleted in its callback", "verifier break: WdfTimerStop in the timer's callback", "deadlock")
}

// A timer can fire after EvtDeviceD0Exit: the framework does not stop it.
// Litmus L-46 (PWR-2).
func TestPWR2TimerAfterD0Exit(t *testing.T) {
	var timer wdf.WDFTIMER
	scenario(t, timerDriver(&timer, 0, 0, nil), func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.WdfTimerStart(timer, milliseconds(1))
			s.SetPower(b.device, wdf.PowerDeviceD3)
		})
		b.want("SelfManagedIoSuspend D0ExitPreInterruptsDisabled D0Exit [ ]")
	})
}
