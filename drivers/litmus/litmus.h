/*
 * litmus.h: what the litmus drivers share. Each driver has the litmus tests of
 * one group of docs/spec/litmus.md: a.c to j.c. The same tests in a language
 * of their own, with the exact set of outcomes that Windows allows, are in
 * internal/litmus/catalogue; dirql litmus --binary runs the driver under every
 * schedule and compares.
 *
 * A driver has one routine for each program of a test (the ISR of interrupt I,
 * the DPC routine of D, the thread at P0), and one that does the setup: it
 * makes the objects and tells the test which they are. The table Tests at the
 * end of each driver lists the setup routines.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include <ntddk.h>
#include <wdf.h>

/* Most routines use some of the arguments that Windows passes, and most tests some of the fields of their row. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- Routines of the test, imported from litmus.sys ---- */

/* LitmusIsTest tells whether this run is one of the test with that id. */
DECLSPEC_IMPORT BOOLEAN LitmusIsTest(PCSTR Id);

/*
 * Setup. LitmusObject names an object of the test: the handle of a framework
 * object, the address of anything else. LitmusThread gives the routine of the
 * thread that runs at PASSIVE_LEVEL on a processor; of several, the next one.
 */
DECLSPEC_IMPORT VOID LitmusObject(PCSTR Name, ULONG_PTR HandleOrAddress);
DECLSPEC_IMPORT VOID LitmusThread(ULONG Processor, PKSTART_ROUTINE Routine, PVOID Context);

/* LitmusHandle returns what stands for an object: the request that an application will send. */
DECLSPEC_IMPORT ULONG_PTR LitmusHandle(PCSTR Name);

/*
 * In a thread: what comes before belongs to the setup. The test begins when all
 * threads that have a setup part have come here.
 */
DECLSPEC_IMPORT VOID LitmusSetupDone(VOID);

/* What a test reports: a value in a list, or a word in the list seq. */
DECLSPEC_IMPORT VOID LitmusOut(PCSTR List, LONG64 Value);
DECLSPEC_IMPORT VOID LitmusMark(PCSTR Word);

/* LitmusCompleted counts a completion of a request. */
DECLSPEC_IMPORT VOID LitmusCompleted(WDFREQUEST Request);

/*
 * LitmusObserve looks at the machine: LitmusObserve("D.queued"). LitmusUntil
 * waits in place until what it looks at holds: LitmusUntil("I.calls == 2 and
 * done == T"). The words are those of the test's own language.
 */
DECLSPEC_IMPORT LONG64 LitmusObserve(PCSTR Expression);
DECLSPEC_IMPORT VOID LitmusUntil(PCSTR Condition);

/*
 * What makes the device act. LitmusInterrupt returns when the ISR on that
 * processor has returned. LitmusArrive adds an entry to a ring.
 */
DECLSPEC_IMPORT VOID LitmusInterrupt(PCSTR Interrupt, ULONG Processor);
DECLSPEC_IMPORT VOID LitmusArrive(PCSTR Ring);

/*
 * What others do, in the thread that calls: an application sends a request,
 * cancels it, or maps 8 bytes with a value into its process; the PnP manager
 * starts the device or has lost it; the power manager brings it to "D0" or "D3",
 * or asks it to wake the system.
 */
DECLSPEC_IMPORT VOID LitmusSend(PCSTR Request);
DECLSPEC_IMPORT BOOLEAN LitmusCancelRequest(PCSTR Request);
DECLSPEC_IMPORT PVOID LitmusAllocateUser(LONG64 Value);
DECLSPEC_IMPORT NTSTATUS LitmusStartDevice(VOID);
DECLSPEC_IMPORT VOID LitmusSurpriseRemove(VOID);
DECLSPEC_IMPORT NTSTATUS LitmusPower(PCSTR State);
DECLSPEC_IMPORT VOID LitmusArmForWake(VOID);

/* LITMUS_CHECK stops the run if a condition does not hold. */
DECLSPEC_IMPORT VOID LitmusCheck(BOOLEAN Holds, PCSTR Condition);
#define LITMUS_CHECK(Condition) LitmusCheck((Condition) ? TRUE : FALSE, #Condition)

/* LITMUS_VARIABLE names a variable of the driver that has the name of the test. */
#define LITMUS_VARIABLE(Variable) LitmusObject(#Variable, (ULONG_PTR)&(Variable))

/* ---- The driver ---- */

typedef NTSTATUS LITMUS_SETUP(WDFDEVICE Device);

/* What is special about the device of a test. */
typedef struct _LITMUS_DEVICE {
    WDF_PNPPOWER_EVENT_CALLBACKS Callbacks; /* Size is filled in */
    BOOLEAN NotPageable;
    WDF_SYNCHRONIZATION_SCOPE Scope;
} LITMUS_DEVICE;

typedef struct _LITMUS_TEST {
    PCSTR Id;            /* NULL ends the table */
    LITMUS_SETUP *Setup; /* called in EvtDriverDeviceAdd */
    const LITMUS_DEVICE *Device;
} LITMUS_TEST;

extern const LITMUS_TEST Tests[];

/* The scope in which AutomaticSerialization works. */
static const LITMUS_DEVICE Serialized = {.Scope = WdfSynchronizationScopeDevice};

/* ---- What several drivers use ---- */

#define LITMUS_SHARED static __attribute__((unused))

/* An ISR that claims its interrupt and does nothing else. */
LITMUS_SHARED BOOLEAN ClaimIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    return TRUE;
}

/* An ISR that queues its DPC, whatever the answer. */
LITMUS_SHARED BOOLEAN ClaimAndQueueIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* An EvtInterruptDpc that does nothing. */
LITMUS_SHARED VOID EmptyInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT Device)
{
}

/* A callback that makes a mark and nothing else: of an interrupt, such as EvtInterruptEnable, or of power, such as D0Exit. */
#define MARK_ON_INTERRUPT(Name, Word) \
    static NTSTATUS Name(WDFINTERRUPT Interrupt, WDFDEVICE Device) \
    { \
        LitmusMark(Word); \
        return STATUS_SUCCESS; \
    }
#define MARK_ON_POWER(Name, Word) \
    static NTSTATUS Name(WDFDEVICE Device, WDF_POWER_DEVICE_STATE OtherState) \
    { \
        LitmusMark(Word); \
        return STATUS_SUCCESS; \
    }

/* The registers of the device, if the test has one with registers. */
static volatile ULONG64 *Registers;

/* CreateInterruptFrom makes a WDFINTERRUPT of a test; Interrupt may be NULL. */
LITMUS_SHARED NTSTATUS
CreateInterruptFrom(
    IN WDFDEVICE Device,
    IN PCSTR Name,
    IN PWDF_INTERRUPT_CONFIG Config,
    OUT WDFINTERRUPT *Interrupt
    )
{
    WDFINTERRUPT interrupt;
    NTSTATUS status;

    status = WdfInterruptCreate(Device, Config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)interrupt);
        if (Interrupt != NULL) {
            *Interrupt = interrupt;
        }
    }
    return status;
}

/* CreateInterrupt makes the WDFINTERRUPT I of a test. */
LITMUS_SHARED NTSTATUS
CreateInterrupt(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_ISR EvtInterruptIsr,
    IN PFN_WDF_INTERRUPT_DPC EvtInterruptDpc,
    IN BOOLEAN AutomaticSerialization
    )
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    config.AutomaticSerialization = AutomaticSerialization;
    return CreateInterruptFrom(Device, "I", &config, NULL);
}

/* CreateQueue makes a WDFQUEUE of a test, which is not power-managed; the first one is the default queue. */
LITMUS_SHARED NTSTATUS
CreateQueue(
    IN WDFDEVICE Device,
    IN PCSTR Name,
    IN PWDF_IO_QUEUE_CONFIG Config,
    IN WDF_EXECUTION_LEVEL ExecutionLevel,
    OUT WDFQUEUE *Queue
    )
{
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = ExecutionLevel;
    Config->PowerManaged = WdfFalse;
    status = WdfIoQueueCreate(Device, Config, &attributes, Queue);
    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)*Queue);
    }
    return status;
}

/* CreateSpinLock makes a WDFSPINLOCK of a test. */
LITMUS_SHARED NTSTATUS
CreateSpinLock(
    IN PCSTR Name,
    OUT WDFSPINLOCK *SpinLock
    )
{
    NTSTATUS status = WdfSpinLockCreate(WDF_NO_OBJECT_ATTRIBUTES, SpinLock);

    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)*SpinLock);
    }
    return status;
}

/* CreateTimer makes a WDFTIMER of a test, whose parent is the device. */
LITMUS_SHARED NTSTATUS
CreateTimer(
    IN WDFDEVICE Device,
    IN PCSTR Name,
    IN PFN_WDF_TIMER EvtTimer,
    IN WDF_EXECUTION_LEVEL ExecutionLevel,
    OUT WDFTIMER *Timer
    )
{
    WDF_TIMER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_TIMER_CONFIG_INIT(&config, EvtTimer);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    attributes.ExecutionLevel = ExecutionLevel;
    status = WdfTimerCreate(&config, &attributes, Timer);
    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)*Timer);
    }
    return status;
}

/* CreateWorkItem makes a WDFWORKITEM of a test, whose parent is the device. */
LITMUS_SHARED NTSTATUS
CreateWorkItem(
    IN WDFDEVICE Device,
    IN PCSTR Name,
    IN PFN_WDF_WORKITEM EvtWorkItem,
    OUT WDFWORKITEM *WorkItem
    )
{
    WDF_WORKITEM_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_WORKITEM_CONFIG_INIT(&config, EvtWorkItem);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    status = WdfWorkItemCreate(&config, &attributes, WorkItem);
    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)*WorkItem);
    }
    return status;
}

/* CreateDpc makes a WDFDPC of a test. */
LITMUS_SHARED NTSTATUS
CreateDpc(
    IN WDFOBJECT Parent,
    IN PCSTR Name,
    IN PFN_WDF_DPC EvtDpc,
    IN BOOLEAN AutomaticSerialization,
    OUT WDFDPC *Dpc
    )
{
    WDF_DPC_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_DPC_CONFIG_INIT(&config, EvtDpc);
    config.AutomaticSerialization = AutomaticSerialization;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Parent;
    status = WdfDpcCreate(&config, &attributes, Dpc);
    if (NT_SUCCESS(status)) {
        LitmusObject(Name, (ULONG_PTR)*Dpc);
    }
    return status;
}

/* CreateKdpc makes a KDPC of a test. */
LITMUS_SHARED VOID
CreateKdpc(
    IN PRKDPC Dpc,
    IN PCSTR Name,
    IN PKDEFERRED_ROUTINE Routine,
    IN PVOID Context
    )
{
    KeInitializeDpc(Dpc, Routine, Context);
    LitmusObject(Name, (ULONG_PTR)Dpc);
}

/* CreateKernelSpinLock makes a KSPIN_LOCK of a test. */
LITMUS_SHARED VOID
CreateKernelSpinLock(
    IN PKSPIN_LOCK SpinLock,
    IN PCSTR Name
    )
{
    KeInitializeSpinLock(SpinLock);
    LitmusObject(Name, (ULONG_PTR)SpinLock);
}

/* CreateEvent makes a notification event of a test. */
LITMUS_SHARED VOID
CreateEvent(
    IN PRKEVENT Event,
    IN PCSTR Name
    )
{
    KeInitializeEvent(Event, NotificationEvent, FALSE);
    LitmusObject(Name, (ULONG_PTR)Event);
}

/* CompleteRequest completes a request, and counts that when it has returned. */
LITMUS_SHARED VOID
CompleteRequest(
    IN WDFREQUEST Request
    )
{
    WdfRequestComplete(Request, STATUS_SUCCESS);
    LitmusCompleted(Request);
}

/* LitmusEvtDevicePrepareHardware maps the registers. */
static NTSTATUS
LitmusEvtDevicePrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);

    for (ULONG i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory) {
            Registers = MmMapIoSpace(descriptor->u.Memory.Start, descriptor->u.Memory.Length, MmNonCached);
            if (Registers == NULL) {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
        }
    }
    return STATUS_SUCCESS;
}

/* LitmusCreateDevice makes the device as the test wants it. */
static NTSTATUS
LitmusCreateDevice(
    IN PWDFDEVICE_INIT DeviceInit,
    IN const LITMUS_DEVICE *Options,
    OUT WDFDEVICE *Device
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    if (Options != NULL) {
        callbacks = Options->Callbacks;
        callbacks.Size = sizeof(callbacks);
        if (Options->NotPageable) {
            WdfDeviceInitSetPowerNotPageable(DeviceInit);
        }
        if (Options->Scope != WdfSynchronizationScopeInvalid) {
            attributes.SynchronizationScope = Options->Scope;
        }
    }
    if (callbacks.EvtDevicePrepareHardware == NULL) {
        callbacks.EvtDevicePrepareHardware = LitmusEvtDevicePrepareHardware;
    }
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    return WdfDeviceCreate(&DeviceInit, &attributes, Device);
}

/* LitmusEvtDeviceAdd makes the device and does the setup of the test. */
static NTSTATUS
LitmusEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDFDEVICE device;
    NTSTATUS status;

    for (const LITMUS_TEST *test = Tests; test->Id != NULL; test++) {
        if (LitmusIsTest(test->Id)) {
            status = LitmusCreateDevice(DeviceInit, test->Device, &device);
            return NT_SUCCESS(status) ? test->Setup(device) : status;
        }
    }
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS
DriverEntry(
    IN PDRIVER_OBJECT DriverObject,
    IN PUNICODE_STRING RegistryPath
    )
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, LitmusEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

#endif
