//go:build ignore

/*
 * transfer.c: a KMDF driver for the edu PCI device that moves data in all the
 * ways that KMDF has.
 *
 *   - Read and write are direct I/O: a DMA transaction moves the bytes between
 *     the pages of the application and the buffer of the device, EDU_MAX_TRANSFER
 *     bytes at a time.
 *   - IOCTL_TRANSFER_REVERSE is METHOD_NEITHER: EvtIoInCallerContext locks the
 *     buffers of the application, the queue's callback uses them later.
 *   - IOCTL_TRANSFER_BELOW goes to the driver below and is completed by a
 *     completion routine.
 *   - IOCTL_TRANSFER_OPENS returns how many requests came through the file.
 *
 * bash drivers/build.sh makes transfer.sys from it, and testdata/<name>.sys with
 * one of these mistakes:
 *
 *   BUG_EXECUTE_TWICE       a DMA transaction is executed while it is in transfer
 *   BUG_FORGET_RELEASE      a DMA transaction is initialized without a release
 *   BUG_SEND_LOST           a request is sent without a completion routine, and is lost
 *   BUG_USER_ADDRESS_DPC    the DPC writes to an address of the application
 */
#include <ntddk.h>
#include <wdf.h>

#include "../edu/edu.h"

#define IOCTL_TRANSFER_REVERSE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_NEITHER, FILE_ANY_ACCESS)
#define IOCTL_TRANSFER_BELOW   CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_TRANSFER_OPENS   CTL_CODE(FILE_DEVICE_UNKNOWN, 0x803, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFDMATRANSACTION Transaction;
    volatile LONG Causes;
    PUCHAR volatile UserAddress; /* of BUG_USER_ADDRESS_DPC */
} DEVICE_CONTEXT, *PDEVICE_CONTEXT;

typedef struct _REQUEST_CONTEXT {
    WDFMEMORY Input;
    WDFMEMORY Output;
} REQUEST_CONTEXT, *PREQUEST_CONTEXT;

typedef struct _FILE_CONTEXT {
    ULONG Requests;
} FILE_CONTEXT, *PFILE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(DEVICE_CONTEXT)
WDF_DECLARE_CONTEXT_TYPE(REQUEST_CONTEXT)
WDF_DECLARE_CONTEXT_TYPE(FILE_CONTEXT)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtPrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtReleaseHardware;
EVT_WDF_INTERRUPT_ISR EvtIsr;
EVT_WDF_INTERRUPT_DPC EvtDpc;
EVT_WDF_PROGRAM_DMA EvtProgramDma;
EVT_WDF_IO_IN_CALLER_CONTEXT EvtInCallerContext;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtDeviceControl;
EVT_WDF_IO_QUEUE_IO_READ EvtRead;
EVT_WDF_IO_QUEUE_IO_WRITE EvtWrite;
EVT_WDF_REQUEST_COMPLETION_ROUTINE EvtBack;
EVT_WDF_DEVICE_FILE_CREATE EvtFileCreate;
EVT_WDF_FILE_CLOSE EvtFileClose;

#define READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)
#define WRITE64(Context, Offset, Value) \
    WRITE_REGISTER_ULONG64((PULONG64)((Context)->Registers + (Offset)), Value)

NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* CreateDma makes the transaction: fragments of up to EDU_MAX_TRANSFER bytes, in one piece. */
static NTSTATUS
CreateDma(IN WDFDEVICE Device)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, DEVICE_CONTEXT);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler;
    NTSTATUS status;

    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, EDU_MAX_TRANSFER);
    config.AddressWidthOverride = 28;
    status = WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &context->Transaction);
}

NTSTATUS
EvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_FILEOBJECT_CONFIG files;
    WDF_INTERRUPT_CONFIG interrupt;
    WDF_IO_QUEUE_CONFIG queue;
    WDFINTERRUPT handle;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtPrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WdfDeviceInitSetIoType(DeviceInit, WdfDeviceIoDirect);
    WdfDeviceInitSetIoInCallerContextCallback(DeviceInit, EvtInCallerContext);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, REQUEST_CONTEXT);
    WdfDeviceInitSetRequestAttributes(DeviceInit, &attributes);

    WDF_FILEOBJECT_CONFIG_INIT(&files, EvtFileCreate, EvtFileClose, NULL);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, FILE_CONTEXT);
    WdfDeviceInitSetFileObjectConfig(DeviceInit, &files, &attributes);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_CONFIG_INIT(&interrupt, EvtIsr, EvtDpc);
    status = WdfInterruptCreate(device, &interrupt, WDF_NO_OBJECT_ATTRIBUTES, &handle);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreateDma(device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = EvtDeviceControl;
    queue.EvtIoRead = EvtRead;
    queue.EvtIoWrite = EvtWrite;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

NTSTATUS
EvtPrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST Raw, IN WDFCMRESLIST Translated)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Raw);

    for (ULONG i = 0; i < WdfCmResourceListGetCount(Translated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR d = WdfCmResourceListGetDescriptor(Translated, i);

        if (d->Type == CmResourceTypeMemory && context->Registers == NULL) {
            context->Registers = MmMapIoSpace(d->u.Memory.Start, EDU_REGISTERS_LENGTH, MmNonCached);
        }
    }
    return context->Registers == NULL ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

NTSTATUS
EvtReleaseHardware(IN WDFDEVICE Device, IN WDFCMRESLIST Translated)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Translated);

    if (context->Registers != NULL) {
        MmUnmapIoSpace(context->Registers, EDU_REGISTERS_LENGTH);
        context->Registers = NULL;
    }
    return STATUS_SUCCESS;
}

/* ---- Files ---- */

VOID
EvtFileCreate(IN WDFDEVICE Device, IN WDFREQUEST Request, IN WDFFILEOBJECT FileObject)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(FileObject);
    WdfRequestComplete(Request, STATUS_SUCCESS);
}

VOID
EvtFileClose(IN WDFFILEOBJECT FileObject)
{
    if (WdfObjectGetTypedContext(FileObject, FILE_CONTEXT)->Requests > 0) {
        DbgPrint("a file is closed");
    }
}

/* ---- Read and write: DMA ---- */

static VOID
Transfer(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN WDF_DMA_DIRECTION Direction)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), DEVICE_CONTEXT);
    NTSTATUS status;

    status = WdfDmaTransactionInitializeUsingRequest(context->Transaction, Request, EvtProgramDma, Direction);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionExecute(context->Transaction, context);
    }
#ifdef BUG_EXECUTE_TWICE
    status = WdfDmaTransactionExecute(context->Transaction, context);
#endif
    if (!NT_SUCCESS(status)) {
        WdfDmaTransactionRelease(context->Transaction);
        WdfRequestComplete(Request, status);
    }
}

VOID
EvtRead(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t Length)
{
    UNREFERENCED_PARAMETER(Length);
    Transfer(Queue, Request, WdfDmaDirectionReadFromDevice);
}

VOID
EvtWrite(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t Length)
{
    UNREFERENCED_PARAMETER(Length);
    Transfer(Queue, Request, WdfDmaDirectionWriteToDevice);
}

/* EvtProgramDma lets the device copy a fragment. */
BOOLEAN
EvtProgramDma(IN WDFDMATRANSACTION Transaction, IN WDFDEVICE Device, IN WDFCONTEXT Context, IN WDF_DMA_DIRECTION Direction,
              IN PSCATTER_GATHER_LIST List)
{
    PDEVICE_CONTEXT context = Context;
    ULONG64 memory = List->Elements[0].Address.QuadPart;
    BOOLEAN read = Direction == WdfDmaDirectionReadFromDevice;

    UNREFERENCED_PARAMETER(Transaction);
    UNREFERENCED_PARAMETER(Device);

    WRITE64(context, EDU_DMA_SOURCE, read ? EDU_DEVICE_BUFFER : memory);
    WRITE64(context, EDU_DMA_TARGET, read ? memory : EDU_DEVICE_BUFFER);
    WRITE64(context, EDU_DMA_COUNT, List->Elements[0].Length);
    WRITE64(context, EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_INTERRUPT | (read ? EDU_DMA_FROM_DEVICE : 0));
    return List->NumberOfElements == 1;
}

BOOLEAN
EvtIsr(IN WDFINTERRUPT Interrupt, IN ULONG MessageID)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), DEVICE_CONTEXT);
    ULONG causes = READ(context, EDU_CAUSES);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
    InterlockedOr(&context->Causes, causes);
    WRITE(context, EDU_ACKNOWLEDGE, causes);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtDpc goes on with the next fragment, or completes the request. */
VOID
EvtDpc(IN WDFINTERRUPT Interrupt, IN WDFOBJECT Device)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, DEVICE_CONTEXT);
    WDFREQUEST request;
    NTSTATUS status;
    size_t bytes;

    UNREFERENCED_PARAMETER(Interrupt);

#ifdef BUG_USER_ADDRESS_DPC
    if (context->UserAddress != NULL) {
        *context->UserAddress = 1;
    }
#endif
    if ((InterlockedExchange(&context->Causes, 0) & EDU_CAUSE_DMA) == 0) {
        return;
    }
    request = WdfDmaTransactionGetRequest(context->Transaction);
    if (!WdfDmaTransactionDmaCompleted(context->Transaction, &status)) {
        return;
    }
    bytes = WdfDmaTransactionGetBytesTransferred(context->Transaction);
#ifndef BUG_FORGET_RELEASE
    WdfDmaTransactionRelease(context->Transaction);
#endif
    WdfRequestCompleteWithInformation(request, status, bytes);
}

/* ---- I/O controls ---- */

/* LockBuffers locks the buffers of IOCTL_TRANSFER_REVERSE in the process of the application. */
static NTSTATUS
LockBuffers(IN WDFDEVICE Device, IN WDFREQUEST Request)
{
    PREQUEST_CONTEXT context = WdfObjectGetTypedContext(Request, REQUEST_CONTEXT);
    size_t length;
    NTSTATUS status;
    PVOID p;

    status = WdfRequestRetrieveUnsafeUserInputBuffer(Request, 1, &p, &length);
    if (NT_SUCCESS(status)) {
        status = WdfRequestProbeAndLockUserBufferForRead(Request, p, length, &context->Input);
    }
    if (NT_SUCCESS(status)) {
        status = WdfRequestRetrieveUnsafeUserOutputBuffer(Request, length, &p, &length);
    }
    if (NT_SUCCESS(status)) {
        WdfObjectGetTypedContext(Device, DEVICE_CONTEXT)->UserAddress = p;
        status = WdfRequestProbeAndLockUserBufferForWrite(Request, p, length, &context->Output);
    }
    return status;
}

VOID
EvtInCallerContext(IN WDFDEVICE Device, IN WDFREQUEST Request)
{
    WDF_REQUEST_PARAMETERS parameters;
    NTSTATUS status = STATUS_SUCCESS;

    WdfObjectGetTypedContext(WdfRequestGetFileObject(Request), FILE_CONTEXT)->Requests++;

    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(Request, &parameters);
    if (parameters.Type == WdfRequestTypeDeviceControl &&
        parameters.Parameters.DeviceIoControl.IoControlCode == IOCTL_TRANSFER_REVERSE) {
        status = LockBuffers(Device, Request);
    }
    if (NT_SUCCESS(status)) {
        status = WdfDeviceEnqueueRequest(Device, Request);
    }
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

static VOID
Reverse(IN WDFREQUEST Request)
{
    PREQUEST_CONTEXT context = WdfObjectGetTypedContext(Request, REQUEST_CONTEXT);
    size_t length, room;
    PUCHAR from = WdfMemoryGetBuffer(context->Input, &length);
    PUCHAR to = WdfMemoryGetBuffer(context->Output, &room);

    for (size_t i = 0; i < length; i++) {
        to[i] = from[length - 1 - i];
    }
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, length);
}

/* Below sends a request to the driver below. */
static VOID
Below(IN WDFDEVICE Device, IN WDFREQUEST Request)
{
    WdfRequestFormatRequestUsingCurrentType(Request);
#ifdef BUG_SEND_LOST
    WdfRequestSend(Request, WdfDeviceGetIoTarget(Device), WDF_NO_SEND_OPTIONS);
#else
    WdfRequestSetCompletionRoutine(Request, EvtBack, Device);
    if (!WdfRequestSend(Request, WdfDeviceGetIoTarget(Device), WDF_NO_SEND_OPTIONS)) {
        WdfRequestComplete(Request, WdfRequestGetStatus(Request));
    }
#endif
}

VOID
EvtBack(IN WDFREQUEST Request, IN WDFIOTARGET Target, IN PWDF_REQUEST_COMPLETION_PARAMS Params, IN WDFCONTEXT Context)
{
    UNREFERENCED_PARAMETER(Target);
    UNREFERENCED_PARAMETER(Context);
    WdfRequestCompleteWithInformation(Request, Params->IoStatus.Status, Params->IoStatus.Information);
}

VOID
EvtDeviceControl(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputLength, IN size_t InputLength, IN ULONG Code)
{
    NTSTATUS status;
    PULONG p;

    UNREFERENCED_PARAMETER(OutputLength);
    UNREFERENCED_PARAMETER(InputLength);

    switch (Code) {
    case IOCTL_TRANSFER_REVERSE:
        Reverse(Request);
        break;
    case IOCTL_TRANSFER_BELOW:
        Below(WdfIoQueueGetDevice(Queue), Request);
        break;
    case IOCTL_TRANSFER_OPENS:
        status = WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), (PVOID *)&p, NULL);
        if (NT_SUCCESS(status)) {
            *p = WdfObjectGetTypedContext(WdfRequestGetFileObject(Request), FILE_CONTEXT)->Requests;
        }
        WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? sizeof(ULONG) : 0);
        break;
    default:
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
    }
}
