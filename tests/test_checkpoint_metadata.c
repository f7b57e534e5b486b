/* What a conversion makes of the small files beside the weights: vocabulary, token ids, templates, settings; and each
 * of them missing or wrong. */
#include "tests/checkpoint_place.h"

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

/* A class that builds the post-processor itself takes the tokens from whichever file names them, or its own. */
static void test_added_around(void **state)
{
	static const struct {
		const char *config, *map;
		bool bos, eos;
	} cases[] = {
		{"{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true}", "{}", true, false},
		{"{\"tokenizer_class\":\"LlamaTokenizer\",\"add_eos_token\":true}", "{}", true, true},
		{"{\"tokenizer_class\":\"GPTNeoXTokenizerFast\",\"add_bos_token\":true}", "{}", false, false},
		{ "{\"tokenizer_class\":\"GPTNeoXTokenizerFast\",\"add_eos_token\":true}", "{\"eos_token\":\"</s>\"}",
		  false, true },
		{ "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true}", "{\"bos_token\":\"<s>\"}",
		  false, false },
	};
	struct place *p = *state;
	struct mote_container *c;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tiny_write_text(p->in, "tokenizer_config.json", cases[i].config);
		tiny_write_text(p->in, "special_tokens_map.json", cases[i].map);
		c = convert_and_open(p, &keep);
		if (cJSON_IsTrue(metadata_of(c, "tokens", "add_bos")) != cases[i].bos ||
		    cJSON_IsTrue(metadata_of(c, "tokens", "add_eos")) != cases[i].eos)
			fail_msg("%s", cases[i].config);
		mote_container_close(c);
		remove(p->file);
	}
	tiny_free(&t);
}

/* Tokens that only the oldest files have, while tokenizer_config.json says nothing of added ones. */
static void test_oldest_added(void **state)
{
	struct place *p = *state;
	struct mote_container *c;
	const cJSON *special;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "added_tokens.json", "{\"<x>\":30,\"<y>\":31,\"</s>\":9}");
	tiny_write_text(p->in, "special_tokens_map.json", "{\"additional_special_tokens\":[\"<x>\"],"
			"\"mask_token\":{\"content\":\"ab\"}}");
	c = convert_and_open(p, &keep);
	special = metadata_of(c, "tokens", "special");
	assert_int_equal(mote_json_get(special, "<x>")->valuedouble, 30);
	assert_int_equal(mote_json_get(special, "</s>")->valuedouble, 2);
	assert_int_equal(mote_json_get(special, "ab")->valuedouble, 6);
	assert_null(mote_json_get(special, "<y>"));
	mote_container_close(c);
	remove(p->file);
	tiny_write_text(p->in, "added_tokens.json", "{\"<x>\":\"30\"}");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "added_tokens.json: \"<x>\": expected an id");
	tiny_write_text(p->in, "tokenizer_config.json", "{\"added_tokens_decoder\":{}}");
	c = convert_and_open(p, &keep);
	assert_null(mote_json_get(metadata_of(c, "tokens", "special"), "<x>"));
	mote_container_close(c);
	remove(p->file);
	tiny_write_text(p->in, "tokenizer_config.json", "{\"split_special_tokens\":true}");
	refuse(p, &keep, MOTE_ERROR_UNSUPPORTED, "split_special_tokens");
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
	tiny_write_text(p->in, "chat_template.json", "{\"chat_template\":\"a processor's\"}");
	c = convert_and_open(p, &options);
	assert_string_equal(template_of(c, 0, "default"), "a processor's");
	mote_container_close(c);

	tiny_write_text(p->in, "tokenizer_config.json", "{\"chat_template\":\"one\\ntwo\"}");
	c = convert_and_open(p, &options);
	assert_int_equal(cJSON_GetArraySize(metadata_of(c, "chat_templates", NULL)), 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small_files), TEST(test_vocabulary), TEST(test_left_out),
		TEST(test_metadata), TEST(test_added_around), TEST(test_oldest_added),
		TEST(test_templates), TEST(test_vocab_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
