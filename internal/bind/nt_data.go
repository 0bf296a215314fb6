package bind

import (
	"maps"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// variable is a variable that the kernel exports: the slot of its import gets
// the address of the variable, not that of code.
type variable struct {
	size  int
	value func(m *kernel.Machine) uint64
}

// variables are those that there are, by name.
var variables = map[string]variable{
	"ExEventObjectType":     objectType(kernel.EventType),
	"ExSemaphoreObjectType": objectType(kernel.SemaphoreType),
	"IoFileObjectType":      objectType(kernel.FileType),
	"IoDeviceObjectType":    objectType(kernel.DeviceType),
	"IoDriverObjectType":    objectType(kernel.DriverType),
	"PsThreadType":          objectType(kernel.ThreadType),
	"PsProcessType":         objectType(kernel.ProcessType),
	"KeNumberProcessors":    {1, func(m *kernel.Machine) uint64 { return uint64(m.Processors()) }},
	"NtBuildNumber":         constant(4, 0xF0000000|windowsBuild), // a free build
	"MmUserProbeAddress":    constant(8, kernel.UserProbeAddress),
	"MmHighestUserAddress":  constant(8, kernel.UserProbeAddress-1),
	"MmSystemRangeStart":    constant(8, 0xFFFF8000_00000000),
	"KdDebuggerEnabled":     constant(1, 0),
	"KdDebuggerNotPresent":  constant(1, 1),
	"InitSafeBootMode":      constant(4, 0),
}

// objectType is a pointer to an OBJECT_TYPE.
func objectType(typ kernel.ObjectType) variable {
	return variable{8, func(m *kernel.Machine) uint64 { return m.ObjectTypeAddress(typ) }}
}

func constant(size int, v uint64) variable {
	return variable{size, func(*kernel.Machine) uint64 { return v }}
}

// variablePage is the page where the variables lie, 16 bytes each, in the order
// of their names. Drivers cannot write to them.
type variablePage uint64

// variable returns the address of a variable.
func (d *Driver) variable(name string) uint64 {
	names := slices.Sorted(maps.Keys(variables))
	if d.variables == 0 {
		page := d.m.Mem.Map(mem.SystemMaps, 1, mem.Read|mem.Write)
		for i, n := range names {
			d.m.Mem.Store(page+uint64(16*i), variables[n].size, variables[n].value(d.m))
		}
		d.m.Mem.SetProt(page, 1, mem.Read)
		d.variables = variablePage(page)
	}
	i, _ := slices.BinarySearch(names, name)
	return uint64(d.variables) + uint64(16*i)
}
