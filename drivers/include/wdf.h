/*
 * wdf.h: the Kernel-Mode Driver Framework for C drivers of this project, x64,
 * gcc (mingw-w64) and clang (MSVC ABI). Include ntddk.h first.
 *
 * Written for this project; wdfddi.h, with everything that is a table, is
 * generated. Link wdfstub.c: it has the entry point FxDriverEntry, which binds
 * the driver to the framework and then calls DriverEntry.
 *
 * KMDF_VERSION_MINOR selects the version, 1.9 to 1.33. Up to 1.13 the framework
 * copies its functions into an array of the driver; from 1.15 on the driver
 * gets a pointer to the framework's table.
 */
#ifndef DIRQL_WDF_H
#define DIRQL_WDF_H

#ifndef KMDF_VERSION_MINOR
#define KMDF_VERSION_MINOR 15
#endif
#define KMDF_VERSION_MAJOR 1

#include "wdfddi.h"

#if WDF_FUNCTIONS_BY_POINTER
extern const WDFFUNC *WdfFunctions;
#else
extern WDFFUNC WdfFunctions[WDF_FUNCTION_COUNT];
#endif
extern PWDF_DRIVER_GLOBALS WdfDriverGlobals;

#define WDF_NO_OBJECT_ATTRIBUTES   NULL
#define WDF_NO_EVENT_CALLBACK      NULL
#define WDF_NO_HANDLE              NULL
#define WDF_NO_CONTEXT             NULL
#define WDF_NO_SEND_OPTIONS        NULL

#define WdfGetDriver() (WdfDriverGlobals->Driver)

#define WdfObjectReferenceWithTag(Object, Tag)   WdfObjectReferenceActual(Object, Tag, __LINE__, (PCHAR) __FILE__)
#define WdfObjectReference(Object)               WdfObjectReferenceWithTag(Object, NULL)
#define WdfObjectDereferenceWithTag(Object, Tag) WdfObjectDereferenceActual(Object, Tag, __LINE__, (PCHAR) __FILE__)
#define WdfObjectDereference(Object)             WdfObjectDereferenceWithTag(Object, NULL)

/* Timeouts in units of 100 ns; negative is relative to now. */
#define WDF_REL_TIMEOUT_IN_US(Time)  (-10LL * (LONGLONG)(Time))
#define WDF_REL_TIMEOUT_IN_MS(Time)  (-10LL * 1000 * (LONGLONG)(Time))
#define WDF_REL_TIMEOUT_IN_SEC(Time) (-10LL * 1000 * 1000 * (LONGLONG)(Time))

/*
 * Object contexts. After
 *
 *     WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(MY_CONTEXT, MyGetContext)
 *
 * WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, MY_CONTEXT) asks for a
 * context, and MyGetContext(object) or WdfObjectGetTypedContext(object,
 * MY_CONTEXT) returns it. The second one is a macro: debug information gives
 * the line of its use.
 */
#define WDF_TYPE_NAME(Type) _WDF_##Type##_TYPE_INFO
#define WDF_GET_CONTEXT_TYPE_INFO(Type) (&WDF_TYPE_NAME(Type))
#define WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(Type, Function) \
    extern const WDF_OBJECT_CONTEXT_TYPE_INFO WDF_TYPE_NAME(Type); \
    DECLSPEC_SELECTANY const WDF_OBJECT_CONTEXT_TYPE_INFO WDF_TYPE_NAME(Type) = { \
        .Size = sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO), \
        .ContextName = #Type, \
        .ContextSize = sizeof(Type), \
        .UniqueType = &WDF_TYPE_NAME(Type), \
    }; \
    FORCEINLINE Type *Function(WDFOBJECT Object) \
    { \
        return WdfObjectGetTypedContext(Object, Type); \
    }
#define WDF_DECLARE_CONTEXT_TYPE(Type) WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(Type, WdfObjectGet_##Type)
#define WdfObjectGetTypedContext(Object, Type) \
    ((Type *)WdfObjectGetTypedContextWorker(Object, WDF_GET_CONTEXT_TYPE_INFO(Type)->UniqueType))

FORCEINLINE VOID WDF_OBJECT_ATTRIBUTES_INIT(PWDF_OBJECT_ATTRIBUTES Attributes)
{
    *Attributes = (WDF_OBJECT_ATTRIBUTES){
        .Size = sizeof(*Attributes),
        .ExecutionLevel = WdfExecutionLevelInheritFromParent,
        .SynchronizationScope = WdfSynchronizationScopeInheritFromParent,
    };
}

#define WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(Attributes, Type) \
    ((Attributes)->ContextTypeInfo = WDF_GET_CONTEXT_TYPE_INFO(Type)->UniqueType)
#define WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(Attributes, Type) \
    (WDF_OBJECT_ATTRIBUTES_INIT(Attributes), WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(Attributes, Type))

/* ---- Initial values of configurations ---- */

FORCEINLINE VOID WDF_DRIVER_CONFIG_INIT(PWDF_DRIVER_CONFIG Config, PFN_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd)
{
    *Config = (WDF_DRIVER_CONFIG){.Size = sizeof(*Config), .EvtDriverDeviceAdd = EvtDriverDeviceAdd};
}

FORCEINLINE VOID WDF_PNPPOWER_EVENT_CALLBACKS_INIT(PWDF_PNPPOWER_EVENT_CALLBACKS Callbacks)
{
    *Callbacks = (WDF_PNPPOWER_EVENT_CALLBACKS){.Size = sizeof(*Callbacks)};
}

FORCEINLINE VOID WDF_POWER_POLICY_EVENT_CALLBACKS_INIT(PWDF_POWER_POLICY_EVENT_CALLBACKS Callbacks)
{
    *Callbacks = (WDF_POWER_POLICY_EVENT_CALLBACKS){.Size = sizeof(*Callbacks)};
}

FORCEINLINE VOID WDF_FDO_EVENT_CALLBACKS_INIT(PWDF_FDO_EVENT_CALLBACKS Callbacks)
{
    *Callbacks = (WDF_FDO_EVENT_CALLBACKS){.Size = sizeof(*Callbacks)};
}

FORCEINLINE VOID WDF_INTERRUPT_CONFIG_INIT(
    PWDF_INTERRUPT_CONFIG Config, PFN_WDF_INTERRUPT_ISR EvtInterruptIsr, PFN_WDF_INTERRUPT_DPC EvtInterruptDpc)
{
    *Config = (WDF_INTERRUPT_CONFIG){
        .Size = sizeof(*Config),
        .ShareVector = WdfUseDefault,
        .EvtInterruptIsr = EvtInterruptIsr,
        .EvtInterruptDpc = EvtInterruptDpc,
#if KMDF_VERSION_MINOR >= 11
        .ReportInactiveOnPowerDown = WdfUseDefault,
#endif
    };
}

FORCEINLINE VOID WDF_INTERRUPT_INFO_INIT(PWDF_INTERRUPT_INFO Info)
{
    *Info = (WDF_INTERRUPT_INFO){.Size = sizeof(*Info)};
}

FORCEINLINE VOID WDF_INTERRUPT_EXTENDED_POLICY_INIT(PWDF_INTERRUPT_EXTENDED_POLICY Policy)
{
    *Policy = (WDF_INTERRUPT_EXTENDED_POLICY){.Size = sizeof(*Policy)};
}

FORCEINLINE VOID WDF_IO_QUEUE_CONFIG_INIT(PWDF_IO_QUEUE_CONFIG Config, WDF_IO_QUEUE_DISPATCH_TYPE DispatchType)
{
    *Config = (WDF_IO_QUEUE_CONFIG){
        .Size = sizeof(*Config),
        .PowerManaged = WdfUseDefault,
        .DispatchType = DispatchType,
    };
#if KMDF_VERSION_MINOR >= 11
    if (DispatchType == WdfIoQueueDispatchParallel) {
        Config->Settings.Parallel.NumberOfPresentedRequests = (ULONG)-1;
    }
#endif
}

FORCEINLINE VOID WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(
    PWDF_IO_QUEUE_CONFIG Config, WDF_IO_QUEUE_DISPATCH_TYPE DispatchType)
{
    WDF_IO_QUEUE_CONFIG_INIT(Config, DispatchType);
    Config->DefaultQueue = TRUE;
}

FORCEINLINE VOID WDF_DPC_CONFIG_INIT(PWDF_DPC_CONFIG Config, PFN_WDF_DPC EvtDpcFunc)
{
    *Config = (WDF_DPC_CONFIG){.Size = sizeof(*Config), .EvtDpcFunc = EvtDpcFunc, .AutomaticSerialization = TRUE};
}

FORCEINLINE VOID WDF_TIMER_CONFIG_INIT(PWDF_TIMER_CONFIG Config, PFN_WDF_TIMER EvtTimerFunc)
{
    *Config = (WDF_TIMER_CONFIG){.Size = sizeof(*Config), .EvtTimerFunc = EvtTimerFunc, .AutomaticSerialization = TRUE};
}

FORCEINLINE VOID WDF_TIMER_CONFIG_INIT_PERIODIC(PWDF_TIMER_CONFIG Config, PFN_WDF_TIMER EvtTimerFunc, ULONG Period)
{
    WDF_TIMER_CONFIG_INIT(Config, EvtTimerFunc);
    Config->Period = Period;
}

FORCEINLINE VOID WDF_WORKITEM_CONFIG_INIT(PWDF_WORKITEM_CONFIG Config, PFN_WDF_WORKITEM EvtWorkItemFunc)
{
    *Config = (WDF_WORKITEM_CONFIG){
        .Size = sizeof(*Config), .EvtWorkItemFunc = EvtWorkItemFunc, .AutomaticSerialization = TRUE};
}

FORCEINLINE VOID WDF_FILEOBJECT_CONFIG_INIT(PWDF_FILEOBJECT_CONFIG Config, PFN_WDF_DEVICE_FILE_CREATE EvtDeviceFileCreate,
    PFN_WDF_FILE_CLOSE EvtFileClose, PFN_WDF_FILE_CLEANUP EvtFileCleanup)
{
    *Config = (WDF_FILEOBJECT_CONFIG){
        .Size = sizeof(*Config),
        .EvtDeviceFileCreate = EvtDeviceFileCreate,
        .EvtFileClose = EvtFileClose,
        .EvtFileCleanup = EvtFileCleanup,
        .AutoForwardCleanupClose = WdfUseDefault,
        .FileObjectClass = WdfFileObjectWdfCanUseFsContext,
    };
}

FORCEINLINE VOID WDF_REQUEST_PARAMETERS_INIT(PWDF_REQUEST_PARAMETERS Parameters)
{
    *Parameters = (WDF_REQUEST_PARAMETERS){.Size = sizeof(*Parameters)};
}

FORCEINLINE VOID WDF_REQUEST_SEND_OPTIONS_INIT(PWDF_REQUEST_SEND_OPTIONS Options, ULONG Flags)
{
    *Options = (WDF_REQUEST_SEND_OPTIONS){.Size = sizeof(*Options), .Flags = Flags};
}

FORCEINLINE VOID WDF_REQUEST_REUSE_PARAMS_INIT(PWDF_REQUEST_REUSE_PARAMS Params, ULONG Flags, NTSTATUS Status)
{
    *Params = (WDF_REQUEST_REUSE_PARAMS){.Size = sizeof(*Params), .Flags = Flags, .Status = Status};
}

FORCEINLINE VOID WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(PWDF_MEMORY_DESCRIPTOR Descriptor, PVOID Buffer, ULONG BufferLength)
{
    *Descriptor = (WDF_MEMORY_DESCRIPTOR){
        .Type = WdfMemoryDescriptorTypeBuffer,
        .u.BufferType = {.Buffer = Buffer, .Length = BufferLength},
    };
}

FORCEINLINE VOID WDF_DMA_ENABLER_CONFIG_INIT(PWDF_DMA_ENABLER_CONFIG Config, WDF_DMA_PROFILE Profile, size_t MaximumLength)
{
    *Config = (WDF_DMA_ENABLER_CONFIG){.Size = sizeof(*Config), .Profile = Profile, .MaximumLength = MaximumLength};
}

FORCEINLINE VOID WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(
    PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS Settings, WDF_POWER_POLICY_S0_IDLE_CAPABILITIES IdleCaps)
{
    *Settings = (WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS){
        .Size = sizeof(*Settings),
        .IdleCaps = IdleCaps,
        .DxState = PowerDeviceMaximum,
        .UserControlOfIdleSettings = IdleAllowUserControl,
        .Enabled = WdfUseDefault,
        .PowerUpIdleDeviceOnSystemWake = WdfUseDefault,
#if KMDF_VERSION_MINOR >= 11
        .IdleTimeoutType = DriverManagedIdleTimeout,
        .ExcludeD3Cold = WdfUseDefault,
#endif
    };
}

FORCEINLINE VOID WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT(PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS Settings)
{
    *Settings = (WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS){
        .Size = sizeof(*Settings),
        .DxState = PowerDeviceMaximum,
        .UserControlOfWakeSettings = WakeAllowUserControl,
        .Enabled = WdfUseDefault,
    };
}

FORCEINLINE VOID WDF_DEVICE_PNP_CAPABILITIES_INIT(PWDF_DEVICE_PNP_CAPABILITIES Caps)
{
    *Caps = (WDF_DEVICE_PNP_CAPABILITIES){
        .Size = sizeof(*Caps),
        .LockSupported = WdfUseDefault,
        .EjectSupported = WdfUseDefault,
        .Removable = WdfUseDefault,
        .DockDevice = WdfUseDefault,
        .UniqueID = WdfUseDefault,
        .SilentInstall = WdfUseDefault,
        .SurpriseRemovalOK = WdfUseDefault,
        .HardwareDisabled = WdfUseDefault,
        .NoDisplayInUI = WdfUseDefault,
        .Address = (ULONG)-1,
        .UINumber = (ULONG)-1,
    };
}

/* ---- Power references ---- */

#if KMDF_VERSION_MINOR >= 15
#define WdfDeviceStopIdle(Device, WaitForD0) WdfDeviceStopIdleActual(Device, WaitForD0, NULL, __LINE__, (PCHAR) __FILE__)
#define WdfDeviceResumeIdle(Device)          WdfDeviceResumeIdleActual(Device, NULL, __LINE__, (PCHAR) __FILE__)
#else
#define WdfDeviceStopIdle   WdfDeviceStopIdleNoTrack
#define WdfDeviceResumeIdle WdfDeviceResumeIdleNoTrack
#endif

#endif
