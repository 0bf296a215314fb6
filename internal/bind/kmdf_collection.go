package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfCollectionCreate":       func(c *call) uint64 { return c.created(2)(c.WdfCollectionCreate(c.attributes(1))) },
		"WdfCollectionAdd":          func(c *call) uint64 { return uint64(c.WdfCollectionAdd(c.handle(1), c.handle(2))) },
		"WdfCollectionGetCount":     func(c *call) uint64 { return uint64(c.WdfCollectionGetCount(c.handle(1))) },
		"WdfCollectionGetItem":      func(c *call) uint64 { return uint64(c.WdfCollectionGetItem(c.handle(1), c.word(2))) },
		"WdfCollectionGetFirstItem": func(c *call) uint64 { return uint64(c.WdfCollectionGetFirstItem(c.handle(1))) },
		"WdfCollectionGetLastItem":  func(c *call) uint64 { return uint64(c.WdfCollectionGetLastItem(c.handle(1))) },
		"WdfCollectionRemove":       func(c *call) uint64 { c.WdfCollectionRemove(c.handle(1), c.handle(2)); return 0 },
		"WdfCollectionRemoveItem":   func(c *call) uint64 { c.WdfCollectionRemoveItem(c.handle(1), c.word(2)); return 0 },

		"WdfStringCreate":           func(c *call) uint64 { return c.created(3)(c.WdfStringCreate(c.unicode(1), c.attributes(2))) },
		"WdfStringGetUnicodeString": (*call).stringGetUnicodeString,

		"WdfDriverOpenParametersRegistryKey": func(c *call) uint64 {
			return c.created(4)(c.WdfDriverOpenParametersRegistryKey(c.handle(1), c.word(2), c.attributes(3)))
		},
		"WdfDeviceOpenRegistryKey": func(c *call) uint64 {
			return c.created(5)(c.WdfDeviceOpenRegistryKey(c.handle(1), c.word(2), c.word(3), c.attributes(4)))
		},
		"WdfRegistryQueryULong": (*call).registryQueryULong,
		"WdfRegistryClose":      func(c *call) uint64 { c.WdfRegistryClose(c.handle(1)); return 0 },
	})
}

// unicode reads the UNICODE_STRING that argument n points to; nil for NULL.
func (c *call) unicode(n int) *wdf.UnicodeString {
	s := c.structure(n, "UNICODE_STRING")
	if s == nil {
		return nil
	}
	return &wdf.UnicodeString{Length: uint16(s.get("Length")), MaximumLength: uint16(s.get("MaximumLength")), Buffer: s.get("Buffer")}
}

// stringGetUnicodeString: (string, UNICODE_STRING to fill).
func (c *call) stringGetUnicodeString() uint64 {
	u := c.WdfStringGetUnicodeString(c.handle(1))
	s := c.structureAt(c.arg(2), "UNICODE_STRING")
	if s == nil {
		c.store(0, 8, 0) // as Windows: it writes without a look
		return 0
	}
	s.set("Length", uint64(u.Length))
	s.set("MaximumLength", uint64(u.MaximumLength))
	s.set("Buffer", u.Buffer)
	return 0
}

// registryQueryULong: (key, name, PULONG).
func (c *call) registryQueryULong() uint64 {
	v, st := c.WdfRegistryQueryULong(c.handle(1), c.unicode(2))
	if !st.Failed() {
		c.giveWord(3, v)
	}
	return uint64(st)
}
