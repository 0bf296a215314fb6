package wdf_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// bench is a machine with the framework, a driver and its device, for tests of
// clauses. Tests raise interrupts with Machine.SendMessage and SetLine.
type bench struct {
	testing.TB
	*kernel.Machine
	f          *wdf.Framework
	log        *trace.Log
	d          driver
	device     wdf.WDFDEVICE
	rawList    wdf.WDFCMRESLIST   // raw resources
	list       wdf.WDFCMRESLIST   // translated resources
	interrupts []wdf.WDFINTERRUPT // of d.interrupts
	history    []string           // what note was given
	only       []string           // if not nil, note keeps these only
	seen       int                // findings that a test has looked at
	threads    int

	before, after func() // of each run of a search
}

// driver describes a driver and its device: what differs from one whose
// callbacks succeed and do nothing.
type driver struct {
	processors int // default 1
	profile    *kernel.Profile
	tunables   kernel.Tunables
	attributes wdf.ObjectAttributes                 // of the device
	pageless   bool                                 // WdfDeviceInitSetPowerNotPageable
	few        bool                                 // EvtDeviceD0Exit is the only PnP and power callback
	requests   func(b *bench) *wdf.ObjectAttributes // of the requests that the device gets
	interrupts []interrupt
	late       []interrupt // made in EvtDevicePrepareHardware
	// init is called in EvtDriverDeviceAdd before the device is made.
	init func(b *bench, s *wdf.Sys, init *wdf.DeviceInit)
	// add is called in EvtDriverDeviceAdd after the interrupts were made.
	add func(b *bench, s *wdf.Sys)
	// resources, if set, are the interrupt resources instead of one for each interrupt.
	resources func(b *bench) (raw, translated []wdf.Resource)
	// pnp is called in each PnP and power callback of the device with its name
	// without EvtDevice: D0Entry, PrepareHardware.
	pnp func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS
}

// interrupt describes an interrupt object and its resource.
type interrupt struct {
	vector   uint8 // 0: no resource
	line     bool  // a line instead of a message
	latched  bool
	shared   bool
	wakeHint bool
	affinity uint64 // default: all
	config   func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig)

	isr             func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool // default: queue the DPC or work item, TRUE
	dpc, work       deferred
	enable, disable change
}

// Callbacks of interrupts.
type (
	deferred func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT)
	change   func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) wdf.NTSTATUS
)

// nothing is a DPC or work item that does nothing.
func nothing(*bench, *wdf.Sys, wdf.WDFINTERRUPT) {}

// scenario runs a body twice on equal machines and compares the traces byte by
// byte. Findings that the body has not taken are errors.
func scenario(t *testing.T, d driver, body func(b *bench)) {
	t.Helper()
	var first []byte
	for run := range 2 {
		b := newBench(t, d)
		body(b)
		for _, f := range b.take() {
			t.Errorf("finding: %s: %s\n%s", f.Title(), f.Text, b.text())
		}
		text := b.text()
		if run == 0 {
			first = text
		} else if !bytes.Equal(first, text) {
			t.Errorf("two equal runs differ:\n%s\nsecond:\n%s", first, text)
		}
		if t.Failed() {
			return
		}
	}
}

// newBench makes a machine and lets the driver make its device, which is not
// started yet.
func newBench(t testing.TB, d driver) *bench {
	t.Helper()
	if d.processors == 0 {
		d.processors = 1
	}
	profile := kernel.DefaultProfile
	if d.profile != nil {
		profile = *d.profile
	}
	log := &trace.Log{}
	m, err := kernel.New(kernel.Config{Processors: d.processors, Profile: profile, Tunables: d.tunables, Trace: log, MaxSteps: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	b := &bench{TB: t, Machine: m, f: wdf.NewFramework(m), log: log, d: d}
	b.do(func(s *wdf.Sys) {
		s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(b.deviceAdd)}, nil)
		var st wdf.NTSTATUS
		if b.device, st = s.AddDevice(0); st.Failed() {
			b.Fatalf("AddDevice: %s", trace.StatusName(uint32(st)))
		}
	})
	return b
}

// fn makes a callback of a function; each name is used once.
func (b *bench) fn(name string, f func(s *wdf.Sys, a kernel.Args) uint64) wdf.Callback {
	return wdf.Callback(b.Function(name, func(t *kernel.Thread, a kernel.Args) uint64 { return f(b.f.Sys(t), a) }))
}

// object makes a callback that gets one handle, and notes its name.
func (b *bench) object(name string, f func(s *wdf.Sys, h wdf.Handle)) wdf.Callback {
	return b.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
		b.note("%s", name)
		if f != nil {
			f(s, wdf.Handle(a[0]))
		}
		return 0
	})
}

// deviceAdd is the EvtDriverDeviceAdd.
func (b *bench) deviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	pnp := func(name string) wdf.Callback {
		if b.d.few && name != "D0Exit" && (name != "PrepareHardware" || b.d.late == nil) {
			return 0
		}
		return b.fn("EvtDevice"+name, func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%s", name)
			if name == "PrepareHardware" {
				b.rawList, b.list = wdf.Handle(a[1]), wdf.Handle(a[2])
			}
			if b.d.pnp != nil {
				if st := b.d.pnp(b, s, name); st.Failed() {
					return uint64(st)
				}
			}
			if name == "PrepareHardware" {
				b.addLate(s)
			}
			return 0
		})
	}
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &wdf.PnpPowerEventCallbacks{
		EvtDeviceD0Entry:                      pnp("D0Entry"),
		EvtDeviceD0EntryPostInterruptsEnabled: pnp("D0EntryPostInterruptsEnabled"),
		EvtDeviceD0Exit:                       pnp("D0Exit"),
		EvtDeviceD0ExitPreInterruptsDisabled:  pnp("D0ExitPreInterruptsDisabled"),
		EvtDevicePrepareHardware:              pnp("PrepareHardware"),
		EvtDeviceReleaseHardware:              pnp("ReleaseHardware"),
		EvtDeviceSelfManagedIoCleanup:         pnp("SelfManagedIoCleanup"),
		EvtDeviceSelfManagedIoFlush:           pnp("SelfManagedIoFlush"),
		EvtDeviceSelfManagedIoInit:            pnp("SelfManagedIoInit"),
		EvtDeviceSelfManagedIoSuspend:         pnp("SelfManagedIoSuspend"),
		EvtDeviceSelfManagedIoRestart:         pnp("SelfManagedIoRestart"),
		EvtDeviceSurpriseRemoval:              pnp("SurpriseRemoval"),
		EvtDeviceQueryRemove:                  pnp("QueryRemove"),
		EvtDeviceQueryStop:                    pnp("QueryStop"),
	})
	if b.d.pageless {
		s.WdfDeviceInitSetPowerNotPageable(init)
	}
	if b.d.requests != nil {
		s.WdfDeviceInitSetRequestAttributes(init, b.d.requests(b))
	}
	if b.d.init != nil {
		b.d.init(b, s, init)
	}
	a := b.d.attributes
	device, st := s.WdfDeviceCreate(init, &a)
	if st.Failed() {
		return st
	}
	b.device = device
	for n := range b.d.interrupts {
		i, st := s.WdfInterruptCreate(device, b.config(s, n), nil)
		if st.Failed() {
			b.Fatalf("WdfInterruptCreate %d: %s", n, trace.StatusName(uint32(st)))
		}
		b.interrupts = append(b.interrupts, i)
	}
	if b.d.add != nil {
		b.d.add(b, s)
	}
	return wdf.StatusSuccess
}

// addLate makes the interrupts of EvtDevicePrepareHardware, in the place of those
// of an earlier start.
func (b *bench) addLate(s *wdf.Sys) {
	if len(b.d.late) == 0 {
		return
	}
	b.interrupts = b.interrupts[:len(b.d.interrupts)]
	for k := range b.d.late {
		n := len(b.d.interrupts) + k
		c := b.config(s, n)
		c.InterruptRaw, c.InterruptTranslated = b.descriptors(s, n)
		i, st := s.WdfInterruptCreate(b.device, c, nil)
		if st.Failed() {
			b.Fatalf("WdfInterruptCreate %d: %s", n, trace.StatusName(uint32(st)))
		}
		b.interrupts = append(b.interrupts, i)
	}
}

// descriptors returns a pair of the device's resources.
func (b *bench) descriptors(s *wdf.Sys, n int) (raw, translated *wdf.Resource) {
	return s.WdfCmResourceListGetDescriptor(b.rawList, uint32(n)), s.WdfCmResourceListGetDescriptor(b.list, uint32(n))
}

// config returns the configuration of interrupt n. Its callbacks are noted as
// isr0, dpc0, work0, enable0, disable0.
func (b *bench) config(s *wdf.Sys, n int) *wdf.InterruptConfig {
	all := slices.Concat(b.d.interrupts, b.d.late)
	i := &all[n]
	later := func(name string, f deferred) wdf.Callback {
		if f == nil {
			return 0
		}
		return b.fn(fmt.Sprint(name, n), func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%s%d", name, n)
			if wdf.Handle(a[1]) != b.device { // QD-11
				b.Errorf("%s%d gets device 0x%X", name, n, a[1])
			}
			f(b, s, wdf.Handle(a[0]))
			return 0
		})
	}
	under := func(name string, f change) wdf.Callback {
		return b.fn(fmt.Sprint(name, n), func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%s%d", name, n)
			if f == nil {
				return 0
			}
			return uint64(f(b, s, wdf.Handle(a[0])))
		})
	}
	c := wdf.InterruptConfigInit(b.fn(fmt.Sprint("isr", n), func(s *wdf.Sys, a kernel.Args) uint64 {
		b.note("isr%d", n)
		switch h := wdf.Handle(a[0]); {
		case i.isr != nil && !i.isr(b, s, h):
			return 0
		case i.isr != nil:
		case i.dpc != nil:
			s.WdfInterruptQueueDpcForIsr(h)
		case i.work != nil:
			s.WdfInterruptQueueWorkItemForIsr(h)
		}
		return 1
	}), later("dpc", i.dpc))
	c.EvtInterruptWorkItem = later("work", i.work)
	c.EvtInterruptEnable, c.EvtInterruptDisable = under("enable", i.enable), under("disable", i.disable)
	if i.config != nil {
		i.config(b, s, &c)
	}
	return &c
}

// resources returns the interrupt resources of the device.
func (b *bench) resources() (raw, translated []wdf.Resource) {
	if b.d.resources != nil {
		return b.d.resources(b)
	}
	for _, i := range slices.Concat(b.d.interrupts, b.d.late) {
		if i.vector == 0 {
			continue
		}
		r := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareDeviceExclusive,
			Level: i.vector >> 4, Vector: uint32(i.vector), Affinity: i.affinity}
		if r.Affinity == 0 {
			r.Affinity = 1<<b.Processors() - 1
		}
		if i.shared {
			r.ShareDisposition = wdf.CmResourceShareShared
		}
		if i.latched || !i.line {
			r.Flags |= wdf.CmResourceInterruptLatched
		}
		if !i.line {
			r.Flags |= wdf.CmResourceInterruptMessage
		}
		if i.wakeHint {
			r.Flags |= wdf.CmResourceInterruptWakeHint
		}
		translated = append(translated, r)
		r.MessageCount = 1
		raw = append(raw, r)
	}
	return raw, translated
}

// do runs f in a foreground thread on processor 0 until the machine is at rest.
func (b *bench) do(f func(s *wdf.Sys)) {
	b.Helper()
	b.spawn(0, f)
	b.run()
}

// spawn makes a foreground thread on a processor.
func (b *bench) spawn(cpu int, f func(s *wdf.Sys)) {
	b.threads++
	b.start(cpu, b.threadRoutine(fmt.Sprintf("thread %d", b.threads), f))
}

func (b *bench) threadRoutine(name string, f func(s *wdf.Sys)) uint64 {
	return b.InternalFunction(name, func(t *kernel.Thread, _ kernel.Args) uint64 {
		f(b.f.Sys(t))
		return 0
	})
}

func (b *bench) start(cpu int, routine uint64) {
	b.NewThread(kernel.ThreadParams{Name: fmt.Sprintf("thread on %d", cpu), Role: "thread", Affinity: 1 << cpu, Foreground: true, Routine: routine})
}

// run lets the machine come to rest.
func (b *bench) run() {
	b.Helper()
	if r := b.Run(); r != kernel.Done {
		b.Fatalf("the run ended: %s; findings %v; waiting %v\n%s", r, titles(b.Findings()), b.Waiters(), b.text())
	}
}

// stop runs f in a foreground thread on processor 0; the run ends early, by what
// is found wrong.
func (b *bench) stop(f func(s *wdf.Sys)) {
	b.Helper()
	b.spawn(0, f)
	if r := b.Run(); r != kernel.Stopped {
		b.Fatalf("the run ended: %s; findings %v\n%s", r, titles(b.Findings()), b.text())
	}
}

// snapshot returns a function that brings the present state back. Tracing ends.
func (b *bench) snapshot() func() {
	snapshot, err := b.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.Use(choice.First{}, nil)
	return func() {
		b.Restore(snapshot)
		b.seen, b.history = len(b.Findings()), nil
	}
}

// status fails the test if st is not what is wanted.
func (b *bench) status(what string, st, want wdf.NTSTATUS) {
	b.Helper()
	if st != want {
		b.Errorf("%s: %s, want %s", what, trace.StatusName(uint32(st)), trace.StatusName(uint32(want)))
	}
}

func (b *bench) startDevice() {
	b.Helper()
	b.do(func(s *wdf.Sys) { b.status("StartDevice", b.startIn(s), wdf.StatusSuccess) })
}

func (b *bench) startIn(s *wdf.Sys) wdf.NTSTATUS {
	raw, translated := b.resources()
	return s.StartDevice(b.device, raw, translated)
}

func (b *bench) power(to wdf.PowerState) {
	b.Helper()
	b.do(func(s *wdf.Sys) { b.status("SetPower", s.SetPower(b.device, to), wdf.StatusSuccess) })
}

func (b *bench) remove() {
	b.Helper()
	b.do(func(s *wdf.Sys) { b.status("RemoveDevice", s.RemoveDevice(b.device), wdf.StatusSuccess) })
}

// note records an event; forget starts anew.
func (b *bench) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); b.only == nil || slices.Contains(b.only, s) {
		b.history = append(b.history, s)
	}
}

func (b *bench) forget() { b.history, b.log.Events = nil, nil }

func (b *bench) noted() string { return strings.Join(b.history, " ") }

// want fails the test if what was noted is something else, and forgets it.
func (b *bench) want(history string) {
	b.Helper()
	if got := b.noted(); got != history {
		b.Errorf("got  %s\nwant %s\n%s", got, history, b.text())
	}
	b.forget()
}

// steps returns the callbacks of the driver, in order, with what the framework
// did to the interrupts between them: connect0, flush0, disconnect0.
func (b *bench) steps() string {
	var steps []string
	for _, e := range b.log.Events {
		switch {
		case e.Kind == trace.Start:
			steps = append(steps, strings.TrimPrefix(e.Name, "EvtDevice"))
		case e.Kind == trace.Framework:
			n := slices.IndexFunc(b.interrupts, func(h wdf.WDFINTERRUPT) bool { return b.NameOf(uint64(h)) == e.Name })
			for _, s := range [][2]string{{"IoConnectInterruptEx: STATUS_SUCCESS", "connect"}, {"KeFlushQueuedDpcs", "flush"},
				{"IoDisconnectInterruptEx", "disconnect"}, {"IoReportInterruptActive", "active"}, {"IoReportInterruptInactive", "inactive"}} {
				if n >= 0 && e.Text == s[0] {
					steps = append(steps, fmt.Sprint(s[1], n))
				}
			}
		}
	}
	return strings.Join(steps, " ")
}

func (b *bench) wantSteps(want string) {
	b.Helper()
	if got := b.steps(); got != strings.Join(strings.Fields(want), " ") {
		b.Errorf("got  %s\nwant %s\n%s", got, want, b.text())
	}
	b.forget()
}

// take returns the findings that no test has looked at.
func (b *bench) take() []kernel.Finding {
	f := b.Findings()[min(b.seen, len(b.Findings())):]
	b.seen = len(b.Findings())
	return f
}

// wantFindings takes the findings and compares their titles: the rule, with
// "verifier break: " before it for a break, or the bug check.
func (b *bench) wantFindings(want ...string) {
	b.Helper()
	if got := titles(b.take()); !slices.Equal(got, want) {
		b.Errorf("got findings %q\nwant %q\n%s", got, want, b.text())
	}
}

// wantBugCheck takes the findings; the last one is a bug check of a clause, with
// the leading parameters.
func (b *bench) wantBugCheck(clause string, code uint32, params ...uint64) {
	b.Helper()
	all := b.take()
	if len(all) == 0 {
		b.Errorf("no bug check 0x%X\n%s", code, b.text())
		return
	}
	if f := all[len(all)-1]; f.Code != code || f.Clause != clause || !slices.Equal(f.Params[:len(params)], params) || len(all) != 1 {
		b.Errorf("got %v (clauses end with %s), want 0x%X %X of %s\n%s", titles(all), f.Clause, code, params, clause, b.text())
	}
}

func titles(all []kernel.Finding) []string {
	var s []string
	for i := range all {
		s = append(s, all[i].Title())
	}
	return s
}

// text returns the trace, one line per event.
func (b *bench) text() []byte {
	var w bytes.Buffer
	b.log.WriteText(&w)
	return w.Bytes()
}

// body is what a foreground thread does in a search.
type body struct {
	cpu int
	run func(s *wdf.Sys)
}

// explore runs bodies from the present state under every combination of
// choices and returns what was noted in the runs, each form once, sorted. A run
// that does not come to rest, and findings, are noted too. With an after
// function runs are traced.
func (b *bench) explore(bodies ...body) []string {
	b.Helper()
	snapshot, err := b.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	var routines []uint64
	for _, body := range bodies {
		b.threads++
		routines = append(routines, b.threadRoutine(fmt.Sprintf("thread %d", b.threads), body.run))
	}
	known := len(b.Findings())
	report := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		b.Restore(snapshot)
		b.Use(source, nil)
		if b.after != nil {
			b.log = &trace.Log{}
			b.Use(source, b.log)
		}
		b.history = nil
		if b.before != nil {
			b.before()
		}
		for i, body := range bodies {
			b.start(body.cpu, routines[i])
		}
		if r := b.Run(); r != kernel.Done {
			b.history = append(b.history, r.String())
		}
		if b.after != nil {
			b.after()
		}
		b.history = append(b.history, titles(b.Findings()[known:])...)
		return explore.Result{Outcome: b.noted()}
	}, explore.Limits{Runs: 200_000})
	b.Restore(snapshot)
	b.history, b.log = nil, &trace.Log{}
	b.Use(choice.First{}, b.log)
	if !report.Complete {
		b.Errorf("the search is not complete: %s", report.Why)
	}
	b.SetEnvironment(nil)
	var outcomes []string
	for _, o := range report.Outcomes {
		outcomes = append(outcomes, o.Key)
	}
	b.Logf("%d runs, %d outcomes", report.Runs, len(outcomes))
	return outcomes
}

// wantOutcomes compares the outcomes of a search; both are sets.
func (b *bench) wantOutcomes(got []string, want ...string) {
	b.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.Errorf("got outcomes:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// free is an environment in which the device does something once, at any time.
type free struct {
	does func()
	done bool
}

// freely lets the device do that at any time, in each run of a search.
func (b *bench) freely(does func()) {
	f := &free{does: does}
	b.SetEnvironment(f)
	b.before = func() { f.done = false }
}

// sendFree lets the device send a message at any time, in each run of a search.
func (b *bench) sendFree(vector uint8) { b.freely(func() { b.SendMessage(vector) }) }

func (f *free) Enabled(ids []uint32) []uint32 {
	if f.done {
		return ids
	}
	return append(ids, 1)
}

func (f *free) Happen(uint32) {
	f.done = true
	f.does()
}
