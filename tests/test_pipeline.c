/* The way from a container to a quantized one: a source that is not what its checksums say, texts that are none, how
 * far it is, stopping at the last moment, and memory that is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/checkpoint.h"
#include "quant/measure/own_text.h"
#include "quant/pipeline.h"

#define ADDER "tests/fixtures/adder"

enum { LAYERS = 4 }; /* it has; its head is tied */

static char folder[] = "/tmp/test_pipeline_XXXXXX";
static char source[64], output[64];

static int make_source(void **state)
{
	const struct mote_checkpoint_options options = {.tool = "test 1", .type = MOTE_BF16};
	struct mote_checkpoint_report report;
	struct mote_error error = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(source, sizeof source, "%s/source.mote", folder);
	snprintf(output, sizeof output, "%s/output.mote", folder);
	if (mote_checkpoint_convert(ADDER, source, &options, &report, &error))
		fail_msg("%s", error.message);
	return 0;
}

static int remove_source(void **state)
{
	(void)state;
	unlink(output);
	unlink(source);
	return rmdir(folder);
}

static enum mote_status quantize(struct mote_pipeline_options *o, struct mote_error *error)
{
	struct mote_pipeline_result result = {0};
	struct mote_text calibration = {0}, validation = {0};
	enum mote_status status;

	o->input = source;
	o->output = output;
	o->tool = "test 1";
	if (!o->calibration)
		o->calibration = &calibration;
	if (!o->validation)
		o->validation = &validation;
	status = mote_pipeline_run(o, &result, error);
	mote_pipeline_result_free(&result);
	mote_text_free(&calibration);
	mote_text_free(&validation);
	return status;
}

/* ---- the source ---- */

static void flip(uint64_t place)
{
	FILE *f = fopen(source, "r+b");
	int byte;

	assert_non_null(f);
	assert_int_equal(fseek(f, (long)place, SEEK_SET), 0);
	byte = fgetc(f);
	assert_int_equal(fseek(f, (long)place, SEEK_SET), 0);
	fputc(byte ^ 0x40, f);
	fclose(f);
}

/* One bit of one weight, in a matrix and in a norm, whichever encoder would read it: no file, and the tensor's name. */
static void test_damaged_source(void **state)
{
	static const char *const names[] = {"model.layers.1.mlp.up_proj.weight", "model.norm.weight"};
	static const enum mote_encoder encoders[] = {MOTE_ENCODER_ROUND, MOTE_ENCODER_GPTQ};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct mote_pipeline_options o = { .recipe = {.type = MOTE_Q4, .encoder = encoders[i / 2]},
						   .no_validation = true, .threads = 1 };
		struct mote_container *c;
		struct mote_error error = {0};
		uint64_t place;

		assert_int_equal(mote_container_open(source, &c, NULL), MOTE_OK);
		place = mote_container_find(c, names[i % 2])->offset + 10;
		mote_container_close(c);
		flip(place);
		assert_int_equal(quantize(&o, &error), MOTE_ERROR_CORRUPT);
		flip(place);
		assert_non_null(strstr(error.message, names[i % 2]));
		assert_int_not_equal(access(output, F_OK), 0);
	}
}

/* A container of one matrix and one vector, all weights 1 but the last of the vector. */
static struct mote_container *make_container(const char *path, float last)
{
	float matrix[16 * 2], vector[3] = {1, 1, last};
	cJSON *metadata = cJSON_CreateObject();
	struct mote_container *c = NULL;
	struct mote_writer *w = NULL;

	for (int i = 0; i < 32; i++)
		matrix[i] = 1;
	assert_int_equal(mote_writer_open(path, true, &w, NULL), MOTE_OK);
	assert_int_equal(mote_writer_add_tensor(w, "m", 2, MOTE_F32, 16, 2, NULL, NULL), MOTE_OK);
	assert_int_equal(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 3, 1, NULL, NULL), MOTE_OK);
	assert_int_equal(mote_writer_write(w, matrix, sizeof matrix, NULL), MOTE_OK);
	assert_int_equal(mote_writer_write(w, vector, sizeof vector, NULL), MOTE_OK);
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_METADATA, metadata, NULL), MOTE_OK);
	assert_int_equal(mote_writer_finish(w, NULL), MOTE_OK);
	assert_int_equal(mote_writer_commit(w, NULL), MOTE_OK);
	cJSON_Delete(metadata);
	assert_int_equal(mote_container_open(path, &c, NULL), MOTE_OK);
	return c;
}

/* Vectors are copied, so nothing else would look at them. */
static void test_vectors_are_finite(void **state)
{
	static const float last[] = {1, NAN, INFINITY, -INFINITY};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct mote_container *c = make_container(output, last[i]);
		struct mote_recipe recipe = {.type = MOTE_Q8};
		struct mote_quantizer q = {0};
		struct mote_error error = {0};

		assert_int_equal(mote_quantizer_init(&q, c, &recipe, 1, &error), MOTE_OK);
		assert_int_equal(mote_quantizer_check_source(&q, NULL, &error), i ? MOTE_ERROR_UNSUPPORTED : MOTE_OK);
		assert_true(i == 0 || (strstr(error.message, "'v'") && strstr(error.message, "[2]")));
		mote_quantizer_free(&q);
		mote_container_close(c);
	}
	unlink(output);
}

/* ---- texts ---- */

#define LATIN_16 "a\0b\0c\0d\0e\0f\0g\0h\0"
#define LATIN_64 LATIN_16 LATIN_16 LATIN_16 LATIN_16

static void test_texts_that_are_none(void **state)
{
	static const struct {
		const char *data;
		size_t bytes;
		const char *words; /* of the message; NULL: it is text */
	} texts[] = {
		{"", 0, NULL},
		{"a", 1, NULL},
		{"Gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x98\x80", 12, NULL},
		{"\xef\xbb\xbf" "a mark of UTF-8", 18, NULL},
		{"\xff\xfe" "a\0b\0c\0", 8, "UTF-16"},
		{"\xfe\xff\0" "a\0" "b\0" "c", 8, "UTF-16"},
		{"a\0b\0c\0 \0d\0", 10, "UTF-16"},
		{"\0" "a\0" "b\0" "c\0 \0" "d", 10, "UTF-16"},
		{LATIN_64 "\0a", 66, "UTF-16"}, /* looked at no further than 64 bytes */
		{LATIN_64 "abcd", 68, "UTF-16"},
		{"Gr\xfc\xdf" "e", 5, "byte 2 (0xfc)"},
		{"cut \xe2\x82", 6, "byte 4 (0xe2)"},
		{"a\0" "bcdef", 7, "byte 1 is a NUL"},
		{"ab\0", 3, "byte 2 is a NUL"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct mote_text t = {.bytes = texts[i].bytes, .name = "some.txt"};
		struct mote_error error = {0};
		enum mote_status status;

		t.data = malloc(t.bytes + 1);
		memcpy(t.data, texts[i].data, t.bytes + 1);
		status = mote_text_check(&t, &error);
		mote_text_free(&t);
		assert_int_equal(status, texts[i].words ? MOTE_ERROR_CORRUPT : MOTE_OK);
		assert_true(!texts[i].words ||
			    (strstr(error.message, texts[i].words) && strstr(error.message, "some.txt")));
	}
}

static void test_calibrates_on_text_only(void **state)
{
	char words[6000];
	struct mote_text calibration = {.data = words, .bytes = sizeof words - 1, .name = "some.txt"};
	struct mote_pipeline_options o = { .recipe = {.type = MOTE_Q4, .encoder = MOTE_ENCODER_WEIGHTED},
					   .no_validation = true, .calibration = &calibration, .threads = 1 };
	struct mote_error error = {0};

	(void)state;
	memset(words, 'x', sizeof words);
	words[5000] = '\xe4';
	assert_int_equal(quantize(&o, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "calibration text: some.txt: byte 5000"));
	assert_int_not_equal(access(output, F_OK), 0);
}

/* ---- how far it is ---- */

/* The first bytes of one of the fixture's texts. */
static struct mote_text read_text(const char *name)
{
	struct mote_text t = {.data = calloc(1, 4001)};
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, ADDER "/%s", name);
	snprintf(t.name, sizeof t.name, "%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	t.bytes = fread(t.data, 1, 4000, f);
	fclose(f);
	return t;
}

struct watcher {
	uint32_t stages, of;
	double before, share;
	uint64_t layers_steps, layers_total; /* of the stage that encodes layer after layer */
	bool finishing, layers, stop;
};

static void watch(void *user, const struct mote_stage *stage)
{
	struct watcher *w = user;

	w->stages++;
	assert_int_equal(stage->number, w->stages);
	assert_true(w->of == 0 || stage->of == w->of); /* one attempt: as many as were announced */
	w->of = stage->of;
	assert_true(fabs(stage->before - w->before - w->share) < 1e-9);
	assert_true(stage->share > 0);
	w->before = stage->before;
	w->share = stage->share;
	w->finishing = strcmp(stage->label, "finishing") == 0;
	w->layers = strcmp(stage->label, "quantizing layers") == 0;
}

static bool go_on(void *user, uint64_t done, uint64_t total)
{
	struct watcher *w = user;

	assert_true(done <= total);
	if (w->layers) {
		w->layers_steps++;
		w->layers_total = total;
	}
	return !(w->finishing && w->stop);
}

/* Every stage that was announced comes, and what they take adds up to the whole; who asks to stop when all is done but
 * the renaming is heard, too. */
static void test_stages(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct mote_text calibration = read_text("calibration.txt"), validation = read_text("heldout.txt");
		struct watcher w = {.stop = i % 2};
		struct mote_progress progress = {go_on, &w};
		enum mote_encoder encoder = i < 4 ? MOTE_ENCODER_GPTQ : MOTE_ENCODER_WEIGHTED;
		struct mote_pipeline_options o = { .recipe = {.type = i == 0 ? MOTE_Q8 : MOTE_Q4, .encoder = encoder},
						   .best_encoder = i < 4, .no_validation = i < 2 || i == 5,
						   .context_tokens = 200, .stage = watch, .progress = &progress,
						   .force = true,
						   .aim = {.goal = i == 3 ? MOTE_GOAL_BITS : MOTE_GOAL_TYPE,
							   .bits = 6} };
		struct mote_error error = {0};

		if (i > 0) { /* else the source writes one */
			o.calibration = &calibration;
			o.validation = &validation;
		}
		assert_int_equal(quantize(&o, &error), w.stop ? MOTE_ERROR_INTERRUPTED : MOTE_OK);
		assert_int_equal(w.stages, w.of);
		assert_true(fabs(w.before + w.share - 1) < 1e-9);
		assert_int_equal(access(output, F_OK), w.stop ? -1 : 0);
		/* Of each layer: the source's, one for each of its four inputs, and what was encoded, but the last. */
		assert_int_equal(w.layers_steps, w.layers_total / (6 * LAYERS) * (6 * LAYERS - 1));
		assert_true(i > 0 && i < 3 ? w.layers_steps > 0 : i < 4 || w.layers_steps == 0);
		unlink(output);
		mote_text_free(&calibration);
		mote_text_free(&validation);
	}
}

/* ---- memory ---- */

static long allocations_left;

static void *failing_malloc(size_t bytes)
{
	return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

/* A model with a template that has no memory to render it must not be taken for one without: the text would be another,
 * and with it every figure. Each allocation for JSON fails once. */
static void test_own_text_without_memory(void **state)
{
	const struct mote_own_text_options options = {.seed = 1, .min_tokens = 64, .threads = 1};
	cJSON_Hooks failing = {failing_malloc, free};
	struct mote_model *m = NULL;
	struct mote_text whole = {0};
	int failed = 0;

	(void)state;
	assert_int_equal(mote_model_open(source, MOTE_WEIGHTS_MAPPED, &m, NULL), MOTE_OK);
	assert_int_equal(mote_text_generate(m, &options, &whole, NULL), MOTE_OK);
	for (long n = 0; n < 12; n++) {
		struct mote_text t = {0};
		struct mote_error error = {0};
		enum mote_status status;

		allocations_left = n;
		cJSON_InitHooks(&failing);
		status = mote_text_generate(m, &options, &t, &error);
		cJSON_InitHooks(NULL);
		failed += status != MOTE_OK;
		if (status == MOTE_OK)
			assert_string_equal(t.data, whole.data);
		else
			assert_int_equal(status, MOTE_ERROR_MEMORY);
		mote_text_free(&t);
	}
	assert_true(failed > 0);
	mote_text_free(&whole);
	mote_model_close(m);
}

/* A varied text has the same documents at every other place, and begins the rest without the template; on any number of
 * threads. */
static void test_varied_text(void **state)
{
	static const char form[] = "<|im_start|>system";
	struct mote_own_text_options options = {.seed = 1, .min_tokens = 600, .threads = 1};
	struct mote_model *m = NULL;
	struct mote_text usual = {0}, varied = {0}, again = {0};
	const char *second;

	(void)state;
	assert_int_equal(mote_model_open(source, MOTE_WEIGHTS_MAPPED, &m, NULL), MOTE_OK);
	assert_int_equal(mote_text_generate(m, &options, &usual, NULL), MOTE_OK);
	options.varied = true;
	assert_int_equal(mote_text_generate(m, &options, &varied, NULL), MOTE_OK);
	options.threads = 3;
	assert_int_equal(mote_text_generate(m, &options, &again, NULL), MOTE_OK);
	assert_string_equal(varied.data, again.data);
	assert_int_equal(mote_text_check(&varied, NULL), MOTE_OK);
	second = strstr(usual.data + 1, form);
	assert_non_null(second);
	assert_int_equal(strncmp(usual.data, varied.data, (size_t)(second - usual.data)), 0);
	assert_int_not_equal(strncmp(varied.data + (second - usual.data), form, strlen(form)), 0);
	mote_text_free(&usual);
	mote_text_free(&varied);
	mote_text_free(&again);
	mote_model_close(m);
}

/* A token that ends a turn is no part of what the user says, also where it is a sign like others. */
static void test_users_turn_ends(void **state)
{
	static const char user[] = "<|im_start|>user\n", end[] = "<|im_end|>";
	const struct mote_own_text_options options = {.seed = 1, .min_tokens = 1, .threads = 1};
	struct mote_model *m = NULL;

	(void)state;
	assert_int_equal(mote_model_open(source, MOTE_WEIGHTS_MAPPED, &m, NULL), MOTE_OK);
	for (int sign = 0; sign < 2; sign++) {
		const char *turn, *question;
		struct mote_text t = {0};

		if (sign) {
			m->config.n_eos = 1;
			m->config.eos[0] = 33; /* "?" */
		}
		assert_int_equal(mote_text_generate(m, &options, &t, NULL), MOTE_OK);
		turn = strstr(t.data, user);
		assert_non_null(turn);
		question = strchr(turn, '?'); /* the seed's first turn is a question */
		assert_int_equal(question && question < strstr(turn, end), !sign);
		mote_text_free(&t);
	}
	mote_model_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_source),
		cmocka_unit_test(test_vectors_are_finite),
		cmocka_unit_test(test_texts_that_are_none),
		cmocka_unit_test(test_calibrates_on_text_only),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_own_text_without_memory),
		cmocka_unit_test(test_varied_text),
		cmocka_unit_test(test_users_turn_ends),
	};

	return cmocka_run_group_tests(tests, make_source, remove_source);
}
