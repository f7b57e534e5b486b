/* LoRA adapters merged at conversion: the weights are what the sum says,
 * and what cannot be merged is refused by name. */
#include <math.h>

#include "tests/checkpoint_place.h"

#include "format/half.h"

#define TARGET "base_model.model.model.layers.1.self_attn.q_proj"
#define OTHER "base_model.model.model.layers.0.mlp.down_proj"
#define RANK 3u

static float element(const struct tiny_tensor *t, size_t i)
{
	uint32_t wide;
	uint16_t half;

	if (tiny_element_bytes(t->dtype) == 4) {
		memcpy(&wide, t->data + i * 4, 4);
		return mote_f32_from_bits(wide);
	}
	memcpy(&half, t->data + i * 2, 2);
	return strcmp(t->dtype, "F16") == 0 ? mote_f32_from_f16(half) : mote_f32_from_bf16(half);
}

static void adapter_folder(const struct place *p, char out[160], const char *config)
{
	snprintf(out, 160, "%s/adapter", p->root);
	mkdir(out, 0700);
	tiny_write_text(out, "adapter_config.json", config);
}

/* An adapter of two weights, one in f32 and one in bf16. */
static void make_adapter(struct tiny *a)
{
	*a = (struct tiny){.shards = 1};
	tiny_add(a, TARGET ".lora_A.weight", RANK, TINY_HIDDEN, "F32");
	tiny_add(a, TARGET ".lora_B.weight", TINY_HEADS * TINY_HEAD_DIM, RANK, "F32");
	tiny_add(a, OTHER ".lora_A.weight", RANK, TINY_FFN, "BF16");
	tiny_add(a, OTHER ".lora_B.weight", TINY_HIDDEN, RANK, "BF16");
}

/* The converted weight against W + sum of scale B A, computed in double. */
static void check_weight(const struct mote_container *c, struct tiny *base, struct tiny *a, const char *module,
			 double scale)
{
	char name[128];
	const struct tiny_tensor *w, *x, *y;
	const struct mote_tensor *t;
	float row[64];

	snprintf(name, sizeof name, "%s.weight", module + strlen("base_model.model."));
	w = tiny_find(base, name);
	t = mote_container_find(c, name);
	assert_non_null(t);
	snprintf(name, sizeof name, "%s.lora_A.weight", module);
	x = tiny_find(a, name);
	snprintf(name, sizeof name, "%s.lora_B.weight", module);
	y = tiny_find(a, name);
	for (uint32_t r = 0; r < t->rows; r++) {
		mote_matrix_decode_row(&t->matrix, r, row);
		for (uint32_t j = 0; j < t->cols; j++) {
			double sum = element(w, (size_t)r * t->cols + j), size = fabs(sum);

			for (uint32_t k = 0; k < RANK; k++) {
				double term = scale * element(y, r * RANK + k) * element(x, (size_t)k * t->cols + j);

				sum += term;
				size += fabs(term);
			}
			if (fabs(row[j] - sum) > size * (t->type == MOTE_F32 ? 1e-6 : 1.0 / 256))
				fail_msg("%s row %u column %u: %g, expected %g", module, r, j, (double)row[j], sum);
		}
	}
}

static struct mote_container *merge(const struct place *p, const struct mote_checkpoint_adapter *adapters, uint32_t n)
{
	struct mote_checkpoint_options options = keep;
	struct mote_error error = {0};
	struct mote_container *c;

	options.adapter = adapters;
	options.adapters = n;
	options.force = true;
	if (mote_checkpoint_convert(p->in, p->file, &options, NULL, &error) ||
	    mote_container_open(p->file, &c, &error) || mote_container_verify(c, NULL, &error))
		fail_msg("%s", error.message);
	return c;
}

static void test_merge(void **state)
{
	static const char *const dtypes[] = {"F32", "BF16", "F16"};
	struct place *p = *state;
	struct mote_container *c;
	char folder[160];
	struct tiny base, a;

	adapter_folder(p, folder, "{\"peft_type\":\"LORA\",\"r\":8,\"rank_pattern\":{\"_proj\":3},"
		       "\"lora_alpha\":6,\"bias\":\"none\","
		       "\"target_modules\":[\"q_proj\"]}");
	make_adapter(&a);
	tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		const struct mote_checkpoint_adapter twice[] = {{folder, 0.5}, {folder, 1}};
		const cJSON *lineage;

		tiny_init(&base, dtypes[i]);
		tiny_save(&base, p->in);
		c = merge(p, twice + 1, 1);
		check_weight(c, &base, &a, TARGET, 2);
		check_weight(c, &base, &a, OTHER, 2);
		assert_int_equal(mote_container_find(c, "model.layers.1.self_attn.q_proj.weight")->type,
				 i == 0 ? MOTE_F32 : i == 1 ? MOTE_BF16 : MOTE_F16);
		mote_container_close(c);
		c = merge(p, twice, 2);
		check_weight(c, &base, &a, TARGET, 3);
		lineage = mote_json_get(mote_container_metadata(c), "lineage")->child;
		assert_int_equal(cJSON_GetArraySize(mote_json_get(lineage, "lora")), 2);
		assert_true(mote_json_get(mote_json_get(lineage, "lora")->child, "factor")->valuedouble == 0.5);
		assert_int_equal(cJSON_GetArraySize(mote_json_get(lineage, "source")), 3 + 4);
		mote_container_close(c);
		tiny_free(&base);
	}
	/* rank-stabilized: by the root of the rank */
	adapter_folder(p, folder, "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6,\"use_rslora\":true,"
		       "\"init_lora_weights\":\"gaussian\"}");
	tiny_init(&base, "F32");
	tiny_save(&base, p->in);
	c = merge(p, &(struct mote_checkpoint_adapter){folder, 1}, 1);
	check_weight(c, &base, &a, TARGET, 6 / sqrt(3));
	mote_container_close(c);
	tiny_free(&base);
	tiny_free(&a);
}

/* As an adapter for a model that sees images calls the modules of the model of text. */
static void test_names_of_a_wrapped_model(void **state)
{
	static const char *const wrappers[] = {"language_model.model.", "model.language_model."};
	const size_t cut = strlen("base_model.model."), n = strlen("base_model.model.model.");
	struct place *p = *state;
	struct mote_container *c;
	char folder[160], rest[96];
	struct tiny base, a, plain;

	tiny_init(&base, "F32");
	tiny_save(&base, p->in);
	make_adapter(&plain);
	adapter_folder(p, folder, "{\"r\":3,\"lora_alpha\":6}");
	for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
		make_adapter(&a);
		for (uint32_t t = 0; t < a.tensors; t++) {
			strcpy(rest, a.tensor[t].name + n);
			assert_true(snprintf(a.tensor[t].name + cut, sizeof rest - cut, "%s%s", wrappers[i], rest) <
				    (int)(sizeof rest - cut));
		}
		tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
		c = merge(p, &(struct mote_checkpoint_adapter){folder, 1}, 1);
		check_weight(c, &base, &plain, TARGET, 2);
		mote_container_close(c);
		tiny_free(&a);
	}
	tiny_free(&plain);
	tiny_free(&base);
}

static void test_modules_to_save(void **state)
{
	struct place *p = *state;
	const struct mote_tensor *t;
	struct mote_container *c;
	char folder[160];
	struct tiny base, a;
	float row[64];

	adapter_folder(p, folder, "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":3,\"init_lora_weights\":true,"
		       "\"modules_to_save\":[\"embed_tokens\"]}");
	make_adapter(&a);
	tiny_add(&a, "base_model.model.model.embed_tokens.weight", TINY_VOCAB, TINY_HIDDEN, "F16");
	tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
	tiny_init(&base, "BF16");
	tiny_save(&base, p->in);
	c = merge(p, &(struct mote_checkpoint_adapter){folder, 1}, 1);
	t = mote_container_find(c, "model.embed_tokens.weight");
	assert_int_equal(t->type, MOTE_F16);
	for (uint32_t r = 0; r < t->rows; r++) {
		mote_matrix_decode_row(&t->matrix, r, row);
		for (uint32_t j = 0; j < t->cols; j++)
			assert_true(row[j] == element(&a.tensor[4], (size_t)r * t->cols + j));
	}
	mote_container_close(c);
	tiny_free(&base);
	tiny_free(&a);
}

static void refuse_adapter(struct place *p, const char *folder, enum mote_status code, const char *part)
{
	const struct mote_checkpoint_adapter adapter = {folder, 1};
	struct mote_checkpoint_options options = keep;

	options.adapter = &adapter;
	options.adapters = 1;
	refuse(p, &options, code, part);
}

static void test_refused(void **state)
{
	static const char *const configs[][2] = {
		{"{\"peft_type\":\"IA3\"}", "\"peft_type\" is \"IA3\""}, {"{\"use_dora\":true}", "\"use_dora\" is set"},
		{"{\"bias\":\"all\"}", "\"bias\" is \"all\""},
		{"{\"alpha_pattern\":{\"q\":4}}", "\"alpha_pattern\" is set"},
		{"{\"alora_invocation_tokens\":[5]}", "\"alora_invocation_tokens\" is set"},
		{"{\"init_lora_weights\":\"pissa_niter_4\"}", "\"init_lora_weights\" is \"pissa_niter_4\""},
		{"{\"lora_alpha\":\"x\"}", "\"lora_alpha\""},
	};
	static const struct {
		const char *name, *part;
		uint32_t rows, cols;
	} tensors[] = {
		{"base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight", "the model has no such weight", 3,
		 TINY_HIDDEN},
		{"model.layers.1.self_attn.q_proj.lora_A.weight", "the model has no such weight", 3, TINY_HIDDEN},
		{"base_model.model.model.layers.1.mlp.up_proj.lora_A.weight", "up_proj.lora_B.weight\" is missing", 3,
		 TINY_HIDDEN},
		{"base_model.model.model.layers.1.mlp.up_proj.lora_B.weight", "up_proj.lora_A.weight\" is missing",
		 TINY_FFN, 3},
		{"base_model.model.model.embed_tokens.lora_embedding_A", "is not merged", 3, TINY_VOCAB},
		{"base_model.model.model.norm.weight", "does not fit the model", 7, 0},
	};
	struct place *p = *state;
	char folder[160];
	struct tiny base, a;

	tiny_init(&base, "BF16");
	tiny_save(&base, p->in);
	make_adapter(&a);
	for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
		adapter_folder(p, folder, configs[i][0]);
		tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
		refuse_adapter(p, folder, i < 6 ? MOTE_ERROR_UNSUPPORTED : MOTE_ERROR_CORRUPT, configs[i][1]);
	}
	tiny_free(&a);
	adapter_folder(p, folder, "{\"r\":3,\"lora_alpha\":3}");
	for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
		make_adapter(&a);
		if (strlen(tensors[i].name) < sizeof a.tensor[0].name) {
			tiny_add(&a, tensors[i].name, tensors[i].rows, tensors[i].cols, "F32");
			tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
			refuse_adapter(p, folder, i == 4 ? MOTE_ERROR_UNSUPPORTED : MOTE_ERROR_CORRUPT,
				       tensors[i].part);
		}
		tiny_free(&a);
	}
	make_adapter(&a);
	a.tensor[1].rows = RANK; /* the two halves of one adapter that do not fit each other */
	a.tensor[1].cols = TINY_HEADS * TINY_HEAD_DIM;
	tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
	refuse_adapter(p, folder, MOTE_ERROR_CORRUPT, "lora_B.weight\": shape [3, 30] does not fit");
	a.tensor[1].rows = TINY_HEADS * TINY_HEAD_DIM;
	a.tensor[1].cols = RANK;
	tiny_write_shard(&a, 0, folder, "adapter_model.safetensors");
	tiny_write_text(p->in, "config.json",
			"{\"model_type\":\"ernie4_5\",\"hidden_size\":24,\"num_hidden_layers\":2,"
			"\"num_attention_heads\":3,"
			"\"num_key_value_heads\":1,\"head_dim\":10,\"intermediate_size\":20,\"vocab_size\":37}");
	refuse_adapter(p, folder, MOTE_ERROR_UNSUPPORTED, "its RoPE turns neighbours");
	snprintf(folder, sizeof folder, "%s/nothing", p->root);
	tiny_save(&base, p->in);
	refuse_adapter(p, folder, MOTE_ERROR_IO, "nothing");
	tiny_free(&a);
	tiny_free(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_merge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_of_a_wrapped_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules_to_save, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
