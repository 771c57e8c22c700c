/* Float to integer and back, portable scalar C: the bits of whet/ops/integer/boundary.py. */
#ifndef WHET_INTEGER_BOUNDARY_H
#define WHET_INTEGER_BOUNDARY_H
#include "integer_requantize.h"

/* y = clamp(zero + round(x / scale)), ties away from zero; NaN counts as 0. */
WHET_INLINE void integer_quantize(const long n, const int y_type, const f32 *x, const f32 scale,
                                  const i32 zero, const i32 low, const i32 high, void *y)
{
    for (long i = 0; i < n; i++) {
        const f32 quotient = x[i] / scale;
        const f32 bounded = quotient != quotient ? 0.0f
                            : quotient < -0x1p20f ? -0x1p20f
                            : quotient > 0x1p20f  ? 0x1p20f
                                                  : quotient;
        const i32 whole = (i32)bounded;
        const f32 rest = bounded - (f32)whole;
        const i32 away = whole + (rest >= 0.5f) - (rest <= -0.5f);
        integer_store(y, i, integer_clamp((i64)away + zero, low, high), y_type);
    }
}

/* y = scale * (x - zero), in double precision. */
WHET_INLINE void integer_dequantize(const long n, const int x_type, const void *x,
                                    const f64 scale, const i32 zero, f32 *y)
{
    for (long i = 0; i < n; i++)
        y[i] = (f32)(scale * (f64)(integer_load(x, i, x_type) - zero));
}
#endif
