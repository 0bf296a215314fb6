//go:build ignore

/*
 * wake.c: a KMDF driver for the edu PCI device that leaves D0 when it is idle, wakes
 * itself, and wakes the system: the driver of the Go files beside it, in C. It shows
 * what a driver whose device can wake has to get right:
 *
 *   - WdfDeviceAssignS0IdleSettings and WdfDeviceAssignSxWakeSettings are allowed to
 *     fail: the hardware may not be able to wake.
 *   - WakeEvtDeviceArmWake is called in D0, when requests have stopped;
 *     WakeEvtDeviceWakeTriggered and WakeEvtDeviceDisarmWake in D0, before they start.
 *   - Requests that wait for the device to wake are not in a power-managed queue, or
 *     they would keep it in D0.
 *   - After a rebalance the registers are elsewhere, and an interrupt for wake, which
 *     only the resources tell of, is made in EvtDevicePrepareHardware.
 *
 *   BUG_STALE_REGISTERS  the mapping of the registers outlives EvtDeviceReleaseHardware
 *   BUG_WAIT_FOR_D0      EvtDeviceWakeFromS0Triggered waits for D0, which waits for it
 */
#include <ntddk.h>
#include <wdf.h>

#define IOCTL_FACTORIAL     CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_WAIT_FOR_WAKE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

#define IDLE_TIMEOUT 10 /* milliseconds */

/* Registers of the device, in BAR 0. */
#define REGISTERS_LENGTH  0x1000
#define FACTORIAL         0x08
#define STATUS_REGISTER   0x20
#define CAUSES            0x24
#define ACKNOWLEDGE       0x64
#define STATUS_INTERRUPT  0x80

/* Request is taken by whoever exchanges it: the DPC or EvtIoStop. */
typedef struct _WAKE_DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFQUEUE Work;    /* power-managed: what needs the device */
    WDFQUEUE Waiting; /* for the device to wake */
    WDFREQUEST Request;
    LONG Wakes;
} WAKE_DEVICE_CONTEXT, *PWAKE_DEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(WAKE_DEVICE_CONTEXT)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD WakeEvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE WakeEvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE WakeEvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY WakeEvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT WakeEvtDeviceD0Exit;
EVT_WDF_DEVICE_ARM_WAKE_FROM_S0 WakeEvtDeviceArmWake;
EVT_WDF_DEVICE_DISARM_WAKE_FROM_S0 WakeEvtDeviceDisarmWake;
EVT_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED WakeEvtDeviceWakeTriggered;
EVT_WDF_INTERRUPT_ISR WakeEvtInterruptIsr;
EVT_WDF_INTERRUPT_ISR WakeEvtWakeInterruptIsr;
EVT_WDF_INTERRUPT_DPC WakeEvtInterruptDpc;
EVT_WDF_INTERRUPT_DISABLE WakeEvtInterruptDisable;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL WakeEvtIoDeviceControl;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL WakeEvtWork;
EVT_WDF_IO_QUEUE_IO_STOP WakeEvtIoStop;

#define READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, WakeEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* ---- Device ---- */

/*
 * CreateQueues makes three: what comes goes to one that is not power-managed, so that
 * an application can wait for wake without waking the device.
 */
static NTSTATUS
CreateQueues(WDFDEVICE Device, PWAKE_DEVICE_CONTEXT Context)
{
    WDF_IO_QUEUE_CONFIG config;
    NTSTATUS status;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.PowerManaged = WdfFalse;
    config.EvtIoDeviceControl = WakeEvtIoDeviceControl;
    status = WdfIoQueueCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = WakeEvtWork;
    config.EvtIoStop = WakeEvtIoStop;
    status = WdfIoQueueCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Context->Work);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchManual);
    config.PowerManaged = WdfFalse;
    return WdfIoQueueCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Context->Waiting);
}

/*
 * AssignPower asks for wake, from the idle state and from the sleep of the system.
 * Hardware that cannot wake is no reason to fail: the device stays in D0 then.
 */
static NTSTATUS
AssignPower(WDFDEVICE Device)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS idle;
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS wake;
    NTSTATUS status;

    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(&idle, IdleCanWakeFromS0);
    idle.IdleTimeout = IDLE_TIMEOUT;
    status = WdfDeviceAssignS0IdleSettings(Device, &idle);
    if (!NT_SUCCESS(status) && status != STATUS_POWER_STATE_INVALID) {
        return status;
    }
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT(&wake);
    status = WdfDeviceAssignSxWakeSettings(Device, &wake);
    return status == STATUS_POWER_STATE_INVALID ? STATUS_SUCCESS : status;
}

_Use_decl_annotations_
NTSTATUS
WakeEvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_POWER_POLICY_EVENT_CALLBACKS policy;
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = WakeEvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = WakeEvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Entry = WakeEvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = WakeEvtDeviceD0Exit;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_POWER_POLICY_EVENT_CALLBACKS_INIT(&policy);
    policy.EvtDeviceArmWakeFromS0 = WakeEvtDeviceArmWake;
    policy.EvtDeviceDisarmWakeFromS0 = WakeEvtDeviceDisarmWake;
    policy.EvtDeviceWakeFromS0Triggered = WakeEvtDeviceWakeTriggered;
    policy.EvtDeviceArmWakeFromSx = WakeEvtDeviceArmWake;
    policy.EvtDeviceDisarmWakeFromSx = WakeEvtDeviceDisarmWake;
    policy.EvtDeviceWakeFromSxTriggered = WakeEvtDeviceWakeTriggered;
    WdfDeviceInitSetPowerPolicyEventCallbacks(DeviceInit, &policy);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, WAKE_DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_CONFIG_INIT(&config, WakeEvtInterruptIsr, WakeEvtInterruptDpc);
    config.EvtInterruptDisable = WakeEvtInterruptDisable;
    status = WdfInterruptCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreateQueues(device, WdfObjectGetTypedContext(device, WAKE_DEVICE_CONTEXT));
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return AssignPower(device);
}

/* Resources can be others than at the last start. */
_Use_decl_annotations_
NTSTATUS
WakeEvtDevicePrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesRaw, IN WDFCMRESLIST ResourcesTranslated)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, WAKE_DEVICE_CONTEXT);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);

    for (ULONG i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, REGISTERS_LENGTH, MmNonCached);
        } else if (descriptor->Type == CmResourceTypeInterrupt && (descriptor->Flags & CM_RESOURCE_INTERRUPT_WAKE_HINT) != 0) {
            WDF_INTERRUPT_CONFIG config;
            WDFINTERRUPT interrupt;
            NTSTATUS status;

            WDF_INTERRUPT_CONFIG_INIT(&config, WakeEvtWakeInterruptIsr, NULL);
            config.PassiveHandling = TRUE;
            config.CanWakeDevice = TRUE;
            config.InterruptRaw = WdfCmResourceListGetDescriptor(ResourcesRaw, i);
            config.InterruptTranslated = descriptor;
            status = WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
            if (!NT_SUCCESS(status)) {
                return status;
            }
        }
    }
    return context->Registers == NULL ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
WakeEvtDeviceReleaseHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesTranslated)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, WAKE_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
#ifdef BUG_STALE_REGISTERS
    UNREFERENCED_PARAMETER(context);
#else
    PVOID p = InterlockedExchangePointer(&context->Registers, NULL);

    if (p != NULL) {
        MmUnmapIoSpace(p, REGISTERS_LENGTH);
    }
#endif
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
WakeEvtDeviceD0Entry(IN WDFDEVICE Device, IN WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(PreviousState);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
WakeEvtDeviceD0Exit(IN WDFDEVICE Device, IN WDF_POWER_DEVICE_STATE TargetState)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(TargetState);
    return STATUS_SUCCESS;
}

/* ---- Wake ---- */

/* Complete ends a request with a 32-bit result. */
static VOID
Complete(WDFREQUEST Request, ULONG Result)
{
    PULONG buffer;
    NTSTATUS status = WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), (PVOID *)&buffer, NULL);

    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    *buffer = Result;
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, sizeof(ULONG));
}

/* Would tell the device what to wake for. It is in D0, and does nothing else any more. */
_Use_decl_annotations_
NTSTATUS
WakeEvtDeviceArmWake(IN WDFDEVICE Device)
{
    UNREFERENCED_PARAMETER(Device);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
VOID
WakeEvtDeviceDisarmWake(IN WDFDEVICE Device)
{
    UNREFERENCED_PARAMETER(Device);
}

/* The device is in D0, and requests do not run yet. */
_Use_decl_annotations_
VOID
WakeEvtDeviceWakeTriggered(IN WDFDEVICE Device)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, WAKE_DEVICE_CONTEXT);
    LONG wakes = InterlockedIncrement(&context->Wakes);
    WDFREQUEST request;

#ifdef BUG_WAIT_FOR_D0
    WdfDeviceStopIdle(Device, TRUE);
#endif
    while (NT_SUCCESS(WdfIoQueueRetrieveNextRequest(context->Waiting, &request))) {
        Complete(request, wakes);
    }
#ifdef BUG_WAIT_FOR_D0
    WdfDeviceResumeIdle(Device);
#endif
}

/* The interrupt for wake, at PASSIVE_LEVEL: the device is in D0 already. */
_Use_decl_annotations_
BOOLEAN
WakeEvtWakeInterruptIsr(IN WDFINTERRUPT Interrupt, IN ULONG MessageID)
{
    UNREFERENCED_PARAMETER(Interrupt);
    UNREFERENCED_PARAMETER(MessageID);
    return TRUE;
}

/* ---- Requests ---- */

/* Gets every request, in any power state. */
_Use_decl_annotations_
VOID
WakeEvtIoDeviceControl(
    IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputBufferLength, IN size_t InputBufferLength, IN ULONG IoControlCode)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), WAKE_DEVICE_CONTEXT);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    if (IoControlCode == IOCTL_FACTORIAL) {
        status = WdfRequestForwardToIoQueue(Request, context->Work);
    } else if (IoControlCode == IOCTL_WAIT_FOR_WAKE) {
        status = WdfRequestForwardToIoQueue(Request, context->Waiting);
    }
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

/* Gets what needs the device, in D0. */
_Use_decl_annotations_
VOID
WakeEvtWork(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputBufferLength, IN size_t InputBufferLength, IN ULONG IoControlCode)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), WAKE_DEVICE_CONTEXT);
    PULONG buffer;
    NTSTATUS status = WdfRequestRetrieveInputBuffer(Request, sizeof(ULONG), (PVOID *)&buffer, NULL);
    ULONG number;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    UNREFERENCED_PARAMETER(IoControlCode);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    number = *buffer;
    (void)InterlockedExchangePointer(&context->Request, Request);
    WRITE(context, STATUS_REGISTER, STATUS_INTERRUPT);
    WRITE(context, FACTORIAL, number);
}

/*
 * Gives a request back that the device works for: it is presented again in D0, or
 * ends when the device is removed.
 */
_Use_decl_annotations_
VOID
WakeEvtIoStop(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN ULONG ActionFlags)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), WAKE_DEVICE_CONTEXT);

    if (InterlockedCompareExchangePointer(&context->Request, NULL, Request) != Request) {
        return; /* the DPC has it */
    }
    if ((ActionFlags & WdfRequestStopActionPurge) != 0) {
        WdfRequestComplete(Request, STATUS_DEVICE_REMOVED);
    } else {
        WdfRequestStopAcknowledge(Request, TRUE);
    }
}

/* ---- Interrupt ---- */

_Use_decl_annotations_
BOOLEAN
WakeEvtInterruptIsr(IN WDFINTERRUPT Interrupt, IN ULONG MessageID)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), WAKE_DEVICE_CONTEXT);
    ULONG causes = READ(context, CAUSES);

    UNREFERENCED_PARAMETER(MessageID);
    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
    WRITE(context, ACKNOWLEDGE, causes);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

_Use_decl_annotations_
VOID
WakeEvtInterruptDpc(IN WDFINTERRUPT Interrupt, IN WDFOBJECT AssociatedObject)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedObject, WAKE_DEVICE_CONTEXT);
    ULONG result = READ(context, FACTORIAL);
    WDFREQUEST request = InterlockedExchangePointer(&context->Request, NULL);

    UNREFERENCED_PARAMETER(Interrupt);
    if (request != NULL) {
        Complete(request, result);
    }
}

/* Also called when the device is gone. */
_Use_decl_annotations_
NTSTATUS
WakeEvtInterruptDisable(IN WDFINTERRUPT Interrupt, IN WDFDEVICE AssociatedDevice)
{
    PWAKE_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedDevice, WAKE_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Interrupt);
    WRITE(context, STATUS_REGISTER, 0);
    WRITE(context, ACKNOWLEDGE, 0xFFFFFFFF);
    return STATUS_SUCCESS;
}
