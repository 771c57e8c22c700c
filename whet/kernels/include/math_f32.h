// Elementary functions over vectors of floats.
#pragma once
#include "simd.h"
