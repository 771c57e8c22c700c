// A tile of a product: MR rows of NV vectors of sums each, acc[i * NV + j].
#pragma once

// MR * NV and NV, at most.
enum { TILE_ACCUMULATORS = 32, TILE_VECTORS = 8 };
