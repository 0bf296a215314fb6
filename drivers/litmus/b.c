//go:build ignore

/*
 * b.c: the litmus tests of group B: removing, cancelling and flushing DPCs. See
 * litmus.h.
 */
#include "litmus.h"

static volatile LONG64 work;
static KDPC D;            /* of most tests */
static KDPC E;            /* the DPC in which L-18 makes its call */
static WDFDPC FrameworkD; /* the WDFDPC D of L-18/b and its variants */

/* ---- L-15: KeRemoveQueueDpc races with the drain of the queue ---- */

static VOID
L15Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    work = work + 1;
}

/* The thread at P1 of L-15 and L-19: the DPC is queued there until it lowers its IRQL. */
static VOID
QueueAndLower(
    IN PVOID Context
    )
{
    PKDPC dpc = Context;
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeInsertQueueDpc(dpc, NULL, NULL);
    LitmusSetupDone();
    KeLowerIrql(irql);
}

static VOID
L15Remove(
    IN PVOID Context
    )
{
    BOOLEAN c;

    LitmusSetupDone();
    c = KeRemoveQueueDpc(&D);
    LitmusOut("c", c);
}

/* What FALSE says about the run when the call returns. */
static VOID
L15RemoveAndLook(
    IN PVOID Context
    )
{
    BOOLEAN c;

    LitmusSetupDone();
    c = KeRemoveQueueDpc(&D);
    LitmusOut("c", c);
    if (c) {
        LitmusMark("removed");
    } else if (LitmusObserve("D.runs") == 0) {
        LitmusMark("pending"); /* dequeued, about to start */
    } else if (LitmusObserve("D.active")) {
        LitmusMark("active");
    } else {
        LitmusMark("finished");
    }
}

static NTSTATUS
L15Setup(
    IN PKSTART_ROUTINE Remove
    )
{
    LITMUS_VARIABLE(work);
    LitmusThread(0, Remove, NULL);
    LitmusThread(1, QueueAndLower, &D);
    CreateKdpc(&D, "D", L15Dpc, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS
L15(
    IN WDFDEVICE Device
    )
{
    return L15Setup(L15Remove);
}

static NTSTATUS
L15_state(
    IN WDFDEVICE Device
    )
{
    return L15Setup(L15RemoveAndLook);
}

/* ---- L-16: the arguments of an insert that fails are not used ---- */

static VOID
L16Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    LitmusOut("args", (LONG64)SystemArgument1);
    LitmusOut("args", (LONG64)SystemArgument2);
}

static VOID
L16Thread(
    IN PVOID Removed
    )
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LITMUS_CHECK(KeInsertQueueDpc(&D, (PVOID)1, (PVOID)1) == TRUE);
    LITMUS_CHECK(KeInsertQueueDpc(&D, (PVOID)2, (PVOID)2) == FALSE);
    if (Removed != NULL) {
        LITMUS_CHECK(KeRemoveQueueDpc(&D) == TRUE);
        LITMUS_CHECK(KeInsertQueueDpc(&D, (PVOID)3, (PVOID)3) == TRUE);
    }
    KeLowerIrql(irql);
}

static NTSTATUS
L16(
    IN WDFDEVICE Device
    )
{
    LitmusThread(0, L16Thread, NULL);
    CreateKdpc(&D, "D", L16Dpc, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS
L16_removed(
    IN WDFDEVICE Device
    )
{
    LitmusThread(0, L16Thread, &D);
    CreateKdpc(&D, "D", L16Dpc, NULL);
    return STATUS_SUCCESS;
}

/* ---- L-18: a flush in a DPC (driver bug) ---- */

static VOID
L18Thread(
    IN PVOID Context
    )
{
    KeInsertQueueDpc(&E, NULL, NULL);
}

static VOID
L18FlushDpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    KeFlushQueuedDpcs();
}

/* Context is not NULL if D is to be queued when it is cancelled. */
static VOID
L18CancelDpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    BOOLEAN c;

    if (Context != NULL) {
        WdfDpcEnqueue(FrameworkD); /* it cannot start before this DPC returns */
    }
    c = WdfDpcCancel(FrameworkD, TRUE);
    LitmusOut("c", c);
    LitmusOut("q", LitmusObserve("D.queued"));
}

static VOID
L18EvtDpc(
    IN WDFDPC Dpc
    )
{
}

static VOID
L18CreateE(
    IN PKDEFERRED_ROUTINE Routine,
    IN PVOID Context
    )
{
    CreateKdpc(&E, "E", Routine, Context);
    LitmusThread(0, L18Thread, NULL);
}

static NTSTATUS
L18a(
    IN WDFDEVICE Device
    )
{
    L18CreateE(L18FlushDpc, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS
L18CreateD(
    IN WDFDEVICE Device
    )
{
    return CreateDpc(Device, "D", L18EvtDpc, FALSE, &FrameworkD);
}

static NTSTATUS
L18b(
    IN WDFDEVICE Device
    )
{
    L18CreateE(L18CancelDpc, &D);
    return L18CreateD(Device);
}

static NTSTATUS
L18c(
    IN WDFDEVICE Device
    )
{
    L18CreateE(L18CancelDpc, NULL);
    return L18CreateD(Device);
}

/* ---- L-19: the DPC is freed after a remove that failed (driver bug) ---- */

#define LITMUS_TAG 'smtL'

/* The pool block with the DPC and the context that its routine reads. */
typedef struct _L19_BLOCK {
    LIST_ENTRY Link;
    KDPC D;
    volatile LONG64 Context;
} L19_BLOCK;

static L19_BLOCK *Block;

static VOID
L19Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    L19_BLOCK *block = Context;

    (void)block->Context; /* it reads its context during the whole run */
    (void)block->Context;
}

static VOID
L19Thread(
    IN PVOID Context
    )
{
    L19_BLOCK *block = Context;
    BOOLEAN c;

    LitmusSetupDone();
    c = KeRemoveQueueDpc(&block->D);
    LitmusOut("c", c);
    ExFreePoolWithTag(block, LITMUS_TAG); /* whatever c is */
}

/* Fixed: a flush before the free. */
static VOID
L19FixedThread(
    IN PVOID Context
    )
{
    L19_BLOCK *block = Context;
    BOOLEAN c;

    LitmusSetupDone();
    c = KeRemoveQueueDpc(&block->D);
    LitmusOut("c", c);
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(block, LITMUS_TAG);
}

static NTSTATUS
L19Setup(
    IN PKSTART_ROUTINE Free
    )
{
    Block = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Block), LITMUS_TAG);
    if (Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Block->Context = 7;
    LitmusObject("B", (ULONG_PTR)Block);
    CreateKdpc(&Block->D, "D", L19Dpc, Block);
    LitmusObject("context", (ULONG_PTR)&Block->Context);
    LitmusThread(0, Free, Block);
    LitmusThread(1, QueueAndLower, &Block->D);
    return STATUS_SUCCESS;
}

static NTSTATUS
L19(
    IN WDFDEVICE Device
    )
{
    return L19Setup(L19Thread);
}

static NTSTATUS
L19_fixed(
    IN WDFDEVICE Device
    )
{
    return L19Setup(L19FixedThread);
}

const LITMUS_TEST Tests[] = {
    {"L-15", L15},
    {"L-15/state", L15_state},
    {"L-16", L16},
    {"L-16/removed", L16_removed},
    {"L-18/a", L18a},
    {"L-18/a-no-driver-verifier", L18a},
    {"L-18/b", L18b},
    {"L-18/b-no-framework-verifier", L18b},
    {"L-18/c", L18c},
    {"L-18/c-no-framework-verifier", L18c},
    {"L-19", L19},
    {"L-19/no-driver-verifier", L19},
    {"L-19/fixed", L19_fixed},
    {NULL},
};
