/* Attention over the key-value cache, any table: scores are a product with K, then softmax, then the mix of V;
 * segment by segment, so that neither batch nor threads nor depth change a bit (kernels.h).
 *
 * A query row sees exactly the positions up to its own. Where the rows of a block end at different positions,
 * the common ones are mixed for all rows at once and the rest row by row: adding 0 * v instead would read
 * positions that may not be stored yet, and would turn -0 into +0.
 */
#include <string.h>

#include "runtime/kernels/tables.h"

/* Query rows at a time: their scores, 24 KiB, stay in the first-level cache beside the keys. */
enum { BLOCK_ROWS = 24 };

/* With few query rows attention is as fast as the cache comes from memory: values are then asked for while
 * softmax runs, which needs none. */
enum { FEW_ROWS = 8, VALUES_AHEAD = 8 };

uint32_t mote_attention_segments(uint32_t position)
{
	return position / MOTE_SEGMENT_POSITIONS + 1;
}

size_t mote_attention_part_floats(uint32_t head_dim)
{
	return MOTE_PART_VALUES + ((size_t)head_dim + 31) / 32 * 32;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The first panels of values from this position on. Prefetching beyond the cache's end does no harm. */
static void prefetch_values(const struct mote_kv *kv, uint32_t position)
{
	const uint8_t *v = kv->v + (size_t)(position / 16) * kv->v_panel_bytes;

	for (size_t i = 0; i < VALUES_AHEAD * kv->v_panel_bytes; i += 64)
		__builtin_prefetch(v + i, 0, 2);
}

/* Query rows [first, first + n) of a, n <= BLOCK_ROWS; positions from begin. */
static void segment_block(const struct mote_kernels *k, const struct mote_attention *a, uint32_t begin,
			  uint32_t first, uint32_t n, float *part)
{
	_Alignas(64) float s[BLOCK_ROWS * MOTE_SEGMENT_POSITIONS];
	const struct mote_kv *kv = a->kv;
	size_t stride = mote_attention_part_floats(kv->head_dim);
	uint32_t end[BLOCK_ROWS], common, last;

	/* Each row's positions of this segment end here; ascending. */
	for (uint32_t r = 0; r < n; r++) {
		uint32_t own = a->position + (first + r) / a->group + 1;
		end[r] = own < begin ? begin : min_u32(own, begin + MOTE_SEGMENT_POSITIONS);
	}
	common = end[0];
	last = end[n - 1];
	memset(part, 0, n * stride * sizeof *part);
	if (last == begin)
		return;
	k->multiply[kv->k.type](&kv->k, begin / 16, (last - begin + 15) / 16, a->q, a->row + first, n, s,
				MOTE_SEGMENT_POSITIONS);
	if (n <= FEW_ROWS)
		prefetch_values(kv, begin);
	for (uint32_t r = 0; r < n; r++)
		if (end[r] > begin)
			part[r * stride + 1] = k->softmax(s + (size_t)r * MOTE_SEGMENT_POSITIONS, end[r] - begin, a->scale,
							  &part[r * stride]);
	if (common > begin)
		k->mix[kv->v_type](kv, begin, common, s, MOTE_SEGMENT_POSITIONS, n, part + MOTE_PART_VALUES, stride);
	for (uint32_t r = 0; r < n; r++)
		if (end[r] > common)
			k->mix[kv->v_type](kv, common, end[r], s + (size_t)r * MOTE_SEGMENT_POSITIONS + (common - begin),
					   MOTE_SEGMENT_POSITIONS, 1, part + r * stride + MOTE_PART_VALUES, stride);
}

void mote_attention_segment(const struct mote_kernels *k, const struct mote_attention *a, uint32_t segment,
			    float *part)
{
	size_t stride = mote_attention_part_floats(a->kv->head_dim);
	uint32_t rows = a->rows * a->group;

	for (uint32_t first = 0; first < rows; first += BLOCK_ROWS)
		segment_block(k, a, segment * MOTE_SEGMENT_POSITIONS, first, min_u32(rows - first, BLOCK_ROWS),
			      part + first * stride);
}

void mote_attention_clear(float *state, uint32_t n, uint32_t head_dim)
{
	memset(state, 0, n * mote_attention_part_floats(head_dim) * sizeof *state);
}

void mote_attention_merge(const struct mote_kernels *k, float *state, const float *part, uint32_t n,
			  uint32_t head_dim)
{
	size_t stride = mote_attention_part_floats(head_dim);

	for (uint32_t r = 0; r < n; r++)
		k->merge(state + r * stride, part + r * stride, head_dim);
}

void mote_attention_finish(const float *state, uint32_t head_dim, float *out)
{
	float inverse = 1.0f / state[1];
	uint32_t d = 0;

	for (; d + 16 <= head_dim; d += 16) /* a constant count lets compilers take vectors */
		for (uint32_t i = 0; i < 16; i++)
			out[d + i] = state[MOTE_PART_VALUES + d + i] * inverse;
	for (; d < head_dim; d++)
		out[d] = state[MOTE_PART_VALUES + d] * inverse;
}
