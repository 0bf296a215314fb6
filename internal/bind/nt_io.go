package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"IoAllocateErrorLogEntry":  func(c *call) uint64 { return c.AllocatePool(false, max(c.arg(1)&0xFF, 1), kernel.PoolTag("Err ")) },
		"IoWriteErrorLogEntry":     (*call).writeErrorLog,
		"IoWMIRegistrationControl": (*call).wmiRegistration,
	})
}

// writeErrorLog puts an entry of the system's error log into the trace; the
// entry is given up.
func (c *call) writeErrorLog() uint64 {
	c.Note("error log", fmt.Sprintf("error code 0x%X", c.load(c.arg(0)+12, 4)))
	c.FreePool(c.arg(0))
	return 0
}

// wmiRegistration registers a device with WMI (1) or takes that back (2). There
// is no consumer of WMI on this machine: a registered device is never asked,
// which is what happens on Windows as long as nobody asks.
func (c *call) wmiRegistration() uint64 {
	action := c.word(1)
	c.Note("IoWMIRegistrationControl", fmt.Sprintf("action %d", action))
	if action&^0x10000 == 1 || action&^0x10000 == 2 {
		return uint64(wdf.StatusSuccess)
	}
	return uint64(wdf.StatusInvalidParameter)
}
