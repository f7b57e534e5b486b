/* Layout of activations and of the key-value cache; the arithmetic on them is in the tables. */
#include <string.h>

#include "runtime/kernels/tables.h"

static size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

size_t mote_activations_bytes(uint32_t rows, uint32_t cols, unsigned parts)
{
	size_t stride = round_up(cols, 64), cells = rows * (stride / 32), bytes = 0;

	if (parts & MOTE_ACTIVATIONS_X)
		bytes += rows * stride * sizeof(float);
	if (parts & MOTE_ACTIVATIONS_Q)
		bytes += rows * stride + round_up(cells * sizeof(float), 64) + round_up(cells * sizeof(int32_t), 64);
	return bytes;
}

void mote_activations_init(struct mote_activations *a, uint32_t rows, uint32_t cols, unsigned parts,
			   void *memory)
{
	size_t stride = round_up(cols, 64), cells = rows * (stride / 32);
	uint8_t *at = memory;

	*a = (struct mote_activations){.rows = rows, .cols = cols, .stride = stride};
	if (parts & MOTE_ACTIVATIONS_X) {
		a->x = (float *)(void *)at;
		at += rows * stride * sizeof(float);
	}
	if (parts & MOTE_ACTIVATIONS_Q) {
		a->q = (int8_t *)at;
		at += rows * stride;
		a->scale = (float *)(void *)at;
		at += round_up(cells * sizeof(float), 64);
		a->bias = (int32_t *)(void *)at;
	}
}

void mote_activations_quantize(const struct mote_kernels *k, struct mote_activations *a, uint32_t begin,
			       uint32_t end)
{
	size_t blocks = a->stride / 32;

	if (!a->q)
		return;
	for (size_t r = begin; r < end; r++)
		k->quantize(a->x + r * a->stride, a->cols, a->q + r * a->stride, a->scale + r * blocks,
			    a->bias + r * blocks);
}

/* Fills in everything but the pointers; returns the bytes of K and stores those of V without the scales of
 * positions. */
static size_t kv_plan(struct mote_kv *kv, enum mote_type k, enum mote_type v, uint32_t head_dim,
		      uint32_t positions, size_t *v_bytes)
{
	uint64_t k_bytes, v_quants = 0;

	memset(kv, 0, sizeof *kv);
	if ((k != MOTE_F32 && k != MOTE_F16 && k != MOTE_Q8) || (v != MOTE_F32 && v != MOTE_F16 && v != MOTE_Q8) ||
	    mote_matrix_init(&kv->k, k, positions, head_dim, NULL, NULL, &k_bytes, NULL) != MOTE_OK)
		return 0;
	kv->v_type = v;
	kv->head_dim = head_dim;
	kv->v_cols = (uint32_t)round_up(head_dim, 16);
	*v_bytes = round_up(positions, 16) * kv->v_cols * (v == MOTE_F32 ? 4 : 2);
	if (v == MOTE_Q8) {
		if (mote_matrix_init(&kv->v_quants, v, head_dim, positions, NULL, NULL, &v_quants, NULL) != MOTE_OK)
			return 0;
		*v_bytes = v_quants;
	}
	return k_bytes;
}

static size_t v_scale_bytes(const struct mote_kv *kv)
{
	return kv->v_type == MOTE_Q8 ? (size_t)kv->v_quants.blocks * 32 * sizeof(float) : 0;
}

size_t mote_kv_bytes(enum mote_type k, enum mote_type v, uint32_t head_dim, uint32_t positions)
{
	struct mote_kv kv;
	size_t v_bytes, k_bytes = kv_plan(&kv, k, v, head_dim, positions, &v_bytes);

	return k_bytes ? k_bytes + v_bytes + v_scale_bytes(&kv) : 0;
}

void mote_kv_init(struct mote_kv *kv, enum mote_type k, enum mote_type v, uint32_t head_dim,
		  uint32_t positions, void *memory)
{
	size_t v_bytes, k_bytes = kv_plan(kv, k, v, head_dim, positions, &v_bytes);

	kv->k_data = memory;
	kv->k.data = kv->k_data;
	kv->v = kv->k_data + k_bytes;
	if (v == MOTE_Q8) {
		kv->v_quants.data = kv->v;
		kv->v_scale = (float *)(void *)(kv->v + v_bytes);
	}
}

void mote_kv_move(struct mote_kv *kv, size_t bytes)
{
	kv->k_data += bytes;
	kv->k.data = kv->k_data;
	kv->v += bytes;
	if (kv->v_type == MOTE_Q8) {
		kv->v_quants.data = kv->v;
		kv->v_scale += bytes / sizeof *kv->v_scale;
	}
}

/* Prefetching beyond the cache's end does no harm. */
static void fetch_lines(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 64)
		__builtin_prefetch(at + i, 0, 2);
}

void mote_kv_fetch_for_store(const struct mote_kv *kv, uint32_t position)
{
	const uint8_t *k = kv->k_data + (size_t)(position / 16) * kv->k.panel_bytes;

	for (size_t i = 0; i < kv->k.panel_bytes; i += 64) /* a lane of the panel: every line */
		__builtin_prefetch(k + i, 1, 3);
	if (kv->v_type != MOTE_Q8)
		return; /* one position's values lie together */
	__builtin_prefetch(kv->v_scale + position, 1, 3);
	for (uint32_t p = 0; p < kv->v_quants.panels; p++)
		__builtin_prefetch(kv->v + p * kv->v_quants.panel_bytes + kv->v_quants.quants_offset +
				   position / 4 * 64, 1, 3);
}

void mote_kv_fetch(const struct mote_kv *kv, uint32_t n)
{
	fetch_lines(kv->k_data, (n + 15) / 16 * kv->k.panel_bytes);
	if (kv->v_type == MOTE_Q8)
		for (uint32_t p = 0; p < kv->v_quants.panels; p++) {
			const uint8_t *panel = kv->v + p * kv->v_quants.panel_bytes;

			fetch_lines(panel, (n + 31) / 32 * 32);
			fetch_lines(panel + kv->v_quants.quants_offset, (n + 3) / 4 * 64);
		}
	else
		fetch_lines(kv->v, (size_t)n * kv->v_cols * (kv->v_type == MOTE_F32 ? 4 : 2));
}
