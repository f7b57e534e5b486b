/* 16 floats side by side as the compiler has them, for the files of vector arithmetic that need no table's entry: which
 * registers they are cut into is the machine's business, and the bits are the same.
 */
#ifndef MOTE_KERNELS_VECTOR_LANES_H
#define MOTE_KERNELS_VECTOR_LANES_H

#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(64)));

/* What lies beyond the n values that are there is zero. */
static inline void load(lanes *v, const float *x, uint32_t n)
{
	if (n >= LANES) {
		memcpy(v, x, sizeof *v);
	} else {
		*v = (lanes){0};
		memcpy(v, x, n * sizeof *x);
	}
}

static inline void store(float *y, uint32_t n, const lanes *v)
{
	memcpy(y, v, n < LANES ? n * sizeof *y : sizeof *v);
}

static inline float sum_lanes(const lanes *a)
{
	float lane[LANES];

	memcpy(lane, a, sizeof lane);
	for (int half = LANES / 2; half > 0; half /= 2)
		for (int j = 0; j < half; j++)
			lane[j] += lane[j + half];
	return lane[0];
}

#endif
