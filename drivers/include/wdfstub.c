/*
 * wdfstub.c: what every KMDF driver contains besides its own code, as
 * WdfDriverEntry.lib does for drivers built with the WDK.
 *
 * FxDriverEntry is the entry point of the image. It binds the driver to the
 * framework, which fills in WdfFunctions and WdfDriverGlobals, and calls
 * DriverEntry. When the driver unloads, or DriverEntry fails, it unbinds.
 */
#include <ntddk.h>
#include <wdf.h>

typedef PVOID PWDF_COMPONENT_GLOBALS;

DECLSPEC_IMPORT NTSTATUS WdfVersionBind(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath,
    PWDF_BIND_INFO BindInfo, PWDF_COMPONENT_GLOBALS *ComponentGlobals);
DECLSPEC_IMPORT VOID WdfVersionUnbind(
    PUNICODE_STRING RegistryPath, PWDF_BIND_INFO BindInfo, PWDF_COMPONENT_GLOBALS ComponentGlobals);

extern DRIVER_INITIALIZE DriverEntry;
CODE_SEG("INIT") DRIVER_INITIALIZE FxDriverEntry;
static DRIVER_UNLOAD FxStubDriverUnload;

PWDF_DRIVER_GLOBALS WdfDriverGlobals;

#if WDF_FUNCTIONS_BY_POINTER
const WDFFUNC *WdfFunctions;
#define FUNCTION_TABLE ((WDFFUNC *)&WdfFunctions)
#else
WDFFUNC WdfFunctions[WDF_FUNCTION_COUNT];
#define FUNCTION_TABLE WdfFunctions
#endif

static WDF_BIND_INFO BindInfo = {
    .Size = sizeof(BindInfo),
    .Component = (PWCHAR)L"KmdfLibrary",
    .Version = {KMDF_VERSION_MAJOR, KMDF_VERSION_MINOR, 0},
    .FuncCount = WDF_FUNCTION_COUNT,
    .FuncTable = FUNCTION_TABLE,
};

/* The copy of the registry path: the system's one is gone after DriverEntry. */
static WCHAR RegistryPathBuffer[260];
static UNICODE_STRING RegistryPathCopy = {0, sizeof(RegistryPathBuffer), RegistryPathBuffer};

/* What DriverUnload was before FxDriverEntry replaced it. */
static DRIVER_UNLOAD *DisplacedDriverUnload;

static VOID Unbind(VOID)
{
    WdfVersionUnbind(&RegistryPathCopy, &BindInfo, WdfDriverGlobals);
}

_Use_decl_annotations_
static VOID FxStubDriverUnload(PDRIVER_OBJECT DriverObject)
{
    if (DisplacedDriverUnload != NULL && DisplacedDriverUnload != FxStubDriverUnload) {
        DisplacedDriverUnload(DriverObject);
    }
    Unbind();
}

_Use_decl_annotations_
NTSTATUS FxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    RtlCopyUnicodeString(&RegistryPathCopy, RegistryPath);
    status = WdfVersionBind(DriverObject, &RegistryPathCopy, &BindInfo, (PWDF_COMPONENT_GLOBALS *)&WdfDriverGlobals);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = DriverEntry(DriverObject, RegistryPath);
    if (!NT_SUCCESS(status)) {
        Unbind();
        return status;
    }
    /*
     * A framework that does not unbind by itself when the driver unloads says
     * so: the stub does it after the driver's own unload routine.
     */
    if (WdfDriverGlobals->DisplaceDriverUnload) {
        DisplacedDriverUnload = DriverObject->DriverUnload;
        DriverObject->DriverUnload = FxStubDriverUnload;
    }
    return STATUS_SUCCESS;
}
