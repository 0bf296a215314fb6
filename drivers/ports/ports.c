//go:build ignore

/*
 * ports.sys: a bus driver. Its device has ports, which an application plugs in and
 * unplugs; each is a child device. When nobody wants anything for a while, the
 * ports go to D3, and then the device.
 *
 * With BUG_..., one mistake each; see below.
 */

#include <ntddk.h>
#include <wdf.h>

/* Input of the first two: the number of the port. Output of the others: see there. */
#define IOCTL_PORTS_PLUG     CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PORTS_UNPLUG   CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PORTS_STATE    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PORTS_PROPERTY CTL_CODE(FILE_DEVICE_UNKNOWN, 0x803, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_PORTS_FAIL     CTL_CODE(FILE_DEVICE_UNKNOWN, 0x804, METHOD_BUFFERED, FILE_ANY_ACCESS)

#define HARDWARE_ID_PROPERTY 1 /* DevicePropertyHardwareID */

/* What IOCTL_PORTS_STATE returns. */
typedef struct _PORTS_STATE {
    ULONG Present;  /* ports with a device */
    ULONG Sum;      /* of their numbers */
    ULONG PowerUps; /* of the device */
    ULONG PortUps;  /* of all ports */
} PORTS_STATE;

typedef struct _DEVICE_CONTEXT {
    LONG PowerUps;
    LONG PortUps;
    WDFWMIINSTANCE Wmi;
} DEVICE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE(DEVICE_CONTEXT)

typedef struct _PORT_ID {
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER Header;
    ULONG Number;
} PORT_ID;

static const GUID PortClass = {0x12345678, 0x1234, 0x5678, {1, 2, 3, 4, 5, 6, 7, 8}};

CODE_SEG("INIT") DRIVER_INITIALIZE DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;
EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_ENTRY EvtPortD0Entry;
EVT_WDF_CHILD_LIST_CREATE_DEVICE EvtCreatePort;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

#ifdef BUG_CLASS
typedef struct _CLASS_BIND_INFO {
    ULONG Size;
    PCWSTR ClassName;
} CLASS_BIND_INFO;
DECLSPEC_IMPORT NTSTATUS WdfVersionBindClass(PVOID BindInfo, PVOID *Globals, CLASS_BIND_INFO *ClassBindInfo);
#endif

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

#ifdef BUG_CLASS
    static CLASS_BIND_INFO class = {sizeof(class), L"TestClassExtension"};

    WdfVersionBindClass(NULL, (PVOID *)&WdfDriverGlobals, &class);
#endif
    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* AllowIdle lets a device go to D3 when it was idle for some time. */
static NTSTATUS
AllowIdle(WDFDEVICE Device, ULONG Milliseconds)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings;

    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(&settings, IdleCannotWakeFromS0);
    settings.IdleTimeout = Milliseconds;
    return WdfDeviceAssignS0IdleSettings(Device, &settings);
}

/* CreateWmiInstance makes a WMI provider for events, with one instance. */
static NTSTATUS
CreateWmiInstance(WDFDEVICE Device, WDFWMIINSTANCE *Instance)
{
    WDF_WMI_PROVIDER_CONFIG provider = {.Size = sizeof(provider), .Guid = PortClass, .Flags = 1 /* WdfWmiProviderEventOnly */};
    WDF_WMI_INSTANCE_CONFIG instance = {.Size = sizeof(instance), .ProviderConfig = &provider, .Register = TRUE};

    return WdfWmiInstanceCreate(Device, &instance, WDF_NO_OBJECT_ATTRIBUTES, Instance);
}

_Use_decl_annotations_
NTSTATUS
EvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_CHILD_LIST_CONFIG list = {
        .Size = sizeof(list),
        .IdentificationDescriptionSize = sizeof(PORT_ID),
        .EvtChildListCreateDevice = EvtCreatePort,
    };
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG queue;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WdfFdoInitSetDefaultChildListConfig(DeviceInit, &list, WDF_NO_OBJECT_ATTRIBUTES);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
#ifdef BUG_INIT_AFTER_FREE
    PWDFDEVICE_INIT init = WdfPdoInitAllocate(device);

    WdfDeviceInitFree(init);
    WdfPdoInitSetDefaultLocale(init, 0x409);
#endif
#ifdef BUG_RESUME_IDLE
    WdfDeviceResumeIdleActual(device, NULL, __LINE__, "ports.c");
#endif
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = EvtIoDeviceControl;
    status = WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreateWmiInstance(device, &WdfObjectGet_DEVICE_CONTEXT(device)->Wmi);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return AllowIdle(device, 50);
}

_Use_decl_annotations_
NTSTATUS
EvtDeviceD0Entry(IN WDFDEVICE Device, IN WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(PreviousState);
    WdfObjectGet_DEVICE_CONTEXT(Device)->PowerUps++;
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
EvtPortD0Entry(IN WDFDEVICE Device, IN WDF_POWER_DEVICE_STATE PreviousState)
{
    UNREFERENCED_PARAMETER(PreviousState);
    WdfObjectGet_DEVICE_CONTEXT(WdfPdoGetParent(Device))->PortUps++;
    return STATUS_SUCCESS;
}

/* EvtCreatePort makes the device of a port. */
_Use_decl_annotations_
NTSTATUS
EvtCreatePort(IN WDFCHILDLIST ChildList, IN PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription, IN PWDFDEVICE_INIT ChildInit)
{
    DECLARE_CONST_UNICODE_STRING(deviceId, L"PORTS\\Port");
    DECLARE_CONST_UNICODE_STRING(text, L"a port");
    ULONG number = ((PORT_ID *)IdentificationDescription)->Number;
    WCHAR digit = L'0' + (WCHAR)(number % 10);
    UNICODE_STRING instanceId = {sizeof(digit), sizeof(digit), &digit};
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDFDEVICE port;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(ChildList);
#ifdef BUG_TWINS
    digit = L'0';
#endif
    status = WdfPdoInitAssignDeviceID(ChildInit, &deviceId);
    if (NT_SUCCESS(status)) {
        status = WdfPdoInitAddHardwareID(ChildInit, &deviceId);
    }
    if (NT_SUCCESS(status)) {
        status = WdfPdoInitAssignInstanceID(ChildInit, &instanceId);
    }
    if (NT_SUCCESS(status)) {
        status = WdfPdoInitAddDeviceText(ChildInit, &text, &text, 0x409);
    }
    if (NT_SUCCESS(status)) {
        status = WdfPdoInitAssignRawDevice(ChildInit, &PortClass);
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WdfPdoInitSetDefaultLocale(ChildInit, 0x409);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtPortD0Entry;
    WdfDeviceInitSetPnpPowerEventCallbacks(ChildInit, &callbacks);
    status = WdfDeviceCreate(&ChildInit, WDF_NO_OBJECT_ATTRIBUTES, &port);
    return NT_SUCCESS(status) ? AllowIdle(port, 10) : status;
}

/* ReadState fills in the output of IOCTL_PORTS_STATE. */
static VOID
ReadState(WDFDEVICE Device, PORTS_STATE *State)
{
    WDFCHILDLIST list = WdfFdoGetDefaultChildList(Device);
    WDF_CHILD_LIST_ITERATOR iterator = {.Size = sizeof(iterator), .Flags = WdfRetrievePresentChildren};
    PORT_ID id = {.Header.IdentificationDescriptionSize = sizeof(id)};
    WDF_CHILD_RETRIEVE_INFO info = {.Size = sizeof(info), .IdentificationDescription = &id.Header};
    WDFDEVICE port;

    State->Present = State->Sum = 0;
    WdfChildListBeginIteration(list, &iterator);
    while (WdfChildListRetrieveNextDevice(list, &iterator, &port, &info) == STATUS_SUCCESS) {
        State->Present++;
        State->Sum += id.Number;
    }
    WdfChildListEndIteration(list, &iterator);
    State->PowerUps = (ULONG)WdfObjectGet_DEVICE_CONTEXT(Device)->PowerUps;
    State->PortUps = (ULONG)WdfObjectGet_DEVICE_CONTEXT(Device)->PortUps;
}

_Use_decl_annotations_
VOID
EvtIoDeviceControl(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t OutputBufferLength, IN size_t InputBufferLength, IN ULONG IoControlCode)
{
    WDFDEVICE device = WdfIoQueueGetDevice(Queue);
    PORT_ID id = {.Header.IdentificationDescriptionSize = sizeof(id)};
    ULONG size = 0, *number;
    PVOID output;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(InputBufferLength);
    switch (IoControlCode) {
    case IOCTL_PORTS_PLUG:
    case IOCTL_PORTS_UNPLUG:
        status = WdfRequestRetrieveInputBuffer(Request, sizeof(*number), (PVOID *)&number, NULL);
        if (!NT_SUCCESS(status)) {
            break;
        }
        id.Number = *number;
        if (IoControlCode == IOCTL_PORTS_UNPLUG) {
            status = WdfChildListUpdateChildDescriptionAsMissing(WdfFdoGetDefaultChildList(device), &id.Header);
            break;
        }
        status = WdfChildListAddOrUpdateChildDescriptionAsPresent(WdfFdoGetDefaultChildList(device), &id.Header, NULL);
        if (NT_SUCCESS(status)) {
            WdfWmiInstanceFireEvent(WdfObjectGet_DEVICE_CONTEXT(device)->Wmi, sizeof(id.Number), &id.Number);
        }
        break;
    case IOCTL_PORTS_STATE:
        status = WdfRequestRetrieveOutputBuffer(Request, sizeof(PORTS_STATE), &output, NULL);
        if (NT_SUCCESS(status)) {
            ReadState(device, output);
            size = sizeof(PORTS_STATE);
        }
        break;
    case IOCTL_PORTS_PROPERTY:
        status = WdfRequestRetrieveOutputBuffer(Request, 1, &output, NULL);
        if (NT_SUCCESS(status)) {
            status = WdfDeviceQueryProperty(device, HARDWARE_ID_PROPERTY, (ULONG)OutputBufferLength, output, &size);
        }
        break;
    case IOCTL_PORTS_FAIL:
        WdfDeviceSetFailed(device, WdfDeviceFailedAttemptRestart);
        status = STATUS_SUCCESS;
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    WdfRequestCompleteWithInformation(Request, status, size);
}
