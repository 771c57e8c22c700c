// Loops whose speed is a limit of the machine and of nothing else: multiply-adds on registers, and
// loads and copies over a working set. Freestanding; the build names the exact CPU.

#if defined(__AVX512F__)
#include <immintrin.h>
enum { BYTES = 64, CHAINS = 16 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { BYTES = 32, CHAINS = 12 };
#elif defined(__ARM_NEON)
#include <arm_neon.h>
enum { BYTES = 16, CHAINS = 24 };
#else
enum { BYTES = 16, CHAINS = 8 };
#endif

typedef float vf __attribute__((vector_size(BYTES)));
typedef int vi __attribute__((vector_size(BYTES)));
typedef signed char vb __attribute__((vector_size(BYTES)));

// Hides a vector register's value from the optimiser, at no cost.
#if defined(__x86_64__)
#define OPAQUE(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define OPAQUE(v) __asm__ volatile("" : "+w"(v))
#else
#define OPAQUE(v) __asm__ volatile("" : "+m"(v))
#endif

// acc + dot products of 8-bit numbers, by the machine's own instruction. DOT_OPS: operations each
// call does (a multiply and an add are two).
#if defined(__AVX512VNNI__)
enum { DOT_OPS = 128 };
static inline vi dot(vi acc, vi a, vi b) {
  return (vi)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b);
}
#elif defined(__AVX512BW__)
enum { DOT_OPS = 64 };
static inline vi dot(vi acc, vi a, vi b) {
  return acc + (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
#elif defined(__AVXVNNI__)
enum { DOT_OPS = 64 };
static inline vi dot(vi acc, vi a, vi b) {
  return (vi)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)a, (__m256i)b);
}
#elif defined(__AVX2__)
enum { DOT_OPS = 32 };
static inline vi dot(vi acc, vi a, vi b) {
  return acc + (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
#elif defined(__ARM_FEATURE_DOTPROD)
enum { DOT_OPS = 32 };
static inline vi dot(vi acc, vi a, vi b) {
  return (vi)vdotq_s32((int32x4_t)acc, (int8x16_t)a, (int8x16_t)b);
}
#elif defined(__ARM_NEON)
enum { DOT_OPS = 16 };
static inline vi dot(vi acc, vi a, vi b) {
  int16x8_t product = vmull_s8(vget_low_s8((int8x16_t)a), vget_low_s8((int8x16_t)b));
  return (vi)vpadalq_s16((int32x4_t)acc, product);
}
#else
enum { DOT_OPS = 2 * BYTES / 4 };
static inline vi dot(vi acc, vi a, vi b) { return acc + a * b; }
#endif

int f32_ops(void) { return CHAINS * BYTES / 4 * 2; }

int dot_ops(void) { return CHAINS * DOT_OPS; }

float f32_peak(long long rounds) {
  vf acc[CHAINS], a = (vf){} + 0.999f, b = (vf){} + 0.001f;
  for (int i = 0; i < CHAINS; i++) acc[i] = (vf){} + (2.5f + i);
  for (long long n = 0; n < rounds; n++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * a + b;
  }
  for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];
  return acc[0][0];
}

int dot_peak(long long rounds) {
  vi acc[CHAINS], a = (vi){} + 0x01020304, b = (vi){} + 0x04030201;
  for (int i = 0; i < CHAINS; i++) acc[i] = (vi){} + i;
  for (long long n = 0; n < rounds; n++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      OPAQUE(a);
      acc[i] = dot(acc[i], a, b);
    }
  }
  for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];
  return acc[0][0];
}

// One dependent rotation a cycle (some CPUs do additions of constants for nothing): rounds / seconds
// is the clock.
long long clock_ticks(long long rounds) {
  unsigned long long x = 1;
  for (long long n = 0; n < rounds; n += 16) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      x = x << 1 | x >> 63;
      __asm__ volatile("" : "+r"(x));
    }
  }
  return (long long)x;
}

// bytes: a multiple of 8 vectors; data: aligned to 64.
int read_bytes(const vi *data, long long bytes, long long rounds) {
  vi acc[8] = {};
  long long count = bytes / BYTES;
  for (long long n = 0; n < rounds; n++) {
    for (long long i = 0; i < count; i += 8) {
#pragma clang loop unroll(full)
      for (int k = 0; k < 8; k++) acc[k] += data[i + k];
    }
    __asm__ volatile("" ::: "memory");
  }
  for (int k = 1; k < 8; k++) acc[0] += acc[k];
  return acc[0][0];
}

void copy_bytes(vi *to, const vi *from, long long bytes, long long rounds) {
  long long count = bytes / BYTES;
  for (long long n = 0; n < rounds; n++) {
    for (long long i = 0; i < count; i += 8) {
#pragma clang loop unroll(full)
      for (int k = 0; k < 8; k++) to[i + k] = from[i + k];
    }
    __asm__ volatile("" ::: "memory");
  }
}
