package wdf

// IsHandle reports whether h is the handle of a live object of the type with
// this name, such as WDFDEVICE; every one is a WDFOBJECT.
func (f *Framework) IsHandle(h Handle, typ string) bool {
	i := f.object(h)
	return i != 0 && (typ == TypeObject.String() || f.objects[i].typ.String() == typ)
}
