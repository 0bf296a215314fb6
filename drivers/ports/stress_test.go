package ports_test

import (
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
)

// Ports are plugged in and unplugged by two applications while the system sleeps,
// wakes and takes the device out, in random schedules: nothing is found.
func TestPortsAtRandom(t *testing.T) {
	d, err := dirql.LoadDriver("ports.sys")
	if err != nil {
		t.Fatal(err)
	}
	change := func(a *dirql.App) {
		for n := range uint32(6) {
			code := uint32(plug)
			if n%3 == 2 {
				code = unplug
			}
			a.DeviceIoControl(code, []byte{byte(n % 2), 0, 0, 0}, 0)
			if n == 4 {
				a.Sleep(70 * millisecond)
			}
			a.DeviceIoControl(state, nil, 16)
		}
	}
	for seed := range uint64(60) {
		phase := dirql.Phase{Name: "ports", Applications: []dirql.Application{{Name: "one.exe", Run: change}, {Name: "two.exe", Run: change}},
			System: func(s *dirql.System) {
				s.Sleep(seed % 7 * millisecond)
				s.PowerDown()
				s.Sleep(seed % 60 * millisecond)
				s.PowerUp()
				if seed%2 == 1 {
					s.Sleep(seed * millisecond)
					s.SurpriseRemove()
				}
			}}
		s := &dirql.Scenario{Name: "ports", Processors: 2, Driver: d, Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
			Phases: []dirql.Phase{phase}}
		r, err := s.Run(dirql.Options{Seed: seed + 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Errorf("seed %d: %s: %s %q", seed, f.Title, f.Text, f.Stack)
		}
		if len(r.Findings) == 0 && r.End[:4] != "done" {
			t.Errorf("seed %d: the run ended: %s", seed, r.End)
		}
	}
}
