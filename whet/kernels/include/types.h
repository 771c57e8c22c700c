/* Element types by suffix, and how each is read, computed with and written.
 *
 * suffix  storage            wide_T (computed in)   sum_T (accumulated in)
 * f64     double             double                 double
 * f32     float              float                  float
 * f16     struct of 16 bits  float                  float
 * bf16    struct of 16 bits  float                  float
 * i8 i16 i32 u8 u16 u32      int32_t / uint32_t     uint32_t  (wraps, never undefined)
 * i64 u64                    int64_t / uint64_t     uint64_t
 *
 * A bool tensor is u8 holding 0 or 1; int4, uint4, int2, uint2 are held one to a byte (i8, u8).
 * f16 and bf16 are structs so that arithmetic on the raw bits does not compile; wasm has no
 * _Float16 and x86-64 without F16C would call a library for it, hence the portable conversion.
 *
 *   wide_T widen_T(T x)       reads an element as a number
 *   T      narrow_T(wide_T x) writes it: floats round to nearest even, integers wrap
 */
#ifndef WHET_TYPES_H
#define WHET_TYPES_H
#include <stdint.h>

#ifndef WHET_INLINE
#define WHET_INLINE static inline __attribute__((always_inline, unused))
#endif

typedef float f32;
typedef double f64;
typedef struct { uint16_t bits; } f16;
typedef struct { uint16_t bits; } bf16;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Status of the functions that can meet bad data (an index outside its tensor, a full output). */
enum { WHET_OK = 0, WHET_BAD_INDEX = 1, WHET_BAD_SIZE = 2 };

/* Runs of rows that threads share where a single image is reduced: each gives sums of its own. */
enum { SHARED_RUNS = 8 };

#define WHET_INFINITY __builtin_inff()
#define WHET_NAN __builtin_nanf("")

WHET_INLINE u32 bits_of_f32(float x)
{
    u32 bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}

WHET_INLINE float f32_of_bits(u32 bits)
{
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}

WHET_INLINE u64 bits_of_f64(double x)
{
    u64 bits;
    __builtin_memcpy(&bits, &x, 8);
    return bits;
}

WHET_INLINE double f64_of_bits(u64 bits)
{
    double x;
    __builtin_memcpy(&x, &bits, 8);
    return x;
}

#if defined(__F16C__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 2))
#define WHET_HARDWARE_F16 1
#else
#define WHET_HARDWARE_F16 0
#endif

/* binary16 to binary32, exact; NaN payloads are kept and made quiet. */
WHET_INLINE float widen_f16(f16 x)
{
#if WHET_HARDWARE_F16
    _Float16 half;
    __builtin_memcpy(&half, &x, 2);
    return (float)half;
#else
    const u32 sign = (u32)(x.bits & 0x8000u) << 16;
    const u32 rest = x.bits & 0x7fffu;
    if (rest >= 0x7c00u)
        return f32_of_bits(sign | 0x7f800000u | rest << 13 | (rest > 0x7c00u ? 0x400000u : 0u));
    if (rest < 0x400u) {
        const float magnitude = (float)(i32)rest * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return f32_of_bits(sign | ((rest << 13) + 0x38000000u));
#endif
}

/* binary32 to binary16, to nearest even, overflow to infinity. */
WHET_INLINE f16 narrow_f16(float x)
{
    f16 out;
#if WHET_HARDWARE_F16
    const _Float16 half = (_Float16)x;
    __builtin_memcpy(&out, &half, 2);
#else
    const u32 bits = bits_of_f32(x);
    const u32 sign = bits >> 16 & 0x8000u;
    const u32 rest = bits & 0x7fffffffu;
    u32 half;
    if (rest > 0x7f800000u)
        half = 0x7e00u | (rest >> 13 & 0x3ffu);
    else if (rest >= 0x477ff000u)
        half = 0x7c00u;
    else if (rest < 0x38800000u) /* subnormal: adding 0.5 leaves the rounded multiple of 2^-24 */
        half = bits_of_f32(f32_of_bits(rest) + 0.5f) - 0x3f000000u;
    else
        half = (rest - 0x38000000u + 0xfffu + (rest >> 13 & 1u)) >> 13;
    out.bits = (u16)(sign | half);
#endif
    return out;
}

WHET_INLINE float widen_bf16(bf16 x) { return f32_of_bits((u32)x.bits << 16); }

/* binary32 to bfloat16, to nearest even; a NaN stays one. */
WHET_INLINE bf16 narrow_bf16(float x)
{
    const u32 bits = bits_of_f32(x);
    bf16 out;
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        out.bits = (u16)(bits >> 16 | 0x40u);
    else
        out.bits = (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    return out;
}

typedef float wide_f32, wide_f16, wide_bf16, sum_f32, sum_f16, sum_bf16;
typedef double wide_f64, sum_f64;
typedef i32 wide_i8, wide_i16, wide_i32;
typedef u32 wide_u8, wide_u16, wide_u32, sum_i8, sum_i16, sum_i32, sum_u8, sum_u16, sum_u32;
typedef i64 wide_i64;
typedef u64 wide_u64, sum_i64, sum_u64;

#define WHET_PLAIN(T) \
    WHET_INLINE wide_##T widen_##T(T x) { return x; } \
    WHET_INLINE T narrow_##T(wide_##T x) { return (T)x; }
WHET_PLAIN(f32)
WHET_PLAIN(f64)
WHET_PLAIN(i8)
WHET_PLAIN(i16)
WHET_PLAIN(i32)
WHET_PLAIN(i64)
WHET_PLAIN(u8)
WHET_PLAIN(u16)
WHET_PLAIN(u32)
WHET_PLAIN(u64)

/* Instantiate a family for every type of a class: FAMILY(T) defines its functions for suffix T. */
#define WHET_FOR_FLOATS(FAMILY) FAMILY(f32) FAMILY(f64) FAMILY(f16) FAMILY(bf16)
#define WHET_FOR_INTEGERS(FAMILY) \
    FAMILY(i8) FAMILY(i16) FAMILY(i32) FAMILY(i64) FAMILY(u8) FAMILY(u16) FAMILY(u32) FAMILY(u64)
#define WHET_FOR_NUMBERS(FAMILY) WHET_FOR_FLOATS(FAMILY) WHET_FOR_INTEGERS(FAMILY)

/* Largest and lowest number of a type, as wide_T; infinite for floats. */
#define WHET_LIMIT(T, low, high) \
    WHET_INLINE wide_##T lowest_##T(void) { return low; } \
    WHET_INLINE wide_##T highest_##T(void) { return high; }
WHET_LIMIT(f32, -WHET_INFINITY, WHET_INFINITY)
WHET_LIMIT(f64, -__builtin_inf(), __builtin_inf())
WHET_LIMIT(f16, -WHET_INFINITY, WHET_INFINITY)
WHET_LIMIT(bf16, -WHET_INFINITY, WHET_INFINITY)
WHET_LIMIT(i8, INT8_MIN, INT8_MAX)
WHET_LIMIT(i16, INT16_MIN, INT16_MAX)
WHET_LIMIT(i32, INT32_MIN, INT32_MAX)
WHET_LIMIT(i64, INT64_MIN, INT64_MAX)
WHET_LIMIT(u8, 0, UINT8_MAX)
WHET_LIMIT(u16, 0, UINT16_MAX)
WHET_LIMIT(u32, 0, UINT32_MAX)
WHET_LIMIT(u64, 0, UINT64_MAX)

#endif
