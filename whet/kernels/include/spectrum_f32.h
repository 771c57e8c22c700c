/* Fourier transforms of f32 tensors in double precision: dft_f32d, as dft_T of spectrum.h. */
#ifndef WHET_SPECTRUM_F32_H
#define WHET_SPECTRUM_F32_H
#include "spectrum.h"

typedef float f32d;
typedef double wide_f32d;
WHET_INLINE double widen_f32d(float x) { return x; }
WHET_INLINE float narrow_f32d(double x) { return (float)x; }

DFT_FAMILY(f32d)
#endif
