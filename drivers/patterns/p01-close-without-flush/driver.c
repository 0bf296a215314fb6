//go:build ignore

/*
 * Pattern 1: close frees what a queued DPC still uses.
 *
 * The command path of a graphics adapter. Open makes a queue for the commands of
 * an application; the DPC takes commands that are done out of it; close makes
 * the interrupt leave the queue alone, and frees it.
 *
 * What goes wrong: from the moment in which Open is FALSE no ISR queues the DPC
 * any more. But one that was queued before may still wait in a DPC queue, or run
 * on another processor right now, and it uses the queue after close has freed
 * it.
 *
 * The mend: first keep new DPCs from being queued, then wait for the old ones
 * with KeFlushQueuedDpcs, then free. In this order.
 *
 * Clauses: DPC-22, DPC-26. Seen in a graphics driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

/* What an open application has. */
typedef struct _COMMAND_QUEUE {
    volatile LONG Submitted;
    volatile LONG Done;
} COMMAND_QUEUE, *PCOMMAND_QUEUE;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    _Guarded_by_(Interrupt) BOOLEAN Open; /* the DPC may be queued */
    PCOMMAND_QUEUE Queue;                 /* while it may be, and while it runs */
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

/* EvtInterruptIsr queues the DPC for commands of an open application. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == RING_GONE || !(causes & RING_DONE)) {
        return FALSE;
    }
    if (context->Open) {
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
    return TRUE;
}

/* EvtInterruptDpc takes a command that is done out of the queue. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PCOMMAND_QUEUE queue = GetContext(AssociatedObject)->Queue;

    UNREFERENCED_PARAMETER(Interrupt);

    InterlockedIncrement(&queue->Done);
}

/* SetOpen says, at DIRQL, whether the DPC may be queued from now on. */
static VOID
SetOpen(
    IN PDEVICE_CONTEXT Context,
    IN BOOLEAN Open
    )
{
    WdfInterruptAcquireLock(Context->Interrupt);
    Context->Open = Open;
    WdfInterruptReleaseLock(Context->Interrupt);
}

static NTSTATUS
Open(
    IN PDEVICE_CONTEXT Context
    )
{
    if (Context->Queue != NULL) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    Context->Queue = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(COMMAND_QUEUE), PATTERN_TAG);
    if (Context->Queue == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    SetOpen(Context, TRUE);
    return STATUS_SUCCESS;
}

/* Submit gives the adapter a command and does not wait for its end. */
static NTSTATUS
Submit(
    IN PDEVICE_CONTEXT Context
    )
{
    if (Context->Queue == NULL) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    RING_WRITE(Context, RING_COMMAND, InterlockedIncrement(&Context->Queue->Submitted));
    return STATUS_SUCCESS;
}

static NTSTATUS
Close(
    IN PDEVICE_CONTEXT Context
    )
{
    if (Context->Queue == NULL) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    SetOpen(Context, FALSE);
#ifndef BUG
    KeFlushQueuedDpcs();
#endif
    ExFreePoolWithTag(Context->Queue, PATTERN_TAG);
    Context->Queue = NULL;
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

    if (TargetState == WdfPowerDeviceD3Final && context->Queue != NULL) {
        ExFreePoolWithTag(context->Queue, PATTERN_TAG);
        context->Queue = NULL;
    }
    return STATUS_SUCCESS;
}

/* EvtIoDeviceControl: one request at a time, so that open, submit and close exclude each other. */
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
        status = Submit(context);
        break;
    case IOCTL_PATTERN_CLOSE:
        status = Close(context);
        break;
    }
    WdfRequestComplete(Request, status);
}
