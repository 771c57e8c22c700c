// WebAssembly with simd128: 4 floats; the engine's registers are assumed to be the 16 of x86-64.
#pragma once
#define VL 4
#define VREGS 16
#include "simd_types.h"
#include "simd_lanes.h"
