//go:build ignore

/*
 * a.c: the litmus tests of group A, queueing: what WdfInterruptQueueDpcForIsr
 * and KeInsertQueueDpc return, and how often and where the DPC routine runs
 * after that. See litmus.h.
 */
#include "litmus.h"

/* What the tests share with their setup; each test uses some of them. */
static volatile LONG64 work, after, n, total, status, flag;
static LONG64 c; /* of L-12: not volatile, so that c = c + 1 is one instruction */
static WDFREQUEST volatile current;
static KDPC D;
static KSPIN_LOCK S;

/* The ISR of most tests: it queues the DPC and reports the answer. */
static BOOLEAN
QueueDpcIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    BOOLEAN r;

    r = WdfInterruptQueueDpcForIsr(Interrupt);
    LitmusOut("r", r);
    return TRUE;
}

/* ---- L-01: the ISR interrupts the running DPC and queues it again ---- */

static VOID
L01Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    work = work + 1;
    LitmusUntil("I.calls == 2"); /* DPC#1 does not return before the second interrupt */
}

static VOID
L01Thread(
    IN PVOID Context
    )
{
    LitmusInterrupt("I", 0); /* the first interrupt: DPC#1 starts when this ISR returns */
    after = work;            /* code below DISPATCH_LEVEL */
}

static NTSTATUS
L01Setup(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_DPC Dpc
    )
{
    LITMUS_VARIABLE(work);
    LITMUS_VARIABLE(after);
    LitmusThread(0, L01Thread, NULL);
    return CreateInterrupt(Device, QueueDpcIsr, Dpc, FALSE);
}

static NTSTATUS L01(IN WDFDEVICE Device) { return L01Setup(Device, L01Dpc); }

/* ---- L-02: the same with the ISR on another processor ---- */

static VOID
L02Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    LitmusUntil("count(r) == 2"); /* DPC#1 does not return before WdfInterruptQueueDpcForIsr has, on P1 */
}

static NTSTATUS
L02(
    IN WDFDEVICE Device
    )
{
    return CreateInterrupt(Device, QueueDpcIsr, L02Dpc, FALSE);
}

/* ---- L-03: n interrupts while a spin lock is held: one DPC ---- */

static VOID
L03Thread(
    IN PVOID Context
    )
{
    ULONG_PTR interrupts = (ULONG_PTR)Context;
    KIRQL irql;

    KeAcquireSpinLock(&S, &irql); /* P0 at DISPATCH_LEVEL */
    LitmusSetupDone();
    for (ULONG_PTR i = 0; i < interrupts; i++) {
        LitmusInterrupt("I", 0); /* each ISR returns before the next starts */
    }
    KeReleaseSpinLock(&S, irql);
}

static NTSTATUS
L03(
    IN WDFDEVICE Device,
    IN ULONG_PTR Interrupts
    )
{
    CreateKernelSpinLock(&S, "S");
    LitmusThread(0, L03Thread, (PVOID)Interrupts);
    return CreateInterrupt(Device, QueueDpcIsr, EmptyInterruptDpc, FALSE);
}

static NTSTATUS L03_n2(IN WDFDEVICE Device) { return L03(Device, 2); }
static NTSTATUS L03_n3(IN WDFDEVICE Device) { return L03(Device, 3); }

/* ---- L-05: an interrupt during each of the first k runs ---- */

/* Run j of the first k waits for its interrupt, which is call j + 1. */
static VOID
L05Dpc(
    IN PCSTR Interrupted
    )
{
    work = work + 1;
    LitmusUntil(Interrupted);
}

static VOID L05Dpc_k1(IN WDFINTERRUPT Interrupt, IN WDFOBJECT Device) { L05Dpc("I.calls > D.runs or D.runs > 1"); }
static VOID L05Dpc_k2(IN WDFINTERRUPT Interrupt, IN WDFOBJECT Device) { L05Dpc("I.calls > D.runs or D.runs > 2"); }
static VOID L05Dpc_k3(IN WDFINTERRUPT Interrupt, IN WDFOBJECT Device) { L05Dpc("I.calls > D.runs or D.runs > 3"); }

static NTSTATUS L05_k1(IN WDFDEVICE Device) { return L01Setup(Device, L05Dpc_k1); }
static NTSTATUS L05_k2(IN WDFDEVICE Device) { return L01Setup(Device, L05Dpc_k2); }
static NTSTATUS L05_k3(IN WDFDEVICE Device) { return L01Setup(Device, L05Dpc_k3); }

/* ---- L-06: queued on P0, interrupt on P1 ---- */

static VOID
L06Thread(
    IN PVOID Context
    )
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusInterrupt("I", 0); /* isr@P0 queues the DPC on P0 */
    LitmusSetupDone();
    LitmusInterrupt("I", 1);
    KeLowerIrql(irql);
}

static NTSTATUS
L06(
    IN WDFDEVICE Device
    )
{
    LitmusThread(0, L06Thread, NULL);
    return CreateInterrupt(Device, QueueDpcIsr, EmptyInterruptDpc, FALSE);
}

/* ---- L-07: a DPC queues itself ---- */

static VOID
L07Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    if (LitmusObserve("D.runs") == 1) { /* in the first run only */
        BOOLEAN r = KeInsertQueueDpc(Dpc, NULL, NULL);
        LitmusOut("r", r);
    }
}

static VOID
L07Thread(
    IN PVOID Context
    )
{
    KeInsertQueueDpc(&D, NULL, NULL);
}

static NTSTATUS
L07(
    IN WDFDEVICE Device
    )
{
    CreateKdpc(&D, "D", L07Dpc, NULL);
    LitmusThread(0, L07Thread, NULL);
    return STATUS_SUCCESS;
}

/* ---- L-08: work published under the interrupt lock is never missed ---- */

static BOOLEAN
L08Isr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    n = n + 1; /* the ISR runs under the interrupt lock */
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static VOID
L08Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    LONG64 m;

    WdfInterruptAcquireLock(Interrupt);
    m = n;
    n = 0;
    total = total + m;
    WdfInterruptReleaseLock(Interrupt);
}

static NTSTATUS
L08(
    IN WDFDEVICE Device
    )
{
    LITMUS_VARIABLE(n);
    LITMUS_VARIABLE(total);
    return CreateInterrupt(Device, L08Isr, L08Dpc, FALSE);
}

/* ---- L-09: the ISR overwrites what the DPC has not seen (driver bug) ---- */

#define CAUSE ((PULONG64)&Registers[0])

static BOOLEAN
L09Isr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    status = READ_REGISTER_ULONG64(CAUSE);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static VOID
L09Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    LitmusOut("handled", status);
}

static NTSTATUS
L09(
    IN WDFDEVICE Device
    )
{
    LITMUS_VARIABLE(status);
    return CreateInterrupt(Device, L09Isr, L09Dpc, FALSE);
}

/* ---- L-10: check, then rearm (driver bug, depends on the device) ---- */

#define RING_IE    ((PULONG64)&Registers[0])
#define RING_COUNT ((PULONG64)&Registers[1])
#define RING_POP   ((PULONG64)&Registers[2])

static BOOLEAN
L10Isr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    WRITE_REGISTER_ULONG64(RING_IE, 0);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* Empties the ring. After the last check, one more entry arrives. */
static VOID
L10Empty(VOID)
{
    while (READ_REGISTER_ULONG64(RING_COUNT) > 0) {
        READ_REGISTER_ULONG64(RING_POP);
    }
    if (LitmusObserve("RING.arrived") == 1) {
        LitmusArrive("RING");
    }
}

static VOID
L10Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    L10Empty();
    WRITE_REGISTER_ULONG64(RING_IE, 1);
}

/* Fixed: checks again after IE = 1 and queues the DPC. */
static VOID
L10FixedDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    L10Empty();
    WRITE_REGISTER_ULONG64(RING_IE, 1);
    if (READ_REGISTER_ULONG64(RING_COUNT) > 0) {
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
}

/* Fixed: checks again after IE = 1 and loops. */
static VOID
L10LoopDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    do {
        L10Empty();
        WRITE_REGISTER_ULONG64(RING_IE, 1);
    } while (READ_REGISTER_ULONG64(RING_COUNT) > 0);
}

static NTSTATUS L10(IN WDFDEVICE Device) { return CreateInterrupt(Device, L10Isr, L10Dpc, FALSE); }
static NTSTATUS L10_fixed(IN WDFDEVICE Device) { return CreateInterrupt(Device, L10Isr, L10FixedDpc, FALSE); }
static NTSTATUS L10_loop(IN WDFDEVICE Device) { return CreateInterrupt(Device, L10Isr, L10LoopDpc, FALSE); }

/* ---- L-11: a software flag "DPC is pending" (driver bug) ---- */

static BOOLEAN
L11Isr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    work = work + 1;
    if (flag == 0) {
        flag = 1;
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
    return TRUE;
}

static VOID
L11Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    InterlockedExchange64(&work, 0); /* takes all work at once */
    flag = 0;                        /* as the last step, without a lock */
}

/* Fixed: no flag. */
static BOOLEAN
L11NoFlagIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    work = work + 1;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static VOID
L11NoFlagDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    InterlockedExchange64(&work, 0);
}

/* Fixed: the flag is cleared before the work is taken. */
static VOID
L11ClearFirstDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    flag = 0;
    InterlockedExchange64(&work, 0);
}

static NTSTATUS
L11Setup(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_ISR Isr,
    IN PFN_WDF_INTERRUPT_DPC Dpc
    )
{
    LITMUS_VARIABLE(work);
    LITMUS_VARIABLE(flag);
    return CreateInterrupt(Device, Isr, Dpc, FALSE);
}

static NTSTATUS L11(IN WDFDEVICE Device) { return L11Setup(Device, L11Isr, L11Dpc); }
static NTSTATUS L11_no_flag(IN WDFDEVICE Device) { return L11Setup(Device, L11NoFlagIsr, L11NoFlagDpc); }
static NTSTATUS L11_clear_first(IN WDFDEVICE Device) { return L11Setup(Device, L11Isr, L11ClearFirstDpc); }

/* ---- L-12: two overlapping runs lose an update (driver bug) ---- */

static VOID
L12Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    c = c + 1; /* ADD to memory without LOCK: a load and a store for other processors */
    LitmusUntil("count(r) == 2"); /* as L-02 */
}

static VOID
L12SpinLockDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    KeAcquireSpinLockAtDpcLevel(&S);
    c = c + 1;
    KeReleaseSpinLockFromDpcLevel(&S);
    LitmusUntil("count(r) == 2");
}

static VOID
L12InterlockedDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    InterlockedIncrement64(&c);
    LitmusUntil("count(r) == 2");
}

static NTSTATUS
L12Setup(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_DPC Dpc,
    IN BOOLEAN AutomaticSerialization
    )
{
    if (!AutomaticSerialization) {
        CreateKernelSpinLock(&S, "S");
    }
    LITMUS_VARIABLE(c);
    return CreateInterrupt(Device, QueueDpcIsr, Dpc, AutomaticSerialization);
}

static NTSTATUS L12(IN WDFDEVICE Device) { return L12Setup(Device, L12Dpc, FALSE); }
static NTSTATUS L12_spinlock(IN WDFDEVICE Device) { return L12Setup(Device, L12SpinLockDpc, FALSE); }
static NTSTATUS L12_interlocked(IN WDFDEVICE Device) { return L12Setup(Device, L12InterlockedDpc, FALSE); }
static NTSTATUS L12_serialized(IN WDFDEVICE Device) { return L12Setup(Device, L12Dpc, TRUE); }

/* ---- L-13: two overlapping runs complete one request (driver bug) ---- */

static VOID
L13Dpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT Device
    )
{
    WDFREQUEST request = current;

    if (request != NULL) {
        CompleteRequest(request);
        current = NULL;
    }
    LitmusUntil("count(r) == 2"); /* as L-02 */
}

/* The request of the test comes before it begins; the driver keeps it. */
static VOID
L13EvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    current = Request;
    LitmusObject("R", (ULONG_PTR)Request);
}

static NTSTATUS
L13(
    IN WDFDEVICE Device
    )
{
    WDF_IO_QUEUE_CONFIG config;
    NTSTATUS created;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDeviceControl = L13EvtIoDeviceControl;
    created = WdfIoQueueCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(created)) {
        return created;
    }
    LITMUS_VARIABLE(current);
    return CreateInterrupt(Device, QueueDpcIsr, L13Dpc, FALSE);
}

const LITMUS_TEST Tests[] = {
    {"L-01", L01},
    {"L-01/affinity", L01},
    {"L-02", L02},
    {"L-03", L03_n2},
    {"L-03/n3", L03_n3},
    {"L-05", L05_k1},
    {"L-05/k2", L05_k2},
    {"L-05/k3", L05_k3},
    {"L-06", L06},
    {"L-07", L07},
    {"L-08", L08},
    {"L-09", L09},
    {"L-10", L10}, /* the test decides whether the line is latched or level-triggered */
    {"L-10/edge-arrival", L10},
    {"L-10/level", L10},
    {"L-10/edge-fixed", L10_fixed},
    {"L-10/level-fixed", L10_fixed},
    {"L-10/edge-loop", L10_loop},
    {"L-10/level-loop", L10_loop},
    {"L-11", L11},
    {"L-11/no-flag", L11_no_flag},
    {"L-11/clear-first", L11_clear_first},
    {"L-12", L12},
    {"L-12/spinlock", L12_spinlock},
    {"L-12/interlocked", L12_interlocked},
    {"L-12/serialized", L12_serialized, &Serialized},
    {"L-13", L13},
    {NULL},
};
