/* Random numbers: element i of a tensor depends on (seed, i) alone, so any part can be made in any
 * order and every target draws the same bits (SplitMix64: Steele, Lea, Flood 2014).
 *
 *   random_uniform_T(y, n, low, high, seed)      [low, high)
 *   random_normal_T(y, n, mean, deviation, seed) Box and Muller 1958
 *   random_bernoulli_T(p, y, n, seed)            y is u8, 1 with probability p[i]
 *   random_multinomial_T(x, y, batch, classes, samples, seed)
 *       y[batch][samples] (i64) draws classes with probability proportional to exp(x[batch][class])
 * T is f32 f64 f16 bf16. Sources: ONNX RandomUniform-22, RandomNormal-22, Bernoulli-22,
 * Multinomial-22, which fix the distribution and not the bits.
 */
#ifndef WHET_RANDOM_H
#define WHET_RANDOM_H
#include "math.h"

WHET_INLINE u64 random_bits(const u64 seed, const u64 counter)
{
    u64 z = seed + (counter + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* In [0, 1), a multiple of 2^-53. */
WHET_INLINE double random_unit(const u64 seed, const u64 counter)
{
    return (double)(i64)(random_bits(seed, counter) >> 11) * 0x1p-53;
}

WHET_INLINE double random_gauss(const u64 seed, const u64 counter)
{
    const double radius = math_sqrt_f64(-2 * math_log_f64(1 - random_unit(seed, 2 * counter)));
    return radius * math_cos_f64(2 * MATH_PI * random_unit(seed, 2 * counter + 1));
}

#define RANDOM_FAMILY(T) \
    WHET_INLINE void random_uniform_##T(T *y, const long n, const double low, \
                                        const double high, const u64 seed) \
    { \
        for (long i = 0; i < n; i++) { \
            const double u = random_unit(seed, (u64)i); \
            const T v = narrow_##T((wide_##T)(low + (high - low) * u)); \
            y[i] = (double)widen_##T(v) < high ? v : narrow_##T((wide_##T)low); \
        } \
    } \
    WHET_INLINE void random_normal_##T(T *y, const long n, const double mean, \
                                       const double deviation, const u64 seed) \
    { \
        for (long i = 0; i < n; i++) \
            y[i] = narrow_##T((wide_##T)(mean + deviation * random_gauss(seed, (u64)i))); \
    } \
    WHET_INLINE void random_bernoulli_##T(const T *p, u8 *y, const long n, const u64 seed) \
    { \
        for (long i = 0; i < n; i++) \
            y[i] = random_unit(seed, (u64)i) < (double)widen_##T(p[i]); \
    } \
    WHET_INLINE void random_multinomial_##T(const T *x, i64 *y, const long batch, \
                                            const long classes, const long samples, \
                                            const u64 seed) \
    { \
        for (long b = 0; b < batch; b++, x += classes) { \
            double top = (double)widen_##T(x[0]), total = 0; \
            for (long c = 1; c < classes; c++) { \
                const double v = (double)widen_##T(x[c]); \
                top = v > top ? v : top; \
            } \
            for (long c = 0; c < classes; c++) \
                total += math_exp_f64((double)widen_##T(x[c]) - top); \
            for (long s = 0; s < samples; s++) { \
                double left = total * random_unit(seed, (u64)(b * samples + s)); \
                long drawn = 0; \
                for (; drawn < classes - 1; drawn++) { \
                    left -= math_exp_f64((double)widen_##T(x[drawn]) - top); \
                    if (left < 0) \
                        break; \
                } \
                y[b * samples + s] = drawn; \
            } \
        } \
    }
WHET_FOR_FLOATS(RANDOM_FAMILY)

#endif
