//go:build ignore

/*
 * Pattern 2: the flag is tested before the counter is incremented.
 *
 * The receive path of a network adapter. The DPC counts itself in and out, so
 * that stop can wait until it is outside before it frees the receive buffer.
 *
 * What goes wrong: the DPC looks at Enabled first and then counts itself in.
 * Stop, on another processor, clears Enabled and finds the counter at zero just
 * between the two: nobody is inside, it seems, and it frees the buffer that the
 * DPC is about to use.
 *
 * The mend: count in first, then look. Either stop sees the counter, or the DPC
 * sees that Enabled is cleared. (Windows has this ready-made: rundown
 * protection, ExAcquireRundownProtection.)
 *
 * Clauses: DPC-22, VER-7. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    volatile LONG Enabled; /* there is a buffer that the DPC may use */
    volatile LONG Inside;  /* DPCs that may use it right now */
    PULONG Buffer;
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* EvtDeviceAdd creates the device, its interrupt and a queue for requests at PASSIVE_LEVEL. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &GetContext(device)->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, &attributes, WDF_NO_HANDLE);
}

/* EvtInterruptIsr: reading the causes clears them. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == RING_GONE || !(causes & RING_RECEIVED)) {
        return FALSE;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* IsEnabled reads the flag with a full barrier, as an interlocked operation. */
static BOOLEAN
IsEnabled(
    IN PDEVICE_CONTEXT Context
    )
{
    return InterlockedCompareExchange(&Context->Enabled, 0, 0) != 0;
}

/* Enter counts the caller in, and says whether it may use the buffer. Leave counts it out. */
static BOOLEAN
Enter(
    IN PDEVICE_CONTEXT Context
    )
{
#ifdef BUG
    if (!IsEnabled(Context)) {
        return FALSE;
    }
    InterlockedIncrement(&Context->Inside);
    return TRUE;
#else
    InterlockedIncrement(&Context->Inside);
    if (!IsEnabled(Context)) {
        InterlockedDecrement(&Context->Inside);
        return FALSE;
    }
    return TRUE;
#endif
}

static VOID
Leave(
    IN PDEVICE_CONTEXT Context
    )
{
    InterlockedDecrement(&Context->Inside);
}

/* EvtInterruptDpc moves packets to the buffer. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    ULONG packet;

    UNREFERENCED_PARAMETER(Interrupt);

    if (!Enter(context)) {
        return;
    }
    for (packet = RING_READ(context, RING_PACKET); packet != 0 && packet != RING_GONE;
         packet = RING_READ(context, RING_PACKET)) {
        InterlockedExchange(context->Buffer, packet);
    }
    Leave(context);
}

static NTSTATUS
Open(
    IN PDEVICE_CONTEXT Context
    )
{
    if (Context->Buffer != NULL) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    Context->Buffer = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, PATTERN_TAG);
    if (Context->Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    InterlockedExchange(&Context->Enabled, TRUE);
    return STATUS_SUCCESS;
}

/* Close waits until no DPC is inside, and frees the buffer. */
static NTSTATUS
Close(
    IN PDEVICE_CONTEXT Context
    )
{
    LARGE_INTEGER millisecond = {.QuadPart = WDF_REL_TIMEOUT_IN_MS(1)};

    if (Context->Buffer == NULL) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    InterlockedExchange(&Context->Enabled, FALSE);
    while (InterlockedCompareExchange(&Context->Inside, 0, 0) != 0) {
        KeDelayExecutionThread(KernelMode, FALSE, &millisecond);
    }
    ExFreePoolWithTag(Context->Buffer, PATTERN_TAG);
    Context->Buffer = NULL;
    return STATUS_SUCCESS;
}

/*
 * EvtDeviceD0Exit closes what is open when the device goes for good. The
 * framework has disabled the interrupt and flushed the DPCs before.
 */
NTSTATUS
EvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    if (TargetState == WdfPowerDeviceD3Final && context->Buffer != NULL) {
        ExFreePoolWithTag(context->Buffer, PATTERN_TAG);
        context->Buffer = NULL;
    }
    return STATUS_SUCCESS;
}

/* EvtIoDeviceControl: one request at a time, so that open and close exclude each other. */
VOID
EvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    switch (IoControlCode) {
    case IOCTL_PATTERN_OPEN:
        status = Open(context);
        break;
    case IOCTL_PATTERN_START:
        RING_WRITE(context, RING_LISTEN, 1);
        status = STATUS_SUCCESS;
        break;
    case IOCTL_PATTERN_CLOSE:
        status = Close(context);
        break;
    }
    WdfRequestComplete(Request, status);
}
