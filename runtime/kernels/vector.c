/* Vector arithmetic that runs once or twice a layer at most: written with the compiler's 16 lanes, which every machine
 * cuts into registers of its own, and so the same bits everywhere without a table's entry.
 */
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/tables.h"
#include "runtime/kernels/vector_lanes.h"

void mote_layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps, float *y)
{
	lanes sum = {0}, squares = {0}, d, w, b;
	float mean, r;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&d, x + i, n - i);
		sum += d;
	}
	mean = sum_lanes(&sum) / (float)n;
	for (uint32_t i = 0; i < n; i += LANES) {
		load(&d, x + i, n - i);
		d -= mean;
		if (n - i < LANES) /* lanes that are not there hold no difference */
			for (uint32_t j = n - i; j < LANES; j++)
				d[j] = 0;
		squares += d * d;
	}
	r = mote_norm_factor(sum_lanes(&squares) / (float)n, eps);
	for (uint32_t i = 0; i < n; i += LANES) {
		load(&d, x + i, n - i);
		load(&w, weight + i, n - i);
		load(&b, bias + i, n - i);
		d = ((d - mean) * r) * w + b;
		store(y + i, n - i, &d);
	}
}

void mote_vector_scale(float *y, uint32_t n, float scale)
{
	lanes v;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&v, y + i, n - i);
		v *= scale;
		store(y + i, n - i, &v);
	}
}
