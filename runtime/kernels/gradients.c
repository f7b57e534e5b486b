/* Gradients of vector arithmetic: see train.h. As in vector.c,
 * the compiler cuts 16 lanes into registers of the machine. */
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/tables.h"
#include "runtime/kernels/train.h"
#include "runtime/kernels/vector_lanes.h"

float mote_vector_dot(const float *x, const float *y, uint32_t n)
{
	lanes sum = {0}, a, b;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&a, x + i, n - i);
		load(&b, y + i, n - i);
		sum += a * b;
	}
	return sum_lanes(&sum);
}

/* y = x r w with r = (mean(x^2) + eps)^-1/2, so dr/dx[i] = -r^3 x[i] / n. */
void mote_norm_back(const float *x, const float *weight, const float *dy, uint32_t n, float eps, float *dx, float *r)
{
	lanes squares = {0}, products = {0}, a, b, c, d;
	float scale, mean;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&a, x + i, n - i);
		load(&b, weight + i, n - i);
		load(&c, dy + i, n - i);
		squares += a * a;
		products += (c * b) * a;
	}
	scale = mote_norm_factor(sum_lanes(&squares) / (float)n, eps);
	mean = scale * sum_lanes(&products) / (float)n;
	for (uint32_t i = 0; i < n; i += LANES) {
		load(&a, x + i, n - i);
		load(&b, weight + i, n - i);
		load(&c, dy + i, n - i);
		load(&d, dx + i, n - i);
		d += scale * (c * b - (a * scale) * mean);
		store(dx + i, n - i, &d);
	}
	*r = scale;
}

void mote_norm_weight_back(const float *x, const float *dy, float r, uint32_t n, float *dweight)
{
	lanes a, b, c;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&a, x + i, n - i);
		load(&b, dy + i, n - i);
		load(&c, dweight + i, n - i);
		c += b * (a * r);
		store(dweight + i, n - i, &c);
	}
}

void mote_swiglu_back(const float *sigma, const float *dh, uint32_t n, float *gate, float *up)
{
	lanes s, d, g, u, silu;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&s, sigma + i, n - i);
		load(&d, dh + i, n - i);
		load(&g, gate + i, n - i);
		load(&u, up + i, n - i);
		silu = g * s;
		g = (d * u) * (s + silu * (1.0f - s));
		u = d * silu;
		store(gate + i, n - i, &g);
		store(up + i, n - i, &u);
	}
}

void mote_softmax_back(const float *p, float dot, float scale, uint32_t n, float *dp)
{
	lanes a, b;

	for (uint32_t i = 0; i < n; i += LANES) {
		load(&a, p + i, n - i);
		load(&b, dp + i, n - i);
		b = (a * (b - dot)) * scale;
		store(dp + i, n - i, &b);
	}
}
