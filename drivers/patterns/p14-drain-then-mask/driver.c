//go:build ignore

/*
 * Pattern 14: drained, and then masked.
 *
 * A graphics processor that sleeps when nobody uses it. It is woken by
 * IOCTL_PATTERN_OPEN and put to sleep by IOCTL_PATTERN_CLOSE. While it is awake
 * it has a fence in memory, into which the interrupt thread (here a work item,
 * queued by the DPC) writes which job has ended.
 *
 * What goes wrong: to sleep, the driver waits for the interrupt thread, masks
 * the interrupt and frees the fence. An interrupt that comes between the first
 * and the second step starts the interrupt thread again, and that finds the
 * fence gone. Masking alone, without waiting, has the same hole.
 *
 * The mend: mask, then drain, then free. The mask is a mark, too, under the
 * interrupt lock: an interrupt that the device had sent before can still come.
 *
 * Clauses: WDFI-26, QD-5, DPC-22, OBJ-12. Seen in a driver for graphics
 * processors.
 */
#include <ntddk.h>
#include <wdf.h>

/* The fence. */
typedef struct _FENCE {
    ULONG Ended; /* the last job that has ended */
} FENCE, *PFENCE;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFWORKITEM InterruptThread;
    PFENCE Fence;  /* while the processor is awake */
    BOOLEAN Awake; /* written with the interrupt lock held */
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED EvtDeviceD0ExitPreInterruptsDisabled;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_WORKITEM EvtInterruptThread;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* CreateInterruptThread makes the work item. */
static NTSTATUS
CreateInterruptThread(
    IN WDFDEVICE Device
    )
{
    WDF_WORKITEM_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_WORKITEM_CONFIG_INIT(&config, EvtInterruptThread);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    return WdfWorkItemCreate(&config, &attributes, &GetContext(Device)->InterruptThread);
}

/* CreateQueue makes a queue that calls the driver at PASSIVE_LEVEL. */
static NTSTATUS
CreateQueue(
    IN WDFDEVICE Device
    )
{
    WDF_IO_QUEUE_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    return WdfIoQueueCreate(Device, &config, &attributes, WDF_NO_HANDLE);
}

/* EvtDeviceAdd creates the device and what belongs to it. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_INTERRUPT_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0ExitPreInterruptsDisabled = EvtDeviceD0ExitPreInterruptsDisabled;
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreateInterruptThread(device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    status = WdfInterruptCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &GetContext(device)->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return CreateQueue(device);
}

/* SetAwake lets the device interrupt, or masks it. */
static VOID
SetAwake(
    IN PDEVICE_CONTEXT Context,
    IN BOOLEAN Awake
    )
{
    WdfInterruptAcquireLock(Context->Interrupt);
    Context->Awake = Awake;
    RING_WRITE(Context, RING_ENABLE, Awake ? RING_DONE : 0);
    WdfInterruptReleaseLock(Context->Interrupt);
}

/* Drain waits for what interrupts have started. */
static VOID
Drain(
    IN PDEVICE_CONTEXT Context
    )
{
    KeFlushQueuedDpcs();
    WdfWorkItemFlush(Context->InterruptThread);
}

/* WakeUp wakes the processor. */
static NTSTATUS
WakeUp(
    IN PDEVICE_CONTEXT Context
    )
{
    if (Context->Awake) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    Context->Fence = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(FENCE), PATTERN_TAG);
    if (Context->Fence == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    SetAwake(Context, TRUE);
    return STATUS_SUCCESS;
}

/* Suspend puts the processor to sleep. */
static NTSTATUS
Suspend(
    IN PDEVICE_CONTEXT Context
    )
{
    if (!Context->Awake) {
        return STATUS_INVALID_DEVICE_STATE;
    }
#ifdef BUG
    Drain(Context);
    SetAwake(Context, FALSE);
#else
    SetAwake(Context, FALSE);
    Drain(Context);
#endif
    ExFreePoolWithTag(Context->Fence, PATTERN_TAG);
    return STATUS_SUCCESS;
}

/*
 * EvtDeviceD0ExitPreInterruptsDisabled puts the processor to sleep if it is awake.
 * No request is under way any more, and the interrupt lock is still there.
 */
NTSTATUS
EvtDeviceD0ExitPreInterruptsDisabled(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    UNREFERENCED_PARAMETER(TargetState);
    (VOID)Suspend(GetContext(Device));
    return STATUS_SUCCESS;
}

/* EvtIoDeviceControl wakes the processor, begins a job, or puts it to sleep. */
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
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    switch (IoControlCode) {
    case IOCTL_PATTERN_OPEN:
        status = WakeUp(context);
        break;
    case IOCTL_PATTERN_START:
        RING_WRITE(context, RING_COMMAND, 1);
        break;
    case IOCTL_PATTERN_CLOSE:
        status = Suspend(context);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
    }
    WdfRequestComplete(Request, status);
}

/* EvtInterruptIsr: reading the causes clears them. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes;

    UNREFERENCED_PARAMETER(MessageID);

    if (!context->Awake) {
        return FALSE;
    }
    causes = RING_READ(context, RING_CAUSE);
    if (causes == 0 || causes == RING_GONE) {
        return FALSE;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc starts the interrupt thread. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    UNREFERENCED_PARAMETER(Interrupt);
    WdfWorkItemEnqueue(GetContext(AssociatedObject)->InterruptThread);
}

/* EvtInterruptThread writes into the fence which job has ended. */
VOID
EvtInterruptThread(
    IN WDFWORKITEM WorkItem
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfWorkItemGetParentObject(WorkItem));

    InterlockedExchange(&context->Fence->Ended, RING_READ(context, RING_RESPONSE));
}
