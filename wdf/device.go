package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// PowerState is WDF_POWER_DEVICE_STATE.
type PowerState uint32

// Device power states.
const (
	PowerDeviceInvalid PowerState = 0
	PowerDeviceD0      PowerState = 1
	PowerDeviceD1      PowerState = 2
	PowerDeviceD2      PowerState = 3
	PowerDeviceD3      PowerState = 4
	PowerDeviceD3Final PowerState = 5
)

func (p PowerState) String() string {
	if p > PowerDeviceD3Final {
		p = PowerDeviceInvalid
	}
	return [...]string{"invalid", "D0", "D1", "D2", "D3", "D3Final"}[p]
}

// PnpPowerEventCallbacks is WDF_PNPPOWER_EVENT_CALLBACKS.
type PnpPowerEventCallbacks struct {
	EvtDeviceD0Entry                      Callback
	EvtDeviceD0EntryPostInterruptsEnabled Callback
	EvtDeviceD0Exit                       Callback
	EvtDeviceD0ExitPreInterruptsDisabled  Callback
	EvtDevicePrepareHardware              Callback
	EvtDeviceReleaseHardware              Callback
	EvtDeviceSelfManagedIoCleanup         Callback
	EvtDeviceSelfManagedIoFlush           Callback
	EvtDeviceSelfManagedIoInit            Callback
	EvtDeviceSelfManagedIoSuspend         Callback
	EvtDeviceSelfManagedIoRestart         Callback
	EvtDeviceSurpriseRemoval              Callback
	EvtDeviceQueryRemove                  Callback
	EvtDeviceQueryStop                    Callback
}

// DeviceInit is WDFDEVICE_INIT: what EvtDriverDeviceAdd says about the device
// that it makes.
type DeviceInit struct {
	callbacks        PnpPowerEventCallbacks
	policy           PowerPolicyEventCallbacks
	requestContext   *ObjectAttributes
	notPowerPageable bool
	settings         deviceSettings
	location         uint32
	device           id

	address     uint64   // that stands for it
	named       bool     // it has a name, given or generated
	secured     bool     // a device class or an SDDL string is set, which needs a name
	policyOwner TriState // WdfDeviceInitSetPowerPolicyOwnership
	physical    uint64   // DEVICE_OBJECT of the bus driver, 0: nobody asked for it

	children           *ChildListConfig // of the default child list, nil: none
	childrenAttributes *ObjectAttributes

	parent id    // of a PDO; 0: this is for an FDO
	child  int32 // row of the description that a PDO is made for; 0: a static PDO
	ids    pdoIDs
}

// deviceSettings are what is said about a device before it is made and only
// matters to those who open it, or to WDM.
type deviceSettings struct {
	ioType     IoType
	exclusive  bool
	files      fileConfig
	deviceType uint32

	characteristics uint32
	inrush          bool
	inCallerContext Callback // EvtIoInCallerContext, 0: none
}

// pnpState is where a device is in its life.
type pnpState uint8

const (
	pnpInit      pnpState = iota // EvtDriverDeviceAdd
	pnpPreparing                 // EvtDevicePrepareHardware
	pnpStarting                  // from there to D0
	pnpStarted
	pnpStopped
	pnpSurpriseRemoved
	pnpRemoved
)

// device is a WDFDEVICE.
type device struct {
	object            id
	pnp               pnpState
	power             PowerState
	notPowerPageable  bool
	selfManaged       selfManaged
	prepared          bool   // EvtDeviceReleaseHardware is still to be called
	accepting         bool   // the device interface is enabled: requests may come
	location          uint32 // number of the function on its bus
	raw, translated   id     // resource lists
	defaultQueue      id
	queueByType       [4]id // WdfDeviceConfigureRequestDispatching: see RequestType.slot
	queuesOn          bool  // power-managed queues deliver
	queuesShutDown    bool  // queues accept nothing: removal
	surprise          bool  // it was taken out without notice
	watch             watch
	armed             bool  // wake interrupts stay connected in Dx: a wait-wake request was sent
	interrupts        int32 // number of interrupt objects
	deferred          int32 // objects whose deletion was handed to a work item
	requestAttributes requestAttributes
	callbacks         PnpPowerEventCallbacks
	settings          deviceSettings
	alignment         uint32 // of buffers for DMA: a mask
	dmaPacket         bool   // a transaction of a packet profile is under way
	target            id     // default I/O target, 0: nobody asked for it
	functional        uint64 // DEVICE_OBJECT of the driver, 0: nobody asked for it
	physical          uint64 // DEVICE_OBJECT of the bus driver

	transition       bool // a change of its power or PnP state is under way
	powerPolicyOwner bool
	known            bool       // it was started: the PnP manager knows its PDO
	asleep           bool       // the system, or its parent, has taken it to a low-power state
	parent           id         // of a PDO
	child            int32      // row of the description of a PDO, 0: none yet
	identity         int32      // row of the identifiers of a PDO + 1
	deviceWake       PowerState // the deepest state that it can wake from; 0: none
	notStoppable     int32      // WdfDeviceSetStaticStopRemove
	failing          bool       // a worker thread is to remove it
	childList        id         // default child list
	staticList       id         // of children that WdfFdoAddStaticChild adds
	idle             idle
	wake             wakePolicy
	policy           PowerPolicyEventCallbacks
	said             [7]TriState // WdfDeviceSetDeviceState
	mof              bool        // WdfDeviceAssignMofResourceName was called
}

// selfManaged is how far self-managed I/O has come.
type selfManaged uint8

const (
	selfManagedCreated selfManaged = iota // EvtDeviceSelfManagedIoInit was not called
	selfManagedStarted
	selfManagedSuspended
	selfManagedFailed // Init, Suspend or Restart failed
)

// requestAttributes are the attributes that each request gets.
type requestAttributes struct {
	context          *ContextType
	cleanup, destroy Callback
}

var (
	svcWdfDeviceInitSetPnpPowerEventCallbacks = kernel.NewService("WdfDeviceInitSetPnpPowerEventCallbacks")
	svcWdfDeviceInitSetRequestAttributes      = kernel.NewService("WdfDeviceInitSetRequestAttributes")
	svcWdfDeviceInitSetPowerNotPageable       = kernel.NewService("WdfDeviceInitSetPowerNotPageable")
	svcWdfDeviceCreate                        = kernel.NewService("WdfDeviceCreate")
	svcWdfDeviceGetDriver                     = kernel.NewService("WdfDeviceGetDriver")
	svcWdfDeviceGetDefaultQueue               = kernel.NewService("WdfDeviceGetDefaultQueue")
)

// WdfDeviceInitSetPnpPowerEventCallbacks registers the PnP and power callbacks.
// PASSIVE_LEVEL.
func (s *Sys) WdfDeviceInitSetPnpPowerEventCallbacks(init *DeviceInit, c *PnpPowerEventCallbacks) {
	s.Enter(svcWdfDeviceInitSetPnpPowerEventCallbacks)
	s.requirePointer(init != nil, "DeviceInit")
	s.requirePointer(c != nil, "PnpPowerEventCallbacks")
	init.callbacks = *c
	s.LeaveVoid()
}

// WdfDeviceInitSetRequestAttributes says which context each request gets.
// PASSIVE_LEVEL.
func (s *Sys) WdfDeviceInitSetRequestAttributes(init *DeviceInit, a *ObjectAttributes) {
	s.Enter(svcWdfDeviceInitSetRequestAttributes)
	s.requirePointer(init != nil, "DeviceInit")
	s.requirePointer(a != nil, "RequestAttributes")
	init.requestContext = a
	s.LeaveVoid()
}

// WdfDeviceInitSetPowerNotPageable says that the device is needed to page: its
// interrupts stay connected in Dx (WDFI-28). PASSIVE_LEVEL.
func (s *Sys) WdfDeviceInitSetPowerNotPageable(init *DeviceInit) {
	s.Enter(svcWdfDeviceInitSetPowerNotPageable)
	s.requirePointer(init != nil, "DeviceInit")
	init.notPowerPageable = true
	s.LeaveVoid()
}

// WdfDeviceCreate makes the device object; called from EvtDriverDeviceAdd or
// EvtChildListCreateDevice, once. PASSIVE_LEVEL.
func (s *Sys) WdfDeviceCreate(init *DeviceInit, a *ObjectAttributes) (WDFDEVICE, NTSTATUS) {
	s.Enter(svcWdfDeviceCreate)
	s.requirePointer(init != nil, "DeviceInit")
	f := s.f
	if init.device != 0 {
		return 0, s.LeaveStatus(StatusInvalidDeviceState)
	}
	if a != nil && a.ParentObject != 0 {
		return 0, s.LeaveStatus(StatusWdfParentAssignmentNotAllowed)
	}
	if init.secured && !init.named {
		return 0, s.LeaveStatus(StatusInvalidSecurityDescr)
	}
	d := device{callbacks: init.callbacks, notPowerPageable: init.notPowerPageable, power: PowerDeviceD3Final,
		settings: init.settings, location: init.location, physical: init.physical, parent: init.parent, child: init.child}
	d.powerPolicyOwner, d.policy = init.ownsPowerPolicy(), init.policy
	for n := range d.said {
		d.said[n] = UseDefault
	}
	if r := init.requestContext; r != nil {
		d.requestAttributes = requestAttributes{r.ContextType, r.EvtCleanupCallback, r.EvtDestroyCallback}
	}
	f.devices = append(f.devices, d)
	n := len(f.devices) - 1
	i := s.create(TypeDevice, f.theDriver(), n, a, "")
	f.devices[n].object = i
	f.objects[i].noDelete = init.parent == 0 || init.child != 0
	s.makeCallbackLock(i)
	s.finishDevice(i, init)
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfDeviceGetDriver returns the driver of a device. Any IRQL.
func (s *Sys) WdfDeviceGetDriver(h WDFDEVICE) WDFDRIVER {
	s.Enter(svcWdfDeviceGetDriver, uint64(h))
	d := s.f.objects[s.lookup(h, TypeDevice)].parent.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}

// WdfDeviceGetDefaultQueue returns the default queue of a device, 0 if it has
// none. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfDeviceGetDefaultQueue(h WDFDEVICE) WDFQUEUE {
	s.Enter(svcWdfDeviceGetDefaultQueue, uint64(h))
	q := s.device(s.lookup(h, TypeDevice)).defaultQueue.handle()
	s.Leave(trace.Hex, uint64(q))
	return q
}

func (s *Sys) device(i id) *device { return &s.f.devices[s.f.objects[i].index] }
