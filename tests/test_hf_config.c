/* config.json in its spellings, and everything that is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "convert/hf/hf_config.h"

#define SHAPE "\"hidden_size\":576,\"num_hidden_layers\":30,\"num_attention_heads\":9,\"intermediate_size\":1536," \
	      "\"vocab_size\":49154"
#define LLAMA "\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\"," SHAPE
#define MISTRAL \
	"\"architectures\":[\"MistralForCausalLM\"],\"model_type\":\"mistral\"," SHAPE ",\"num_key_value_heads\":3"

static enum mote_status read_config(const char *text, struct mote_hf_config *c, struct mote_error *error)
{
	enum mote_status status;
	cJSON *json;

	assert_int_equal(mote_json_parse(text, strlen(text), "test", &json, error), MOTE_OK);
	status = mote_hf_config_read(json, c, error);
	cJSON_Delete(json);
	return status;
}

static struct mote_hf_config accept(const char *text)
{
	struct mote_hf_config c;
	struct mote_error error = {0};

	if (read_config(text, &c, &error))
		fail_msg("%s: %s", text, error.message);
	return c;
}

static void refuse(const char *text, enum mote_status code, const char *message_part)
{
	struct mote_hf_config c;
	struct mote_error error = {0};
	enum mote_status status = read_config(text, &c, &error);

	if (status != code || !strstr(error.message, message_part))
		fail_msg("%s: status %d, message \"%s\"; expected status %d and \"%s\"", text, status, error.message,
			 code, message_part);
}

static void test_defaults(void **state)
{
	struct mote_hf_config c = accept("{" LLAMA "}");

	(void)state;
	assert_string_equal(c.architecture, "LlamaForCausalLM");
	assert_int_equal(c.model.kv_heads, 9);
	assert_int_equal(c.model.head_dim, 64);
	assert_int_equal(c.model.max_positions, 2048);
	assert_true(c.model.norm_eps == 1e-6);
	assert_true(c.model.rope_theta == 10000);
	assert_false(c.model.tied_embeddings);
	/* model_type alone, as some exporters leave it */
	c = accept("{\"model_type\":\"llama\"," SHAPE ",\"num_key_value_heads\":3,\"head_dim\":32}");
	assert_int_equal(c.model.kv_heads, 3);
	assert_int_equal(c.model.head_dim, 32);
	accept("{\"architectures\":[\"LlamaForCausalLM\"]," SHAPE "}");
}

static void test_three_spellings(void **state)
{
	struct mote_hf_config c;

	(void)state;
	c = accept("{" LLAMA ",\"rope_theta\":100000,\"rope_scaling\":null,\"torch_dtype\":\"bfloat16\"}");
	assert_true(c.model.rope_theta == 100000);
	assert_int_equal(c.model.rope_kind, MOTE_ROPE_DEFAULT);
	c = accept("{" LLAMA ",\"rope_theta\":100000,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5},"
		   "\"dtype\":\"float32\"}");
	assert_int_equal(c.model.rope_kind, MOTE_ROPE_LINEAR);
	assert_true(c.model.rope_factor == 2.5);
	c = accept("{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5}}");
	assert_true(c.model.rope_theta == 500000);
	c = accept("{" LLAMA ",\"rope_theta\":1000,\"rope_parameters\":{\"rope_type\":\"default\","
		   "\"rope_theta\":5e5}}");
	assert_true(c.model.rope_theta == 500000);
	c = accept("{" LLAMA ",\"rope_theta\":1000,\"rope_parameters\":{\"rope_type\":\"default\"}}");
	assert_true(c.model.rope_theta == 1000);
	c = accept("{" LLAMA ",\"max_position_embeddings\":131072,\"rope_theta\":500000,"
		   "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
		   "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}}");
	assert_int_equal(c.model.rope_kind, MOTE_ROPE_LLAMA3);
	assert_true(c.model.rope_factor == 8 && c.model.rope_low_freq_factor == 1 &&
		    c.model.rope_high_freq_factor == 4);
	assert_int_equal(c.model.rope_original_positions, 8192);
	/* a context that someone cut short leaves the frequencies as they are */
	accept("{" LLAMA ",\"max_position_embeddings\":4096,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,"
	       "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}}");
}

static void test_tolerates(void **state)
{
	(void)state;
	accept("{" LLAMA ",\"transformers.js_config\":{\"kv_cache_dtype\":{\"fp16\":\"float16\"}},\"use_cache\":false,"
	       "\"attention_dropout\":0.0,\"initializer_range\":0.04,\"is_llama_config\":true,"
	       "\"rope_interleaved\":false,\"pretraining_tp\":8,\"attention_bias\":false,\"mlp_bias\":null,"
	       "\"partial_rotary_factor\":1.0,\"hidden_act\":\"silu\",\"layer_types\":[\"full_attention\"],"
	       "\"no_rope_layers\":[],\"something_new\":[1,2]}");
}

static void test_refuses_architectures(void **state)
{
	static const char *const names[] = { "Qwen3MoeForCausalLM", "Gemma3ForConditionalGeneration",
					     "MixtralForCausalLM", "PhimoeForCausalLM", "Olmo3Model",
					     "GraniteMoeForCausalLM", "GPT2LMHeadModel", "BertModel",
					     "LlamaForSequenceClassification" };
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(text, sizeof text, "{\"architectures\":[\"%s\"]," SHAPE "}", names[i]);
		refuse(text, MOTE_ERROR_UNSUPPORTED, names[i]);
	}
	refuse("{\"model_type\":\"qwen2_moe\"," SHAPE "}", MOTE_ERROR_UNSUPPORTED, "qwen2_moe");
	refuse("{\"architectures\":[\"MixtralForCausalLM\"]," SHAPE "}", MOTE_ERROR_UNSUPPORTED, "mixture of experts");
	refuse("{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"cohere\"," SHAPE "}", MOTE_ERROR_UNSUPPORTED,
	       "cohere");
	refuse("{" SHAPE "}", MOTE_ERROR_CORRUPT, "architectures");
	refuse("{\"architectures\":[]," SHAPE "}", MOTE_ERROR_CORRUPT, "architectures");
}

static void test_refuses_features(void **state)
{
	static const char *const settings[] = {
		"\"rope_interleaved\":true",	 "\"qkv_bias\":true",
		"\"partial_rotary_factor\":0.5", "\"no_rope_layers\":[1,1,0]",
		"\"use_sliding_window\":true",	 "\"final_logit_softcapping\":30.0", "\"embedding_multiplier\":12.0",
		"\"quantization_config\":{\"quant_method\":\"gptq\"}", "\"num_local_experts\":8",
		"\"is_causal\":false", "\"sparse_config\":{\"dense_len\":8192}",
		"\"per_layer_config\":{\"1\":{\"intermediate_size\":64}}",
	};
	char text[1024], key[64];

	(void)state;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		size_t n = (size_t)(strchr(settings[i], ':') - settings[i]);

		snprintf(text, sizeof text, "{" LLAMA ",%s}", settings[i]);
		snprintf(key, sizeof key, "%.*s", (int)n, settings[i]);
		refuse(text, MOTE_ERROR_UNSUPPORTED, key);
	}
	refuse("{" LLAMA ",\"hidden_act\":\"gelu\"}", MOTE_ERROR_UNSUPPORTED, "gelu");
	refuse("{" LLAMA ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", MOTE_ERROR_UNSUPPORTED,
	       "layer_types");
}

static void test_refuses_rope(void **state)
{
	static const char *const kinds[] = {"ntk", "mrope"};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(text, sizeof text, "{" LLAMA ",\"rope_scaling\":{\"type\":\"%s\",\"factor\":2.0}}", kinds[i]);
		refuse(text, MOTE_ERROR_UNSUPPORTED, kinds[i]);
		snprintf(text, sizeof text, "{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"%s\",\"factor\":2.0}}",
			 kinds[i]);
		refuse(text, MOTE_ERROR_UNSUPPORTED, kinds[i]);
	}
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\"}}", MOTE_ERROR_CORRUPT, "factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"yarn\"}}", MOTE_ERROR_CORRUPT, "factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"su\"}}", MOTE_ERROR_CORRUPT, "short_factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,2],\"long_factor\":[1,2]}}",
	       MOTE_ERROR_CORRUPT, "no list of 32");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}}", MOTE_ERROR_CORRUPT, "factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}}", MOTE_ERROR_CORRUPT, "factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"factor\":2.0}}", MOTE_ERROR_UNSUPPORTED, "without a \"rope_type\"");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":null,\"factor\":4}}", MOTE_ERROR_UNSUPPORTED, "\"rope_scaling\"");
	refuse("{" LLAMA ",\"rope_parameters\":{\"rope_type\":null,\"factor\":4}}", MOTE_ERROR_UNSUPPORTED,
	       "\"rope_parameters\"");
	accept("{" LLAMA ",\"rope_scaling\":{\"factor\":1.0}}");
	refuse("{" LLAMA ",\"rope_scaling\":7}", MOTE_ERROR_CORRUPT, "rope_scaling");
	refuse("{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}}", MOTE_ERROR_CORRUPT,
	       "low_freq_factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":4.0,"
	       "\"high_freq_factor\":1.0,\"original_max_position_embeddings\":1024}}", MOTE_ERROR_CORRUPT,
	       "high_freq_factor");
	refuse("{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0},"
	       "\"rope_parameters\":{\"rope_type\":\"default\"}}", MOTE_ERROR_CORRUPT, "say different things");
	refuse("{" LLAMA ",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\"}}}",
	       MOTE_ERROR_UNSUPPORTED, "rope_parameters");
}

static void test_sliding_window(void **state)
{
	struct mote_hf_config c;

	(void)state;
	c = accept("{" MISTRAL ",\"sliding_window\":null,\"max_position_embeddings\":32768}");
	assert_string_equal(c.architecture, "MistralForCausalLM");
	accept("{" MISTRAL ",\"sliding_window\":4096,\"max_position_embeddings\":4096,\"head_dim\":32}");
	accept("{" MISTRAL ",\"max_position_embeddings\":4096}"); /* MistralConfig's own window is 4096 */
	accept("{" LLAMA ",\"max_position_embeddings\":8192}");
	c = accept("{\"model_type\":\"mistral\",\"hidden_size\":64,\"num_hidden_layers\":1,\"num_attention_heads\":16,"
		   "\"intermediate_size\":8,\"vocab_size\":8,\"sliding_window\":null}");
	assert_int_equal(c.model.kv_heads, 8);
	c = accept("{\"model_type\":\"mistral\",\"hidden_size\":64,\"num_hidden_layers\":1,\"num_attention_heads\":16,"
		   "\"intermediate_size\":8,\"vocab_size\":8,\"sliding_window\":null,\"num_key_value_heads\":null}");
	assert_int_equal(c.model.kv_heads, 16);
	c = accept("{" MISTRAL ",\"sliding_window\":4095,\"max_position_embeddings\":32768}");
	assert_int_equal(c.model.window, 4095);
	assert_int_equal(c.model.layer_kind[29], MOTE_LAYER_WINDOW);
	c = accept("{" MISTRAL ",\"max_position_embeddings\":32768}");
	assert_int_equal(c.model.window, 4096);
	refuse("{" MISTRAL ",\"sliding_window\":-1}", MOTE_ERROR_CORRUPT, "sliding_window");
	refuse("{" MISTRAL ",\"sliding_window\":\"all\"}", MOTE_ERROR_CORRUPT, "sliding_window");
}

static void test_shapes(void **state)
{
	(void)state;
	refuse("{\"model_type\":\"llama\"}", MOTE_ERROR_CORRUPT, "hidden_size");
	refuse("{" LLAMA ",\"num_key_value_heads\":4}", MOTE_ERROR_CORRUPT, "no multiple of 4");
	refuse("{" LLAMA ",\"num_key_value_heads\":0}", MOTE_ERROR_CORRUPT, "num_key_value_heads");
	refuse("{" LLAMA ",\"head_dim\":63}", MOTE_ERROR_CORRUPT, "odd");
	refuse("{" LLAMA ",\"head_dim\":-64}", MOTE_ERROR_CORRUPT, "head_dim");
	refuse("{" LLAMA ",\"rms_norm_eps\":-1}", MOTE_ERROR_CORRUPT, "rms_norm_eps");
	refuse("{" LLAMA ",\"tie_word_embeddings\":\"yes\"}", MOTE_ERROR_CORRUPT, "tie_word_embeddings");
	refuse("{\"model_type\":\"llama\",\"hidden_size\":100,\"num_hidden_layers\":1,\"num_attention_heads\":7,"
	       "\"intermediate_size\":8,\"vocab_size\":8}", MOTE_ERROR_CORRUPT, "does not split");
	refuse("{\"model_type\":\"llama\",\"hidden_size\":4294967297,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
	       "\"intermediate_size\":8,\"vocab_size\":8}", MOTE_ERROR_CORRUPT, "hidden_size");
	refuse("{\"model_type\":\"llama\",\"hidden_size\":64.5,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
	       "\"intermediate_size\":8,\"vocab_size\":8}", MOTE_ERROR_CORRUPT, "hidden_size");
}

static enum mote_status read_ids(const char *config, const char *generation, struct mote_hf_token_ids *ids,
				 struct mote_error *error)
{
	cJSON *a = cJSON_Parse(config), *b = generation ? cJSON_Parse(generation) : NULL;
	enum mote_status status = mote_hf_token_ids_read(a, b, ids, error);

	cJSON_Delete(a);
	cJSON_Delete(b);
	return status;
}

static void test_token_ids(void **state)
{
	struct mote_hf_token_ids ids;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(read_ids("{\"bos_token_id\":1,\"eos_token_id\":2,\"pad_token_id\":-1}", NULL, &ids, &error),
			 MOTE_OK);
	assert_int_equal(ids.bos, 1);
	assert_int_equal(ids.n_eos, 1);
	assert_int_equal(ids.eos[0], 2);
	assert_int_equal(ids.pad, -1);
	assert_int_equal(read_ids("{\"bos_token_id\":1,\"eos_token_id\":[2,3]}",
				  "{\"eos_token_id\":[7],\"pad_token_id\":0}", &ids, &error), MOTE_OK);
	assert_int_equal(ids.bos, 1); /* not in generation_config.json */
	assert_int_equal(ids.n_eos, 1);
	assert_int_equal(ids.eos[0], 7);
	assert_int_equal(ids.pad, 0);
	assert_int_equal(read_ids("{\"eos_token_id\":2}", "{\"eos_token_id\":[8,9,10]}", &ids, &error), MOTE_OK);
	assert_int_equal(ids.n_eos, 3);
	assert_int_equal(ids.eos[2], 10);
	assert_int_equal(read_ids("{\"eos_token_id\":2}", "{\"eos_token_id\":null}", &ids, &error), MOTE_OK);
	assert_int_equal(ids.eos[0], 2);
	/* of a model of text in another, unless that has its own */
	assert_int_equal(read_ids("{\"model_type\":\"gemma3\",\"eos_token_id\":[5],\"text_config\":{"
				  "\"eos_token_id\":[3,4],\"bos_token_id\":6}}", NULL, &ids, &error), MOTE_OK);
	assert_int_equal(ids.bos, 6);
	assert_int_equal(ids.n_eos, 1);
	assert_int_equal(ids.eos[0], 5);
	assert_int_equal(read_ids("{}", NULL, &ids, &error), MOTE_OK);
	assert_int_equal(ids.n_eos, 0);
	assert_int_equal(read_ids("{\"eos_token_id\":\"2\"}", NULL, &ids, &error), MOTE_ERROR_CORRUPT);
	error = (struct mote_error){0};
	assert_int_equal(read_ids("{\"bos_token_id\":-7}", NULL, &ids, &error), MOTE_ERROR_CORRUPT);
	error = (struct mote_error){0};
	assert_int_equal(read_ids("{\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", NULL, &ids, &error),
			 MOTE_ERROR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),	      cmocka_unit_test(test_three_spellings),
		cmocka_unit_test(test_tolerates),	      cmocka_unit_test(test_refuses_architectures),
		cmocka_unit_test(test_refuses_features),      cmocka_unit_test(test_refuses_rope),
		cmocka_unit_test(test_sliding_window),	      cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_token_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
