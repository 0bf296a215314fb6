package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// IoType is WDF_DEVICE_IO_TYPE: how the buffers of reads and writes are handed
// over.
type IoType uint32

// Values of IoType.
const (
	IoTypeUndefined        IoType = 0
	IoTypeNeither          IoType = 1
	IoTypeBuffered         IoType = 2
	IoTypeDirect           IoType = 3
	IoTypeBufferedOrDirect IoType = 4
)

// FileObjectConfigSize is the size of WDF_FILEOBJECT_CONFIG in bytes.
const FileObjectConfigSize = 40

// FileObjectConfig is WDF_FILEOBJECT_CONFIG.
type FileObjectConfig struct {
	Size                    uint32
	EvtDeviceFileCreate     Callback
	EvtFileClose            Callback
	EvtFileCleanup          Callback
	AutoForwardCleanupClose TriState
	FileObjectClass         uint32
}

// Values of FileObjectConfig.FileObjectClass (WDF_FILEOBJECT_CLASS).
const (
	FileObjectNotRequired            = 1
	FileObjectWdfCanUseFsContext     = 2
	FileObjectWdfCanUseFsContext2    = 3
	FileObjectWdfCannotUseFsContexts = 4
	FileObjectCanBeOptional          = 0x80000000
)

var (
	svcWdfDeviceInitSetIoType           = kernel.NewService("WdfDeviceInitSetIoType")
	svcWdfDeviceInitSetExclusive        = kernel.NewService("WdfDeviceInitSetExclusive")
	svcWdfDeviceInitSetDeviceType       = kernel.NewService("WdfDeviceInitSetDeviceType")
	svcWdfDeviceInitSetFileObjectConfig = kernel.NewService("WdfDeviceInitSetFileObjectConfig")
)

// WdfDeviceInitSetIoType says how the buffers of reads and writes are handed over;
// without it they are buffered. WdfDeviceIoBufferedOrDirect stops the run with the
// first read or write: not supported. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetIoType(init *DeviceInit, t IoType) {
	s.Enter(svcWdfDeviceInitSetIoType, uint64(t))
	s.requirePointer(init != nil, "DeviceInit")
	init.settings.ioType = t
	s.LeaveVoid()
}

// WdfDeviceInitSetExclusive says that the device can be open once at a time, which
// it is in a scenario. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetExclusive(init *DeviceInit, exclusive bool) {
	s.Enter(svcWdfDeviceInitSetExclusive, boolValue(exclusive))
	s.requirePointer(init != nil, "DeviceInit")
	init.settings.exclusive = exclusive
	s.LeaveVoid()
}

// WdfDeviceInitSetDeviceType sets DEVICE_OBJECT.DeviceType (FILE_DEVICE_...).
// PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetDeviceType(init *DeviceInit, t uint32) {
	s.Enter(svcWdfDeviceInitSetDeviceType, uint64(t))
	s.requirePointer(init != nil, "DeviceInit")
	init.settings.deviceType = t
	s.LeaveVoid()
}

// WdfDeviceInitSetFileObjectConfig registers callbacks for files. What is wrong
// with it is a verifier break, and nothing is registered. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetFileObjectConfig(init *DeviceInit, c *FileObjectConfig, a *ObjectAttributes) {
	s.Enter(svcWdfDeviceInitSetFileObjectConfig)
	s.requirePointer(init != nil, "DeviceInit")
	s.requirePointer(c != nil, "FileObjectConfig")
	class := c.FileObjectClass &^ FileObjectCanBeOptional
	switch {
	case c.Size != FileObjectConfigSize:
		s.verifierBreak("WDF_FILEOBJECT_CONFIG", "OBJ-19", "its Size is %d, needed is %d: no callbacks for files are set", c.Size, FileObjectConfigSize)
	case a != nil && a.ParentObject != 0:
		s.verifierBreak("WDF_FILEOBJECT_CONFIG", "OBJ-1", "the attributes of file objects name a parent: no callbacks for files are set")
	case c.AutoForwardCleanupClose > UseDefault, class < FileObjectNotRequired, class > FileObjectWdfCannotUseFsContexts,
		class == FileObjectNotRequired && class != c.FileObjectClass:
		s.verifierBreak("WDF_FILEOBJECT_CONFIG", "OBJ-19", "AutoForwardCleanupClose %d or FileObjectClass 0x%X is not valid", c.AutoForwardCleanupClose,
			c.FileObjectClass)
	default:
		o := fileConfig{objects: class != FileObjectNotRequired, forward: c.AutoForwardCleanupClose == True,
			create: c.EvtDeviceFileCreate, cleanup: c.EvtFileCleanup, close: c.EvtFileClose}
		o.set = o.objects || o.create|o.cleanup|o.close != 0
		if a != nil {
			o.context, o.objectCleanup, o.objectEnded = a.ContextType, a.EvtCleanupCallback, a.EvtDestroyCallback
		}
		init.settings.files = o
	}
	s.LeaveVoid()
}
