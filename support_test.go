package dirql_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/tidy"
	_ "github.com/dirql/dirql/wdf" // registers its routines
)

var update = flag.Bool("update", false, "write docs/SUPPORT.md")

// notYet is the part of SUPPORT.md that no table tells.
const notYet = `# What is supported

Written by ` + "`go test . -run TestSupport -update`" + ` from the routines that the program registers. A .sys driver that calls
one that is not listed stops there, with its name and the caller (exit code 3); a driver in Go does not compile with it.
` + "`dirql inspect FILE.sys`" + ` says which of them a driver needs.

## Not supported yet

These stop the run by name (exit code 3) or are refused by the command line:

| what | where it will come |
|---|---|
| KMDF and kernel routines that are not listed below | the next step of the project: those that most drivers use first |
| class extensions (WdfVersionBindClass), interfaces of child devices (WdfDeviceAddQueryInterface), the restart of a child that has failed | when drivers need them |
| wake of child devices and by hardware that only the driver knows of (WdfDeviceSetPowerCapabilities), USB selective suspend | when drivers need them |
| exceptions that leave a callback, a filter or a __finally block towards an outer __try; _local_unwind, RtlUnwind, RtlRaiseException | when drivers need them |
| fields of the processor block behind gs: other than the processor's number, its own address, the current and the idle thread; fields of KTHREAD behind its dispatcher header | when drivers need them |
| kernel objects other than events and threads (ObReferenceObjectByHandle, ObfDereferenceObject), files of the kernel (ZwCreateFile) | when drivers need them |
| calling bug check callbacks (KeRegisterBugCheckCallback registers them only) | when drivers need them |
| rebalancing of a device that has children | when drivers need it |
| internal I/O controls of other methods than METHOD_BUFFERED, WdfDeviceIoBufferedOrDirect, MmProbeAndLockPages by a driver, partial MDLs | when drivers need them |
| I/O targets other than the default one and its requests, their states (WdfIoTargetStop and so on), USB | when drivers need them |
| IRPs of drivers without the framework: IoCompleteRequest, IoStartNextPacket, IoSetCancelRoutine, and the rules about them | with WDM drivers |
| litmus drivers (imports from litmus.sys) in commands other than ` + "`dirql litmus --binary`" + ` | not planned: without its test such a driver does nothing |
| instructions: x87, MMX, AVX and later (CPUID does not offer AVX), RDRAND, XSAVE, HLT, model-specific registers, descriptor tables, debug registers; internal/x86/INSTRUCTIONS.md lists what there is | when drivers need them |
| more MSI-X messages than a DIRQL has vectors (16), GUID_MSIX_TABLE_CONFIG_INTERFACE | when drivers need them |

## Limits

- Memory is sequentially consistent; store buffers are not modelled.
- Unknown hardware (--device unknown) does no DMA; its start is explored only where the usual answers do not start it, or with --fault alloc.
- One driver and one device in a scenario; one processor group of up to 64 processors.
- Map registers never run out: EvtProgramDma is called before WdfDmaTransactionExecute returns.
- An IRP of WdfRequestWdmGetIrp can be read; what a driver writes to it has no effect.
- Lost work is found where DPCs take it with an interlocked operation or a read and a write of 0, a lost event where an ISR stores a register's value
  as it was read; lost wakeups where the device model can tell (device.Announcer): no model for unknown hardware can. All of them in explorations only.
- Every access of a Go driver to simulated memory is a visible operation, so that only small scenarios can be searched completely.
- ` + "`dirql explain`" + ` has no texts for the rules of the static verifier about the order of set-up calls (DriverCreate, DeviceInitAPI).
`

// TestSupport keeps docs/SUPPORT.md equal to what the program registers.
func TestSupport(t *testing.T) {
	var b strings.Builder
	b.WriteString(notYet)
	clauses(t, &b)
	names := kernel.ServiceNames()
	slices.Sort(names)
	framework := func(n string) bool { return strings.HasPrefix(n, "Wdf") }
	list(&b, "Framework routines for drivers in Go", names, framework)
	list(&b, "Kernel routines for drivers in Go", names, func(n string) bool { return !framework(n) })
	names = bind.ImplementedNames()
	list(&b, "Framework routines for .sys drivers", names, framework)
	list(&b, "Kernel routines for .sys drivers", names, func(n string) bool { return !framework(n) })
	list(&b, "Kernel variables for .sys drivers", bind.VariableNames(), func(string) bool { return true })
	if *update {
		if err := os.WriteFile("docs/SUPPORT.md", []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("docs/SUPPORT.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/SUPPORT.md is not up to date; run: go test . -run TestSupport -update\n%s", diff)
	}
}

// clauses writes which clauses of the specification have tests.
func clauses(t *testing.T, b *strings.Builder) {
	sections, err := tidy.Coverage(".")
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(`
## Clauses with tests

The clauses of [docs/spec/interrupts.md](spec/interrupts.md), and how many of them stand in the name of a test or in a table of
tests. Every litmus test of [docs/spec/litmus.md](spec/litmus.md) is run.

| section | clauses | with a test | without |
|---|---|---|---|
`)
	var reasons []string
	ids := map[string][]string{} // by reason
	for _, s := range sections {
		tested, without := 0, []string{}
		for _, c := range s.Clauses {
			if c.Tested {
				tested++
				continue
			}
			without = append(without, c.ID)
			if ids[c.Reason] = append(ids[c.Reason], c.ID); len(ids[c.Reason]) == 1 {
				reasons = append(reasons, c.Reason)
			}
		}
		fmt.Fprintf(b, "| %s | %d | %d | %s |\n", s.Title, len(s.Clauses), tested, strings.Join(without, ", "))
	}
	b.WriteString("\n")
	for _, r := range reasons {
		fmt.Fprintf(b, "- %s: %s\n", strings.Join(ids[r], ", "), r)
	}
}

func list(b *strings.Builder, title string, names []string, want func(string) bool) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, n := range names {
		if want(n) {
			fmt.Fprintf(b, "- %s\n", n)
		}
	}
}
