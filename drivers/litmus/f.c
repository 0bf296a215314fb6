//go:build ignore

/*
 * f.c: the litmus tests of group F: passive-level interrupts. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 tried, lock_free;
static KEVENT E;
static WDFINTERRUPT I;
static WDFQUEUE Q;
static WDFWORKITEM W;

#define RING_POP ((PULONG64)&Registers[2])

/* CreatePassive makes the interrupt I with passive-level handling. */
static NTSTATUS CreatePassive(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PFN_WDF_INTERRUPT_DPC Dpc)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, Dpc);
    config.PassiveHandling = TRUE;
    return CreateInterruptFrom(Device, "I", &config, &I);
}

/* ---- L-34: the passive interrupt lock in EvtInterruptDpc (driver bug) ---- */

static VOID L34Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    WdfInterruptAcquireLock(Interrupt);
    LitmusOut("level", KeGetCurrentIrql());
    LitmusUntil("tried == T");
    WdfInterruptReleaseLock(Interrupt);
}

static VOID L34Queue(PVOID Context)
{
    WdfInterruptQueueDpcForIsr(I);
}

/* Another thread gets the lock if the DPC has not got it. */
static VOID L34Try(PVOID Context)
{
    BOOLEAN r;

    LitmusUntil("count(level) == 1");
    r = WdfInterruptTryToAcquireLock(I);
    lock_free = r;
    if (r) {
        WdfInterruptReleaseLock(I);
    }
    tried = TRUE;
}

static VOID L34HeldQueue(PVOID Context)
{
    LitmusSetupDone();
    WdfInterruptQueueDpcForIsr(I);
}

static VOID L34Hold(PVOID Context)
{
    WdfInterruptAcquireLock(I);
    LitmusSetupDone();
    LitmusUntil("tried == T");
    WdfInterruptReleaseLock(I);
}

static NTSTATUS L34Setup(WDFDEVICE Device, PKSTART_ROUTINE P0, PKSTART_ROUTINE P1)
{
    LITMUS_VARIABLE(tried);
    LITMUS_VARIABLE(lock_free);
    LitmusThread(0, P0, NULL);
    LitmusThread(1, P1, NULL);
    return CreatePassive(Device, ClaimIsr, L34Dpc);
}

static NTSTATUS L34(WDFDEVICE Device) { return L34Setup(Device, L34Queue, L34Try); }
static NTSTATUS L34_held(WDFDEVICE Device) { return L34Setup(Device, L34HeldQueue, L34Hold); }

/* ---- L-35: the passive interrupt lock twice (driver bug) ---- */

/* The ISR holds the lock already. */
static BOOLEAN L35aIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("isr");
    WdfInterruptAcquireLock(Interrupt);
    LitmusMark("locked");
    return TRUE;
}

static NTSTATUS L35a(WDFDEVICE Device) { return CreatePassive(Device, L35aIsr, NULL); }

static BOOLEAN L35Synchronized(WDFINTERRUPT Interrupt, WDFCONTEXT Context)
{
    LitmusMark("sync");
    return TRUE;
}

static VOID L35bThread(PVOID Context)
{
    WdfInterruptAcquireLock(I);
    LitmusMark("locked");
    WdfInterruptAcquireLock(I);
    LitmusMark("twice");
}

static VOID L35cThread(PVOID Context)
{
    WdfInterruptAcquireLock(I);
    LitmusMark("locked");
    WdfInterruptSynchronize(I, L35Synchronized, NULL);
    LitmusMark("twice");
}

/* Fixed: released before. */
static VOID L35FixedThread(PVOID Context)
{
    WdfInterruptAcquireLock(I);
    LitmusMark("locked");
    WdfInterruptReleaseLock(I);
    WdfInterruptSynchronize(I, L35Synchronized, NULL);
    LitmusMark("end");
}

static NTSTATUS L35Setup(WDFDEVICE Device, PKSTART_ROUTINE Thread)
{
    LitmusThread(0, Thread, NULL);
    return CreatePassive(Device, ClaimIsr, NULL);
}

static NTSTATUS L35b(WDFDEVICE Device) { return L35Setup(Device, L35bThread); }
static NTSTATUS L35c(WDFDEVICE Device) { return L35Setup(Device, L35cThread); }
static NTSTATUS L35_fixed(WDFDEVICE Device) { return L35Setup(Device, L35FixedThread); }

/* ---- L-36: a completion in an arbitrary thread of a serial bus (driver bug) ---- */

/* The bus completes another request; its completion routine sends R, in this thread. */
static BOOLEAN L36Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusSend("R");
    LitmusMark("sent");
    return TRUE;
}

static VOID L36EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    WdfInterruptAcquireLock(I);
    LitmusMark("handled");
    WdfInterruptReleaseLock(I);
    CompleteRequest(Request);
}

static VOID L36TryEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    BOOLEAN r = WdfInterruptTryToAcquireLock(I);

    LitmusOut("r", r);
    if (r) {
        LitmusMark("handled");
        WdfInterruptReleaseLock(I);
        CompleteRequest(Request);
    } else {
        WdfWorkItemEnqueue(W); /* the work is deferred */
    }
}

static VOID L36WorkItem(WDFWORKITEM WorkItem)
{
    WdfInterruptAcquireLock(I);
    LitmusMark("deferred");
    WdfInterruptReleaseLock(I);
    CompleteRequest((WDFREQUEST)LitmusHandle("R"));
}

static NTSTATUS L36Setup(WDFDEVICE Device, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead)
{
    WDF_IO_QUEUE_CONFIG config;
    NTSTATUS status;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = EvtIoRead;
    status = CreateQueue(Device, "Q", &config, WdfExecutionLevelInheritFromParent, &Q);
    if (NT_SUCCESS(status)) {
        status = CreateWorkItem(Device, "W", L36WorkItem, &W);
    }
    return NT_SUCCESS(status) ? CreatePassive(Device, L36Isr, NULL) : status;
}

static NTSTATUS L36(WDFDEVICE Device) { return L36Setup(Device, L36EvtIoRead); }
static NTSTATUS L36_try(WDFDEVICE Device) { return L36Setup(Device, L36TryEvtIoRead); }

/* ---- L-38: a passive ISR queues the DPC ---- */

static BOOLEAN L38aIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN r;

    LitmusOut("isr_level", KeGetCurrentIrql());
    LitmusOut("isr_proc", KeGetCurrentProcessorNumberEx(NULL));
    r = WdfInterruptQueueDpcForIsr(Interrupt);
    LitmusOut("r", r);
    LitmusOut("done", LitmusObserve("D.runs == 1 and not D.active"));
    return TRUE;
}

static VOID L38aDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusOut("level", KeGetCurrentIrql());
}

static NTSTATUS L38a(WDFDEVICE Device) { return CreatePassive(Device, L38aIsr, L38aDpc); }

static BOOLEAN L38bIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN r = WdfInterruptQueueDpcForIsr(Interrupt);

    LitmusOut("r", r);
    return TRUE;
}

/* Another processor has queued the DPC and stays at DISPATCH_LEVEL. */
static VOID L38bThread(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LITMUS_CHECK(WdfInterruptQueueDpcForIsr(I) == TRUE);
    LitmusSetupDone();
    LitmusUntil("count(r) == 1");
    KeLowerIrql(irql);
}

static NTSTATUS L38b(WDFDEVICE Device)
{
    LitmusThread(1, L38bThread, NULL);
    return CreatePassive(Device, L38bIsr, EmptyInterruptDpc);
}

/* ---- L-39: the level-triggered line during a passive ISR ---- */

static BOOLEAN L39Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusOut("waits", LitmusObserve("RING.count"));                    /* the device asserts its line */
    KeWaitForSingleObject(&E, Executive, KernelMode, FALSE, NULL);      /* the bus I/O: threads run */
    LitmusUntil("J.calls == 1");                                        /* and other interrupts */
    READ_REGISTER_ULONG64(RING_POP);                                    /* bus I/O acknowledges it */
    return TRUE;
}

static VOID L39Thread(PVOID Context)
{
    LitmusUntil("I.calls == 1");
    KeSetEvent(&E, IO_NO_INCREMENT, FALSE);
}

/* The first call does not acknowledge, the second does. */
static BOOLEAN L39TwiceIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusOut("masked", LitmusObserve("I.calls == 1 + I.returns"));
    if (LitmusObserve("I.calls") == 2) {
        READ_REGISTER_ULONG64(RING_POP);
    }
    return TRUE;
}

static VOID L39TwiceThread(PVOID Context)
{
}

static NTSTATUS L39Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PKSTART_ROUTINE Thread)
{
    WDF_INTERRUPT_CONFIG config;
    NTSTATUS status = CreatePassive(Device, Isr, NULL);

    CreateEvent(&E, "E");
    LitmusThread(0, Thread, NULL);
    WDF_INTERRUPT_CONFIG_INIT(&config, ClaimIsr, NULL);
    return NT_SUCCESS(status) ? CreateInterruptFrom(Device, "J", &config, NULL) : status;
}

static NTSTATUS L39(WDFDEVICE Device) { return L39Setup(Device, L39Isr, L39Thread); }
static NTSTATUS L39_twice(WDFDEVICE Device) { return L39Setup(Device, L39TwiceIsr, L39TwiceThread); }

const LITMUS_TEST Tests[] = {
    {"L-34", L34},
    {"L-34/no-framework-verifier", L34},
    {"L-34/held", L34_held},
    {"L-35/a", L35a},
    {"L-35/b", L35b},
    {"L-35/c", L35c},
    {"L-35/fixed", L35_fixed},
    {"L-36", L36},
    {"L-36/try", L36_try},
    {"L-38/a", L38a},
    {"L-38/b", L38b},
    {"L-39", L39},
    {"L-39/twice", L39_twice},
    {NULL},
};
