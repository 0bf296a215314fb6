// A driver that does nothing, with something of everything that the package
// has to read. See build.sh.

typedef unsigned char UCHAR;
typedef unsigned short USHORT;
typedef unsigned int ULONG;
typedef unsigned long long ULONG64;
typedef int NTSTATUS;
typedef void *PVOID;

typedef struct {
    ULONG Size;
    const USHORT *Component;
    ULONG Major, Minor, Build;
    ULONG FuncCount;
    PVOID *FuncTable;
    PVOID Module;
} WDF_BIND_INFO;

__declspec(dllimport) NTSTATUS WdfVersionBind(PVOID driver, PVOID path, WDF_BIND_INFO *info, PVOID *globals);
__declspec(dllimport) void WdfVersionUnbind(PVOID path, WDF_BIND_INFO *info, PVOID globals);
__declspec(dllimport) UCHAR KeGetCurrentIrql(void);
__declspec(dllimport) ULONG DbgPrint(const char *format, ...);
__declspec(dllimport) PVOID *IoFileObjectType;

#ifdef _MSC_VER
#define SECTION(s) __declspec(code_seg(s))
#else
#define SECTION(s) __attribute__((section(s)))
#endif
#define NOINLINE __attribute__((noinline))

static const USHORT component[] = {'K', 'm', 'd', 'f', 'L', 'i', 'b', 'r', 'a', 'r', 'y', 0};
PVOID functions[396];
static WDF_BIND_INFO bindInfo = {sizeof(WDF_BIND_INFO), component, 1, 9, 7600, 396, functions, 0};
PVOID globals;
volatile ULONG64 shared = 7;

ULONG64 __security_cookie = 0x2B992DDFA232ULL;

#ifdef _MSC_VER
int _fltused = 1;

// As the linker would make it for a driver that uses the real run-time library.
const struct {
    ULONG Size;
    UCHAR unused[0x54];
    ULONG64 *SecurityCookie;
    UCHAR rest[0x98 - 0x60];
} _load_config_used = {0x98, {0}, &__security_cookie, {0}};
#endif

// Saves registers and has a frame pointer, because its frame varies.
NOINLINE ULONG64 Varying(ULONG64 n, ULONG64 (*next)(ULONG64)) {
    volatile UCHAR *p = __builtin_alloca(n * 16);
    static ULONG64 calls;
    ULONG64 sum = 0;
    for (ULONG64 i = 0; i < n * 16; i++)
        p[i] = (UCHAR)i;
    for (ULONG64 i = 0; i < n; i++)
        sum += p[i * 16] + next(n - 1);
    calls++;
    return sum + calls;
}

// Has a large frame.
NOINLINE ULONG64 Large(ULONG64 n) {
    volatile ULONG64 big[64];
    for (int i = 0; i < 64; i++)
        big[i] = n + i;
    shared += KeGetCurrentIrql();
    return big[n & 63] + shared;
}

// Keeps values over a call in registers that it has to save, among them xmm.
NOINLINE double Floating(double a, double b, ULONG64 n) {
    double c = a * b;
    ULONG64 x = Large(n), y = Large(n + x);
    return c + a + (double)(x ^ y ^ n);
}

// A leaf: no frame at all.
NOINLINE ULONG64 Leaf(ULONG64 n) {
    return n * shared;
}

SECTION("PAGE") NOINLINE ULONG64 Paged(ULONG64 n) {
    DbgPrint("paged %d\n", (int)n);
    return Varying(n & 3, Large) + 1;
}

static NOINLINE ULONG64 hidden(ULONG64 n) {
    return Paged(n) + Leaf(n);
}

static void Unload(PVOID driver) {
    (void)driver;
    WdfVersionUnbind(0, &bindInfo, globals);
}

void *unload = (void *)Unload;

SECTION("INIT") NTSTATUS DriverEntry(PVOID driver, PVOID path) {
    NTSTATUS status = WdfVersionBind(driver, path, &bindInfo, &globals);
    if (status < 0)
        return status;
    shared += hidden((ULONG64)*IoFileObjectType);
    shared += (ULONG64)Floating(1.5, 2.5, shared);
    return 0;
}
