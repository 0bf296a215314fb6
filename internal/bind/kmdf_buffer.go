package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfRequestRetrieveInputWdmMdl":            func(c *call) uint64 { return c.mdl(c.WdfRequestRetrieveInputWdmMdl) },
		"WdfRequestRetrieveOutputWdmMdl":           func(c *call) uint64 { return c.mdl(c.WdfRequestRetrieveOutputWdmMdl) },
		"WdfRequestRetrieveUnsafeUserInputBuffer":  func(c *call) uint64 { return c.buffer(c.WdfRequestRetrieveUnsafeUserInputBuffer) },
		"WdfRequestRetrieveUnsafeUserOutputBuffer": func(c *call) uint64 { return c.buffer(c.WdfRequestRetrieveUnsafeUserOutputBuffer) },
		"WdfRequestProbeAndLockUserBufferForRead": func(c *call) uint64 {
			return c.created(4)(c.WdfRequestProbeAndLockUserBufferForRead(c.handle(1), c.arg(2), c.arg(3)))
		},
		"WdfRequestProbeAndLockUserBufferForWrite": func(c *call) uint64 {
			return c.created(4)(c.WdfRequestProbeAndLockUserBufferForWrite(c.handle(1), c.arg(2), c.arg(3)))
		},
		"WdfDeviceInitSetIoInCallerContextCallback": func(c *call) uint64 {
			c.WdfDeviceInitSetIoInCallerContextCallback(c.deviceInit(1), c.callback(2))
			return 0
		},
		"WdfFileObjectGetDevice":   func(c *call) uint64 { return uint64(c.WdfFileObjectGetDevice(c.handle(1))) },
		"WdfFileObjectGetFileName": func(c *call) uint64 { return c.WdfFileObjectGetFileName(c.handle(1)) },
		"WdfDeviceEnqueueRequest":  func(c *call) uint64 { return uint64(c.WdfDeviceEnqueueRequest(c.handle(1), c.handle(2))) },
	})
}

// mdl is a routine that returns the MDL of a request: (request, address for it).
func (c *call) mdl(retrieve func(wdf.WDFREQUEST) (uint64, wdf.NTSTATUS)) uint64 {
	mdl, st := retrieve(c.handle(1))
	c.give(2, mdl)
	return uint64(st)
}
