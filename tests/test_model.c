/* Binding: a container written here is opened, mapped and copied, and gives the same bits; what is missing,
 * misshapen, superfluous or contradictory is refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/writer.h"
#include "runtime/model/architecture.h"
#include "runtime/model/session.h"

static const char model_json[] =
	"{\"architecture\":\"llama\",\"model\":{\"hidden_size\":48,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
	"\"num_key_value_heads\":2,\"head_dim\":12,\"intermediate_size\":80,\"vocab_size\":70,"
	"\"max_position_embeddings\":128,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":false,"
	"\"rope\":{\"type\":\"default\",\"theta\":10000}},\"tokens\":{\"bos\":1,\"eos\":[2,5]}}";

struct spec {
	const char *name;
	uint32_t rank, rows, cols;
	enum mote_type type;
};

#define LAYER(i) \
	{"model.layers." i ".input_layernorm.weight", 1, 48, 1, MOTE_F32}, \
	{"model.layers." i ".mlp.down_proj.weight", 2, 48, 80, MOTE_F32}, \
	{"model.layers." i ".mlp.gate_proj.weight", 2, 80, 48, MOTE_F16}, \
	{"model.layers." i ".mlp.up_proj.weight", 2, 80, 48, MOTE_F32}, \
	{"model.layers." i ".post_attention_layernorm.weight", 1, 48, 1, MOTE_F32}, \
	{"model.layers." i ".self_attn.k_proj.weight", 2, 24, 48, MOTE_F32}, \
	{"model.layers." i ".self_attn.o_proj.weight", 2, 48, 48, MOTE_BF16}, \
	{"model.layers." i ".self_attn.q_proj.weight", 2, 48, 48, MOTE_F32}, \
	{"model.layers." i ".self_attn.v_proj.weight", 2, 24, 48, MOTE_F32}

static const struct spec complete[] = {
	{"lm_head.weight", 2, 70, 48, MOTE_F32}, {"model.embed_tokens.weight", 2, 70, 48, MOTE_F16},
	LAYER("0"), LAYER("1"), {"model.norm.weight", 1, 48, 1, MOTE_F32}};

enum { COMPLETE = sizeof complete / sizeof *complete };

static char path[] = "/tmp/mote_test_model_XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void must(enum mote_status status, struct mote_error *error)
{
	if (status)
		fail_msg("%s", error->message);
}

static void write_container(const char *json, const struct spec *spec, size_t n)
{
	struct mote_error error = {0};
	struct mote_writer *w;
	cJSON *metadata;
	uint32_t state = 1;

	must(mote_json_parse(json, strlen(json), "test", &metadata, &error), &error);
	must(mote_writer_open(path, true, &w, &error), &error);
	for (size_t i = 0; i < n; i++)
		must(mote_writer_add_tensor(w, spec[i].name, spec[i].rank, spec[i].type, spec[i].rows, spec[i].cols,
					    NULL, &error), &error);
	for (size_t i = 0; i < n; i++) {
		uint32_t cols = spec[i].cols, rows = spec[i].rows;
		float *values = malloc((size_t)rows * cols * sizeof *values);

		for (size_t j = 0; j < (size_t)rows * cols; j++) {
			state = state * 1664525 + 1013904223;
			values[j] = ((float)(state >> 8) * 0x1p-24f - 0.5f) * 0.4f;
		}
		if (spec[i].rank == 1) {
			must(mote_writer_write(w, values, rows * sizeof *values, &error), &error);
		} else {
			struct mote_matrix m;
			uint64_t bytes;
			uint8_t *panel;

			must(mote_matrix_init(&m, spec[i].type, rows, cols, NULL, NULL, &bytes, &error), &error);
			panel = malloc(m.panel_bytes);
			for (uint32_t row = 0; row < rows; row += 16) {
				mote_panel_pack_floats(&m, values + (size_t)row * cols,
						       rows - row < 16 ? rows - row : 16, panel);
				must(mote_writer_write(w, panel, m.panel_bytes, &error), &error);
			}
			free(panel);
		}
		free(values);
	}
	must(mote_writer_put_json(w, MOTE_SECTION_METADATA, metadata, &error), &error);
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
	cJSON_Delete(metadata);
}

static void refuses(enum mote_status expected, const char *says)
{
	struct mote_error error = {0};
	struct mote_model *m;
	enum mote_status status = mote_model_open(path, MOTE_WEIGHTS_DEFAULT, &m, &error);

	if (status != expected || !strstr(error.message, says))
		fail_msg("status %d, \"%s\"; expected status %d and \"%s\"", status, error.message, expected, says);
	assert_null(m);
}

static void first_logits(enum mote_weights weights, float logits[70])
{
	struct mote_error error = {0};
	struct mote_model *m;
	struct mote_session *s;
	const float *out;

	must(mote_model_open(path, weights, &m, &error), &error);
	assert_true((weights == MOTE_WEIGHTS_MAPPED) == (m->huge == NULL));
	assert_int_equal(m->config.n_eos, 2);
	assert_int_equal(m->config.eos[1], 5);
	assert_int_equal(m->config.bos, 1);
	must(mote_session_open(m, &(struct mote_session_options){.threads = 2}, &s, &error), &error);
	must(mote_session_forward(s, &(struct mote_batch){.rows = 3, .token = (int32_t[]){1, 69, 7},
		.position = (uint32_t[]){0, 1, 2}}, &out, &error), &error);
	memcpy(logits, out, 70 * sizeof *logits);
	mote_session_close(s);
	mote_model_close(m);
}

/* The table's own consistency: a walk in forward order visits what find() finds again. */
static void test_weights(void **state)
{
	static const char *const first[] = {
		"model.embed_tokens.weight", "model.layers.0.input_layernorm.weight",
		"model.layers.0.self_attn.q_proj.weight"};
	struct mote_config config = {
		.hidden = 48, .layers = 12, .heads = 4, .kv_heads = 2, .head_dim = 10, .ffn = 80, .vocab = 70};
	char last[MOTE_WEIGHT_NAME_BYTES] = "";
	uint32_t layer;

	(void)state;
	for (int tied = 0; tied < 2; tied++) {
		struct mote_weight_walk w = {.config = &config};
		uint32_t n = 0;

		config.tied_embeddings = tied;
		for (; mote_weight_next(&w); n++) {
			if (n < 3)
				assert_string_equal(w.name, first[n]);
			assert_ptr_equal(mote_weight_find(w.name, &layer), w.weight);
			assert_int_equal(layer, w.layer);
			if (w.weight->input != MOTE_IN_NONE)
				assert_int_equal(mote_dim_of(&config, w.weight->cols),
						 mote_input_width(&config, w.weight->input));
			snprintf(last, sizeof last, "%s", w.name);
		}
		assert_int_equal(n, mote_weight_count(&config));
		assert_int_equal(n, 12 * 9 + 3 - tied);
		assert_string_equal(last, tied ? "model.norm.weight" : "lm_head.weight");
	}
	assert_ptr_equal(mote_weight_find("lm_head.weight", NULL), mote_weight_head);
	assert_ptr_equal(mote_weight_find("model.embed_tokens.weight", NULL), mote_weight_embedding);
	assert_null(mote_weight_find("model.layers.01.mlp.up_proj.weight", NULL));
	assert_null(mote_weight_find("model.layers..mlp.up_proj.weight", NULL));
	assert_null(mote_weight_find("model.layers.3.lm_head.weight", NULL));
	assert_null(mote_weight_find("mlp.up_proj.weight", NULL));
}

static void test_opens(void **state)
{
	float mapped[70], copied[70];
	struct mote_error error = {0};
	struct mote_model *m;
	struct mote_matrix *w;
	float row[80];

	(void)state;
	write_container(model_json, complete, COMPLETE);
	first_logits(MOTE_WEIGHTS_MAPPED, mapped);
	first_logits(MOTE_WEIGHTS_HUGE_PAGES, copied);
	assert_memory_equal(mapped, copied, sizeof mapped);
	assert_true(mapped[0] != mapped[1]);

	must(mote_model_open(path, MOTE_WEIGHTS_DEFAULT, &m, &error), &error);
	w = mote_model_matrix(m, "model.layers.1.mlp.down_proj.weight");
	assert_ptr_equal(w, &m->layer[1].down);
	assert_int_equal(w->rows, 48);
	assert_int_equal(w->cols, 80);
	mote_matrix_decode_row(w, 47, row);
	assert_true(row[79] > -0.2f && row[79] < 0.2f && row[79] != 0);
	assert_ptr_equal(mote_model_matrix(m, "lm_head.weight"), &m->head);
	assert_ptr_equal(mote_model_matrix(m, "model.embed_tokens.weight"), &m->embedding);
	assert_null(mote_model_matrix(m, "model.norm.weight"));
	assert_null(mote_model_matrix(m, "model.layers.2.mlp.down_proj.weight"));
	mote_model_close(m);
	mote_model_close(NULL);
}

static void test_tensors(void **state)
{
	struct spec spec[COMPLETE + 1];

	(void)state;
	for (size_t i = 0; i < COMPLETE; i++) { /* each one missing */
		memcpy(spec, complete, sizeof complete);
		spec[i] = spec[COMPLETE - 1];
		write_container(model_json, spec, COMPLETE - 1);
		refuses(MOTE_ERROR_CORRUPT, complete[i].name);
		refuses(MOTE_ERROR_CORRUPT, "is missing");
	}
	for (size_t i = 0; i < COMPLETE; i++) { /* each one misshapen */
		memcpy(spec, complete, sizeof complete);
		spec[i].rows++;
		write_container(model_json, spec, COMPLETE);
		refuses(MOTE_ERROR_CORRUPT, complete[i].name);
		refuses(MOTE_ERROR_CORRUPT, "expected rank");
	}
	memcpy(spec, complete, sizeof complete);
	spec[COMPLETE] = (struct spec){"model.layers.0.self_attn.q_proj.bias", 1, 48, 1, MOTE_F32};
	write_container(model_json, spec, COMPLETE + 1);
	refuses(MOTE_ERROR_CORRUPT, "q_proj.bias");
	memcpy(spec, complete, sizeof complete);
	spec[COMPLETE - 1].rank = 2; /* a matrix of one column in a vector's place */
	write_container(model_json, spec, COMPLETE);
	refuses(MOTE_ERROR_CORRUPT, "model.norm.weight");
}

/* model_json with one text replaced by another. */
static void changed(const char *from, const char *to, enum mote_status expected, const char *says)
{
	char json[1024];
	const char *at = strstr(model_json, from);

	assert_non_null(at);
	snprintf(json, sizeof json, "%.*s%s%s", (int)(at - model_json), model_json, to, at + strlen(from));
	write_container(json, complete, COMPLETE);
	refuses(expected, says);
}

static void test_config(void **state)
{
	(void)state;
	changed("\"model\":", "\"other\":", MOTE_ERROR_UNSUPPORTED, "vocab-only");
	changed("\"architecture\":\"llama\"", "\"architecture\":\"mamba\"", MOTE_ERROR_UNSUPPORTED, "mamba");
	changed("\"architecture\":\"llama\",", "", MOTE_ERROR_CORRUPT, "architecture");
	changed("\"hidden_size\":48", "\"hidden_size\":0", MOTE_ERROR_CORRUPT, "hidden_size");
	changed("\"hidden_size\":48", "\"hidden_size\":\"48\"", MOTE_ERROR_CORRUPT, "hidden_size");
	changed("\"num_hidden_layers\":2", "\"num_hidden_layers\":100000", MOTE_ERROR_CORRUPT, "num_hidden_layers");
	changed("\"num_hidden_layers\":2", "\"num_hidden_layers\":3", MOTE_ERROR_CORRUPT, "model.layers.2.");
	changed("\"num_hidden_layers\":2", "\"num_hidden_layers\":1", MOTE_ERROR_CORRUPT, "model.layers.1.");
	changed("\"num_key_value_heads\":2", "\"num_key_value_heads\":3", MOTE_ERROR_CORRUPT, "no multiple");
	changed("\"head_dim\":12", "\"head_dim\":13", MOTE_ERROR_CORRUPT, "odd");
	changed("\"num_attention_heads\":4", "\"num_attention_heads\":-4", MOTE_ERROR_CORRUPT, "num_attention_heads");
	changed("\"vocab_size\":70", "\"vocab_size\":71", MOTE_ERROR_CORRUPT, "71");
	changed("\"rms_norm_eps\":1e-5", "\"rms_norm_eps\":-1", MOTE_ERROR_CORRUPT, "rms_norm_eps");
	changed("\"type\":\"default\"", "\"type\":\"ntk\"", MOTE_ERROR_UNSUPPORTED, "ntk");
	changed("\"type\":\"default\"", "\"type\":\"llama3\"", MOTE_ERROR_CORRUPT, "original_max_position_embeddings");
	changed("\"theta\":10000", "\"theta\":0", MOTE_ERROR_CORRUPT, "theta");
	changed("\"eos\":[2,5]", "\"eos\":2", MOTE_ERROR_CORRUPT, "tokens.eos");
	changed("\"eos\":[2,5]", "\"eos\":[-2]", MOTE_ERROR_CORRUPT, "tokens.eos");
	changed("\"eos\":[2,5]", "\"eos\":[1,2,3,4,5,6,7,8,9]", MOTE_ERROR_UNSUPPORTED, "tokens.eos");
	changed("\"bos\":1", "\"bos\":1.5", MOTE_ERROR_CORRUPT, "tokens.bos");
	changed("\"tie_word_embeddings\":false", "\"tie_word_embeddings\":true", MOTE_ERROR_CORRUPT, "lm_head.weight");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_tensors),
		cmocka_unit_test(test_config),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
