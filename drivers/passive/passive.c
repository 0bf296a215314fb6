//go:build ignore

/*
 * passive.c: a KMDF driver for the edu PCI device that handles its line interrupt
 * at PASSIVE_LEVEL (KMDF 1.11 and later), as a device behind a slow bus needs.
 * The request handler runs in an arbitrary thread, possibly that of the ISR, and
 * must not wait for the interrupt's lock: it tries, and leaves the start of the
 * device to the interrupt's work item. PassiveEvtInterruptIsr acknowledges the
 * device and queues the work item again, which completes the request. All that they
 * share is protected by the wait lock of the interrupt, which the driver supplies;
 * Request is taken by whoever exchanges it: the work item, or PassiveEvtIoStop when
 * the device is removed.
 *
 * It also does what drivers rarely do with interrupts, and checks what the
 * framework answers: EvtDeviceAdd fails if an answer is wrong.
 *
 *   BUG_CHANGED_RESOURCE  a descriptor of the framework's is changed before its use
 *   BUG_DEFAULT_PRIORITY  an interrupt policy without a priority
 *   BUG_DELETE_INTERRUPT  the interrupt is deleted
 *   BUG_DIRQL_TRY_LOCK    WdfInterruptTryToAcquireLock on an interrupt at DIRQL
 *   BUG_LOCK_IN_ISR       the ISR takes the lock that it holds
 *   BUG_LOCK_LEFT         the work item returns with the lock
 *   BUG_NULL_INTERRUPT    WdfInterruptCreate without a place for the handle
 *   BUG_WRONG_QUEUE       the ISR queues a DPC although there is a work item
 */
#include <ntddk.h>
#include <wdf.h>

#define IOCTL_FACTORIAL CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* Registers of the device, in BAR 0. */
#define REGISTERS_LENGTH  0x100
#define FACTORIAL         0x08
#define STATUS_REGISTER   0x20
#define CAUSES            0x24
#define ACKNOWLEDGE       0x64
#define STATUS_INTERRUPT  0x80

/* Protected by the wait lock of the interrupt, but for Request. */
typedef struct _PASSIVE_CONTEXT {
    PUCHAR Registers;
    WDFWAITLOCK Lock;
    WDFINTERRUPT Interrupt;
    WDFREQUEST Request;
    ULONG Number;
    BOOLEAN Start; /* the device is to be started for Request */
    ULONG Result;
} PASSIVE_CONTEXT, *PPASSIVE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(PASSIVE_CONTEXT)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD PassiveEvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE PassiveEvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE PassiveEvtDeviceReleaseHardware;
EVT_WDF_INTERRUPT_ISR PassiveEvtInterruptIsr;
EVT_WDF_INTERRUPT_WORKITEM PassiveEvtInterruptWorkItem;
EVT_WDF_INTERRUPT_DISABLE PassiveEvtInterruptDisable;
EVT_WDF_INTERRUPT_SYNCHRONIZE PassiveEvtInterruptSynchronize;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL PassiveEvtIoDeviceControl;
EVT_WDF_IO_QUEUE_IO_STOP PassiveEvtIoStop;

#define READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)

/* Fails the caller with a status that names the line. */
#define CHECK(Condition) \
    do { \
        if (!(Condition)) { \
            return (NTSTATUS)(0xE0000000 | __LINE__); \
        } \
    } while (0)

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, PassiveEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* Create makes an interrupt with one size of its configuration. */
static NTSTATUS
Create(WDFDEVICE Device, ULONG Size, PWDF_OBJECT_ATTRIBUTES Attributes)
{
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;

    WDF_INTERRUPT_CONFIG_INIT(&config, PassiveEvtInterruptIsr, NULL);
    config.Size = Size;
    return WdfInterruptCreate(Device, &config, Attributes, &interrupt);
}

/* CheckCreate checks what WdfInterruptCreate refuses in EvtDeviceAdd. */
static NTSTATUS
CheckCreate(WDFDEVICE Device, PPASSIVE_CONTEXT Context)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;

    CHECK(Create(Device, 104, NULL) == STATUS_SUCCESS);
    CHECK(Create(Device, 96, NULL) == STATUS_SUCCESS);
    CHECK(Create(Device, 56, NULL) == STATUS_SUCCESS);
    CHECK(Create(Device, 72, NULL) == STATUS_INFO_LENGTH_MISMATCH);

    attributes = (WDF_OBJECT_ATTRIBUTES){0};
    CHECK(Create(Device, 104, &attributes) == STATUS_INFO_LENGTH_MISMATCH);
    attributes.Size = sizeof(attributes);
    CHECK(Create(Device, 104, &attributes) == (NTSTATUS)0xC0200209); /* no execution level */
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeNone;
    CHECK(Create(Device, 104, &attributes) == STATUS_SUCCESS);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    CHECK(Create(Device, 104, &attributes) == (NTSTATUS)0xC0200210);

    WDF_INTERRUPT_CONFIG_INIT(&config, PassiveEvtInterruptIsr, NULL);
    config.CanWakeDevice = TRUE;
    config.PassiveHandling = TRUE;
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_PARAMETER);
    config.CanWakeDevice = FALSE;
    config.PassiveHandling = FALSE;
    config.WaitLock = Context->Lock;
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_PARAMETER);
#ifdef BUG_NULL_INTERRUPT
    WdfInterruptCreate(Device, &config, NULL, NULL);
#endif
#ifdef BUG_DIRQL_TRY_LOCK
    config.WaitLock = NULL;
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_SUCCESS);
    CHECK(!WdfInterruptTryToAcquireLock(interrupt));
#endif
    return STATUS_SUCCESS;
}

static NTSTATUS
CreateInterrupt(WDFDEVICE Device, PPASSIVE_CONTEXT Context)
{
    WDF_INTERRUPT_EXTENDED_POLICY policy;
    WDF_INTERRUPT_CONFIG config;
    NTSTATUS status;

    WDF_INTERRUPT_CONFIG_INIT(&config, PassiveEvtInterruptIsr, NULL);
    config.EvtInterruptWorkItem = PassiveEvtInterruptWorkItem;
    config.EvtInterruptDisable = PassiveEvtInterruptDisable;
    config.PassiveHandling = TRUE;
    config.WaitLock = Context->Lock;
    config.ReportInactiveOnPowerDown = WdfTrue;
    status = WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_EXTENDED_POLICY_INIT(&policy);
    policy.Policy = WdfIrqPolicySpecifiedProcessors;
#ifndef BUG_DEFAULT_PRIORITY
    policy.Priority = WdfIrqPriorityNormal;
#endif
    policy.TargetProcessorSetAndGroup.Mask = 1;
    WdfInterruptSetExtendedPolicy(Context->Interrupt, &policy);
#ifdef BUG_DELETE_INTERRUPT
    WdfObjectDelete(Context->Interrupt);
#endif
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
PassiveEvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG queue;
    PPASSIVE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = PassiveEvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = PassiveEvtDeviceReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, PASSIVE_CONTEXT);
    attributes.ExecutionLevel = WdfExecutionLevelPassive; /* request handlers may wait for the lock */
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = WdfObjectGetTypedContext(device, PASSIVE_CONTEXT);

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfWaitLockCreate(&attributes, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreateInterrupt(device, context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CheckCreate(device, context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = PassiveEvtIoDeviceControl;
    queue.EvtIoStop = PassiveEvtIoStop;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* CheckResources checks what WdfInterruptCreate refuses with resources. */
static NTSTATUS
CheckResources(WDFDEVICE Device, PCM_PARTIAL_RESOURCE_DESCRIPTOR Raw, PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated)
{
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;

    WDF_INTERRUPT_CONFIG_INIT(&config, PassiveEvtInterruptIsr, NULL);
    config.PassiveHandling = TRUE;
    config.InterruptRaw = Raw;
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_DEVICE_STATE);
    config.InterruptTranslated = Translated;
    config.ShareVector = WdfFalse; /* as in a structure that was zeroed only */
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_DEVICE_STATE);
    config.ShareVector = WdfUseDefault;
    config.CanWakeDevice = TRUE; /* without CM_RESOURCE_INTERRUPT_WAKE_HINT */
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_PARAMETER);
#ifdef BUG_CHANGED_RESOURCE
    config.CanWakeDevice = FALSE;
    Translated->u.Interrupt.Affinity = 2;
    CHECK(WdfInterruptCreate(Device, &config, NULL, &interrupt) == STATUS_INVALID_PARAMETER);
#endif
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
PassiveEvtDevicePrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesRaw, IN WDFCMRESLIST ResourcesTranslated)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(Device, PASSIVE_CONTEXT);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);
    WDF_INTERRUPT_INFO info;
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, REGISTERS_LENGTH, MmNonCached);
        } else if (descriptor->Type == CmResourceTypeInterrupt) {
            CHECK(descriptor->u.Interrupt.Affinity == 1); /* the policy */
            status = CheckResources(Device, WdfCmResourceListGetDescriptor(ResourcesRaw, i), descriptor);
        }
    }
    if (context->Registers == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(context->Interrupt, &info);
    CHECK(info.Irql == PASSIVE_LEVEL && info.Vector != 0);
    return status;
}

_Use_decl_annotations_
NTSTATUS
PassiveEvtDeviceReleaseHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesTranslated)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(Device, PASSIVE_CONTEXT);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    if (context->Registers != NULL) {
        MmUnmapIoSpace(context->Registers, REGISTERS_LENGTH);
        context->Registers = NULL;
    }
    return STATUS_SUCCESS;
}

/* The ISR holds the lock, and could wait. */
_Use_decl_annotations_
BOOLEAN
PassiveEvtInterruptIsr(IN WDFINTERRUPT Interrupt, IN ULONG MessageID)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), PASSIVE_CONTEXT);
    ULONG causes;

    UNREFERENCED_PARAMETER(MessageID);
    causes = READ(context, CAUSES);
    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
#ifdef BUG_LOCK_IN_ISR
    WdfInterruptAcquireLock(Interrupt);
#endif
    context->Result = READ(context, FACTORIAL);
    WRITE(context, ACKNOWLEDGE, causes);
#ifdef BUG_WRONG_QUEUE
    WdfInterruptQueueDpcForIsr(Interrupt);
#else
    WdfInterruptQueueWorkItemForIsr(Interrupt);
#endif
    return TRUE;
}

_Use_decl_annotations_
VOID
PassiveEvtInterruptWorkItem(IN WDFINTERRUPT Interrupt, IN WDFOBJECT AssociatedObject)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(AssociatedObject, PASSIVE_CONTEXT);
    WDFREQUEST request = NULL;
    ULONG result, number;
    PULONG buffer;
    BOOLEAN start;

    WdfInterruptAcquireLock(Interrupt);
    start = context->Start;
    number = context->Number;
    result = context->Result;
    context->Start = FALSE;
    if (!start) {
        request = InterlockedExchangePointer(&context->Request, NULL);
    }
#ifdef BUG_LOCK_LEFT
    if (start)
#endif
        WdfInterruptReleaseLock(Interrupt);
    if (start) {
        WdfInterruptSynchronize(Interrupt, PassiveEvtInterruptSynchronize, &number);
    } else if (request != NULL && NT_SUCCESS(WdfRequestRetrieveOutputBuffer(request, sizeof(ULONG), (PVOID *)&buffer, NULL))) {
        *buffer = result;
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, sizeof(ULONG));
    }
}

_Use_decl_annotations_
NTSTATUS
PassiveEvtInterruptDisable(IN WDFINTERRUPT Interrupt, IN WDFDEVICE AssociatedDevice)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(AssociatedDevice, PASSIVE_CONTEXT);

    UNREFERENCED_PARAMETER(Interrupt);
    WRITE(context, STATUS_REGISTER, 0);
    return STATUS_SUCCESS;
}

/* Starts the device, with the lock. */
_Use_decl_annotations_
BOOLEAN
PassiveEvtInterruptSynchronize(IN WDFINTERRUPT Interrupt, IN WDFCONTEXT Context)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), PASSIVE_CONTEXT);

    WRITE(context, STATUS_REGISTER, STATUS_INTERRUPT);
    WRITE(context, FACTORIAL, *(PULONG)Context);
    return TRUE;
}

_Use_decl_annotations_
VOID
PassiveEvtIoDeviceControl(
    IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputBufferLength, IN size_t InputBufferLength, IN ULONG IoControlCode)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), PASSIVE_CONTEXT);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    PULONG buffer;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    if (IoControlCode == IOCTL_FACTORIAL) {
        status = WdfRequestRetrieveInputBuffer(Request, sizeof(ULONG), (PVOID *)&buffer, NULL);
    }
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    if (!WdfInterruptTryToAcquireLock(context->Interrupt)) {
        WdfRequestComplete(Request, STATUS_UNSUCCESSFUL); /* the ISR is at work: the application asks again */
        return;
    }
    context->Number = *buffer;
    context->Start = TRUE;
    (void)InterlockedExchangePointer(&context->Request, Request);
    WdfInterruptReleaseLock(context->Interrupt);
    WdfInterruptQueueWorkItemForIsr(context->Interrupt);
}

/*
 * The device is about to leave D0, possibly because it is gone: a request that the
 * work item has not taken goes back into the queue, or ends when there is no coming
 * back.
 */
_Use_decl_annotations_
VOID
PassiveEvtIoStop(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN ULONG ActionFlags)
{
    PPASSIVE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), PASSIVE_CONTEXT);

    if (InterlockedCompareExchangePointer(&context->Request, NULL, Request) != Request) {
        return; /* the work item completes it */
    }
    if ((ActionFlags & WdfRequestStopActionPurge) != 0) {
        WdfRequestComplete(Request, STATUS_CANCELLED);
    } else {
        WdfRequestStopAcknowledge(Request, TRUE);
    }
}
