package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// Interrupts that a driver connects itself.
func init() {
	register(map[string]func(c *call) uint64{
		"KeSynchronizeExecution":     func(c *call) uint64 { return boolean(c.KeSynchronizeExecution(c.arg(0), c.arg(1), c.arg(2))) },
		"KeAcquireInterruptSpinLock": func(c *call) uint64 { return uint64(c.KeAcquireInterruptSpinLock(c.arg(0))) },
		"KeReleaseInterruptSpinLock": func(c *call) uint64 { c.KeReleaseInterruptSpinLock(c.arg(0), uint8(c.arg(1))); return 0 },
	})
	registerChecked(map[string]func(c *call) uint64{ // before the parameters are looked at
		"IoConnectInterruptEx":      (*call).connectInterrupt,
		"IoDisconnectInterruptEx":   func(c *call) uint64 { c.IoDisconnectInterruptEx(c.connection()); return 0 },
		"IoReportInterruptActive":   func(c *call) uint64 { c.IoReportInterruptActive(c.connection()); return 0 },
		"IoReportInterruptInactive": func(c *call) uint64 { c.IoReportInterruptInactive(c.connection()); return 0 },
	})
}

// Versions of IO_CONNECT_INTERRUPT_PARAMETERS.
const (
	connectFullySpecified      = 1
	connectLineBased           = 2
	connectMessageBased        = 3
	connectFullySpecifiedGroup = 4
	connectMessagePassive      = 5
)

// connectInterrupt is IoConnectInterruptEx(IO_CONNECT_INTERRUPT_PARAMETERS).
func (c *call) connectInterrupt() uint64 {
	switch version := c.load(c.arg(0), 4); version {
	case connectFullySpecified, connectFullySpecifiedGroup:
		return uint64(c.connectSpecified(version))
	case connectLineBased:
		return uint64(c.connectLine())
	case connectMessageBased:
		return uint64(c.connectMessages())
	case connectMessagePassive:
		c.Unsupported("IoConnectInterruptEx with CONNECT_MESSAGE_BASED_PASSIVE")
	}
	return uint64(kernel.StatusInvalidParameter1)
}

// connectSpecified checks the parameters of CONNECT_FULLY_SPECIFIED in the order of the
// documented errors (INT-1).
func (c *call) connectSpecified(version uint64) kernel.NTSTATUS {
	p := c.structureAt(c.arg(0)+8, "IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS")
	routine, object := p.get("ServiceRoutine"), p.get("InterruptObject")
	switch {
	case p.get("PhysicalDeviceObject") == 0 || object == 0 || routine == 0 ||
		version == connectFullySpecifiedGroup && p.get("Group") != 0:
		return kernel.StatusInvalidParameter
	case !c.VectorAssigned(uint32(p.get("Vector"))):
		return kernel.StatusNotFound
	}
	in, s := c.IoConnectInterruptEx(kernel.ConnectParams{
		Name: c.Machine().NameOf(routine), ServiceRoutine: routine, Context: p.get("ServiceContext"),
		Vector: uint8(p.get("Vector")), IRQL: uint8(p.get("Irql")), SynchronizeIRQL: uint8(p.get("SynchronizeIrql")),
		Latched: p.get("InterruptMode") == 1, Shared: p.flag("ShareVector"),
		Affinity: p.get("ProcessorEnableMask"), SpinLock: p.get("SpinLock"),
	})
	if s == kernel.StatusSuccess {
		c.store(object, 8, in)
	}
	return s
}

// connectLine is CONNECT_LINE_BASED (INT-25).
func (c *call) connectLine() kernel.NTSTATUS {
	p := c.structureAt(c.arg(0)+8, "IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS")
	object := p.get("InterruptObject")
	if object == 0 {
		return kernel.StatusInvalidParameter
	}
	in, s := c.IoConnectInterruptLineBased(p.deviceConnection("ServiceRoutine"))
	if s == kernel.StatusSuccess {
		c.store(object, 8, in)
	}
	return s
}

// connectMessages is CONNECT_MESSAGE_BASED: the version tells which routine was
// connected (INT-25).
func (c *call) connectMessages() kernel.NTSTATUS {
	p := c.structureAt(c.arg(0)+8, "IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS")
	place := p.get("ConnectionContext.Generic")
	if place == 0 {
		return kernel.StatusInvalidParameter
	}
	connection := p.deviceConnection("FallBackServiceRoutine")
	connection.MessageServiceRoutine = p.callback("MessageServiceRoutine")
	context, line, s := c.IoConnectInterruptMessageBased(connection)
	if s == kernel.StatusSuccess {
		c.store(place, 8, context)
	}
	if line {
		c.store(c.arg(0), 4, connectLineBased)
	}
	return s
}

// deviceConnection reads what both forms for a device have.
func (s *structure) deviceConnection(routine string) wdf.DeviceConnection {
	return wdf.DeviceConnection{PhysicalDeviceObject: s.get("PhysicalDeviceObject"), ServiceRoutine: s.callback(routine),
		ServiceContext: s.get("ServiceContext"), SpinLock: s.get("SpinLock"), SynchronizeIRQL: uint8(s.get("SynchronizeIrql"))}
}

// connection reads the connection context out of IO_DISCONNECT_INTERRUPT_PARAMETERS or
// IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS: version, then the context. The version
// says what the context is; Windows would take the one for the other.
func (c *call) connection() uint64 {
	version, context := c.load(c.arg(0), 4), c.load(c.arg(0)+8, 8)
	if table, known := c.Connection(context); known && table != (version == connectMessageBased) {
		what := "an interrupt object"
		if table {
			what = "a message table"
		}
		c.Stop(kernel.Finding{Rule: "interrupt object", Clause: "INT-25", Text: fmt.Sprintf(
			"%s with version %d, which does not fit %s: pass on the version that IoConnectInterruptEx has left", c.r.name, version, what)})
	}
	return context
}
