/* Logits bit by bit: the same model run with every kernel table, thread count and batch size. In a header of its own,
 * without a test framework, so that it also runs where there is none: for another processor under an emulator.
 */
#ifndef MOTE_TESTS_SAME_BITS_H
#define MOTE_TESTS_SAME_BITS_H

#include <stdio.h>

#include "runtime/kernels/kernels.h"
#include "runtime/model/workspace.h"
#include "tests/random_model.h"

/* Three KV heads of 8 dimensions: nothing is a multiple of 16 or 32. */
static const struct mote_config odd_config = {
	.hidden = 40, .layers = 2, .heads = 6, .kv_heads = 3, .head_dim = 8, .ffn = 76, .vocab = 77,
	.max_positions = 640, .norm_eps = 1e-5f, .tied_embeddings = true, .rope_theta = 10000, .bos = -1};
static const struct mote_config wide_config = {
	.hidden = 96, .layers = 2, .heads = 3, .kv_heads = 1, .head_dim = 32, .ffn = 160, .vocab = 130,
	.max_positions = 640, .norm_eps = 1e-5f, .rope_theta = 100000, .bos = -1};

/* What no family has all at once: as much as goes together. */
static const struct mote_config before_config = { /* biases, norms of heads, part of a head rotated, scales,
						   * LayerNorm */
	.hidden = 40, .layers = 3, .heads = 6, .kv_heads = 3, .head_dim = 8, .ffn = 76, .vocab = 77,
	.max_positions = 640, .norm_eps = 1e-5, .rope_theta = 10000, .bos = -1,
	.features = MOTE_QKV_BIAS | MOTE_OUT_BIAS | MOTE_FFN_BIAS | MOTE_HEAD_NORM | MOTE_LAYER_NORM, .rotary_dim = 6,
	.window = 37, .embedding_scale = 1.5, .residual_scale = 0.6, .attention_scale = 0.4, .logits_scale = 0.25,
	.layer_kind = {MOTE_LAYER_WINDOW, MOTE_LAYER_NO_ROPE, 0}};
static const struct mote_config after_config = { /* norms after, soft caps, windows with their own RoPE, GELU */
	.hidden = 96, .layers = 3, .heads = 3, .kv_heads = 1, .head_dim = 32, .ffn = 160, .vocab = 130,
	.max_positions = 640, .norm_eps = 1e-5, .tied_embeddings = true, .rope_theta = 100000, .bos = -1,
	.features = MOTE_POST_NORM | MOTE_GELU, .window = 300, .rope_local_theta = 1000, .embedding_scale = 2,
	.attention_cap = 3, .logits_cap = 2,
	.layer_kind = {MOTE_LAYER_WINDOW | MOTE_LAYER_LOCAL_ROPE, 0, MOTE_LAYER_WINDOW}};
static const struct mote_config wide_norm_config = { /* no norms before, one over all heads */
	.hidden = 96, .layers = 2, .heads = 3, .kv_heads = 1, .head_dim = 32, .ffn = 160, .vocab = 130,
	.max_positions = 640, .norm_eps = 1e-5, .rope_theta = 100000, .bos = -1,
	.features = MOTE_POST_NORM | MOTE_NO_PRE_NORM | MOTE_WIDE_NORM, .window = 16,
	.layer_kind = {MOTE_LAYER_WINDOW}};
static const struct mote_config turned_config = { /* norms of heads after RoPE, queries that grow with their position */
	.hidden = 40, .layers = 2, .heads = 6, .kv_heads = 3, .head_dim = 8, .ffn = 76, .vocab = 77,
	.max_positions = 640, .norm_eps = 1e-5, .rope_theta = 10000, .bos = -1, .rope_kind = MOTE_ROPE_DYNAMIC,
	.rope_factor = 4, .rope_original_positions = 7, .features = MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE,
	.rotary_dim = 6, .attention_growth = 0.7};

enum { TOKENS = 530 };

static inline void random_tokens(int32_t *token, uint32_t n, uint32_t vocab)
{
	uint64_t state = 5;

	for (uint32_t i = 0; i < n; i++)
		token[i] = (int32_t)(random_bits(&state) % vocab);
}

/* Logits of all n rows, in batches of `batch` rows. In every second one, the first among them, threads leave at every
 * third place where they may. */
static inline void run_batches(const struct mote_model *m, struct mote_session_options options, const int32_t *token,
			       uint32_t n, uint32_t batch, float *logits)
{
	struct mote_session *s;
	struct mote_error error = {0};
	uint32_t position[TOKENS];
	uint8_t want[TOKENS];

	options.batch_rows = options.logit_rows = batch;
	if (mote_session_open(m, &options, &s, &error))
		fprintf(stderr, "%s\n", error.message), abort();
	for (uint32_t i = 0; i < n; i++)
		position[i] = i;
	memset(want, 1, sizeof want);
	for (uint32_t i = 0; i < n; i += batch) {
		struct mote_batch b = {.rows = n - i < batch ? n - i : batch, .token = token + i,
				       .position = position + i, .want_logits = want};
		const float *out;

		mote_pool_drill(s->pool, i / batch % 2 ? 0 : 3);
		if (mote_session_forward(s, &b, &out, &error))
			fprintf(stderr, "%s\n", error.message), abort();
		memcpy(logits + (size_t)i * m->config.vocab, out, (size_t)b.rows * m->config.vocab * sizeof *out);
	}
	mote_session_close(s);
}

/* Everything that may cut the work differently, compared by memcmp. A description of the first difference, or NULL.
 * *hash: of the scalar table's logits (FNV-1a), so that two processors can be compared. */
static inline const char *find_difference(const struct mote_config *config, const enum mote_type types[4],
					  enum mote_kv_type k, enum mote_kv_type v, uint32_t n, uint64_t *hash,
					  char message[300])
{
	static const uint32_t batches[] = {512, 64, 7, 1}, threads[] = {1, 2, 5};
	struct mote_kernels tables[MOTE_MAX_TABLES];
	uint32_t n_tables = mote_kernels_list(tables);
	struct random_model *r = malloc(sizeof *r);
	size_t count = (size_t)n * config->vocab, differs = count;
	float *expected = malloc(count * sizeof *expected), *found = malloc(count * sizeof *found);
	int32_t token[TOKENS];

	random_model_init(r, config, types, 3);
	random_tokens(token, n, config->vocab);
	run_batches(&r->model, (struct mote_session_options){.threads = 1, .isa = "scalar", .kv_k = k, .kv_v = v},
		    token, n, 512, expected);
	*hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < count * sizeof *expected; i++)
		*hash = (*hash ^ ((const uint8_t *)expected)[i]) * 0x100000001b3u;
	for (uint32_t c = 0; c < n_tables * 12 && differs == count; c++) {
		const char *isa = tables[c / 12].name;
		uint32_t batch = batches[c % 4], t = threads[c / 4 % 3];

		/* The scalar table is slow: the long cases take one combination of it, the short ones all. */
		if (n > 100 && !strcmp(isa, "scalar") && (batch != 7 || t != 2))
			continue;
		memset(found, 0xff, count * sizeof *found);
		run_batches(&r->model, (struct mote_session_options){.threads = t, .isa = isa, .kv_k = k, .kv_v = v},
			    token, n, batch, found);
		for (differs = 0; differs < count; differs++)
			if (memcmp(&found[differs], &expected[differs], sizeof *found) ||
			    found[differs] != found[differs])
				break;
		if (differs < count)
			snprintf(message, 300, "%s, %u threads, batch %u, types %d %d %d %d, cache %d %d: position "
				 "%zu logit %zu is %a, expected %a", isa, t, batch, types[0], types[1], types[2],
				 types[3], k, v, differs / config->vocab, differs % config->vocab,
				 (double)found[differs], (double)expected[differs]);
	}
	random_model_free(r);
	free(r);
	free(expected);
	free(found);
	return differs < count ? message : NULL;
}

struct same_bits_case {
	const struct mote_config *config;
	enum mote_type types[4];
	enum mote_kv_type k, v;
	uint32_t tokens;
};

static const struct same_bits_case same_bits_cases[] = {
	{&wide_config, {MOTE_Q8, MOTE_Q8, MOTE_Q8, MOTE_Q8}, MOTE_KV_F16, MOTE_KV_F16, TOKENS},
	{&wide_config, {MOTE_Q4, MOTE_Q8, MOTE_Q4, MOTE_Q4}, MOTE_KV_Q8, MOTE_KV_Q8, 70},
	{&wide_config, {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8}, MOTE_KV_Q8, MOTE_KV_Q8, TOKENS},
	{&odd_config, {MOTE_Q4, MOTE_Q4, MOTE_Q8, MOTE_Q8}, MOTE_KV_Q8, MOTE_KV_F16, 270},
	{&wide_config, {MOTE_Q6, MOTE_Q5, MOTE_Q3, MOTE_Q6}, MOTE_KV_F16, MOTE_KV_Q8, 270},
	{&odd_config, {MOTE_Q5, MOTE_Q3, MOTE_Q6, MOTE_Q5}, MOTE_KV_Q8, MOTE_KV_F16, 70},
	{&odd_config, {MOTE_F32, MOTE_F32, MOTE_F16, MOTE_F32}, MOTE_KV_F32, MOTE_KV_Q8, 270},
	{&wide_config, {MOTE_BF16, MOTE_F16, MOTE_BF16, MOTE_F16}, MOTE_KV_F16, MOTE_KV_F32, 80},
	{&before_config, {MOTE_Q8, MOTE_Q8, MOTE_Q4, MOTE_F32}, MOTE_KV_F16, MOTE_KV_Q8, 270},
	{&after_config, {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8}, MOTE_KV_Q8, MOTE_KV_F16, TOKENS},
	{&after_config, {MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32}, MOTE_KV_F32, MOTE_KV_Q8, 90},
	{&wide_config, {MOTE_Q8B, MOTE_Q5B, MOTE_Q4B, MOTE_Q3B}, MOTE_KV_F16, MOTE_KV_Q8, 70},
	{&wide_norm_config, {MOTE_F16, MOTE_Q8, MOTE_Q5, MOTE_Q8}, MOTE_KV_Q8, MOTE_KV_Q8, 70},
	{&turned_config, {MOTE_Q8, MOTE_BF16, MOTE_Q4, MOTE_Q8}, MOTE_KV_Q8, MOTE_KV_F16, 70},
};

enum { SAME_BITS_CASES = sizeof same_bits_cases / sizeof *same_bits_cases };

#endif
