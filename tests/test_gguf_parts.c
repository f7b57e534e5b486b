/* GGUF files of several parts, values of every kind, and what a file may say about its vocabulary and its RoPE. */
#include "tests/checkpoint_place.h"

#include "convert/gguf/gguf_read.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "tests/tiny_gguf.h"

static struct tiny_gguf more; /* key-values, and how many, that build() puts behind the usual ones */
static uint64_t mores;

static void put_integer(struct tiny_gguf *g, const char *key, uint32_t kind, uint64_t x)
{
	static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

	tiny_put_text(g, key);
	tiny_put32(g, kind);
	tiny_put(g, &x, bytes[kind]);
}

static struct tiny_gguf *begin_more(uint64_t count)
{
	more.size = 0;
	mores = count;
	return &more;
}

/* Tensors first to end - 1 of the model, with all of its key-values or, in a further part, only `more`. */
static void build(struct tiny_gguf *g, const struct tiny *t, bool values, uint32_t first, uint32_t end)
{
	uint64_t at = 0;
	char name[64];

	g->size = 0;
	tiny_put_header(g, 3, end - first, (values ? TINY_GGUF_VALUES : 0) + mores);
	if (values)
		tiny_put_values(g);
	tiny_put(g, more.bytes, more.size);
	for (uint32_t i = first; i < end; i++) {
		const struct tiny_tensor *x = &t->tensor[i];

		tiny_put_tensor(g, strcmp(x->name, "rope") ? tiny_gguf_name(x->name, name) : "rope_freqs.weight",
				x->rows, x->cols, 0, at);
		at += (x->bytes + 31) / 32 * 32;
	}
	for (uint32_t i = first; i < end; i++) {
		tiny_pad(g);
		tiny_put_rows(g, &t->tensor[i]);
	}
	tiny_pad(g);
}

static struct place named(const struct place *p, const char *name)
{
	struct place other = *p;

	snprintf(other.in, sizeof other.in, "%.60s/in/%.60s", p->root, name);
	return other;
}

static void write_part(const struct place *p, const struct tiny *t, const char *name, uint32_t no, uint32_t count,
		       uint32_t first, uint32_t end)
{
	static struct tiny_gguf g;

	begin_more(2);
	put_integer(&more, "split.no", 2, no);
	put_integer(&more, "split.count", 2, count);
	build(&g, t, no == 0, first, end);
	tiny_write(p->in, name, g.bytes, g.size);
}

static void test_parts(void **state)
{
	static const char first[] = "m-00001-of-00002.gguf", second[] = "m-00002-of-00002.gguf";
	struct place *p = *state, one = named(p, "m.gguf"), two = named(p, first);
	static struct tiny_gguf g;
	struct mote_hash128 hash[2];
	struct mote_container *c;
	uint32_t half;
	struct tiny t;

	tiny_init(&t, "F32");
	half = t.tensors / 2;
	begin_more(0);
	build(&g, &t, true, 0, t.tensors);
	tiny_write(p->in, "m.gguf", g.bytes, g.size);
	write_part(p, &t, first, 0, 2, 0, half);
	write_part(p, &t, second, 1, 2, half, t.tensors);
	for (int i = 0; i < 2; i++) {
		c = convert_and_open(i ? &two : &one, &keep);
		hash[i] = mote_container_tensors_hash(c);
		mote_container_close(c);
		remove(p->file);
	}
	assert_memory_equal(&hash[0], &hash[1], sizeof *hash);

	one = named(p, second);
	refuse(&one, &keep, MOTE_ERROR_UNSUPPORTED, "is part 2 of 2 of a split model: give the first "
	       "(-00001-of-00002.gguf)");
	write_part(p, &t, second, 2, 2, half, t.tensors);
	refuse(&two, &keep, MOTE_ERROR_CORRUPT, "m-00002-of-00002.gguf: it is part 3 of 2 by its own count");
	write_part(p, &t, second, 1, 3, half, t.tensors);
	refuse(&two, &keep, MOTE_ERROR_CORRUPT, "it is part 2 of 3 by its own count");
	write_part(p, &t, second, 1, 2, half - 1, t.tensors);
	refuse(&two, &keep, MOTE_ERROR_CORRUPT, "is in two parts");
	write_part(p, &t, second, 1, 2, half, t.tensors - 1);
	refuse(&two, &keep, MOTE_ERROR_CORRUPT, "is missing");
	write_part(p, &t, second, 1, 2, half, t.tensors);
	write_part(p, &t, "m.gguf", 0, 2, 0, half);
	one = named(p, "m.gguf");
	refuse(&one, &keep, MOTE_ERROR_CORRUPT, "is the first of 2 parts; its name does not end in "
	       "\"-00001-of-00002.gguf\"");
	write_part(p, &t, first, 0, UINT16_MAX, 0, half);
	refuse(&two, &keep, MOTE_ERROR_LIMIT, "65535 parts; at most");
	write_part(p, &t, "n-00001-of-00003.gguf", 0, 3, 0, half);
	one = named(p, "n-00001-of-00003.gguf");
	refuse(&one, &keep, MOTE_ERROR_CORRUPT, "n-00002-of-00003.gguf is missing");
	tiny_free(&t);
}

/* The key-values of `more` alone. */
static struct mote_gguf read_values(void)
{
	static struct tiny_gguf g;
	struct mote_error error = {0};
	struct mote_gguf out = {0};
	uint32_t part, parts;
	bool cut;

	g.size = 0;
	tiny_put_header(&g, 3, 0, mores);
	tiny_put(&g, more.bytes, more.size);
	if (mote_gguf_parse(g.bytes, g.size, g.size, "test", &out, &cut, &part, &parts, &error))
		fail_msg("%s", error.message);
	return out;
}

static void test_kinds(void **state)
{
	static const struct {
		uint32_t kind;
		uint64_t given;
		int64_t value; /* -1: refused */
	} integers[] = {
		{0, 200, 200}, {1, 100, 100}, {1, 0x9c, -1}, {2, 65535, 65535}, {3, 300, 300}, {3, 0x8000, -1},
		{4, UINT32_MAX, UINT32_MAX}, {5, 7, 7}, {5, 0x80000000u, -1}, {10, UINT32_MAX, UINT32_MAX},
		{10, (uint64_t)UINT32_MAX + 1, -1}, {10, UINT64_MAX, -1}, {11, 9, 9}, {11, UINT64_MAX, -1}, {7, 1, -1},
		{6, 0, -1}, {12, 0, -1},
	};
	static const double doubles[] = {0.25, -1e299, 1e301, -1e301};
	const struct mote_gguf_value *array;
	struct mote_error error;
	struct mote_gguf_text text;
	struct mote_gguf g;
	uint32_t value;
	double real;
	bool flag;

	(void)state;
	for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
		enum mote_status status;

		put_integer(begin_more(1), "k", integers[i].kind, integers[i].given);
		g = read_values();
		status = mote_gguf_want_u32(&g, "k", 3, &value, &error);
		assert_int_equal(status, integers[i].value < 0 ? MOTE_ERROR_CORRUPT : MOTE_OK);
		assert_int_equal(value, integers[i].value < 0 ? 3 : integers[i].value);
		status = mote_gguf_want_bool(&g, "k", true, &flag, &error);
		assert_int_equal(status, integers[i].kind == 7 ? MOTE_OK : MOTE_ERROR_CORRUPT);
		mote_gguf_close(&g);
	}
	for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
		uint64_t bits;

		error = (struct mote_error){0};
		memcpy(&bits, &doubles[i], 8);
		put_integer(begin_more(1), "k", 12, bits);
		g = read_values();
		assert_int_equal(mote_gguf_want_double(&g, "k", 2, &real, &error),
				 i < 2 ? MOTE_OK : MOTE_ERROR_CORRUPT);
		assert_true(i >= 2 || real == doubles[i]);
		assert_true(i < 2 || strstr(error.message, "\"k\": expected a finite number"));
		mote_gguf_close(&g);
	}
	tiny_put_u32(begin_more(1), "k", 5);
	g = read_values();
	error = (struct mote_error){0};
	assert_int_equal(mote_gguf_want_text(&g, "k", &text, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "\"k\": expected a string"));
	error = (struct mote_error){0};
	assert_int_equal(mote_gguf_want_double(&g, "k", 2, &real, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "\"k\": expected a floating-point number"));
	error = (struct mote_error){0};
	assert_int_equal(mote_gguf_want_array(&g, "k", MOTE_GGUF_UINT32, &array, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "\"k\": expected an array of type 4"));
	assert_null(array);
	mote_gguf_close(&g);
}

/* What is put before and behind a text: ids of begin and end, each if the file says so. */
static void test_processor(void **state)
{
	static const char *const expected[4] = {
		"null",
		"[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]",
		"[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}]",
		"[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
		"{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}]",
	};
	static const char *const specials[4] = {"", "<s>:[1]", "</s>:[2]", "<s>:[1]</s>:[2]"};

	(void)state;
	for (unsigned adds = 0; adds < 4; adds++) {
		struct mote_gguf_vocabulary v;
		struct mote_error error = {0};
		char listed[128] = "", *json, *single;
		const cJSON *post, *item;
		struct mote_gguf g;
		size_t bytes;
		cJSON *tree;

		begin_more(TINY_GGUF_VALUES + 2);
		tiny_put_values(&more);
		put_integer(&more, "tokenizer.ggml.add_bos_token", 7, adds & 1);
		put_integer(&more, "tokenizer.ggml.add_eos_token", 7, adds >> 1);
		g = read_values();
		g.name = strdup("test");
		assert_int_equal(mote_gguf_vocabulary_read(&g, &v, &error), MOTE_OK);
		assert_int_equal(mote_gguf_vocabulary_write(&g, &v, &json, &bytes, &error), MOTE_OK);
		tree = cJSON_ParseWithLength(json, bytes);
		assert_non_null(tree);
		post = cJSON_GetObjectItemCaseSensitive(tree, "post_processor");
		single = cJSON_PrintUnformatted(adds ? cJSON_GetObjectItemCaseSensitive(post, "single") : post);
		assert_string_equal(single, expected[adds]);
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(post, "special_tokens"))
			snprintf(listed + strlen(listed), 32, "%s:[%d]", item->string,
				 cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item, "ids"), 0)->valueint);
		assert_string_equal(listed, specials[adds]);
		cJSON_free(single);
		cJSON_Delete(tree);
		free(json);
		mote_gguf_vocabulary_free(&v);
		mote_gguf_close(&g);
	}
}

/* Phi-3's tokens take white space along that stands behind them, but for three; llama.cpp goes by the model's name. */
static void test_strips_right(void **state)
{
	static const struct {
		const char *name;
		bool strips;
	} cases[] = { {"My PHI-3 mini", true}, {"phi3", true}, {"Phi 4", false}, {"\xffphi3", false} };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_vocabulary v;
		struct mote_error error = {0};
		const cJSON *item;
		struct mote_gguf g;
		size_t bytes;
		cJSON *tree;
		char *json;

		begin_more(TINY_GGUF_VALUES + 1);
		tiny_put_values(&more);
		tiny_put_string(&more, "general.name", cases[i].name);
		g = read_values();
		g.name = strdup("test");
		assert_int_equal(mote_gguf_vocabulary_read(&g, &v, &error), MOTE_OK);
		assert_int_equal(mote_gguf_vocabulary_write(&g, &v, &json, &bytes, &error), MOTE_OK);
		tree = cJSON_ParseWithLength(json, bytes);
		assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(tree, "added_tokens")) > 1);
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(tree, "added_tokens"))
			assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "rstrip")),
					 cases[i].strips && strcmp(cJSON_GetObjectItemCaseSensitive(item, "content")
								   ->valuestring, "<s>"));
		cJSON_Delete(tree);
		free(json);
		mote_gguf_vocabulary_free(&v);
		mote_gguf_close(&g);
	}
}

/* A file with `more`, and byte `value` so far behind this text of it. */
static void refuse_changed(struct place *p, const struct tiny *t, const char *behind, size_t offset, uint8_t value,
			   enum mote_status code, const char *message)
{
	struct place file = named(p, "m.gguf");
	static struct tiny_gguf g;

	build(&g, t, true, 0, t->tensors);
	if (behind) {
		uint8_t *at = memmem(g.bytes, g.size, behind, strlen(behind));

		assert_non_null(at);
		at[strlen(behind) + offset] = value;
	}
	tiny_write(p->in, "m.gguf", g.bytes, g.size);
	refuse(&file, &keep, code, message);
}

static void refuse_more(struct place *p, const struct tiny *t, enum mote_status code, const char *message)
{
	refuse_changed(p, t, NULL, 0, 0, code, message);
}

static void put_floats(struct tiny_gguf *g, const char *key, uint32_t count, float value)
{
	tiny_put_array(g, key, 6, count);
	for (uint32_t i = 0; i < count; i++)
		tiny_put(g, &value, sizeof value);
}

/* Characters become bytes where the file has tokens for bytes, all of them or not. */
static void test_byte_fallback(void **state)
{
	static const char *const tokens[3] = {"<unk>", "<0xC3>", "\t"};

	(void)state;
	for (uint32_t type = MOTE_GGUF_TOKEN_NORMAL; type <= MOTE_GGUF_TOKEN_BYTE; type++) {
		struct mote_gguf_vocabulary v;
		struct mote_error error = {0};
		struct mote_gguf g;
		size_t bytes;
		cJSON *tree;
		char *json;

		begin_more(5);
		tiny_put_string(&more, "general.architecture", "llama");
		tiny_put_string(&more, "tokenizer.ggml.model", "llama");
		tiny_put_array(&more, "tokenizer.ggml.tokens", 8, 3);
		for (int i = 0; i < 3; i++)
			tiny_put_text(&more, tokens[i]);
		tiny_put_array(&more, "tokenizer.ggml.token_type", 5, 3);
		tiny_put32(&more, MOTE_GGUF_TOKEN_UNKNOWN);
		tiny_put32(&more, type);
		tiny_put32(&more, MOTE_GGUF_TOKEN_NORMAL);
		put_floats(&more, "tokenizer.ggml.scores", 3, 0);
		g = read_values();
		g.name = strdup("test");
		assert_int_equal(mote_gguf_vocabulary_read(&g, &v, &error), MOTE_OK);
		assert_int_equal(mote_gguf_vocabulary_write(&g, &v, &json, &bytes, &error), MOTE_OK);
		tree = cJSON_ParseWithLength(json, bytes);
		assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
			cJSON_GetObjectItemCaseSensitive(tree, "model"), "byte_fallback")),
			type == MOTE_GGUF_TOKEN_BYTE);
		cJSON_Delete(tree);
		free(json);
		mote_gguf_vocabulary_free(&v);
		mote_gguf_close(&g);
	}
}

static void test_vocabulary_refused(void **state)
{
	struct place *p = *state;
	struct tiny t;

	tiny_init(&t, "F32");
	put_floats(begin_more(1), "tokenizer.ggml.scores", 6, 0);
	refuse_more(p, &t, MOTE_ERROR_CORRUPT, "\"tokenizer.ggml.scores\": 6 elements for 7 tokens");
	put_floats(begin_more(1), "tokenizer.ggml.scores", 7, 2e30f);
	refuse_more(p, &t, MOTE_ERROR_CORRUPT, "\"tokenizer.ggml.scores\": that of token 0 is not finite");
	tiny_put_u32(begin_more(1), "tokenizer.ggml.scores", 0);
	refuse_more(p, &t, MOTE_ERROR_CORRUPT, "\"tokenizer.ggml.scores\": expected an array of type 6");
	begin_more(0);
	/* two kinds and a count lie before an array's elements, a length before a text */
	refuse_changed(p, &t, "tokenizer.ggml.token_type", 16, 9, MOTE_ERROR_CORRUPT,
		       "token_type\": 9 of token 0 is no type");
	refuse_changed(p, &t, "tokenizer.ggml.merges", 24, 0xff, MOTE_ERROR_CORRUPT, "merge 0 is no UTF-8 without NUL");
	refuse_changed(p, &t, "tokenizer.ggml.merges", 25, 0, MOTE_ERROR_CORRUPT, "merge 0 is no UTF-8 without NUL");
	refuse_changed(p, &t, "llama.attention.head_count", 4, 4, MOTE_ERROR_CORRUPT, "rows do not split into 4 heads");
	tiny_free(&t);
}

/* What a file asks for and mote does not do is kept, and told of. */
static void test_sampling(void **state)
{
	static const char note[] = "generation_config.json: not honoured: mirostat, suppress_tokens";
	struct place *p = *state, file = named(p, "m.gguf");
	struct mote_checkpoint_report report;
	struct mote_error error = {0};
	static struct tiny_gguf g;
	const cJSON *generation;
	struct mote_container *c;
	struct tiny t;

	tiny_init(&t, "F32");
	tiny_put_f32(begin_more(4), "general.sampling.temp", 0.3f);
	tiny_put_u32(&more, "general.sampling.mirostat", 2);
	tiny_put_string(&more, "general.sampling.top_k", "7"); /* no number */
	tiny_put_array(&more, "tokenizer.ggml.suppress_tokens", 5, 1);
	tiny_put32(&more, 3);
	build(&g, &t, true, 0, t.tensors);
	tiny_write(p->in, "m.gguf", g.bytes, g.size);
	if (mote_checkpoint_convert(file.in, file.file, &keep, &report, &error) ||
	    mote_container_open(file.file, &c, &error))
		fail_msg("%s", error.message);
	assert_int_equal(report.notes.notes, 1);
	assert_string_equal(report.notes.note[0], note);
	generation = mote_json_get(mote_container_metadata(c), "generation");
	assert_true(mote_json_get(generation, "temperature")->valuedouble == 0.3);
	assert_int_equal(mote_json_get(generation, "suppress_tokens")->child->valueint, 3);
	assert_null(mote_json_get(generation, "top_k"));
	mote_container_close(c);
	mote_notes_free(&report.notes);
	tiny_free(&t);
}

/* A vocabulary of sentencepiece's kind has scores, from which the merges follow. */
static void test_sentences(void **state)
{
	struct mote_gguf_vocabulary v;
	struct mote_error error = {0};
	struct mote_gguf g;
	size_t bytes;
	char *json;

	(void)state;
	for (int scores = 0; scores < 2; scores++) {
		uint8_t *model;

		begin_more(TINY_GGUF_VALUES + 1);
		tiny_put_values(&more);
		if (scores)
			put_floats(&more, "tokenizer.ggml.scores", 7, -1);
		else
			tiny_put_u32(&more, "tokenizer.ggml.unknown_token_id", 9);
		model = memmem(more.bytes, more.size, "tokenizer.ggml.model", 20);
		assert_non_null(model);
		memmove(model + 20 + 4 + 8 + 5, model + 20 + 4 + 8 + 4, more.size - (size_t)(model - more.bytes) - 36);
		more.size++;
		memcpy(model + 20 + 4, "\5\0\0\0\0\0\0\0llama", 13);
		g = read_values();
		g.name = strdup("test");
		assert_int_equal(mote_gguf_vocabulary_read(&g, &v, &error), MOTE_OK);
		if (scores) {
			assert_int_equal(mote_gguf_vocabulary_write(&g, &v, &json, &bytes, &error), MOTE_OK);
			assert_non_null(memmem(json, bytes, "\"merges\":[[\"a\",\"b\"]]", 20));
			free(json);
		} else {
			assert_int_equal(mote_gguf_vocabulary_write(&g, &v, &json, &bytes, &error), MOTE_ERROR_CORRUPT);
			assert_non_null(strstr(error.message, "\"tokenizer.ggml.model\" is \"llama\", but there are no "
					       "scores"));
			assert_null(json);
		}
		mote_gguf_vocabulary_free(&v);
		mote_gguf_close(&g);
	}
}

/* A table of RoPE divisors behind the model's tensors. */
static void refuse_table(struct place *p, struct tiny *t, uint32_t n, float value, enum mote_status code,
			 const char *message)
{
	struct tiny_tensor *x = &t->tensor[t->tensors++];
	float table[8];

	for (int i = 0; i < 8; i++)
		table[i] = value;
	*x = (struct tiny_tensor){.name = "rope", .rows = n, .bytes = n * 4, .data = (uint8_t *)table};
	refuse_more(p, t, code, message);
	t->tensors--;
}

static void test_rope_refused(void **state)
{
	struct place *p = *state;
	struct tiny t;

	tiny_init(&t, "F32");
	tiny_put_string(begin_more(1), "llama.rope.scaling.type", "ntk");
	refuse_more(p, &t, MOTE_ERROR_UNSUPPORTED, "only \"linear\", \"yarn\" and \"longrope\" are supported");
	tiny_put_string(begin_more(2), "llama.rope.scaling.type", "yarn");
	tiny_put_f32(&more, "llama.rope.scaling.yarn_log_multiplier", 0.5f);
	refuse_more(p, &t, MOTE_ERROR_UNSUPPORTED, "mote does not compute that");
	tiny_put_u32(begin_more(1), "llama.rope.freq_base", 10000);
	refuse_more(p, &t, MOTE_ERROR_CORRUPT, "\"llama.rope.freq_base\": expected a floating-point number");
	tiny_put_u32(begin_more(1), "llama.rope.dimension_count", 8);
	refuse_more(p, &t, MOTE_ERROR_UNSUPPORTED, "it is not the heads' length, which is not supported");
	begin_more(0);
	refuse_table(p, &t, 4, 1, MOTE_ERROR_CORRUPT, "tensor \"rope_freqs.weight\": expected F32 [5]");
	refuse_table(p, &t, 5, 3, MOTE_ERROR_UNSUPPORTED, "is none of the RoPE kind \"llama3\" with factors 1 and 4");
	tiny_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_processor), cmocka_unit_test(test_strips_right),
		cmocka_unit_test(test_byte_fallback),
		cmocka_unit_test_setup_teardown(test_vocabulary_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sampling, set_up, tear_down),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test_setup_teardown(test_rope_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
