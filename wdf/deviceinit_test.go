package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/wdf"
)

// What an application would need and is not there stops the run by name; the
// rest works.
func TestDeviceInitSettings(t *testing.T) {
	control := wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, OutputLength: 4}
	for name, test := range map[string]struct {
		set         func(s *wdf.Sys, init *wdf.DeviceInit)
		p           wdf.RequestParams
		unsupported bool
	}{
		"nothing":  {func(s *wdf.Sys, init *wdf.DeviceInit) {}, read4, false},
		"buffered": {func(s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetIoType(init, wdf.IoTypeBuffered) }, read4, false},
		"direct, I/O control": {func(s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetIoType(init, wdf.IoTypeDirect) },
			control, false},
		"direct, read": {func(s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetIoType(init, wdf.IoTypeDirect) }, read4, false},
		"either":       {func(s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetIoType(init, wdf.IoTypeBufferedOrDirect) }, read4, true},
		"no file objects": {func(s *wdf.Sys, init *wdf.DeviceInit) {
			s.WdfDeviceInitSetFileObjectConfig(init, &wdf.FileObjectConfig{Size: wdf.FileObjectConfigSize,
				AutoForwardCleanupClose: wdf.UseDefault, FileObjectClass: wdf.FileObjectNotRequired}, nil)
		}, read4, false},
		"file objects": {func(s *wdf.Sys, init *wdf.DeviceInit) {
			s.WdfDeviceInitSetFileObjectConfig(init, &wdf.FileObjectConfig{Size: wdf.FileObjectConfigSize,
				AutoForwardCleanupClose: wdf.UseDefault, FileObjectClass: wdf.FileObjectWdfCannotUseFsContexts}, nil)
		}, control, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := driver{init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) { test.set(s, init) }}
			ioScenario(t, d, []queueSpec{{present: completeNow}}, func(x *ioBench) {
				if !test.unsupported {
					x.do(func(s *wdf.Sys) { x.send(s, test.p) })
					x.wantEnd(1, 0)
					return
				}
				x.stop(func(s *wdf.Sys) { x.send(s, test.p) })
				if f := x.take(); len(f) != 1 || !f[0].Unsupported {
					x.Errorf("findings %v", titles(f))
				}
			})
		})
	}
}
