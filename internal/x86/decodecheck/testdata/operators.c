// Every operator of C on every type, and the builtins of compilers that have
// instructions of their own: what a compiler can be made to emit for a driver.
// TestCompilers compiles it in many ways and looks at the instructions.

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;
typedef __int128 i128;
typedef unsigned __int128 u128;
typedef float f32;
typedef double f64;

#define EACH_INTEGER(X) X(i8) X(u8) X(i16) X(u16) X(i32) X(u32) X(i64) X(u64) X(i128) X(u128)
#define EACH_WORD(X) X(i8) X(u8) X(i16) X(u16) X(i32) X(u32) X(i64) X(u64)
#define EACH_FLOAT(X) X(f32) X(f64)
#define EACH(X) EACH_INTEGER(X) EACH_FLOAT(X)

// Arithmetic and comparison, with registers, memory, constants and loops.
#define ARITHMETIC(T)                                                                    \
  T add_##T(T a, T b) { return a + b; }                                                  \
  T sub_##T(T a, T b) { return a - b; }                                                  \
  T mul_##T(T a, T b) { return a * b; }                                                  \
  T div_##T(T a, T b) { return a / b; }                                                  \
  T mul_const_##T(T a) { return a * (T)19; }                                             \
  T div_const_##T(T a) { return a / (T)7; }                                              \
  T negate_##T(T a) { return -a; }                                                       \
  int less_##T(T a, T b) { return a < b; }                                               \
  int equal_##T(T a, T b) { return a == b; }                                             \
  int not_##T(T a) { return !a; }                                                        \
  T choose_##T(T a, T b, T c, T d) { return a >= b ? c : d; }                            \
  T least_##T(T a, T b) { return a < b ? a : b; }                                        \
  T greatest_##T(T a, T b) { return a > b ? a : b; }                                     \
  T absolute_##T(T a) { return a < 0 ? -a : a; }                                         \
  void inc_##T(T *p) { ++*p; }                                                           \
  void sub_memory_##T(T *p, T v) { *p -= v; }                                            \
  T sum_##T(T *p, u64 n) { T s = 0; for (u64 i = 0; i < n; i++) s += p[i]; return s; }   \
  T most_##T(T *p, u64 n) { T s = *p; for (u64 i = 1; i < n; i++) if (p[i] > s) s = p[i]; return s; } \
  T dot_##T(T *p, T *q, u64 n) { T s = 0; for (u64 i = 0; i < n; i++) s += p[i] * q[i]; return s; } \
  void scale_##T(T *p, T v, u64 n) { for (u64 i = 0; i < n; i++) p[i] = p[i] * v + 3; }  \
  void fill_##T(T *p, T v, u64 n) { for (u64 i = 0; i < n; i++) p[i] = v; }              \
  void copy_##T(T *p, T *q, u64 n) { for (u64 i = 0; i < n; i++) p[i] = q[n - 1 - i]; }  \
  u64 find_##T(T *p, T v, u64 n) { u64 i = 0; while (i < n && p[i] != v) i++; return i; }
EACH(ARITHMETIC)

#define INTEGER(T)                                                                       \
  T rem_##T(T a, T b) { return a % b; }                                                  \
  T rem_const_##T(T a) { return a % (T)10; }                                             \
  T and_##T(T a, T b) { return a & b; }                                                  \
  T or_##T(T a, T b) { return a | b; }                                                   \
  T xor_##T(T a, T b) { return a ^ b; }                                                  \
  T andn_##T(T a, T b) { return ~a & b; }                                                \
  T complement_##T(T a) { return ~a; }                                                   \
  T left_##T(T a, T n) { return a << n; }                                                \
  T right_##T(T a, T n) { return a >> n; }                                               \
  T left_const_##T(T a) { return a << 3; }                                               \
  T right_const_##T(T a) { return a >> 5; }                                              \
  T rotate_##T(T a, T n) { T w = sizeof a * 8 - 1; return a << (n & w) | a >> (-n & w); } \
  T rotate_const_##T(T a) { return a << 3 | a >> (sizeof a * 8 - 3); }                   \
  T low_bit_##T(T a) { return a & -a; }                                                  \
  T clear_low_##T(T a) { return a & (a - 1); }                                           \
  T mask_low_##T(T a) { return a ^ (a - 1); }                                            \
  T low_bits_##T(T a, T n) { return a & (((T)1 << n) - 1); }                             \
  T field_##T(T a, T n) { return a >> n & 0x3F; }                                        \
  int test_##T(T a, T n) { return (a >> n & 1) != 0; }                                   \
  T set_##T(T a, T n) { return a | (T)1 << n; }                                          \
  T reset_##T(T a, T n) { return a & ~((T)1 << n); }                                     \
  T flip_##T(T a, T n) { return a ^ (T)1 << n; }                                         \
  void or_memory_##T(T *p, T v) { *p |= v; }                                             \
  void shift_memory_##T(T *p, int n) { *p <<= n; }                                       \
  void xor_all_##T(T *p, T *q, u64 n) { for (u64 i = 0; i < n; i++) p[i] ^= q[i] >> 3; } \
  void shift_all_##T(T *p, T s, u64 n) { for (u64 i = 0; i < n; i++) p[i] = p[i] << s | p[i] >> 2; } \
  int add_overflows_##T(T a, T b, T *r) { return __builtin_add_overflow(a, b, r); }      \
  int sub_overflows_##T(T a, T b, T *r) { return __builtin_sub_overflow(a, b, r); }      \
  int mul_overflows_##T(T a, T b, T *r) { return __builtin_mul_overflow(a, b, r); }
EACH_INTEGER(INTEGER)

#define ATOMIC(T)                                                                        \
  T load_##T(T *p) { return __atomic_load_n(p, 5); }                                     \
  void store_##T(T *p, T v) { __atomic_store_n(p, v, 5); }                               \
  T exchange_##T(T *p, T v) { return __atomic_exchange_n(p, v, 5); }                     \
  int compare_##T(T *p, T *e, T v) { return __atomic_compare_exchange_n(p, e, v, 0, 5, 5); } \
  T fetch_add_##T(T *p, T v) { return __atomic_fetch_add(p, v, 5); }                     \
  T fetch_and_##T(T *p, T v) { return __atomic_fetch_and(p, v, 5); }                     \
  void atomic_inc_##T(T *p) { __atomic_fetch_add(p, 1, 5); }                             \
  void atomic_dec_##T(T *p) { __atomic_fetch_sub(p, 1, 5); }                             \
  int atomic_dec_zero_##T(T *p) { return __atomic_sub_fetch(p, 1, 5) == 0; }             \
  void atomic_or_##T(T *p, T v) { __atomic_fetch_or(p, v, 5); }                          \
  void atomic_xor_##T(T *p) { __atomic_fetch_xor(p, 5, 5); }                             \
  int atomic_set_bit_##T(T *p) { return (__atomic_fetch_or(p, 4, 5) & 4) != 0; }         \
  int atomic_reset_bit_##T(T *p) { return (__atomic_fetch_and(p, (T)~4, 5) & 4) != 0; }
EACH_WORD(ATOMIC)

#define COUNT(T)                                                                         \
  int leading_##T(T a) { return __builtin_clzll((u64)a); }                               \
  int trailing_##T(T a) { return __builtin_ctzll((u64)a); }                              \
  int leading32_##T(T a) { return a ? __builtin_clz((u32)a) : 32; }                      \
  int trailing32_##T(T a) { return a ? __builtin_ctz((u32)a) : 32; }                     \
  int first_##T(T a) { return __builtin_ffsll((u64)a); }                                 \
  int ones_##T(T a) { return __builtin_popcountll((u64)a); }                             \
  int parity_##T(T a) { return __builtin_parityll((u64)a); }
EACH_WORD(COUNT)

#define FLOATING(T)                                                                      \
  T root_##T(T a) { return __builtin_sqrt(a); }                                          \
  T magnitude_##T(T a) { return __builtin_fabs(a); }                                     \
  T with_sign_##T(T a, T b) { return __builtin_copysign(a, b); }                         \
  T floor_##T(T a) { return __builtin_floor(a); }                                        \
  int unordered_##T(T a, T b) { return __builtin_isunordered(a, b); }                    \
  int sign_##T(T a) { return __builtin_signbit(a); }                                     \
  int finite_##T(T a) { return __builtin_isfinite(a); }
EACH_FLOAT(FLOATING)

// Every conversion, of one value and of an array.
#define CONVERT(T, U)                                                                    \
  U T##_to_##U(T a) { return (U)a; }                                                     \
  void all_##T##_to_##U(T *p, U *q, u64 n) { for (u64 i = 0; i < n; i++) q[i] = (U)p[i]; }
#define FROM(T) CONVERT(T, i8) CONVERT(T, u8) CONVERT(T, i16) CONVERT(T, u16) CONVERT(T, i32) CONVERT(T, u32) \
  CONVERT(T, i64) CONVERT(T, u64) CONVERT(T, f32) CONVERT(T, f64)
EACH_WORD(FROM)
EACH_FLOAT(FROM)

// Bytes, blocks of memory, structures.
u16 swap16(u16 a) { return __builtin_bswap16(a); }
u32 swap32(u32 a) { return __builtin_bswap32(a); }
u64 swap64(u64 a) { return __builtin_bswap64(a); }
void swap_memory(u64 *p, u32 *q) { *p = __builtin_bswap64(*p); *q = __builtin_bswap32(*q); }
struct block { char bytes[200]; };
struct fields { u32 a : 3; int b : 7; u64 c : 40; u8 d : 1; };
void copy_block(struct block *p, struct block *q) { *p = *q; }
void clear_block(struct block *p) { __builtin_memset(p, 0, sizeof *p); }
void fill_block(void *p, int v, u64 n) { __builtin_memset(p, v, n); }
void copy_bytes(void *p, void *q, u64 n) { __builtin_memcpy(p, q, n); }
int compare_block(void *p, void *q) { return __builtin_memcmp(p, q, 24); }
u64 length(char *s) { return __builtin_strlen(s); }
int get_fields(struct fields *f) { return f->a + f->b + (int)f->c + f->d; }
void set_fields(struct fields *f, u64 v) { f->a = v; f->b = v >> 3; f->c = v >> 5; f->d = v; }
int choice(int a) { switch (a) { case 0: return 7; case 1: return 9; case 2: return a * 5; case 3: return 11; case 4: return -a; case 5: return 1; } return 0; }
u64 indirect(u64 (*f)(u64), u64 a) { return f(a) + f(a + 1); }
u64 tail(u64 (*f)(u64), u64 a) { return f(a * 3); }
u64 stack(u64 n) { volatile u64 a[600]; a[n & 511] = n; return a[n >> 3 & 511]; }
u64 variable(u64 n) { volatile char *p = __builtin_alloca(n); p[n - 1] = 1; return p[n / 2]; }

// Instructions that a driver asks for by name.
void pause(void) { __builtin_ia32_pause(); }
void fences(void) { __builtin_ia32_mfence(); __builtin_ia32_lfence(); __builtin_ia32_sfence(); __atomic_thread_fence(5); }
u64 counter(u32 *p) { return __builtin_ia32_rdtsc() + __builtin_ia32_rdtscp(p); }
void prefetch(char *p) { __builtin_prefetch(p, 0, 0); __builtin_prefetch(p, 0, 1); __builtin_prefetch(p, 0, 2); __builtin_prefetch(p, 0, 3); __builtin_prefetch(p, 1, 3); }
void flush(char *p) { __builtin_ia32_clflush(p); }
void save(u32 *p) { *p = __builtin_ia32_stmxcsr(); __builtin_ia32_ldmxcsr(*p); }
void stop(void) { __builtin_trap(); }
u64 flags(void) { return __builtin_ia32_readeflags_u64(); }
