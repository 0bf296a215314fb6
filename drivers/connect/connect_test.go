package connect_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/selftest"
)

// scenario is an application that reads three times: each is an interrupt.
func scenario(messages bool) func() *dirql.Scenario {
	return func() *dirql.Scenario {
		return &dirql.Scenario{Name: "connect", Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }, Messages: messages},
			Phases: []dirql.Phase{{Name: "read", Applications: []dirql.Application{{Name: "read.exe", Run: func(a *dirql.App) {
				for range 3 {
					if _, st := a.Read(4); st != 0 {
						a.Errorf("the read ends with 0x%X", uint32(st))
					}
				}
			}}}}}}
	}
}

// The driver connects its interrupt in all forms of IoConnectInterruptEx (INT-1,
// INT-25) and works with a message, or with the line instead. The variants end with the
// finding that names their mistake.
func TestINT25Connect(t *testing.T) {
	for _, c := range []struct {
		file        string
		messages    bool
		title, rule string
	}{
		{"connect.sys", true, "", ""},
		{"connect.sys", false, "", ""},
		{"testdata/still-connected.sys", true, "interrupt connected at unload", "interrupt connected at unload"},
		{"testdata/still-connected.sys", false, "interrupt connected at unload", "interrupt connected at unload"},
		{"testdata/wrong-version.sys", true, "", ""},
		{"testdata/wrong-version.sys", false, "interrupt object", "interrupt object"},
		{"testdata/twice.sys", false, "bug check 0xCC", "use after free"},
		{"testdata/twice.sys", true, "bug check 0xCC", "use after free"},
		{"testdata/divide.sys", true, "bug check 0x3D", "exception"},
	} {
		for _, processors := range []int{1, 2} {
			t.Run(fmt.Sprint(c.file, " messages ", c.messages, " ", processors), func(t *testing.T) {
				selftest.Finds(t, selftest.Twice(t, scenario(c.messages), c.file, dirql.Options{Processors: processors}), c.title, c.rule)
			})
		}
	}
}
