package dirql

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// Replay is a run that can be repeated exactly: the scenario, the driver, and
// where the schedule deviates from the default one. As a file it is text:
//
//	dirql replay 1
//	scenario edu
//	driver sha256:5f0c... drivers/edu/edu.sys
//	processors 2
//	faults none
//	profile driver-verifier-off
//	hardware 1AF4:1005:1AF4:0004:00:2
//	finding freed block|EDU_DEVICE_CONTEXT
//	trace 91c2a5d07be3f012
//	step 0/FFFFF80E1A2B3C40/6#1 12.0 cpu 1 ; before operation 12 of thread copy.exe #1: processor 1 steps
//	end
//
// What follows a semicolon is for people. Without a line "profile" it is the default
// one; "hardware" is there where the device is unknown hardware only.
type Replay struct {
	Scenario   string
	Driver     string // path of the driver's file, or the name of a driver in Go
	Hash       string // what the driver was: "sha256:..." of its file, "go" for a driver in Go
	Processors int
	Faults     Faults // that were part of the search
	Profile    Profile
	Hardware   *Hardware // nil: the device of the scenario
	Identity   string    // of the finding
	Trace      uint64    // hash of the trace
	schedule   choice.Schedule
	words      []string // for people, one for each deviation
}

// Deviations returns the number of places where the schedule differs from the
// default one.
func (p *Replay) Deviations() int { return len(p.schedule) }

// Of reports whether the run was one of exactly this driver.
func (p *Replay) Of(d *Driver) bool { return p.Hash == d.hash() }

func (s *Scenario) replayOf(r *rig, schedule choice.Schedule, rep *Report, identity string) *Replay {
	p := &Replay{Scenario: s.Name, Hardware: s.hardware, Driver: s.Driver.where(), Hash: s.Driver.hash(), Processors: r.m.Processors(), Faults: r.faults.Faults, Profile: r.profile,
		Identity: identity, Trace: rep.traceHash(), schedule: schedule}
	for i := range schedule {
		p.words = append(p.words, deviationWords(r.m, &schedule[i]))
	}
	return p
}

// where says where the driver comes from.
func (d *Driver) where() string {
	if d.file == nil {
		return d.Name
	}
	return d.path
}

// hash tells versions of a driver apart.
func (d *Driver) hash() string {
	if d.file == nil {
		return "go"
	}
	return d.sum
}

// deviationWords says in words what a deviation is.
func deviationWords(m *kernel.Machine, d *choice.Deviation) string {
	what := ""
	switch {
	case d.Kind == choice.Target:
		what = fmt.Sprintf("processor %d gets the interrupt", d.ID)
	case d.Kind == choice.Fault:
		what = "the allocation fails"
	case d.Kind == choice.Device:
		what = fmt.Sprintf("the device answers %d", d.ID)
	case d.Event:
		what = m.EventText(d.ID)
	default:
		what = fmt.Sprintf("processor %d steps", d.ID)
	}
	return fmt.Sprintf("before operation %d of %s: %s", d.At.Op, m.ActivationText(d.At.Activation), what)
}

const replayHeader = "dirql replay 1"

// WriteTo writes the replay file.
func (p *Replay) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nscenario %s\ndriver %s %s\nprocessors %d\nfaults %s\n", replayHeader, p.Scenario, p.Hash, p.Driver, p.Processors, p.Faults)
	if p.Profile != (Profile{}) {
		fmt.Fprintf(&b, "profile %s\n", p.Profile)
	}
	if p.Hardware != nil {
		fmt.Fprintf(&b, "hardware %s\n", p.Hardware)
	}
	fmt.Fprintf(&b, "finding %s\ntrace %016x\n", strings.ReplaceAll(p.Identity, "\n", " "), p.Trace)
	for i := range p.schedule {
		d := &p.schedule[i]
		kind := "cpu"
		if d.Event {
			kind = "event"
		}
		fmt.Fprintf(&b, "%s %d/%X/%X#%d %d.%d %s %d", d.Kind, d.At.Activation.Kind, d.At.Activation.Code, d.At.Activation.Object,
			d.At.Activation.Nth, d.At.Op, d.At.Try, kind, d.ID)
		if i < len(p.words) {
			fmt.Fprintf(&b, " ; %s", p.words[i])
		}
		b.WriteByte('\n')
	}
	b.WriteString("end\n")
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// maxReplay bounds what ReadReplay reads: a file has a line for each deviation.
const maxReplay = 16 << 20

// ReadReplay reads a replay file.
func ReadReplay(r io.Reader) (*Replay, error) {
	p := &Replay{}
	in := bufio.NewScanner(io.LimitReader(r, maxReplay))
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimRight(in.Text(), "\r")
		if n == 1 {
			if line != replayHeader {
				return nil, fmt.Errorf("line 1 is not %q: this is no replay file, or one of another version of dirql", replayHeader)
			}
			continue
		}
		if line == "end" {
			if p.Scenario == "" || p.Driver == "" || p.Processors < 1 || p.Processors > kernel.MaxProcessors {
				return nil, fmt.Errorf("scenario, driver or processors are missing")
			}
			return p, nil
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the file has no line \"end\": it is cut off")
}

// line reads a line between the first and the last one.
func (p *Replay) line(line string) (err error) {
	key, rest, _ := strings.Cut(line, " ")
	switch key {
	case "scenario":
		p.Scenario = rest
	case "driver":
		p.Hash, p.Driver, _ = strings.Cut(rest, " ")
	case "processors":
		p.Processors, err = strconv.Atoi(rest)
	case "faults":
		p.Faults, err = ParseFaults(rest)
	case "profile":
		p.Profile, err = ParseProfile(rest)
	case "hardware":
		var h Hardware
		h, err = ParseHardware(rest)
		p.Hardware = &h
	case "finding":
		p.Identity = rest
	case "trace":
		p.Trace, err = strconv.ParseUint(rest, 16, 64)
	case "step", "target", "device", "fault":
		return p.deviation(line)
	default:
		return fmt.Errorf("%q is no line of a replay file", key)
	}
	return err
}

func (p *Replay) deviation(line string) error {
	text, words, _ := strings.Cut(line, " ; ")
	var d choice.Deviation
	var kind, what string
	n, err := fmt.Sscanf(text, "%s %d/%X/%X#%d %d.%d %s %d", &kind, &d.At.Activation.Kind, &d.At.Activation.Code, &d.At.Activation.Object,
		&d.At.Activation.Nth, &d.At.Op, &d.At.Try, &what, &d.ID)
	if err != nil {
		return fmt.Errorf("%q is no deviation (%d of 9 parts are right)", text, n)
	}
	if what != "cpu" && what != "event" {
		return fmt.Errorf("%q: a deviation ends with cpu or event, and a number", what)
	}
	d.Event = what == "event"
	for _, k := range []choice.Kind{choice.Step, choice.Target, choice.Device, choice.Fault} {
		if k.String() == kind {
			d.Kind = k
		}
	}
	p.schedule = append(p.schedule, d)
	p.words = append(p.words, words)
	return nil
}

// Again repeats the run of a replay file with the scenario that it names. The
// error says why it is not the same run any more.
func (s *Scenario) Again(p *Replay) (*Report, error) {
	rig, err := s.subject(Options{Processors: p.Processors, Profile: p.Profile, faults: p.Faults})
	if err != nil {
		return nil, err
	}
	defer rig.r.m.Close()
	rep := rig.record(p.schedule)
	if rep.traceHash() != p.Trace {
		why := "the driver is the same, so the scenario or dirql has changed"
		if s.Driver.hash() != p.Hash {
			why = "the driver has changed since then"
		}
		return rep, &DivergedError{Why: why}
	}
	return rep, nil
}

// DivergedError says that a replayed run is not the recorded one; the report of
// the run comes with it all the same.
type DivergedError struct{ Why string }

func (e *DivergedError) Error() string {
	return "the run is not the one that was recorded: " + e.Why
}
