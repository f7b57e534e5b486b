/* Recovery: see recover.h. A step takes some passages of the text at random, lets the source say what it would, and moves the
 * student towards it.
 */
#include "quant/train/recover.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PASSAGE_TOKENS = 256,
	PASSAGES = 16,              /* of a step */
	PASSAGES_LARGE = 8,         /* of a step of a model with more than LARGE_WEIGHTS */
	HELD_TOKENS_MAX = 8192,
	WARM_UP_STEPS = 20          /* at most; and a tenth of all */
};

#define LARGE_WEIGHTS 32e6
/* A source of so many weights is held as f32; of a larger one a layer at a time is. */
#define WHOLE_WEIGHTS 64e6
/* What the step sinks to in the end. */
#define FLOOR 0.02

static const struct mote_student_rates usual = {.code = 0.014, .scale = 2e-3, .vector = 1e-3};

struct recovery {
	const struct mote_recover_options *o;
	const struct mote_model *source;
	struct mote_text_ids text;
	uint32_t length, sequences;
	size_t learn, held;         /* tokens: the first are learnt from, the last are not */
	struct mote_passes passes;
	struct mote_parameters reference;
	struct mote_student student;
	int32_t *ids;               /* of a batch */
	float *hidden, *weight;     /* the reference's states; of each row's loss */
	double *value;
	uint64_t random, steps;
	double began;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double weights(const struct mote_config *c)
{
	struct mote_weight_walk walk = {.config = c};
	double n = 0;

	while (mote_weight_next(&walk))
		n += (double)mote_dim_of(c, walk.weight->rows) * mote_dim_of(c, walk.weight->cols);
	return n;
}

static uint32_t passage_tokens(const struct mote_config *c)
{
	return c->max_positions < PASSAGE_TOKENS ? c->max_positions : PASSAGE_TOKENS;
}

static uint32_t passages(const struct mote_config *c)
{
	return weights(c) > LARGE_WEIGHTS ? PASSAGES_LARGE : PASSAGES;
}

uint32_t mote_recover_step_tokens(const struct mote_config *c)
{
	return passages(c) * passage_tokens(c);
}

/* ---- what is needed ---- */

static enum mote_status read_text(struct recovery *r, const struct mote_text *text, struct mote_error *error)
{
	enum mote_status status = mote_text_encode(r->source, text, false, &r->text, error);
	size_t held;

	if (status != MOTE_OK)
		return status;
	if (r->text.count < 4 * (size_t)r->length)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the calibration text has %zu tokens; to recover from it takes at "
				      "least %u", r->text.count, 4 * r->length);
	held = r->text.count / 10 < HELD_TOKENS_MAX ? r->text.count / 10 : HELD_TOKENS_MAX;
	held -= held % r->length;
	r->held = held ? held : r->length;
	r->learn = r->text.count - r->held;
	return MOTE_OK;
}

static enum mote_status take_memory(struct recovery *r, struct mote_error *error)
{
	size_t rows = (size_t)r->sequences * r->length;

	r->ids = malloc(rows * sizeof *r->ids);
	r->hidden = malloc(rows * r->source->config.hidden * sizeof *r->hidden);
	r->weight = malloc(rows * sizeof *r->weight);
	r->value = malloc(rows * sizeof *r->value);
	if (!r->ids || !r->hidden || !r->weight || !r->value)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu tokens at once", rows);
	return MOTE_OK;
}

static void load_reference(void *user, uint32_t layer)
{
	struct recovery *r = user;

	mote_parameters_load_layer(&r->reference, r->source, layer);
}

static enum mote_status prepare(struct recovery *r, struct mote_quantizer *q, const struct mote_text *text,
				struct mote_error *error)
{
	const struct mote_config *c = &r->source->config;
	bool whole = weights(c) <= WHOLE_WEIGHTS;
	enum mote_status status = mote_parameters_check(c, error);

	if (status == MOTE_OK)
		status = read_text(r, text, error);
	if (status == MOTE_OK)
		status = take_memory(r, error);
	if (status == MOTE_OK)
		status = mote_passes_open(&r->passes, c, r->sequences * r->length, r->length, r->o->threads, r->o->isa, error);
	if (status == MOTE_OK)
		status = mote_parameters_init(&r->reference, c, whole ? 0 : MOTE_PARAMETERS_LAYERED, error);
	if (status == MOTE_OK)
		status = mote_student_init(&r->student, q, &r->passes, c, error);
	if (status != MOTE_OK)
		return status;
	load_reference(r, MOTE_NO_LAYER);
	for (uint32_t i = 0; i < c->layers && whole; i++)
		load_reference(r, i);
	return MOTE_OK;
}

/* ---- one batch ---- */

static void put_passage(struct recovery *r, uint32_t sequence, size_t at)
{
	int32_t *ids = r->ids + (size_t)sequence * r->length;

	memcpy(ids, r->text.id + at, r->length * sizeof *ids);
	if (r->text.bos)
		ids[0] = r->source->config.bos;
}

/* Forward through both; the rows' divergences, and with `learn` the student's gradients. */
static void compare(struct recovery *r, uint32_t sequences, bool learn)
{
	struct mote_train_batch batch = {sequences, r->length, r->ids};
	struct mote_train_hooks source = {.load = load_reference, .user = r}, hooks = mote_student_hooks(&r->student);
	struct mote_loss loss = {.kind = MOTE_LOSS_KL, .weight = r->weight, .reference = r->hidden,
				 .reference_head = r->reference.head->w, .gradient = learn, .value = r->value};
	uint32_t rows = sequences * r->length;

	for (uint32_t i = 0; i < rows; i++)
		r->weight[i] = 1 / (float)rows;
	mote_passes_forward(&r->passes, &r->reference, &batch, false, r->reference.layered ? &source : NULL);
	memcpy(r->hidden, r->passes.hidden, (size_t)rows * r->source->config.hidden * sizeof *r->hidden);
	mote_passes_forward(&r->passes, &r->student.w, &batch, learn, &hooks);
	mote_passes_loss(&r->passes, &r->student.w, &loss);
	if (learn)
		mote_passes_backward(&r->passes, &r->student.w, &hooks);
}

static void step(struct recovery *r, uint64_t number)
{
	uint64_t warm_up = r->steps / 10 < WARM_UP_STEPS ? r->steps / 10 : WARM_UP_STEPS;
	bool chosen = r->o->rates.code > 0 || r->o->rates.scale > 0 || r->o->rates.vector > 0;

	for (uint32_t i = 0; i < r->sequences; i++)
		put_passage(r, i, (size_t)(next(&r->random) % (r->learn - r->length + 1)));
	mote_student_begin(&r->student, chosen ? &r->o->rates : &usual, number,
			   mote_schedule_cosine(number, r->steps + 1, warm_up + 1, FLOOR));
	compare(r, r->sequences, true);
	mote_student_end(&r->student);
}

/* ---- the whole ---- */

static bool go_on(const struct recovery *r, uint64_t step)
{
	const struct mote_progress *p = r->o->progress;
	uint64_t tokens = mote_recover_step_tokens(&r->source->config);

	return !p || p->update(p->user, step * tokens, (r->steps ? r->steps : 1) * tokens);
}

static enum mote_status interrupted(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
}

/* The mean divergence on what is held out. */
static enum mote_status measure(struct recovery *r, uint64_t done, double *kld, struct mote_error *error)
{
	uint32_t n = (uint32_t)(r->held / r->length);
	double sum = 0;

	mote_student_begin(&r->student, &usual, 1, 0);
	for (uint32_t i = 0; i < n; i += r->sequences) {
		uint32_t some = n - i < r->sequences ? n - i : r->sequences;

		for (uint32_t j = 0; j < some; j++)
			put_passage(r, j, r->learn + (size_t)(i + j) * r->length);
		compare(r, some, false);
		for (uint32_t row = 0; row < some * r->length; row++)
			sum += r->value[row];
		if (!go_on(r, done))
			return interrupted(error);
	}
	*kld = sum / (double)(n * r->length);
	return MOTE_OK;
}

/* How many steps there is time for: the first measuring says what the last will take, and a step that learns nothing, done
 * once to touch its memory and then for some time, says what a step takes. */
static void plan_by_time(struct recovery *r)
{
	double measured = now() - r->began, start, each;
	uint64_t random = r->random;
	uint32_t n = 0;

	r->student.frozen = true;
	step(r, 1);
	start = now();
	do {
		step(r, 1);
		n++;
		each = (now() - start) / n;
	} while (now() - start < 0.5);
	r->student.frozen = false;
	r->random = random;
	each = (r->o->seconds - (now() - r->began) - measured) / each;
	r->steps = each > 1 ? (uint64_t)each : 1;
}

static enum mote_status learn(struct recovery *r, struct mote_recover_result *result, struct mote_error *error)
{
	uint32_t tokens = mote_recover_step_tokens(&r->source->config);
	enum mote_status status = measure(r, 0, &result->before, error);

	if (status != MOTE_OK)
		return status;
	r->steps = (r->o->tokens + tokens - 1) / tokens;
	if (r->o->tokens == 0)
		plan_by_time(r);
	for (uint64_t i = 1; i <= r->steps; i++) {
		step(r, i);
		if (!go_on(r, i))
			return interrupted(error);
	}
	result->tokens = r->steps * tokens;
	mote_student_settle(&r->student);
	status = measure(r, r->steps, &result->after, error);
	result->kept = status == MOTE_OK && result->after < result->before;
	return result->kept ? mote_student_put(&r->student, error) : status;
}

enum mote_status mote_recover(struct mote_quantizer *q, const struct mote_model *source, const struct mote_text *text,
			      const struct mote_recover_options *options, struct mote_recover_result *result,
			      struct mote_error *error)
{
	struct recovery r = {.o = options, .source = source, .length = passage_tokens(&source->config),
			     .sequences = passages(&source->config), .random = options->seed, .began = now()};
	enum mote_status status = prepare(&r, q, text, error);

	*result = (struct mote_recover_result){0};
	if (status == MOTE_OK)
		status = learn(&r, result, error);
	mote_student_free(&r.student);
	mote_parameters_free(&r.reference);
	mote_passes_close(&r.passes);
	free(r.text.id);
	free(r.ids);
	free(r.hidden);
	free(r.weight);
	free(r.value);
	return status;
}
