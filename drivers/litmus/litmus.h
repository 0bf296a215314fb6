/*
 * litmus.h: what the litmus drivers share. Each driver has the litmus tests of
 * one group of docs/spec/litmus.md: a.c, b.c, c.c. The same tests in a language
 * of their own, with the exact set of outcomes that Windows allows, are in
 * internal/litmus/catalogue; dirql litmus --binary runs the driver under every
 * schedule and compares.
 *
 * A driver has one routine for each program of a test (the ISR of interrupt I,
 * the DPC routine of D, the thread at P0), and one that does the setup: it
 * makes the objects and tells the test which they are. The table Tests at the
 * end of each driver lists the setup routines.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include <ntddk.h>
#include <wdf.h>

/* ---- Routines of the test, imported from litmus.sys ---- */

/* LitmusIsTest tells whether this run is one of the test with that id. */
DECLSPEC_IMPORT BOOLEAN LitmusIsTest(PCSTR Id);

/*
 * Setup. LitmusObject names an object of the test: the handle of a framework
 * object, the address of anything else. LitmusThread gives the routine of the
 * thread that runs at PASSIVE_LEVEL on a processor.
 */
DECLSPEC_IMPORT VOID LitmusObject(PCSTR Name, ULONG_PTR HandleOrAddress);
DECLSPEC_IMPORT VOID LitmusThread(ULONG Processor, PKSTART_ROUTINE Routine, PVOID Context);

/*
 * In a thread: what comes before belongs to the setup. The test begins when all
 * threads that have a setup part have come here.
 */
DECLSPEC_IMPORT VOID LitmusSetupDone(VOID);

/* What a test reports: a value in a list, or a word in the list seq. */
DECLSPEC_IMPORT VOID LitmusOut(PCSTR List, LONG64 Value);
DECLSPEC_IMPORT VOID LitmusMark(PCSTR Word);

/* LitmusCompleted counts a completion of a request. */
DECLSPEC_IMPORT VOID LitmusCompleted(WDFREQUEST Request);

/* LitmusObserve looks at the machine: LitmusObserve("D", "queued"). */
DECLSPEC_IMPORT LONG64 LitmusObserve(PCSTR Object, PCSTR Property);

/*
 * What makes the device act. LitmusInterrupt returns when the ISR on that
 * processor has returned. LitmusArrive adds an entry to a ring.
 */
DECLSPEC_IMPORT VOID LitmusInterrupt(PCSTR Interrupt, ULONG Processor);
DECLSPEC_IMPORT VOID LitmusArrive(PCSTR Ring);

/* LITMUS_CHECK stops the run if a condition does not hold. */
DECLSPEC_IMPORT VOID LitmusCheck(BOOLEAN Holds, PCSTR Condition);
#define LITMUS_CHECK(Condition) LitmusCheck((Condition) ? TRUE : FALSE, #Condition)

/* LITMUS_VARIABLE names a variable of the driver that has the name of the test. */
#define LITMUS_VARIABLE(Variable) LitmusObject(#Variable, (ULONG_PTR)&(Variable))

/* ---- The driver ---- */

typedef NTSTATUS LITMUS_SETUP(WDFDEVICE Device);

typedef struct _LITMUS_TEST {
    PCSTR Id;            /* NULL ends the table */
    LITMUS_SETUP *Setup; /* called in EvtDriverDeviceAdd */
} LITMUS_TEST;

extern const LITMUS_TEST Tests[];

/* The registers of the device, if the test has one with registers. */
static volatile ULONG64 *Registers;

/* CreateInterrupt makes the WDFINTERRUPT I of a test. */
FORCEINLINE NTSTATUS
CreateInterrupt(
    IN WDFDEVICE Device,
    IN PFN_WDF_INTERRUPT_ISR EvtInterruptIsr,
    IN PFN_WDF_INTERRUPT_DPC EvtInterruptDpc,
    IN BOOLEAN AutomaticSerialization
    )
{
    WDF_INTERRUPT_CONFIG config;
    WDFINTERRUPT interrupt;
    NTSTATUS status;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    config.AutomaticSerialization = AutomaticSerialization;
    status = WdfInterruptCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt);
    if (NT_SUCCESS(status)) {
        LitmusObject("I", (ULONG_PTR)interrupt);
    }
    return status;
}

/* LitmusEvtDevicePrepareHardware maps the registers. */
static NTSTATUS
LitmusEvtDevicePrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);

    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(ResourcesRaw);

    for (ULONG i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory) {
            Registers = MmMapIoSpace(descriptor->u.Memory.Start, descriptor->u.Memory.Length, MmNonCached);
            if (Registers == NULL) {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
        }
    }
    return STATUS_SUCCESS;
}

/* LitmusEvtDeviceAdd makes the device and does the setup of the test. */
static NTSTATUS
LitmusEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = LitmusEvtDevicePrepareHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    /* The scope in which AutomaticSerialization works; nothing else here uses it. */
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    for (const LITMUS_TEST *test = Tests; test->Id != NULL; test++) {
        if (LitmusIsTest(test->Id)) {
            return test->Setup(device);
        }
    }
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS
DriverEntry(
    IN PDRIVER_OBJECT DriverObject,
    IN PUNICODE_STRING RegistryPath
    )
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, LitmusEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

#endif
