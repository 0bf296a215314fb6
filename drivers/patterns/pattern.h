/*
 * pattern.h: what the drivers of the patterns share: the registers of the ring
 * device (ring.go), and everything about a KMDF driver that is not the point of
 * a pattern. A driver defines the struct DEVICE_CONTEXT, with a field Registers,
 * includes this file, and defines EvtDeviceAdd.
 */
#ifndef PATTERN_H
#define PATTERN_H

/* Registers, 4 bytes each, by offset in BAR 0. */
#define RING_CAUSE       0x00 /* read: causes since the last read, which clears them */
#define RING_STATUS      0x04 /* read: the same without clearing; RING_BUSY */
#define RING_ENABLE      0x08 /* causes that interrupt */
#define RING_ACKNOWLEDGE 0x0C /* write: clears causes */
#define RING_LISTEN      0x10 /* write: the wire brings so many more packets */
#define RING_PACKET      0x14 /* read: takes a packet out of the ring, 0: there is none */
#define RING_TRANSMIT    0x18 /* write: sends a packet */
#define RING_SENT        0x1C /* read: packets that have been sent */
#define RING_COMMAND     0x20 /* write: begins a command */
#define RING_RESPONSE    0x24 /* read: the complement of the last command that was carried out */
#define RING_LENGTH      0x1000

/* Causes. */
#define RING_RECEIVED 0x1 /* a packet has come */
#define RING_SENT_ONE 0x2 /* a packet has been sent */
#define RING_DONE     0x4 /* a command was carried out */
#define RING_OVERRUN  0x8 /* a packet came when the ring was full, and is lost */

/* In RING_STATUS: a command is being carried out. */
#define RING_BUSY 0x80000000

#define RING_READ(Context, Register)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Register)))
#define RING_WRITE(Context, Register, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Register)), Value)

/* What all registers read as when the device is gone. */
#define RING_GONE 0xFFFFFFFF

/* I/O control codes: 0x222000, 0x222004, 0x222008. */
#define IOCTL_PATTERN_OPEN  CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PATTERN_CLOSE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PATTERN_START CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)

#define PATTERN_TAG 'ttaP'

/* A function that not every driver uses. */
#define PATTERN_UNUSED __attribute__((unused))

typedef struct _DEVICE_CONTEXT DEVICE_CONTEXT, *PDEVICE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DEVICE_CONTEXT, GetContext)

DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;

/* DriverEntry creates the driver object. */
NTSTATUS
DriverEntry(
    IN PDRIVER_OBJECT DriverObject,
    IN PUNICODE_STRING RegistryPath
    )
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* PatternPrepareHardware maps the registers. */
static NTSTATUS
PatternPrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    UNREFERENCED_PARAMETER(ResourcesRaw);

    for (ULONG i = 0; i < WdfCmResourceListGetCount(ResourcesTranslated); i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, RING_LENGTH, MmNonCached);
        }
    }
    return context->Registers == NULL ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

/* PatternReleaseHardware undoes that. */
static NTSTATUS
PatternReleaseHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);

    if (context->Registers != NULL) {
        MmUnmapIoSpace(context->Registers, RING_LENGTH);
        context->Registers = NULL;
    }
    return STATUS_SUCCESS;
}

/* PatternCreateDevice creates a device with a DEVICE_CONTEXT. */
static NTSTATUS
PatternCreateDevice(
    IN PWDFDEVICE_INIT DeviceInit,
    IN WDF_PNPPOWER_EVENT_CALLBACKS *Callbacks,
    OUT WDFDEVICE *Device
    )
{
    WDF_OBJECT_ATTRIBUTES attributes;

    Callbacks->EvtDevicePrepareHardware = PatternPrepareHardware;
    Callbacks->EvtDeviceReleaseHardware = PatternReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, Callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE_CONTEXT);
    return WdfDeviceCreate(&DeviceInit, &attributes, Device);
}

/* PatternEnableInterrupt and PatternDisableInterrupt let the device interrupt, or not. */
PATTERN_UNUSED static NTSTATUS
PatternEnableInterrupt(
    IN WDFINTERRUPT Interrupt,
    IN WDFDEVICE AssociatedDevice
    )
{
    UNREFERENCED_PARAMETER(Interrupt);
    RING_WRITE(GetContext(AssociatedDevice), RING_ENABLE, RING_RECEIVED | RING_SENT_ONE | RING_DONE | RING_OVERRUN);
    return STATUS_SUCCESS;
}

PATTERN_UNUSED static NTSTATUS
PatternDisableInterrupt(
    IN WDFINTERRUPT Interrupt,
    IN WDFDEVICE AssociatedDevice
    )
{
    UNREFERENCED_PARAMETER(Interrupt);
    RING_WRITE(GetContext(AssociatedDevice), RING_ENABLE, 0);
    return STATUS_SUCCESS;
}

/*
 * PatternCreateInterrupt creates an interrupt; the device interrupts for every
 * cause as long as it is enabled.
 */
PATTERN_UNUSED static NTSTATUS
PatternCreateInterrupt(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_ISR Isr,
    IN PFN_WDF_INTERRUPT_DPC Dpc,
    OUT WDFINTERRUPT *Interrupt
    )
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, Dpc);
    config.EvtInterruptEnable = PatternEnableInterrupt;
    config.EvtInterruptDisable = PatternDisableInterrupt;
    return WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, Interrupt);
}

/* PatternCreateLock creates a spin lock that lives as long as the device. */
PATTERN_UNUSED static NTSTATUS
PatternCreateLock(
    IN WDFDEVICE Device,
    OUT WDFSPINLOCK *Lock
    )
{
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    return WdfSpinLockCreate(&attributes, Lock);
}

/* PatternReturnNumber completes a request with a number as its result. */
PATTERN_UNUSED static VOID
PatternReturnNumber(
    IN WDFREQUEST Request,
    IN ULONG Number
    )
{
    PULONG buffer;
    NTSTATUS status = WdfRequestRetrieveOutputBuffer(Request, sizeof(ULONG), (PVOID *)&buffer, NULL);

    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    *buffer = Number;
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, sizeof(ULONG));
}

/* PatternAddDevice creates a device with an interrupt and a queue for I/O control requests. */
PATTERN_UNUSED static NTSTATUS
PatternAddDevice(
    IN PWDFDEVICE_INIT DeviceInit,
    IN PFN_WDF_INTERRUPT_ISR Isr,
    IN PFN_WDF_INTERRUPT_DPC Dpc,
    IN PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL Control
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    WDFINTERRUPT interrupt;
    WDFDEVICE device;
    NTSTATUS status;

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, Isr, Dpc, &interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = Control;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

#endif
