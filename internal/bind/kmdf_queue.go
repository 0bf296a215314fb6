package bind

func init() {
	register(map[string]func(c *call) uint64{
		"WdfIoQueueGetState":                  (*call).ioQueueGetState,
		"WdfIoQueueReadyNotify":               func(c *call) uint64 { return uint64(c.WdfIoQueueReadyNotify(c.handle(1), c.callback(2), c.arg(3))) },
		"WdfIoQueueStopAndPurge":              func(c *call) uint64 { c.WdfIoQueueStopAndPurge(c.handle(1), c.callback(2), c.arg(3)); return 0 },
		"WdfIoQueueStopAndPurgeSynchronously": func(c *call) uint64 { c.WdfIoQueueStopAndPurgeSynchronously(c.handle(1)); return 0 },
		"WdfIoQueueFindRequest":               (*call).ioQueueFindRequest,
		"WdfIoQueueRetrieveFoundRequest": func(c *call) uint64 {
			r, st := c.WdfIoQueueRetrieveFoundRequest(c.handle(1), c.handle(2))
			c.give(3, uint64(r))
			return uint64(st)
		},
		"WdfRequestGetRequestorMode":       func(c *call) uint64 { return uint64(c.WdfRequestGetRequestorMode(c.handle(1))) },
		"WdfRequestGetFileObject":          func(c *call) uint64 { return uint64(c.WdfRequestGetFileObject(c.handle(1))) },
		"WdfDeviceInitSetPowerNotPageable": func(c *call) uint64 { c.WdfDeviceInitSetPowerNotPageable(c.deviceInit(1)); return 0 },
	})
}

// giveWord stores a ULONG where an argument points to, unless it is NULL.
func (c *call) giveWord(n int, v uint32) {
	if p := c.arg(n); p != 0 {
		c.store(p, 4, uint64(v))
	}
}

// ioQueueGetState: (queue, address for the number of waiting requests or NULL,
// address for the number of requests that the driver has or NULL).
func (c *call) ioQueueGetState() uint64 {
	state, waiting, driver := c.WdfIoQueueGetState(c.handle(1))
	c.giveWord(2, waiting)
	c.giveWord(3, driver)
	return uint64(state)
}

// ioQueueFindRequest: (queue, tag or 0, file object or 0, WDF_REQUEST_PARAMETERS to
// fill or NULL, address for the request).
func (c *call) ioQueueFindRequest() uint64 {
	if c.arg(3) != 0 {
		c.Unsupported("file objects (WdfIoQueueFindRequest)")
	}
	r, st := c.WdfIoQueueFindRequest(c.handle(1), c.handle(2))
	c.give(5, uint64(r))
	if p := c.structure(4, "WDF_REQUEST_PARAMETERS"); p != nil && !st.Failed() {
		c.requestParameters(r, p)
	}
	return uint64(st)
}
