//go:build ignore

/*
 * h.c: the litmus tests of group H: power and life cycle. When an interrupt is
 * connected and disconnected is noted by the tests themselves. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 exiting, armed;
static LONG64 work;
static WDFINTERRUPT I, I0, I1, I2, I3;
static WDFTIMER TM;
static WDFWORKITEM W;

#define CAUSE ((PULONG64)&Registers[0])

static VOID EmptyThread(PVOID Context)
{
}

/* Create makes an interrupt with the routines that it has: those of Routines that are not NULL. */
static NTSTATUS Create(WDFDEVICE Device, PCSTR Name, WDF_INTERRUPT_CONFIG Routines, WDFINTERRUPT *Interrupt)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Routines.EvtInterruptIsr, Routines.EvtInterruptDpc);
    config.EvtInterruptEnable = Routines.EvtInterruptEnable;
    config.EvtInterruptDisable = Routines.EvtInterruptDisable;
    return CreateInterruptFrom(Device, Name, &config, Interrupt);
}

static VOID PowerDown(VOID)
{
    LITMUS_CHECK(LitmusPower("D3") == STATUS_SUCCESS);
}

static VOID StartDevice(PVOID Context)
{
    LITMUS_CHECK(LitmusStartDevice() == STATUS_SUCCESS);
}

/* The thread at P1 of L-44 and L-47: the DPC is queued there until it lowers its IRQL. */
static VOID QueueAndLower(PVOID Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    LitmusInterrupt("I", 1);
    LitmusSetupDone();
    KeLowerIrql(irql);
}

/* ---- L-44: EvtDeviceD0Exit with a queued DPC ---- */

static VOID L44Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusMark("dpc");
    work = work + 1;
}

static NTSTATUS L44Disable(WDFINTERRUPT Interrupt, WDFDEVICE Device)
{
    LitmusMark("dis");
    work = 10;
    return STATUS_SUCCESS;
}

static VOID L44OverlapDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    L44Dpc(Interrupt, Device);
    LitmusMark("dpc_end");
}

static NTSTATUS L44OverlapDisable(WDFINTERRUPT Interrupt, WDFDEVICE Device)
{
    L44Disable(Interrupt, Device);
    LitmusMark("dis_end");
    return STATUS_SUCCESS;
}

static NTSTATUS L44D0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    LITMUS_CHECK(LitmusObserve("not D.active and not D.queued")); /* the run has returned */
    LitmusMark("exit");
    return STATUS_SUCCESS;
}

static const LITMUS_DEVICE L44Device = {.Callbacks = {.EvtDeviceD0Exit = L44D0Exit}};

static VOID L44PowerDown(PVOID Context)
{
    LitmusSetupDone();
    PowerDown();
}

static NTSTATUS L44Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_DPC Dpc, PFN_WDF_INTERRUPT_DISABLE Disable)
{
    LITMUS_VARIABLE(work);
    LitmusThread(0, L44PowerDown, NULL);
    LitmusThread(1, QueueAndLower, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){
        .EvtInterruptIsr = ClaimAndQueueIsr, .EvtInterruptDpc = Dpc, .EvtInterruptDisable = Disable}, NULL);
}

static NTSTATUS L44(WDFDEVICE Device) { return L44Setup(Device, L44Dpc, L44Disable); }
static NTSTATUS L44_overlap(WDFDEVICE Device) { return L44Setup(Device, L44OverlapDpc, L44OverlapDisable); }

/* ---- L-46: a timer and a work item after EvtDeviceD0Exit ---- */

static NTSTATUS L46D0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    LitmusMark("exit");
    exiting = TRUE;
    LitmusMark("exited");
    return STATUS_SUCCESS;
}

/* Fixed: stops the timer. */
static NTSTATUS L46StoppingD0Exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState)
{
    WdfTimerStop(TM, FALSE);
    return L46D0Exit(Device, TargetState);
}

static const LITMUS_DEVICE L46Device = {.Callbacks = {.EvtDeviceD0Exit = L46D0Exit}};
static const LITMUS_DEVICE L46StoppingDevice = {.Callbacks = {.EvtDeviceD0Exit = L46StoppingD0Exit}};

static VOID L46EvtTimer(WDFTIMER Timer)
{
    LitmusMark("expiry");
}

static VOID L46TimerThread(PVOID Context)
{
    WdfTimerStart(TM, -1000); /* when it ends is a choice */
    PowerDown();              /* not stopped in EvtDeviceD0Exit */
}

static NTSTATUS L46_timer(WDFDEVICE Device)
{
    NTSTATUS status = CreateTimer(Device, "TM", L46EvtTimer, WdfExecutionLevelInheritFromParent, &TM);

    LITMUS_VARIABLE(exiting);
    LitmusThread(0, L46TimerThread, NULL);
    return NT_SUCCESS(status) ? CreateInterrupt(Device, ClaimIsr, NULL, FALSE) : status;
}

static VOID L46EvtWorkItem(WDFWORKITEM WorkItem)
{
    LitmusMark("work");
}

static VOID L46WorkThread(PVOID Context)
{
    WdfWorkItemEnqueue(W);
    PowerDown();
}

static NTSTATUS L46_work(WDFDEVICE Device)
{
    NTSTATUS status = CreateWorkItem(Device, "W", L46EvtWorkItem, &W);

    LITMUS_VARIABLE(exiting);
    LitmusThread(0, L46WorkThread, NULL);
    return NT_SUCCESS(status) ? CreateInterrupt(Device, ClaimIsr, NULL, FALSE) : status;
}

/* ---- L-47: surprise removal ---- */

static VOID L47Dpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
    LitmusMark("dpc");
}

MARK_ON_INTERRUPT(L47Disable, "dis")
MARK_ON_POWER(L47D0Exit, "exit")

static const LITMUS_DEVICE L47Device = {.Callbacks = {.EvtDeviceD0Exit = L47D0Exit}};
static const LITMUS_DEVICE L47NotPageable = {.Callbacks = {.EvtDeviceD0Exit = L47D0Exit}, .NotPageable = TRUE};

static VOID L47Remove(PVOID Context)
{
    LitmusSetupDone();
    LitmusSurpriseRemove();
}

static VOID L47RemoveInDx(PVOID Context)
{
    PowerDown();
    LitmusMark("removal");
    LitmusSetupDone();
    LitmusSurpriseRemove();
    LitmusMark("removed");
}

static NTSTATUS L47Setup(WDFDEVICE Device, PKSTART_ROUTINE Remove, PKSTART_ROUTINE P1)
{
    LitmusThread(0, Remove, NULL);
    LitmusThread(1, P1, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){
        .EvtInterruptIsr = ClaimAndQueueIsr, .EvtInterruptDpc = L47Dpc, .EvtInterruptDisable = L47Disable}, NULL);
}

static NTSTATUS L47a(WDFDEVICE Device) { return L47Setup(Device, L47Remove, QueueAndLower); }
static NTSTATUS L47b(WDFDEVICE Device) { return L47Setup(Device, L47RemoveInDx, EmptyThread); }
static NTSTATUS L47c(WDFDEVICE Device) { return L47Setup(Device, L47RemoveInDx, QueueAndLower); }

static BOOLEAN L47AllOnesIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    if (READ_REGISTER_ULONG64(CAUSE) == 1) {
        LitmusMark("claimed");
        return TRUE;
    }
    LitmusMark("unclaimed"); /* all ones are no cause */
    return FALSE;
}

static VOID L47AllOnesRemove(PVOID Context)
{
    LitmusSurpriseRemove();
}

static NTSTATUS L47_all_ones(WDFDEVICE Device)
{
    LitmusThread(0, L47AllOnesRemove, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){
        .EvtInterruptIsr = L47AllOnesIsr, .EvtInterruptDisable = L47Disable}, NULL);
}

/* ---- L-48: WdfInterruptDisable and WdfInterruptEnable around a power-down ---- */

MARK_ON_INTERRUPT(L48Enable, "enable")
MARK_ON_INTERRUPT(L48Disable, "disable")
MARK_ON_POWER(L48D0Exit, "D0Exit")
MARK_ON_POWER(L48D0Entry, "D0Entry")
MARK_ON_POWER(L48Powered, "powered")

static const LITMUS_DEVICE L48Device = {.Callbacks = {
    .EvtDeviceD0Entry = L48D0Entry, .EvtDeviceD0EntryPostInterruptsEnabled = L48Powered, .EvtDeviceD0Exit = L48D0Exit}};

static VOID L48Thread(PVOID Context)
{
    LitmusMark("start");
    WdfInterruptDisable(I);
    PowerDown();
    LITMUS_CHECK(LitmusPower("D0") == STATUS_SUCCESS);
    WdfInterruptEnable(I);
}

static NTSTATUS L48(WDFDEVICE Device)
{
    LitmusThread(0, L48Thread, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){
        .EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L48Enable, .EvtInterruptDisable = L48Disable}, &I);
}

/* ---- L-50: a message that is sent too early (driver bug) ---- */

static NTSTATUS L50D0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    armed = TRUE; /* enables the device */
    return STATUS_SUCCESS;
}

static const LITMUS_DEVICE L50Device = {.Callbacks = {.EvtDeviceD0Entry = L50D0Entry}};

static NTSTATUS L50(WDFDEVICE Device)
{
    LITMUS_VARIABLE(armed);
    LitmusThread(0, StartDevice, NULL);
    return CreateInterrupt(Device, ClaimIsr, NULL, FALSE);
}

/* Fixed: EvtInterruptEnable enables the device. */
static NTSTATUS L50Enable(WDFINTERRUPT Interrupt, WDFDEVICE Device)
{
    armed = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS L50_fixed(WDFDEVICE Device)
{
    LITMUS_VARIABLE(armed);
    LitmusThread(0, StartDevice, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L50Enable}, NULL);
}

/* ---- L-51: an interrupt object cannot be deleted ---- */

static VOID L51Thread(PVOID Context)
{
    WdfObjectDelete(I);
    LitmusInterrupt("I", 0); /* it still works */
}

static NTSTATUS L51(WDFDEVICE Device)
{
    LitmusThread(0, L51Thread, NULL);
    return Create(Device, "I", (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimAndQueueIsr, .EvtInterruptDpc = EmptyInterruptDpc}, &I);
}

/* ---- L-52: fewer resources than interrupt objects ---- */

MARK_ON_INTERRUPT(L52Enable0, "enable0")
MARK_ON_INTERRUPT(L52Enable1, "enable1")
MARK_ON_INTERRUPT(L52Enable2, "enable2")
MARK_ON_INTERRUPT(L52Enable3, "enable3")

static ULONG L52Vector(WDFINTERRUPT Interrupt)
{
    WDF_INTERRUPT_INFO info;

    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(Interrupt, &info);
    return info.Vector;
}

static VOID L52Thread(PVOID Context)
{
    StartDevice(NULL);
    LITMUS_CHECK(L52Vector(I0) > 0 && L52Vector(I1) > 0);
    LitmusOut("vector", L52Vector(I2));
    LitmusOut("vector", L52Vector(I3));
    WdfInterruptAcquireLock(I2);
    LitmusOut("level", KeGetCurrentIrql());
    WdfInterruptReleaseLock(I2);
}

/* PairOf makes two interrupts, with what is called to enable and to disable them. */
static NTSTATUS PairOf(WDFDEVICE Device, PCSTR NameA, PCSTR NameB, WDF_INTERRUPT_CONFIG A, WDF_INTERRUPT_CONFIG B,
    WDFINTERRUPT *InterruptA, WDFINTERRUPT *InterruptB)
{
    NTSTATUS status = Create(Device, NameA, A, InterruptA);

    return NT_SUCCESS(status) ? Create(Device, NameB, B, InterruptB) : status;
}

static NTSTATUS L52(WDFDEVICE Device)
{
    NTSTATUS status;

    LitmusThread(0, L52Thread, NULL);
    status = PairOf(Device, "I0", "I1", (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L52Enable0},
        (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L52Enable1}, &I0, &I1);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return PairOf(Device, "I2", "I3", (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L52Enable2},
        (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L52Enable3}, &I2, &I3);
}

/* ---- L-73: the order of a power-up that fails ---- */

MARK_ON_INTERRUPT(L73Disable0, "disable0")
MARK_ON_INTERRUPT(L73Disable1, "disable1")

static NTSTATUS L73Enable1(WDFINTERRUPT Interrupt, WDFDEVICE Device)
{
    LitmusMark("enable1");
    return STATUS_UNSUCCESSFUL;
}

MARK_ON_POWER(L73D0Entry, "entry")
MARK_ON_POWER(L73Powered, "post")

static const LITMUS_DEVICE L73Device = {.Callbacks = {
    .EvtDeviceD0EntryPostInterruptsEnabled = L73Powered, .EvtDeviceD0Exit = L47D0Exit}};
static const LITMUS_DEVICE L73SuccessDevice = {.Callbacks = {
    .EvtDeviceD0Entry = L73D0Entry, .EvtDeviceD0EntryPostInterruptsEnabled = L73Powered, .EvtDeviceD0Exit = L47D0Exit}};

static VOID L73Thread(PVOID Context)
{
    NTSTATUS s = LitmusStartDevice();

    LitmusOut("s", s);
}

static NTSTATUS L73Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ENABLE Enable1)
{
    LitmusThread(0, L73Thread, NULL);
    return PairOf(Device, "I0", "I1",
        (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = L52Enable0, .EvtInterruptDisable = L73Disable0},
        (WDF_INTERRUPT_CONFIG){.EvtInterruptIsr = ClaimIsr, .EvtInterruptEnable = Enable1, .EvtInterruptDisable = L73Disable1},
        NULL, NULL);
}

static NTSTATUS L73(WDFDEVICE Device) { return L73Setup(Device, L73Enable1); }
static NTSTATUS L73_success(WDFDEVICE Device) { return L73Setup(Device, L52Enable1); }

const LITMUS_TEST Tests[] = {
    {"L-44", L44, &L44Device},
    {"L-44/overlap", L44_overlap, &L44Device},
    {"L-46/timer", L46_timer, &L46Device},
    {"L-46/timer-stopped", L46_timer, &L46StoppingDevice},
    {"L-46/work", L46_work, &L46Device},
    {"L-47/a", L47a, &L47Device},
    {"L-47/a-not-pageable", L47a, &L47NotPageable},
    {"L-47/b", L47b, &L47Device},
    {"L-47/c", L47c, &L47NotPageable},
    {"L-47/all-ones", L47_all_ones},
    {"L-48", L48, &L48Device},
    {"L-50/a", L50, &L50Device},
    {"L-50/b", L50, &L50Device},
    {"L-50/b-latched", L50, &L50Device},
    {"L-50/c", L50, &L50Device},
    {"L-50/d", L50, &L50Device},
    {"L-50/fixed", L50_fixed},
    {"L-51", L51},
    {"L-51/no-framework-verifier", L51},
    {"L-52", L52},
    {"L-73", L73, &L73Device},
    {"L-73/success", L73_success, &L73SuccessDevice},
    {NULL},
};
