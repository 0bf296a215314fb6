//go:build ignore

/*
 * Pattern 9: the work item that is not there yet.
 *
 * A memory balloon of a virtual machine. The host asks for pages with an
 * interrupt; the DPC hands that to a work item, since giving pages back needs
 * PASSIVE_LEVEL. While the device is in a low-power state there is nothing to
 * do, so the driver deletes the work item on the way down and makes a new one on
 * the way up.
 *
 * What goes wrong: EvtDeviceD0Exit clears the pointer, and
 * EvtDeviceSelfManagedIoRestart sets it again. But interrupts are connected
 * between EvtDeviceD0Entry and that callback: the first interrupt after
 * power-up, if it comes at once, finds no work item. On the first start the same
 * window is there, only hardly anybody asks so early.
 *
 * The mend: what an ISR or a DPC uses lives longer than the interrupt is
 * connected. The work item is made with the device and stays; EvtDeviceD0Exit,
 * which comes when no DPC can queue it any more, only waits for it.
 *
 * Clauses: WDFI-22, WDFI-24, PWR-2. Seen in a balloon driver for virtual
 * machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFWORKITEM WorkItem; /* answers the host */
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_WORKITEM EvtWorkItem;

/* CreateWorkItem makes the work item. */
static NTSTATUS
CreateWorkItem(
    IN WDFDEVICE Device
    )
{
    WDF_WORKITEM_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_WORKITEM_CONFIG_INIT(&config, EvtWorkItem);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    return WdfWorkItemCreate(&config, &attributes, &GetContext(Device)->WorkItem);
}

/* EvtDeviceAdd creates the device and its interrupt. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
#ifdef BUG
    callbacks.EvtDeviceSelfManagedIoInit = CreateWorkItem;
    callbacks.EvtDeviceSelfManagedIoRestart = CreateWorkItem;
#endif
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
#ifndef BUG
    status = CreateWorkItem(device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
#endif
    return PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &GetContext(device)->Interrupt);
}

/* EvtDeviceD0Entry tells the host that it may ask. */
NTSTATUS
EvtDeviceD0Entry(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE PreviousState
    )
{
    UNREFERENCED_PARAMETER(PreviousState);
    RING_WRITE(GetContext(Device), RING_LISTEN, 1);
    return STATUS_SUCCESS;
}

/* EvtDeviceD0Exit comes when the interrupt is disconnected and its DPCs are done. */
NTSTATUS
EvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    UNREFERENCED_PARAMETER(TargetState);

#ifdef BUG
    WdfObjectDelete(context->WorkItem); /* waits for its callback */
    context->WorkItem = NULL;
#else
    WdfWorkItemFlush(context->WorkItem);
#endif
    return STATUS_SUCCESS;
}

/* EvtInterruptIsr: reading the causes clears them. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    ULONG causes = RING_READ(GetContext(WdfInterruptGetDevice(Interrupt)), RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == RING_GONE) {
        return FALSE;
    }
    if (causes & RING_RECEIVED) {
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
    return TRUE;
}

/* EvtInterruptDpc leaves the work to the work item. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    UNREFERENCED_PARAMETER(Interrupt);
    WdfWorkItemEnqueue(GetContext(AssociatedObject)->WorkItem);
}

/* EvtWorkItem answers everything that the host has asked. */
VOID
EvtWorkItem(
    IN WDFWORKITEM WorkItem
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfWorkItemGetParentObject(WorkItem));
    ULONG pages;

    while ((pages = RING_READ(context, RING_PACKET)) != 0 && pages != RING_GONE) {
        RING_WRITE(context, RING_COMMAND, pages);
    }
}
