package dirql_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/edu"
	races "github.com/dirql/dirql/drivers/edu-races"
	"github.com/dirql/dirql/wdf"
)

// countScenario is a driver that counts its requests without a lock, in a queue
// that presents requests in parallel, and two applications that send one each.
// private is the number of accesses to memory of its own that each request
// makes.
func countScenario(private int) *dirql.Scenario {
	context := wdf.NewContextType("COUNT_CONTEXT")
	count := wdf.NewField[uint64](context, "Count")
	scratch := []wdf.Field[uint64]{wdf.NewField[uint64](context, "Scratch0"), wdf.NewField[uint64](context, "Scratch1")}
	const increment, read = 0x222000, 0x222004
	control := func(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
		c := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), context)
		if code == read {
			out, _, _ := s.WdfRequestRetrieveOutputBuffer(request, 8)
			s.Store(out, 8, count.Load(s, c))
			s.WdfRequestCompleteWithInformation(request, wdf.StatusSuccess, 8)
			return
		}
		mine := scratch[s.Processor()&1]
		for i := range private {
			mine.Store(s, c, uint64(i))
		}
		count.Store(s, c, count.Load(s, c)+1)
		s.WdfRequestComplete(request, wdf.StatusSuccess)
	}
	send := func(a *dirql.App) { a.DeviceIoControl(increment, nil, 0) }
	return &dirql.Scenario{
		Name: "count", Processors: 2,
		Driver: driverOf("count", context, control),
		Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
		Phases: []dirql.Phase{
			{Name: "two requests", Applications: []dirql.Application{
				{Name: "one.exe", Processors: 1, Run: send}, {Name: "two.exe", Processors: 2, Run: send}}},
			{Name: "how many were there?", Applications: []dirql.Application{{Name: "check.exe", Run: func(a *dirql.App) {
				if out, _ := a.DeviceIoControl(read, nil, 8); binary.LittleEndian.Uint64(out) != 2 {
					a.Errorf("%d requests were counted, not 2", binary.LittleEndian.Uint64(out))
				}
			}}}},
		},
	}
}

// driverOf returns a driver with one device and one parallel queue.
func driverOf(name string, context *wdf.ContextType, control func(*wdf.Sys, wdf.WDFQUEUE, wdf.WDFREQUEST, uint64, uint64, uint32)) dirql.Driver {
	add := func(s *wdf.Sys, driver wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
		device, status := s.WdfDeviceCreate(init, &wdf.ObjectAttributes{ContextType: context})
		if status.Failed() {
			return status
		}
		config := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchParallel)
		config.EvtIoDeviceControl = s.IoControl(control)
		_, status = s.WdfIoQueueCreate(device, &config, nil)
		return status
	}
	return dirql.Driver{Name: name, Entry: func(s *wdf.Sys) wdf.NTSTATUS {
		_, status := s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(add)}, nil)
		return status
	}}
}

// Explore finds the lost update, reduces it to one deviation, and its replay
// file shows the same run again.
func TestExploreFindsALostUpdate(t *testing.T) {
	var told []*dirql.Discovery
	s := countScenario(3)
	rep, err := s.Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 200, New: func(d *dirql.Discovery) { told = append(told, d) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Discoveries) != 2 || len(told) != 2 || !slices.Contains(told, rep.Discoveries[0]) {
		t.Fatalf("found %d, told %d", len(rep.Discoveries), len(told))
	}
	d, r := byRule(t, rep, "wrong result"), byRule(t, rep, "data race")
	if r.Identity != "data race|COUNT_CONTEXT.Count" || !strings.HasPrefix(r.Finding.Text, "COUNT_CONTEXT.Count (byte 0 of") || r.Replay.Deviations() > 1 {
		t.Errorf("%s: %q with %d deviations", r.Identity, r.Finding.Text, r.Replay.Deviations())
	}
	if r.Finding.Adjacent != dirql.Confirmed {
		t.Error("the race is not confirmed")
	}
	if d.Count < 2 || d.Run > 20 || d.Replay.Deviations() > 2 {
		t.Errorf("%q in %d runs, first in run %d (%s), %d deviations", d.Finding.Title, d.Count, d.Run, d.Strategy, d.Replay.Deviations())
	}
	if d.Preemptions != 1 || !d.Minimum || r.Preemptions > 1 {
		t.Errorf("%d preemptions, minimum %v; the race needs %d", d.Preemptions, d.Minimum, r.Preemptions)
	}
	var file bytes.Buffer
	if _, err := d.Replay.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p, err := dirql.ReadReplay(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Again(p)
		if err != nil {
			t.Fatal(err)
		}
		if traceOf(t, again) != traceOf(t, d.Report) {
			t.Error("the replay differs")
		}
		var b bytes.Buffer
		if p.WriteTo(&b); b.String() != file.String() {
			t.Errorf("read and written again:\n%s\nwas:\n%s", &b, &file)
		}
	}
}

// handOver is a driver that hands a value over with a flag: what is behind the
// flag is never written by both at once, though nothing that dirql knows of says
// so.
func handOver(ordered bool) *dirql.Scenario {
	context := wdf.NewContextType("HANDOVER_CONTEXT")
	value, ready := wdf.NewField[uint64](context, "Value"), wdf.NewField[uint64](context, "Ready")
	const give = 0x222000
	s := countScenario(0)
	s.Name, s.Phases = "hand-over", s.Phases[:1]
	send := func(code uint32) func(a *dirql.App) { return func(a *dirql.App) { a.DeviceIoControl(code, nil, 0) } }
	s.Phases[0].Applications[0].Run, s.Phases[0].Applications[1].Run = send(give), send(give+4)
	control := func(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, _, _ uint64, code uint32) {
		c := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), context)
		switch {
		case code == give:
			value.Store(s, c, 1)
			ready.Store(s, c, 1)
		case !ordered || ready.Load(s, c) == 1:
			value.Store(s, c, 2)
		}
		s.WdfRequestComplete(request, wdf.StatusSuccess)
	}
	s.Driver = driverOf("hand-over", context, control)
	return s
}

// A race is confirmed by a schedule in which both accesses come next, and not
// confirmed where the driver orders them by itself.
func TestRacesAreConfirmed(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		rep, err := handOver(ordered).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 200})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]dirql.Adjacent{"data race: HANDOVER_CONTEXT.Value": dirql.Confirmed}
		if ordered {
			want["data race: HANDOVER_CONTEXT.Value"] = dirql.NotConfirmed
			want["data race: HANDOVER_CONTEXT.Ready"] = dirql.Confirmed
		}
		for _, d := range rep.Discoveries {
			if got, ok := want[d.Finding.Title]; !ok || got != d.Finding.Adjacent {
				t.Errorf("ordered %v: %s: %s", ordered, d.Finding.Title, d.Finding.Adjacent)
			}
			delete(want, d.Finding.Title)
		}
		if len(want) > 0 {
			t.Errorf("ordered %v: not found: %v", ordered, want)
		}
	}
}

func byRule(t *testing.T, rep *dirql.ExploreReport, rule string) *dirql.Discovery {
	t.Helper()
	for _, d := range rep.Discoveries {
		if d.Finding.Rule == rule {
			return d
		}
	}
	t.Fatalf("no %s was found", rule)
	return nil
}

// The same seed finds the same, with each number of workers the whole number of
// runs.
func TestExploreIsDeterministic(t *testing.T) {
	var first string
	for range 2 {
		var text bytes.Buffer
		rep, err := countScenario(1).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 7, Runs: 50, New: func(d *dirql.Discovery) {
			d.Replay.WriteTo(&text)
		}})
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(strings.Join([]string{rep.Scenario, traceOf(t, rep.Discoveries[0].Report)}, "\n"))
		if first == "" {
			first = text.String()
		} else if first != text.String() {
			t.Error("two explorations with one seed differ")
		}
	}
	rep, err := countScenario(1).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 7, Runs: 51, Workers: 3})
	if err != nil || rep.Runs != 51 || len(rep.Discoveries) != 2 {
		t.Errorf("three workers: %+v, %v", rep, err)
	}
}

// Private work adds no decisions: what only one activation touches is not worth
// one.
func TestPrivateWorkAddsNoDecisions(t *testing.T) {
	decisions := func(private int) float64 {
		rep, err := countScenario(private).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 3, Runs: 200})
		if err != nil {
			t.Fatal(err)
		}
		return float64(rep.Decisions) / float64(rep.Runs)
	}
	// One run in twenty decides at every access, so it does see them.
	few, many := decisions(0), decisions(50)
	if many > few*1.6 {
		t.Errorf("%.1f decisions a run with 50 private accesses, %.1f without", many, few)
	}
}

// A replay of another driver says so.
func TestReplayOfAChangedDriver(t *testing.T) {
	rep, err := countScenario(0).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 100})
	if err != nil || len(rep.Discoveries) != 2 {
		t.Fatal(rep, err)
	}
	_, err = countScenario(5).Again(rep.Discoveries[0].Replay)
	var diverged *dirql.DivergedError
	if !errors.As(err, &diverged) {
		t.Errorf("error %v", err)
	}
}

// What is no replay file is refused with the line.
func TestReadReplayRefuses(t *testing.T) {
	const head = "dirql replay 1\nscenario s\ndriver go d\nprocessors 2\n"
	for text, want := range map[string]string{
		"":                                 "cut off",
		"MZ\n":                             "line 1",
		head:                               "cut off",
		head + "nonsense 1\nend\n":         "line 5",
		head + "profile nonsense\nend\n":   "there is no profile",
		head + "step 0/1/2#x 1.0 cpu 1\n":  "line 5",
		head + "step 0/1/2#1 1.0 wall 1\n": "cpu or event",
		"dirql replay 1\nend\n":            "missing",
		"dirql replay 1\nprocessors x\n":   "line 2",
	} {
		if _, err := dirql.ReadReplay(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The profile of a search goes with its replay files; the default one needs no
// line (VER-6).
func TestVER6ReplayKeepsTheProfile(t *testing.T) {
	for text, want := range map[string]dirql.Profile{
		"": {},
		"profile driver-verifier-off, threaded-dpcs-off\n": {DriverVerifierOff: true, ThreadedDPCsOff: true},
	} {
		p, err := dirql.ReadReplay(strings.NewReader("dirql replay 1\nscenario s\ndriver go d\nprocessors 2\n" + text + "end\n"))
		if err != nil || p.Profile != want {
			t.Fatalf("%q: %+v %v", text, p, err)
		}
		var b bytes.Buffer
		if p.WriteTo(&b); strings.Contains(b.String(), "profile") != (text != "") || !strings.Contains(b.String(), text) {
			t.Errorf("%q became %q", text, &b)
		}
	}
}

func FuzzReadReplay(f *testing.F) {
	f.Add("dirql replay 1\nscenario s\ndriver go d\nprocessors 2\nstep 0/1/2#1 1.0 cpu 1 ; words\nend\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := dirql.ReadReplay(strings.NewReader(text))
		if err != nil {
			return
		}
		var a, b bytes.Buffer
		p.WriteTo(&a)
		q, err := dirql.ReadReplay(bytes.NewReader(a.Bytes()))
		if err != nil {
			t.Fatalf("%v of what was written:\n%s", err, &a)
		}
		if q.WriteTo(&b); a.String() != b.String() {
			t.Errorf("%q became %q", &a, &b)
		}
	})
}

// A schedule is the same run wherever decisions are asked for, so a replay file
// stays valid when more memory turns out to be shared.
func TestSchedulesDoNotDependOnWhatIsVisible(t *testing.T) {
	for _, s := range []*dirql.Scenario{edu.Busy(), edu.Power(), edu.Unplug(), countScenario(30)} {
		s.Device.Free = true
		asked, everywhere := 0, 0
		for seed := range uint64(40) {
			few, all, fewer, more, err := s.SameRunTwice(dirql.Options{Seed: seed, Processors: 1 + int(seed%4)})
			if err != nil {
				t.Fatal(err)
			}
			if few != all {
				t.Fatalf("%s, seed %d: two different runs", s.Name, seed)
			}
			asked, everywhere = asked+fewer, everywhere+more
		}
		if asked >= everywhere {
			t.Errorf("%s: %d decisions, %d with all accesses", s.Name, asked, everywhere)
		}
	}
}

// The small scenario is covered completely; with a bound on runs, or more work,
// the report does not claim that.
func TestExploreSaysWhatItCovered(t *testing.T) {
	for _, c := range []struct {
		s     *dirql.Scenario
		o     dirql.ExploreOptions
		want  string
		finds int
	}{
		{edu.Scenario(), dirql.ExploreOptions{Processors: 1}, "every schedule", 0},
		{edu.Unplug(), dirql.ExploreOptions{Strategy: dirql.Exhaustive, Processors: 1}, "every schedule", 0},
		{countScenario(2), dirql.ExploreOptions{Runs: 4000}, "every schedule", 2},
		{edu.Unplug(), dirql.ExploreOptions{Processors: 2, Runs: 1500}, "every schedule with at most 1 preemption and 1 interrupt", 0},
		{countScenario(2), dirql.ExploreOptions{Strategy: dirql.Exhaustive, Runs: 3}, "", -1},
		{countScenario(2), dirql.ExploreOptions{Strategy: dirql.Bounded, Preemptions: 1}, "every schedule with at most 1 preemption and 0 interrupts", 2},
		{countScenario(2), dirql.ExploreOptions{Strategy: dirql.Random, Runs: 10}, "", -1},
	} {
		rep, err := c.s.Explore(t.Context(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Covered != c.want || c.finds >= 0 && len(rep.Discoveries) != c.finds || c.o.Runs > 0 && rep.Covered != "every schedule" && rep.Runs != c.o.Runs {
			t.Errorf("%s, %+v: covered %q, %d findings, %d runs", c.s.Name, c.o, rep.Covered, len(rep.Discoveries), rep.Runs)
		}
	}
}

// A driver that does not look at what ExAllocatePool2 returns fails only where
// the search lets the allocation fail, and the replay file says so.
func TestExploreLetsAllocationsFail(t *testing.T) {
	s := countScenario(0)
	s.Phases = s.Phases[1:2]
	entry := s.Driver.Entry
	s.Driver.Entry = func(sys *wdf.Sys) wdf.NTSTATUS {
		p := sys.ExAllocatePool2(0x40, 16, 0x74736554)
		sys.Store(p, 8, 1)
		sys.ExFreePoolWithTag(p, 0x74736554)
		return entry(sys)
	}
	s.Phases[0].Applications[0].Run = func(*dirql.App) {}
	for _, alloc := range []bool{false, true} {
		rep, err := s.Explore(t.Context(), dirql.ExploreOptions{Runs: 100, Strategy: dirql.Random, Faults: dirql.Faults{Alloc: alloc}})
		if err != nil {
			t.Fatal(err)
		}
		if !alloc {
			if len(rep.Discoveries) != 0 || rep.Faulty != 0 {
				t.Errorf("without faults: %+v", rep)
			}
			continue
		}
		if len(rep.Discoveries) != 1 || rep.Discoveries[0].Finding.Code != 0x7E || rep.Faulty == 0 {
			t.Fatalf("%+v", rep)
		}
		var file bytes.Buffer
		rep.Discoveries[0].Replay.WriteTo(&file)
		p, err := dirql.ReadReplay(&file)
		if err != nil || p.Faults != (dirql.Faults{Alloc: true}) {
			t.Fatalf("%+v, %v", p, err)
		}
		if again, err := s.Again(p); err != nil || len(again.Findings) != 1 || again.Findings[0].Code != 0x7E {
			t.Errorf("%+v, %v", again, err)
		}
	}
}

// The example driver survives cancelled requests, failed allocations and the
// removal of its device at any time.
func TestExampleSurvivesFaults(t *testing.T) {
	for _, f := range []string{"alloc", "cancel", "remove", "alloc,cancel,remove"} {
		faults, err := dirql.ParseFaults(f)
		if err != nil || faults.String() != f {
			t.Fatalf("%q became %v, %v", f, faults, err)
		}
		rep, err := edu.Busy().Explore(t.Context(), dirql.ExploreOptions{Runs: 200, Strategy: dirql.Random, Faults: faults})
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Discoveries) != 0 || rep.Faulty == 0 {
			t.Errorf("%s: %d findings, faults in %d runs", f, len(rep.Discoveries), rep.Faulty)
		}
	}
	if _, err := dirql.ParseFaults("fire"); err == nil {
		t.Error("fire is no fault")
	}
}

// Both searches of every schedule find the same, by different ways: one
// recognises states, the other one knows which steps are independent.
func TestExhaustiveSearchesAgree(t *testing.T) {
	for _, c := range []struct {
		s          *dirql.Scenario
		processors int
	}{{edu.Scenario(), 2}, {edu.Scenario(), 1}, {races.Scenario(), 1}} {
		s := c.s
		var found [2][]string
		var runs [2]int
		for i, strategy := range []dirql.Strategy{dirql.Exhaustive, dirql.Reduced} {
			rep, err := s.Explore(t.Context(), dirql.ExploreOptions{Processors: c.processors, Strategy: strategy})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Covered != "every schedule" {
				t.Errorf("%s, strategy %d: covered %q", s.Name, strategy, rep.Covered)
			}
			for _, d := range rep.Discoveries {
				found[i] = append(found[i], d.Identity)
			}
			slices.Sort(found[i])
			runs[i] = rep.Runs
		}
		if !slices.Equal(found[0], found[1]) {
			t.Errorf("%s: %d runs find\n%s\n%d runs with reduction\n%s", s.Name, runs[0], strings.Join(found[0], "\n"), runs[1], strings.Join(found[1], "\n"))
		}
		t.Logf("%s: %d findings, %d runs, %d with reduction", s.Name, len(found[0]), runs[0], runs[1])
	}
}
