package device

import (
	"errors"
	"slices"
)

// A Function is one PCI function: a model and the configuration space in front
// of it. It is not safe for concurrent use.
type Function struct {
	model  Model
	host   Host
	info   Info
	layout *layout

	// The state, with the model's. See AppendState.
	config  configSpace
	line    bool // what the model requests
	removed bool
	msix    msixState

	pin bool // what the host was last told: always equal to pinLevel()
}

var _ Bus = (*Function)(nil)

// NewFunction returns a function with that model behind it. Call Reset, the
// power-on reset, before anything else: NewFunction itself calls neither host
// nor, except for its Info, the model. An error says what is impossible in the
// model's Info.
func NewFunction(model Model, host Host) (*Function, error) {
	if model == nil || host == nil {
		return nil, errors.New("device: NewFunction needs a model and a host")
	}
	info := model.Info()
	info.BARs = slices.Clone(info.BARs)
	if err := info.validate(); err != nil {
		return nil, err
	}
	f := &Function{model: model, host: host, info: info, layout: newLayout(&info)}
	f.config = f.layout.reset
	f.resetMSIX()
	return f, nil
}

// Info returns the description of the function.
func (f *Function) Info() Info {
	info := f.info
	info.BARs = slices.Clone(info.BARs)
	return info
}

// Reset is the reset of the function: at power-on, of the bus, and on the way
// from D3hot to D0. Configuration space loses everything that software wrote,
// pending events are cancelled, the line is deasserted, the model is reset. A
// removed function stays removed.
func (f *Function) Reset() {
	if f.removed {
		return
	}
	f.host.CancelAll(f)
	f.config = f.layout.reset
	f.resetMSIX()
	f.SetLine(false)
	f.model.Reset(f)
}

// Remove is the surprise removal: the device is gone, for good. From now on
// reads give all ones and writes are ignored, the line is deasserted, events
// are cancelled, and the model is not called.
func (f *Function) Remove() {
	if f.removed {
		return
	}
	f.host.CancelAll(f)
	f.SetLine(false)
	f.removed = true
}

// Asleep tells whether the device is there, but in a low-power state.
func (f *Function) Asleep() bool { return !f.removed && f.powerState() != PowerD0 }

// Removed tells whether the device has been surprise-removed.
func (f *Function) Removed() bool { return f.removed }

// Unannounced is what [Announcer] says; "" where the model does not know, and while
// the device is gone or asleep.
func (f *Function) Unannounced() string {
	a, ok := f.model.(Announcer)
	if !ok || f.removed || f.Asleep() {
		return ""
	}
	return a.Unannounced(f)
}

// Event says that an event which the function scheduled is due. Call it once
// for each, after forgetting the event.
func (f *Function) Event(id uint32) {
	if !f.removed {
		f.model.Event(f, id)
	}
}

// ReadRegister returns what a read of size bytes (1, 2, 4 or 8) at offset of a
// BAR gives: the model's answer, or all ones if the device does not respond
// (removed, in D3hot, space disabled, no such register).
func (f *Function) ReadRegister(bar int, offset uint64, size int) uint64 {
	if f.removed {
		return ones(size)
	}
	if why := f.silent(bar, offset, size); why != "" {
		f.Note("read of BAR %d at %#x gives all ones: %s", bar, offset, why)
		return ones(size)
	}
	if v, ok := f.readMSIX(bar, offset, size); ok {
		return v
	}
	return f.model.ReadRegister(f, bar, offset, size) & ones(size)
}

// WriteRegister writes the low size bytes (1, 2, 4 or 8) of value at offset of
// a BAR. It is ignored if the device does not respond; see ReadRegister.
func (f *Function) WriteRegister(bar int, offset uint64, size int, value uint64) {
	if f.removed {
		return
	}
	if why := f.silent(bar, offset, size); why != "" {
		f.Note("write of BAR %d at %#x is ignored: %s", bar, offset, why)
		return
	}
	if f.writeMSIX(bar, offset, size, value&ones(size)) {
		return
	}
	f.model.WriteRegister(f, bar, offset, size, value&ones(size))
}

// silent returns why a present function does not respond to an access to its
// registers, or "" if it does.
func (f *Function) silent(bar int, offset uint64, size int) string {
	i := slices.IndexFunc(f.info.BARs, func(b BAR) bool { return b.Index == bar })
	switch {
	case i < 0:
		return "the function does not have this BAR"
	case size != 1 && size != 2 && size != 4 && size != 8:
		return "an access has 1, 2, 4 or 8 bytes"
	case !f.info.BARs[i].contains(offset, size):
		return "it is outside the BAR"
	case f.powerState() != PowerD0:
		return ErrPower.Error()
	case f.command()&f.info.BARs[i].enableBit() == 0:
		return "the space is disabled in the command register"
	}
	return ""
}
