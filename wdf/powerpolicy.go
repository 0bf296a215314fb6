package wdf

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Values of IdleSettings.IdleCaps (WDF_POWER_POLICY_S0_IDLE_CAPABILITIES).
const (
	IdleCannotWakeFromS0    = 1
	IdleCanWakeFromS0       = 2
	IdleUsbSelectiveSuspend = 3
)

// Values of UserControl of IdleSettings and WakeSettings, and of
// IdleSettings.IdleTimeoutType.
const (
	DoNotAllowUserControl = 1
	AllowUserControl      = 2

	DriverManagedIdleTimeout         = 0
	SystemManagedIdleTimeout         = 1
	SystemManagedIdleTimeoutWithHint = 2
)

// PowerDeviceMaximum as DxState lets the framework choose.
const PowerDeviceMaximum PowerState = 5

// Sizes of WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS and
// WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS in bytes.
const (
	IdleSettingsSize  = 36
	idleSettingsSize9 = 28 // without IdleTimeoutType and ExcludeD3Cold
	idleSettingsSize7 = 24 // without PowerUpIdleDeviceOnSystemWake
	WakeSettingsSize  = 20
	wakeSettingsSize5 = 16 // without the two BOOLEANs
)

// defaultIdleTimeout is what IdleTimeoutDefaultValue stands for, in milliseconds.
const defaultIdleTimeout = 5000

// systemIdleTimeout is the timeout of the framework where the power framework
// decides, in nanoseconds: one tick of its timers.
const systemIdleTimeout = 100

// IdleSettings is WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS.
type IdleSettings struct {
	Size                          uint32
	IdleCaps                      uint32
	DxState                       PowerState // 1: D0, ... as in PowerState; PowerDeviceMaximum: D3 or the deepest that can wake
	IdleTimeout                   uint32     // milliseconds; 0: 5 seconds; not used with SystemManagedIdleTimeout
	UserControl                   uint32
	Enabled                       TriState
	PowerUpIdleDeviceOnSystemWake TriState
	IdleTimeoutType               uint32
	ExcludeD3Cold                 TriState
}

// IdleSettingsInit is WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT.
func IdleSettingsInit(caps uint32) IdleSettings {
	return IdleSettings{Size: IdleSettingsSize, IdleCaps: caps, DxState: PowerDeviceMaximum, UserControl: AllowUserControl,
		Enabled: UseDefault, PowerUpIdleDeviceOnSystemWake: UseDefault, ExcludeD3Cold: UseDefault}
}

// WakeSettings is WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS.
type WakeSettings struct {
	Size                                uint32
	DxState                             PowerState
	UserControl                         uint32
	Enabled                             TriState
	ArmForWakeIfChildrenAreArmedForWake bool
	IndicateChildWakeOnParentWake       bool
}

// WakeSettingsInit is WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT.
func WakeSettingsInit() WakeSettings {
	return WakeSettings{Size: WakeSettingsSize, DxState: PowerDeviceMaximum, UserControl: AllowUserControl, Enabled: UseDefault}
}

var (
	svcWdfDeviceAssignS0IdleSettings = kernel.NewService("WdfDeviceAssignS0IdleSettings")
	svcWdfDeviceAssignSxWakeSettings = kernel.NewService("WdfDeviceAssignSxWakeSettings")
	svcWdfDeviceSetPowerCapabilities = kernel.NewService("WdfDeviceSetPowerCapabilities")
	svcWdfDeviceIndicateWakeStatus   = kernel.NewService("WdfDeviceIndicateWakeStatus")
	svcWdfDeviceGetSystemPowerAction = kernel.NewService("WdfDeviceGetSystemPowerAction")
)

// WdfDeviceAssignS0IdleSettings says that the device goes to a low-power state
// when it has been idle for some time: its power-managed queues are empty, its
// children are in low-power states, and there is no WdfDeviceStopIdle. A request
// or WdfDeviceStopIdle takes it back to D0, and so does the device itself with
// IdleCanWakeFromS0 (WAKE-7). Settings that need a device that can signal wake are
// STATUS_POWER_STATE_INVALID for one that cannot. The registry, in which a user
// could have disabled it, is empty. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp,
// fxpkgpnp.cpp).
func (s *Sys) WdfDeviceAssignS0IdleSettings(h WDFDEVICE, c *IdleSettings) NTSTATUS {
	s.Enter(svcWdfDeviceAssignS0IdleSettings, uint64(h))
	s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "Settings")
	s.Step()
	dev := s.lookup(h, TypeDevice)
	if !s.device(dev).powerPolicyOwner {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := c.check(); st.Failed() {
		return s.LeaveStatus(st)
	}
	dx := c.DxState
	if c.IdleCaps != IdleCannotWakeFromS0 {
		deepest, st := s.deepestWake(dev, dx)
		switch {
		case st.Failed():
			return s.LeaveStatus(st)
		case dx == PowerDeviceMaximum:
			dx = deepest
		}
	}
	i := &s.device(dev).idle
	system := c.Size == IdleSettingsSize && c.IdleTimeoutType != DriverManagedIdleTimeout
	switch {
	case c.IdleCaps == IdleUsbSelectiveSuspend && dx > PowerDeviceD2:
		return s.LeaveStatus(StatusPowerStateInvalid)
	case c.IdleCaps == IdleUsbSelectiveSuspend:
		s.Unsupported("USB selective suspend (IdleUsbSelectiveSuspend)")
	case c.Size == IdleSettingsSize && i.set && system != i.systemManaged:
		s.verifierBreak("WdfDeviceAssignS0IdleSettings", "OBJ-19", "IdleTimeoutType says something else than in the first call: nothing happens")
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	i.systemManaged, i.canWake = system, c.IdleCaps == IdleCanWakeFromS0
	s.assignIdle(dev, c, dx)
	s.idleChanged(dev)
	return s.LeaveStatus(StatusSuccess)
}

// check does the checks of the structure.
func (c *IdleSettings) check() NTSTATUS {
	short7, short9 := c.Size == idleSettingsSize7, c.Size == idleSettingsSize9
	switch {
	case c.Size != IdleSettingsSize && !short7 && !short9:
		return StatusInfoLengthMismatch
	case c.DxState < PowerDeviceD1 || c.DxState > PowerDeviceMaximum,
		c.IdleCaps < IdleCannotWakeFromS0 || c.IdleCaps > IdleUsbSelectiveSuspend,
		c.UserControl < DoNotAllowUserControl || c.UserControl > AllowUserControl,
		!valid(c.Enabled),
		!short7 && !valid(c.PowerUpIdleDeviceOnSystemWake),
		!short7 && c.IdleCaps != IdleCannotWakeFromS0 && c.PowerUpIdleDeviceOnSystemWake != UseDefault,
		!short7 && !short9 && c.IdleTimeoutType > SystemManagedIdleTimeoutWithHint:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// timeout returns how long the device has to be idle, in nanoseconds. The power
// framework asks for D3 as soon as it can, or after the hint; what the driver says
// otherwise is not used.
func (c *IdleSettings) timeout() uint64 {
	switch {
	case c.Size == IdleSettingsSize && c.IdleTimeoutType == SystemManagedIdleTimeout:
		return systemIdleTimeout
	case c.IdleTimeout == 0:
		return defaultIdleTimeout * 1_000_000
	}
	return uint64(c.IdleTimeout) * 1_000_000
}

// assignIdle takes the settings over; the first time it makes the timer.
func (s *Sys) assignIdle(dev id, c *IdleSettings, dx PowerState) {
	i := &s.device(dev).idle
	enabled := c.Enabled != False
	if c.Enabled == UseDefault && c.UserControl == AllowUserControl && i.set {
		enabled = i.enabled
	}
	i.enabled = enabled
	i.dx = dx
	if i.dx == PowerDeviceMaximum {
		i.dx = PowerDeviceD3
	}
	i.timeout = c.timeout()
	if c.Size != idleSettingsSize7 && c.PowerUpIdleDeviceOnSystemWake != UseDefault {
		i.powerUpOnWake = c.PowerUpIdleDeviceOnSystemWake == True
	}
	if i.set {
		return
	}
	i.set = true
	i.ktimer = s.f.m.Mem.Alloc(kernel.TimerSize, kernel.PoolTag("FxPo"), false, s.ActivationID())
	i.kdpc = s.f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxPo"), false, s.ActivationID())
	s.InitializeTimer(i.ktimer, false)
	s.InitializeDPC(i.kdpc, s.f.thunks.idleTimer, uint64(dev))
	name := s.f.m.NameOf(uint64(dev.handle()))
	s.f.m.SetName(i.ktimer, name+" idle timer")
	s.f.m.SetName(i.kdpc, name+" idle DPC")
}

// WdfDeviceAssignSxWakeSettings says that the device can wake the system: when that
// goes to sleep, the device goes to DxState, armed for wake (WAKE-7). For a device
// that cannot signal wake it is STATUS_POWER_STATE_INVALID, after the checks of the
// settings. No child of a scenario can be armed, so that what is said about children
// changes nothing. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp, fxpkgpnp.cpp).
func (s *Sys) WdfDeviceAssignSxWakeSettings(h WDFDEVICE, c *WakeSettings) NTSTATUS {
	s.Enter(svcWdfDeviceAssignSxWakeSettings, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "Settings")
	switch {
	case !s.device(dev).powerPolicyOwner:
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case c.Size != WakeSettingsSize && c.Size != wakeSettingsSize5:
		return s.LeaveStatus(StatusInfoLengthMismatch)
	case c.DxState < PowerDeviceD1 || c.DxState > PowerDeviceMaximum,
		c.UserControl < DoNotAllowUserControl || c.UserControl > AllowUserControl, !valid(c.Enabled):
		return s.LeaveStatus(StatusInvalidParameter)
	}
	deepest, st := s.deepestWake(dev, c.DxState)
	if st.Failed() {
		return s.LeaveStatus(st)
	}
	w := &s.device(dev).wake
	enabled := c.Enabled != False
	if c.Enabled == UseDefault && c.UserControl == AllowUserControl && w.set {
		enabled = w.enabled
	}
	w.set, w.enabled, w.dx = true, enabled, c.DxState
	if w.dx == PowerDeviceMaximum {
		w.dx = deepest
	}
	return s.LeaveStatus(StatusSuccess)
}

// deepestWake returns the deepest state from which a device can signal wake:
// STATUS_POWER_STATE_INVALID if there is none, or if dx is deeper.
func (s *Sys) deepestWake(dev id, dx PowerState) (PowerState, NTSTATUS) {
	d := s.device(dev)
	able := d.parent == 0 && s.f.pnpManager != nil && s.f.pnpManager.CanWake(d.location)
	deepest := d.deviceWake
	if deepest == PowerDeviceInvalid && able {
		deepest = PowerDeviceD3
	}
	if deepest < PowerDeviceD1 || deepest > PowerDeviceD3 || dx != PowerDeviceMaximum && dx > deepest {
		s.pnpNote(dev, "the device cannot signal wake")
		return 0, StatusPowerStateInvalid
	}
	if !able {
		s.Unsupported("a device that wakes although its bus does not know how: the driver has said that it can (WdfDeviceSetPowerCapabilities)")
	}
	return deepest, StatusSuccess
}

// DevicePowerCapabilitiesSize is the size of WDF_DEVICE_POWER_CAPABILITIES in bytes.
const DevicePowerCapabilitiesSize = 80

// DevicePowerCapabilities is WDF_DEVICE_POWER_CAPABILITIES. PowerDeviceMaximum in
// DeviceState and DeviceWake, and SystemWake 7, leave what the bus says.
type DevicePowerCapabilities struct {
	Size              uint32
	Flags             [6]TriState   // DeviceD1 to WakeFromD3
	DeviceState       [7]PowerState // by system power state
	DeviceWake        PowerState
	SystemWake        uint32
	IdealDxStateForSx PowerState
}

// WdfDeviceSetPowerCapabilities says what the device can do in low-power states.
// What is wrong with the structure is a verifier break, and nothing happens. IRQL <=
// DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetPowerCapabilities(h WDFDEVICE, c *DevicePowerCapabilities) {
	s.Enter(svcWdfDeviceSetPowerCapabilities, uint64(h))
	defer s.LeaveVoid()
	d := s.device(s.lookup(h, TypeDevice))
	s.requirePointer(c != nil, "PowerCapabilities")
	deep := slices.ContainsFunc(c.DeviceState[:], func(p PowerState) bool { return p > PowerDeviceMaximum })
	switch {
	case c.Size != DevicePowerCapabilitiesSize:
		s.verifierBreak("WDF_DEVICE_POWER_CAPABILITIES.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens", c.Size, DevicePowerCapabilitiesSize)
	case !valid(c.Flags[:]...), deep, c.DeviceWake > PowerDeviceMaximum, c.SystemWake > systemPowerMaximum,
		!d.powerPolicyOwner && c.IdealDxStateForSx != PowerDeviceMaximum,
		c.IdealDxStateForSx < PowerDeviceD1 || c.IdealDxStateForSx > PowerDeviceMaximum:
		s.verifierBreak("WDF_DEVICE_POWER_CAPABILITIES", "OBJ-19", "a field is not valid: nothing happens")
	case c.DeviceWake != PowerDeviceMaximum:
		d.deviceWake = c.DeviceWake
	}
}

// systemPowerMaximum is PowerSystemMaximum.
const systemPowerMaximum = 7

// WdfDeviceIndicateWakeStatus ends the request to wait for wake that the owner of
// a device has sent to the bus driver. There is none: for an FDO
// STATUS_INVALID_DEVICE_STATE, for a PDO STATUS_INVALID_DEVICE_REQUEST. IRQL <=
// DISPATCH_LEVEL (fxdeviceapikm.cpp).
func (s *Sys) WdfDeviceIndicateWakeStatus(h WDFDEVICE, status NTSTATUS) NTSTATUS {
	s.Enter(svcWdfDeviceIndicateWakeStatus, uint64(h), uint64(status))
	d := s.device(s.lookup(h, TypeDevice))
	switch {
	case status == StatusPending || status == StatusCancelled:
		return s.LeaveStatus(StatusInvalidParameter)
	case d.parent == 0:
		return s.LeaveStatus(StatusInvalidDeviceState)
	}
	return s.LeaveStatus(StatusInvalidDeviceRequest)
}

// Results of WdfDeviceGetSystemPowerAction (POWER_ACTION).
const (
	PowerActionNone  = 0
	PowerActionSleep = 2
)

// WdfDeviceGetSystemPowerAction returns why the system changes its power state:
// PowerActionSleep while SetPower takes the device down and until it is up again.
// IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetSystemPowerAction(h WDFDEVICE) uint32 {
	s.Enter(svcWdfDeviceGetSystemPowerAction, uint64(h))
	action := uint32(PowerActionNone)
	if s.device(s.lookup(h, TypeDevice)).asleep {
		action = PowerActionSleep
	}
	s.Leave(trace.Decimal, uint64(action))
	return action
}
