/* The singular value decomposition filter, portable scalar C: the bits of
 * whet/ops/integer/svdf.py. */
#ifndef WHET_INTEGER_SVDF_H
#define WHET_INTEGER_SVDF_H
#include "integer_contraction.h"

/* One step. x [batch][in] i8, state [batch][units * rank][memory] of state_type, shifted in place,
 * feature [units * rank][in] i8, time [units * rank][memory] of state_type, y [batch][units] i8. */
WHET_INLINE void integer_svdf(const int batch, const int in, const int units, const int rank,
                              const int memory, const int state_type, const i8 *x,
                              const i32 x_zero, const i8 *feature, const i32 feature_m,
                              const int feature_t, const void *time, const i32 state_zero,
                              const i32 *bias, const i32 time_m, const int time_t,
                              const i32 y_zero, const int rounding, void *state, i8 *y)
{
    const int filters = units * rank;
    const i32 low = state_type == INTEGER_I8 ? INT8_MIN : INT16_MIN;
    const i32 high = state_type == INTEGER_I8 ? INT8_MAX : INT16_MAX;
    for (int b = 0; b < batch; b++)
        for (int u = 0; u < units; u++) {
            u32 sum = bias ? (u32)bias[u] : 0;
            for (int f = u * rank; f < (u + 1) * rank; f++) {
                const long at = ((long)b * filters + f) * memory;
                for (int k = 0; k + 1 < memory; k++)
                    integer_store(state, at + k, integer_load(state, at + k + 1, state_type),
                                  state_type);
                const i32 dot = (i32)integer_dot(0, in, x, (long)b * in, INTEGER_I8, x_zero,
                                                 feature, (long)f * in, INTEGER_I8, 0);
                const i64 scaled = integer_multiply(dot, feature_m, feature_t, rounding);
                integer_store(state, at + memory - 1,
                              integer_clamp(scaled, low, high) + state_zero, state_type);
                for (int k = 0; k < memory; k++)
                    sum += (u32)((integer_load(state, at + k, state_type) - state_zero)
                                 * integer_load(time, (long)f * memory + k, state_type));
            }
            const i64 scaled = integer_multiply((i32)sum, time_m, time_t, rounding);
            y[(long)b * units + u] = (i8)integer_clamp(scaled + y_zero, -128, 127);
        }
}
#endif
