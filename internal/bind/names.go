package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
)

// Field implements kernel.Namer. A context without debug information has the
// name of its type and an offset.
func (d *Driver) Field(typeName string, offset, size uint64) (kernel.Place, bool) {
	if p, ok := d.symbols.Field(typeName, offset, size); ok {
		return placeOf(p), true
	}
	for _, t := range d.types {
		if t.Name == typeName {
			name := fmt.Sprintf("%s+0x%X", typeName, offset)
			return kernel.Place{Name: name, Kind: name}, true
		}
	}
	return kernel.Place{}, false
}

// Variable implements kernel.Namer.
func (d *Driver) Variable(addr, size uint64) (kernel.Place, bool) {
	rva, ok := d.image.RVA(addr)
	if !ok {
		return kernel.Place{}, false
	}
	p, ok := d.symbols.Variable(rva, size)
	module := d.image.File.Module() + "!"
	p.Name, p.Kind = module+p.Name, module+p.Kind
	return placeOf(p), ok
}

func placeOf(p pe.Place) kernel.Place { return kernel.Place{Name: p.Name, Kind: p.Kind} }
