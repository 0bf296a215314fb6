package bind

import (
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"WdfIoQueueCreate":    (*call).ioQueueCreate,
		"WdfIoQueueGetDevice": func(c *call) uint64 { return uint64(c.WdfIoQueueGetDevice(c.handle(1))) },
		"WdfIoQueueStart":     func(c *call) uint64 { c.WdfIoQueueStart(c.handle(1)); return 0 },
		"WdfIoQueueStop":      func(c *call) uint64 { c.WdfIoQueueStop(c.handle(1), c.callback(2), c.arg(3)); return 0 },
		"WdfIoQueueStopSynchronously": func(c *call) uint64 {
			c.WdfIoQueueStopSynchronously(c.handle(1))
			return 0
		},
		"WdfIoQueuePurge":               func(c *call) uint64 { c.WdfIoQueuePurge(c.handle(1), c.callback(2), c.arg(3)); return 0 },
		"WdfIoQueuePurgeSynchronously":  func(c *call) uint64 { c.WdfIoQueuePurgeSynchronously(c.handle(1)); return 0 },
		"WdfIoQueueDrain":               func(c *call) uint64 { c.WdfIoQueueDrain(c.handle(1), c.callback(2), c.arg(3)); return 0 },
		"WdfIoQueueDrainSynchronously":  func(c *call) uint64 { c.WdfIoQueueDrainSynchronously(c.handle(1)); return 0 },
		"WdfIoQueueRetrieveNextRequest": (*call).retrieveNextRequest,

		"WdfRequestComplete": func(c *call) uint64 { c.WdfRequestComplete(c.handle(1), c.status(2)); return 0 },
		"WdfRequestCompleteWithInformation": func(c *call) uint64 {
			c.WdfRequestCompleteWithInformation(c.handle(1), c.status(2), c.arg(3))
			return 0
		},
		"WdfRequestSetInformation":       func(c *call) uint64 { c.WdfRequestSetInformation(c.handle(1), c.arg(2)); return 0 },
		"WdfRequestGetInformation":       func(c *call) uint64 { return c.WdfRequestGetInformation(c.handle(1)) },
		"WdfRequestGetStatus":            func(c *call) uint64 { return uint64(c.WdfRequestGetStatus(c.handle(1))) },
		"WdfRequestGetIoQueue":           func(c *call) uint64 { return uint64(c.WdfRequestGetIoQueue(c.handle(1))) },
		"WdfRequestGetParameters":        (*call).requestGetParameters,
		"WdfRequestRetrieveInputBuffer":  func(c *call) uint64 { return c.buffer(c.WdfRequestRetrieveInputBuffer) },
		"WdfRequestRetrieveOutputBuffer": func(c *call) uint64 { return c.buffer(c.WdfRequestRetrieveOutputBuffer) },
		"WdfRequestRetrieveInputMemory":  func(c *call) uint64 { return c.memory(c.WdfRequestRetrieveInputMemory) },
		"WdfRequestRetrieveOutputMemory": func(c *call) uint64 { return c.memory(c.WdfRequestRetrieveOutputMemory) },
		"WdfRequestMarkCancelable":       func(c *call) uint64 { c.WdfRequestMarkCancelable(c.handle(1), c.callback(2)); return 0 },
		"WdfRequestMarkCancelableEx":     func(c *call) uint64 { return uint64(c.WdfRequestMarkCancelableEx(c.handle(1), c.callback(2))) },
		"WdfRequestUnmarkCancelable":     func(c *call) uint64 { return uint64(c.WdfRequestUnmarkCancelable(c.handle(1))) },
		"WdfRequestIsCanceled":           func(c *call) uint64 { return boolean(c.WdfRequestIsCanceled(c.handle(1))) },
		"WdfRequestStopAcknowledge":      func(c *call) uint64 { c.WdfRequestStopAcknowledge(c.handle(1), c.flag(2)); return 0 },
		"WdfRequestForwardToIoQueue":     func(c *call) uint64 { return uint64(c.WdfRequestForwardToIoQueue(c.handle(1), c.handle(2))) },
		"WdfRequestRequeue":              func(c *call) uint64 { return uint64(c.WdfRequestRequeue(c.handle(1))) },
		"WdfDeviceConfigureRequestDispatching": func(c *call) uint64 {
			return uint64(c.WdfDeviceConfigureRequestDispatching(c.handle(1), c.handle(2), wdf.RequestType(c.word(3))))
		},
	})
}

func (c *call) status(n int) wdf.NTSTATUS { return wdf.NTSTATUS(c.word(n)) }

func (c *call) ioQueueCreate() uint64 {
	s := c.structure(2, "WDF_IO_QUEUE_CONFIG")
	var config *wdf.IoQueueConfig
	if s != nil {
		config = &wdf.IoQueueConfig{
			Size: uint32(s.size), DispatchType: wdf.DispatchType(s.get("DispatchType")), PowerManaged: wdf.TriState(int32(s.get("PowerManaged"))),
			AllowZeroLengthRequests: s.flag("AllowZeroLengthRequests"), DefaultQueue: s.flag("DefaultQueue"),
			EvtIoDefault: s.callback("EvtIoDefault"), EvtIoRead: s.callback("EvtIoRead"), EvtIoWrite: s.callback("EvtIoWrite"),
			EvtIoDeviceControl: s.callback("EvtIoDeviceControl"), EvtIoInternalDeviceControl: s.callback("EvtIoInternalDeviceControl"),
			EvtIoStop: s.callback("EvtIoStop"), EvtIoResume: s.callback("EvtIoResume"), EvtIoCanceledOnQueue: s.callback("EvtIoCanceledOnQueue"),
			NumberOfPresentedRequests: uint32(s.get("Settings.Parallel.NumberOfPresentedRequests")),
		}
	}
	h, st := c.WdfIoQueueCreate(c.handle(1), config, c.attributes(3))
	if !st.Failed() {
		c.give(4, uint64(h))
	}
	return uint64(st)
}

func (c *call) retrieveNextRequest() uint64 {
	r, st := c.WdfIoQueueRetrieveNextRequest(c.handle(1))
	c.give(2, uint64(r))
	return uint64(st)
}

// buffer is a retrieve routine: (request, minimum length, address for the
// buffer, address for the length).
func (c *call) buffer(retrieve func(wdf.WDFREQUEST, uint64) (uint64, uint64, wdf.NTSTATUS)) uint64 {
	p, length, st := retrieve(c.handle(1), c.arg(2))
	if !st.Failed() {
		c.give(3, p)
		c.give(4, length)
	}
	return uint64(st)
}

func (c *call) memory(retrieve func(wdf.WDFREQUEST) (wdf.WDFMEMORY, wdf.NTSTATUS)) uint64 {
	h, st := retrieve(c.handle(1))
	if !st.Failed() {
		c.give(2, uint64(h))
	}
	return uint64(st)
}

func (c *call) requestGetParameters() uint64 {
	c.requestParameters(c.handle(1), c.structure(2, "WDF_REQUEST_PARAMETERS"))
	return 0
}

// requestParameters fills a WDF_REQUEST_PARAMETERS, unless it is nil.
func (c *call) requestParameters(r wdf.WDFREQUEST, s *structure) {
	p := c.WdfRequestGetParameters(r)
	if s == nil {
		return
	}
	s.set("Type", uint64(p.Type))
	switch p.Type {
	case wdf.RequestTypeRead:
		s.set("Parameters.Read.Length", p.Length)
	case wdf.RequestTypeWrite:
		s.set("Parameters.Write.Length", p.Length)
	default:
		s.set("Parameters.DeviceIoControl.OutputBufferLength", p.OutputBufferLength)
		s.set("Parameters.DeviceIoControl.InputBufferLength", p.InputBufferLength)
		s.set("Parameters.DeviceIoControl.IoControlCode", uint64(p.IoControlCode))
	}
}
