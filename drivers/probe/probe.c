//go:build ignore

/*
 * probe.c: a KMDF driver for hardware that does not exist, so that only unknown
 * hardware (dirql explore --device unknown) can stand in for it.
 *
 *   - BAR of memory: PROBE_ID has to read PROBE_MAGIC, or the driver refuses the
 *     device; PROBE_SLOT says in the ISR which slot is ready.
 *   - I/O ports: the driver waits for PROBE_READY in the first one.
 *   - IOCTL_PROBE_COUNT returns how often a slot was ready.
 *
 * bash drivers/build.sh makes probe.sys from it, and testdata/<name>.sys with one
 * of these mistakes:
 *
 *   BUG_TRUST_SLOT     the slot that the device says is not checked
 *   BUG_POLL_FOREVER   the wait for the port has no end
 *   BUG_KEEP_MAPPING   the registers stay mapped, and a block allocated, where the device is refused
 */
#include <ntddk.h>
#include <wdf.h>

#define IOCTL_PROBE_COUNT CTL_CODE(FILE_DEVICE_UNKNOWN, 0x912, METHOD_BUFFERED, FILE_ANY_ACCESS)

#define PROBE_ID    0x00
#define PROBE_SLOT  0x08
#define PROBE_ACK   0x0C
#define PROBE_MAGIC 0x50524F42
#define PROBE_READY 0x5A
#define PROBE_SLOTS 16
#define PROBE_BYTES 0x1000
#define PROBE_TAG   'borP'

typedef struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    PUSHORT Port;
    volatile LONG *Slots; /* how often each was ready */
    volatile UCHAR Ready; /* what the port reads when it is */
} DEVICE_CONTEXT, *PDEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(DEVICE_CONTEXT)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;
EVT_WDF_DEVICE_PREPARE_HARDWARE EvtPrepareHardware;
EVT_WDF_DEVICE_RELEASE_HARDWARE EvtReleaseHardware;
EVT_WDF_INTERRUPT_ISR EvtIsr;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtDeviceControl;

NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

NTSTATUS
EvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
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
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_CONFIG_INIT(&interrupt, EvtIsr, NULL);
    status = WdfInterruptCreate(device, &interrupt, WDF_NO_OBJECT_ATTRIBUTES, &handle);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = EvtDeviceControl;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* WaitUntilReady polls the first port, often but not for ever. */
static BOOLEAN
WaitUntilReady(IN PDEVICE_CONTEXT Context)
{
#ifdef BUG_POLL_FOREVER
    while ((UCHAR)(READ_PORT_UCHAR(Context->Port) * 2 + 1) != Context->Ready) { /* which is even */
    }
    return TRUE;
#else
    for (ULONG i = 0; i < 500; i++) {
        if (READ_PORT_UCHAR(Context->Port) == PROBE_READY) {
            return TRUE;
        }
    }
    return FALSE;
#endif
}

/* GiveBack undoes what EvtPrepareHardware did. */
static VOID
GiveBack(IN PDEVICE_CONTEXT Context)
{
    if (Context->Registers != NULL) {
        MmUnmapIoSpace(Context->Registers, PROBE_BYTES);
        Context->Registers = NULL;
    }
    if (Context->Slots != NULL) {
        ExFreePoolWithTag((PVOID)Context->Slots, PROBE_TAG);
        Context->Slots = NULL;
    }
}

NTSTATUS
EvtPrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST Raw, IN WDFCMRESLIST Translated)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Raw);

    context->Ready = PROBE_READY;
    for (ULONG i = 0; i < WdfCmResourceListGetCount(Translated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR d = WdfCmResourceListGetDescriptor(Translated, i);

        if (d->Type == CmResourceTypeMemory && context->Registers == NULL && d->u.Memory.Length >= PROBE_BYTES) {
            context->Registers = MmMapIoSpace(d->u.Memory.Start, PROBE_BYTES, MmNonCached);
        } else if (d->Type == CmResourceTypePort && context->Port == NULL) {
            context->Port = (PUSHORT)(ULONG_PTR)d->u.Port.Start.QuadPart;
        }
    }
    if (context->Registers == NULL || context->Port == NULL) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    context->Slots = ExAllocatePoolWithTag(NonPagedPoolNx, PROBE_SLOTS * sizeof(LONG), PROBE_TAG);
    if (context->Slots == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG i = 0; i < PROBE_SLOTS; i++) {
        context->Slots[i] = 0;
    }
    if (READ_REGISTER_ULONG((PULONG)(context->Registers + PROBE_ID)) != PROBE_MAGIC || !WaitUntilReady(context)) {
#ifdef BUG_KEEP_MAPPING
        context->Registers = NULL;
        context->Slots = NULL;
#endif
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    return STATUS_SUCCESS;
}

/* The framework calls it also where EvtPrepareHardware failed. */
NTSTATUS
EvtReleaseHardware(IN WDFDEVICE Device, IN WDFCMRESLIST Translated)
{
    UNREFERENCED_PARAMETER(Translated);
    GiveBack(WdfObjectGetTypedContext(Device, DEVICE_CONTEXT));
    return STATUS_SUCCESS;
}

BOOLEAN
EvtIsr(IN WDFINTERRUPT Interrupt, IN ULONG MessageID)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), DEVICE_CONTEXT);
    ULONG slot = READ_REGISTER_ULONG((PULONG)(context->Registers + PROBE_SLOT));

    UNREFERENCED_PARAMETER(MessageID);

#ifndef BUG_TRUST_SLOT
    if (slot >= PROBE_SLOTS) {
        return FALSE;
    }
#endif
    InterlockedIncrement(&context->Slots[slot]);
    WRITE_REGISTER_ULONG((PULONG)(context->Registers + PROBE_ACK), slot);
    return TRUE;
}

VOID
EvtDeviceControl(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputBufferLength, IN size_t InputBufferLength,
                 IN ULONG IoControlCode)
{
    PDEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), DEVICE_CONTEXT);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    PLONG count = NULL;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode == IOCTL_PROBE_COUNT) {
        status = WdfRequestRetrieveOutputBuffer(Request, sizeof(LONG), (PVOID *)&count, NULL);
        if (NT_SUCCESS(status)) {
            LONG n = 0;

            for (ULONG i = 0; i < PROBE_SLOTS; i++) {
                n += InterlockedOr(&context->Slots[i], 0);
            }
            *count = n;
        }
    }
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? sizeof(LONG) : 0);
}
