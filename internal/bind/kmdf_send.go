package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDeviceGetIoTarget":                     func(c *call) uint64 { return uint64(c.WdfDeviceGetIoTarget(c.handle(1))) },
		"WdfIoTargetGetDevice":                     func(c *call) uint64 { return uint64(c.WdfIoTargetGetDevice(c.handle(1))) },
		"WdfIoTargetFormatRequestForIoctl":         func(c *call) uint64 { return c.formatControl(c.WdfIoTargetFormatRequestForIoctl) },
		"WdfIoTargetFormatRequestForInternalIoctl": func(c *call) uint64 { return c.formatControl(c.WdfIoTargetFormatRequestForInternalIoctl) },
		"WdfIoTargetFormatRequestForRead":          func(c *call) uint64 { return c.formatTransfer(c.WdfIoTargetFormatRequestForRead) },
		"WdfIoTargetFormatRequestForWrite":         func(c *call) uint64 { return c.formatTransfer(c.WdfIoTargetFormatRequestForWrite) },
		"WdfRequestFormatRequestUsingCurrentType":  func(c *call) uint64 { c.WdfRequestFormatRequestUsingCurrentType(c.handle(1)); return 0 },
		"WdfRequestCreate":                         func(c *call) uint64 { return c.created(3)(c.WdfRequestCreate(c.attributes(1), c.handle(2))) },
		"WdfRequestReuse":                          (*call).requestReuse,
		"WdfRequestSend":                           (*call).requestSend,
		"WdfRequestSetCompletionRoutine": func(c *call) uint64 {
			c.WdfRequestSetCompletionRoutine(c.handle(1), c.callback(2), c.arg(3))
			return 0
		},
		"WdfRequestGetCompletionParams": (*call).completionParams,
		"WdfRequestWdmGetIrp":           func(c *call) uint64 { return c.WdfRequestWdmGetIrp(c.handle(1)) },
		"WdfRequestCancelSentRequest":   func(c *call) uint64 { return boolean(c.WdfRequestCancelSentRequest(c.handle(1))) },
	})
}

// memoryOffset reads a WDFMEMORY_OFFSET; nil for NULL.
func (c *call) memoryOffset(n int) *wdf.MemoryOffset {
	s := c.structure(n, "WDFMEMORY_OFFSET")
	if s == nil {
		return nil
	}
	return &wdf.MemoryOffset{BufferOffset: s.get("BufferOffset"), BufferLength: s.get("BufferLength")}
}

// formatControl: (target, request, code, input, its WDFMEMORY_OFFSET or NULL, output,
// its WDFMEMORY_OFFSET or NULL).
func (c *call) formatControl(format func(wdf.WDFIOTARGET, wdf.WDFREQUEST, uint32, wdf.WDFMEMORY, *wdf.MemoryOffset, wdf.WDFMEMORY, *wdf.MemoryOffset) wdf.NTSTATUS) uint64 {
	return uint64(format(c.handle(1), c.handle(2), c.word(3), c.handle(4), c.memoryOffset(5), c.handle(6), c.memoryOffset(7)))
}

// formatTransfer: (target, request, memory, WDFMEMORY_OFFSET or NULL, device offset
// or NULL). The driver below does not look at the device offset.
func (c *call) formatTransfer(format func(wdf.WDFIOTARGET, wdf.WDFREQUEST, wdf.WDFMEMORY, *wdf.MemoryOffset) wdf.NTSTATUS) uint64 {
	return uint64(format(c.handle(1), c.handle(2), c.handle(3), c.memoryOffset(4)))
}

func (c *call) requestReuse() uint64 {
	var p *wdf.RequestReuseParams
	if s := c.structure(2, "WDF_REQUEST_REUSE_PARAMS"); s != nil {
		p = &wdf.RequestReuseParams{Size: uint32(s.size), Flags: uint32(s.get("Flags")), Status: wdf.NTSTATUS(s.get("Status"))}
	}
	return uint64(c.WdfRequestReuse(c.handle(1), p))
}

func (c *call) requestSend() uint64 {
	var o *wdf.RequestSendOptions
	if s := c.structure(3, "WDF_REQUEST_SEND_OPTIONS"); s != nil {
		o = &wdf.RequestSendOptions{Size: uint32(s.size), Flags: uint32(s.get("Flags")), Timeout: int64(s.get("Timeout"))}
	}
	return boolean(c.WdfRequestSend(c.handle(1), c.handle(2), o))
}

func (c *call) completionParams() uint64 {
	s := c.structure(2, "WDF_REQUEST_COMPLETION_PARAMS")
	_, fields := c.WdfRequestGetCompletionParams(c.handle(1))
	if s != nil && s.size == s.typ.Size {
		for _, f := range fields {
			c.store(s.addr+f.Offset, f.Size, f.Value)
		}
	}
	return 0
}
