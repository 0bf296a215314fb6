//go:build ignore

/*
 * Pattern 11: stopped, but still connected.
 *
 * A storage adapter. The ISR writes into a status page what the adapter tells:
 * which background scan has ended, and how often. The page is there as long as
 * the device is in D0.
 *
 * What goes wrong: the driver stops the adapter and frees the page in
 * EvtDeviceD0ExitPreInterruptsDisabled, which sounds like the counterpart of
 * EvtDeviceD0EntryPostInterruptsEnabled. At that time interrupts are still
 * connected and enabled, and the scan that is under way may end. Its ISR writes
 * into memory that has been freed.
 *
 * The mend: what the ISR uses is torn down in EvtDeviceD0Exit. Before that the
 * framework has called EvtInterruptDisable, waited for the DPCs, and
 * disconnected the interrupt.
 *
 * Clauses: WDFI-24, PWR-1. Seen in a storage driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

/* The status page. */
typedef struct _STATUS_PAGE {
    ULONG Ended; /* scans that have ended */
    ULONG Last;  /* result of the last one */
} STATUS_PAGE, *PSTATUS_PAGE;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    PSTATUS_PAGE Status; /* written by the ISR, read with the interrupt lock held */
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT StopAdapter;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* EvtDeviceAdd creates the device, its interrupt and its queue. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
#ifdef BUG
    callbacks.EvtDeviceD0ExitPreInterruptsDisabled = StopAdapter;
#else
    callbacks.EvtDeviceD0Exit = StopAdapter;
#endif
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, NULL, &GetContext(device)->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = EvtIoRead;
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtDeviceD0Entry gets the status page. */
NTSTATUS
EvtDeviceD0Entry(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE PreviousState
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    UNREFERENCED_PARAMETER(PreviousState);

    context->Status = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(STATUS_PAGE), PATTERN_TAG);
    return context->Status == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

/* StopAdapter undoes EvtDeviceD0Entry. */
NTSTATUS
StopAdapter(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    UNREFERENCED_PARAMETER(TargetState);
    ExFreePoolWithTag(GetContext(Device)->Status, PATTERN_TAG);
    return STATUS_SUCCESS;
}

/* EvtInterruptIsr: reading the causes clears them. There is nothing for a DPC to do. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == RING_GONE) {
        return FALSE;
    }
    if (causes & RING_DONE) {
        context->Status->Ended++;
        context->Status->Last = RING_READ(context, RING_RESPONSE);
    }
    return TRUE;
}

/* EvtIoDeviceControl begins a scan and does not wait for its end. */
VOID
EvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_PATTERN_START) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    RING_WRITE(GetContext(WdfIoQueueGetDevice(Queue)), RING_COMMAND, 1);
    WdfRequestComplete(Request, STATUS_SUCCESS);
}

/* EvtIoRead tells how many scans have ended. */
VOID
EvtIoRead(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));
    ULONG ended;

    UNREFERENCED_PARAMETER(Length);

    WdfInterruptAcquireLock(context->Interrupt);
    ended = context->Status->Ended;
    WdfInterruptReleaseLock(context->Interrupt);
    PatternReturnNumber(Request, ended);
}
