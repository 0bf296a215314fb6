//go:build ignore

/*
 * edu.c: a KMDF driver for the edu PCI device: the worked example of dirql as a
 * driver binary. It is the driver of the Go files beside it, in C: the same
 * callbacks make the same calls in the same order. It shows what a driver of a
 * device with an interrupt has to get right:
 *
 *   - EduEvtInterruptIsr does the minimum at DIRQL: it asks its device whether
 *     it interrupted, remembers the causes, acknowledges them, and queues the
 *     DPC. EduEvtInterruptDpc does the rest at DISPATCH_LEVEL.
 *   - One request at a time, each of them cancelable; DPC, cancel routine and
 *     EvtIoStop agree under a lock on who completes it.
 *
 * Requests: IOCTL_EDU_FACTORIAL takes a 32-bit number and returns its factorial
 * modulo 2^32; write and read move up to 4096 bytes to and from the device's
 * buffer by DMA.
 *
 * bash drivers/build.sh makes edu.sys from it. With one of the BUG_ macros
 * below, the driver contains one mistake that a test looks for; build.sh makes
 * testdata/<name>.sys for each.
 *
 *   BUG_COMPLETE_TWICE      a request is completed twice
 *   BUG_FREED_POOL_DPC      the DPC uses a pool block that it has freed
 *   BUG_INVALID_INTERRUPT   the ISR passes a handle of another type as its WDFINTERRUPT
 *   BUG_ISR_IRQL            the ISR raises the IRQL and returns so
 *   BUG_PAGEABLE_DPC        the DPC's code is in a pageable section
 *   BUG_PAGED_POOL_DPC      the DPC writes to paged pool
 *   BUG_WAIT_DPC            the DPC waits for an event
 */
#include <ntddk.h>
#include <wdf.h>

#include "edu.h"

/* A block of pool that the DPC of some broken variants counts in. */
#if defined(BUG_PAGED_POOL_DPC)
#define EDU_COUNTERS_POOL PagedPool
#elif defined(BUG_FREED_POOL_DPC)
#define EDU_COUNTERS_POOL NonPagedPoolNx
#endif
#define EDU_POOL_TAG ' udE'

/*
 * The device context. Causes is shared by the ISR and the DPC, which use
 * interlocked operations; Request, Started and Busy are protected by Lock.
 */
typedef struct _EDU_DEVICE_CONTEXT {
    PUCHAR Registers;          /* mapped BAR 0 */
    PUCHAR Buffer;             /* for DMA, EDU_MAX_TRANSFER bytes */
    PHYSICAL_ADDRESS BufferPA; /* its physical address */
    WDFSPINLOCK Lock;
    WDFINTERRUPT Interrupt;
    _Guarded_by_(Lock) WDFREQUEST Request; /* the request that is worked on, or NULL */
    volatile LONG Causes;                  /* interrupt causes that the DPC has not seen */
    _Guarded_by_(Lock) BOOLEAN Busy;       /* the device works */
    _Guarded_by_(Lock) BOOLEAN Started;    /* it works for Request, not for one that was taken back */
#ifdef EDU_COUNTERS_POOL
    volatile LONG *Counters;
#endif
} EDU_DEVICE_CONTEXT, *PEDU_DEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(EDU_DEVICE_CONTEXT)

CODE_SEG("INIT") DRIVER_INITIALIZE DriverEntry;

CODE_SEG("PAGE") EVT_WDF_DRIVER_DEVICE_ADD EduEvtDeviceAdd;
CODE_SEG("PAGE") EVT_WDF_DEVICE_PREPARE_HARDWARE EduEvtDevicePrepareHardware;
CODE_SEG("PAGE") EVT_WDF_DEVICE_RELEASE_HARDWARE EduEvtDeviceReleaseHardware;
EVT_WDF_DEVICE_D0_ENTRY EduEvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EduEvtDeviceD0Exit;

EVT_WDF_INTERRUPT_ISR EduEvtInterruptIsr;
#ifdef BUG_PAGEABLE_DPC
CODE_SEG("PAGE")
#endif
EVT_WDF_INTERRUPT_DPC EduEvtInterruptDpc;
EVT_WDF_INTERRUPT_DISABLE EduEvtInterruptDisable;

EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EduEvtIoDeviceControl;
EVT_WDF_IO_QUEUE_IO_READ EduEvtIoTransfer;
EVT_WDF_IO_QUEUE_IO_WRITE EduEvtIoTransfer;
EVT_WDF_IO_QUEUE_IO_STOP EduEvtIoStop;
EVT_WDF_REQUEST_CANCEL EduEvtRequestCancel;

CODE_SEG("PAGE") static NTSTATUS EduCreateQueue(_In_ WDFDEVICE Device);
static VOID EduFinishOperation(_In_ PEDU_DEVICE_CONTEXT Context);

/* ---- Driver and device ---- */

/* DriverEntry creates the driver object. */
_Use_decl_annotations_
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
_Use_decl_annotations_
NTSTATUS
EduEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_INTERRUPT_CONFIG config;
    PEDU_DEVICE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EduEvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EduEvtDeviceReleaseHardware;
    callbacks.EvtDeviceD0Entry = EduEvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EduEvtDeviceD0Exit;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDU_DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = WdfObjectGetTypedContext(device, EDU_DEVICE_CONTEXT);

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfSpinLockCreate(&attributes, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }

    WDF_INTERRUPT_CONFIG_INIT(&config, EduEvtInterruptIsr, EduEvtInterruptDpc);
    config.EvtInterruptDisable = EduEvtInterruptDisable;
    status = WdfInterruptCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return EduCreateQueue(device);
}

/* EduEvtDevicePrepareHardware maps the registers and gets memory for DMA. */
_Use_decl_annotations_
NTSTATUS
EduEvtDevicePrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, EDU_DEVICE_CONTEXT);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);
    PHYSICAL_ADDRESS highest = {.QuadPart = EDU_DMA_LIMIT};

    UNREFERENCED_PARAMETER(ResourcesRaw);
    PAGED_CODE();

    for (ULONG i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && descriptor->u.Memory.Length >= EDU_REGISTERS_LENGTH &&
            context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, EDU_REGISTERS_LENGTH, MmNonCached);
        }
    }
    if (context->Registers == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    context->Buffer = MmAllocateContiguousMemory(EDU_MAX_TRANSFER, highest);
    if (context->Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    context->BufferPA = MmGetPhysicalAddress(context->Buffer);
#ifdef EDU_COUNTERS_POOL
    context->Counters = ExAllocatePoolWithTag(EDU_COUNTERS_POOL, sizeof(LONG), EDU_POOL_TAG);
    if (context->Counters == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *context->Counters = 0;
#endif
    return STATUS_SUCCESS;
}

/*
 * EduEvtDeviceReleaseHardware undoes EduEvtDevicePrepareHardware, which may
 * have failed half way.
 */
_Use_decl_annotations_
NTSTATUS
EduEvtDeviceReleaseHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, EDU_DEVICE_CONTEXT);
    PVOID p;

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    PAGED_CODE();

#ifdef EDU_COUNTERS_POOL
    p = InterlockedExchangePointer(&context->Counters, NULL);
    if (p != NULL) {
        ExFreePoolWithTag(p, EDU_POOL_TAG);
    }
#endif
    p = InterlockedExchangePointer(&context->Buffer, NULL);
    if (p != NULL) {
        MmFreeContiguousMemory(p);
    }
    p = InterlockedExchangePointer(&context->Registers, NULL);
    if (p != NULL) {
        MmUnmapIoSpace(p, EDU_REGISTERS_LENGTH);
    }
    return STATUS_SUCCESS;
}

/*
 * EduEvtDeviceD0Entry starts from a device that has just been reset: nothing
 * that was under way is any more.
 */
_Use_decl_annotations_
NTSTATUS
EduEvtDeviceD0Entry(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE PreviousState
    )
{
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, EDU_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(PreviousState);

    context->Causes = 0;
    context->Busy = FALSE;
    return STATUS_SUCCESS;
}

/*
 * EduEvtDeviceD0Exit has nothing to save: the queue was stopped and the
 * interrupt disabled before.
 */
_Use_decl_annotations_
NTSTATUS
EduEvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(TargetState);
    return STATUS_SUCCESS;
}

/* ---- Registers ---- */

#define EDU_READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define EDU_WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)
#define EDU_WRITE64(Context, Offset, Value) \
    WRITE_REGISTER_ULONG64((PULONG64)((Context)->Registers + (Offset)), Value)

/* ---- Interrupt ---- */

/*
 * EduEvtInterruptIsr runs at DIRQL. The line can be shared, and an interrupt
 * can come although the device has none, so it asks the device first. All ones
 * are what a device that is gone reads as.
 */
_Use_decl_annotations_
BOOLEAN
EduEvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    WDFDEVICE device = WdfInterruptGetDevice(Interrupt);
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(device, EDU_DEVICE_CONTEXT);
    ULONG causes;

    UNREFERENCED_PARAMETER(MessageID);

    causes = EDU_READ(context, EDU_CAUSES);
    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
    /* Accumulate: several interrupts may come before the DPC runs. */
    InterlockedOr(&context->Causes, causes);
    EDU_WRITE(context, EDU_ACKNOWLEDGE, causes);
#ifdef BUG_INVALID_INTERRUPT
    Interrupt = (WDFINTERRUPT)context->Lock;
#endif
    WdfInterruptQueueDpcForIsr(Interrupt);
#ifdef BUG_ISR_IRQL
    KIRQL irql;
    KeRaiseIrql(HIGH_LEVEL, &irql);
#endif
    return TRUE;
}

/*
 * EduEvtInterruptDpc runs at DISPATCH_LEVEL, once for any number of interrupts,
 * and possibly again on another processor before it has returned: taking the
 * causes is one interlocked operation.
 */
_Use_decl_annotations_
VOID
EduEvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedObject, EDU_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Interrupt);

#ifdef BUG_FREED_POOL_DPC
    ExFreePoolWithTag((PVOID)context->Counters, EDU_POOL_TAG);
#endif
#ifdef EDU_COUNTERS_POOL
    *context->Counters += 1;
#endif
#ifdef BUG_WAIT_DPC
    KEVENT ready;
    KeInitializeEvent(&ready, NotificationEvent, FALSE);
    KeWaitForSingleObject(&ready, Executive, KernelMode, FALSE, NULL);
#endif
    if (InterlockedExchange(&context->Causes, 0) & (EDU_CAUSE_FACTORIAL | EDU_CAUSE_DMA)) {
        EduFinishOperation(context);
    }
}

/*
 * EduEvtInterruptDisable keeps the device from interrupting. It runs at DIRQL
 * with the interrupt lock held, also when the device is gone.
 */
_Use_decl_annotations_
NTSTATUS
EduEvtInterruptDisable(
    IN WDFINTERRUPT Interrupt,
    IN WDFDEVICE AssociatedDevice
    )
{
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedDevice, EDU_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Interrupt);

    EDU_WRITE(context, EDU_STATUS, 0);
    EDU_WRITE(context, EDU_ACKNOWLEDGE, 0xFFFFFFFF);
    return STATUS_SUCCESS;
}

/* ---- Requests ----
 *
 * The life of a request: EduPresent keeps it in the context, marks it
 * cancelable and lets the device work for it. Whoever takes it out of the
 * context, under the lock, completes it: the DPC (EduFinishOperation), the
 * cancel routine, or EvtIoStop. The device cannot be stopped in the middle of
 * an operation: when its request was taken back, Busy stays set, and the next
 * request waits for the interrupt of the old operation.
 */

/* EduCreateQueue creates the default queue: one request at a time. */
static NTSTATUS
EduCreateQueue(
    IN WDFDEVICE Device
    )
{
    WDF_IO_QUEUE_CONFIG config;

    PAGED_CODE();

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EduEvtIoDeviceControl;
    config.EvtIoRead = EduEvtIoTransfer;
    config.EvtIoWrite = EduEvtIoTransfer;
    config.EvtIoStop = EduEvtIoStop;
    return WdfIoQueueCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EduStartDma lets the device copy Length bytes. */
static VOID
EduStartDma(
    IN PEDU_DEVICE_CONTEXT Context,
    IN ULONG64 Source,
    IN ULONG64 Target,
    IN size_t Length,
    IN ULONG Command
    )
{
    EDU_WRITE64(Context, EDU_DMA_SOURCE, Source);
    EDU_WRITE64(Context, EDU_DMA_TARGET, Target);
    EDU_WRITE64(Context, EDU_DMA_COUNT, Length);
    EDU_WRITE64(Context, EDU_DMA_COMMAND, Command);
}

/*
 * EduStartOperation lets the device work for a request. Its buffers were
 * checked when it was presented, so that nothing here can fail.
 */
_Requires_lock_held_(Context->Lock)
static VOID
EduStartOperation(
    IN PEDU_DEVICE_CONTEXT Context,
    IN WDFREQUEST Request
    )
{
    WDF_REQUEST_PARAMETERS parameters;
    PVOID buffer;
    size_t length;

    Context->Busy = TRUE;
    Context->Started = TRUE;
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(Request, &parameters);
    switch (parameters.Type) {
    case WdfRequestTypeDeviceControl:
        if (NT_SUCCESS(WdfRequestRetrieveInputBuffer(Request, sizeof(ULONG), &buffer, NULL))) {
            EDU_WRITE(Context, EDU_STATUS, EDU_STATUS_INTERRUPT);
            EDU_WRITE(Context, EDU_FACTORIAL, *(PULONG)buffer);
        }
        break;
    case WdfRequestTypeWrite:
        if (NT_SUCCESS(WdfRequestRetrieveInputBuffer(Request, 1, &buffer, &length))) {
            RtlCopyMemory(Context->Buffer, buffer, length);
            EduStartDma(Context, Context->BufferPA.QuadPart, EDU_DEVICE_BUFFER, length, EDU_DMA_START | EDU_DMA_INTERRUPT);
        }
        break;
    case WdfRequestTypeRead:
        if (NT_SUCCESS(WdfRequestRetrieveOutputBuffer(Request, 1, &buffer, &length))) {
            EduStartDma(Context, EDU_DEVICE_BUFFER, Context->BufferPA.QuadPart, length,
                EDU_DMA_START | EDU_DMA_FROM_DEVICE | EDU_DMA_INTERRUPT);
        }
        break;
    default:
        break;
    }
}

/* EduPresent takes a request over from the queue. */
static VOID
EduPresent(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request
    )
{
    WDFDEVICE device = WdfIoQueueGetDevice(Queue);
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(device, EDU_DEVICE_CONTEXT);
    NTSTATUS status;

    WdfSpinLockAcquire(context->Lock);
    status = WdfRequestMarkCancelableEx(Request, EduEvtRequestCancel);
    if (NT_SUCCESS(status)) {
        context->Request = Request;
        if (!context->Busy) {
            EduStartOperation(context, Request);
        }
    }
    WdfSpinLockRelease(context->Lock);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

/* EduEvtIoDeviceControl checks the buffers of a factorial request. */
_Use_decl_annotations_
VOID
EduEvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    PVOID buffer;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_EDU_FACTORIAL) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    status = WdfRequestRetrieveInputBuffer(Request, sizeof(ULONG), &buffer, NULL);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    status = WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), &buffer, NULL);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    EduPresent(Queue, Request);
}

/* EduEvtIoTransfer takes reads and writes. */
_Use_decl_annotations_
VOID
EduEvtIoTransfer(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    if (Length > EDU_MAX_TRANSFER) {
        WdfRequestComplete(Request, STATUS_INVALID_PARAMETER);
        return;
    }
    EduPresent(Queue, Request);
}

/*
 * EduComplete returns the result of the device's work. No lock is held:
 * completing a request can present the next one in this very call.
 */
static VOID
EduComplete(
    IN PEDU_DEVICE_CONTEXT Context,
    IN WDFREQUEST Request
    )
{
    WDF_REQUEST_PARAMETERS parameters;
    PVOID buffer;
    size_t length = 0;

    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(Request, &parameters);
    switch (parameters.Type) {
    case WdfRequestTypeDeviceControl:
        if (NT_SUCCESS(WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), &buffer, NULL))) {
            *(PULONG)buffer = EDU_READ(Context, EDU_FACTORIAL);
            length = sizeof(ULONG);
        }
        break;
    case WdfRequestTypeWrite:
        length = parameters.Parameters.Write.Length;
        break;
    case WdfRequestTypeRead:
        if (NT_SUCCESS(WdfRequestRetrieveOutputBuffer(Request, 1, &buffer, &length))) {
            RtlCopyMemory(buffer, Context->Buffer, length);
        }
        break;
    default:
        break;
    }
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, length);
#ifdef BUG_COMPLETE_TWICE
    WdfRequestComplete(Request, STATUS_SUCCESS);
#endif
}

/*
 * EduFinishOperation is what the DPC does when the device is ready: it
 * completes the request that the device worked for, if it is still here, or
 * starts the one that waited for the device.
 */
static VOID
EduFinishOperation(
    IN PEDU_DEVICE_CONTEXT Context
    )
{
    WDFREQUEST request;
    WDFREQUEST done = NULL;

    WdfSpinLockAcquire(Context->Lock);
    Context->Busy = FALSE;
    request = Context->Request;
    if (request == NULL) {
        /* It was taken back. */
    } else if (!Context->Started) {
        EduStartOperation(Context, request);
    } else if (WdfRequestUnmarkCancelable(request) != STATUS_CANCELLED) {
        Context->Request = NULL;
        Context->Started = FALSE;
        done = request;
    }
    WdfSpinLockRelease(Context->Lock);
    if (done != NULL) {
        EduComplete(Context, done);
    }
}

/*
 * EduTakeBack takes a request out of the context. The device goes on working
 * for nobody.
 */
_Requires_lock_held_(Context->Lock)
static VOID
EduTakeBack(
    IN PEDU_DEVICE_CONTEXT Context
    )
{
    Context->Request = NULL;
    Context->Started = FALSE;
}

/*
 * EduEvtRequestCancel completes a request that its application has cancelled.
 * From here on it is ours: WdfRequestUnmarkCancelable answers STATUS_CANCELLED
 * to everybody else.
 */
_Use_decl_annotations_
VOID
EduEvtRequestCancel(
    IN WDFREQUEST Request
    )
{
    WDFQUEUE queue = WdfRequestGetIoQueue(Request);
    WDFDEVICE device = WdfIoQueueGetDevice(queue);
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(device, EDU_DEVICE_CONTEXT);

    WdfSpinLockAcquire(context->Lock);
    EduTakeBack(context);
    WdfSpinLockRelease(context->Lock);
    WdfRequestComplete(Request, STATUS_CANCELLED);
}

/*
 * EduEvtIoStop gives a request back that the device cannot finish: on
 * power-down it is put back into the queue and presented again in D0, on
 * removal it ends.
 */
_Use_decl_annotations_
VOID
EduEvtIoStop(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN ULONG ActionFlags
    )
{
    WDFDEVICE device = WdfIoQueueGetDevice(Queue);
    PEDU_DEVICE_CONTEXT context = WdfObjectGetTypedContext(device, EDU_DEVICE_CONTEXT);
    BOOLEAN ours;

    WdfSpinLockAcquire(context->Lock);
    ours = context->Request == Request && WdfRequestUnmarkCancelable(Request) != STATUS_CANCELLED;
    if (ours) {
        EduTakeBack(context);
    }
    WdfSpinLockRelease(context->Lock);
    if (!ours) {
        return; /* the DPC or the cancel routine has it and completes it */
    }
    if (ActionFlags & WdfRequestStopActionSuspend) {
        WdfRequestStopAcknowledge(Request, TRUE);
    } else {
        WdfRequestComplete(Request, STATUS_DEVICE_REMOVED);
    }
}
