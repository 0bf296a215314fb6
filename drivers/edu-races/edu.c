//go:build ignore

/*
 * edu.c: the driver of the edu device as it should not be: it works whenever one
 * tries it, and it has four mistakes that only some interleavings of ISR, DPC,
 * cancel routine and application show. dirql explore drivers/edu-races/edu.sys
 * finds them; drivers/edu/edu.c is what they look like mended. Each is marked
 * below:
 *
 *   MISTAKE 1  the device is started before the DPC can know for whom
 *   MISTAKE 2  the DPC ignores what WdfRequestUnmarkCancelable answers
 *   MISTAKE 3  the cancel routine changes the context without its lock
 *   MISTAKE 4  two routines count in a variable without a lock
 *
 * Requests: IOCTL_EDU_FACTORIAL takes a 32-bit number and returns its factorial
 * modulo 2^32.
 */
#include <ntddk.h>
#include <wdf.h>

#include "../edu/edu.h"

typedef struct _EDU_DEVICE_CONTEXT {
    PUCHAR Registers; /* mapped BAR 0 */
    WDFSPINLOCK Lock;
    WDFINTERRUPT Interrupt;
    _Guarded_by_(Lock) WDFREQUEST Request; /* the request that is worked on, or NULL */
    volatile LONG Causes;                  /* interrupt causes that the DPC has not seen */
    _Guarded_by_(Lock) BOOLEAN Busy;       /* the device works */
    _Guarded_by_(Lock) WDFREQUEST For;     /* for this request, which may have been taken back */
    ULONG Ended;                           /* requests that have ended, for the log */
} EDU_DEVICE_CONTEXT, *PEDU_DEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDU_DEVICE_CONTEXT, EduGetContext)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EduEvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EduEvtDevicePrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EduEvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_EXIT EduEvtDeviceD0Exit;
EVT_WDF_INTERRUPT_ISR EduEvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EduEvtInterruptDpc;
EVT_WDF_INTERRUPT_DISABLE EduEvtInterruptDisable;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EduEvtIoDeviceControl;
EVT_WDF_REQUEST_CANCEL EduEvtRequestCancel;

#define EDU_READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define EDU_WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)

NTSTATUS
DriverEntry(
    IN PDRIVER_OBJECT DriverObject,
    IN PUNICODE_STRING RegistryPath
    )
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EduEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* EduEvtDeviceAdd creates the device with its lock, its interrupt and its queue. */
NTSTATUS
EduEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_INTERRUPT_CONFIG interrupt;
    WDF_IO_QUEUE_CONFIG queue;
    PEDU_DEVICE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EduEvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EduEvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Exit = EduEvtDeviceD0Exit;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDU_DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = EduGetContext(device);

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfSpinLockCreate(&attributes, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_CONFIG_INIT(&interrupt, EduEvtInterruptIsr, EduEvtInterruptDpc);
    interrupt.EvtInterruptDisable = EduEvtInterruptDisable;
    status = WdfInterruptCreate(device, &interrupt, WDF_NO_OBJECT_ATTRIBUTES, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = EduEvtIoDeviceControl;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EduEvtDevicePrepareHardware maps the registers. */
NTSTATUS
EduEvtDevicePrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(Device);

    UNREFERENCED_PARAMETER(ResourcesRaw);

    for (ULONG i = 0; i < WdfCmResourceListGetCount(ResourcesTranslated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, EDU_REGISTERS_LENGTH, MmNonCached);
        }
    }
    return context->Registers == NULL ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

NTSTATUS
EduEvtDeviceReleaseHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);

    if (context->Registers != NULL) {
        MmUnmapIoSpace(context->Registers, EDU_REGISTERS_LENGTH);
        context->Registers = NULL;
    }
    return STATUS_SUCCESS;
}

/* EduEvtDeviceD0Exit writes the statistics into the log. */
NTSTATUS
EduEvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    UNREFERENCED_PARAMETER(TargetState);

    DbgPrint("edu: %u requests have ended\n", EduGetContext(Device)->Ended);
    return STATUS_SUCCESS;
}

/* EduEvtInterruptIsr notes the causes, acknowledges them and queues the DPC. */
BOOLEAN
EduEvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = EDU_READ(context, EDU_CAUSES);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
    InterlockedOr(&context->Causes, causes);
    EDU_WRITE(context, EDU_ACKNOWLEDGE, causes);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EduEvtInterruptDisable keeps the device from interrupting. */
NTSTATUS
EduEvtInterruptDisable(
    IN WDFINTERRUPT Interrupt,
    IN WDFDEVICE AssociatedDevice
    )
{
    UNREFERENCED_PARAMETER(Interrupt);

    EDU_WRITE(EduGetContext(AssociatedDevice), EDU_STATUS, 0);
    return STATUS_SUCCESS;
}

/* EduStart lets the device compute. The buffer was checked before. */
static VOID
EduStart(
    IN PEDU_DEVICE_CONTEXT Context,
    IN WDFREQUEST Request
    )
{
    PVOID buffer;

    if (NT_SUCCESS(WdfRequestRetrieveInputBuffer(Request, sizeof(ULONG), &buffer, NULL))) {
        EDU_WRITE(Context, EDU_STATUS, EDU_STATUS_INTERRUPT);
        EDU_WRITE(Context, EDU_FACTORIAL, *(PULONG)buffer);
    }
}

/* EduEvtIoDeviceControl takes a request over from the queue. */
VOID
EduEvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(WdfIoQueueGetDevice(Queue));
    NTSTATUS status;
    BOOLEAN start;

    if (IoControlCode != IOCTL_EDU_FACTORIAL || InputBufferLength < sizeof(ULONG) || OutputBufferLength < sizeof(ULONG)) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    WdfSpinLockAcquire(context->Lock);
    start = !context->Busy;
    if (start) {
        context->Busy = TRUE;
        context->For = Request;
    }
    WdfSpinLockRelease(context->Lock);
    if (start) {
        /*
         * MISTAKE 1: from here on the device can interrupt, on any processor,
         * and Context->Request is not set yet. The DPC finds nobody to complete,
         * and this request never ends. First store, then start.
         */
        EduStart(context, Request);
    }
    WdfSpinLockAcquire(context->Lock);
    status = WdfRequestMarkCancelableEx(Request, EduEvtRequestCancel);
    if (NT_SUCCESS(status)) {
        context->Request = Request;
    }
    WdfSpinLockRelease(context->Lock);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

/* EduComplete returns the result. No lock is held: this can present the next request. */
static VOID
EduComplete(
    IN PEDU_DEVICE_CONTEXT Context,
    IN WDFREQUEST Request
    )
{
    PVOID buffer;

    if (NT_SUCCESS(WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), &buffer, NULL))) {
        *(PULONG)buffer = EDU_READ(Context, EDU_FACTORIAL);
    }
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, sizeof(ULONG));
}

/* EduEvtInterruptDpc completes the request that the device worked for, or starts the one that waited for the device. */
VOID
EduEvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(AssociatedObject);
    WDFREQUEST request, done = NULL;

    UNREFERENCED_PARAMETER(Interrupt);

    if (!(InterlockedExchange(&context->Causes, 0) & EDU_CAUSE_FACTORIAL)) {
        return;
    }
    WdfSpinLockAcquire(context->Lock);
    context->Busy = FALSE;
    request = context->Request;
    if (request != NULL && request != context->For) {
        context->Busy = TRUE;
        context->For = request;
        EduStart(context, request);
    } else if (request != NULL) {
        context->Request = NULL;
        done = request;
        /*
         * MISTAKE 2: STATUS_CANCELLED says that the cancel routine has been
         * called, or will be, and that it completes the request. Completing it
         * here, too, is once too often.
         */
        WdfRequestUnmarkCancelable(done);
    }
    WdfSpinLockRelease(context->Lock);
    if (done != NULL) {
        EduComplete(context, done);
        context->Ended++; /* MISTAKE 4, see below */
    }
}

/* EduEvtRequestCancel completes a request that its application has cancelled. */
VOID
EduEvtRequestCancel(
    IN WDFREQUEST Request
    )
{
    PEDU_DEVICE_CONTEXT context = EduGetContext(WdfIoQueueGetDevice(WdfRequestGetIoQueue(Request)));

    /*
     * MISTAKE 3: the DPC may be looking at it, under the lock, on another
     * processor, or the next request may be there already.
     */
    context->Request = NULL;
    WdfRequestComplete(Request, STATUS_CANCELLED);
    /*
     * MISTAKE 4: reading, adding and writing are three steps. When the DPC
     * counts on another processor at the same time, one of the two is lost.
     * InterlockedIncrement is one step.
     */
    context->Ended++;
}
