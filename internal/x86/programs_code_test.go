package x86_test

// The machine code of the programs that programs_test.go runs. Compiled by gcc
// 12.2 with
//
//	gcc -O2 -fno-tree-vectorize -fcf-protection=none -fno-stack-protector
//	    -fno-asynchronous-unwind-tables -mno-red-zone -ffreestanding -fpic
//	    -nostdlib -static -Wl,-T,script
//
// where script puts .text and .rodata at address 0, from:
//
//	typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long i64;
//	#define API __attribute__((ms_abi, noinline, used))
//	API u64 p_memcpy(u8 *d, const u8 *s, u64 n) { for (u64 i = 0; i < n; i++) d[i] = s[i]; return n; }
//	API u64 p_repmovs(u8 *d, const u8 *s, u64 n) { u64 c = n; __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(c) :: "memory"); return n - c; }
//	API u64 p_crc32(const u8 *p, u64 n) { u32 c = ~0u; while (n--) { c ^= *p++; for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1; } return ~c; }
//	API u64 p_sort(i64 *a, u64 n) { for (u64 gap = n / 2; gap; gap /= 2) for (u64 i = gap; i < n; i++) { i64 v = a[i]; u64 j = i; while (j >= gap && a[j - gap] > v) { a[j] = a[j - gap]; j -= gap; } a[j] = v; } return n; }
//	API u64 p_atomic(volatile u64 *p, u64 n) { for (u64 i = 0; i < n; i++) { __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST); u64 o = p[1]; while (!__atomic_compare_exchange_n(&p[1], &o, o * 3 + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)); __atomic_exchange_n(&p[2], i, __ATOMIC_SEQ_CST); p[3]++; } return p[0]; }
//	API u64 p_strlen(const char *s) { const char *e = s; u64 c = ~0ull; __asm__ volatile("repne scasb" : "+D"(e), "+c"(c) : "a"(0) : "memory", "cc"); return ~c - 1; }
//	API u64 p_double(double *a, u64 n) { double s = 0; for (u64 i = 0; i < n; i++) { s += a[i] * 1.25 / (i + 1); a[i] = s > 100.0 ? (double)(i64)s : s; } return (u64)(i64)(s * 1000.0); }
//	API u64 p_div(u64 a, u64 b) { u64 r = 0; for (u64 i = 1; i < 40; i++) { r += a / (b + i) + a % (b + i * 3) + (u64)((i64)a / (i64)(i + 7)); a = a * 6364136223846793005ull + 1442695040888963407ull; } return r; }
//	static __attribute__((ms_abi, noinline)) u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
//	API u64 p_fib(u64 n) { return fib(n); }
//	API u64 p_alu(u64 n) { u64 a = n | 1, b = 0x9E3779B97F4A7C15ull, c = 0; u32 d = 1; for (u64 i = 0; i < n; i++) { a ^= a << 13; a ^= a >> 7; a ^= a << 17; b = b * 6364136223846793005ull + 1442695040888963407ull; if (a & 8) c += b >> 33; else c ^= a; d = (d << 5) + d + (u32)c; } return a + b + c + d; }

// programs are offsets of the functions.
var programs = map[string]uint64{
	"alu":     0x340,
	"atomic":  0x1C0,
	"crc32":   0xA0,
	"div":     0x2B0,
	"double":  0x230,
	"fib":     0x330,
	"memcpy":  0x50,
	"repmovs": 0x80,
	"sort":    0xF0,
	"strlen":  0x210,
}

const programCode = "" +
	"4883f901763a574889cf5631f6534889cb4883ec20488d4bff4883eb02e8deffffff4801c64883fb0177ea4883c42083e701488d04375b5e5fc3660f" +
	"1f4400004889c8c366662e0f1f840000000000904c89c04d85c0741a4531c90f1f440000460fb6140a468814094983c1014c39c875eec366662e0f1f" +
	"8400000000006690574889cf4c89c1564889d6f3a44c89c05e5f4829c8c3662e0f1f8400000000004885d274424c8d1411b8ffffffff66900fb61148" +
	"83c10131d0ba0800000066904189c1d1e84189c04183e1014181f02083b8ed4585c9410f45c083ea0175e14c39d175ccf7d0c331c0c3660f1f440000" +
	"4989d241554989cd49d1ea41544989d4555756530f847d000000660f1f4400004e8d1cd5000000004c89d54b8d7c1d004d39e20f83840000000f1f80" +
	"00000000488b1f4989f94c39d572374889f84889f94889ea4c29d8eb180f1f80000000004c89014c89c94c29d84c29d94c39d272374c8b004c29d248" +
	"89c64989c94939d87fde4883c5014989194883c7084939ec75ae49d1ea75895b4c89e05e5f5d415c415dc30f1f4400004989f14883c5014883c70849" +
	"89194939ec7585ebd549d1eae95bffffff66662e0f1f8400000000004c8d51084c8d49104531c04885d27430f048830101488b41084c8d5c4001f04d" +
	"0fb11a75f44c89c0498701488b41184883c0014983c001488941184c39c275d0488b01c366662e0f1f840000000000905731c04889cf48c7c1ffffff" +
	"fff2ae48c7c0feffffff5f4829c8c30f1f44000031c04885d27469f20f1025c9010000f20f101dc9010000660fefc00f1f440000f20f100cc1660fef" +
	"d24883c001f2480f2ad0f20f59ccf20f5ecaf20f58c1660f2fc3660f28c8760ef24c0f2cc0660fefc9f2490f2ac8f20f114cc1f84839d075bff20f59" +
	"057f010000f2480f2cc0c390c366662e0f1f8400000000000f1f4000574c8d520341b9080000004531db56488d7af948be2d7f954c2df451585348bb" +
	"4f8167f77e7b05140f1f8400000000004e8d040f4889c831d249f7f04989c04889c8489949f7f931d24983c1014901c04889c849f7f2480fafce4983" +
	"c2034801d94901d04d01c34983f92f75c35b4c89d85e5fc366662e0f1f84000000000090e9cbfcffff66662e0f1f8400000000004889c8574883c801" +
	"56534885c90f848d0000004989cb4531d231c9bf0100000049b8157c4a7fb979379e48be2d7f954c2df4515848bb4f8167f77e7b051466904889c24c" +
	"0fafc648c1e20d4831d04889c24901d848c1ea074d89c14831c249c1e9214889d04901c948c1e0114831d04831c183e20889fa490f45c9c1e2054983" +
	"c20101fa8d3c0a4d39d375b44c01c05b5e4801c84801f85fc30f1f8000000000b80100000031c9bf010000005b49b8157c4a7fb979379e5e4c01c048" +
	"01c84801f85fc30f1f440000000000000000f43f00000000000059400000000000408f40"
