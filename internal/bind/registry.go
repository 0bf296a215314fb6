package bind

import (
	"maps"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
)

// routine is something that a driver can import or call through the function
// table of the framework.
type routine struct {
	module string
	name   string
	fn     func(c *call) uint64 // nil: not implemented

	required []int // arguments that must not be NULL
}

// implemented is the one table of what is implemented: by name, WDFLDR, KMDF
// and kernel routines alike. It is filled at program start.
var implemented = map[string]func(c *call) uint64{}

// register adds routines to the table.
func register(routines map[string]func(c *call) uint64) {
	for name, fn := range routines { // order does not matter: the keys differ
		if implemented[name] != nil {
			panic("BUG: " + name + " is registered twice")
		}
		implemented[name] = fn
	}
}

// registerChecked is register for routines that the kernel package does not know:
// their documented IRQL range is checked here.
func registerChecked(routines map[string]func(c *call) uint64) {
	checked := map[string]func(c *call) uint64{}
	for name, fn := range routines { // order does not matter: the keys differ
		levels := kernel.NewLevels(name)
		checked[name] = func(c *call) uint64 {
			c.CheckLevel(levels)
			return fn(c)
		}
	}
	register(checked)
}

// Implemented reports whether a routine is implemented.
func Implemented(name string) bool { return implemented[name] != nil || variables[name].value != nil }

// ImplementedNames returns the names of all routines that .sys drivers can
// call, sorted.
func ImplementedNames() []string { return slices.Sorted(maps.Keys(implemented)) }

// VariableNames returns the names of the kernel variables that .sys drivers can
// import, sorted.
func VariableNames() []string { return slices.Sorted(maps.Keys(variables)) }

// importTarget returns what the slot of an import gets: the address of a routine
// or of a variable.
func (d *Driver) importTarget(module, name string) uint64 {
	if variables[name].value != nil {
		return d.variable(name)
	}
	return d.importAddress(module, name)
}

// importAddress returns the address that stands for a routine.
func (d *Driver) importAddress(module, name string) uint64 {
	addr := trapBase + uint64(len(d.imports))*trapStep
	d.imports[addr] = &routine{module: strings.ToLower(module), name: name, fn: implemented[name], required: requiredOf(name)}
	return addr
}

// functionTable makes the function table of the framework: the addresses of all
// functions, in the order of their indexes.
func (d *Driver) functionTable() []uint64 {
	var table []uint64
	for _, f := range ddi.Functions() {
		table = append(table, d.importAddress("Wdf01000.sys", f.Name))
	}
	return table
}
