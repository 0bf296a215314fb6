// Package kit is what the drivers in Go of the patterns share, as pattern.h is
// for those in C: the registers of the ring device, and everything about a KMDF
// driver that is not the point of a pattern.
package kit

import "github.com/dirql/dirql/wdf"

// Registers of the ring device, 4 bytes each, by offset in BAR 0; pattern.h has
// the same.
const (
	Cause       = 0x00   // read: causes since the last read, which clears them
	Status      = 0x04   // read: the same without clearing; Busy
	Enable      = 0x08   // causes that interrupt
	Acknowledge = 0x0C   // write: clears causes
	Listen      = 0x10   // write: the wire brings so many more packets
	Packet      = 0x14   // read: takes a packet out of the ring, 0: there is none
	Transmit    = 0x18   // write: sends a packet
	Sent        = 0x1C   // read: packets that have been sent
	Command     = 0x20   // write: begins a command
	Response    = 0x24   // read: the complement of the last command that was carried out
	Length      = 0x1000 // of the registers, in bytes
)

// Causes.
const (
	Received  = 1 << 0 // a packet has come
	SentOne   = 1 << 1 // a packet has been sent
	Done      = 1 << 2 // a command was carried out
	Overrun   = 1 << 3 // a packet came when the ring was full, and is lost
	AllCauses = Received | SentOne | Done | Overrun
)

// Busy is a bit of Status: a command is being carried out.
const Busy = 1 << 31

// Gone is what all registers read as when the device is gone.
const Gone = 0xFFFFFFFF

// I/O control codes: IOCTL_PATTERN_OPEN and so on.
const (
	IoctlOpen  = 0x222000
	IoctlClose = 0x222004
	IoctlStart = 0x222008
)

// Tag is the pool tag of the drivers: 'Patt'.
const Tag = 'P' | 'a'<<8 | 't'<<16 | 't'<<24

// Context is the type of a device context. Drivers add fields to it.
type Context struct {
	*wdf.ContextType
	registers wdf.Field[uint64] // mapped
}

// NewContext returns a type with the registers as its only field.
func NewContext() *Context {
	t := wdf.NewContextType("DEVICE_CONTEXT")
	return &Context{t, wdf.NewField[uint64](t, "Registers")}
}

// Of returns the address of a device's context.
func (c *Context) Of(s *wdf.Sys, device wdf.WDFDEVICE) uint64 {
	return s.WdfObjectGetTypedContext(device, c.ContextType)
}

// Read reads a register of the device with the context at ctx.
func (c *Context) Read(s *wdf.Sys, ctx, register uint64) uint32 {
	return uint32(s.Load(c.registers.Load(s, ctx)+register, 4))
}

// Write writes a register.
func (c *Context) Write(s *wdf.Sys, ctx, register uint64, v uint32) {
	s.Store(c.registers.Load(s, ctx)+register, 4, uint64(v))
}

// DriverEntry returns the DriverEntry of a driver with this EvtDriverDeviceAdd.
func DriverEntry(add func(s *wdf.Sys, driver wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS) func(*wdf.Sys) wdf.NTSTATUS {
	return func(s *wdf.Sys) wdf.NTSTATUS {
		_, status := s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(add)}, nil)
		return status
	}
}

// CreateDevice creates a device and returns the address of its context, too.
func (c *Context) CreateDevice(s *wdf.Sys, init *wdf.DeviceInit, callbacks wdf.PnpPowerEventCallbacks) (wdf.WDFDEVICE, uint64, wdf.NTSTATUS) {
	callbacks.EvtDevicePrepareHardware = s.PrepareHardware(c.prepareHardware)
	callbacks.EvtDeviceReleaseHardware = s.ReleaseHardware(c.releaseHardware)
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &callbacks)
	device, status := s.WdfDeviceCreate(init, &wdf.ObjectAttributes{ContextType: c.ContextType})
	if status.Failed() {
		return 0, 0, status
	}
	return device, c.Of(s, device), status
}

// prepareHardware maps the registers.
func (c *Context) prepareHardware(s *wdf.Sys, device wdf.WDFDEVICE, raw, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	ctx := c.Of(s, device)
	for i := range s.WdfCmResourceListGetCount(translated) {
		if r := s.WdfCmResourceListGetDescriptor(translated, i); r.Type == wdf.CmResourceTypeMemory {
			c.registers.Store(s, ctx, s.MmMapIoSpace(r.Start, Length))
			return wdf.StatusSuccess
		}
	}
	return wdf.StatusDeviceConfigurationError
}

// releaseHardware undoes that.
func (c *Context) releaseHardware(s *wdf.Sys, device wdf.WDFDEVICE, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	ctx := c.Of(s, device)
	if p := c.registers.Load(s, ctx); p != 0 {
		s.MmUnmapIoSpace(p, Length)
		c.registers.Store(s, ctx, 0)
	}
	return wdf.StatusSuccess
}

// CreateInterrupt creates an interrupt; the device interrupts for every cause as
// long as it is enabled.
func (c *Context) CreateInterrupt(s *wdf.Sys, device wdf.WDFDEVICE, isr, dpc wdf.Callback) wdf.NTSTATUS {
	config := wdf.InterruptConfigInit(isr, dpc)
	config.EvtInterruptEnable = s.InterruptEnable(c.enableInterrupt)
	config.EvtInterruptDisable = s.InterruptEnable(c.disableInterrupt)
	_, status := s.WdfInterruptCreate(device, &config, nil)
	return status
}

func (c *Context) enableInterrupt(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) wdf.NTSTATUS {
	c.Write(s, c.Of(s, device), Enable, AllCauses)
	return wdf.StatusSuccess
}

func (c *Context) disableInterrupt(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) wdf.NTSTATUS {
	c.Write(s, c.Of(s, device), Enable, 0)
	return wdf.StatusSuccess
}

// ReturnNumber completes a request with a number as its result.
func ReturnNumber(s *wdf.Sys, request wdf.WDFREQUEST, n uint32) {
	buffer, _, status := s.WdfRequestRetrieveOutputBuffer(request, 4)
	if status.Failed() {
		s.WdfRequestComplete(request, status)
		return
	}
	s.Store(buffer, 4, uint64(n))
	s.WdfRequestCompleteWithInformation(request, wdf.StatusSuccess, 4)
}
