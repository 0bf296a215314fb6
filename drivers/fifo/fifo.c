//go:build ignore

/*
 * fifo.c: a KMDF driver for a device with a queue of bytes behind an I/O port. What
 * is written goes to the device with one string instruction, what is read comes from it
 * with another, in elements of one, two or four bytes.
 *
 *   BUG_SHORT_BUFFER  more is read from the device than the request has room for
 */
#include <ntddk.h>
#include <wdf.h>

/* I/O ports of the device, in BAR 0. */
#define DATA   0 /* 1, 2 or 4 bytes: to the queue, or from it */
#define LENGTH 4 /* 4 bytes: how many are in it */

typedef struct _FIFO_CONTEXT {
    PUCHAR Ports;
} FIFO_CONTEXT, *PFIFO_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(FIFO_CONTEXT)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD FifoEvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE FifoEvtDevicePrepareHardware;
EVT_WDF_IO_QUEUE_IO_READ FifoEvtIoRead;
EVT_WDF_IO_QUEUE_IO_WRITE FifoEvtIoWrite;

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, FifoEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

_Use_decl_annotations_
NTSTATUS
FifoEvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG queue;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = FifoEvtDevicePrepareHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, FIFO_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoRead = FifoEvtIoRead;
    queue.EvtIoWrite = FifoEvtIoWrite;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

_Use_decl_annotations_
NTSTATUS
FifoEvtDevicePrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesRaw, IN WDFCMRESLIST ResourcesTranslated)
{
    PFIFO_CONTEXT context = WdfObjectGetTypedContext(Device, FIFO_CONTEXT);
    PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, 0);

    UNREFERENCED_PARAMETER(ResourcesRaw);
    if (descriptor == NULL || descriptor->Type != CmResourceTypePort) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    context->Ports = (PUCHAR)(ULONG_PTR)descriptor->u.Port.Start.QuadPart;
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
VOID
FifoEvtIoWrite(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t Length)
{
    PFIFO_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), FIFO_CONTEXT);
    PUCHAR buffer;
    NTSTATUS status = WdfRequestRetrieveInputBuffer(Request, 1, (PVOID *)&buffer, &Length);

    if (NT_SUCCESS(status)) {
        size_t words = Length / 4;

        WRITE_PORT_BUFFER_ULONG(context->Ports + DATA, buffer, words);
        WRITE_PORT_BUFFER_UCHAR(context->Ports + DATA, buffer + 4 * words, Length % 4);
    }
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? Length : 0);
}

_Use_decl_annotations_
VOID
FifoEvtIoRead(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t Length)
{
    PFIFO_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), FIFO_CONTEXT);
    PUCHAR buffer;
    NTSTATUS status = WdfRequestRetrieveOutputBuffer(Request, 1, (PVOID *)&buffer, &Length);
    ULONG length = READ_PORT_ULONG(context->Ports + LENGTH);

    if (NT_SUCCESS(status)) {
#ifndef BUG_SHORT_BUFFER
        if (length > Length) {
            length = (ULONG)Length;
        }
#endif
        READ_PORT_BUFFER_USHORT(context->Ports + DATA, buffer, length / 2);
        READ_PORT_BUFFER_UCHAR(context->Ports + DATA, buffer + length / 2 * 2, length % 2);
    }
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? length : 0);
}
