/* What the kernels' test works with: random numbers that a case's name and index decide, a digest, buffers pressed
 * against guard pages, and matrices and activations filled with ordinary and adversarial values. Needs no library, so
 * that it cross-compiles as it is.
 */
#ifndef MOTE_TESTS_KERNEL_INPUTS_H
#define MOTE_TESTS_KERNEL_INPUTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/half.h"
#include "runtime/kernels/kernels.h"

/* ---- random numbers, digest, failure ---- */

static uint64_t seed = 1, state, digest = 0xcbf29ce484222325u;
static const char *stage = "";
static char shape[200];

static uint32_t random_u32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1du) >> 32);
}

static uint32_t random_between(uint32_t low, uint32_t high)
{
	return low + random_u32() % (high - low + 1);
}

/* Each case has its own seed: a failing one can be run alone. */
static void begin_case(const char *name, uint32_t index)
{
	stage = name;
	state = (seed + 0x9e3779b97f4a7c15u) * (index + 1);
	for (const char *c = name; *c; c++)
		state = (state ^ (uint8_t)*c) * 0x100000001b3u;
	state |= 1;
	random_u32();
}

static void fail(const char *table, const char *what)
{
	printf("FAILED: %s, %s, table %s, seed %llu, %s\n", stage, what, table, (unsigned long long)seed, shape);
	exit(1);
}

static void check(bool ok, const char *table, const char *what)
{
	if (!ok)
		fail(table, what);
}

static inline void digest_add(const void *data, size_t bytes)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < bytes; i++)
		digest = (digest ^ p[i]) * 0x100000001b3u;
}

/* ---- buffers pressed against guard pages ---- */

struct guarded {
	uint8_t *map;
	size_t map_bytes;
	void *data;
	size_t bytes;
};

/* With align 64 the end may lie up to 63 bytes before the guard page, else it touches it. */
static struct guarded guarded_new(size_t bytes, size_t align, bool at_end)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page + (bytes == 0 ? page : 0);
	struct guarded g = {.map_bytes = inner + 2 * page, .bytes = bytes};

	g.map = mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + page, inner, PROT_READ | PROT_WRITE) != 0)
		fail("none", "cannot map memory");
	g.data = g.map + page + (at_end ? (inner - bytes) / align * align : 0);
	memset(g.map + page, 0xa5, inner);
	return g;
}

static void guarded_free(struct guarded *g)
{
	munmap(g->map, g->map_bytes);
}

/* ---- inputs ---- */

enum values { ORDINARY, ZERO, LARGE, TINY, MIXED, VALUE_KINDS };

static float random_float(enum values kind)
{
	float unit = (float)(int32_t)random_u32() * 0x1p-31f;

	switch (kind) {
	case ORDINARY: return unit * 2.0f;
	case ZERO: return random_u32() % 2 ? 0.0f : -0.0f;
	case LARGE: return unit * 0x1p60f;
	case TINY: return unit * 0x1p-126f; /* subnormal */
	default: return unit * mote_f32_from_bits((random_between(127 - 40, 127 + 20)) << 23);
	}
}

static void fill_floats(float *x, size_t n, enum values kind)
{
	for (size_t i = 0; i < n; i++)
		x[i] = random_float(kind);
}

static uint16_t random_f16(void)
{
	uint16_t h = (uint16_t)random_u32();
	return (h & 0x7c00) >= 0x5400 ? (uint16_t)(h & 0xb3ff) : h; /* below 64; subnormals included */
}

static const enum mote_type all_types[] = { MOTE_F32, MOTE_F16, MOTE_BF16, MOTE_Q8, MOTE_Q6, MOTE_Q5, MOTE_Q4,
					    MOTE_Q3, MOTE_Q8B, MOTE_Q6B, MOTE_Q5B, MOTE_Q4B, MOTE_Q3B };
enum { N_TYPES = sizeof all_types / sizeof *all_types };

/* Panels with every byte random or adversarial: padding included, as readers must not rely on it. */
static inline void fill_matrix(const struct mote_matrix *m, uint8_t *data, enum values kind)
{
	static const uint8_t patterns[] = {0x00, 0xff, 0x88, 0x80, 0x7f};
	uint8_t pattern = patterns[random_u32() % sizeof patterns];
	size_t bytes = m->panels * m->panel_bytes;

	if (m->type == MOTE_F32) {
		for (size_t i = 0; i < bytes; i += 4) {
			float x = random_float(kind);
			memcpy(data + i, &x, 4);
		}
		return;
	}
	if (!mote_type_is_quantized(m->type)) {
		for (size_t i = 0; i < bytes; i += 2) {
			uint16_t h = m->type == MOTE_F16 ? random_f16() : mote_bf16_from_f32(random_float(kind));
			memcpy(data + i, &h, 2);
		}
		return;
	}
	for (uint32_t p = 0; p < m->panels; p++) {
		uint8_t *panel = data + p * m->panel_bytes;
		for (size_t i = 0; i < m->quants_offset; i += 2) {
			uint16_t h = kind == ZERO ? 0 : kind == LARGE ? 0x7bff : random_f16();

			if (mote_type_has_byte_scales(m->type)) /* any byte is a scale */
				h = kind == ZERO ? 0 : kind == LARGE ? 0x7fff : (uint16_t)random_u32();
			memcpy(panel + i, &h, 2);
		}
		for (size_t i = m->quants_offset; i < m->panel_bytes; i++)
			panel[i] = kind == ORDINARY || kind == TINY ? (uint8_t)random_u32() : pattern;
	}
	if (mote_type_has_byte_scales(m->type)) {
		/* A power of two, or what a writer would not take and a reader multiplies by all the same. */
		float unit = random_u32() % 4 ? mote_f32_from_bits(random_between(127 - 10, 127 + 10) << 23)
					      : random_float(ORDINARY);

		memcpy(data + bytes, &unit, sizeof unit);
	}
}

/* Activations against guard pages: x and q each in memory of its own, so that an overrun is seen. */
struct guarded_activations {
	struct mote_activations a;
	struct guarded x, q, scale, bias;
};

static inline struct guarded_activations activations_new(uint32_t rows, uint32_t cols, bool at_end)
{
	struct guarded_activations g;
	size_t stride = ((size_t)cols + 63) / 64 * 64, cells = rows * (stride / 32);

	g.x = guarded_new(rows * stride * 4, 64, at_end);
	g.q = guarded_new(rows * stride, 64, at_end);
	g.scale = guarded_new(cells * 4, 4, at_end);
	g.bias = guarded_new(cells * 4, 4, at_end);
	g.a = (struct mote_activations){ .x = g.x.data, .q = g.q.data, .scale = g.scale.data, .bias = g.bias.data,
					 .rows = rows, .cols = cols, .stride = stride };
	return g;
}

static inline void activations_free(struct guarded_activations *g)
{
	guarded_free(&g->x);
	guarded_free(&g->q);
	guarded_free(&g->scale);
	guarded_free(&g->bias);
}

static inline void activations_fill(const struct mote_kernels *scalar, struct mote_activations *a, enum values kind)
{
	for (size_t r = 0; r < a->rows; r++)
		fill_floats(a->x + r * a->stride, a->cols, kind);
	mote_activations_quantize(scalar, a, 0, a->rows);
	if (kind == LARGE || kind == ZERO) /* the most that a quant can be, in every place */
		for (size_t r = 0; r < a->rows; r++) {
			int8_t q = random_u32() % 2 ? 127 : -127;
			memset(a->q + r * a->stride, q, a->stride);
			for (size_t b = 0; b < a->stride / 32; b++) {
				a->bias[r * (a->stride / 32) + b] = -128 * 32 * q;
				a->scale[r * (a->stride / 32) + b] = 0.5f;
			}
		}
}

#endif
