package dirql

import (
	"fmt"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pci"
	"github.com/dirql/dirql/internal/race"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// Options of a run.
type Options struct {
	// Processors overrides the scenario's number of processors if not 0.
	Processors int
	// Seed, if not 0, makes every choice at random, but the same for the same
	// seed. With 0 nothing is preempted without need and devices act in time.
	Seed uint64
	// Profile is what differs from the default profile, which has both verifiers
	// on (VER-6).
	Profile Profile

	free   bool // the device acts at any time
	faults Faults
}

// Profile names a profile by what differs from the default one.
type Profile = kernel.Deviations

// ParseProfile reads what differs from the default profile: names with commas
// between them, "" for nothing.
func ParseProfile(s string) (Profile, error) { return kernel.ParseDeviations(s) }

// ProfileNames lists the names that ParseProfile knows.
func ProfileNames() string { return kernel.DeviationNames() }

// Run runs the scenario once and records what happened. The error is about the
// scenario or the options; what the driver did wrong is in the report.
func (s *Scenario) Run(o Options) (*Report, error) {
	var source choice.Source = choice.First{}
	if o.Seed != 0 {
		source = choice.NewRandom(o.Seed)
	}
	log := &trace.Log{}
	r, err := s.newRig(o, source, log)
	if err != nil {
		return nil, err
	}
	defer r.m.Close()
	r.boot()
	r.phases()
	r.shutDown()
	return r.withHardware(r.report()), nil
}

// rig is a machine with everything that a scenario needs.
type rig struct {
	s         *Scenario
	m         *kernel.Machine
	f         *wdf.Framework
	bus       *pci.Bus
	binary    *bind.Driver // nil: the driver is in Go
	slot      *pci.Slot
	device    wdf.WDFDEVICE // 0: not there
	started   wdf.WDFDEVICE // the device of the snapshot
	gone      bool          // it was taken out
	reason    kernel.Reason
	profile   Profile
	bodies    []func(s *wdf.Sys) // of the threads that were spawned
	broken    bool               // ended before its time
	state     string
	watch     *kernel.Watch // nil: nobody looks
	faults    faults
	sent      []wdf.WDFREQUEST // by applications, in this run
	phase     int              // that runs
	unknown   *device.Unknown  // the device, if nothing is known of it
	busy      int              // applications of the phase that have not ended, and wait for no request
	start     choice.Schedule  // of the run, if it began with DriverEntry: up to where the device had started
	unstarted bool             // the driver did not start the device in this run
	refused   string           // why a driver does not want an unknown device
	losses    []Finding        // what was lost in the phases of a run that is watched
	detector  race.Detector
}

func (s *Scenario) newRig(o Options, source choice.Source, log *trace.Log) (*rig, error) {
	n := s.Processors
	if o.Processors != 0 {
		n = o.Processors
	}
	if n == 0 {
		n = 1
	}
	model := s.Device.Model()
	unknown, _ := model.(*device.Unknown)
	config := kernel.Config{Processors: n, Profile: o.Profile.Profile(), Source: source, Trace: log}
	if unknown != nil {
		config.MaxSteps = unknownSteps
	}
	m, err := kernel.New(config)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	r := &rig{s: s, m: m, profile: o.Profile, f: wdf.NewFramework(m), bus: pci.NewBus(m), unknown: unknown}
	r.f.SetConfigSpace(r.bus)
	r.f.SetPnpManager(r)
	d := s.Device
	r.f.SetLowerDriver(d.Lower)
	r.bus.OnWake(r.f.WakeSignalled)
	r.slot, err = r.bus.Add(model, pci.Options{Messages: d.Messages, DIRQL: d.DIRQL, Affinity: d.Affinity, WakeLine: d.WakeInterrupt,
		Free: d.Free || o.free})
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	if d := &s.Driver; d.file != nil {
		if r.binary, err = bind.Load(r.f, d.file, d.pdbName, d.pdb); err != nil {
			return nil, err
		}
	}
	r.faults = faults{Faults: o.faults, r: r}
	m.Attach(r)
	return r, nil
}

// unknownSteps bounds a run on unknown hardware: what such a device says can make
// a driver count to any number.
const unknownSteps = 200_000

// inThread runs f in a foreground thread of the simulated machine until the
// machine is at rest.
func (r *rig) inThread(name string, f func(s *wdf.Sys)) {
	r.spawn(kernel.ThreadParams{Name: name}, uint64(len(r.bodies)), f)
	r.run(name)
}

// spawn makes a foreground thread. Its body is handed over by number: a routine
// of the machine is an address, and keeps what it was registered with. key says
// in the state of the machine which body it is.
func (r *rig) spawn(p kernel.ThreadParams, key uint64, f func(s *wdf.Sys)) {
	routine := r.m.InternalFunction("application thread", func(t *kernel.Thread, a kernel.Args) uint64 {
		r.bodies[a[0]](r.f.Sys(t))
		return 0
	})
	r.bodies = append(r.bodies, f)
	p.Role, p.Routine, p.Foreground, p.Args = "thread", routine, true, kernel.Args{uint64(len(r.bodies) - 1), key}
	r.m.NewThread(p)
}

// What the rig itself remembers is part of the state of the machine
// (kernel.Component); a run begins with it anew.

// Snapshot implements kernel.Component.
func (r *rig) Snapshot() any { return nil }

// Restore implements kernel.Component.
func (r *rig) Restore(any) {}

// AppendState implements kernel.Component.
func (r *rig) AppendState(b []byte) []byte {
	return fmt.Appendf(b, "%d %x %t %d %d %t;", r.phase, r.device, r.gone, len(r.sent), r.faults.cancelled, r.faults.removed)
}

func (r *rig) run(what string) {
	if r.broken {
		return
	}
	r.reason = r.m.Run()
	if r.reason != kernel.Done {
		r.broken = true
		r.state = what
	}
}

// boot loads the driver and starts its device: what the system does when it
// finds new hardware.
func (r *rig) boot() {
	entry := r.entry()
	r.arm()
	r.inThread("PnP manager", func(s *wdf.Sys) {
		if st := entry(s); st.Failed() {
			r.fail(s, driverEntry, st)
			r.unloadImage(s)
			return
		}
		r.addDevice(s)
	})
}

// arm lets an unknown device interrupt again.
func (r *rig) arm() {
	if r.unknown != nil {
		r.unknown.Arm(r.slot.Function)
	}
}

// addDevice lets the driver make its device, and starts it.
func (r *rig) addDevice(s *wdf.Sys) {
	device, st := s.AddDevice(r.slot.Number())
	if st.Failed() {
		r.fail(s, "EvtDriverDeviceAdd", st)
		return
	}
	raw, translated := r.resources(s, device)
	if st := s.StartDevice(device, raw, translated); st.Failed() {
		r.fail(s, "the start of the device", st)
		s.RemoveDevice(device)
		return
	}
	r.device = device
}

// resources programs the function and returns the resources for the driver.
func (r *rig) resources(s *wdf.Sys, device wdf.WDFDEVICE) (raw, translated []wdf.Resource) {
	r.bus.Start(r.slot)
	required := r.bus.Requirements(r.slot)
	s.FilterResourceRequirements(device, required)
	return r.bus.Resources(r.slot, required)
}

// BusPower implements wdf.PnpManager.
func (r *rig) BusPower(_ uint32, on bool) {
	if on {
		r.bus.Start(r.slot)
	} else {
		r.bus.PowerOff(r.slot)
	}
}

// CanWake implements wdf.PnpManager.
func (r *rig) CanWake(uint32) bool { return r.bus.CanWake(r.slot) }

// BusWake implements wdf.PnpManager.
func (r *rig) BusWake(_ uint32, on bool) { r.bus.EnableWake(r.slot, on) }

// DeviceFailed implements wdf.PnpManager.
func (r *rig) DeviceFailed(s *wdf.Sys, device wdf.WDFDEVICE, restart bool) {
	r.device = 0
	s.SurpriseRemove(device)
	if restart && !r.gone {
		r.addDevice(s)
	} else {
		r.bus.PowerOff(r.slot)
	}
}

// entry returns what calls DriverEntry.
func (r *rig) entry() func(s *wdf.Sys) wdf.NTSTATUS {
	if r.binary != nil {
		return r.binary.Entry
	}
	d := &r.s.Driver
	addr := r.m.Function(d.Name+".DriverEntry", func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(d.Entry(r.f.Sys(t)))
	})
	return func(s *wdf.Sys) wdf.NTSTATUS { return wdf.NTSTATUS(s.Invoke("DriverEntry", addr, kernel.Args{})) }
}

const driverEntry = "DriverEntry"

// fail reports that a driver refused to work, and ends the run.
func (r *rig) fail(s *wdf.Sys, what string, st wdf.NTSTATUS) {
	if r.unknown != nil && what != driverEntry { // nobody knows whether it should have worked
		r.refused = fmt.Sprintf("%s failed with %s", what, trace.StatusName(uint32(st)))
		return
	}
	r.broken, r.state = true, what
	if r.m.Injected() > 0 {
		return // it may
	}
	s.Report(kernel.Finding{Rule: "start failed", Text: fmt.Sprintf("%s failed with %s", what, trace.StatusName(uint32(st)))})
}

// phases runs the phases of the scenario.
func (r *rig) phases() {
	if r.refused != "" {
		return
	}
	for i := range r.s.Phases {
		if r.broken {
			return
		}
		r.phase, r.faults.alone = i, r.s.Phases[i].System == nil
		r.startPhase(&r.s.Phases[i])
		r.run(r.s.Phases[i].Name)
	}
}

// Kinds of bodies, for rig.spawn.
const (
	applicationBody = 1<<32 + iota<<33
	systemBody
	cancelBody
	removeBody
)

func (r *rig) startPhase(p *Phase) {
	if r.watch != nil {
		r.watch.Rest()
	}
	if r.m.Trace.On() && p.Name != "" {
		r.m.Record(-1, trace.Event{Kind: trace.Note, Name: "phase", Text: p.Name})
	}
	r.arm()
	for i := range p.Applications {
		a := &p.Applications[i]
		r.spawn(kernel.ThreadParams{Name: a.Name, Affinity: a.Processors, User: true}, applicationBody|uint64(r.phase)<<16|uint64(i), func(s *wdf.Sys) {
			r.busy++
			a.Run(&App{s: s, r: r, name: a.Name})
			s.CloseFiles()
			r.busy--
		})
	}
	if p.System != nil {
		r.spawn(kernel.ThreadParams{Name: "system"}, systemBody|uint64(r.phase), func(s *wdf.Sys) { p.System(&System{s: s, r: r}) })
	}
}

// shutDown removes the device, if it is still there, and unloads the driver.
func (r *rig) shutDown() {
	if r.broken {
		return
	}
	r.faults.alone = false
	r.inThread("PnP manager", func(s *wdf.Sys) {
		if r.device != 0 {
			if st := s.RemoveDevice(r.device); st.Failed() {
				s.Report(kernel.Finding{Rule: "removal refused", Text: "EvtDeviceQueryRemove failed with " + trace.StatusName(uint32(st))})
				return
			}
			r.device = 0
			r.bus.PowerOff(r.slot)
		}
		s.Unload()
		s.CheckLeaks(r.s.Driver.Name)
		r.unloadImage(s)
	})
}

// unloadImage takes the driver's code away; what still refers to it is a finding.
func (r *rig) unloadImage(s *wdf.Sys) {
	if r.binary != nil {
		r.binary.Unload(s.Thread)
		return
	}
	from, to := kernel.GoDriver()
	s.UnloadDriver(r.s.Driver.Name, from, to)
}
