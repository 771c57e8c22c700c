// Arm with Advanced SIMD: 32 registers of 4 floats on AArch64, 16 on Armv7.
#pragma once
#define VL 4
#if defined(__aarch64__)
#define VREGS 32
#else
#define VREGS 16
#endif
#include "simd_types.h"
#include "simd_lanes.h"
