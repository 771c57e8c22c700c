/* One step of a float singular value decomposition filter: whet/ops/svdf.py.
 *
 * x [batch][in], state [batch][units * rank][memory], shifted in place, feature [units * rank][in],
 * time [units * rank][memory], y [batch][units]; bias may be null.
 */
#ifndef WHET_SVDF_F32_H
#define WHET_SVDF_F32_H
#include "types.h"

WHET_INLINE void svdf_f32(const int batch, const int in, const int units, const int rank,
                          const int memory, const f32 *x, const f32 *feature, const f32 *time,
                          const f32 *bias, f32 *state, f32 *y)
{
    for (int b = 0; b < batch; b++)
        for (int u = 0; u < units; u++) {
            f32 sum = bias ? bias[u] : 0.0f;
            for (int f = u * rank; f < (u + 1) * rank; f++) {
                f32 *kept = state + ((long)b * units * rank + f) * memory, dot = 0;
                for (int i = 0; i < in; i++)
                    dot += x[(long)b * in + i] * feature[(long)f * in + i];
                for (int k = 0; k + 1 < memory; k++)
                    kept[k] = kept[k + 1];
                kept[memory - 1] = dot;
                for (int k = 0; k < memory; k++)
                    sum += kept[k] * time[(long)f * memory + k];
            }
            y[(long)b * units + u] = sum;
        }
}
#endif
