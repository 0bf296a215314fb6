package transfer_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// I/O controls of transfer.c.
const (
	reverse = 0x222007 // METHOD_NEITHER
	below   = 0x222008
	opens   = 0x22200C
)

func scenario(t *testing.T, file string, applications ...func(a *dirql.App)) *dirql.Scenario {
	t.Helper()
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &dirql.Scenario{Name: "transfer", Title: "transfer", Driver: d, Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }}}
	for _, f := range applications {
		s.Phases = append(s.Phases, dirql.Phase{Name: "phase", Applications: []dirql.Application{{Name: "application", Run: f}}})
	}
	return s
}

func run(t *testing.T, s *dirql.Scenario, o dirql.Options) *dirql.Report {
	t.Helper()
	r, err := s.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// copyData writes more than the device's buffer holds, in two fragments, and reads
// the buffer.
func copyData(a *dirql.App) {
	data := pattern(6000)
	if st := a.Write(data); st != 0 {
		a.Errorf("the write ended with 0x%X", uint32(st))
	}
	want := append(bytes.Clone(data[4096:]), data[1904:4096]...)
	if p, st := a.Read(4096); st != 0 || !bytes.Equal(p, want) {
		a.Errorf("the read ended with 0x%X and %d bytes", uint32(st), len(p))
	}
	if p, st := a.Read(10); st != 0 || !bytes.Equal(p, want[:10]) {
		a.Errorf("the short read ended with 0x%X and % x", uint32(st), p)
	}
}

func reverseData(a *dirql.App) {
	if p, st := a.DeviceIoControl(reverse, []byte("stressed"), 8); st != 0 || string(p) != "desserts" {
		a.Errorf("reverse: 0x%X, %q", uint32(st), p)
	}
	if _, st := a.DeviceIoControl(reverse, []byte("stressed"), 7); st != wdf.StatusBufferTooSmall {
		a.Errorf("reverse without room: 0x%X", uint32(st))
	}
	if _, st := a.DeviceIoControl(reverse, nil, 7); st != wdf.StatusBufferTooSmall {
		a.Errorf("reverse of nothing: 0x%X", uint32(st))
	}
	if p, st := a.DeviceIoControl(opens, nil, 4); st != 0 || !bytes.Equal(p, []byte{4, 0, 0, 0}) {
		a.Errorf("requests of this file: 0x%X, % x", uint32(st), p)
	}
}

func sendBelow(want wdf.NTSTATUS, output string) func(a *dirql.App) {
	return func(a *dirql.App) {
		if p, st := a.DeviceIoControl(below, []byte("in"), 3); st != want || string(p) != output {
			a.Errorf("below: 0x%X, %q", uint32(st), p)
		}
	}
}

// The binary does its work in every schedule that is tried.
func TestTransfers(t *testing.T) {
	for _, o := range []dirql.Options{{}, {Processors: 2}, {Processors: 2, Seed: 3}, {Processors: 4, Seed: 9}} {
		s := scenario(t, "transfer.sys", copyData, reverseData, sendBelow(wdf.StatusInvalidDeviceRequest, ""))
		// All three at once, too.
		all := dirql.Phase{Name: "all"}
		for _, p := range s.Phases {
			all.Applications = append(all.Applications, p.Applications...)
		}
		s.Phases = append(s.Phases, all)
		r := run(t, s, o)
		for _, f := range r.Findings {
			t.Errorf("%+v: %s: %s", o, f.Title, f.Text)
		}
		var b bytes.Buffer
		if err := r.WriteTrace(&b); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "a file is closed"); n != 6 {
			t.Errorf("%+v: EvtFileClose was called %d times, want 6", o, n)
		}
	}
}

// A scenario says what the driver below answers.
func TestDriverBelow(t *testing.T) {
	for _, delay := range []uint64{0, 50_000} {
		s := scenario(t, "transfer.sys", sendBelow(0, "yes"))
		s.Device.Lower = func(r wdf.LowerRequest) wdf.LowerAnswer {
			if r.IoControlCode != below || string(r.Input) != "in" {
				return wdf.LowerAnswer{Status: wdf.StatusInvalidParameter}
			}
			return wdf.LowerAnswer{Information: 3, Output: []byte("yes"), Delay: delay}
		}
		for _, f := range run(t, s, dirql.Options{Processors: 2}).Findings {
			t.Errorf("delay %d: %s: %s", delay, f.Title, f.Text)
		}
	}
}

// Each mistake is found out and named.
func TestBrokenTransfers(t *testing.T) {
	write := func(a *dirql.App) { a.Write(pattern(10)) }
	for _, c := range []struct {
		file, title, stack string
		applications       []func(a *dirql.App)
	}{
		{"execute-twice", "bug check 0x10D WDF_VIOLATION (0x8, ", "EvtWrite", []func(a *dirql.App){write}},
		{"forget-release", "bug check 0x10D WDF_VIOLATION (0x8, ", "EvtWrite", []func(a *dirql.App){write, write}},
		{"send-lost", "verifier break: WdfRequestSend", "EvtDeviceControl", []func(a *dirql.App){func(a *dirql.App) { a.StartDeviceIoControl(below, nil, 0).Cancel() }}},
		{"user-address-dpc", "user-mode address in arbitrary context", "EvtDpc", []func(a *dirql.App){
			func(a *dirql.App) { a.DeviceIoControl(reverse, []byte("a"), 1) }, write}},
	} {
		t.Run(c.file, func(t *testing.T) {
			r := run(t, scenario(t, "testdata/"+c.file+".sys", c.applications...), dirql.Options{})
			if len(r.Findings) == 0 || !strings.HasPrefix(r.Findings[0].Title, c.title) {
				t.Fatalf("findings %+v", r.Findings)
			}
			if f := r.Findings[0]; !strings.Contains(strings.Join(f.Stack, "\n"), c.stack) {
				t.Errorf("stack %q does not name %s", f.Stack, c.stack)
			}
		})
	}
}
