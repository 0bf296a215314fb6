//go:build ignore

/*
 * Pattern 8: a busy wait for a device that is gone.
 *
 * The control path of a network adapter. A command is carried out within
 * microseconds, so that the driver does not use an interrupt for it: it writes
 * the command and reads the status register until the adapter is no longer busy.
 *
 * What goes wrong: when the adapter is taken out meanwhile, every register reads
 * as ones. The busy bit is one of them, and the loop never ends: a processor is
 * lost, and the removal waits for the request for ever.
 *
 * The mend: all ones means that the device is gone, and no wait for hardware is
 * without a limit.
 *
 * Clauses: PWR-7, PWR-8. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
};

#include "../pattern.h"

EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* EvtDeviceAdd creates the device and its queue. */
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
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, &attributes, WDF_NO_HANDLE);
}

/* Microseconds between two looks at the status register, and looks at most. */
#define POLL_INTERVAL 10
#define POLL_LIMIT    1000

/* Wait waits until the device has carried out the command. */
static NTSTATUS
Wait(
    IN PDEVICE_CONTEXT Context
    )
{
#ifdef BUG
    while (RING_READ(Context, RING_STATUS) & RING_BUSY) {
        KeStallExecutionProcessor(POLL_INTERVAL);
    }
    return STATUS_SUCCESS;
#else
    for (ULONG looks = 0; looks < POLL_LIMIT; looks++) {
        ULONG status = RING_READ(Context, RING_STATUS);

        if (status == RING_GONE) {
            return STATUS_DEVICE_REMOVED;
        }
        if (!(status & RING_BUSY)) {
            return STATUS_SUCCESS;
        }
        KeStallExecutionProcessor(POLL_INTERVAL);
    }
    return STATUS_IO_TIMEOUT;
#endif
}

/* EvtIoDeviceControl carries out a command and returns its response. */
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
    NTSTATUS status;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_PATTERN_START) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    RING_WRITE(context, RING_COMMAND, 1);
    status = Wait(context);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    PatternReturnNumber(Request, RING_READ(context, RING_RESPONSE));
}
