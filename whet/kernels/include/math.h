/* Scalar elementary functions without libm, in double (math_exp_f64) and float (math_exp_f32).
 *
 *   exp expm1 log log1p pow sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
 *   atanh erf floor ceil trunc round (ties to even) abs copysign fmod mod (Python's)
 *   and for integers div fmod mod pow (math_mod_i32).
 *
 * The double functions are within a few units in the last place; the float ones round the double
 * result, so they are correctly rounded but for rare ties. Special values follow C99 Annex F. Only
 * + - * / and integer operations decide the bits: under -ffp-contract=off every target agrees.
 * Series are Taylor's; the fits in math_erf_f64 are Chebyshev interpolants computed with mpmath.
 */
#ifndef WHET_MATH_H
#define WHET_MATH_H
#include "types.h"
#include "math_rounding.h"
#include "math_exponential.h"
#include "math_trigonometric.h"
#include "math_integer.h"

#define MATH_FLOAT_FROM_DOUBLE(name) \
    WHET_INLINE float math_##name##_f32(float x) { return (float)math_##name##_f64(x); }
#define MATH_FLOAT_FROM_DOUBLE_2(name) \
    WHET_INLINE float math_##name##_f32(float x, float y) \
    { \
        return (float)math_##name##_f64(x, y); \
    }
MATH_FLOAT_FROM_DOUBLE(exp)
MATH_FLOAT_FROM_DOUBLE(expm1)
MATH_FLOAT_FROM_DOUBLE(log)
MATH_FLOAT_FROM_DOUBLE(log1p)
MATH_FLOAT_FROM_DOUBLE(sin)
MATH_FLOAT_FROM_DOUBLE(cos)
MATH_FLOAT_FROM_DOUBLE(tan)
MATH_FLOAT_FROM_DOUBLE(asin)
MATH_FLOAT_FROM_DOUBLE(acos)
MATH_FLOAT_FROM_DOUBLE(atan)
MATH_FLOAT_FROM_DOUBLE(sinh)
MATH_FLOAT_FROM_DOUBLE(cosh)
MATH_FLOAT_FROM_DOUBLE(tanh)
MATH_FLOAT_FROM_DOUBLE(asinh)
MATH_FLOAT_FROM_DOUBLE(acosh)
MATH_FLOAT_FROM_DOUBLE(atanh)
MATH_FLOAT_FROM_DOUBLE(erf)
MATH_FLOAT_FROM_DOUBLE_2(pow)
MATH_FLOAT_FROM_DOUBLE_2(atan2)
MATH_FLOAT_FROM_DOUBLE_2(fmod)
MATH_FLOAT_FROM_DOUBLE_2(mod)

#endif
