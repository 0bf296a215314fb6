//go:build ignore

/*
 * d.c: the litmus tests of group D: spin locks, interrupt locks, and what is no
 * lock. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 in0, in1, released;
static LONG64 v; /* not volatile, so that v = v + 1 is one instruction */
static KDPC D;
static WDFSPINLOCK S;

/* CreateInterruptI makes the interrupt I, of which the threads of the test get the handle. */
static NTSTATUS CreateInterruptI(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, WDFSPINLOCK SpinLock, WDFINTERRUPT *Interrupt)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, NULL);
    config.SpinLock = SpinLock;
    return CreateInterruptFrom(Device, "I", &config, Interrupt);
}

/* ThreadPerProcessor starts the threads at P0 and P1 with the interrupt. */
static NTSTATUS ThreadPerProcessor(WDFDEVICE Device, PKSTART_ROUTINE P0, PKSTART_ROUTINE P1)
{
    WDFINTERRUPT interrupt = NULL;
    NTSTATUS status = CreateInterruptI(Device, ClaimIsr, NULL, &interrupt);

    LitmusThread(0, P0, interrupt);
    LitmusThread(1, P1, interrupt);
    return status;
}

/* ---- L-24: the interrupt lock while the interrupt is not connected ---- */

/* Both threads get in: no exclusion. */
static VOID L24Hold(WDFINTERRUPT Interrupt, volatile LONG64 *Inside, PCSTR OtherInside)
{
    WdfInterruptAcquireLock(Interrupt);
    LitmusOut("level", KeGetCurrentIrql());
    *Inside = TRUE;
    LitmusUntil(OtherInside);
    WdfInterruptReleaseLock(Interrupt);
}

static VOID L24P0(PVOID Interrupt) { L24Hold(Interrupt, &in0, "in1 == T"); }
static VOID L24P1(PVOID Interrupt) { L24Hold(Interrupt, &in1, "in0 == T"); }

static VOID L24Dispatch(PKSTART_ROUTINE Hold, PVOID Interrupt)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    Hold(Interrupt);
    KeLowerIrql(irql);
}

static VOID L24DispatchP0(PVOID Interrupt) { L24Dispatch(L24P0, Interrupt); }
static VOID L24DispatchP1(PVOID Interrupt) { L24Dispatch(L24P1, Interrupt); }

static VOID L24LowPowerP0(PVOID Interrupt)
{
    LITMUS_CHECK(LitmusPower("D3") == STATUS_SUCCESS);
    LitmusSetupDone();
    L24P0(Interrupt);
}

static NTSTATUS L24Setup(WDFDEVICE Device, PKSTART_ROUTINE P0, PKSTART_ROUTINE P1)
{
    LITMUS_VARIABLE(in0);
    LITMUS_VARIABLE(in1);
    return ThreadPerProcessor(Device, P0, P1);
}

static NTSTATUS L24(WDFDEVICE Device) { return L24Setup(Device, L24P0, L24P1); }
static NTSTATUS L24_dispatch(WDFDEVICE Device) { return L24Setup(Device, L24DispatchP0, L24DispatchP1); }
static NTSTATUS L24_low_power(WDFDEVICE Device) { return L24Setup(Device, L24LowPowerP0, L24P1); }

/* ---- L-25: WdfSpinLockAcquire of the spin lock that an interrupt was given ---- */

static VOID L25Hold(volatile LONG64 *Inside, PCSTR OtherInside)
{
    WdfSpinLockAcquire(S);
    LitmusOut("level", KeGetCurrentIrql());
    *Inside = TRUE;
    LitmusUntil(OtherInside);
    WdfSpinLockRelease(S);
}

static VOID L25P0(PVOID Context) { L25Hold(&in0, "in1 == T"); }
static VOID L25P1(PVOID Context) { L25Hold(&in1, "in0 == T"); }

static NTSTATUS L25(WDFDEVICE Device)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    LITMUS_VARIABLE(in0);
    LITMUS_VARIABLE(in1);
    LitmusThread(0, L25P0, NULL);
    LitmusThread(1, L25P1, NULL);
    return NT_SUCCESS(status) ? CreateInterruptI(Device, ClaimIsr, S, NULL) : status;
}

/* ---- L-26: a raised IRQL keeps nobody out (driver bug) ---- */

static VOID L26Thread(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(5, &irql);
    v = v + 1; /* a load and a store for other processors */
    KeLowerIrql(irql);
}

static NTSTATUS L26(WDFDEVICE Device)
{
    LITMUS_VARIABLE(v);
    LitmusThread(0, L26Thread, NULL);
    LitmusThread(1, L26Thread, NULL);
    return STATUS_SUCCESS;
}

/* Fixed: with the interrupt lock. */
static VOID L26LockThread(PVOID Interrupt)
{
    WdfInterruptAcquireLock(Interrupt);
    v = v + 1;
    WdfInterruptReleaseLock(Interrupt);
}

static NTSTATUS L26_lock(WDFDEVICE Device)
{
    LITMUS_VARIABLE(v);
    return ThreadPerProcessor(Device, L26LockThread, L26LockThread);
}

/* ---- L-27: an ordinary spin lock that the ISR takes, too (driver bug) ---- */

static BOOLEAN L27aIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WdfSpinLockAcquire(S);
    WdfSpinLockRelease(S);
    return TRUE;
}

static VOID L27aDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    WdfSpinLockAcquire(S);
    LitmusInterrupt("I", 0); /* isr@P0 while S is held */
    WdfSpinLockRelease(S);
}

static BOOLEAN L27bIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LITMUS_CHECK(LitmusObserve("S.held"));
    WdfSpinLockAcquire(S);
    LitmusOut("waited", released);
    WdfSpinLockRelease(S);
    return TRUE;
}

static VOID L27bDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    WdfSpinLockAcquire(S);
    LitmusUntil("I.active"); /* isr@P1 while S is held */
    released = TRUE;
    WdfSpinLockRelease(S);
}

static VOID L27Thread(PVOID Context)
{
    KeInsertQueueDpc(&D, NULL, NULL);
}

static NTSTATUS L27Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PKDEFERRED_ROUTINE Dpc)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    CreateKdpc(&D, "D", Dpc, NULL);
    LitmusThread(0, L27Thread, NULL);
    return NT_SUCCESS(status) ? CreateInterruptI(Device, Isr, NULL, NULL) : status;
}

static NTSTATUS L27a(WDFDEVICE Device) { return L27Setup(Device, L27aIsr, L27aDpc); }

static NTSTATUS L27b(WDFDEVICE Device)
{
    LITMUS_VARIABLE(released);
    return L27Setup(Device, L27bIsr, L27bDpc);
}

/* ---- L-28: the interrupt lock twice (driver bug) ---- */

static BOOLEAN L28Synchronized(WDFINTERRUPT Interrupt, WDFCONTEXT Context)
{
    return TRUE;
}

static VOID L28aThread(PVOID Interrupt)
{
    WdfInterruptAcquireLock(Interrupt);
    WdfInterruptAcquireLock(Interrupt);
    WdfInterruptReleaseLock(Interrupt);
    WdfInterruptReleaseLock(Interrupt);
    LitmusMark("end");
}

static VOID L28bThread(PVOID Interrupt)
{
    WdfInterruptAcquireLock(Interrupt);
    WdfInterruptSynchronize(Interrupt, L28Synchronized, NULL);
    WdfInterruptReleaseLock(Interrupt);
    LitmusMark("end");
}

/* The ISR holds the lock already. */
static BOOLEAN L28cIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WdfInterruptAcquireLock(Interrupt);
    WdfInterruptReleaseLock(Interrupt);
    LitmusMark("end");
    return TRUE;
}

static VOID L28cThread(PVOID Interrupt)
{
    LitmusInterrupt("I", 0);
}

/* Fixed: released before the second time. */
static VOID L28FixedThread(PVOID Interrupt)
{
    WdfInterruptAcquireLock(Interrupt);
    WdfInterruptReleaseLock(Interrupt);
    LITMUS_CHECK(WdfInterruptSynchronize(Interrupt, L28Synchronized, NULL) == TRUE);
    LitmusMark("end");
}

static NTSTATUS L28Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PKSTART_ROUTINE Thread)
{
    WDFINTERRUPT interrupt = NULL;
    NTSTATUS status = CreateInterruptI(Device, Isr, NULL, &interrupt);

    LitmusThread(0, Thread, interrupt);
    return status;
}

static NTSTATUS L28a(WDFDEVICE Device) { return L28Setup(Device, ClaimIsr, L28aThread); }
static NTSTATUS L28b(WDFDEVICE Device) { return L28Setup(Device, ClaimIsr, L28bThread); }
static NTSTATUS L28c(WDFDEVICE Device) { return L28Setup(Device, L28cIsr, L28cThread); }
static NTSTATUS L28_fixed(WDFDEVICE Device) { return L28Setup(Device, ClaimIsr, L28FixedThread); }

const LITMUS_TEST Tests[] = {
    {"L-24", L24},
    {"L-24/dispatch", L24_dispatch},
    {"L-24/no-framework-verifier", L24},
    {"L-24/low-power", L24_low_power},
    {"L-25", L25},
    {"L-25/no-framework-verifier", L25},
    {"L-26", L26},
    {"L-26/lock", L26_lock},
    {"L-27/a", L27a},
    {"L-27/b", L27b},
    {"L-28/a", L28a},
    {"L-28/b", L28b},
    {"L-28/c", L28c},
    {"L-28/fixed", L28_fixed},
    {NULL},
};
