package wdf_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// merging is a machine with a queue whose driver has its whole state in simulated
// memory, the record of what happened included: equal states can be merged.
type merging struct {
	*kernel.Machine
	f        *wdf.Framework
	device   wdf.WDFDEVICE
	log      uint64 // count, then one byte per event
	cell     uint64 // the request that the driver works for
	lock     uint64
	requests [2]wdf.WDFREQUEST
	routines []uint64
	visited  func(kernel.State) bool
}

// event appends to the record, as part of the present step.
func (m *merging) event(e byte) {
	n, _ := m.Mem.Load(m.log, 8)
	m.Mem.Store(m.log+8+n, 1, uint64(e))
	m.Mem.Store(m.log, 8, n+1)
}

func (m *merging) fn(name string, f func(s *wdf.Sys, a kernel.Args)) uint64 {
	return m.Function(name, func(t *kernel.Thread, a kernel.Args) uint64 {
		f(m.f.Sys(t), a)
		return 0
	})
}

func (m *merging) run(t *testing.T, routine uint64) {
	t.Helper()
	m.NewThread(kernel.ThreadParams{Name: "thread", Routine: routine, Foreground: true})
	if r := m.Run(); r != kernel.Done {
		t.Fatalf("the run ended: %s %v", r, titles(m.Findings()))
	}
}

func newMerging(t *testing.T, attributes *wdf.ObjectAttributes) *merging {
	t.Helper()
	m := &merging{}
	serialized := attributes != nil && attributes.SynchronizationScope == wdf.SynchronizationScopeQueue
	machine, err := kernel.New(kernel.Config{Processors: 2, Profile: kernel.DefaultProfile,
		Visited: func(s kernel.State) bool { return m.visited != nil && m.visited(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(machine.Close)
	m.Machine, m.f = machine, wdf.NewFramework(machine)
	m.log, m.cell, m.lock = m.Mem.Alloc(64, 0, false, 0), m.Mem.Alloc(8, 0, false, 0), m.Mem.Alloc(8, 0, false, 0)
	cancel := wdf.Callback(m.fn("EvtRequestCancel", func(s *wdf.Sys, a kernel.Args) {
		m.event('c')
		old := s.KeAcquireSpinLock(m.lock)
		if s.Load(m.cell, 8) == a[0] {
			s.Store(m.cell, 8, 0)
		}
		s.KeReleaseSpinLock(m.lock, old)
		s.WdfRequestComplete(wdf.WDFREQUEST(a[0]), wdf.StatusCancelled)
		m.event('C')
	}))
	present := m.fn("EvtIoDefault", func(s *wdf.Sys, a kernel.Args) {
		m.event('1' + byte(slices.Index(m.requests[:], wdf.WDFREQUEST(a[1]))))
		old := s.KeAcquireSpinLock(m.lock)
		st := s.WdfRequestMarkCancelableEx(wdf.WDFREQUEST(a[1]), cancel)
		if !st.Failed() {
			s.Store(m.cell, 8, a[1])
		}
		s.KeReleaseSpinLock(m.lock, old)
		if st.Failed() {
			m.event('x')
			s.WdfRequestComplete(wdf.WDFREQUEST(a[1]), st)
		}
		m.event('.')
	})
	m.run(t, m.fn("boot", func(s *wdf.Sys, _ kernel.Args) {
		s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(func(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
			device, _ := s.WdfDeviceCreate(init, nil)
			kind := wdf.IoQueueDispatchSequential
			if serialized {
				kind = wdf.IoQueueDispatchParallel
			}
			c := wdf.IoQueueConfigInitDefaultQueue(kind)
			c.EvtIoDefault = wdf.Callback(present)
			_, st := s.WdfIoQueueCreate(device, &c, attributes)
			return st
		})}, nil)
		m.device, _ = s.AddDevice(0)
		s.StartDevice(m.device, nil, nil)
		for i := range m.requests {
			m.requests[i] = s.PrepareRequest(m.device, read4)
		}
		s.SubmitRequest(m.requests[0])
		if !serialized {
			s.SubmitRequest(m.requests[1])
		}
	}))
	if serialized { // fewer steps elsewhere: locks cost many
		m.routines = []uint64{
			m.fn("sender", func(s *wdf.Sys, _ kernel.Args) { s.SubmitRequest(m.requests[1]) }),
			m.fn("application", func(s *wdf.Sys, _ kernel.Args) { s.CancelRequest(m.requests[0]) }),
		}
		return m
	}
	m.routines = []uint64{
		m.fn("finish", func(s *wdf.Sys, _ kernel.Args) {
			old := s.KeAcquireSpinLock(m.lock)
			r := s.Load(m.cell, 8)
			if r != 0 && s.WdfRequestUnmarkCancelable(wdf.WDFREQUEST(r)) == wdf.StatusSuccess {
				s.Store(m.cell, 8, 0)
			} else {
				r = 0
			}
			s.SetPosition(r)
			s.KeReleaseSpinLock(m.lock, old)
			if r != 0 {
				m.event('f')
				s.WdfRequestComplete(wdf.WDFREQUEST(r), 0)
			}
		}),
		m.fn("application", func(s *wdf.Sys, _ kernel.Args) {
			s.CancelRequest(m.requests[0])
		}),
	}
	return m
}

// search returns the outcomes and the number of runs.
func (m *merging) search(t *testing.T, merge bool) (outcomes []string, runs int) {
	t.Helper()
	snapshot, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if merge {
		m.EnableHash()
	}
	report := explore.Plain(func(source choice.Source, visited func(kernel.State) bool) explore.Result {
		m.Restore(snapshot)
		m.Use(source, nil)
		m.visited = visited
		for cpu, routine := range m.routines {
			m.NewThread(kernel.ThreadParams{Name: "thread", Routine: routine, Affinity: 1 << cpu, Foreground: true})
		}
		r := m.Run()
		if r == kernel.Seen {
			return explore.Result{Pruned: true}
		}
		n, _ := m.Mem.Load(m.log, 8)
		p := make([]byte, n)
		if n > 0 {
			m.Mem.Read(m.log+8, p)
		}
		return explore.Result{Outcome: fmt.Sprintf("%s %s %v", r, p, titles(m.Findings()))}
	}, explore.Limits{Merge: merge, Runs: 500_000})
	m.visited = nil
	m.Restore(snapshot)
	if !report.Complete {
		t.Fatalf("not complete: %s", report.Why)
	}
	for _, o := range report.Outcomes {
		outcomes = append(outcomes, o.Key)
	}
	return outcomes, report.Runs
}

// Merging equal states loses no outcome: frames and tables tell everything that
// queues and requests keep across scheduling points.
func TestIOQ3MergedStatesLoseNothing(t *testing.T) {
	long(t)
	for name, attributes := range map[string]*wdf.ObjectAttributes{
		"no lock":    nil,
		"queue lock": {SynchronizationScope: wdf.SynchronizationScopeQueue},
		"passive":    {ExecutionLevel: wdf.ExecutionLevelPassive},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerging(t, attributes)
			plain, runs := m.search(t, false)
			merged, mergedRuns := m.search(t, true)
			t.Logf("%d runs, %d with merging; outcomes %q", runs, mergedRuns, plain)
			if !slices.Equal(plain, merged) || len(plain) < 2 || mergedRuns >= runs {
				t.Errorf("plain %q\nmerged %q", plain, merged)
			}
		})
	}
}
