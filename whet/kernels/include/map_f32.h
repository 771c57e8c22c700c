// y[i] = epilogue(x[i], extra...) for n floats: tile_f32.h says what an epilogue is. Its row is the
// index of lane 0 and its channel 0. y may be x or what an extra pointer reads at the same index;
// a result does not depend on how a range is split.
#pragma once
#include "math_f32.h"
#include "tile_f32.h"

INLINE void map_f32(const long n, const float *x, float *y, const void *const *extra,
                    epilogue_f32 epilogue) {
    long i = 0;
    for (; i + VL <= n; i += VL) vstore(y + i, epilogue(extra, vload(x + i), i, 0, VL));
    if (i < n) {
        const int rest = n - i;
        vstore_n(y + i, epilogue(extra, vload_n(x + i, rest), i, 0, rest), rest);
    }
}
