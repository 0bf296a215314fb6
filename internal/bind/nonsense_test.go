package bind

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// nonsense are the values that a broken driver passes: pointers that are none,
// small numbers, sizes that are too large, handles of every type.
func (r *rig) nonsense(s *wdf.Sys) []uint64 {
	code := r.d.image.Entry
	block := s.AllocatePool(false, 48, kernel.PoolTag("Test"))
	freed := s.AllocatePool(false, 48, kernel.PoolTag("Test"))
	s.FreePool(freed)
	paged := s.AllocatePool(true, 48, kernel.PoolTag("Test"))
	values := []uint64{
		0, ^uint64(0), 1, 3, 8, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63,
		0x10000, 0x7FFF_FFFF_F000, // user addresses
		0x1234_5678_9ABC_DEF0,                             // not canonical
		0xFFFF_FFFF_FFFF_FFF8,                             // the end of the address space
		0xFFFF_F800_1234_5678,                             // nothing is mapped there
		block, block + 40, block + 44, freed, paged, code, // memory of several kinds
		r.d.driverObject, r.d.globals,
		uint64(r.device) ^ 1, uint64(r.device) + 8,
	}
	return values
}

// handles are those of all objects that may be alive, and some beyond.
func (r *rig) handles() []uint64 {
	var list []uint64
	first := uint64(r.device)&^0xFFF | 0xFF8
	for i := range uint64(24) {
		list = append(list, first-64*i)
	}
	return list
}

// objects makes an object of most types and returns their handles by type.
func (r *rig) objects(s *wdf.Sys) map[string]uint64 {
	made := map[string]uint64{"WDFDEVICE": uint64(r.device), "WDFDRIVER": uint64(s.WdfDeviceGetDriver(r.device)),
		"WDFINTERRUPT": uint64(s.WdfDeviceGetDefaultQueue(r.device)) + 64, "WDFQUEUE": uint64(s.WdfDeviceGetDefaultQueue(r.device))}
	add := func(typ string) func(wdf.Handle, wdf.NTSTATUS) {
		return func(h wdf.Handle, st wdf.NTSTATUS) { made[typ] = uint64(h) }
	}
	callback := wdf.Callback(r.d.image.Entry)
	parent := &wdf.ObjectAttributes{ParentObject: r.device}
	add("WDFSPINLOCK")(s.WdfSpinLockCreate(nil))
	add("WDFWAITLOCK")(s.WdfWaitLockCreate(nil))
	add("WDFCOLLECTION")(s.WdfCollectionCreate(nil))
	add("WDFSTRING")(s.WdfStringCreate(nil, nil))
	add("WDFKEY")(s.WdfDeviceOpenRegistryKey(r.device, 1, 0x20019, nil))
	add("WDFLOOKASIDE")(s.WdfLookasideListCreate(nil, 32, 0, nil, 0))
	memory, _, st := s.WdfMemoryCreate(nil, 0, 0, 16)
	add("WDFMEMORY")(memory, st)
	dpc := wdf.DPCConfigInit(callback)
	add("WDFDPC")(s.WdfDpcCreate(&dpc, parent))
	timer := wdf.TimerConfigInit(callback)
	add("WDFTIMER")(s.WdfTimerCreate(&timer, parent))
	item := wdf.WorkItemConfigInit(callback)
	add("WDFWORKITEM")(s.WdfWorkItemCreate(&item, parent))
	enabler := wdf.DMAEnablerConfig{Size: uint32(ddi.SizeOf("WDF_DMA_ENABLER_CONFIG")), Profile: wdf.DMAProfilePacket, MaximumLength: 4096}
	add("WDFDMAENABLER")(s.WdfDmaEnablerCreate(r.device, &enabler, nil))
	add("WDFCOMMONBUFFER")(s.WdfCommonBufferCreate(wdf.Handle(made["WDFDMAENABLER"]), 64, nil))
	add("WDFDMATRANSACTION")(s.WdfDmaTransactionCreate(wdf.Handle(made["WDFDMAENABLER"]), nil))
	made["WDFREQUEST"] = uint64(s.SendRequest(r.device, wdf.RequestParams{
		Type: wdf.RequestTypeDeviceControl, IoControlCode: 0x222000, Input: []byte{9, 0, 0, 0}, OutputLength: 4}))
	return made
}

// dice is a sequence of numbers that look random, the same in every run.
type dice uint64

// roll returns a number below n.
func (d *dice) roll(n int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(uint64(*d) >> 33 % uint64(n))
}

// calls is the number of calls of each routine with random nonsense.
const calls = 80

// Bad arguments to any routine give a result or a finding: never a panic of
// dirql, never a run without an end.
func TestNonsense(t *testing.T) {
	r := newRig(t)
	r.checkObjects(t)
	for _, name := range ImplementedNames() {
		random := dice(len(name))
		for i := range calls {
			if text := r.nonsenseCall(t, name, i, &random); text != "" {
				t.Errorf("%s: %s", name, text)
				r = newRig(t) // the old one may be in pieces
				break
			}
		}
	}
}

// checkObjects checks that objects makes what it says.
func (r *rig) checkObjects(t *testing.T) {
	t.Helper()
	r.restore()
	r.run(t, func(th *kernel.Thread) {
		for typ, h := range r.objects(r.d.f.Sys(th)) {
			if name := r.m.NameOf(h); !strings.HasPrefix(name, typ+" ") && !strings.HasPrefix(name, "ioctl ") {
				t.Errorf("0x%X, %s, is not a %s", h, name, typ)
			}
		}
	})
	for _, f := range r.m.Findings() {
		t.Errorf("%s: %s", f.Title(), f.Text)
	}
}

// mixture fills in arguments: where the routine takes a handle mostly one of the
// right type, so that the others are looked at, too.
func (r *rig) mixture(s *wdf.Sys, name string, i int, random *dice, args *[6]uint64) {
	values, handles := r.nonsense(s), r.handles()
	made := r.objects(s)
	params := paramsOf(name)
	for k := range args {
		right := uint64(0)
		if k < len(params) {
			if right = made[params[k].Type]; right == 0 {
				right = r.filled(s, params[k].Type, values, random)
			}
		}
		switch n := random.roll(8); {
		case right != 0 && n < 6:
			args[k] = right
		case n < 2:
			args[k] = handles[random.roll(len(handles))]
		default:
			args[k] = values[random.roll(len(values))]
		}
	}
	if i < len(values) { // one value everywhere
		v := values[i]
		*args = [6]uint64{v, v, v, v, v, v}
	}
}

// filled makes a structure of a pointer type that has the right size and nonsense
// in its fields; 0 if there is no such structure.
func (r *rig) filled(s *wdf.Sys, pointer string, values []uint64, random *dice) uint64 {
	name := strings.TrimSuffix(strings.TrimPrefix(pointer, "P"), "*")
	typ, ok := ddi.Struct(name)
	if !ok {
		return 0
	}
	p := s.AllocatePool(false, typ.Size, kernel.PoolTag("Strc"))
	for _, f := range typ.Fields {
		if f.Size == 0 || f.Size > 8 || f.Size&(f.Size-1) != 0 {
			continue
		}
		v := values[random.roll(len(values))]
		if random.roll(3) == 0 {
			v = uint64(random.roll(4))
		}
		if f.Name == "Size" && f.Offset == 0 && random.roll(8) != 0 {
			v = typ.Size
		}
		s.Store(p+f.Offset, int(f.Size), v&(1<<(8*f.Size)-1))
	}
	return p
}

func paramsOf(name string) []ddi.Param {
	for _, f := range ddi.Functions() {
		if f.Name == name {
			return f.Params
		}
	}
	return nil
}

// nonsenseCall makes one call with bad arguments and says what is wrong with
// what came of it, "" if nothing.
func (r *rig) nonsenseCall(t *testing.T, name string, i int, random *dice) (wrong string) {
	var args [6]uint64
	irql := []uint8{0, 0, 2, 5}[random.roll(4)]
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("panic with %x at IRQL %d: %.3000v", args, irql, p)
		}
	}()
	slow := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("%s does not return: arguments %x", name, args)) })
	defer slow.Stop()
	r.restore()
	why := r.run(t, func(th *kernel.Thread) {
		s := r.d.f.Sys(th)
		r.mixture(s, name, i, random, &args)
		th.WriteCR8(irql)
		r.guestCall(th, name, args[:]...)
		th.WriteCR8(0)
	})
	if why == kernel.Stopped && len(r.m.Findings()) == 0 {
		return fmt.Sprintf("stopped without a finding: arguments %x", args)
	}
	return ""
}

// The same for what takes a WDFDEVICE_INIT, where there is one: during
// EvtDriverDeviceAdd. The last call is the one that creates the device.
func TestNonsenseInDeviceAdd(t *testing.T) {
	var names []string
	for _, f := range ddi.Functions() {
		if Implemented(f.Name) && slices.ContainsFunc(f.Params, func(p ddi.Param) bool { return strings.HasPrefix(p.Type, "PWDFDEVICE_INIT") }) {
			names = append(names, f.Name)
		}
	}
	if len(names) < 5 {
		t.Fatalf("only %v take a WDFDEVICE_INIT", names)
	}
	r := newColdRig(t)
	location := r.bus(t).Number()
	name, random := "", dice(1)
	added := 0
	add := r.m.Function("test.deviceAdd", func(th *kernel.Thread, a kernel.Args) uint64 {
		s, init := r.d.f.Sys(th), a[1]
		values := r.nonsense(s)
		pointer := th.AllocatePool(false, 8, kernel.PoolTag("Init"))
		th.Store(pointer, 8, init)
		args := [6]uint64{0, init}
		for k, p := range paramsOf(name) {
			switch {
			case k < 2 || k >= len(args):
			case random.roll(3) != 0:
				args[k] = r.filled(s, p.Type, values, &random)
			default:
				args[k] = values[random.roll(len(values))]
			}
		}
		if name == "WdfDeviceCreate" {
			args[1] = pointer
		}
		added++
		r.guestCall(th, name, args[:]...)
		return r.guestCall(th, "WdfDeviceCreate", 0, pointer, 0, pointer)
	})
	r.keep(t)
	for _, name = range names {
		for range calls {
			r.restore()
			why := r.run(t, func(th *kernel.Thread) {
				s := r.d.f.Sys(th)
				s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: wdf.Callback(add)}, nil)
				s.AddDevice(location)
			})
			if why == kernel.Stopped && len(r.m.Findings()) == 0 {
				t.Errorf("%s: stopped without a finding", name)
			}
		}
	}
	if added != len(names)*calls {
		t.Errorf("EvtDriverDeviceAdd was called %d times", added)
	}
}
