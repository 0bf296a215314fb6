package litmus

import "github.com/dirql/dirql/wdf"

// What the PnP manager and the power manager do to the device of a test: calls of threads that are not the driver's.

// powerStateNames are the power states that a program can bring the device to.
var powerStateNames = []string{"D0", "D3"}

func startDevice(x *activation, _ *Instr) int64 { return int64(x.bench.startDevice(x.sys())) }

func setPower(x *activation, in *Instr) int64 {
	to := wdf.PowerDeviceD0
	if in.Args[0].Word == "D3" {
		to = wdf.PowerDeviceD3
	}
	return int64(x.sys().SetPower(x.device, to))
}

// armForWake has the next power-down leave the device able to wake itself.
func armForWake(x *activation, _ *Instr) int64 {
	x.sys().ArmForWake(x.device, true)
	return 0
}

// surpriseRemove takes the device out, so that its registers give all ones from then on (PWR-8), and tells the framework.
func surpriseRemove(x *activation, _ *Instr) int64 {
	x.t.Step()
	x.bench.state.gone = true
	x.sys().SurpriseRemove(x.device)
	return 0
}

func lockDevice(x *activation, _ *Instr) int64 {
	x.sys().WdfObjectAcquireLock(x.device)
	return 0
}

func unlockDevice(x *activation, _ *Instr) int64 {
	x.sys().WdfObjectReleaseLock(x.device)
	return 0
}

// watchConnections runs the observers of the test when the framework connects or disconnects an interrupt.
func (b *bench) watchConnections() {
	b.f.OnConnection(func(s *wdf.Sys, h wdf.WDFINTERRUPT, connected bool) {
		section := "disconnected"
		if connected {
			section = "connected"
		}
		for i := range b.test.Programs {
			p := &b.test.Programs[i]
			if p.Kind == ProgramWatch && b.objects[p.Object].handle == h && p.section() == section {
				x := &activation{bench: b, t: s.Thread, program: i, regs: make([]int64, len(p.Registers))}
				x.run(p)
			}
		}
	})
}

// createByProgram is WdfInterruptCreate in the program of EvtDevicePrepareHardware, which was called with the two lists
// of resources. The configuration was initialized, or set to zero and filled in where there is no way around it.
func createByProgram(x *activation, in *Instr) int64 {
	o := &x.test.Objects[in.Args[0].Object]
	c := x.interruptConfig(o)
	if in.Args[1].Word == "zeroed" {
		c = wdf.InterruptConfig{Size: wdf.InterruptConfigSize, EvtInterruptIsr: c.EvtInterruptIsr}
	}
	x.giveDescriptors(x.sys(), o, &c, wdf.Handle(x.args[1]), wdf.Handle(x.args[2]))
	return int64(x.createInterrupt(x.sys(), o, &c))
}

// manager is the PnP manager of a test: it does nothing on its own. A device that has failed stays as it is; what follows is
// not part of the test.
type manager struct{}

func (manager) BusPower(uint32, bool)                      {}
func (manager) CanWake(uint32) bool                        { return false }
func (manager) BusWake(uint32, bool)                       {}
func (manager) DeviceFailed(*wdf.Sys, wdf.WDFDEVICE, bool) {}
