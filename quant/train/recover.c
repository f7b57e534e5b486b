/* Recovery: see recover.h. A step takes some passages of the text at random, lets the source say what it would, and
 * moves the student towards it.
 */
#include "quant/train/recover.h"

#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "format/output.h"
#include "quant/train/random.h"
#include "quant/train/recovery.h"
#include "quant/train/state_file.h"

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
/* From one writing of the state to the next. */
#define STATE_SECONDS 600.0

static const struct mote_student_rates usual = {.code = 0.014, .scale = 2e-3, .vector = 1e-3};

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

uint64_t mote_recovery_step_tokens(const struct mote_recovery *r)
{
	return (uint64_t)r->sequences * r->length;
}

/* ---- what is needed ---- */

static enum mote_status read_text(struct mote_recovery *r, const struct mote_text *text, struct mote_error *error)
{
	enum mote_status status = mote_text_encode(r->source, text, false, &r->text, error);
	size_t held;

	if (status != MOTE_OK)
		return status;
	if (r->text.count < 4 * (size_t)r->length)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the calibration text has %zu tokens; to recover "
				      "from it takes at least %u", r->text.count, 4 * r->length);
	held = r->text.count / 10 < HELD_TOKENS_MAX ? r->text.count / 10 : HELD_TOKENS_MAX;
	held -= held % r->length;
	r->held = held ? held : r->length;
	r->learn = r->text.count - r->held;
	return MOTE_OK;
}

static enum mote_status take_memory(struct mote_recovery *r, struct mote_error *error)
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
	struct mote_recovery *r = user;

	mote_parameters_load_layer(&r->reference, r->source, layer);
}

static enum mote_status prepare(struct mote_recovery *r, struct mote_quantizer *q, const struct mote_text *text,
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
		status = mote_passes_open(&r->passes, c, r->sequences * r->length, r->length, r->o->threads,
					  r->o->isa, error);
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

static void put_passage(struct mote_recovery *r, uint32_t sequence, size_t at)
{
	int32_t *ids = r->ids + (size_t)sequence * r->length;

	memcpy(ids, r->text.id + at, r->length * sizeof *ids);
	if (r->text.bos)
		ids[0] = r->source->config.bos;
}

static void load_student(void *user, uint32_t layer)
{
	struct mote_recovery *r = user;
	struct mote_train_hooks h = mote_student_hooks(&r->student);

	h.load(h.user, layer);
}

static void move_student(void *user, uint32_t layer)
{
	struct mote_recovery *r = user;
	struct mote_train_hooks h = mote_student_hooks(&r->student);

	h.done(h.user, layer);
}

/* Between layers, so that a stop takes no step's time. Where a state is kept, a student that moves already is moved by
 * the whole step first. */
static bool stop(void *user)
{
	struct mote_recovery *r = user;

	return (!r->moving || !r->o->state) && !mote_recovery_go_on(r, 0);
}

/* Forward through both; the rows' divergences, and with `learn` the student's gradients, by which it moves.
 * False: stopped. */
static bool compare(struct mote_recovery *r, uint32_t sequences, bool learn)
{
	struct mote_train_batch batch = {.sequences = sequences, .length = r->length, .ids = r->ids};
	struct mote_train_hooks source = {.load = r->reference.layered ? load_reference : NULL, .stop = stop,
					  .user = r};
	struct mote_train_hooks hooks = {.load = load_student, .done = move_student, .stop = stop, .user = r};
	struct mote_loss loss = {.kind = MOTE_LOSS_KL, .weight = r->weight, .reference = r->hidden,
				 .reference_head = r->reference.head->w, .gradient = learn, .value = r->value};
	uint32_t rows = sequences * r->length;

	for (uint32_t i = 0; i < rows; i++)
		r->weight[i] = 1 / (float)rows;
	mote_passes_forward(&r->passes, &r->reference, &batch, false, &source);
	if (r->stopped)
		return false;
	memcpy(r->hidden, r->passes.hidden, (size_t)rows * r->source->config.hidden * sizeof *r->hidden);
	mote_passes_forward(&r->passes, &r->student.w, &batch, learn, &hooks);
	if (r->stopped)
		return false;
	mote_passes_loss(&r->passes, &r->student.w, &loss);
	r->moving = learn;
	if (learn)
		mote_passes_backward(&r->passes, &r->student.w, &hooks);
	r->moving = false;
	return !r->stopped;
}

void mote_recovery_step(struct mote_recovery *r, uint64_t number, uint32_t sequences)
{
	uint64_t warm_up = r->steps / 10 < WARM_UP_STEPS ? r->steps / 10 : WARM_UP_STEPS, random = r->random;
	bool chosen = r->o->rates.code > 0 || r->o->rates.scale > 0 || r->o->rates.vector > 0;

	for (uint32_t i = 0; i < sequences; i++)
		put_passage(r, i, (size_t)(mote_random_next(&r->random) % (r->learn - r->length + 1)));
	mote_student_begin(&r->student, chosen ? &r->o->rates : &usual, number,
			   mote_schedule_cosine(number, r->steps + 1, warm_up + 1, FLOOR));
	if (compare(r, sequences, true))
		mote_student_end(&r->student);
	else
		r->random = random;
}

/* ---- the whole ---- */

static enum mote_status interrupted(struct mote_recovery *r, struct mote_error *error)
{
	enum mote_status status;

	if (!r->o->state || !r->steps)
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	status = mote_recovery_save(r, error);
	return status ? status : mote_error_set(error, MOTE_ERROR_INTERRUPTED,
						"interrupted at step %llu of %llu; the same command goes "
						"on from there", (unsigned long long)r->step,
						(unsigned long long)r->steps);
}

/* The mean divergence on what is held out. */
static bool measure(struct mote_recovery *r, double *kld)
{
	uint32_t n = (uint32_t)(r->held / r->length);
	double sum = 0;

	mote_student_begin(&r->student, &usual, 1, 0);
	for (uint32_t i = 0; i < n; i += r->sequences) {
		uint32_t some = n - i < r->sequences ? n - i : r->sequences;

		for (uint32_t j = 0; j < some; j++)
			put_passage(r, j, r->learn + (size_t)(i + j) * r->length);
		if (!compare(r, some, false))
			return false;
		for (uint32_t row = 0; row < some * r->length; row++)
			sum += r->value[row];
		if (!mote_recovery_go_on(r, MOTE_RECOVERY_MEASURED * some * r->length))
			return false;
	}
	*kld = sum / (double)(n * r->length);
	return true;
}

/* Measured and planned, or taken up where a state says. */
static enum mote_status begin(struct mote_recovery *r, struct mote_error *error)
{
	enum mote_status status = r->o->state ? mote_recovery_identify(r, error) : MOTE_OK;
	bool there = false;

	if (status == MOTE_OK && r->o->state)
		status = mote_output_exists(r->o->state, &there, error);
	if (status == MOTE_OK && there) {
		status = mote_recovery_load(r, error);
		r->work = (double)(r->step * mote_recovery_step_tokens(r)) + MOTE_RECOVERY_MEASURED * (double)r->held;
		return status;
	}
	if (status == MOTE_OK && measure(r, &r->before))
		mote_recovery_plan(r);
	return status == MOTE_OK && r->stopped ? interrupted(r, error) : status;
}

static enum mote_status learn(struct mote_recovery *r, struct mote_recover_result *result, struct mote_error *error)
{
	enum mote_status status = begin(r, error);

	r->kept = mote_clock_seconds();
	while (status == MOTE_OK && r->step < r->steps) {
		mote_recovery_step(r, r->step + 1, r->sequences);
		if (r->stopped)
			return interrupted(r, error);
		r->step++;
		if (!mote_recovery_go_on(r, (double)mote_recovery_step_tokens(r)))
			return interrupted(r, error);
		if (r->o->state && mote_clock_seconds() - r->kept >= STATE_SECONDS)
			status = mote_recovery_save(r, error);
	}
	if (status != MOTE_OK)
		return status;
	result->tokens = r->steps * mote_recovery_step_tokens(r);
	result->before = r->before;
	mote_student_settle(&r->student);
	if (!measure(r, &result->after))
		return interrupted(r, error); /* settled once more, scales stay what they are */
	result->kept = result->after < result->before;
	status = result->kept ? mote_student_put(&r->student, error) : MOTE_OK;
	result->seconds = mote_clock_seconds() - r->began;
	return status;
}

enum mote_status mote_recover(struct mote_quantizer *q, const struct mote_model *source, const struct mote_text *text,
			      const struct mote_recover_options *options, struct mote_recover_result *result,
			      struct mote_error *error)
{
	struct mote_recovery r = {.o = options, .source = source, .length = passage_tokens(&source->config),
				  .sequences = passages(&source->config), .random = options->seed,
				  .began = mote_clock_seconds()};
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
