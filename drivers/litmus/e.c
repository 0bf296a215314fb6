//go:build ignore

/*
 * e.c: the litmus tests of group E: the work items of interrupts. See litmus.h.
 */
#include "litmus.h"

static LONG64 v; /* not volatile, so that v = v + 1 is one instruction */
static KDPC E;

static BOOLEAN QueueWorkItemIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN r = WdfInterruptQueueWorkItemForIsr(Interrupt);

    LitmusOut("r", r);
    return TRUE;
}

static VOID EmptyWorkItem(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
}

static NTSTATUS CreateInterruptWithWorkItem(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PFN_WDF_INTERRUPT_WORKITEM WorkItem)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, NULL);
    config.EvtInterruptWorkItem = WorkItem;
    return CreateInterruptFrom(Device, "I", &config, NULL);
}

/* ---- L-30: TRUE without an additional callback ---- */

static NTSTATUS L30(WDFDEVICE Device) { return CreateInterruptWithWorkItem(Device, QueueWorkItemIsr, EmptyWorkItem); }

/* The first internal DPC has run, and no worker can start before this one has ended. */
static VOID L30aDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    LitmusInterrupt("I", 0);
}

static VOID L30aThread(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusInterrupt("I", 0); /* the first request */
    KeInsertQueueDpc(&E, NULL, NULL);
    KeLowerIrql(irql);
}

static NTSTATUS L30a(WDFDEVICE Device)
{
    CreateKdpc(&E, "E", L30aDpc, NULL);
    LitmusThread(0, L30aThread, NULL);
    return L30(Device);
}

static VOID L30bOverlapWorkItem(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    v = v + 1;
}

static NTSTATUS L30b_overlap(WDFDEVICE Device)
{
    LITMUS_VARIABLE(v);
    return CreateInterruptWithWorkItem(Device, QueueWorkItemIsr, L30bOverlapWorkItem);
}

/* The first internal DPC is still queued at the second interrupt. */
static VOID L30cThread(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusInterrupt("I", 0);
    LitmusInterrupt("I", 0);
    KeLowerIrql(irql);
}

static NTSTATUS L30c(WDFDEVICE Device)
{
    LitmusThread(0, L30cThread, NULL);
    return L30(Device);
}

/* ---- L-32: WdfInterruptDisable in the work item of the interrupt (driver bug) ---- */

static BOOLEAN L32Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WdfInterruptQueueWorkItemForIsr(Interrupt);
    return TRUE;
}

static VOID L32WorkItem(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusMark("disable");
    WdfInterruptDisable(Interrupt); /* the flush waits for the calling work item */
    LitmusMark("disabled");
}

static NTSTATUS L32(WDFDEVICE Device) { return CreateInterruptWithWorkItem(Device, L32Isr, L32WorkItem); }

/* ---- L-33: the wrong routine queues (driver bug) ---- */

static VOID L33WorkItem(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusOut("level", KeGetCurrentIrql());
}

static NTSTATUS L33a(WDFDEVICE Device) { return CreateInterruptWithWorkItem(Device, ClaimAndQueueIsr, L33WorkItem); }
static NTSTATUS L33b(WDFDEVICE Device) { return CreateInterrupt(Device, L32Isr, EmptyInterruptDpc, FALSE); }
static NTSTATUS L33c(WDFDEVICE Device) { return CreateInterrupt(Device, ClaimAndQueueIsr, NULL, FALSE); }

const LITMUS_TEST Tests[] = {
    {"L-30/a", L30a},
    {"L-30/b", L30},
    {"L-30/b-overlap", L30b_overlap},
    {"L-30/c", L30c},
    {"L-30", L30},
    {"L-32", L32},
    {"L-33/a", L33a},
    {"L-33/b", L33b},
    {"L-33/c", L33c},
    {NULL},
};
