/* Every family that a checkpoint can be of, written as a Hugging Face directory and as a GGUF file, and read again: the
 * same model; and what GGUF has no words for, refused by name. */
#include "tests/checkpoint_place.h"

#include "convert/fused_weights.h"
#include "convert/gguf/gguf_write.h"
#include "convert/hf/hf_config.h"
#include "convert/hf/hf_write.h"
#include "format/container.h"
#include "runtime/model/architecture.h"

#define SHAPE(architecture, model_type, layers) \
	"{\"architectures\":[\"" architecture "\"],\"model_type\":\"" model_type "\"," \
	"\"num_hidden_layers\":" layers \
	",\"hidden_size\":24,\"num_attention_heads\":3,\"num_key_value_heads\":1,\"head_dim\":10," \
	"\"intermediate_size\":20," \
	"\"vocab_size\":37,\"max_position_embeddings\":64,\"bos_token_id\":1,\"eos_token_id\":2"
#define RMS ",\"rms_norm_eps\":1e-5"
#define GEMMA2 SHAPE("Gemma2ForCausalLM", "gemma2", "3") RMS ",\"sliding_window\":16,\"tie_word_embeddings\":true"
#define GEMMA3 SHAPE("Gemma3ForCausalLM", "gemma3_text", "7") RMS ",\"rope_theta\":1000000.0," \
	"\"rope_local_base_freq\":20000.0,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8.0}," \
	"\"sliding_window\":"

static const struct {
	const char *config;
	const char *refused;       /* a word of the message with which GGUF is refused; NULL: it is not */
	uint32_t notes;            /* what is said of the GGUF file */
} cases[] = {
	{ SHAPE("LlamaForCausalLM", "llama", "2") RMS ",\"attention_bias\":true,\"mlp_bias\":true,"
	  "\"rope_scaling\":{\"rope_type\":"
	  "\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
	  "\"original_max_position_embeddings\":32}}",
	  NULL, 0 },
	{ SHAPE("LlamaForCausalLM", "llama", "2") RMS ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
	  "\"original_max_position_embeddings\":32,\"attention_factor\":1.25}}", NULL, 0 },
	{ SHAPE("LlamaForCausalLM", "llama", "2") RMS ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
	  "\"beta_fast\":20}}", "beta_fast", 0 },
	{ SHAPE("LlamaForCausalLM", "llama", "2") RMS ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
	  "\"truncate\":false}}", "truncate", 0 },
	{ SHAPE("LlamaForCausalLM", "llama", "2") RMS ",\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":4.0}}",
	  "dynamic", 0 },
	{SHAPE("MistralForCausalLM", "mistral", "2") RMS ",\"sliding_window\":20}", NULL, 1},
	{ SHAPE("MinistralForCausalLM", "ministral", "2") RMS ",\"sliding_window\":20,"
	  "\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", "window_layers", 0 },
	{SHAPE("Qwen2ForCausalLM", "qwen2", "2") RMS "}", NULL, 0},
	{ SHAPE("Qwen2ForCausalLM", "qwen2", "3") RMS ",\"use_sliding_window\":true,\"sliding_window\":20,"
	  "\"max_window_layers\":1}", "sliding_window", 0 },
	{SHAPE("Qwen3ForCausalLM", "qwen3", "2") RMS ",\"tie_word_embeddings\":true}", NULL, 0},
	{SHAPE("Qwen3ForCausalLM", "qwen3", "2") RMS ",\"attention_bias\":true}", "qkv_bias", 0},
	{SHAPE("SmolLM3ForCausalLM", "smollm3", "4") RMS ",\"no_rope_layers\":[1,1,1,0]}", NULL, 0},
	{SHAPE("SmolLM3ForCausalLM", "smollm3", "4") RMS ",\"no_rope_layers\":[1,0,1,0]}", "no_rope_layers", 0},
	{SHAPE("Phi3ForCausalLM", "phi3", "2") RMS ",\"sliding_window\":20}", NULL, 1},
	{ SHAPE("Phi3ForCausalLM", "phi3", "2") RMS ",\"original_max_position_embeddings\":32,"
	  "\"partial_rotary_factor\":0.6,\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1.25,1.5],"
	  "\"long_factor\":[1,2.5,4]}}", NULL, 0 },
	{ SHAPE("GraniteForCausalLM", "granite", "2") RMS ",\"embedding_multiplier\":12.0,\"residual_multiplier\":0.25,"
	  "\"attention_multiplier\":0.125,\"logits_scaling\":8.0,\"attention_bias\":true,\"tie_word_embeddings\":true}",
	  NULL, 0 },
	{SHAPE("MiniCPMForCausalLM", "minicpm", "2") RMS ",\"scale_emb\":12,\"scale_depth\":1.4,"
	 "\"dim_model_base\":16}", NULL, 0},
	{ SHAPE("MiniCPMForCausalLM", "minicpm", "2") RMS ",\"scale_emb\":12,\"scale_depth\":1.4,"
	  "\"dim_model_base\":16,\"rope_scaling\":{\"rope_type\":\"longrope\",\"short_factor\":[1,1,1.25,1.5,2],"
	  "\"long_factor\":[1,2,2.5,4,5],\"original_max_position_embeddings\":32}}", NULL, 0 },
	{ SHAPE("Qwen3ForCausalLM", "qwen3", "2") RMS ",\"rope_scaling\":{\"rope_type\":\"longrope\","
	  "\"short_factor\":[1,1,1.25,1.5,2],\"long_factor\":[1,2,2.5,4,5],"
	  "\"original_max_position_embeddings\":32}}", "longrope", 0 },
	{SHAPE("Olmo2ForCausalLM", "olmo2", "2") RMS "}", NULL, 0},
	{ SHAPE("StableLmForCausalLM", "stablelm", "2") ",\"layer_norm_eps\":1e-5,\"partial_rotary_factor\":0.4,"
	  "\"use_qkv_bias\":true}", NULL, 0 },
	{SHAPE("GemmaForCausalLM", "gemma", "2") RMS ",\"tie_word_embeddings\":true}", NULL, 0},
	{GEMMA2 ",\"query_pre_attn_scalar\":10,\"attn_logit_softcapping\":5.0,\"final_logit_softcapping\":3.0}", NULL,
	 0},
	{GEMMA2 ",\"query_pre_attn_scalar\":9}", "attention_scale", 0},
	{GEMMA2 ",\"query_pre_attn_scalar\":10,\"attn_logit_softcapping\":null}", "attention_softcap", 0},
	{GEMMA3 "16,\"query_pre_attn_scalar\":10}", NULL, 0},
	{GEMMA3 "64,\"query_pre_attn_scalar\":10}", NULL, 0}, /* a window that is none */
	{GEMMA3 "16,\"query_pre_attn_scalar\":10,\"sliding_window_pattern\":3}", "window_layers", 0},
};

/* A weight of the checkpoint, or of three the fused one. */
static void add_weight(struct tiny *t, const struct mote_hf_config *c, const struct mote_weight_walk *w)
{
	uint32_t rows = mote_dim_of(&c->model, w->weight->rows);
	const uint32_t cols = w->weight->cols == MOTE_DIM_ONE ? 0 : mote_dim_of(&c->model, w->weight->cols);
	const bool fused = c->stored & MOTE_STORED_FUSED;
	char name[MOTE_WEIGHT_NAME_BYTES];

	memcpy(name, w->name, sizeof name);
	if (fused && (strstr(name, "k_proj") || strstr(name, "v_proj") || strstr(name, "up_proj")))
		return;
	if (fused && strstr(name, "q_proj")) {
		rows += 2 * mote_dim_of(&c->model, MOTE_DIM_KV);
		strcpy(strstr(name, "q_proj"), "qkv_proj.weight");
	}
	if (fused && strstr(name, "gate_proj")) {
		rows *= 2;
		strcpy(strstr(name, "gate_proj"), "gate_up_proj.weight");
	}
	tiny_add(t, name, rows, cols, "BF16");
}

static void save(const struct place *p, const char *config)
{
	struct mote_weight_walk w = {0};
	struct mote_error error = {0};
	struct mote_hf_config c;
	cJSON *json = NULL;
	struct tiny t;

	if (mote_json_parse(config, strlen(config), "config.json", &json, &error) ||
	    mote_hf_config_read(json, &c, &error))
		fail_msg("%s: %s", config, error.message);
	t = (struct tiny){.shards = 1};
	w.config = &c.model;
	while (mote_weight_next(&w))
		add_weight(&t, &c, &w);
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "config.json", config);
	tiny_write_text(p->in, "generation_config.json", "{\"temperature\":0.6,\"top_k\":20,\"top_p\":0.95,"
			"\"min_p\":0.05,\"repetition_penalty\":1.1}");
	tiny_free(&t);
	cJSON_Delete(json);
}

static struct mote_container *convert_from(const char *from, const char *to)
{
	struct mote_checkpoint_options options = keep;
	struct mote_error error = {0};
	struct mote_container *c;

	options.force = true;
	if (mote_checkpoint_convert(from, to, &options, NULL, &error) || mote_container_open(to, &c, &error))
		fail_msg("%s", error.message);
	return c;
}

/* What comes back from a path is the same model. */
static void come_back(const struct place *p, const struct mote_container *a, const char *from, const char *config)
{
	const struct mote_hash128 x = mote_container_tensors_hash(a);
	struct mote_hash128 y;
	struct mote_container *b;
	char again[160];

	snprintf(again, sizeof again, "%s/again.mote", p->root);
	b = convert_from(from, again);
	y = mote_container_tensors_hash(b);
	if (memcmp(&x, &y, sizeof x))
		fail_msg("%s: %s has other tensors", config, from);
	if (!cJSON_Compare(mote_json_get(mote_container_metadata(a), "model"),
			   mote_json_get(mote_container_metadata(b), "model"), true))
		fail_msg("%s: %s is another model: %s", config, from,
			 cJSON_Print(mote_json_get(mote_container_metadata(b), "model")));
	if (!cJSON_Compare(mote_json_get(mote_container_metadata(a), "generation"),
			   mote_json_get(mote_container_metadata(b), "generation"), true))
		fail_msg("%s: %s asks for other sampling: %s", config, from,
			 cJSON_Print(mote_json_get(mote_container_metadata(b), "generation")));
	mote_container_close(b);
}

/* "do_sample": false has no key in GGUF: the temperature says it. */
static void test_greedy(void **state)
{
	const struct mote_gguf_write_options gguf = {.keep_types = true};
	struct mote_error error = {0};
	struct mote_notes notes = {0};
	struct place *p = *state;
	struct mote_container *a;
	char out[160];
	const cJSON *generation;
	uint64_t bytes;

	save(p, cases[0].config);
	tiny_write_text(p->in, "generation_config.json", "{\"do_sample\":false,\"temperature\":0.6,\"top_k\":20}");
	a = convert_from(p->in, p->file);
	snprintf(out, sizeof out, "%s/greedy.gguf", p->root);
	if (mote_gguf_write(a, out, &gguf, &notes, &bytes, &error))
		fail_msg("%s", error.message);
	mote_container_close(a);
	a = convert_from(out, p->file);
	generation = mote_json_get(mote_container_metadata(a), "generation");
	assert_true(mote_json_get(generation, "temperature")->valuedouble == 0);
	assert_true(mote_json_get(generation, "top_k")->valuedouble == 20);
	mote_container_close(a);
	mote_notes_free(&notes);
}

static void test_cases(void **state)
{
	const struct mote_gguf_write_options gguf = {.keep_types = true};
	const struct mote_hf_write_options hf = {.keep_types = true};
	struct place *p = *state;
	char out[160];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_notes notes = {0};
		struct mote_error error = {0};
		struct mote_container *a;
		enum mote_status status;
		uint64_t bytes;

		save(p, cases[i].config);
		a = convert_from(p->in, p->file);
		snprintf(out, sizeof out, "%s/%zu", p->root, i);
		if (mote_hf_write(a, out, &hf, &bytes, &error))
			fail_msg("%s: %s", cases[i].config, error.message);
		come_back(p, a, out, cases[i].config);
		strcat(out, ".gguf");
		status = mote_gguf_write(a, out, &gguf, &notes, &bytes, &error);
		if (status != (cases[i].refused ? MOTE_ERROR_UNSUPPORTED : MOTE_OK) ||
		    (status && !strstr(error.message, cases[i].refused)) || notes.notes != cases[i].notes)
			fail_msg("%s: %d, %u notes, %s", cases[i].config, status, notes.notes, error.message);
		if (!status)
			come_back(p, a, out, cases[i].config);
		mote_notes_free(&notes);
		mote_container_close(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_greedy, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
