/* Families of checkpoints: what config.json says comes to which numbers, by transformers' configuration classes; and
 * what a family does beyond its row is refused by name. That the numbers are computed rightly is for tests/families.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "convert/hf/hf_config.h"

#define SHAPE "\"hidden_size\":576,\"num_hidden_layers\":8,\"num_attention_heads\":8,\"intermediate_size\":1536," \
	      "\"vocab_size\":4096,\"num_key_value_heads\":4"
#define FAMILY(type) "{\"model_type\":\"" type "\"," SHAPE

static enum mote_status read_config(const char *text, struct mote_hf_config *c, struct mote_error *error)
{
	enum mote_status status;
	cJSON *json;

	assert_int_equal(mote_json_parse(text, strlen(text), "test", &json, error), MOTE_OK);
	status = mote_hf_config_read(json, c, error);
	cJSON_Delete(json);
	return status;
}

static struct mote_config accept(const char *text)
{
	static struct mote_hf_config c;
	struct mote_error error = {0};

	if (read_config(text, &c, &error))
		fail_msg("%s: %s", text, error.message);
	return c.model;
}

static void refuse(const char *text, enum mote_status code, const char *part)
{
	static struct mote_hf_config c;
	struct mote_error error = {0};
	enum mote_status status = read_config(text, &c, &error);

	if (status != code || !strstr(error.message, part))
		fail_msg("%s: status %d, \"%s\"; expected status %d and \"%s\"", text, status, error.message,
			 code, part);
}

/* Kinds of the 8 layers as digits. */
static void assert_layers(const struct mote_config *c, const char *kinds)
{
	char found[9] = "";

	for (int i = 0; i < 8; i++)
		found[i] = (char)('0' + c->layer_kind[i]);
	assert_string_equal(found, kinds);
}

static void assert_near(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-12 * fabs(expected)))
		fail_msg("found %.17g, expected %.17g", found, expected);
}

static void test_biases_and_norms(void **state)
{
	struct mote_config c = accept(FAMILY("qwen2") "}");

	(void)state;
	assert_int_equal(c.features, MOTE_QKV_BIAS);
	assert_int_equal(c.head_dim, 72);
	assert_int_equal(c.max_positions, 32768);
	assert_layers(&c, "00000000");
	c = accept(FAMILY("qwen2") ",\"use_sliding_window\":false,\"sliding_window\":4096,\"max_window_layers\":2}");
	assert_layers(&c, "00000000");
	c = accept(FAMILY("qwen2") ",\"use_sliding_window\":true,\"sliding_window\":64,\"max_window_layers\":6}");
	assert_layers(&c, "00000011");
	assert_int_equal(c.window, 64);
	c = accept(FAMILY("qwen3") "}");
	assert_int_equal(c.features, MOTE_HEAD_NORM);
	assert_int_equal(c.head_dim, 128);
	c = accept(FAMILY("llama") ",\"attention_bias\":true,\"mlp_bias\":true}");
	assert_int_equal(c.features, MOTE_QKV_BIAS | MOTE_OUT_BIAS | MOTE_FFN_BIAS);
	c = accept(FAMILY("olmo2") "}");
	assert_int_equal(c.features, MOTE_POST_NORM | MOTE_NO_PRE_NORM | MOTE_WIDE_NORM);
	assert_true(c.norm_eps == 1e-5);
	c = accept(FAMILY("stablelm") ",\"use_qkv_bias\":true}");
	assert_int_equal(c.features, MOTE_LAYER_NORM | MOTE_QKV_BIAS);
	assert_int_equal(c.rotary_dim, 18);
	assert_true(c.norm_eps == 1e-5);
	refuse(FAMILY("stablelm") ",\"use_parallel_residual\":true}", MOTE_ERROR_UNSUPPORTED, "use_parallel_residual");
	refuse(FAMILY("stablelm") ",\"qk_layernorm\":true}", MOTE_ERROR_UNSUPPORTED, "qk_layernorm");
	refuse(FAMILY("stablelm") ",\"partial_rotary_factor\":0.05}", MOTE_ERROR_UNSUPPORTED, "partial_rotary_factor");
	refuse(FAMILY("qwen2") ",\"attention_bias\":true}", MOTE_ERROR_UNSUPPORTED, "attention_bias");
}

static void test_layers(void **state)
{
	struct mote_config c = accept(FAMILY("smollm3") "}");

	(void)state;
	assert_layers(&c, "00040004");
	assert_true(c.tied_embeddings);
	assert_true(c.rope_theta == 2e6);
	c = accept(FAMILY("smollm3") ",\"no_rope_layers\":[0,1,1,1,1,1,1,0]}");
	assert_layers(&c, "40000004");
	c = accept(FAMILY("smollm3") ",\"no_rope_layers\":null,\"no_rope_layer_interval\":2}");
	assert_layers(&c, "04040404");
	refuse(FAMILY("smollm3") ",\"no_rope_layers\":[0,1,1]}", MOTE_ERROR_CORRUPT, "no_rope_layers");
	refuse(FAMILY("smollm3") ",\"no_rope_layers\":[0,1,1,1,1,1,1,2]}", MOTE_ERROR_CORRUPT, "no_rope_layers");
	c = accept(FAMILY("ministral") ",\"sliding_window\":100,\"layer_types\":[\"full_attention\","
		   "\"sliding_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\","
		   "\"full_attention\",\"sliding_attention\"]}");
	assert_layers(&c, "01000001");
	refuse(FAMILY("mistral") ",\"layer_types\":[\"full_attention\"]}", MOTE_ERROR_CORRUPT, "layer_types");
	refuse(FAMILY("mistral") ",\"layer_types\":[\"linear_attention\"]}", MOTE_ERROR_UNSUPPORTED,
	       "linear_attention");
	refuse(FAMILY("qwen3") ",\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\","
	       "\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]}",
	       MOTE_ERROR_CORRUPT, "sliding_window");
}

static void test_multipliers(void **state)
{
	struct mote_config c = accept(FAMILY("granite") ",\"embedding_multiplier\":12,\"residual_multiplier\":0.22,"
				      "\"attention_multiplier\":0.015625,\"logits_scaling\":8}");

	(void)state;
	assert_near(c.embedding_scale, 12);
	assert_near(c.residual_scale, 0.22);
	assert_near(c.attention_scale, 0.015625);
	assert_near(c.logits_scale, 0.125);
	c = accept(FAMILY("granite") "}");
	assert_near(c.attention_scale, 1); /* the class's own default, not 1 / sqrt(head_dim) */
	c = accept(FAMILY("minicpm") ",\"scale_emb\":12,\"scale_depth\":1.4,\"dim_model_base\":256}");
	assert_near(c.embedding_scale, 12);
	assert_near(c.residual_scale, 1.4 / sqrt(8));
	assert_near(c.logits_scale, 256.0 / 576);
	assert_true(c.tied_embeddings);
	refuse(FAMILY("granite") ",\"residual_multiplier\":0}", MOTE_ERROR_CORRUPT, "residual_multiplier");
}

static void test_gemma(void **state)
{
	struct mote_config c = accept(FAMILY("gemma") ",\"hidden_act\":\"gelu\",\"hidden_activation\":null}");

	(void)state;
	assert_int_equal(c.features, MOTE_GELU);
	assert_int_equal(c.head_dim, 256);
	assert_near(c.embedding_scale, 24);
	assert_true(c.tied_embeddings);
	refuse(FAMILY("gemma") ",\"hidden_activation\":\"gelu\"}", MOTE_ERROR_UNSUPPORTED, "hidden_activation");
	c = accept(FAMILY("gemma2") ",\"sliding_window\":512,\"query_pre_attn_scalar\":144}");
	assert_int_equal(c.features, MOTE_GELU | MOTE_POST_NORM);
	assert_layers(&c, "10101010");
	assert_int_equal(c.window, 512);
	assert_near(c.attention_scale, 1.0 / 12);
	assert_near(c.attention_cap, 50);
	assert_near(c.logits_cap, 30);
	c = accept(FAMILY("gemma2") ",\"attn_logit_softcapping\":null,\"sliding_window\":8192}");
	assert_true(c.attention_cap == 0);
	assert_layers(&c, "00000000"); /* no position can be beyond it */
	c = accept(FAMILY("gemma3_text") ",\"sliding_window\":512,\"rope_scaling\":{\"rope_type\":\"linear\","
		   "\"factor\":8.0}}");
	assert_int_equal(c.features, MOTE_GELU | MOTE_POST_NORM | MOTE_HEAD_NORM);
	assert_layers(&c, "33333033");
	assert_near(c.rope_theta, 1e6);
	assert_near(c.rope_local_theta, 1e4);
	assert_int_equal(c.rope_kind, MOTE_ROPE_LINEAR);
	assert_true(c.attention_cap == 0 && c.logits_cap == 0);
	c = accept(FAMILY("gemma3_text") ",\"sliding_window\":512,"
		   "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\","
		   "\"rope_theta\":500000},\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":20000}}}");
	assert_near(c.rope_theta, 500000);
	assert_near(c.rope_local_theta, 20000);
	refuse(FAMILY("gemma3_text") ",\"use_bidirectional_attention\":true}", MOTE_ERROR_UNSUPPORTED, "bidirectional");
	refuse(FAMILY("gemma3") "}", MOTE_ERROR_UNSUPPORTED, "gemma3");
}

static void test_phi3_and_longrope(void **state)
{
	static const char factors[] = "\"short_factor\":[1,1.1,1.2,1.3,1.4,1.5,1.6,1.7,1.8],"
				      "\"long_factor\":[1,2,3,4,5,6,7,8,9]";
	struct mote_config c;
	char text[1024];

	(void)state;
	c = accept(FAMILY("phi3") ",\"sliding_window\":2047}");
	assert_int_equal(c.window, 2047);
	assert_int_equal(c.rotary_dim, 0);
	snprintf(text, sizeof text, FAMILY("phi3") ",\"max_position_embeddings\":131072,"
		 "\"original_max_position_embeddings\":4096,\"partial_rotary_factor\":0.25,"
		 "\"rope_scaling\":{\"type\":\"longrope\",%s}}", factors);
	c = accept(text);
	assert_int_equal(c.rotary_dim, 18);
	assert_int_equal(c.rope_kind, MOTE_ROPE_LONGROPE);
	assert_int_equal(c.rope_original_positions, 4096);
	assert_near(c.rope_attention_factor, sqrt(1 + log(32) / log(4096)));
	assert_near(c.rope_long_factor[8], 9);
	assert_near(c.rope_short_factor[1], 1.1);
	snprintf(text, sizeof text, FAMILY("phi3") ",\"max_position_embeddings\":131072,\"rope_parameters\":{"
		 "\"original_max_position_embeddings\":8192,\"partial_rotary_factor\":0.25,"
		 "\"rope_type\":\"longrope\",%s}}", factors);
	c = accept(text);
	assert_int_equal(c.rope_original_positions, 8192);
	assert_int_equal(c.rotary_dim, 18);
	/* the factor that follows divides by the logarithm of one */
	for (int given = 0; given < 2; given++) {
		snprintf(text, sizeof text, FAMILY("phi3") ",\"original_max_position_embeddings\":1,"
			 "\"partial_rotary_factor\":0.25,\"rope_scaling\":{\"type\":\"longrope\",%s%s}}", factors,
			 given ? ",\"attention_factor\":1.5" : "");
		if (given)
			assert_near(accept(text).rope_attention_factor, 1.5);
		else
			refuse(text, MOTE_ERROR_CORRUPT, "1 original positions");
	}
}

static void test_yarn_and_dynamic(void **state)
{
	struct mote_config c = accept(FAMILY("qwen2") ",\"max_position_embeddings\":32768,"
				      "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,"
				      "\"original_max_position_embeddings\":32768}}");

	(void)state;
	assert_int_equal(c.rope_kind, MOTE_ROPE_YARN);
	assert_int_equal(c.max_positions, 131072);
	assert_near(c.rope_attention_factor, 0.1 * log(4) + 1);
	c = accept(FAMILY("llama") ",\"max_position_embeddings\":4096,\"rope_scaling\":{\"rope_type\":\"yarn\","
		   "\"factor\":40,\"mscale\":0.707,\"mscale_all_dim\":0.9,\"beta_fast\":16,\"beta_slow\":2,"
		   "\"truncate\":false}}");
	assert_int_equal(c.rope_original_positions, 4096);
	assert_near(c.rope_attention_factor, (0.0707 * log(40) + 1) / (0.09 * log(40) + 1));
	assert_true(c.rope_no_truncate && c.rope_beta_fast == 16 && c.rope_beta_slow == 2);
	c = accept(FAMILY("llama") ",\"max_position_embeddings\":4096,\"rope_scaling\":{\"rope_type\":\"yarn\","
		   "\"factor\":2,\"attention_factor\":1.5}}");
	assert_near(c.rope_attention_factor, 1.5);
	c = accept(FAMILY("llama") ",\"max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"dynamic\","
		   "\"factor\":2.0}}");
	assert_int_equal(c.rope_kind, MOTE_ROPE_DYNAMIC);
	assert_int_equal(c.rope_original_positions, 4096);
	assert_int_equal(c.max_positions, 8192);
	/* which transformers does not read */
	c = accept(FAMILY("llama") ",\"max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"dynamic\","
		   "\"factor\":2.0,\"original_max_position_embeddings\":1024}}");
	assert_int_equal(c.rope_original_positions, 4096);
	assert_int_equal(c.max_positions, 8192);
	refuse(FAMILY("llama") ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":null,"
	       "\"original_max_position_embeddings\":1024}}", MOTE_ERROR_CORRUPT, "without \"factor\"");
}

static void test_exaone4(void **state)
{
	struct mote_config c = accept(FAMILY("exaone4") ",\"sliding_window\":null,\"max_position_embeddings\":65536}");

	(void)state;
	assert_int_equal(c.features, MOTE_POST_NORM | MOTE_NO_PRE_NORM | MOTE_HEAD_NORM);
	assert_true(c.norm_eps == 1e-5);
	assert_layers(&c, "00000000");
	/* every fourth layer sees all, and has no RoPE */
	c = accept(FAMILY("exaone4") ",\"max_position_embeddings\":65536}");
	assert_int_equal(c.window, 4096);
	assert_layers(&c, "11141114");
	c = accept(FAMILY("exaone4") ",\"sliding_window\":64,\"sliding_window_pattern\":\"LG\"}");
	assert_layers(&c, "14141414");
	c = accept(FAMILY("exaone4") ",\"sliding_window\":64,\"sliding_window_pattern\":\"L\"}"); /* but the last */
	assert_layers(&c, "11111114");
	c = accept(FAMILY("exaone4") ",\"sliding_window\":64,\"layer_types\":[\"full_attention\",\"sliding_attention\","
		   "\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\","
		   "\"full_attention\"]}");
	assert_layers(&c, "41444444");
	/* of 2,048 positions none is beyond the window */
	c = accept(FAMILY("exaone4") "}");
	assert_int_equal(c.window, 0);
	assert_layers(&c, "00040004");
	refuse(FAMILY("exaone4") ",\"sliding_window_pattern\":\"LXG\"}", MOTE_ERROR_CORRUPT, "\"LXG\"");
	refuse(FAMILY("exaone4") ",\"sliding_window_pattern\":0}", MOTE_ERROR_CORRUPT, "sliding_window_pattern");
}

#define ATTENTION "\"attention\",\"attention\",\"attention\",\"attention\""
#define HYBRID FAMILY("granitemoehybrid") ",\"shared_intermediate_size\":128,\"layer_types\":[" ATTENTION "," ATTENTION

static void test_granite_hybrid(void **state)
{
	struct mote_config c = accept(HYBRID "],\"num_local_experts\":0,\"position_embedding_type\":\"rope\","
				      "\"attention_multiplier\":0.25,\"logits_scaling\":8}");

	(void)state;
	assert_int_equal(c.ffn, 128);
	assert_layers(&c, "00000000");
	assert_near(c.attention_scale, 0.25);
	assert_near(c.logits_scale, 0.125);
	c = accept(HYBRID "],\"num_local_experts\":0,\"position_embedding_type\":\"nope\"}");
	assert_layers(&c, "44444444");
	c = accept(HYBRID "],\"num_local_experts\":0}");
	assert_layers(&c, "44444444");
	refuse(HYBRID "]}", MOTE_ERROR_UNSUPPORTED, "\"num_local_experts\" is 8");
	refuse(HYBRID ",\"mamba\"],\"num_local_experts\":0}", MOTE_ERROR_UNSUPPORTED, "expected 8 times \"attention\"");
	refuse(FAMILY("granitemoehybrid") ",\"shared_intermediate_size\":128,\"num_local_experts\":0}",
	       MOTE_ERROR_UNSUPPORTED, "\"layer_types\"");
	refuse(FAMILY("granitemoehybrid") ",\"num_local_experts\":0}", MOTE_ERROR_CORRUPT, "shared_intermediate_size");
}

static void test_olmo3(void **state)
{
	struct mote_config c = accept(FAMILY("olmo3") ",\"max_position_embeddings\":65536,\"rope_theta\":500000,"
				      "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":8,"
				      "\"original_max_position_embeddings\":8192}}");

	(void)state;
	assert_int_equal(c.window, 4096);
	assert_layers(&c, "33303330");
	assert_true(c.rope_kind == MOTE_ROPE_YARN && c.rope_theta == 500000 && c.rope_local_theta == 500000);
	c = accept(FAMILY("olmo3") "}"); /* of 2,048 positions none is beyond the window */
	assert_layers(&c, "22202220");
}

static void test_ministral3(void **state)
{
	struct mote_config c = accept(FAMILY("ministral3") ",\"rope_parameters\":{\"type\":\"yarn\",\"rope_theta\":1e6,"
				      "\"factor\":16,\"original_max_position_embeddings\":16384,\"mscale\":1,"
				      "\"mscale_all_dim\":1,\"llama_4_scaling_beta\":0.1}}");

	(void)state;
	assert_true(c.attention_growth == 0.1 && c.rope_original_positions == 16384 && c.max_positions == 262144);
	assert_true(c.rope_attention_factor == 1 && c.rope_theta == 1e6 && c.head_dim == 128 && !c.window);
	refuse(FAMILY("ministral3") ",\"rope_parameters\":{\"type\":\"yarn\",\"factor\":16,"
	       "\"original_max_position_embeddings\":16384,\"llama_4_scaling_beta\":-1}}", MOTE_ERROR_CORRUPT,
	       "llama_4_scaling_beta");
}

static void test_stored_otherwise(void **state)
{
	static struct mote_hf_config hf;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(read_config(FAMILY("ernie4_5") "}", &hf, &error), MOTE_OK);
	assert_true(hf.neighbours && hf.model.tied_embeddings && hf.model.rope_theta == 500000);
	assert_string_equal(hf.architecture, "LlamaForCausalLM");
	assert_int_equal(read_config(FAMILY("helium") "}", &hf, &error), MOTE_OK);
	assert_true(hf.neighbours && !hf.model.tied_embeddings && hf.model.rope_theta == 100000);
	assert_true(hf.model.norm_eps == 1e-8 && hf.model.head_dim == 128);
	refuse(FAMILY("ernie4_5") ",\"use_bias\":true}", MOTE_ERROR_UNSUPPORTED, "use_bias");
	refuse(FAMILY("helium") ",\"attention_bias\":true}", MOTE_ERROR_UNSUPPORTED, "attention_bias");
}

#define HUNYUAN FAMILY("hunyuan_v1_dense")

static void test_hunyuan(void **state)
{
	struct mote_config c = accept(HUNYUAN ",\"use_qk_norm\":true,\"use_cla\":false,\"num_experts\":1,"
				      "\"rope_scaling\":{\"type\":\"dynamic\",\"alpha\":1000.0,\"factor\":1.0}}");

	(void)state;
	assert_int_equal(c.features, MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE);
	assert_int_equal(c.rope_kind, MOTE_ROPE_DEFAULT);
	assert_near(c.rope_theta, 10000 * pow(1000, 72 / 70.0));
	c = accept(HUNYUAN ",\"rope_scaling\":{\"type\":\"dynamic\",\"alpha\":0,\"factor\":2.0}}");
	assert_int_equal(c.rope_kind, MOTE_ROPE_DYNAMIC);
	/* others do not read it */
	c = accept(FAMILY("llama") ",\"rope_scaling\":{\"type\":\"dynamic\",\"alpha\":1000.0,\"factor\":2.0}}");
	assert_int_equal(c.rope_kind, MOTE_ROPE_DYNAMIC);
	assert_true(c.rope_theta == 10000);
	refuse(HUNYUAN ",\"rope_theta\":1e11,\"rope_scaling\":{\"type\":\"dynamic\",\"alpha\":1000.0}}",
	       MOTE_ERROR_CORRUPT, "\"alpha\" 1000");
	refuse(HUNYUAN ",\"use_cla\":true}", MOTE_ERROR_UNSUPPORTED, "use_cla");
	refuse(FAMILY("llama") ",\"num_experts\":2}", MOTE_ERROR_UNSUPPORTED, "num_experts");
}

#define IMAGES "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"model_type\":\"gemma3\","

static void test_model_of_text_in_another(void **state)
{
	static const char text[] = IMAGES "\"text_config\":{\"model_type\":\"gemma3_text\",\"hidden_size\":2560,"
		"\"intermediate_size\":10240,\"num_hidden_layers\":8,\"sliding_window\":1024},\"vision_config\":{}}";
	static struct mote_hf_config hf;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(read_config(text, &hf, &error), MOTE_OK);
	assert_true(hf.sees_images && hf.norm_plus_one);
	assert_string_equal(hf.architecture, "Gemma3ForCausalLM");
	assert_int_equal(hf.model.vocab, 262208);
	assert_int_equal(hf.model.heads, 8);
	assert_int_equal(hf.model.kv_heads, 4);
	assert_int_equal(hf.model.window, 1024);
	assert_int_equal(read_config("{\"model_type\":\"mistral3\",\"text_config\":" FAMILY("mistral") "}}", &hf,
				     &error), MOTE_OK);
	assert_true(hf.sees_images && !hf.norm_plus_one && !hf.model.tied_embeddings);
	assert_int_equal(read_config("{\"model_type\":\"mistral3\",\"tie_word_embeddings\":true,\"text_config\":"
				     FAMILY("mistral") "}}", &hf, &error), MOTE_OK);
	assert_true(hf.model.tied_embeddings);
	refuse("{\"model_type\":\"mistral3\",\"text_config\":" FAMILY("ministral3") "}}", MOTE_ERROR_CORRUPT,
	       "rope_parameters");
	refuse(IMAGES "\"vision_config\":{}}", MOTE_ERROR_UNSUPPORTED, "\"text_config\"");
	refuse(IMAGES "\"quantization_config\":{\"bits\":4},\"text_config\":{\"model_type\":\"gemma3_text\"}}",
	       MOTE_ERROR_UNSUPPORTED, "quantization_config");
	refuse("{\"architectures\":[\"LlavaForConditionalGeneration\"],\"text_config\":" FAMILY("llama") "}}",
	       MOTE_ERROR_UNSUPPORTED, "LlavaForConditionalGeneration");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_biases_and_norms),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_multipliers),
		cmocka_unit_test(test_gemma),
		cmocka_unit_test(test_phi3_and_longrope),
		cmocka_unit_test(test_yarn_and_dynamic),
		cmocka_unit_test(test_exaone4),
		cmocka_unit_test(test_granite_hybrid),
		cmocka_unit_test(test_stored_otherwise),
		cmocka_unit_test(test_hunyuan),
		cmocka_unit_test(test_ministral3),
		cmocka_unit_test(test_olmo3),
		cmocka_unit_test(test_model_of_text_in_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
