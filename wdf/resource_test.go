package wdf_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// twoMessages are the resources of a device with memory and two messages in one
// descriptor.
func twoMessages(*bench) (raw, translated []wdf.Resource) {
	memory := wdf.Resource{Type: wdf.CmResourceTypeMemory, Start: 0xF000_0000, Length: 0x1000}
	r := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, Level: 6, Vector: 0x62, Affinity: 1, Flags: 3, MessageCount: 2}
	translate := r
	translate.MessageCount = 0
	return []wdf.Resource{memory, r}, []wdf.Resource{memory, translate}
}

// WDFI-11: with the framework's verifier the descriptors are a pair of the
// framework's, unmodified, of an interrupt, and not used up. Without it nothing is
// checked, and the framework's own descriptor is used whatever the driver did to
// its copy.
func TestWDFI11ResourceCheck(t *testing.T) {
	create := func(b *bench, s *wdf.Sys, change func(c *wdf.InterruptConfig)) wdf.NTSTATUS {
		c := isrOnly(b)
		c.InterruptRaw, c.InterruptTranslated = b.descriptors(s, 1)
		change(&c)
		_, st := s.WdfInterruptCreate(b.device, &c, nil)
		return st
	}
	for name, change := range map[string]func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig){
		"WDFI-11 no descriptor of the framework": func(_ *bench, _ *wdf.Sys, c *wdf.InterruptConfig) {
			c.InterruptTranslated = &wdf.Resource{Type: wdf.CmResourceTypeInterrupt, Vector: 0x61, Level: 6, Affinity: 1}
		},
		"WDFI-11 raw of another": func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) { c.InterruptRaw, _ = b.descriptors(s, 0) },
		"WDFI-11 translated as raw": func(_ *bench, _ *wdf.Sys, c *wdf.InterruptConfig) {
			c.InterruptRaw = c.InterruptTranslated
		},
		"WDFI-11 translated modified": func(_ *bench, _ *wdf.Sys, c *wdf.InterruptConfig) { c.InterruptTranslated.Vector++ },
		"WDFI-11 raw modified":        func(_ *bench, _ *wdf.Sys, c *wdf.InterruptConfig) { c.InterruptRaw.MessageCount++ },
		"WDFI-11 no interrupt": func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) {
			c.InterruptRaw, c.InterruptTranslated = b.descriptors(s, 0)
		},
	} {
		for _, verifier := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " verifier ", verifier), func(t *testing.T) {
				d := driver{resources: twoMessages, profile: &kernel.Profile{FrameworkVerifier: verifier}}
				d.pnp = func(b *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
					if callback == "PrepareHardware" {
						want := wdf.StatusSuccess
						if verifier {
							want = wdf.StatusInvalidParameter
						}
						b.status(name, create(b, s, func(c *wdf.InterruptConfig) { change(b, s, c) }), want)
						return wdf.StatusUnsuccessful
					}
					return wdf.StatusSuccess
				}
				b := newBench(t, d)
				b.do(func(s *wdf.Sys) { b.startIn(s) })
				if verifier {
					b.wantFindings("verifier break: interrupt resource")
				}
			})
		}
	}

	// A message descriptor is used for its messages, one after the other; the
	// check of the source lets one more pass.
	d := driver{resources: twoMessages}
	d.pnp = func(b *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
		if callback != "PrepareHardware" {
			return wdf.StatusSuccess
		}
		for n := range 4 {
			st := create(b, s, func(*wdf.InterruptConfig) {})
			b.note("%v", !st.Failed())
			_ = n
		}
		return wdf.StatusUnsuccessful
	}
	b := newBench(t, d)
	b.only = []string{"true", "false"}
	b.do(func(s *wdf.Sys) { b.startIn(s) })
	b.want("true true true false")
	b.wantFindings("verifier break: interrupt resource")
}

// A wake interrupt and a passive-level one cannot share a line descriptor, which
// others can use any number of times (WDFI-11).
func TestWDFI11WakeAndPassive(t *testing.T) {
	line := func(*bench) (raw, translated []wdf.Resource) {
		r := []wdf.Resource{{Type: wdf.CmResourceTypeInterrupt, Level: 6, Vector: 0x61, Affinity: 1, Flags: wdf.CmResourceInterruptWakeHint}}
		return r, r
	}
	d := driver{resources: line}
	d.pnp = func(b *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
		if callback != "PrepareHardware" {
			return wdf.StatusSuccess
		}
		for _, c := range []struct{ wake, passive bool }{{false, false}, {false, false}, {true, true}, {false, false}, {false, true}} {
			config := isrOnly(b)
			config.InterruptRaw, config.InterruptTranslated = b.descriptors(s, 0)
			config.CanWakeDevice, config.PassiveHandling = c.wake, c.passive
			_, st := s.WdfInterruptCreate(b.device, &config, nil)
			b.note("%v", !st.Failed())
		}
		return wdf.StatusUnsuccessful
	}
	b := newBench(t, d)
	b.only = []string{"true", "false"}
	b.do(func(s *wdf.Sys) { b.startIn(s) })
	b.want("true true true true false")
	b.wantFindings() // traced only
}

// A wake interrupt needs the hint in its resource and PASSIVE_LEVEL (WDFI-8).
func TestWDFI8WakeRequest(t *testing.T) {
	for _, c := range []struct {
		clause          string
		hinted, passive bool
		want            wdf.NTSTATUS
	}{
		{"WDFI-8", true, true, wdf.StatusSuccess},
		{"WDFI-8 without the hint", false, true, wdf.StatusInvalidParameter},
		{"WDFI-8 at DIRQL", true, false, wdf.StatusInvalidParameter},
	} {
		t.Run(c.clause, func(t *testing.T) {
			d := driver{late: []interrupt{{vector: 0x51, line: true, wakeHint: c.hinted}}}
			d.pnp = func(b *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
				if callback == "PrepareHardware" {
					config := isrOnly(b)
					config.InterruptRaw, config.InterruptTranslated = b.descriptors(s, 0)
					config.CanWakeDevice, config.PassiveHandling = true, c.passive
					_, st := s.WdfInterruptCreate(b.device, &config, nil)
					b.status(c.clause, st, c.want)
				}
				return wdf.StatusUnsuccessful
			}
			b := newBench(t, d)
			b.do(func(s *wdf.Sys) { b.startIn(s) })
			b.wantFindings()
		})
	}
}

// After a stop and a restart the interrupts have other resources, fewer messages or
// a line; the info is new each time, and the objects of EvtDevicePrepareHardware are
// new objects (WDFI-34, WDFI-32).
func TestWDFI34Rebalance(t *testing.T) {
	messages := true
	d := driver{interrupts: []interrupt{{}, {}}, resources: func(b *bench) (raw, translated []wdf.Resource) {
		if messages {
			return twoMessages(b)
		}
		r := []wdf.Resource{{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareShared, Level: 5, Vector: 0x51, Affinity: 1}}
		return r, r
	}}
	for n := range d.interrupts {
		d.interrupts[n].isr = func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) bool { return true }
	}
	scenario(t, d, func(b *bench) {
		messages = true
		b.AddLine("pin", 0x51, false)
		b.startDevice()
		infos := func() (all []string) {
			b.do(func(s *wdf.Sys) {
				for n := range b.interrupts {
					i := wdf.InterruptInfoInit()
					s.WdfInterruptGetInfo(b.interrupts[n], &i)
					all = append(all, fmt.Sprintf("0x%X message %v", i.Vector, i.MessageSignaled))
				}
			})
			return all
		}
		if got := infos(); !slices.Equal(got, []string{"0x62 message true", "0x63 message true"}) {
			t.Errorf("started: %q", got)
		}
		b.forget()
		messages = false
		b.do(func(s *wdf.Sys) { b.status("Rebalance", s.Rebalance(b.device, b.resources), wdf.StatusSuccess) })
		const down = "disable1 flush1 disconnect1 disable0 flush0 disconnect0 "
		b.wantSteps("QueryStop SelfManagedIoSuspend D0ExitPreInterruptsDisabled " + down + "D0Exit ReleaseHardware " +
			"PrepareHardware D0Entry connect0 enable0 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
		if got := infos(); !slices.Equal(got, []string{"0x51 message false", "0x0 message false"}) {
			t.Errorf("restarted: %q", got)
		}
	})
}

// A policy goes into the requirements that have none yet; what is out of range has
// no effect (WDFI-19, litmus L-67), nor does one that comes too late (WDFI-20).
func TestWDFI19WDFI20Policy(t *testing.T) {
	extended := func(change func(p *wdf.InterruptExtendedPolicy)) func(s *wdf.Sys, i wdf.WDFINTERRUPT) {
		return func(s *wdf.Sys, i wdf.WDFINTERRUPT) {
			p := wdf.InterruptExtendedPolicyInit()
			p.Policy, p.TargetProcessorSetAndGroup.Mask = wdf.IrqPolicySpecifiedProcessors, 2
			change(&p)
			s.WdfInterruptSetExtendedPolicy(i, &p)
		}
	}
	plain := func(policy wdf.InterruptPolicy, priority wdf.InterruptPriority) func(s *wdf.Sys, i wdf.WDFINTERRUPT) {
		return func(s *wdf.Sys, i wdf.WDFINTERRUPT) { s.WdfInterruptSetPolicy(i, policy, priority, 2) }
	}
	const normal = wdf.IrqPriorityNormal
	for _, c := range []struct {
		name    string
		set     func(s *wdf.Sys, i wdf.WDFINTERRUPT)
		flags   uint16
		want    bool
		finding string
	}{
		{"WDFI-19", plain(wdf.IrqPolicySpecifiedProcessors, normal), 0, true, ""},
		{"WDFI-19 extended", extended(func(p *wdf.InterruptExtendedPolicy) { p.Priority = normal }), 0, true, ""},
		{"WDFI-19 the requirement has a policy", plain(4, normal), wdf.CmResourceInterruptPolicyIncluded, false, ""},
		{"WDFI-19 policy 6", plain(6, normal), 0, false, "interrupt policy"},
		{"WDFI-19 policy -1", plain(-1, normal), 0, false, "interrupt policy"},
		{"WDFI-19 priority 4", plain(4, 4), 0, false, "interrupt policy"},
		{"WDFI-19 priority undefined", extended(func(*wdf.InterruptExtendedPolicy) {}), 0, false, "interrupt policy"},
		{"WDFI-19 size", extended(func(p *wdf.InterruptExtendedPolicy) { p.Size, p.Priority = 24, normal }), 0, false, "WDF_INTERRUPT_EXTENDED_POLICY.Size"},
		{"WDFI-19 reserved", extended(func(p *wdf.InterruptExtendedPolicy) {
			p.Priority, p.TargetProcessorSetAndGroup.Reserved[2] = normal, 1
		}), 0, false, "interrupt policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := one(interrupt{})
			d.add = func(b *bench, s *wdf.Sys) { c.set(s, b.interrupts[0]) }
			b := newBench(t, d)
			r := []wdf.InterruptRequirement{{Message: true, ShareDisposition: wdf.CmResourceShareDeviceExclusive, Flags: c.flags, Processors: 1}}
			b.do(func(s *wdf.Sys) { s.FilterResourceRequirements(b.device, r) })
			if got := r[0].Processors == 2 && r[0].Policy == wdf.IrqPolicySpecifiedProcessors && r[0].Priority == normal &&
				r[0].Flags&wdf.CmResourceInterruptPolicyIncluded != 0; got != c.want {
				t.Errorf("%+v", r[0])
			}
			if c.finding != "" {
				b.wantFindings("verifier break: " + c.finding)
			} else {
				b.wantFindings()
			}
		})
	}

	b := newBench(t, driver{late: []interrupt{{vector: 0x51}}})
	b.startDevice()
	b.do(func(s *wdf.Sys) { s.WdfInterruptSetPolicy(b.interrupts[0], 4, normal, 2) })
	b.wantFindings("verifier break: interrupt policy too late")

	b = newBench(t, one(interrupt{}))
	b.stop(func(s *wdf.Sys) { s.WdfInterruptSetExtendedPolicy(b.interrupts[0], nil) })
	b.wantBugCheck("WDFI-19", 0x7E)
}

// ShareVector overrides the bus driver's share disposition; requirements go to the
// objects in order of creation, alternatives to that of what they replace (WDFI-21).
func TestWDFI21ShareVector(t *testing.T) {
	share := func(v wdf.TriState) interrupt {
		return interrupt{config: func(_ *bench, _ *wdf.Sys, c *wdf.InterruptConfig) { c.ShareVector = v }}
	}
	const exclusive, shared = wdf.CmResourceShareDeviceExclusive, wdf.CmResourceShareShared
	b := newBench(t, driver{interrupts: []interrupt{share(wdf.True), share(wdf.False), share(wdf.UseDefault)}})
	line := func(disposition uint8, alternative bool) wdf.InterruptRequirement {
		return wdf.InterruptRequirement{ShareDisposition: disposition, Alternative: alternative}
	}
	message := func(alternative bool) wdf.InterruptRequirement {
		return wdf.InterruptRequirement{Message: true, ShareDisposition: exclusive, Alternative: alternative}
	}
	for _, c := range []struct {
		name string
		all  []wdf.InterruptRequirement
		want []uint8
	}{
		{"WDFI-21 three lines", []wdf.InterruptRequirement{line(exclusive, false), line(shared, false), line(shared, false)}, []uint8{shared, exclusive, shared}},
		{"WDFI-21 an alternative", []wdf.InterruptRequirement{line(shared, false), line(shared, false), line(shared, true)}, []uint8{shared, exclusive, exclusive}},
		{"WDFI-21 a line instead of messages", []wdf.InterruptRequirement{message(false), message(false), line(exclusive, true)}, []uint8{shared, exclusive, shared}},
		{"WDFI-21 more than objects", []wdf.InterruptRequirement{message(false), message(false), message(false), message(false)}, []uint8{shared, exclusive, exclusive, exclusive}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.do(func(s *wdf.Sys) { s.FilterResourceRequirements(b.device, c.all) })
			for i, r := range c.all {
				if r.ShareDisposition != c.want[i] {
					t.Errorf("%d: %d, want %d", i, r.ShareDisposition, c.want[i])
				}
			}
		})
	}
}
