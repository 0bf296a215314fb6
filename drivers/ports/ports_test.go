package ports_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// I/O controls of ports.c.
const (
	plug = 0x222000 + 4*iota
	unplug
	state
	property
	fail
)

const millisecond = 1_000_000

// scenario is one application with a driver file.
func scenario(t *testing.T, file string, body func(a *dirql.App), system func(s *dirql.System)) *dirql.Report {
	t.Helper()
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (*dirql.Report, string) {
		s := &dirql.Scenario{Name: "ports", Driver: d, Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
			Phases: []dirql.Phase{{Name: "ports", System: system, Applications: []dirql.Application{{Name: "ports.exe", Run: body}}}}}
		r, err := s.Run(dirql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.WriteTrace(&b); err != nil {
			t.Fatal(err)
		}
		return r, b.String()
	}
	r, first := run()
	if _, second := run(); first != second {
		t.Error("two equal runs have different traces")
	}
	return r
}

func noFindings(t *testing.T, r *dirql.Report) {
	t.Helper()
	for _, f := range r.Findings {
		t.Errorf("%s: %s %q", f.Title, f.Text, f.Stack)
	}
	if !strings.HasPrefix(r.End, "done") {
		t.Errorf("the run ended: %s", r.End)
	}
}

func control(a *dirql.App, code, port uint32, want wdf.NTSTATUS) {
	if _, st := a.DeviceIoControl(code, binary.LittleEndian.AppendUint32(nil, port), 0); st != want {
		a.Errorf("I/O control 0x%X for port %d: 0x%X, want 0x%X", code, port, uint32(st), uint32(want))
	}
}

// wantState compares the output of IOCTL_PORTS_STATE.
func wantState(a *dirql.App, want ...uint32) {
	out, st := a.DeviceIoControl(state, nil, 16)
	if st != 0 || len(out) != 16 {
		a.Errorf("IOCTL_PORTS_STATE: 0x%X, %d bytes", uint32(st), len(out))
		return
	}
	for n, name := range []string{"ports", "sum of their numbers", "power-ups", "power-ups of ports"} {
		if got := binary.LittleEndian.Uint32(out[4*n:]); got != want[n] {
			a.Errorf("%s: %d, want %d", name, got, want[n])
		}
	}
}

// Ports come and go; the device is idle after 50 ms, and comes back for a request.
func TestPortsAndIdlePower(t *testing.T) {
	noFindings(t, scenario(t, "ports.sys", func(a *dirql.App) {
		wantState(a, 0, 0, 2, 0) // it went to sleep after its start
		control(a, plug, 3, 0)
		control(a, plug, 4, 0)
		control(a, plug, 4, wdf.StatusObjectNameExists)
		a.Sleep(millisecond)
		wantState(a, 2, 7, 2, 2)
		a.Sleep(30 * millisecond) // the ports are idle, the device is not
		wantState(a, 2, 7, 2, 2)
		a.Sleep(100 * millisecond)
		wantState(a, 2, 7, 3, 2)
		control(a, unplug, 3, 0)
		control(a, unplug, 3, wdf.StatusNoSuchDevice)
		control(a, unplug, 5, wdf.StatusNoSuchDevice)
		a.Sleep(millisecond)
		wantState(a, 1, 4, 3, 2)
	}, nil))
}

// The system sleeps while the ports are there, and the device is taken out.
func TestPortsSleepAndUnplug(t *testing.T) {
	noFindings(t, scenario(t, "ports.sys", func(a *dirql.App) {
		control(a, plug, 1, 0)
		control(a, plug, 2, 0)
		a.Sleep(1000 * millisecond)
		a.DeviceIoControl(state, nil, 16) // no matter what: the device is going
	}, func(s *dirql.System) {
		s.Sleep(5 * millisecond)
		s.PowerDown()
		s.Sleep(5 * millisecond)
		s.PowerUp()
		s.Sleep(5 * millisecond)
		s.SurpriseRemove()
	}))
}

// WdfDeviceSetFailed with a restart: the device is removed and found again.
func TestPortsRestart(t *testing.T) {
	noFindings(t, scenario(t, "ports.sys", func(a *dirql.App) {
		control(a, plug, 1, 0)
		control(a, fail, 0, 0)
		a.Sleep(millisecond)
		wantState(a, 0, 0, 1, 0)
	}, nil))
}

func TestPortsProperty(t *testing.T) {
	noFindings(t, scenario(t, "ports.sys", func(a *dirql.App) {
		if _, st := a.DeviceIoControl(property, nil, 4); st != wdf.StatusBufferTooSmall {
			a.Errorf("short buffer: 0x%X", uint32(st))
		}
		out, st := a.DeviceIoControl(property, nil, 400)
		var text []uint16
		for n := 0; n+1 < len(out); n += 2 {
			text = append(text, binary.LittleEndian.Uint16(out[n:]))
		}
		if got := string(utf16.Decode(text)); st != 0 || !strings.HasPrefix(got, `PCI\VEN_1234&DEV_11E8&SUBSYS_`) || !strings.HasSuffix(got, "\x00\x00") {
			a.Errorf("hardware IDs %q, 0x%X", got, uint32(st))
		}
	}, nil))
}

// Each of these ends with the finding that names its mistake.
func TestPortsMistakes(t *testing.T) {
	for file, title := range map[string]string{
		"twins":           "bug check 0xCA",
		"class":           "the class extension TestClassExtension",
		"init-after-free": "bug check 0x50",
		"resume-idle":     "verifier break: WdfDeviceResumeIdle",
	} {
		t.Run(file, func(t *testing.T) {
			r := scenario(t, "testdata/"+file+".sys", func(a *dirql.App) {
				control(a, plug, 1, 0)
				control(a, plug, 2, 0)
				a.Sleep(millisecond)
			}, nil)
			if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Title+r.Findings[0].Text, title) {
				t.Errorf("findings %v, want %s", r.Findings, title)
			}
		})
	}
}
