// Any machine. Vectors of 4 floats are unrolled scalar code, or the compiler's own vectors where it
// knows some (SSE, RISC-V V).
#pragma once
#define VL 4
#define VREGS 16
#include "simd_types.h"
#include "simd_lanes.h"
