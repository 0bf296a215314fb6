//go:build ignore

/*
 * g.c: the litmus tests of group G: requests: what completes them, cancels
 * them, and calls the driver meanwhile. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 done;
static KDPC D;
static KSPIN_LOCK KernelS;
static WDFSPINLOCK S; /* NULL: the test has KernelS */
static WDFQUEUE Q;

/* Sent returns a request of the test, which an application sends. */
static WDFREQUEST Sent(PCSTR Name)
{
    return (WDFREQUEST)LitmusHandle(Name);
}

/* CreateSequential makes the default queue, whose requests come to EvtIoRead one after the other. */
static NTSTATUS CreateSequential(WDFDEVICE Device, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead, WDF_EXECUTION_LEVEL ExecutionLevel)
{
    WDF_IO_QUEUE_CONFIG config;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = EvtIoRead;
    return CreateQueue(Device, "Q", &config, ExecutionLevel, &Q);
}

/* ---- L-40: a completion calls the driver again ---- */

static VOID L40CompleteUnderLock(VOID)
{
    KIRQL irql;

    if (S != NULL) {
        WdfSpinLockAcquire(S);
        CompleteRequest(Sent("R1"));
        WdfSpinLockRelease(S);
    } else {
        KeAcquireSpinLock(&KernelS, &irql);
        CompleteRequest(Sent("R1"));
        KeReleaseSpinLock(&KernelS, irql);
    }
}

static VOID L40AcquireAndRelease(VOID)
{
    KIRQL irql;

    if (S != NULL) {
        WdfSpinLockAcquire(S);
        WdfSpinLockRelease(S);
    } else {
        KeAcquireSpinLock(&KernelS, &irql);
        KeReleaseSpinLock(&KernelS, irql);
    }
}

static VOID L40Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L40CompleteUnderLock();
}

/* Fixed: completes after the release. */
static VOID L40FixedDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L40AcquireAndRelease();
    CompleteRequest(Sent("R1"));
}

static VOID L40aDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L40CompleteUnderLock();
    LitmusMark("dpc");
}

static VOID L40aFixedDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L40FixedDpc(Interrupt, Device);
    LitmusMark("dpc");
}

static VOID L40aEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    BOOLEAN first = Request == Sent("R1");

    LitmusMark(first ? "read1" : "read2");
    L40AcquireAndRelease();
    LitmusMark(first ? "end1" : "end2");
}

static VOID L40aThread(PVOID Context)
{
    LitmusSend("R1"); /* the driver has it when this returns */
    LitmusSend("R2"); /* it waits in the queue */
    LitmusSetupDone();
}

static VOID L40bEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    BOOLEAN first = Request == Sent("R1");

    LitmusMark(first ? "read1" : "read2");
    if (!first) {
        LitmusOut("proc", KeGetCurrentProcessorNumberEx(NULL));
    }
    L40AcquireAndRelease();
    if (first) {
        LitmusMark("released");
        LitmusUntil("D.runs == 1 and not D.active"); /* R1 is completed while this callback runs */
    }
    LitmusMark(first ? "end1" : "end2");
}

static VOID L40cEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    if (Request == Sent("R2")) {
        LitmusOut("inside", LitmusObserve("D.active"));
    }
    L40AcquireAndRelease();
    if (Request == Sent("R1")) {
        LitmusMark("released");
    }
}

static VOID L40SendR1(PVOID Context)
{
    LitmusSend("R1");
}

/* EvtIoRead(R1) has made so many marks when it has released S. */
static VOID L40SendR2AndInterrupt(PVOID Released)
{
    LitmusUntil(Released);
    LitmusSend("R2");
    LitmusInterrupt("I", 0);
}

/* L40Setup is common to all of them; the lock was made before. */
static NTSTATUS L40Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead,
    WDF_EXECUTION_LEVEL ExecutionLevel, BOOLEAN AutomaticSerialization)
{
    NTSTATUS status = CreateSequential(Device, EvtIoRead, ExecutionLevel);

    return NT_SUCCESS(status) ? CreateInterrupt(Device, ClaimAndQueueIsr, Dpc, AutomaticSerialization) : status;
}

static NTSTATUS L40aSetup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc, WDF_EXECUTION_LEVEL ExecutionLevel,
    BOOLEAN AutomaticSerialization)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    LitmusThread(0, L40aThread, NULL);
    return NT_SUCCESS(status) ? L40Setup(Device, Dpc, L40aEvtIoRead, ExecutionLevel, AutomaticSerialization) : status;
}

static NTSTATUS L40a(WDFDEVICE Device) { return L40aSetup(Device, L40aDpc, WdfExecutionLevelInheritFromParent, FALSE); }
static NTSTATUS L40a_passive(WDFDEVICE Device) { return L40aSetup(Device, L40aDpc, WdfExecutionLevelPassive, FALSE); }
static NTSTATUS L40a_serialized(WDFDEVICE Device) { return L40aSetup(Device, L40aDpc, WdfExecutionLevelInheritFromParent, TRUE); }
static NTSTATUS L40a_fixed(WDFDEVICE Device) { return L40aSetup(Device, L40aFixedDpc, WdfExecutionLevelInheritFromParent, FALSE); }

static NTSTATUS L40a_kernel_lock(WDFDEVICE Device)
{
    CreateKernelSpinLock(&KernelS, "S");
    LitmusThread(0, L40aThread, NULL);
    return L40Setup(Device, L40aDpc, L40aEvtIoRead, WdfExecutionLevelInheritFromParent, FALSE);
}

static NTSTATUS L40bcSetup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead, PCSTR Released,
    WDF_EXECUTION_LEVEL ExecutionLevel, BOOLEAN AutomaticSerialization)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    LitmusThread(0, L40SendR2AndInterrupt, (PVOID)Released);
    LitmusThread(1, L40SendR1, NULL);
    return NT_SUCCESS(status) ? L40Setup(Device, Dpc, EvtIoRead, ExecutionLevel, AutomaticSerialization) : status;
}

static NTSTATUS L40bSetup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc)
{
    return L40bcSetup(Device, Dpc, L40bEvtIoRead, "count(seq) == 2", WdfExecutionLevelInheritFromParent, FALSE);
}

static NTSTATUS L40cSetup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc, WDF_EXECUTION_LEVEL ExecutionLevel,
    BOOLEAN AutomaticSerialization)
{
    return L40bcSetup(Device, Dpc, L40cEvtIoRead, "count(seq) == 1", ExecutionLevel, AutomaticSerialization);
}

static NTSTATUS L40b(WDFDEVICE Device) { return L40bSetup(Device, L40Dpc); }
static NTSTATUS L40b_fixed(WDFDEVICE Device) { return L40bSetup(Device, L40FixedDpc); }
static NTSTATUS L40c(WDFDEVICE Device) { return L40cSetup(Device, L40Dpc, WdfExecutionLevelInheritFromParent, FALSE); }
static NTSTATUS L40c_fixed(WDFDEVICE Device) { return L40cSetup(Device, L40FixedDpc, WdfExecutionLevelInheritFromParent, FALSE); }
static NTSTATUS L40c_passive(WDFDEVICE Device) { return L40cSetup(Device, L40Dpc, WdfExecutionLevelPassive, FALSE); }
static NTSTATUS L40c_serialized(WDFDEVICE Device) { return L40cSetup(Device, L40Dpc, WdfExecutionLevelInheritFromParent, TRUE); }

/* ---- L-42: WdfRequestMarkCancelable under a lock (driver bug) ---- */

static VOID L42EvtRequestCancel(WDFREQUEST Request)
{
    LitmusMark("cb");
    WdfSpinLockAcquire(S);
    CompleteRequest(Request);
    WdfSpinLockRelease(S);
}

static VOID L42aEvtRequestCancel(WDFREQUEST Request)
{
    L42EvtRequestCancel(Request);
    LitmusMark("cb_end");
}

/* The mistake. */
static VOID L42Mark(WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel)
{
    WdfSpinLockAcquire(S);
    WdfRequestMarkCancelable(Request, EvtRequestCancel);
    WdfSpinLockRelease(S);
}

/* Fixed: the Ex form. */
static VOID L42MarkEx(WDFREQUEST Request)
{
    NTSTATUS s;

    WdfSpinLockAcquire(S);
    s = WdfRequestMarkCancelableEx(Request, L42EvtRequestCancel);
    WdfSpinLockRelease(S);
    LitmusOut("s", s);
    CompleteRequest(Request);
}

static VOID L42aEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    LitmusOut("in", TRUE);
    LitmusUntil("count(cancelled) == 1"); /* it is cancelled already */
    L42Mark(Request, L42aEvtRequestCancel);
    LitmusMark("read_end");
}

static VOID L42aExEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    LitmusOut("in", TRUE);
    LitmusUntil("count(cancelled) == 1");
    L42MarkEx(Request);
    LitmusMark("read_end");
}

static VOID L42aSend(PVOID Context)
{
    LitmusSend("R");
}

static VOID L42Cancel(VOID)
{
    BOOLEAN cancelled = LitmusCancelRequest("R");

    LitmusOut("cancelled", cancelled);
}

static VOID L42aCancel(PVOID Context)
{
    LitmusUntil("count(in) == 1");
    L42Cancel();
}

static NTSTATUS L42aSetup(WDFDEVICE Device, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    LitmusThread(0, L42aSend, NULL);
    LitmusThread(1, L42aCancel, NULL);
    return NT_SUCCESS(status) ? CreateSequential(Device, EvtIoRead, WdfExecutionLevelInheritFromParent) : status;
}

static NTSTATUS L42a(WDFDEVICE Device) { return L42aSetup(Device, L42aEvtIoRead); }
static NTSTATUS L42a_ex(WDFDEVICE Device) { return L42aSetup(Device, L42aExEvtIoRead); }

/* It keeps the request. */
static VOID L42bEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
}

static VOID L42bThread(PVOID Context)
{
    LitmusSend("R");
    L42Cancel();
    L42Mark(Sent("R"), L42EvtRequestCancel);
    LitmusMark("end");
}

static VOID L42bExThread(PVOID Context)
{
    LitmusSend("R");
    L42Cancel();
    L42MarkEx(Sent("R"));
}

static NTSTATUS L42bSetup(WDFDEVICE Device, PKSTART_ROUTINE Thread)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    LitmusThread(0, Thread, NULL);
    return NT_SUCCESS(status) ? CreateSequential(Device, L42bEvtIoRead, WdfExecutionLevelInheritFromParent) : status;
}

static NTSTATUS L42b(WDFDEVICE Device) { return L42bSetup(Device, L42bThread); }
static NTSTATUS L42b_ex(WDFDEVICE Device) { return L42bSetup(Device, L42bExThread); }

static WDFREQUEST L42cRetrieve(VOID)
{
    WDFREQUEST request = NULL;

    LitmusSend("R");
    LITMUS_CHECK(NT_SUCCESS(WdfIoQueueRetrieveNextRequest(Q, &request)));
    LITMUS_CHECK(request == Sent("R"));
    L42Cancel();
    return request;
}

static VOID L42cThread(PVOID Context)
{
    L42Mark(L42cRetrieve(), L42EvtRequestCancel);
    LitmusMark("end");
}

static VOID L42cExThread(PVOID Context)
{
    L42MarkEx(L42cRetrieve());
}

static NTSTATUS L42cSetup(WDFDEVICE Device, PKSTART_ROUTINE Thread)
{
    WDF_IO_QUEUE_CONFIG config;
    NTSTATUS status = CreateSpinLock("S", &S);

    LitmusThread(0, Thread, NULL);
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchManual);
    return NT_SUCCESS(status) ? CreateQueue(Device, "Q", &config, WdfExecutionLevelInheritFromParent, &Q) : status;
}

static NTSTATUS L42c(WDFDEVICE Device) { return L42cSetup(Device, L42cThread); }
static NTSTATUS L42c_ex(WDFDEVICE Device) { return L42cSetup(Device, L42cExThread); }

/* ---- L-43: the cancel routine runs after WdfRequestUnmarkCancelable returned STATUS_CANCELLED ---- */

static VOID L43EvtRequestCancel(WDFREQUEST Request)
{
    InterlockedIncrement64(&done);
}

/* It completes the request, which the DPC may use after that (driver bug). */
static VOID L43CompletingEvtRequestCancel(WDFREQUEST Request)
{
    CompleteRequest(Request);
}

static VOID L43EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    WdfRequestMarkCancelable(Request, L43EvtRequestCancel);
}

static VOID L43CompletingEvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    WdfRequestMarkCancelable(Request, L43CompletingEvtRequestCancel);
}

static VOID L43Dpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    NTSTATUS s = WdfRequestUnmarkCancelable(Sent("R"));

    LitmusOut("s", s);
    if (s == STATUS_SUCCESS) {
        CompleteRequest(Sent("R"));
        LitmusMark("owner");
    } else if (LitmusObserve("R.runs") == 0) {
        LitmusMark("later");
    } else if (LitmusObserve("R.active")) {
        LitmusMark("running");
    } else {
        LitmusMark("finished");
    }
    InterlockedIncrement64(&done);
}

/* It completes the request whatever WdfRequestUnmarkCancelable returned (driver bug). */
static VOID L43BothDpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    NTSTATUS s = WdfRequestUnmarkCancelable(Sent("R"));

    LitmusOut("s", s);
    CompleteRequest(Sent("R"));
}

static VOID L43Send(PVOID Context)
{
    LitmusSend("R"); /* the driver has it, and it can be cancelled */
    LitmusSetupDone();
    KeInsertQueueDpc(&D, NULL, NULL);
}

static VOID L43Cancel(PVOID Context)
{
    LitmusSetupDone();
    if (LitmusCancelRequest("R")) {
        LitmusUntil("done == 2"); /* it is completed when neither of them uses it any more */
        CompleteRequest(Sent("R"));
    }
}

static VOID L43CancelOnly(PVOID Context)
{
    LitmusSetupDone();
    L42Cancel();
}

static NTSTATUS L43Setup(WDFDEVICE Device, PFN_WDF_IO_QUEUE_IO_READ EvtIoRead, PKDEFERRED_ROUTINE Dpc, PKSTART_ROUTINE Cancel)
{
    LITMUS_VARIABLE(done);
    CreateKdpc(&D, "D", Dpc, NULL);
    LitmusThread(0, L43Send, NULL);
    LitmusThread(1, Cancel, NULL);
    return CreateSequential(Device, EvtIoRead, WdfExecutionLevelInheritFromParent);
}

static NTSTATUS L43(WDFDEVICE Device) { return L43Setup(Device, L43EvtIoRead, L43Dpc, L43Cancel); }
static NTSTATUS L43_uses(WDFDEVICE Device) { return L43Setup(Device, L43CompletingEvtIoRead, L43Dpc, L43CancelOnly); }
static NTSTATUS L43_both(WDFDEVICE Device) { return L43Setup(Device, L43CompletingEvtIoRead, L43BothDpc, L43CancelOnly); }

const LITMUS_TEST Tests[] = {
    {"L-40/a", L40a},
    {"L-40/a-kernel-lock", L40a_kernel_lock},
    {"L-40/a-kernel-lock-no-driver-verifier", L40a_kernel_lock},
    {"L-40/a-passive", L40a_passive},
    {"L-40/a-serialized", L40a_serialized, &Serialized},
    {"L-40/a-fixed", L40a_fixed},
    {"L-40/b", L40b},
    {"L-40/b-fixed", L40b_fixed},
    {"L-40/c", L40c},
    {"L-40/c-fixed", L40c_fixed},
    {"L-40/c-passive", L40c_passive},
    {"L-40/c-serialized", L40c_serialized, &Serialized},
    {"L-42/a", L42a},
    {"L-42/a-ex", L42a_ex},
    {"L-42/b", L42b},
    {"L-42/b-ex", L42b_ex},
    {"L-42/c", L42c},
    {"L-42/c-ex", L42c_ex},
    {"L-43", L43},
    {"L-43/uses", L43_uses},
    {"L-43/both", L43_both},
    {NULL},
};
