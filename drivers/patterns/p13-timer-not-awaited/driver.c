//go:build ignore

/*
 * Pattern 13: the timer is stopped, its handler is not.
 *
 * A watchdog card: if nobody writes to it for a while, it resets the computer. A
 * periodic timer of the driver does, as long as the device is in D0.
 *
 * What goes wrong: on removal the driver stops the timer without waiting. That
 * takes the timer out of the timer queue, and says nothing about a handler that
 * has begun on another processor. Then the registers are unmapped, and the
 * handler writes to them.
 *
 * The mend: WdfTimerStop with TRUE waits for the handler. It has to be called at
 * PASSIVE_LEVEL, without locks that the handler takes.
 *
 * Clauses: OBJ-9, PWR-2. Seen in a watchdog driver, and in a network protocol
 * (CVE-2024-38630).
 */
#include <ntddk.h>
#include <wdf.h>

/* Every so many ms the watchdog is told that all is well. */
#define WATCHDOG_PERIOD 1

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFTIMER Timer;
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_TIMER EvtTimer;

/* EvtDeviceAdd creates the device and its timer; the card does not interrupt. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_TIMER_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_TIMER_CONFIG_INIT_PERIODIC(&config, EvtTimer, WATCHDOG_PERIOD);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    return WdfTimerCreate(&config, &attributes, &GetContext(device)->Timer);
}

/* EvtDeviceD0Entry begins to tell the watchdog that all is well. */
NTSTATUS
EvtDeviceD0Entry(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE PreviousState
    )
{
    UNREFERENCED_PARAMETER(PreviousState);
    WdfTimerStart(GetContext(Device)->Timer, WDF_REL_TIMEOUT_IN_MS(WATCHDOG_PERIOD));
    return STATUS_SUCCESS;
}

/* EvtDeviceD0Exit ends it. After the last one the registers are unmapped. */
NTSTATUS
EvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    UNREFERENCED_PARAMETER(TargetState);
#ifdef BUG
    WdfTimerStop(GetContext(Device)->Timer, FALSE);
#else
    WdfTimerStop(GetContext(Device)->Timer, TRUE);
#endif
    return STATUS_SUCCESS;
}

/* EvtTimer tells the watchdog that all is well. */
VOID
EvtTimer(
    IN WDFTIMER Timer
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfTimerGetParentObject(Timer));

    RING_WRITE(context, RING_COMMAND, 1);
}
