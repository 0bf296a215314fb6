package bind

import "testing"

// Every routine that a driver can ask for has an address of its own, and the
// same whenever it is asked for.
func TestExportAddresses(t *testing.T) {
	d, other := &Driver{imports: map[uint64]*routine{}}, &Driver{imports: map[uint64]*routine{}}
	other.exportAddress("KeSetEvent")
	seen := map[uint64]string{}
	for _, name := range ImplementedNames() {
		addr := d.exportAddress(name) // panics where two names meet
		if addr != other.exportAddress(name) || addr != d.exportAddress(name) || addr < exportBase || addr >= trapEnd || addr%trapStep != 0 {
			t.Errorf("%s is at 0x%X", name, addr)
		}
		seen[addr] = name
	}
	if len(seen) != len(ImplementedNames()) {
		t.Errorf("%d addresses for %d names", len(seen), len(ImplementedNames()))
	}
}
