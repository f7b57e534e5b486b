/* The memory of forward passes: sized once from the options, taken in one piece, and cut up. */
#include "runtime/model/workspace.h"

#include "runtime/model/architecture.h"
#include "runtime/model/memory.h"
#include "runtime/model/rope.h"

static size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
	return b ? greatest_common_divisor(b, a % b) : a;
}

/* Hands out 64-byte-aligned pieces of one region; without a region it only counts. */
struct carve {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carve *c, size_t bytes)
{
	void *piece = c->base ? c->base + c->used : NULL;

	c->used += round_up(bytes, 64);
	return piece;
}

static void carve_activations(struct carve *c, struct mote_activations *a, uint32_t rows, uint32_t cols)
{
	unsigned parts = MOTE_ACTIVATIONS_X | MOTE_ACTIVATIONS_Q;
	void *memory = carve(c, mote_activations_bytes(rows, cols, parts));

	if (memory)
		mote_activations_init(a, rows, cols, parts, memory);
}

static void carve_scratch(struct mote_session *s, struct carve *c)
{
	const struct mote_config *config = &s->model->config;
	uint32_t states = MOTE_BLOCK_ROWS * s->group;

	if (states < MOTE_FEW_ROWS * config->heads)
		states = MOTE_FEW_ROWS * config->heads;
	s->scratch = carve(c, s->options.threads * sizeof *s->scratch);
	for (uint32_t t = 0; t < s->options.threads; t++) {
		struct mote_scratch unused, *scratch = s->scratch ? &s->scratch[t] : &unused;

		carve_activations(c, &scratch->normed, MOTE_FEW_ROWS, config->hidden);
		carve_activations(c, &scratch->attended, MOTE_FEW_ROWS, config->heads * config->head_dim);
		scratch->state = carve(c, states * s->part_floats * sizeof *scratch->state);
		scratch->part = carve(c, states * s->part_floats * sizeof *scratch->part);
	}
}

static void carve_workspace(struct mote_session *s, struct carve *c)
{
	const struct mote_config *config = &s->model->config;
	size_t rows = s->options.batch_rows, turned = s->rotations * rows * s->half;

	s->frequency = carve(c, (size_t)s->rotations * s->half * sizeof *s->frequency);
	s->cosine = carve(c, turned * sizeof *s->cosine);
	s->sine = carve(c, turned * sizeof *s->sine);
	s->block = carve(c, rows * sizeof *s->block);
	s->wanted = carve(c, s->options.logit_rows * sizeof *s->wanted);
	s->reach = carve(c, s->options.sequences * sizeof *s->reach);
	s->present = carve(c, rows * sizeof *s->present);
	s->x = carve(c, rows * s->hidden_stride * sizeof *s->x);
	if (config->features & MOTE_POST_NORM)
		s->branch = carve(c, rows * s->hidden_stride * sizeof *s->branch);
	s->q = carve(c, rows * s->q_stride * sizeof *s->q);
	s->k = carve(c, rows * s->kv_stride * sizeof *s->k);
	s->v = carve(c, rows * s->kv_stride * sizeof *s->v);
	s->max_parts = (size_t)MOTE_DEEP_ROWS * s->cache.chunks;
	s->max_parts = (s->max_parts > MOTE_FEW_ROWS ? s->max_parts : MOTE_FEW_ROWS) * config->heads;
	s->parts = carve(c, s->max_parts * s->part_floats * sizeof *s->parts);
	s->logits = carve(c, (size_t)s->options.logit_rows * config->vocab * sizeof *s->logits);
	carve_activations(c, &s->normed, s->options.batch_rows, config->hidden);
	carve_activations(c, &s->query, s->options.batch_rows * config->heads, config->head_dim);
	carve_activations(c, &s->attended, s->options.batch_rows, config->heads * config->head_dim);
	carve_activations(c, &s->ffn, s->options.batch_rows, config->ffn);
	carve_scratch(s, c);
}

/* That any layer may take. A session may be given other layers of its model later, as calibration does. */
static enum mote_rotation count_rotations(const struct mote_config *config)
{
	enum mote_rotation n = MOTE_ROTATION_LOCAL;

	for (uint32_t i = 0; i < MOTE_MAX_LAYERS; i++) {
		struct mote_layer layer;

		mote_layer_configure(config, i, &layer);
		n = layer.rotation < n ? n : layer.rotation + 1;
	}
	return n;
}

enum mote_status mote_workspace_open(struct mote_session *s, struct mote_error *error)
{
	const struct mote_config *config = &s->model->config;
	struct carve plan = {0}, region = {0};

	s->group = config->heads / config->kv_heads;
	s->span = MOTE_PANEL_ROWS / greatest_common_divisor(config->head_dim, MOTE_PANEL_ROWS);
	s->hidden_stride = round_up(config->hidden, MOTE_PANEL_ROWS);
	s->q_stride = round_up((size_t)config->heads * config->head_dim, MOTE_PANEL_ROWS);
	s->kv_stride = round_up((size_t)config->kv_heads * config->head_dim, MOTE_PANEL_ROWS);
	s->part_floats = mote_attention_part_floats(config->head_dim);
	s->half = mote_rope_half(config);
	s->rotations = count_rotations(config);
	carve_workspace(s, &plan);
	s->memory = mote_memory_map(plan.used);
	if (!s->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a workspace of %zu bytes", plan.used);
	s->memory_bytes = plan.used;
	region.base = s->memory;
	carve_workspace(s, &region);
	return MOTE_OK;
}

void mote_workspace_close(struct mote_session *s)
{
	mote_memory_unmap(s->memory, s->memory_bytes);
}
