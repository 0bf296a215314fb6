package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfTimerCreate":             (*call).timerCreate,
		"WdfTimerStart":              func(c *call) uint64 { return boolean(c.WdfTimerStart(c.handle(1), int64(c.arg(2)))) },
		"WdfTimerStop":               func(c *call) uint64 { return boolean(c.WdfTimerStop(c.handle(1), c.flag(2))) },
		"WdfTimerGetParentObject":    func(c *call) uint64 { return uint64(c.WdfTimerGetParentObject(c.handle(1))) },
		"WdfWorkItemCreate":          (*call).workItemCreate,
		"WdfWorkItemEnqueue":         func(c *call) uint64 { c.WdfWorkItemEnqueue(c.handle(1)); return 0 },
		"WdfWorkItemFlush":           func(c *call) uint64 { c.WdfWorkItemFlush(c.handle(1)); return 0 },
		"WdfWorkItemGetParentObject": func(c *call) uint64 { return uint64(c.WdfWorkItemGetParentObject(c.handle(1))) },
		"WdfWaitLockCreate":          func(c *call) uint64 { return c.created(2)(c.WdfWaitLockCreate(c.attributes(1))) },
		"WdfWaitLockAcquire":         (*call).waitLockAcquire,
		"WdfWaitLockRelease":         func(c *call) uint64 { c.WdfWaitLockRelease(c.handle(1)); return 0 },
	})
}

// timerCreate: (WDF_TIMER_CONFIG, attributes, address for the handle).
func (c *call) timerCreate() uint64 {
	var config *wdf.TimerConfig
	if s := c.structure(1, "WDF_TIMER_CONFIG"); s != nil {
		config = &wdf.TimerConfig{Size: uint32(s.size), EvtTimerFunc: s.callback("EvtTimerFunc"), Period: uint32(s.get("Period")),
			AutomaticSerialization: s.flag("AutomaticSerialization"), TolerableDelay: uint32(s.get("TolerableDelay")),
			UseHighResolutionTimer: s.flag("UseHighResolutionTimer")}
	}
	return c.create(3, "Timer", func() (wdf.Handle, wdf.NTSTATUS) { return c.WdfTimerCreate(config, c.attributes(2)) })
}

// workItemCreate: (WDF_WORKITEM_CONFIG, attributes, address for the handle).
func (c *call) workItemCreate() uint64 {
	var config *wdf.WorkItemConfig
	if s := c.structure(1, "WDF_WORKITEM_CONFIG"); s != nil {
		config = &wdf.WorkItemConfig{Size: uint32(s.size), EvtWorkItemFunc: s.callback("EvtWorkItemFunc"),
			AutomaticSerialization: s.flag("AutomaticSerialization")}
	}
	return c.create(3, "WorkItem", func() (wdf.Handle, wdf.NTSTATUS) { return c.WdfWorkItemCreate(config, c.attributes(2)) })
}

// waitLockAcquire: (lock, PLONGLONG Timeout or NULL).
func (c *call) waitLockAcquire() uint64 {
	var timeout *int64
	if p := c.arg(2); p != 0 {
		v := int64(c.load(p, 8))
		timeout = &v
	}
	return uint64(c.WdfWaitLockAcquire(c.handle(1), timeout))
}
