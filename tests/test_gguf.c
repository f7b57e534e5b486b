/* GGUF files: the same model as from a directory, every type's values, and every field of a file made wrong. */
#include <math.h>

#include "tests/checkpoint_place.h"

#include "convert/gguf/gguf_read.h"
#include "convert/gguf/gguf_names.h"
#include "format/half.h"
#include "tests/tiny_gguf.h"

static struct mote_hash128 converted(const struct place *p, const char *from, uint32_t notes)
{
	struct mote_checkpoint_report report;
	struct mote_error error = {0};
	struct mote_hash128 hash;
	struct mote_container *c;

	if (mote_checkpoint_convert(from, p->file, &keep, &report, &error) ||
	    mote_container_open(p->file, &c, &error) || mote_container_verify(c, NULL, &error))
		fail_msg("%s", error.message);
	assert_int_equal(report.notes.notes, notes);
	mote_notes_free(&report.notes);
	hash = mote_container_tensors_hash(c);
	assert_int_equal(mote_json_get(mote_json_get(mote_container_metadata(c), "tokens"), "bos")->valuedouble, 1);
	assert_true(mote_json_get(mote_json_get(mote_container_metadata(c), "model"), "rms_norm_eps")->valuedouble ==
		    1e-5);
	mote_container_close(c);
	remove(p->file);
	return hash;
}

static void test_same_as_directory(void **state)
{
	static const char *const dtypes[] = {"F32", "F16", "BF16"};
	struct place *p = *state;
	static struct tiny_gguf g;
	struct mote_hash128 a, b;
	char path[256];
	struct tiny t;

	snprintf(path, sizeof path, "%s/m.gguf", p->in);
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		tiny_init(&t, dtypes[i]);
		tiny_save(&t, p->in);
		a = converted(p, p->in, 0);
		tiny_gguf_build(&g, &t);
		tiny_write(p->in, "m.gguf", g.bytes, g.size);
		b = converted(p, path, 0);
		assert_memory_equal(&a, &b, sizeof a);
		tiny_free(&t);
	}
}

/* The values are those of ggml's dequantize_row functions for the same bytes: FNV-1a hashes of their f32 bits. */
static void test_decoded_values(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t hash;
	} expected[] = {
		{2, 0xace68264494f0577u}, /* Q4_0 */
		{3, 0x6c1079d76574a5cfu}, /* Q4_1 */
		{6, 0x3f53ae43b0590b15u}, /* Q5_0 */
		{7, 0xb12ca0891af5cd24u}, /* Q5_1 */
		{8, 0x0f61415547ff137bu}, /* Q8_0 */
		{10, 0xa173ce3040042985u}, /* Q2_K */
		{11, 0x342e5be7db32b131u}, /* Q3_K */
		{12, 0x9f174bfd0ee4f4edu}, /* Q4_K */
		{13, 0x12ce472d2d785ab7u}, /* Q5_K */
		{14, 0x8716891dbf9691cbu}, /* Q6_K */
		{20, 0x99a985660d7ab0c8u}, /* IQ4_NL */
		{23, 0xad232ed9db3ca4c6u}, /* IQ4_XS */
	};

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		const struct mote_gguf_type_info *type = mote_gguf_type_find(expected[i].type);
		uint64_t hash = 14695981039346656037u, random = 1;
		uint8_t block[292];
		float out[256];

		for (int n = 0; n < 64; n++) {
			for (uint32_t k = 0; k < type->bytes; k++) {
				random = random * 6364136223846793005u + 1442695040888963407u;
				block[k] = (uint8_t)(random >> 56);
			}
			/* where scales lie, exponents that are finite and do not overflow */
			for (uint32_t k = 1; k < type->bytes; k++)
				if ((k == 1) || (k == 3) || k + 1 == type->bytes || k + 3 == type->bytes)
					block[k] &= 0x9f;
			type->decode(block, out);
			for (uint32_t k = 0; k < type->elements * 4; k++)
				hash = (hash ^ ((const uint8_t *)out)[k]) * 1099511628211u;
		}
		if (hash != expected[i].hash)
			fail_msg("%s: 0x%016llx", type->name, (unsigned long long)hash);
	}
}

static void test_names(void **state)
{
	static const char *const good[][2] = {
		{"token_embd.weight", "model.embed_tokens.weight"}, {"output.weight", "lm_head.weight"},
		{"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"},
		{"blk.12.attn_k.bias", "model.layers.12.self_attn.k_proj.bias"},
		{"blk.7.ffn_norm.weight", "model.layers.7.post_attention_layernorm.weight"},
	};
	static const char *const bad[] = { "", "blk.", "blk..attn_q.weight", "blk.00.attn_q.weight",
					   "blk.123456.attn_q.weight", "blk.1.attn_q", "blk.1.weight",
					   "blk.1.attn_q.weight.x", "output_norm.bias" };
	const struct mote_gguf_family *llama = mote_gguf_family_of("llama"), *gemma2 = mote_gguf_family_of("gemma2");
	char out[MOTE_GGUF_NAME_ROOM];

	(void)state;
	/* the same name means another norm where there are four */
	assert_true(mote_gguf_name_to_hf(gemma2, "blk.7.ffn_norm.weight", 21, out));
	assert_string_equal(out, "model.layers.7.pre_feedforward_layernorm.weight");
	assert_true(mote_gguf_name_from_hf(gemma2, "model.layers.7.post_attention_layernorm.weight", out));
	assert_string_equal(out, "blk.7.post_attention_norm.weight");
	assert_false(mote_gguf_name_from_hf(llama, "model.layers.7.self_attn.qkv_proj.weight", out));
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(mote_gguf_name_to_hf(llama, good[i][0], strlen(good[i][0]), out));
		assert_string_equal(out, good[i][1]);
		assert_true(mote_gguf_name_from_hf(llama, good[i][1], out));
		assert_string_equal(out, good[i][0]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(mote_gguf_name_to_hf(llama, bad[i], strlen(bad[i]), out));
}

/* Parses a copy of exactly the file, in which the address sanitizer sees a read beyond it. */
static enum mote_status parse(const struct tiny_gguf *g, size_t size, uint64_t file_bytes, bool *more,
			      struct mote_error *error)
{
	uint8_t *copy = malloc(size + !size);
	struct mote_gguf out = {0};
	uint32_t part = 0, parts = 0;
	enum mote_status status;

	memcpy(copy, g->bytes, size);
	*error = (struct mote_error){0};
	status = mote_gguf_parse(copy, size, file_bytes, "test", &out, more, &part, &parts, error);
	assert_int_equal(status, error->code);
	mote_gguf_close(&out);
	free(copy);
	return status;
}

static void refuse_gguf(const struct tiny_gguf *g, enum mote_status code, const char *part)
{
	struct mote_error error;
	bool more;
	enum mote_status status = parse(g, g->size, g->size, &more, &error);

	if (status != code || !strstr(error.message, part))
		fail_msg("status %d, \"%s\"; expected %d and \"%s\"", status, error.message, code, part);
	assert_false(more);
}

static void test_truncated(void **state)
{
	static struct tiny_gguf g;
	struct mote_error error;
	struct tiny t;
	bool more;

	(void)state;
	tiny_init(&t, "F16");
	tiny_gguf_build(&g, &t);
	assert_int_equal(parse(&g, g.size, g.size, &more, &error), MOTE_OK);
	for (size_t cut = 0; cut < g.size; cut += cut < 4096 ? 1 : 97) {
		assert_int_equal(parse(&g, cut, cut, &more, &error), MOTE_ERROR_CORRUPT);
		assert_false(more);
	}
	/* the same when only the head was read: until it is whole, there is more to read */
	for (size_t cut = 0; cut < 4000; cut += 7) {
		enum mote_status status = parse(&g, cut, g.size, &more, &error);

		assert_true(more == (status != MOTE_OK));
	}
	tiny_put(&g, g.bytes, 1);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "17 bytes follow the last tensor");
	tiny_free(&t);
}

/* Names that a terminal would act on, or that are no text. */
static void test_hostile_names(void **state)
{
	static const char *const found[] = {"general.architecture", "blk.1.attn_q.weight"};
	static const char bad[] = {0x1b, 0x7f, 0x00, 0x1f, (char)0xff};
	static struct tiny_gguf g;
	struct tiny t;

	(void)state;
	tiny_init(&t, "F16");
	tiny_gguf_build(&g, &t);
	for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
		uint8_t *at = memmem(g.bytes, g.size, found[i], strlen(found[i]));

		assert_non_null(at);
		for (size_t k = 0; k < sizeof bad; k++) {
			at[3] = (uint8_t)bad[k];
			refuse_gguf(&g, MOTE_ERROR_CORRUPT, "");
		}
		at[3] = (uint8_t)found[i][3];
	}
	tiny_free(&t);
}

/* Any byte of the header changed: read or refused, but never beyond the buffer. */
static void test_changed_bytes(void **state)
{
	static struct tiny_gguf g;
	struct mote_error error;
	struct tiny t;
	bool more;

	(void)state;
	tiny_init(&t, "F16");
	tiny_gguf_build(&g, &t);
	for (size_t at = 0; at < 3600; at++)
		for (unsigned value = 0; value < 256; value += value == 0 || value == 254 ? 1 : 127) {
			uint8_t was = g.bytes[at];

			g.bytes[at] = (uint8_t)value;
			parse(&g, g.size, g.size, &more, &error);
			g.bytes[at] = was;
		}
	tiny_free(&t);
}

static void start(struct tiny_gguf *g, uint64_t tensors, uint64_t values)
{
	g->size = 0;
	tiny_put_header(g, 3, tensors, values);
}

static void test_hostile_header(void **state)
{
	static struct tiny_gguf g;

	(void)state;
	g.size = 0;
	tiny_put(&g, "GGUX\3\0\0\0", 8);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "does not begin with");
	g.size = 0;
	tiny_put_header(&g, 1, 0, 0);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "version 1");
	g.size = 0;
	tiny_put_header(&g, 4, 0, 0);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "version 4");
	g.size = 0;
	tiny_put_header(&g, 0x03000000, 0, 0);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "big-endian");
	start(&g, 0, UINT64_MAX);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "18446744073709551615 key-values");
	start(&g, UINT64_MAX, 0);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "18446744073709551615 tensors");
	start(&g, 1u << 20, 0);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "1048576 tensors in a file of 24 bytes");
	start(&g, 2, 0); /* not more than there may be, and more than fit */
	tiny_pad(&g);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "2 tensors in a file of 32 bytes");
}

static void test_hostile_values(void **state)
{
	static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, (uint64_t)1 << 32, 1000};
	static struct tiny_gguf g;

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		start(&g, 0, 1); /* a key's length */
		tiny_put64(&g, lengths[i]);
		tiny_put(&g, g.bytes, 16);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "a key");
		start(&g, 0, 1); /* a string's */
		tiny_put_text(&g, "k");
		tiny_put32(&g, 8);
		tiny_put64(&g, lengths[i]);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "a string");
		for (uint32_t kind = 0; kind < 13; kind++) { /* an array's, of every kind */
			if (kind == 9)
				continue;
			start(&g, 0, 1);
			tiny_put_array(&g, "k", kind, lengths[i]);
			tiny_put64(&g, 0);
			refuse_gguf(&g, MOTE_ERROR_CORRUPT, "byte ");
		}
		start(&g, 0, 1); /* a string's in an array */
		tiny_put_array(&g, "k", 8, 1);
		tiny_put64(&g, lengths[i]);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "a string in an array");
	}
	start(&g, 0, 1);
	tiny_put_array(&g, "k", 9, 1);
	tiny_put32(&g, 9);
	tiny_put64(&g, 1);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "\"k\": arrays in arrays");
	start(&g, 0, 1);
	tiny_put_array(&g, "k", 13, 0);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "element type 13");
	start(&g, 0, 1);
	tiny_put_text(&g, "k");
	tiny_put32(&g, 0x80000000);
	tiny_put64(&g, 0);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "value type 2147483648");
	start(&g, 0, 2);
	tiny_put_u32(&g, "k", 1);
	tiny_put_u32(&g, "k", 2);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "duplicate key \"k\"");
	start(&g, 0, 1);
	tiny_put_u32(&g, "", 1);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "a key that is empty");
	start(&g, 0, 1);
	tiny_put_u32(&g, "\xff", 1);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "no plain UTF-8");
	for (uint32_t bad = 0; bad < 4; bad++) {
		static const uint32_t alignments[4] = {0, 24, 1u << 31, UINT32_MAX};

		start(&g, 0, 1);
		tiny_put_u32(&g, "general.alignment", alignments[bad]);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "\"general.alignment\"");
	}
	start(&g, 0, 1);
	tiny_put_string(&g, "general.alignment", "32");
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "\"general.alignment\": expected an integer");
}

static void test_hostile_tensors(void **state)
{
	static const uint64_t dims[] = {0, UINT64_MAX, (uint64_t)1 << 62, (uint64_t)1 << 63};
	static struct tiny_gguf g;

	(void)state;
	start(&g, 1, 0);
	tiny_put64(&g, UINT64_MAX);
	tiny_put(&g, g.bytes, 24);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "a tensor's name of 18446744073709551615 bytes; at most 63");
	for (uint32_t rank = 0; rank < 6; rank += 5) {
		start(&g, 1, 0);
		tiny_put_text(&g, "t");
		tiny_put32(&g, rank);
		tiny_put(&g, g.bytes, 24);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "dimensions; 1 to 4");
	}
	for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
		start(&g, 1, 0); /* alone, where the size of the type overflows, and as a product */
		tiny_put_text(&g, "t");
		tiny_put32(&g, 2);
		tiny_put64(&g, dims[i]);
		tiny_put64(&g, 4);
		tiny_put32(&g, 0);
		tiny_put64(&g, 0);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "tensor \"t\"");
	}
	start(&g, 1, 0);
	tiny_put_tensor(&g, "t", 1, (uint32_t)1 << 31, 0, 0);
	tiny_pad(&g);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "8589934592 bytes at byte 96 of a file of 96");
	start(&g, 1, 0); /* the data would begin at the next multiple of 32 */
	tiny_put_tensor(&g, "t", 1, 8, 0, 0);
	assert_true(g.size % 32);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "the file ends before its tensors' data begin");
	start(&g, 1, 0);
	tiny_put_tensor(&g, "t", 1, 33, 8, 0);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "rows of 33 are no whole blocks of Q8_0");
	start(&g, 1, 0);
	tiny_put_tensor(&g, "t", 1, 32, 4, 0);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "type 4 is not known");
	start(&g, 1, 0);
	tiny_put_tensor(&g, "t", 1, 32, UINT32_MAX, 0);
	refuse_gguf(&g, MOTE_ERROR_UNSUPPORTED, "type 4294967295");
	for (uint64_t offset = 1; offset; offset = offset == 1 ? 32 : offset == 32 ? UINT64_MAX - 31 : 0) {
		start(&g, 1, 0);
		tiny_put_tensor(&g, "t", 8, 0, 0, offset);
		tiny_pad(&g);
		tiny_put(&g, g.bytes, 32);
		refuse_gguf(&g, MOTE_ERROR_CORRUPT, "expected at 0");
	}
	start(&g, 2, 0); /* two in one place, two of one name */
	tiny_put_tensor(&g, "t", 8, 0, 0, 0);
	tiny_put_tensor(&g, "u", 8, 0, 0, 0);
	tiny_pad(&g);
	tiny_put(&g, g.bytes, 64);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "tensor \"u\": at data byte 0, expected at 32");
	start(&g, 2, 0);
	tiny_put_tensor(&g, "t", 8, 0, 0, 0);
	tiny_put_tensor(&g, "t", 8, 0, 0, 32);
	tiny_pad(&g);
	tiny_put(&g, g.bytes, 64);
	refuse_gguf(&g, MOTE_ERROR_CORRUPT, "\"t\" is there twice");
}

static void refuse_file(struct place *p, const struct tiny_gguf *g, enum mote_status code, const char *part)
{
	struct place other = *p;

	tiny_write(p->in, "m.gguf", g->bytes, g->size);
	snprintf(other.in, sizeof other.in, "%.80s/in/m.gguf", p->root);
	refuse(&other, &keep, code, part);
}

/* Changes a text in the file to another of the same length. */
static void change(struct tiny_gguf *g, const char *old, const char *new)
{
	uint8_t *at = memmem(g->bytes, g->size, old, strlen(old));

	assert_non_null(at);
	assert_int_equal(strlen(old), strlen(new));
	memcpy(at, new, strlen(new));
}

static void change_all(struct tiny_gguf *g, const char *old, const char *new)
{
	while (memmem(g->bytes, g->size, old, strlen(old)))
		change(g, old, new);
}

/* Puts a value before the others: kind 4 (u32), 6 (f32), 7 (bool) or 8 ("yarn"), and beside it a text that keeps the
 * data aligned. */
static void put_first(struct tiny_gguf *g, const char *key, uint32_t kind, float number)
{
	static struct tiny_gguf rest;
	char name[16], filler[33] = "";
	uint64_t values;

	memcpy(&values, g->bytes + 16, 8);
	values += 2;
	memcpy(g->bytes + 16, &values, 8);
	rest.size = g->size - 24;
	memcpy(rest.bytes, g->bytes + 24, rest.size);
	g->size = 24;
	if (kind == 4) {
		tiny_put_u32(g, key, (uint32_t)number);
	} else if (kind == 6) {
		tiny_put_f32(g, key, number);
	} else if (kind == 8) {
		tiny_put_string(g, key, "yarn");
	} else {
		tiny_put_text(g, key);
		tiny_put32(g, 7);
		tiny_put(g, &(uint8_t){number != 0}, 1);
	}
	snprintf(name, sizeof name, "filler.%02u", (unsigned)values % 100);
	memset(filler, 'x', (32 - (g->size - 24 + 8 + 9 + 4 + 8) % 32) % 32);
	tiny_put_string(g, name, filler);
	tiny_put(g, rest.bytes, rest.size);
}

/* Keys that llama.cpp computes with and mote does not, and tables beside RoPE of another kind. */
static void test_refuses_features(void **state)
{
	static const struct {
		const char *key;
		uint32_t kind;
		float number;
	} cases[] = {
		{"attention.causal", 7, 0}, {"attention.key_length_swa", 4, 4}, {"attention.value_length_swa", 4, 4},
		{"attention.value_length", 4, 4}, {"rope.scaling.attn_factor", 6, 1.5f},
		{"rope.freq_base_swa", 6, 5000}, {"rope.dimension_count_swa", 4, 4},
	};
	struct place *p = *state;
	static struct tiny_gguf g;
	struct tiny t;
	char key[64];

	tiny_init(&t, "F16");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tiny_gguf_build(&g, &t);
		snprintf(key, sizeof key, "llama.%s", cases[i].key);
		put_first(&g, key, cases[i].kind, cases[i].number);
		snprintf(key, sizeof key, "\"llama.%s\"", cases[i].key);
		refuse_file(p, &g, MOTE_ERROR_UNSUPPORTED, key);
	}
	tiny_gguf_build(&g, &t);
	change(&g, "blk.1.attn_output.weight", "rope_factors_long.weight");
	refuse_file(p, &g, MOTE_ERROR_CORRUPT, "tensor \"rope_factors_short.weight\" is missing");
	change_all(&g, "llama", "qwen3");
	refuse_file(p, &g, MOTE_ERROR_UNSUPPORTED, "\"rope_factors_long.weight\" beside RoPE of the kind \"default\"");
	tiny_free(&t);
}

/* llama.cpp's converter writes the checkpoint's attention factor, its writer 1 where there is none. */
static void test_yarn(void **state)
{
	static const float factor[3] = {1.25f, 1, 0}, expected[3] = {1.25f, 1.13862944f, 1.13862944f};
	struct place *p = *state;
	static struct tiny_gguf g;
	struct place file = *p;
	struct tiny t;

	tiny_init(&t, "F16");
	snprintf(file.in, sizeof file.in, "%.80s/in/m.gguf", p->root);
	for (int i = 0; i < 3; i++) {
		struct mote_container *c;
		const cJSON *rope;

		tiny_gguf_build(&g, &t);
		put_first(&g, "llama.rope.scaling.type", 8, 0);
		put_first(&g, "llama.rope.scaling.factor", 6, 4);
		if (factor[i] > 0)
			put_first(&g, "llama.rope.scaling.yarn_attn_factor", 6, factor[i]);
		tiny_write(p->in, "m.gguf", g.bytes, g.size);
		c = convert_and_open(&file, &keep);
		rope = mote_json_get(mote_json_get(mote_container_metadata(c), "model"), "rope");
		assert_string_equal(mote_json_get(rope, "type")->valuestring, "yarn");
		assert_true(fabs(mote_json_get(rope, "attention_factor")->valuedouble - (double)expected[i]) < 1e-7);
		mote_container_close(c);
		remove(p->file);
	}
	put_first(&g, "llama.rope.scaling.yarn_ext_factor", 6, 0.5f);
	refuse_file(p, &g, MOTE_ERROR_UNSUPPORTED, "yarn_ext_factor");
	tiny_free(&t);
}

/* Sound files that say something which cannot be taken. */
static void test_meaning(void **state)
{
	static const struct {
		const char *old, *new, *message;
		enum mote_status code;
	} cases[] = {
		{"llama", "llamb", "architecture \"llamb\" is not supported", MOTE_ERROR_UNSUPPORTED},
		{"gpt-2", "gpt-9", "\"tokenizer.ggml.pre\" is \"gpt-9\": how that cuts a text is not known",
		 MOTE_ERROR_UNSUPPORTED},
		{"gpt2", "bert", "\"tokenizer.ggml.model\" is \"bert\"", MOTE_ERROR_UNSUPPORTED},
		{"llama.block_count", "llama.block_cound", "\"llama.block_count\" is missing", MOTE_ERROR_CORRUPT},
		{"tokenizer.ggml.tokens", "tokenizer.ggml.takens", "\"tokenizer.ggml.tokens\": 0 tokens",
		 MOTE_ERROR_CORRUPT},
		{"tokenizer.ggml.merges", "tokenizer.ggml.merget", "there are no merges", MOTE_ERROR_CORRUPT},
		{"</s>", "<\xff\xff>", "token 2 is no UTF-8", MOTE_ERROR_CORRUPT},
		{ "blk.1.ffn_up.weight", "blk.1.ffn_ub.weight", "\"model.layers.1.mlp.up_proj.weight\" [20, 24] "
		  "is missing", MOTE_ERROR_CORRUPT },
		{"output_norm.weight", "output_norm.wieght", "\"model.norm.weight\" [24] is missing",
		 MOTE_ERROR_CORRUPT},
		{"llama.attention.key_length", "llama.attention.no_length_",  "calls for [24, 24]", MOTE_ERROR_CORRUPT},
	};
	struct place *p = *state;
	static struct tiny_gguf g;
	struct tiny t;

	tiny_init(&t, "F16");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tiny_gguf_build(&g, &t);
		change(&g, cases[i].old, cases[i].new);
		refuse_file(p, &g, cases[i].code, cases[i].message);
	}
	tiny_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_as_directory, set_up, tear_down),
		cmocka_unit_test(test_decoded_values),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_changed_bytes),
		cmocka_unit_test(test_hostile_header),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_hostile_tensors),
		cmocka_unit_test_setup_teardown(test_meaning, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses_features, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_yarn, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
