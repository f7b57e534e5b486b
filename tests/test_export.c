/* What a container becomes elsewhere, and that it comes back the same: as a Hugging Face directory and as a GGUF
 * file. */
#include "tests/checkpoint_place.h"

#include "convert/gguf/gguf_read.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "convert/gguf/gguf_write.h"
#include "convert/hf/hf_tokenizer.h"
#include "convert/hf/hf_tokenizer_write.h"
#include "convert/hf/hf_write.h"
#include "convert/tensor_rows.h"

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

static void same_model(const struct mote_container *a, const struct mote_container *b, bool same_tokenizer)
{
	const struct mote_hash128 x = mote_container_tensors_hash(a), y = mote_container_tensors_hash(b);
	const char *const keys[] = {"model", "chat_templates"};
	size_t n, m;
	const void *s = mote_container_section(a, MOTE_SECTION_TOKENIZER, &n);
	const void *t = mote_container_section(b, MOTE_SECTION_TOKENIZER, &m);

	assert_memory_equal(&x, &y, sizeof x);
	for (size_t i = 0; i < 2; i++)
		assert_true(cJSON_Compare(mote_json_get(mote_container_metadata(a), keys[i]),
					  mote_json_get(mote_container_metadata(b), keys[i]), true));
	assert_true(cJSON_Compare(mote_json_get(mote_json_get(mote_container_metadata(a), "tokens"), "eos"),
				  mote_json_get(mote_json_get(mote_container_metadata(b), "tokens"), "eos"), true));
	if (!same_tokenizer)
		return;
	assert_int_equal(n, m);
	assert_memory_equal(s, t, n);
	assert_true(cJSON_Compare(mote_json_get(mote_container_metadata(a), "tokens"),
				  mote_json_get(mote_container_metadata(b), "tokens"), true));
	assert_true(cJSON_Compare(mote_json_get(mote_container_metadata(a), "generation"),
				  mote_json_get(mote_container_metadata(b), "generation"), true));
}

static void save(const struct place *p, const char *dtype)
{
	struct tiny t;

	tiny_init(&t, dtype);
	tiny_save(&t, p->in);
	tiny_free(&t);
	tiny_write_text(p->in, "generation_config.json", "{\"eos_token_id\":[2,0],\"temperature\":0.6,\"top_p\":0.95}");
	tiny_write_text(p->in, "tokenizer_config.json", "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\","
			"\"chat_template\":["
			"{\"name\":\"default\",\"template\":\"{{ messages }}\\n\"},{\"name\":\"tool_use\","
			"\"template\":\"x\"}]}");
}

static void test_directory(void **state)
{
	static const char *const dtypes[] = {"BF16", "F16", "F32"};
	const struct mote_hf_write_options options = {.keep_types = true};
	struct place *p = *state;
	char folder[160], again[160];
	struct mote_error error = {0};
	struct mote_container *a, *b;
	uint64_t bytes;

	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		snprintf(folder, sizeof folder, "%s/back%zu", p->root, i);
		snprintf(again, sizeof again, "%s/again.mote", p->root);
		save(p, dtypes[i]);
		a = convert_from(p->in, p->file);
		if (mote_hf_write(a, folder, &options, &bytes, &error))
			fail_msg("%s", error.message);
		assert_int_equal(files_in(folder), 7);
		b = convert_from(folder, again);
		same_model(a, b, true);
		mote_container_close(b);
		/* what is there stays, unless it is asked for */
		assert_int_equal(mote_hf_write(a, folder, &options, &bytes, &error), MOTE_ERROR_ARGUMENT);
		assert_non_null(strstr(error.message, "exists"));
		error.code = MOTE_OK;
		assert_int_equal(mote_hf_write(a, folder,
					       &(struct mote_hf_write_options){.keep_types = true, .force = true},
					       &bytes, &error), MOTE_OK);
		mote_container_close(a);
	}
}

/* The model's ids that no token has are unused. */
static void expect_unused(const char *folder, const char *name)
{
	struct mote_source source;
	struct mote_error error = {0};
	const struct mote_gguf_value *types;
	struct mote_gguf gguf;

	assert_int_equal(mote_source_open(folder, &source, NULL), MOTE_OK);
	source.gguf = true;
	if (mote_gguf_open(&source, name, &gguf, &error))
		fail_msg("%s", error.message);
	types = mote_gguf_find(&gguf, "tokenizer.ggml.token_type");
	assert_non_null(types);
	assert_int_equal(types->count, 37);
	for (uint32_t id = 0; id < 37; id++)
		assert_int_equal(mote_gguf_integer_at(types, id) == MOTE_GGUF_TOKEN_UNUSED, id >= 7);
	mote_gguf_close(&gguf);
	mote_source_close(&source);
}

static void test_gguf(void **state)
{
	static const char *const dtypes[] = {"BF16", "F16", "F32"};
	const struct mote_gguf_write_options options = {.keep_types = true};
	struct place *p = *state;
	char file[160], again[160];
	struct mote_notes notes = {0};
	struct mote_error error = {0};
	struct mote_container *a, *b;
	struct stat st;
	uint64_t bytes;

	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		snprintf(file, sizeof file, "%s/m%zu.gguf", p->root, i);
		snprintf(again, sizeof again, "%s/again.mote", p->root);
		save(p, dtypes[i]);
		a = convert_from(p->in, p->file);
		if (mote_gguf_write(a, file, &options, &notes, &bytes, &error))
			fail_msg("%s", error.message);
		assert_int_equal(notes.notes, 0);
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_size, bytes);
		expect_unused(p->root, strrchr(file, '/') + 1);
		b = convert_from(file, again);
		same_model(a, b, false);
		mote_container_close(b);
		assert_int_equal(mote_gguf_write(a, file, &options, &notes, &bytes, &error), MOTE_ERROR_ARGUMENT);
		error.code = MOTE_OK;
		mote_container_close(a);
	}
}

/* Families beyond Llama that both forms have a name for. */
static void test_families(void **state)
{
	static const char *const types[][2] = {{"Qwen2ForCausalLM", "qwen2"}, {"Qwen3ForCausalLM", "qwen3"}};
	static const char *const parts[2][3] = {{"q_proj.bias", "k_proj.bias", "v_proj.bias"},
						{"q_norm.weight", "k_norm.weight"}};
	const struct mote_gguf_write_options gguf = {.keep_types = true};
	const struct mote_hf_write_options hf = {.keep_types = true};
	struct place *p = *state;
	char text[1024], out[160], again[160], name[64];
	struct mote_notes notes = {0};
	struct mote_error error = {0};
	struct mote_container *a, *b;
	struct tiny t;
	uint64_t bytes;

	for (int i = 0; i < 2; i++) {
		const char *rest = strstr(tiny_config, ",\"hidden_size\"");

		tiny_init(&t, "F32");
		for (int layer = 0; layer < 2; layer++)
			for (int k = 0; k < 3 && parts[i][k]; k++) {
				uint32_t rows = i ? TINY_HEAD_DIM : k ? TINY_KV_HEADS * TINY_HEAD_DIM :
						TINY_HEADS * TINY_HEAD_DIM;

				snprintf(name, sizeof name, "model.layers.%d.self_attn.%s", layer, parts[i][k]);
				tiny_add(&t, name, rows, 0, "F32");
			}
		tiny_save(&t, p->in);
		snprintf(text, sizeof text, "{\"architectures\":[\"%s\"],\"model_type\":\"%s\"%s", types[i][0],
			 types[i][1], rest);
		tiny_write_text(p->in, "config.json", text);
		a = convert_from(p->in, p->file);
		snprintf(again, sizeof again, "%s/again.mote", p->root);
		snprintf(out, sizeof out, "%s/%d.gguf", p->root, i);
		if (mote_gguf_write(a, out, &gguf, &notes, &bytes, &error))
			fail_msg("%s", error.message);
		b = convert_from(out, again);
		same_model(a, b, false);
		mote_container_close(b);
		snprintf(out, sizeof out, "%s/%d", p->root, i);
		if (mote_hf_write(a, out, &hf, &bytes, &error))
			fail_msg("%s", error.message);
		b = convert_from(out, again);
		same_model(a, b, true);
		mote_container_close(b);
		mote_container_close(a);
		tiny_free(&t);
	}
}

/* A tensor that changed since its checksum was taken is not passed on. */
static void test_damaged(void **state)
{
	const struct mote_gguf_write_options options = {.keep_types = true};
	const struct mote_hf_write_options hf_options = {.keep_types = true};
	struct place *p = *state;
	char out[160];
	struct mote_error error = {0};
	struct mote_container *a;
	uint64_t bytes;
	FILE *file;

	save(p, "BF16");
	mote_container_close(convert_from(p->in, p->file));
	file = fopen(p->file, "r+b");
	assert_non_null(file);
	fseek(file, 4096 + 100, SEEK_SET);
	fputc(0x77, file);
	fclose(file);
	assert_int_equal(mote_container_open(p->file, &a, &error), MOTE_OK);
	snprintf(out, sizeof out, "%s/x.gguf", p->out);
	assert_int_equal(mote_gguf_write(a, out, &options, NULL, &bytes, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "\"model.embed_tokens.weight\""));
	error.code = MOTE_OK;
	snprintf(out, sizeof out, "%s/x", p->out);
	assert_int_equal(mote_hf_write(a, out, &hf_options, &bytes, &error), MOTE_ERROR_CORRUPT);
	mote_container_close(a);
	assert_int_equal(files_in(p->out), 1); /* the container alone */
}

static void fill_random(uint8_t *data, size_t bytes, uint64_t random)
{
	for (size_t i = 0; i < bytes; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(random >> 56);
	}
}

/* Every quantized type's values are those of the blocks that it becomes. */
static void test_blocks(void **state)
{
	static const uint8_t iq4[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
	static const uint8_t other[16] = {0, 255, 3, 77, 1, 2, 9, 200, 130, 128, 127, 126, 99, 98, 97, 96};
	const struct {
		enum mote_type type;
		const uint8_t *codebook;
		enum mote_gguf_type expected;
	} cases[] = {
		{MOTE_Q8, NULL, MOTE_GGUF_Q8_0}, {MOTE_Q6, NULL, MOTE_GGUF_Q8_0}, {MOTE_Q5, NULL, MOTE_GGUF_Q8_0},
		{MOTE_Q4, mote_codebook_linear, MOTE_GGUF_Q4_0}, {MOTE_Q4, iq4, MOTE_GGUF_IQ4_NL},
		{MOTE_Q4, other, MOTE_GGUF_Q8_0}, {MOTE_Q3, mote_codebook_linear3, MOTE_GGUF_Q8_0},
		{MOTE_Q8B, NULL, MOTE_GGUF_Q8_0}, {MOTE_Q5B, NULL, MOTE_GGUF_Q8_0},
		{MOTE_Q4B, mote_codebook_linear, MOTE_GGUF_Q4_0}, {MOTE_Q4B, iq4, MOTE_GGUF_IQ4_NL},
		{MOTE_Q3B, mote_codebook_linear3, MOTE_GGUF_Q8_0},
	};
	enum { ROWS = 37, COLS = 96 };
	static uint8_t data[1 << 16] __attribute__((aligned(64)));
	float expected[COLS], values[COLS], scratch[COLS];
	uint8_t rows[16 * COLS * 4];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_tensor t = {.name = "t", .rank = 2, .rows = ROWS, .cols = COLS, .type = cases[i].type};
		const struct mote_gguf_type_info *info;
		struct mote_error error = {0};
		size_t row_bytes;

		fill_random(data, sizeof data, i);
		assert_int_equal(mote_matrix_init(&t.matrix, t.type, ROWS, COLS, data, cases[i].codebook, &t.bytes,
						  &error), MOTE_OK);
		for (uint32_t panel = 0; panel < t.matrix.panels; panel++) /* scales that are finite */
			for (size_t k = 1; k < t.matrix.blocks * 32 && !mote_type_has_byte_scales(t.type); k += 2)
				data[panel * t.matrix.panel_bytes + k] &= 0xbb;
		/* at both ends of what f16 holds; beyond them, and with a unit that is no power */
		if (mote_type_has_byte_scales(t.type)) {
			static const float beyond[] = {0x1p-7f, 0x1p24f, 3, 0, -1};

			for (size_t k = 0; k < sizeof beyond / sizeof *beyond; k++) {
				mote_matrix_put_unit(&t.matrix, data, beyond[k]);
				assert_int_equal(mote_tensor_rows_exact(&t), MOTE_GGUF_F32);
			}
			mote_matrix_put_unit(&t.matrix, data, i % 2 ? 0x1p-6f : 0x1p23f);
		}
		assert_int_equal(mote_tensor_rows_exact(&t), cases[i].expected);
		info = mote_gguf_type_find(cases[i].expected);
		row_bytes = mote_tensor_rows_bytes(&t, cases[i].expected);
		assert_int_equal(row_bytes, COLS / 32 * info->bytes);
		for (uint32_t r = 0; r < ROWS; r++) {
			if (r % 16 == 0)
				assert_int_equal(mote_tensor_rows_encode(&t, cases[i].expected, r / 16, rows, scratch,
									 &error), MOTE_OK);
			mote_matrix_decode_row(&t.matrix, r, expected);
			for (uint32_t b = 0; b < COLS / 32; b++)
				info->decode(rows + r % 16 * row_bytes + b * info->bytes, values + b * 32);
			assert_memory_equal(values, expected, sizeof values);
		}
	}
}

static void test_rows_that_are_no_blocks(void **state)
{
	struct mote_tensor t = {.name = "t", .rank = 2, .rows = 3, .cols = 40, .type = MOTE_Q8};
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(mote_matrix_init(&t.matrix, t.type, t.rows, t.cols, NULL, NULL, &t.bytes, &error), MOTE_OK);
	assert_int_equal(mote_tensor_rows_exact(&t), MOTE_GGUF_F32);
}

/* Written and compiled again, a tokenizer is the same, byte for byte. */
static void test_tokenizers(void **state)
{
	static const char *const parts[][2] = {
		{"", ""},
		{ "\"normalizer\":null", "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
		  "{\"type\":\"Lowercase\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},\"content\":\" \"},"
		  "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false},{\"type\":\"Prepend\","
		  "\"prepend\":\"a\"},{\"type\":\"StripAccents\"}]}" },
		{ "\"normalizer\":null", "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
		  "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true}" },
		{"\"add_prefix_space\":false", "\"add_prefix_space\":true"},
		{"\"use_regex\":true}", "\"use_regex\":false}"},
		{ "\"post_processor\":null", "\"post_processor\":{\"type\":\"TemplateProcessing\","
		  "\"single\":[{\"SpecialToken\":{\"id\":"
		  "\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
		  "{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{\"<s>\":{\"id\":"
		  "\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]},\"</s>\":{\"id\":\"</s>\","
		  "\"ids\":[2],\"tokens\":[\"</s>\"]}}}" },
		{ "\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Sequence\","
		  "\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Punctuation\"},"
		  "{\"type\":\"WhitespaceSplit\"},{\"type\":\"Whitespace\"},{\"type\":\"FixedLength\",\"length\":3},"
		  "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"}]},\"other\":{" },
		{"\"ignore_merges\":false", "\"ignore_merges\":true"},
		{"\"merges\":[\"a b\"]", "\"merges\":[\"a b\",\"a b\"]"},
		{"\"ab\":6", "\"ab\":9"}, /* unused ids */
		{"\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":null,\"other\":{\"type\":\"ByteLevel\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct mote_text_buffer out = {0};
		struct mote_error error = {0};
		char text[8192];
		const char *at = strstr(tiny_tokenizer, parts[i][0]);
		uint8_t *section;
		size_t bytes;

		if (!at)
			continue; /* a member that the tiny tokenizer has not */
		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - tiny_tokenizer), tiny_tokenizer, parts[i][1],
			 at + strlen(parts[i][0]));
		if (mote_hf_tokenizer_compile(&(struct mote_hf_tokenizer_source){.json = text, .bytes = strlen(text)},
					      &section, &bytes, NULL, &error) ||
		    mote_hf_tokenizer_write(section, bytes, NULL, 0, &out, &error))
			fail_msg("%s: %s", parts[i][1], error.message);
		free(out.text);
		free(section);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gguf, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_families, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_rows_that_are_no_blocks),
		cmocka_unit_test(test_tokenizers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
