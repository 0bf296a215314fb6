package ddi

// levelRule is a rule of Driver Verifier's DDI compliance checking, and of Static
// Driver Verifier: routines that may be called at some levels only. code is
// parameter 1 of 0xC4 (docs/spec/bugchecks.md, sections 6 and 9).
type levelRule struct {
	name     string
	code     uint64
	routines []string
}

// levelRules are the rules by IRQL, each with the routines that its reference page
// lists. Routines that check themselves with codes of their own come first there:
// KeSetEvent (0x80), fast mutexes (0x33), critical regions (0x11A), waits (0x120).
var levelRules = []levelRule{
	{"IrqlApcLte", 0x00020002, []string{"ObGetObjectSecurity", "ObReleaseObjectSecurity"}},
	{"IrqlDispatch", 0x00020003, []string{
		"IoAllocateController", "IoFreeController", "IoStartNextPacket", "KeInsertByKeyDeviceQueue", "KeInsertDeviceQueue",
		"KeRemoveByKeyDeviceQueue", "KeRemoveDeviceQueue",
	}},
	{"IrqlExApcLte1", 0x00020005, []string{"ExAcquireFastMutex", "ExTryToAcquireFastMutex"}},
	{"IrqlExApcLte2", 0x00020006, []string{
		"CmRegisterCallback", "CmRegisterCallbackEx", "CmUnRegisterCallback", "ExDeletePagedLookasideList",
		"ExInitializePagedLookasideList", "ExRegisterCallback", "ExSetTimerResolution", "ExUnregisterCallback", "ProbeForRead",
		"ProbeForWrite",
	}},
	{"IrqlExApcLte3", 0x00020007, []string{
		"ExAcquireResourceExclusiveLite", "ExAcquireResourceSharedLite", "ExAcquireSharedStarveExclusive",
		"ExAcquireSharedWaitForExclusive", "ExConvertExclusiveToSharedLite", "ExDeleteResourceLite",
	}},
	{"IrqlExPassive", 0x00020008, []string{
		"ExCreateCallback", "ExIsProcessorFeaturePresent", "ExRaiseAccessViolation", "ExRaiseDatatypeMisalignment", "ExRaiseStatus",
		"ExUuidCreate",
	}},
	{"IrqlIoApcLte", 0x00020009, []string{"IoDeleteDevice", "IoGetInitialStack", "IoRaiseHardError", "IoRaiseInformationalHardError"}},
	{"IrqlIoPassive1", 0x0002000A, []string{
		"IoAttachDevice", "IoBuildDeviceIoControlRequest", "IoCreateDevice", "IoSetDeviceInterfaceState",
	}},
	{"IrqlIoPassive2", 0x0002000B, []string{"IoCheckShareAccess", "IoConnectInterrupt", "IoCreateController"}},
	{"IrqlIoPassive3", 0x0002000C, []string{"IoCreateSymbolicLink", "IoDetachDevice", "IoRegisterDeviceInterface"}},
	{"IrqlIoPassive4", 0x0002000D, []string{
		"IoCreateFile", "IoCreateNotificationEvent", "IoCreateSynchronizationEvent", "IoCreateUnprotectedSymbolicLink",
		"IoDeleteController", "IoDeleteSymbolicLink", "IoDisconnectInterrupt",
	}},
	{"IrqlIoPassive5", 0x0002000E, []string{
		"IoGetConfigurationInformation", "IoGetDeviceObjectPointer", "IoGetDmaAdapter", "IoGetFileObjectGenericMapping",
		"IoInitializeTimer", "IoIsWdmVersionAvailable", "IoRegisterDriverReinitialization", "IoRegisterShutdownNotification",
		"IoRemoveShareAccess", "IoSetShareAccess", "IoUnregisterShutdownNotification", "IoUpdateShareAccess",
		"IoWMIAllocateInstanceIds", "IoWMIRegistrationControl",
	}},
	{"IrqlKeApcLte1", 0x0002000F, []string{
		"KeAcquireGuardedMutex", "KeAcquireGuardedMutexUnsafe", "KeDelayExecutionThread", "KeQueryActiveProcessors",
		"KeReleaseGuardedMutex", "KeReleaseGuardedMutexUnsafe", "KeTryToAcquireGuardedMutex",
	}},
	{"IrqlKeApcLte2", 0x00020010, []string{
		"KeDeregisterNmiCallback", "KeEnterCriticalRegion", "KeEnterGuardedRegion", "KeLeaveCriticalRegion", "KeLeaveGuardedRegion",
		"KeRegisterNmiCallback",
	}},
	{"IrqlKeDispatchLte", 0x00020011, []string{
		"KeAcquireSpinLock", "KeAcquireSpinLockRaiseToDpc", "KeCancelTimer", "KeClearEvent", "KeFlushIoBuffers",
		"KeInitializeDeviceQueue", "KeInitializeSemaphore", "KeInitializeTimer", "KeInitializeTimerEx", "KePulseEvent",
		"KeRaiseIrqlToDpcLevel", "KeReadStateEvent", "KeReadStateTimer", "KeReleaseMutex", "KeRemoveEntryDeviceQueue",
		"KeResetEvent", "KeSaveFloatingPointState", "KeSetTimer", "KeSetTimerEx",
	}},
	{"IrqlMmApcLte", 0x00020019, []string{
		"MmAllocateNonCachedMemory", "MmAllocatePagesForMdl", "MmAllocatePagesForMdlEx", "MmFreeNonCachedMemory",
		"MmFreePagesFromMdl", "MmLockPagableDataSection", "MmLockPagableSectionByHandle", "MmPageEntireDriver",
		"MmResetDriverPaging", "MmSecureVirtualMemory", "MmUnlockPagableImageSection", "MmUnsecureVirtualMemory",
	}},
	{"IrqlObPassive", 0x0002001B, []string{"ObReferenceObjectByHandle"}},
	{"IrqlPsPassive", 0x0002001C, []string{
		"PsCreateSystemThread", "PsGetVersion", "PsSetCreateProcessNotifyRoutine", "PsSetCreateThreadNotifyRoutine",
		"PsSetLoadImageNotifyRoutine", "PsTerminateSystemThread",
	}},
	{"IrqlRtlPassive", 0x0002001E, []string{"RtlDeleteRegistryValue"}},
}

// LevelRule returns the rule that lists a routine, and its code; "" and 0 if none
// does. IrqlZwPassive is about all Zw routines.
func LevelRule(routine string) (rule string, code uint64) {
	for i := range levelRules {
		for _, name := range levelRules[i].routines {
			if name == routine {
				return levelRules[i].name, levelRules[i].code
			}
		}
	}
	if len(routine) > 2 && routine[:2] == "Zw" {
		return "IrqlZwPassive", 0x0002001F
	}
	return "", 0
}
