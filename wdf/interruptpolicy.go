package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// InterruptPolicy is WDF_INTERRUPT_POLICY, InterruptPriority is
// WDF_INTERRUPT_PRIORITY.
type (
	InterruptPolicy   int32
	InterruptPriority int32
)

// Values of InterruptPolicy and InterruptPriority.
const (
	IrqPolicyMachineDefault                    InterruptPolicy = 0
	IrqPolicyAllCloseProcessors                InterruptPolicy = 1
	IrqPolicyOneCloseProcessor                 InterruptPolicy = 2
	IrqPolicyAllProcessorsInMachine            InterruptPolicy = 3
	IrqPolicySpecifiedProcessors               InterruptPolicy = 4
	IrqPolicySpreadMessagesAcrossAllProcessors InterruptPolicy = 5

	IrqPriorityUndefined InterruptPriority = 0
	IrqPriorityLow       InterruptPriority = 1
	IrqPriorityNormal    InterruptPriority = 2
	IrqPriorityHigh      InterruptPriority = 3
)

// InterruptExtendedPolicySize is the size of WDF_INTERRUPT_EXTENDED_POLICY in bytes.
const InterruptExtendedPolicySize = 32

// GroupAffinity is GROUP_AFFINITY: processors of a group.
type GroupAffinity struct {
	Mask     uint64
	Group    uint16
	Reserved [3]uint16
}

// InterruptExtendedPolicy is WDF_INTERRUPT_EXTENDED_POLICY.
type InterruptExtendedPolicy struct {
	Size                       uint32
	Policy                     InterruptPolicy
	Priority                   InterruptPriority
	TargetProcessorSetAndGroup GroupAffinity
}

// InterruptExtendedPolicyInit is WDF_INTERRUPT_EXTENDED_POLICY_INIT. It leaves the
// priority undefined, which WdfInterruptSetExtendedPolicy refuses (WDFI-19).
func InterruptExtendedPolicyInit() InterruptExtendedPolicy {
	return InterruptExtendedPolicy{Size: InterruptExtendedPolicySize}
}

// interruptPolicy is what the driver prefers; set says that it has said so.
type interruptPolicy struct {
	set        bool
	policy     InterruptPolicy
	priority   InterruptPriority
	processors GroupAffinity
}

var (
	svcWdfInterruptSetPolicy         = kernel.NewService("WdfInterruptSetPolicy")
	svcWdfInterruptSetExtendedPolicy = kernel.NewService("WdfInterruptSetExtendedPolicy")
)

// WdfInterruptSetPolicy says which processors and which priority the driver prefers
// for an interrupt, before the device gets its resources. What is out of range is a
// verifier break, and nothing happens (WDFI-19). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfInterruptSetPolicy(h WDFINTERRUPT, policy InterruptPolicy, priority InterruptPriority, processors uint64) {
	s.Enter(svcWdfInterruptSetPolicy, uint64(h), uint64(policy), uint64(priority), processors)
	s.setPolicy(h, interruptPolicy{policy: policy, priority: priority, processors: GroupAffinity{Mask: processors}})
	s.LeaveVoid()
}

// WdfInterruptSetExtendedPolicy is WdfInterruptSetPolicy with a processor group. A
// wrong Size, or reserved words that are not zero, are a verifier break as well
// (WDFI-19). The framework does not check for NULL. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfInterruptSetExtendedPolicy(h WDFINTERRUPT, p *InterruptExtendedPolicy) {
	s.Enter(svcWdfInterruptSetExtendedPolicy, uint64(h))
	defer s.LeaveVoid()
	s.lookup(h, TypeInterrupt)
	if p == nil {
		s.nullInFramework("WDFI-19", "WdfInterruptSetExtendedPolicy reads a NULL PolicyAndGroup")
	}
	if p.Size != InterruptExtendedPolicySize {
		s.verifierBreak("WDF_INTERRUPT_EXTENDED_POLICY.Size", "WDFI-19", "its Size is %d, needed is %d: nothing happens", p.Size, InterruptExtendedPolicySize)
		return
	}
	s.setPolicy(h, interruptPolicy{policy: p.Policy, priority: p.Priority, processors: p.TargetProcessorSetAndGroup})
}

// setPolicy checks and stores a policy.
func (s *Sys) setPolicy(h WDFINTERRUPT, p interruptPolicy) {
	in, _ := s.interrupt(h)
	name := s.f.m.NameOf(uint64(h))
	switch {
	case p.policy < IrqPolicyMachineDefault || p.policy > IrqPolicySpreadMessagesAcrossAllProcessors:
		s.verifierBreak("interrupt policy", "WDFI-19", "policy %d of %s is out of range: nothing happens", p.policy, name)
		return
	case p.priority < IrqPriorityLow || p.priority > IrqPriorityHigh:
		s.verifierBreak("interrupt policy", "WDFI-19", "priority %d of %s is out of range: nothing happens", p.priority, name)
		return
	case p.processors.Reserved != [3]uint16{}:
		s.verifierBreak("interrupt policy", "WDFI-19", "the reserved words of the processor set of %s are not zero: nothing happens", name)
		return
	case in.prepare:
		s.verifierBreak("interrupt policy too late", "WDFI-20", "%s was created in EvtDevicePrepareHardware: its policy is never used", name)
	}
	p.set = true
	in.policy = p
}

// InterruptRequirement is an interrupt in the resource requirements of a device, an
// IO_RESOURCE_DESCRIPTOR: what the bus driver asks for.
type InterruptRequirement struct {
	Message          bool
	Alternative      bool // to the one before it
	ShareDisposition uint8
	Flags            uint16 // CmResourceInterruptPolicyIncluded: it has a policy already
	Policy           InterruptPolicy
	Priority         InterruptPriority
	Processors       uint64
	Group            uint16
}

// FilterResourceRequirements applies share disposition and policy of the interrupt
// objects to the requirements, before the PnP manager assigns resources (WDFI-19,
// WDFI-21): messages and lines each go to the objects in order of creation,
// alternatives to the object of what they are alternatives to.
func (s *Sys) FilterResourceRequirements(h WDFDEVICE, all []InterruptRequirement) {
	dev := s.lookup(h, TypeDevice)
	var objects []int
	for n := range s.f.interrupts {
		if in := &s.f.interrupts[n]; in.device == dev && s.f.objects[in.object].state == live {
			objects = append(objects, n)
		}
	}
	message, line, afterMessage := -1, -1, false
	for i := range all {
		r := &all[i]
		at := &line
		if r.Message {
			at = &message
		}
		if !r.Alternative {
			*at++
		}
		if !r.Message && afterMessage {
			line = 0 // an alternative to all messages
		}
		afterMessage = r.Message
		if *at >= 0 && *at < len(objects) {
			s.f.interrupts[objects[*at]].filter(r)
		}
	}
}

// filter applies what one object says to one requirement.
func (in *interrupt) filter(r *InterruptRequirement) {
	switch in.share {
	case True:
		r.ShareDisposition = CmResourceShareShared
	case False:
		r.ShareDisposition = CmResourceShareDeviceExclusive
	}
	if p := &in.policy; p.set && r.Flags&CmResourceInterruptPolicyIncluded == 0 {
		r.Flags |= CmResourceInterruptPolicyIncluded
		r.Policy, r.Priority, r.Processors, r.Group = p.policy, p.priority, p.processors.Mask, p.processors.Group
	}
}
