package bind

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"ExCreateCallback":     (*call).createCallback,
		"ExRegisterCallback":   (*call).registerCallback,
		"ExUnregisterCallback": (*call).unregisterCallback,
		"ExNotifyCallback":     (*call).notifyCallback,
	})
}

// callbackObject is an object of ExCreateCallback.
type callbackObject struct {
	name     string // "" without one
	multiple bool   // more than one routine may be registered
}

// callbackRoutine is a routine that is registered for one.
type callbackRoutine struct {
	object            int // index in callbacks, -1: taken back
	function, context uint64
}

// Addresses of callback objects and registrations: drivers only pass them on.
const (
	callbackBase     = 0xFFFFE701_00000000
	registrationBase = 0xFFFFE702_00000000
	callbackStep     = 0x10
)

// createCallback is (address for the object, OBJECT_ATTRIBUTES, create, allow
// multiple). The system's own objects (\Callback\PowerState and so on) exist;
// this machine never notifies them.
func (c *call) createCallback() uint64 {
	name := ""
	if oa := c.arg(1); oa != 0 {
		name = c.unicodeText(c.load(oa+0x10, 8))
	}
	c.Step()
	for i := range c.d.callbacks {
		if name != "" && c.d.callbacks[i].name == name {
			c.give(0, callbackBase+uint64(i)*callbackStep)
			return uint64(wdf.StatusSuccess)
		}
	}
	system := name == `\Callback\PowerState` || name == `\Callback\SetSystemTime` || name == `\Callback\ProcessorAdd`
	if !c.flag(2) && !system {
		return uint64(statusObjectNameNotFound)
	}
	c.give(0, callbackBase+uint64(len(c.d.callbacks))*callbackStep)
	c.d.callbacks = append(c.d.callbacks, callbackObject{name, c.flag(3) || system})
	return uint64(wdf.StatusSuccess)
}

// callbackAt returns the number of the object at an address.
func (c *call) callbackAt(addr uint64) int {
	i := (addr - callbackBase) / callbackStep
	if addr < callbackBase || i >= uint64(len(c.d.callbacks)) {
		c.Unsupported(c.r.name + " for something that is not a callback object of ExCreateCallback")
	}
	return int(i)
}

// registerCallback is (object, routine, context); NULL if one is registered that
// must be alone.
func (c *call) registerCallback() uint64 {
	c.Step()
	object := c.callbackAt(c.arg(0))
	for _, r := range c.d.registrations {
		if r.object == object && !c.d.callbacks[object].multiple {
			return 0
		}
	}
	c.d.registrations = append(c.d.registrations, callbackRoutine{object, c.arg(1), c.arg(2)})
	return registrationBase + uint64(len(c.d.registrations)-1)*callbackStep
}

func (c *call) unregisterCallback() uint64 {
	c.Step()
	i := (c.arg(0) - registrationBase) / callbackStep
	if c.arg(0) < registrationBase || i >= uint64(len(c.d.registrations)) || c.d.registrations[i].object < 0 {
		c.Unsupported("ExUnregisterCallback of something that is not registered")
	}
	c.d.registrations[i].object = -1
	return 0
}

// notifyCallback is (object, argument 1, argument 2): the routines are called one
// after the other, at the IRQL of the caller.
func (c *call) notifyCallback() uint64 {
	object := c.callbackAt(c.arg(0))
	a1, a2 := c.arg(1), c.arg(2)
	for i := range len(c.d.registrations) { // what a routine registers meanwhile is not called
		if r := c.d.registrations[i]; r.object == object {
			c.Invoke("CALLBACK_FUNCTION", r.function, kernel.Args{r.context, a1, a2})
		}
	}
	return 0
}
