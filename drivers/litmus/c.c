//go:build ignore

/*
 * c.c: the litmus tests of group C: the order of DPCs, their target processor
 * and their importance. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 started, work, ran;
static KDPC D, L;
static KDPC M1, H1, L1, M2, H2;

/* A DPC routine that does nothing. */
static VOID
EmptyDpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
}

/* ---- L-20: the order that importance makes ---- */

static VOID
L20Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    LitmusMark(Context);
}

static VOID
L20Thread(
    IN PVOID Context
    )
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeInsertQueueDpc(&M1, NULL, NULL);
    KeInsertQueueDpc(&H1, NULL, NULL);
    KeInsertQueueDpc(&L1, NULL, NULL);
    KeInsertQueueDpc(&M2, NULL, NULL);
    KeInsertQueueDpc(&H2, NULL, NULL);
    KeLowerIrql(irql);
}

static VOID
L20Create(
    IN PKDPC Dpc,
    IN PCSTR Name,
    IN KDPC_IMPORTANCE Importance
    )
{
    CreateKdpc(Dpc, Name, L20Dpc, (PVOID)Name);
    KeSetImportanceDpc(Dpc, Importance);
}

static NTSTATUS
L20(
    IN WDFDEVICE Device
    )
{
    L20Create(&M1, "M1", MediumImportance);
    L20Create(&H1, "H1", HighImportance);
    L20Create(&L1, "L1", LowImportance);
    L20Create(&M2, "M2", MediumImportance);
    L20Create(&H2, "H2", HighImportance);
    LitmusThread(0, L20Thread, NULL);
    return STATUS_SUCCESS;
}

/* ---- L-22: a DPC with a target processor starts before the ISR has returned ---- */

static BOOLEAN
L22Isr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    LONG64 x, y;

    LITMUS_CHECK(KeInsertQueueDpc(&D, NULL, NULL) == TRUE);
    x = started; /* has D started? */
    LitmusOut("x", x);
    work = work + 1; /* the ISR works on */
    y = started;
    LitmusOut("y", y);
    return TRUE;
}

static VOID
L22Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    started = TRUE;
}

static NTSTATUS
L22(
    IN WDFDEVICE Device
    )
{
    CreateKdpc(&D, "D", L22Dpc, NULL);
    KeSetImportanceDpc(&D, HighImportance);
    KeSetTargetProcessorDpc(&D, 1);
    LITMUS_VARIABLE(started);
    LITMUS_VARIABLE(work);
    return CreateInterrupt(Device, L22Isr, NULL, FALSE);
}

/* ---- L-23: a DPC of Low importance is deferred ---- */

static VOID
L23Dpc(
    IN PKDPC Dpc,
    IN PVOID Context,
    IN PVOID SystemArgument1,
    IN PVOID SystemArgument2
    )
{
    ran = TRUE;
}

static VOID
L23Thread(
    IN PVOID Busy
    )
{
    LONG64 x;

    LITMUS_CHECK(KeInsertQueueDpc(&L, NULL, NULL) == TRUE);
    x = ran; /* has L run? */
    LitmusOut("x", x);
    if (Busy != NULL) {
        while (!ran) { /* P0 does not go idle: only the tick is left */
            YieldProcessor();
        }
    }
}

static NTSTATUS
L23Setup(
    IN PVOID Busy
    )
{
    CreateKdpc(&L, "L", L23Dpc, NULL);
    KeSetImportanceDpc(&L, LowImportance);
    LITMUS_VARIABLE(ran);
    LitmusThread(0, L23Thread, Busy);
    return STATUS_SUCCESS;
}

static NTSTATUS
L23(
    IN WDFDEVICE Device
    )
{
    return L23Setup(NULL);
}

static NTSTATUS
L23_busy(
    IN WDFDEVICE Device
    )
{
    return L23Setup((PVOID)&ran);
}

/* ---- L-74: the target of a queued DPC changes ---- */

static VOID
L74Thread(
    IN PVOID Context
    )
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LITMUS_CHECK(KeInsertQueueDpc(&D, NULL, NULL) == TRUE);
    KeSetTargetProcessorDpc(&D, 1);
    KeLowerIrql(irql); /* the first run */
    LITMUS_CHECK(KeInsertQueueDpc(&D, NULL, NULL) == TRUE);
}

static NTSTATUS
L74(
    IN WDFDEVICE Device
    )
{
    CreateKdpc(&D, "D", EmptyDpc, NULL);
    LitmusThread(0, L74Thread, NULL);
    return STATUS_SUCCESS;
}

const LITMUS_TEST Tests[] = {
    {"L-20", L20},
    {"L-22", L22},
    {"L-23", L23},
    {"L-23/busy", L23_busy},
    {"L-74", L74},
    {NULL},
};
