/* Metadata key "model": what is written is read again, a Llama as every older program reads it, anything else only by
 * who understands each of its keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/json.h"
#include "runtime/model/config.h"

static const struct mote_config llama = {
	.hidden = 48, .layers = 4, .heads = 4, .kv_heads = 2, .head_dim = 12, .ffn = 80, .vocab = 70,
	.max_positions = 128, .norm_eps = 1e-5, .tied_embeddings = true, .rope_theta = 10000, .rope_factor = 1,
	.rope_low_freq_factor = 1, .rope_high_freq_factor = 1, .bos = -1};

static cJSON *written(const struct mote_config *c)
{
	cJSON *metadata = cJSON_CreateObject();

	assert_true(mote_config_write(c, metadata));
	return metadata;
}

static void check_round_trip(const struct mote_config *c, const char *architecture)
{
	struct mote_config *read = malloc(sizeof *read);
	struct mote_error error = {0};
	cJSON *metadata = written(c);
	char *text = cJSON_PrintUnformatted(metadata);

	assert_string_equal(mote_json_get(metadata, "architecture")->valuestring, architecture);
	cJSON_Delete(metadata);
	metadata = cJSON_Parse(text);
	if (mote_config_read(metadata, read, &error))
		fail_msg("%s: %s", text, error.message);
	assert_memory_equal(read, c, sizeof *c);
	free(text);
	free(read);
	cJSON_Delete(metadata);
}

static void test_llama(void **state)
{
	struct mote_config c = llama;

	(void)state;
	check_round_trip(&c, "llama");
	c.rope_kind = MOTE_ROPE_LLAMA3;
	c.rope_factor = 8;
	c.rope_low_freq_factor = 1;
	c.rope_high_freq_factor = 4;
	c.rope_original_positions = 64;
	check_round_trip(&c, "llama");
	c = llama;
	c.rope_kind = MOTE_ROPE_YARN; /* which older programs refuse by its name */
	c.rope_factor = 4;
	c.rope_original_positions = 32;
	c.rope_attention_factor = 1.25;
	c.rope_beta_fast = 32;
	c.rope_beta_slow = 1;
	check_round_trip(&c, "llama");
}

static void test_differences(void **state)
{
	struct mote_config c = llama;

	(void)state;
	c.features = MOTE_QKV_BIAS;
	check_round_trip(&c, "decoder");
	c.features = MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE;
	c.attention_growth = 0.1;
	c.rope_kind = MOTE_ROPE_DYNAMIC;
	c.rope_factor = 2;
	c.rope_original_positions = 64;
	check_round_trip(&c, "decoder");
	c = llama;
	c.features = MOTE_OUT_BIAS | MOTE_FFN_BIAS | MOTE_HEAD_NORM | MOTE_LAYER_NORM | MOTE_GELU;
	c.rotary_dim = 6;
	c.residual_scale = 0.22;
	c.attention_scale = 0.015625;
	check_round_trip(&c, "decoder");
	c = llama;
	c.features = MOTE_POST_NORM | MOTE_NO_PRE_NORM | MOTE_WIDE_NORM;
	c.window = 16;
	c.rope_local_theta = 1000;
	c.embedding_scale = 12;
	c.logits_scale = 0.125;
	c.attention_cap = 50;
	c.logits_cap = 30;
	c.layer_kind[0] = MOTE_LAYER_WINDOW | MOTE_LAYER_LOCAL_ROPE;
	c.layer_kind[3] = MOTE_LAYER_NO_ROPE;
	check_round_trip(&c, "decoder");
	c = llama;
	c.rotary_dim = 4;
	c.rope_kind = MOTE_ROPE_LONGROPE;
	c.rope_original_positions = 64;
	c.rope_attention_factor = 1.19;
	c.rope_short_factor[0] = c.rope_short_factor[1] = 1;
	c.rope_long_factor[0] = 1.1;
	c.rope_long_factor[1] = 7;
	check_round_trip(&c, "decoder");
	c.rope_kind = MOTE_ROPE_DYNAMIC;
	c.rope_attention_factor = 0;
	memset(c.rope_short_factor, 0, sizeof c.rope_short_factor);
	memset(c.rope_long_factor, 0, sizeof c.rope_long_factor);
	c.rope_factor = 2;
	check_round_trip(&c, "decoder");
}

/* What lies in the array behind the model's layers is none of its own. */
static void test_layers_that_are_none(void **state)
{
	struct mote_config c = llama;
	cJSON *plain, *odd;

	(void)state;
	c.window = 16;
	c.layer_kind[1] = c.layer_kind[3] = MOTE_LAYER_WINDOW;
	plain = written(&c);
	for (uint32_t i = c.layers; i < MOTE_MAX_LAYERS; i++)
		c.layer_kind[i] = MOTE_LAYER_WINDOW | MOTE_LAYER_NO_ROPE;
	odd = written(&c);
	assert_true(cJSON_Compare(plain, odd, true));
	cJSON_Delete(plain);
	cJSON_Delete(odd);
}

/* A decoder's "model" with this added. */
static void refuses(const char *key, const char *value, enum mote_status code, const char *says)
{
	struct mote_config *c = malloc(sizeof *c);
	struct mote_error error = {0};
	cJSON *metadata, *model;

	*c = llama;
	c->features = MOTE_GELU;
	metadata = written(c);
	model = cJSON_GetObjectItem(metadata, "model");
	cJSON_DeleteItemFromObject(model, key);
	cJSON_AddItemToObject(model, key, cJSON_Parse(value));
	if (mote_config_read(metadata, c, &error) != code || !strstr(error.message, says))
		fail_msg("%s %s: \"%s\"; expected status %d and \"%s\"", key, value, error.message, code, says);
	cJSON_Delete(metadata);
	free(c);
}

static void test_refuses(void **state)
{
	struct mote_config *c = malloc(sizeof *c);
	struct mote_error error = {0};
	cJSON *metadata = written(&llama);

	(void)state;
	cJSON_AddNumberToObject(cJSON_GetObjectItem(metadata, "model"), "novelty", 1); /* a Llama's may be ignored */
	assert_int_equal(mote_config_read(metadata, c, &error), MOTE_OK);
	cJSON_Delete(metadata);
	free(c);
	refuses("novelty", "1", MOTE_ERROR_UNSUPPORTED, "novelty");
	refuses("novelty", "false", MOTE_ERROR_UNSUPPORTED, "novelty");
	refuses("qkv_bias", "1", MOTE_ERROR_CORRUPT, "qkv_bias");
	refuses("attention_growth", "0.1", MOTE_ERROR_CORRUPT, "original_max_position_embeddings");
	refuses("qk_norm_after_rope", "true", MOTE_ERROR_CORRUPT, "without qk_head_norm");
	refuses("embedding_scale", "-1", MOTE_ERROR_CORRUPT, "embedding_scale");
	refuses("embedding_scale", "\"12\"", MOTE_ERROR_CORRUPT, "embedding_scale");
	refuses("rotary_dim", "5", MOTE_ERROR_CORRUPT, "odd");
	refuses("rotary_dim", "14", MOTE_ERROR_CORRUPT, "rotary_dim");
	refuses("sliding_window", "0", MOTE_ERROR_CORRUPT, "sliding_window");
	refuses("window_layers", "[0]", MOTE_ERROR_CORRUPT, "without \"sliding_window\"");
	refuses("local_rope_layers", "[0]", MOTE_ERROR_CORRUPT, "without \"rope_local_theta\"");
	refuses("no_rope_layers", "[4]", MOTE_ERROR_CORRUPT, "no_rope_layers");
	refuses("no_rope_layers", "[-1]", MOTE_ERROR_CORRUPT, "no_rope_layers");
	refuses("no_rope_layers", "[0.5]", MOTE_ERROR_CORRUPT, "no_rope_layers");
	refuses("no_rope_layers", "3", MOTE_ERROR_CORRUPT, "no_rope_layers");
	refuses("rope", "{\"type\":\"longrope\",\"theta\":10000,\"original_max_position_embeddings\":64,"
		"\"short_factor\":[1,1],\"long_factor\":[1,1]}", MOTE_ERROR_CORRUPT, "short_factor");
	refuses("rope", "{\"type\":\"longrope\",\"theta\":10000,\"original_max_position_embeddings\":64,"
		"\"short_factor\":[1,1,1,1,1,1],\"long_factor\":[1,1,1,1,1,0]}", MOTE_ERROR_CORRUPT, "long_factor");
	refuses("rope", "{\"type\":\"yarn\",\"theta\":10000,\"factor\":4}", MOTE_ERROR_CORRUPT,
		"original_max_position");
	refuses("rope", "{\"type\":\"yarn\",\"theta\":1,\"factor\":4,\"original_max_position_embeddings\":64}",
		MOTE_ERROR_CORRUPT, "theta");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_llama),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_layers_that_are_none),
		cmocka_unit_test(test_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
