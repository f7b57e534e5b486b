/* The whole conversion over tiny checkpoints: what is converted comes back bit for bit, what is wrong is refused by
 * name, and no failure leaves a file. */
#include "format/half.h"
#include "tests/checkpoint_place.h"

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

static float in_type(enum mote_type type, float x)
{
	return type == MOTE_F16 ? mote_f32_from_f16(mote_f16_from_f32(x)) :
	       type == MOTE_BF16 ? mote_f32_from_bf16(mote_bf16_from_f32(x)) : x;
}

/* Every tensor of the container is the checkpoint's, in this type (0: the checkpoint's own). */
static void compare(const struct mote_container *c, struct tiny *t, int type)
{
	float row[64];

	assert_int_equal(mote_container_tensor_count(c), t->tensors);
	for (uint32_t i = 0; i < t->tensors; i++) {
		const struct tiny_tensor *x = &t->tensor[i];
		const struct mote_tensor *y = mote_container_find(c, x->name);

		assert_non_null(y);
		assert_int_equal(y->rows, x->rows);
		assert_int_equal(y->rank, x->cols ? 2 : 1);
		assert_int_equal(y->type, y->rank == 1 ? MOTE_F32 : type ? type : strcmp(x->dtype, "F32") == 0
				 ? MOTE_F32 :
								  strcmp(x->dtype, "F16") == 0 ? MOTE_F16 : MOTE_BF16);
		for (uint32_t r = 0; r < x->rows; r++) {
			if (y->rank == 1)
				row[0] = y->vector[r];
			else
				mote_matrix_decode_row(&y->matrix, r, row);
			for (uint32_t j = 0; j < y->cols; j++)
				assert_int_equal(mote_f32_bits(row[j]),
						 mote_f32_bits(in_type(y->type, element(x, (size_t)r * y->cols + j))));
		}
	}
}

static void test_round_trip(void **state)
{
	static const char *const dtypes[3] = {"F32", "F16", "BF16"};
	static const enum mote_type types[3] = {MOTE_F32, MOTE_F16, MOTE_BF16};
	struct place *p = *state;

	for (int from = 0; from < 3; from++)
		for (int to = 0; to < 4; to++) {
			struct mote_checkpoint_options options = {.tool = "test", .force = true, .keep_types = to == 3};
			struct mote_container *c;
			struct tiny t;

			if (to < 3)
				options.type = types[to];
			tiny_init(&t, dtypes[from]);
			tiny_save(&t, p->in);
			c = convert_and_open(p, &options);
			compare(c, &t, to == 3 ? 0 : (int)types[to]);
			mote_container_close(c);
			tiny_free(&t);
		}
}

static void test_forward_order(void **state)
{
	static const char *const order[] = { "model.embed_tokens.weight",
					     "model.layers.0.input_layernorm.weight",
					     "model.layers.0.self_attn.q_proj.weight",
					     "model.layers.0.self_attn.k_proj.weight",
					     "model.layers.0.self_attn.v_proj.weight",
					     "model.layers.0.self_attn.o_proj.weight",
					     "model.layers.0.post_attention_layernorm.weight",
					     "model.layers.0.mlp.gate_proj.weight",
					     "model.layers.0.mlp.up_proj.weight",
					     "model.layers.0.mlp.down_proj.weight",
					     "model.layers.1.input_layernorm.weight" };
	struct place *p = *state;
	struct mote_container *c;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	c = convert_and_open(p, &keep);
	for (uint32_t i = 0; i < sizeof order / sizeof *order; i++)
		assert_string_equal(mote_container_tensor(c, i)->name, order[i]);
	assert_string_equal(mote_container_tensor(c, t.tensors - 1)->name, "model.norm.weight");
	mote_container_close(c);
	tiny_free(&t);
}

static void read_bytes(const char *path, uint8_t *bytes, size_t room, size_t *size)
{
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	*size = fread(bytes, 1, room, file);
	assert_true(*size < room);
	fclose(file);
}

static void test_same_bytes(void **state)
{
	static uint8_t first[1 << 18], second[1 << 18];
	struct mote_checkpoint_options options = keep;
	struct place *p = *state;
	struct mote_error error;
	size_t n_first, n_second;
	struct tiny t;

	options.force = true;
	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	assert_int_equal(convert(p, &options, &error), MOTE_OK);
	read_bytes(p->file, first, sizeof first, &n_first);
	for (int i = 0; i < 2; i++) {
		options.one_thread = i == 1;
		assert_int_equal(convert(p, &options, &error), MOTE_OK);
		read_bytes(p->file, second, sizeof second, &n_second);
		assert_int_equal(n_first, n_second);
		assert_memory_equal(first, second, n_first);
	}
	tiny_free(&t);
}

static void test_shards(void **state)
{
	struct place *p = *state;
	struct mote_container *c;
	char path[256];
	struct tiny t;

	tiny_init(&t, "BF16");
	t.shards = 3;
	tiny_save(&t, p->in);
	c = convert_and_open(p, &keep);
	compare(c, &t, 0);
	mote_container_close(c);
	remove(p->file);

	/* a tensor of the index that its shard lacks; one that the index does not list */
	tiny_write_shard(&t, 1, p->in, "model-00001-of-00003.safetensors");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "again in");
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "model.safetensors.index.json",
			"{\"weight_map\":{\"model.norm.weight\":\"model-00001-of-00003.safetensors\"}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "does not list tensor \"model.embed_tokens.weight\", which "
	       "model-00001-of-00003");
	tiny_write_text(p->in, "model.safetensors.index.json",
			"{\"weight_map\":{\"model.embed_tokens.weight\":\"model-00001-of-00003.safetensors\"}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.layers.0.input_layernorm.weight\" [24] is missing");

	tiny_write_text(p->in, "model.safetensors.index.json", "{\"weight_map\":{\"x\":\"../in/model.safetensors\"}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "refused");
	tiny_write_text(p->in, "model.safetensors.index.json", "{\"weight_map\":{\"x\":\"..\"}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "refused");
	tiny_write_text(p->in, "model.safetensors.index.json", "{\"weight_map\":{\"x\":7}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"x\"");
	tiny_write_text(p->in, "model.safetensors.index.json", "{\"weight_map\":{}}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "weight_map");

	tiny_save(&t, p->in);
	snprintf(path, sizeof path, "%s/model-00002-of-00003.safetensors", p->in);
	remove(path);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "model-00002-of-00003.safetensors is missing");
	tiny_free(&t);
}

static void test_truncated(void **state)
{
	static uint8_t bytes[1 << 17];
	struct place *p = *state;
	char path[256];
	size_t size;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	snprintf(path, sizeof path, "%s/model.safetensors", p->in);
	read_bytes(path, bytes, sizeof bytes, &size);
	for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 997) {
		tiny_write(p->in, "model.safetensors", bytes, cut);
		refuse(p, &keep, MOTE_ERROR_CORRUPT, "model.safetensors");
	}
	tiny_write(p->in, "model.safetensors", bytes, size + 1);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "follow the last tensor");
	tiny_free(&t);
}

static void test_tensors_do_not_match(void **state)
{
	struct place *p = *state;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_remove(&t, "model.layers.1.mlp.up_proj.weight");
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.layers.1.mlp.up_proj.weight\" [20, 24] is missing");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	tiny_add(&t, "model.layers.0.self_attn.q_proj.bias", 30, 0, "BF16");
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.layers.0.self_attn.q_proj.bias\" [30] is superfluous");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	tiny_find(&t, "model.layers.0.mlp.down_proj.weight")->rows = 20;
	tiny_find(&t, "model.layers.0.mlp.down_proj.weight")->cols = 24;
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "shape [20, 24], but config.json calls for [24, 20]");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	tiny_remove(&t, "model.norm.weight");
	tiny_add(&t, "model.norm.weight", TINY_HIDDEN, 1, "BF16"); /* the size is right, the rank is not */
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "shape [24, 1], but config.json calls for [24]");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	tiny_remove(&t, "model.layers.0.self_attn.v_proj.weight");
	tiny_add(&t, "model.layers.0.self_attn.v_proj.weight", 10, 24, "I8");
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_UNSUPPORTED, "\"model.layers.0.self_attn.v_proj.weight\": dtype I8");
	tiny_free(&t);
}

static void test_head_and_rotary_tables(void **state)
{
	struct place *p = *state;
	struct mote_container *c;
	struct tiny_tensor *head;
	char config[1024];
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_add(&t, "model.layers.0.self_attn.rotary_emb.inv_freq", 5, 0, "F32");
	tiny_save(&t, p->in);
	c = convert_and_open(p, &keep);
	assert_null(mote_container_find(c, "model.layers.0.self_attn.rotary_emb.inv_freq"));
	mote_container_close(c);
	remove(p->file);

	/* tied, and the head is there: fine when it is the embedding */
	tiny_add(&t, "lm_head.weight", TINY_VOCAB, TINY_HIDDEN, "BF16");
	head = tiny_find(&t, "lm_head.weight");
	memcpy(head->data, t.tensor[0].data, head->bytes);
	tiny_save(&t, p->in);
	c = convert_and_open(p, &keep);
	assert_null(mote_container_find(c, "lm_head.weight"));
	mote_container_close(c);
	remove(p->file);
	head->data[head->bytes - 1] ^= 1;
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"lm_head.weight\" differs");

	/* not tied: it is a tensor of its own, the last */
	snprintf(config, sizeof config, "%s", tiny_config);
	memcpy(strstr(config, "true"), "null", 4);
	tiny_write_text(p->in, "config.json", config);
	c = convert_and_open(p, &keep);
	assert_string_equal(mote_container_tensor(c, mote_container_tensor_count(c) - 1)->name, "lm_head.weight");
	mote_container_close(c);
	remove(p->file);
	tiny_remove(&t, "lm_head.weight");
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "config.json", config);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"lm_head.weight\" [37, 24] is missing");
	tiny_free(&t);
}

static void test_bad_values(void **state)
{
	static const uint8_t nan[2] = {0xc1, 0x7f}, infinity[2] = {0x80, 0xff}, large[2] = {0x80, 0x47};
	const struct mote_checkpoint_options to_f16 = {.tool = "test", .type = MOTE_F16};
	struct place *p = *state;
	struct mote_container *c;
	struct tiny t;

	tiny_init(&t, "BF16");
	memcpy(tiny_find(&t, "model.embed_tokens.weight")->data + 2 * (36 * 24 + 23), nan, 2);
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.embed_tokens.weight\": element 887 (row 36, column 23) is NaN");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	memcpy(tiny_find(&t, "model.layers.1.input_layernorm.weight")->data + 2 * 7, infinity, 2);
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.layers.1.input_layernorm.weight\": element 7 is infinite");
	tiny_free(&t);

	tiny_init(&t, "BF16");
	memcpy(tiny_find(&t, "model.layers.1.mlp.gate_proj.weight")->data, large, 2); /* 65536 */
	tiny_save(&t, p->in);
	refuse(p, &to_f16, MOTE_ERROR_UNSUPPORTED, "\"model.layers.1.mlp.gate_proj.weight\": element 0 (row 0, column "
	       "0) is 65536");
	c = convert_and_open(p, &keep);
	compare(c, &t, 0);
	mote_container_close(c);
	tiny_free(&t);
}

/* Each file of the directory, missing or wrong. */
static void test_small_files(void **state)
{
	static const struct {
		const char *file, *content, *message; /* content NULL: the file is removed */
		enum mote_status code;
	} cases[] = {
		{"config.json", NULL, "config.json is missing", MOTE_ERROR_CORRUPT},
		{"config.json", "{\"hidden_size\":24,}", "config.json: line 1", MOTE_ERROR_CORRUPT},
		{"config.json", "[]", "config.json: expected an object", MOTE_ERROR_CORRUPT},
		{"config.json", "{\"architectures\":[\"MixtralForCausalLM\"]}", "MixtralForCausalLM",
		 MOTE_ERROR_UNSUPPORTED},
		{"generation_config.json", "{\"eos_token_id\":}", "generation_config.json: line 1", MOTE_ERROR_CORRUPT},
		{"tokenizer.json", NULL, "tokenizer.json is missing", MOTE_ERROR_CORRUPT},
		{"tokenizer.json", "{", "tokenizer.json", MOTE_ERROR_CORRUPT},
		{"tokenizer_config.json", "{\"chat_template\":1}", "chat_template", MOTE_ERROR_CORRUPT},
		{"tokenizer_config.json", "{\"bos_token\":1}", "bos_token", MOTE_ERROR_CORRUPT},
		{"tokenizer_config.json", "nonsense", "tokenizer_config.json: line 1", MOTE_ERROR_CORRUPT},
		{ "tokenizer_config.json", "{\"chat_template\":[{\"name\":\"a\",\"template\":\"\"},{\"name\":\"a\","
		  "\"template\":\"\"}]}", "two chat templates \"a\"", MOTE_ERROR_CORRUPT },
		{"special_tokens_map.json", "{\"a\":\"\\ud800\"}", "special_tokens_map.json", MOTE_ERROR_CORRUPT},
		{"chat_template.jinja", "\xff", "chat_template.jinja: not UTF-8", MOTE_ERROR_CORRUPT},
		{"model.safetensors", NULL, "neither model.safetensors", MOTE_ERROR_CORRUPT},
	};
	struct place *p = *state;
	char path[256];
	struct tiny t;

	tiny_init(&t, "BF16");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tiny_save(&t, p->in);
		snprintf(path, sizeof path, "%s/%s", p->in, cases[i].file);
		if (cases[i].content)
			tiny_write_text(p->in, cases[i].file, cases[i].content);
		else
			remove(path);
		refuse(p, &keep, cases[i].code, cases[i].message);
		remove(path);
	}
	tiny_free(&t);
}

static void save_tokenizer_with(const struct place *p, const char *old, const char *new)
{
	char text[4096];
	const char *at = strstr(tiny_tokenizer, old);

	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - tiny_tokenizer), tiny_tokenizer, new, at + strlen(old));
	tiny_write_text(p->in, "tokenizer.json", text);
}

static void test_vocabulary(void **state)
{
	struct place *p = *state;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	save_tokenizer_with(p, "\"ab\":6", "\"ab\":5"); /* two have id 5 */
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "5");
	save_tokenizer_with(p, "\"ab\":6", "\"ab\":37"); /* a token of the vocabulary proper beyond the model */
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "ids up to 37");
	tiny_free(&t);
}

/* Added tokens, and ids of bos, eos and pad, for which the model (of 37 rows) has none: left out with a note each. */
static void test_left_out(void **state)
{
	static const char *const notes[] = {
		"tokenizer.json: added token \"<x>\" has id 37, the model has rows for the ids 0 to 36: left out",
		"bos_token_id 99: the model has rows for the ids 0 to 36: left out",
		"eos_token_id 37: the model has rows for the ids 0 to 36: left out",
		"pad_token_id 37: the model has rows for the ids 0 to 36: left out",
	};
	struct mote_checkpoint_report report;
	struct place *p = *state;
	struct mote_error error = {0};
	struct mote_container *c;
	const cJSON *tokens;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	save_tokenizer_with(p, "\"id\":2,\"content\":\"</s>\"", "\"id\":37,\"content\":\"<x>\"");
	tiny_write_text(p->in, "generation_config.json",
			"{\"bos_token_id\":99,\"eos_token_id\":[37,2],\"pad_token_id\":37}");
	if (mote_checkpoint_convert(p->in, p->file, &keep, &report, &error) || mote_container_open(p->file, &c, &error))
		fail_msg("%s", error.message);
	assert_int_equal(report.notes.notes, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_string_equal(report.notes.note[i], notes[i]);
	tokens = mote_json_get(mote_container_metadata(c), "tokens");
	assert_int_equal(cJSON_GetArraySize(mote_json_get(tokens, "eos")), 1);
	assert_int_equal(mote_json_get(tokens, "eos")->child->valueint, 2);
	assert_true(cJSON_IsNull(mote_json_get(tokens, "pad")));
	mote_container_close(c);
	mote_notes_free(&report.notes);
	tiny_free(&t);
}

static const cJSON *metadata_of(const struct mote_container *c, const char *first, const char *second)
{
	const cJSON *item = mote_json_get(mote_container_metadata(c), first);

	return second ? mote_json_get(item, second) : item;
}

static void test_metadata(void **state)
{
	struct place *p = *state;
	struct mote_container *c;
	const cJSON *item;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "generation_config.json",
			"{\"_from_model_config\":true,\"pad_token_id\":37,\"eos_token_id\":[2,0],\"temperature\":0.6,"
			"\"top_p\":0.95,\"do_sample\":true,\"transformers_version\":\"4.56.2\"}");
	tiny_write_text(p->in, "tokenizer_config.json",
			"{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},\"pad_token\":null}");
	tiny_write_text(p->in, "special_tokens_map.json", "{\"unk_token\":\"<|end|>\"}");
	c = convert_and_open(p, &keep);
	assert_string_equal(metadata_of(c, "format", NULL)->valuestring, "mote");
	assert_string_equal(metadata_of(c, "architecture", NULL)->valuestring, "llama");
	assert_int_equal(metadata_of(c, "model", "head_dim")->valuedouble, 10);
	assert_true(metadata_of(c, "model", "rms_norm_eps")->valuedouble == 1e-5);
	assert_true(cJSON_IsTrue(metadata_of(c, "model", "tie_word_embeddings")));
	assert_string_equal(mote_json_get(metadata_of(c, "model", "rope"), "type")->valuestring, "default");
	assert_int_equal(metadata_of(c, "tokens", "bos")->valuedouble, 1);
	item = metadata_of(c, "tokens", "eos");
	assert_int_equal(cJSON_GetArraySize(item), 2);
	assert_int_equal(item->child->valuedouble, 2);
	assert_true(cJSON_IsNull(metadata_of(c, "tokens", "pad")));
	assert_string_equal(metadata_of(c, "tokens", "bos_text")->valuestring, "<s>");
	assert_string_equal(metadata_of(c, "tokens", "eos_text")->valuestring, "</s>");
	assert_string_equal(metadata_of(c, "tokens", "unk_text")->valuestring, "<|end|>");
	assert_null(metadata_of(c, "tokens", "pad_text"));
	assert_int_equal(mote_json_get(metadata_of(c, "tokens", "special"), "</s>")->valuedouble, 2);
	assert_true(cJSON_IsFalse(metadata_of(c, "tokens", "add_bos")));
	assert_true(metadata_of(c, "generation", "temperature")->valuedouble == 0.6);
	assert_true(cJSON_IsTrue(metadata_of(c, "generation", "do_sample")));
	assert_null(metadata_of(c, "generation", "eos_token_id"));
	assert_null(metadata_of(c, "generation", "transformers_version"));
	item = metadata_of(c, "lineage", NULL)->child;
	assert_string_equal(mote_json_get(item, "step")->valuestring, "convert");
	assert_string_equal(mote_json_get(item, "dtype")->valuestring, "keep");
	item = mote_json_get(item, "source");
	assert_int_equal(cJSON_GetArraySize(item), 6);
	cJSON_ArrayForEach(item, item)
		assert_int_equal(strlen(mote_json_get(item, "xxh3")->valuestring), 32);
	mote_container_close(c);
	tiny_free(&t);
}

static const char *template_of(const struct mote_container *c, int index, const char *name)
{
	const cJSON *item = cJSON_GetArrayItem(metadata_of(c, "chat_templates", NULL), index);

	assert_string_equal(mote_json_get(item, "name")->valuestring, name);
	return mote_json_get(item, "template")->valuestring;
}

static void test_templates(void **state)
{
	struct mote_checkpoint_options options = keep;
	struct place *p = *state;
	struct mote_container *c;
	char extra[256];
	struct tiny t;

	options.force = true;
	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "tokenizer_config.json", "{\"chat_template\":\"one\\ntwo\"}");
	c = convert_and_open(p, &options);
	assert_string_equal(template_of(c, 0, "default"), "one\ntwo");
	mote_container_close(c);

	tiny_write_text(p->in, "tokenizer_config.json",
			"{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"default\","
			"\"template\":\"D\"}]}");
	c = convert_and_open(p, &options);
	assert_string_equal(template_of(c, 0, "default"), "D");
	assert_string_equal(template_of(c, 1, "tool_use"), "T");
	mote_container_close(c);

	/* files win over tokenizer_config.json altogether, and are read in text mode */
	tiny_write_text(p->in, "chat_template.jinja", "a\r\nb\rc\n");
	c = convert_and_open(p, &options);
	assert_int_equal(cJSON_GetArraySize(metadata_of(c, "chat_templates", NULL)), 1);
	assert_string_equal(template_of(c, 0, "default"), "a\nb\nc\n");
	mote_container_close(c);

	snprintf(extra, sizeof extra, "%s/additional_chat_templates", p->in);
	assert_int_equal(mkdir(extra, 0700), 0);
	tiny_write_text(extra, "tool_use.jinja", "files' T");
	tiny_write_text(extra, "rag.jinja", "R");
	tiny_write_text(extra, "README.md", "no template");
	c = convert_and_open(p, &options);
	assert_int_equal(cJSON_GetArraySize(metadata_of(c, "chat_templates", NULL)), 3);
	assert_string_equal(template_of(c, 1, "rag"), "R");
	assert_string_equal(template_of(c, 2, "tool_use"), "files' T");
	mote_container_close(c);
	tiny_free(&t);
}

static void test_vocab_only(void **state)
{
	struct mote_checkpoint_options options = {.tool = "test", .vocab_only = true};
	struct mote_checkpoint_report report;
	struct mote_error error = {0};
	struct place *p = *state;
	struct mote_container *c;

	tiny_write_text(p->in, "tokenizer.json", tiny_tokenizer);
	tiny_write_text(p->in, "chat_template.jinja", "T");
	c = convert_and_open(p, &options);
	assert_int_equal(mote_container_tensor_count(c), 0);
	assert_null(metadata_of(c, "model", NULL));
	assert_string_equal(template_of(c, 0, "default"), "T");
	mote_container_close(c);
	remove(p->file);
	assert_int_equal(mote_checkpoint_convert(p->in, p->file, &options, &report, &error), MOTE_OK);
	assert_int_equal(report.tokenizer.vocab_size, 7);
	assert_int_equal(report.tokenizer.n_inexpressible, 240); /* all of UTF-8 but a, b, c */
	assert_int_equal(report.tensors, 0);
	remove(p->file);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "config.json is missing");
}

struct countdown {
	unsigned calls;
};

static bool count_down(void *user, uint64_t done, uint64_t total)
{
	struct countdown *c = user;

	assert_true(done <= total);
	return c->calls-- > 0;
}

static void test_interrupted(void **state)
{
	struct place *p = *state;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	for (unsigned calls = 0; calls < t.tensors; calls++) {
		struct countdown left = {calls};
		struct mote_checkpoint_options options = keep;

		options.progress = (struct mote_progress){.update = count_down, .user = &left};
		refuse(p, &options, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	tiny_free(&t);
}

static void test_output(void **state)
{
	struct mote_checkpoint_options options = keep;
	struct place *p = *state;
	struct mote_error error;
	uint8_t bytes[16];
	size_t size;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	tiny_write_text(p->out, "m.mote", "mine");
	assert_int_equal(convert(p, &keep, &error), MOTE_ERROR_ARGUMENT);
	/* with force, a conversion that fails leaves the old file */
	options.force = true;
	tiny_remove(&t, "model.norm.weight");
	tiny_save(&t, p->in);
	assert_int_equal(convert(p, &options, &error), MOTE_ERROR_CORRUPT);
	assert_int_equal(files_in(p->out), 1);
	read_bytes(p->file, bytes, sizeof bytes, &size);
	assert_int_equal(size, 4);
	snprintf(p->in, sizeof p->in, "%s/nowhere", p->root);
	assert_int_equal(convert(p, &options, &error), MOTE_ERROR_IO);
	tiny_free(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static bool stop_when_all_is_read(void *user, uint64_t done, uint64_t total)
{
	int *calls = user;

	*calls += done == total;
	return *calls < 2;
}

/* Whoever asks to stop behind the last tensor is heard before the file gets its name. */
static void test_stops_at_the_last_moment(void **state)
{
	int calls = 0;
	const struct mote_checkpoint_options options = { .tool = "test", .type = MOTE_BF16,
							 .progress = {stop_when_all_is_read, &calls} };
	struct mote_checkpoint_report report;
	char output[] = "/tmp/test_checkpoint_late_XXXXXX";

	(void)state;
	close(mkstemp(output));
	unlink(output);
	assert_int_equal(mote_checkpoint_convert("tests/fixtures/adder", output, &options, &report, NULL),
			 MOTE_ERROR_INTERRUPTED);
	assert_int_equal(calls, 2);
	assert_int_not_equal(access(output, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),	 TEST(test_forward_order), TEST(test_same_bytes),
		TEST(test_shards),	 TEST(test_truncated),	   TEST(test_tensors_do_not_match),
		TEST(test_head_and_rotary_tables), TEST(test_bad_values), TEST(test_small_files),
		TEST(test_vocabulary),	 TEST(test_left_out),	 TEST(test_metadata),	   TEST(test_templates),
		TEST(test_vocab_only),	 TEST(test_interrupted),   TEST(test_output),
		cmocka_unit_test(test_stops_at_the_last_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
