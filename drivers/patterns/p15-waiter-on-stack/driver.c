//go:build ignore

/*
 * Pattern 15: the waiter has gone, its event was on its stack.
 *
 * A flash storage adapter. For a query the driver sends a command and waits,
 * with a timeout, for the interrupt that brings the answer. Event and answer are
 * local variables of the function that waits; the context points to them.
 *
 * What goes wrong: after a timeout the function returns, and its variables are
 * gone. The answer comes late, and the DPC writes it, and sets the event, where
 * meanwhile something else is: another local variable, or a return address.
 *
 * The mend: whoever takes the pointer out of the context, under the lock, may
 * use it. The waiter takes it back after a timeout; if it finds that the DPC has
 * it already, the event will be set at any moment, and it waits for that.
 *
 * Clauses: IRQL-9, DPC-26. Seen in a driver for flash storage (CVE-2023-53387).
 */
#include <ntddk.h>
#include <wdf.h>

/* A command that waits for its answer. */
typedef struct _COMMAND {
    KEVENT Done;
    ULONG Answer;
} COMMAND, *PCOMMAND;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFSPINLOCK Lock;
    _Guarded_by_(Lock) PCOMMAND Command; /* NULL: nobody waits */
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

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

/* EvtDeviceAdd creates the device, its lock, its interrupt and its queue. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    PDEVICE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = GetContext(device);
    status = PatternCreateLock(device, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return CreateQueue(device);
}

/* TakeCommand takes the command out of the context: who gets it may use it. */
static PCOMMAND
TakeCommand(
    IN PDEVICE_CONTEXT Context
    )
{
    PCOMMAND command;

    WdfSpinLockAcquire(Context->Lock);
    command = Context->Command;
    Context->Command = NULL;
    WdfSpinLockRelease(Context->Lock);
    return command;
}

/* Query sends a command and returns its answer. PASSIVE_LEVEL. */
static NTSTATUS
Query(
    IN PDEVICE_CONTEXT Context,
    OUT PULONG Answer
    )
{
    LARGE_INTEGER timeout;
    NTSTATUS status;
    COMMAND command;

    KeInitializeEvent(&command.Done, NotificationEvent, FALSE);
    command.Answer = 0;
    WdfSpinLockAcquire(Context->Lock);
    Context->Command = &command;
    RING_WRITE(Context, RING_COMMAND, 1);
    WdfSpinLockRelease(Context->Lock);

    timeout.QuadPart = WDF_REL_TIMEOUT_IN_MS(5);
    status = KeWaitForSingleObject(&command.Done, Executive, KernelMode, FALSE, &timeout);
    if (status == STATUS_TIMEOUT) {
#ifdef BUG
        return STATUS_IO_TIMEOUT;
#else
        if (TakeCommand(Context) != NULL) {
            return STATUS_IO_TIMEOUT;
        }
        /* The DPC has it, and is about to set the event. */
        KeWaitForSingleObject(&command.Done, Executive, KernelMode, FALSE, NULL);
#endif
    }
    *Answer = command.Answer;
    return STATUS_SUCCESS;
}

/* EvtIoDeviceControl asks the adapter. */
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
    ULONG answer;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode == IOCTL_PATTERN_START) {
        /* A command that has timed out may still be under way. */
        status = STATUS_DEVICE_NOT_READY;
        if (!(RING_READ(context, RING_STATUS) & RING_BUSY)) {
            status = Query(context, &answer);
        }
    }
    if (NT_SUCCESS(status)) {
        PatternReturnNumber(Request, answer);
    } else {
        WdfRequestComplete(Request, status);
    }
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
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc hands the answer to the one who waits. After KeSetEvent the command is gone. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    PCOMMAND command = TakeCommand(context);

    UNREFERENCED_PARAMETER(Interrupt);

    if (command != NULL) {
        command->Answer = RING_READ(context, RING_RESPONSE);
        KeSetEvent(&command->Done, IO_NO_INCREMENT, FALSE);
    }
}
