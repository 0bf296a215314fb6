//go:build ignore

/*
 * j.c: the litmus tests of group J, miscellaneous: threaded DPCs, watchdogs,
 * waits and timers, how an interrupt is made, wake, user-mode addresses. See
 * litmus.h.
 */
#include "litmus.h"

/* ---- What ntddk.h of this project does not have ---- */

#define MDL_MAPPED_TO_SYSTEM_VA     0x0001
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004

typedef enum _LOCK_OPERATION { IoReadAccess, IoWriteAccess, IoModifyAccess } LOCK_OPERATION;

NTKERNELAPI VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
NTKERNELAPI PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp);
NTKERNELAPI VOID MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation);
NTKERNELAPI PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
    MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority);
#define NormalPagePriority 16
#define MmGetSystemAddressForMdlSafe(Mdl, Priority) \
    ((Mdl)->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) ? (Mdl)->MappedSystemVa : \
     MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, Priority))

/* ---- The driver ---- */

static volatile LONG64 v, down, lowered, over, va, vb;
static volatile LONG64 *volatile u;
static KDPC D, E;
static KEVENT Event;
static KSPIN_LOCK S;
static WDFDPC DA, DB;
static WDFINTERRUPT I;
static WDFQUEUE QA, QB;
static WDFTIMER TM;

/* QueueD is a thread that queues D. */
static VOID QueueD(PVOID Context)
{
    KeInsertQueueDpc(&D, NULL, NULL);
}

/* ---- L-61: a threaded DPC ---- */

static VOID L61Dpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    LitmusOut("irql", KeGetCurrentIrql());
    LitmusMark("begin");
    KeInsertQueueDpc(&E, NULL, NULL); /* an ordinary DPC */
    v = 1;
    LitmusMark("end");
}

static VOID L61Ordinary(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    LitmusMark("E");
}

static BOOLEAN L61Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("isr");
    return TRUE;
}

static VOID L61Setup(PKDEFERRED_ROUTINE Threaded)
{
    KeInitializeThreadedDpc(&D, Threaded, NULL);
    LITMUS_VARIABLE(D);
    CreateKdpc(&E, "E", L61Ordinary, NULL);
    LitmusThread(0, QueueD, NULL);
}

static NTSTATUS L61(WDFDEVICE Device)
{
    L61Setup(L61Dpc);
    LITMUS_VARIABLE(v);
    return CreateInterrupt(Device, L61Isr, NULL, FALSE);
}

static VOID L61LockDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KeAcquireSpinLockAtDpcLevel(&S);
    LitmusMark("locked");
    KeInsertQueueDpc(&E, NULL, NULL);
    LitmusMark("release");
    KeReleaseSpinLockFromDpcLevel(&S);
}

static NTSTATUS L61_lock(WDFDEVICE Device)
{
    L61Setup(L61LockDpc);
    CreateKernelSpinLock(&S, "S");
    return STATUS_SUCCESS;
}

/* ---- L-62: watchdogs ---- */

static VOID L62aDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    LitmusUntil("over == T"); /* for ever */
}

static NTSTATUS L62a(WDFDEVICE Device)
{
    LITMUS_VARIABLE(over);
    CreateKdpc(&D, "D", L62aDpc, NULL);
    LitmusThread(0, QueueD, NULL);
    return STATUS_SUCCESS;
}

static VOID L62bThread(PVOID Context)
{
    KIRQL irql;

    KeAcquireSpinLock(&S, &irql);
    LitmusUntil("over == T");
    KeReleaseSpinLock(&S, irql);
}

static NTSTATUS L62b(WDFDEVICE Device)
{
    LITMUS_VARIABLE(over);
    CreateKernelSpinLock(&S, "S");
    LitmusThread(0, L62bThread, NULL);
    return STATUS_SUCCESS;
}

static VOID L62cDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KeInsertQueueDpc(Dpc, NULL, NULL); /* for ever */
}

static NTSTATUS L62c(WDFDEVICE Device)
{
    CreateKdpc(&D, "D", L62cDpc, NULL);
    LitmusThread(0, QueueD, NULL);
    return STATUS_SUCCESS;
}

/* ---- L-64: the callback lock twice (driver bug) ---- */

static VOID L64Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    WdfObjectAcquireLock(Device);
    LitmusMark("success");
}

static NTSTATUS L64(WDFDEVICE Device) { return CreateInterrupt(Device, ClaimAndQueueIsr, L64Dpc, TRUE); }

/* Fixed: without serialization the DPC takes the lock itself. */
static VOID L64FixedDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    WdfObjectAcquireLock(Device);
    LitmusMark("locked");
    WdfObjectReleaseLock(Device);
}

static NTSTATUS L64_fixed(WDFDEVICE Device) { return CreateInterrupt(Device, ClaimAndQueueIsr, L64FixedDpc, FALSE); }

/* ---- L-65: a wait in a DPC (driver bug) ---- */

static VOID L65Wait(PLARGE_INTEGER Timeout)
{
    NTSTATUS s = KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, Timeout);

    LitmusOut("s", s);
}

static VOID L65aDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L65Wait(NULL);
}

static VOID L65bDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LARGE_INTEGER timeout = {.QuadPart = WDF_REL_TIMEOUT_IN_MS(1)};

    L65Wait(&timeout);
}

static VOID L65cDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LARGE_INTEGER timeout = {.QuadPart = 0};

    L65Wait(&timeout);
}

static NTSTATUS L65Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc)
{
    CreateEvent(&Event, "E");
    return CreateInterrupt(Device, ClaimAndQueueIsr, Dpc, FALSE);
}

static NTSTATUS L65a(WDFDEVICE Device) { return L65Setup(Device, L65aDpc); }
static NTSTATUS L65b(WDFDEVICE Device) { return L65Setup(Device, L65bDpc); }
static NTSTATUS L65c(WDFDEVICE Device) { return L65Setup(Device, L65cDpc); }

/* ---- L-66: a timer is stopped in its own callback (driver bug) ---- */

static VOID L66Stop(WDFTIMER Timer)
{
    BOOLEAN r = WdfTimerStop(Timer, TRUE);

    LitmusOut("r", r);
}

/* The timer was set again before, and stays so. */
static VOID L66SetAgain(WDFTIMER Timer)
{
    if (LitmusObserve("TM.runs") == 1) {
        WdfTimerStart(Timer, -1000);
        L66Stop(Timer);
    }
}

static VOID L66Thread(PVOID Context)
{
    WdfTimerStart(TM, -1000);
}

static NTSTATUS L66Setup(WDFDEVICE Device, PFN_WDF_TIMER EvtTimer, WDF_EXECUTION_LEVEL ExecutionLevel)
{
    LitmusThread(0, L66Thread, NULL);
    return CreateTimer(Device, "TM", EvtTimer, ExecutionLevel, &TM);
}

static NTSTATUS L66a(WDFDEVICE Device) { return L66Setup(Device, L66Stop, WdfExecutionLevelPassive); }
static NTSTATUS L66a_set_again(WDFDEVICE Device) { return L66Setup(Device, L66SetAgain, WdfExecutionLevelPassive); }
static NTSTATUS L66b(WDFDEVICE Device) { return L66Setup(Device, L66Stop, WdfExecutionLevelInheritFromParent); }
static NTSTATUS L66b_set_again(WDFDEVICE Device) { return L66Setup(Device, L66SetAgain, WdfExecutionLevelInheritFromParent); }

/* ---- L-67: a policy without a priority ---- */

static VOID L67Ask(WDF_INTERRUPT_PRIORITY Priority)
{
    WDF_INTERRUPT_EXTENDED_POLICY policy;
    WDF_INTERRUPT_INFO info;

    WDF_INTERRUPT_EXTENDED_POLICY_INIT(&policy); /* leaves the priority undefined */
    policy.Policy = WdfIrqPolicySpecifiedProcessors;
    policy.TargetProcessorSetAndGroup.Mask = 1 << 1;
    policy.Priority = Priority;
    WdfInterruptSetExtendedPolicy(I, &policy);
    LITMUS_CHECK(LitmusStartDevice() == STATUS_SUCCESS);
    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(I, &info);
    LitmusOut("processors", info.TargetProcessorSet);
}

static VOID L67Thread(PVOID Context) { L67Ask(WdfIrqPriorityUndefined); }
static VOID L67PriorityThread(PVOID Context) { L67Ask(WdfIrqPriorityNormal); }

static NTSTATUS L67Setup(WDFDEVICE Device, PKSTART_ROUTINE Thread)
{
    WDF_INTERRUPT_CONFIG config;

    LitmusThread(0, Thread, NULL);
    WDF_INTERRUPT_CONFIG_INIT(&config, ClaimIsr, NULL);
    return CreateInterruptFrom(Device, "I", &config, &I);
}

static NTSTATUS L67(WDFDEVICE Device) { return L67Setup(Device, L67Thread); }
static NTSTATUS L67_priority(WDFDEVICE Device) { return L67Setup(Device, L67PriorityThread); }

/* CreateLate makes the interrupt I in EvtDevicePrepareHardware, from the only resource of the device. */
static NTSTATUS CreateLate(WDFDEVICE Device, PWDF_INTERRUPT_CONFIG Config, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    Config->InterruptRaw = WdfCmResourceListGetDescriptor(Raw, 0);
    Config->InterruptTranslated = WdfCmResourceListGetDescriptor(Translated, 0);
    return CreateInterruptFrom(Device, "I", Config, NULL);
}

/* ---- L-68: a configuration of zeros in EvtDevicePrepareHardware ---- */

static NTSTATUS L68PrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    WDF_INTERRUPT_CONFIG config;
    NTSTATUS s;

    RtlZeroMemory(&config, sizeof(config)); /* ShareVector is WdfFalse */
    config.Size = sizeof(config);
    config.EvtInterruptIsr = ClaimIsr;
    s = CreateLate(Device, &config, Raw, Translated);
    LitmusOut("s", s);
    return STATUS_SUCCESS;
}

static NTSTATUS L68InitPrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    WDF_INTERRUPT_CONFIG config;
    NTSTATUS s;

    WDF_INTERRUPT_CONFIG_INIT(&config, ClaimIsr, NULL);
    s = CreateLate(Device, &config, Raw, Translated);
    LitmusOut("s", s);
    return STATUS_SUCCESS;
}

static const LITMUS_DEVICE L68Device = {.Callbacks = {.EvtDevicePrepareHardware = L68PrepareHardware}};
static const LITMUS_DEVICE L68InitDevice = {.Callbacks = {.EvtDevicePrepareHardware = L68InitPrepareHardware}};

static VOID L68Thread(PVOID Context)
{
    LITMUS_CHECK(LitmusStartDevice() == STATUS_SUCCESS);
}

static NTSTATUS L68(WDFDEVICE Device)
{
    LitmusThread(0, L68Thread, NULL);
    return STATUS_SUCCESS;
}

/* ---- L-69: the ISR returns at another IRQL (driver bug) ---- */

static BOOLEAN L69Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    KIRQL irql;

    KeRaiseIrql(HIGH_LEVEL, &irql);
    return TRUE;
}

static NTSTATUS L69(WDFDEVICE Device) { return CreateInterrupt(Device, L69Isr, NULL, FALSE); }

/* ---- L-70: a wake interrupt ---- */

static BOOLEAN L70Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("isr");
    LitmusOut("level", KeGetCurrentIrql());
    return TRUE;
}

MARK_ON_INTERRUPT(L70Disable, "dis")
MARK_ON_POWER(L70D0Entry, "entry")

/* It fails when it is called after a power-down. */
static NTSTATUS L70FailingD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    LitmusMark("entry");
    return down ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

static NTSTATUS L70D0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    LitmusMark("exit");
    down = TRUE;
    return STATUS_SUCCESS;
}

/* An interrupt can wake the device only if it is made here. */
static NTSTATUS L70PrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, L70Isr, NULL);
    config.EvtInterruptDisable = L70Disable;
    config.PassiveHandling = TRUE;
    config.CanWakeDevice = TRUE;
    return CreateLate(Device, &config, Raw, Translated);
}

#define L70_CALLBACKS(D0Entry) {.EvtDevicePrepareHardware = L70PrepareHardware, .EvtDeviceD0Entry = D0Entry, \
    .EvtDeviceD0Exit = L70D0Exit}
static const LITMUS_DEVICE L70Device = {.Callbacks = L70_CALLBACKS(L70D0Entry)};
static const LITMUS_DEVICE L70FailingDevice = {.Callbacks = L70_CALLBACKS(L70FailingD0Entry)};
static const LITMUS_DEVICE L70NotPageable = {.Callbacks = L70_CALLBACKS(L70D0Entry), .NotPageable = TRUE};

static VOID L70PowerDown(PVOID Context)
{
    LITMUS_CHECK(LitmusPower("D3") == STATUS_SUCCESS);
    LitmusSetupDone();
}

static VOID L70ArmAndPowerDown(PVOID Context)
{
    LitmusArmForWake();
    L70PowerDown(Context);
}

static NTSTATUS L70Setup(PKSTART_ROUTINE Thread)
{
    LITMUS_VARIABLE(down);
    LitmusThread(0, Thread, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS L70_armed(WDFDEVICE Device) { return L70Setup(L70ArmAndPowerDown); }
static NTSTATUS L70_not_armed(WDFDEVICE Device) { return L70Setup(L70PowerDown); }

/* ---- L-71: a DPC for a processor that never lowers its IRQL ---- */

static VOID L71Dpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    LitmusOut("early", lowered);
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE);
}

static VOID L71P0(PVOID Context)
{
    NTSTATUS s;

    LitmusSetupDone();
    LITMUS_CHECK(KeInsertQueueDpc(&D, NULL, NULL) == TRUE);
    s = KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    LitmusOut("s", s);
}

static VOID L71aP1(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusSetupDone();
    lowered = TRUE;
    KeLowerIrql(irql);
}

static VOID L71bP1(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusSetupDone();
    LitmusUntil("lowered == T"); /* for ever */
}

static NTSTATUS L71Setup(PKSTART_ROUTINE P1)
{
    CreateKdpc(&D, "D", L71Dpc, NULL);
    KeSetImportanceDpc(&D, HighImportance);
    KeSetTargetProcessorDpc(&D, 1);
    CreateEvent(&Event, "E");
    LITMUS_VARIABLE(lowered);
    LitmusThread(0, L71P0, NULL);
    LitmusThread(1, P1, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS L71a(WDFDEVICE Device) { return L71Setup(L71aP1); }
static NTSTATUS L71b(WDFDEVICE Device) { return L71Setup(L71bP1); }

/* ---- L-75: a user-mode address in an ISR or a DPC (driver bug) ---- */

/* Reads it in whatever process is current. */
static VOID L75Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusOut("value", *u);
}

static BOOLEAN L75Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusOut("value", *u);
    return TRUE;
}

/* Process A sends the request. */
static VOID L75A(PVOID Context)
{
    u = LitmusAllocateUser(1);
    LitmusSetupDone();
    v = 1;
}

/* Fixed: the buffer is mapped to a system address in A's context. */
static VOID L75FixedA(PVOID Context)
{
    PMDL mdl = IoAllocateMdl(LitmusAllocateUser(1), sizeof(*u), FALSE, FALSE, NULL);

    LITMUS_CHECK(mdl != NULL);
    MmProbeAndLockPages(mdl, UserMode, IoReadAccess); /* cannot raise: the page is there */
    u = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    LitmusSetupDone();
    v = 1;
}

/* In process B the address is mapped to other data, in process C to none. */
static VOID L75B(PVOID Context)
{
    LITMUS_CHECK(LitmusAllocateUser(2) == u);
    LitmusSetupDone();
    v = 2;
}

static VOID L75FixedB(PVOID Context)
{
    LitmusAllocateUser(2);
    LitmusSetupDone();
    v = 2;
}

static VOID L75C(PVOID Context)
{
    LitmusSetupDone();
    v = 3;
}

static NTSTATUS L75Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PFN_WDF_INTERRUPT_DPC Dpc, PKSTART_ROUTINE A, PKSTART_ROUTINE B)
{
    LITMUS_VARIABLE(u);
    LITMUS_VARIABLE(v);
    LitmusThread(0, A, NULL);
    LitmusThread(0, B, NULL);
    LitmusThread(0, L75C, NULL);
    return CreateInterrupt(Device, Isr, Dpc, FALSE);
}

static NTSTATUS L75(WDFDEVICE Device) { return L75Setup(Device, ClaimAndQueueIsr, L75Dpc, L75A, L75B); }
static NTSTATUS L75_isr(WDFDEVICE Device) { return L75Setup(Device, L75Isr, EmptyInterruptDpc, L75A, L75B); }
static NTSTATUS L75_fixed(WDFDEVICE Device) { return L75Setup(Device, ClaimAndQueueIsr, L75Dpc, L75FixedA, L75FixedB); }

/* ---- L-76: a WDFDPC for each queue ---- */

static BOOLEAN L76aIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN a = WdfDpcEnqueue(DA);
    BOOLEAN b = WdfDpcEnqueue(DB);
    BOOLEAN c = WdfDpcEnqueue(DA);

    LitmusOut("a", a);
    LitmusOut("b", b);
    LitmusOut("c", c);
    return TRUE;
}

static VOID L76aEvtDpcA(WDFDPC Dpc)
{
    LitmusMark("DA");
}

static VOID L76aEvtDpcB(WDFDPC Dpc)
{
    LitmusMark("DB");
}

static BOOLEAN L76bIsrA(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN a = WdfDpcEnqueue(DA);

    LitmusOut("a", a);
    return TRUE;
}

static BOOLEAN L76bIsrB(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN b = WdfDpcEnqueue(DB);

    LitmusOut("b", b);
    return TRUE;
}

static VOID L76bEvtDpcA(WDFDPC Dpc)
{
    LitmusMark("DA");
    va = 1;
}

static VOID L76bEvtDpcB(WDFDPC Dpc)
{
    LitmusMark("DB");
    vb = 1;
}

/* No requests come in these tests. */
static VOID L76EvtIoDefault(WDFQUEUE Queue, WDFREQUEST Request)
{
    CompleteRequest(Request);
}

/* L76Create makes a queue and its DPC. */
static NTSTATUS L76Create(WDFDEVICE Device, BOOLEAN Default, PCSTR QueueName, WDFQUEUE *Queue, PCSTR DpcName, PFN_WDF_DPC EvtDpc,
    BOOLEAN AutomaticSerialization, WDFDPC *Dpc)
{
    WDF_IO_QUEUE_CONFIG queue;
    NTSTATUS status;

    WDF_IO_QUEUE_CONFIG_INIT(&queue, WdfIoQueueDispatchSequential);
    queue.DefaultQueue = Default;
    queue.EvtIoDefault = L76EvtIoDefault;
    status = CreateQueue(Device, QueueName, &queue, WdfExecutionLevelInheritFromParent, Queue);
    return NT_SUCCESS(status) ? CreateDpc(*Queue, DpcName, EvtDpc, AutomaticSerialization, Dpc) : status;
}

static NTSTATUS L76Setup(WDFDEVICE Device, PFN_WDF_DPC EvtDpcA, PFN_WDF_DPC EvtDpcB, BOOLEAN AutomaticSerialization)
{
    NTSTATUS status = L76Create(Device, TRUE, "QA", &QA, "DA", EvtDpcA, AutomaticSerialization, &DA);

    return NT_SUCCESS(status) ? L76Create(Device, FALSE, "QB", &QB, "DB", EvtDpcB, AutomaticSerialization, &DB) : status;
}

static NTSTATUS L76a(WDFDEVICE Device)
{
    NTSTATUS status = L76Setup(Device, L76aEvtDpcA, L76aEvtDpcB, FALSE);

    return NT_SUCCESS(status) ? CreateInterrupt(Device, L76aIsr, NULL, FALSE) : status;
}

static NTSTATUS L76bSetup(WDFDEVICE Device, BOOLEAN AutomaticSerialization)
{
    WDF_INTERRUPT_CONFIG a, b;
    NTSTATUS status = L76Setup(Device, L76bEvtDpcA, L76bEvtDpcB, AutomaticSerialization);

    LITMUS_VARIABLE(va);
    LITMUS_VARIABLE(vb);
    WDF_INTERRUPT_CONFIG_INIT(&a, L76bIsrA, NULL);
    WDF_INTERRUPT_CONFIG_INIT(&b, L76bIsrB, NULL);
    if (NT_SUCCESS(status)) {
        status = CreateInterruptFrom(Device, "IA", &a, NULL);
    }
    return NT_SUCCESS(status) ? CreateInterruptFrom(Device, "IB", &b, NULL) : status;
}

static NTSTATUS L76b(WDFDEVICE Device) { return L76bSetup(Device, FALSE); }
static NTSTATUS L76b_serialized(WDFDEVICE Device) { return L76bSetup(Device, TRUE); }

static const LITMUS_DEVICE QueueScope = {.Scope = WdfSynchronizationScopeQueue};

const LITMUS_TEST Tests[] = {
    {"L-61", L61},
    {"L-61/off", L61},
    {"L-61/lock", L61_lock},
    {"L-61/lock-no-driver-verifier", L61_lock},
    {"L-61/lock-off", L61_lock},
    {"L-62/a", L62a},
    {"L-62/b", L62b},
    {"L-62/c", L62c},
    {"L-64", L64, &Serialized},
    {"L-64/no-framework-verifier", L64, &Serialized},
    {"L-64/fixed", L64_fixed, &Serialized},
    {"L-65/a", L65a},
    {"L-65/a-no-driver-verifier", L65a},
    {"L-65/b", L65b},
    {"L-65/b-no-driver-verifier", L65b},
    {"L-65/c", L65c},
    {"L-66/a", L66a},
    {"L-66/a-set-again", L66a_set_again},
    {"L-66/b", L66b},
    {"L-66/b-set-again", L66b_set_again},
    {"L-67", L67},
    {"L-67/priority", L67_priority},
    {"L-68", L68, &L68Device},
    {"L-68/init", L68, &L68InitDevice},
    {"L-69", L69},
    {"L-69/no-driver-verifier", L69},
    {"L-70/a", L70_armed, &L70Device},
    {"L-70/b", L70_armed, &L70FailingDevice},
    {"L-70/c", L70_not_armed, &L70Device},
    {"L-70/d", L70_not_armed, &L70NotPageable},
    {"L-71/a", L71a},
    {"L-71/b", L71b},
    {"L-75", L75},
    {"L-75/isr", L75_isr},
    {"L-75/fixed", L75_fixed},
    {"L-76/a", L76a},
    {"L-76/b", L76b},
    {"L-76/b-device-scope", L76b_serialized, &Serialized},
    {"L-76/b-queue-scope", L76b_serialized, &QueueScope},
    {NULL},
};
