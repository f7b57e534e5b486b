/* The whole conversion over tiny checkpoints: what is converted comes back bit for bit, what is wrong is refused by
 * name, and no failure leaves a file. What is not weights: test_checkpoint_metadata.c. */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_forward_order), TEST(test_same_bytes),
		TEST(test_shards), TEST(test_truncated), TEST(test_tensors_do_not_match),
		TEST(test_head_and_rotary_tables), TEST(test_bad_values), TEST(test_interrupted),
		TEST(test_output), cmocka_unit_test(test_stops_at_the_last_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
