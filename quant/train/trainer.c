/* Batches and steps: see trainer.h. */
#include "quant/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/train/random.h"
#include "runtime/kernels/exact.h"

static bool prefers(const struct mote_trainer *t)
{
	return t->s.objective >= MOTE_OBJECTIVE_SIGMOID;
}

static double sigmoid(double x)
{
	return x < 0 ? mote_exact_exp(x) / (1 + mote_exact_exp(x)) : 1 / (1 + mote_exact_exp(-x));
}

/* ---- what is computed at once ---- */

/* Examples of a step, at most two of a record, longest first; `from` on are to be done. */
struct portion {
	const struct mote_examples *examples;
	uint32_t *example;
	uint32_t n, length;
};

/* Ids and targets of a portion's examples; every target's weight is 1. */
static struct mote_train_batch lay_out(struct mote_trainer *t, const struct portion *p)
{
	const struct mote_examples *e = p->examples;
	size_t rows = (size_t)p->n * p->length;

	memset(t->ids, 0, rows * sizeof *t->ids);
	memset(t->target, 0, rows * sizeof *t->target);
	memset(t->weight, 0, rows * sizeof *t->weight);
	for (uint32_t i = 0; i < p->n; i++) {
		const struct mote_example *x = &e->example[p->example[i]];
		size_t row = (size_t)i * p->length;

		memcpy(t->ids + row, e->id + x->at, x->length * sizeof *t->ids);
		for (uint32_t k = 1; k < x->length; k++) {
			t->target[row + k - 1] = e->id[x->at + k];
			t->weight[row + k - 1] = e->target[x->at + k];
		}
		t->tokens += x->length;
	}
	return (struct mote_train_batch){.sequences = p->n, .length = p->length, .ids = t->ids};
}

/* The sum of a portion's rows for its i-th example. */
static double sum_of(const struct mote_trainer *t, const struct portion *p, uint32_t i)
{
	double sum = 0;

	for (uint32_t k = 0; k < p->length; k++)
		sum += t->value[(size_t)i * p->length + k];
	return sum;
}

static void scale_rows(struct mote_trainer *t, const struct portion *p, uint32_t i, double by)
{
	for (uint32_t k = 0; k < p->length; k++)
		t->weight[(size_t)i * p->length + k] *= (float)by;
}

static void compute_loss(struct mote_trainer *t, enum mote_loss_kind kind, bool gradient)
{
	struct mote_loss loss = {.kind = kind, .weight = t->weight, .target = t->target, .gradient = gradient,
				 .value = t->value};

	mote_passes_loss(&t->passes, &t->w, &loss);
}

/* Portions of examples[0..n), of a width that is even for pairs: calls fn for each. Longest first, so that little is
 * filled up; equals stay in order. */
typedef void portion_fn(struct mote_trainer *t, const struct portion *p, void *user);

static uint32_t length_of(const struct mote_examples *e, const uint32_t *example, uint32_t width)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < width; i++)
		length = e->example[example[i]].length > length ? e->example[example[i]].length : length;
	return length;
}

static void for_portions(struct mote_trainer *t, const struct mote_examples *e, uint32_t *example, uint32_t n,
			 uint32_t width, portion_fn *fn, void *user)
{
	uint32_t keep[2];

	for (uint32_t i = width; i < n; i += width) { /* by insertion: a step's records are few */
		uint32_t length = length_of(e, example + i, width), at = i;

		memcpy(keep, example + i, width * sizeof *keep);
		for (; at > 0 && length_of(e, example + at - width, width) < length; at -= width)
			memcpy(example + at, example + at - width, width * sizeof *keep);
		memcpy(example + at, keep, width * sizeof *keep);
	}
	for (uint32_t i = 0; i < n; ) {
		struct portion p = {.examples = e, .example = example + i, .length = length_of(e, example + i, width)};

		while (p.n == 0 || (i + p.n < n && (size_t)(p.n + width) * p.length <= t->s.rows))
			p.n += width;
		fn(t, &p, user);
		i += p.n;
	}
}

/* ---- supervised ---- */

struct supervised {
	double loss;
	uint64_t targets;            /* of the whole batch */
	bool learn;
	const struct mote_progress *progress; /* of what is only measured, or NULL */
	uint32_t done;
	bool stopped;                /* somebody asked to */
};

/* NEFTune (Jain et al. 2023). What is drawn depends on seed, step and record alone, so that neither what is computed at
 * once nor an interruption changes it. */
static void draw_noise(struct mote_trainer *t, const struct portion *p, struct mote_train_batch *batch)
{
	for (uint32_t i = 0; i < p->n; i++) {
		double numbers = (double)p->examples->example[p->example[i]].length * t->config.hidden;
		uint64_t state = t->s.seed;

		state = mote_random_next(&state) + t->step;
		state = mote_random_next(&state) + p->example[i];
		t->noise[i] = (struct mote_train_noise){mote_random_next(&state),
							(float)(t->s.neftune / sqrt(numbers))};
	}
	batch->noise = t->noise;
}

static void learn_answers(struct mote_trainer *t, const struct portion *p, void *user)
{
	struct supervised *s = user;
	struct mote_train_batch batch;

	if (s->stopped)
		return;
	batch = lay_out(t, p);
	if (s->learn && t->s.neftune > 0)
		draw_noise(t, p, &batch);
	mote_passes_forward(&t->passes, &t->w, &batch, s->learn, NULL);
	for (uint32_t i = 0; i < p->n; i++)
		scale_rows(t, p, i, 1 / (double)s->targets);
	compute_loss(t, s->learn && t->s.objective == MOTE_OBJECTIVE_DFT ? MOTE_LOSS_DFT : MOTE_LOSS_NLL, s->learn);
	for (uint32_t i = 0; i < p->n; i++)
		s->loss += sum_of(t, p, i) / (double)s->targets;
	if (s->learn)
		mote_passes_backward(&t->passes, &t->w, NULL);
	s->done += p->n;
	s->stopped = s->progress && !s->progress->update(s->progress->user, s->done, p->examples->n);
}

static uint64_t targets_of(const struct mote_examples *e, const uint32_t *example, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += e->example[example[i]].targets;
	return sum;
}

/* ---- preferences ---- */

struct preferences {
	double loss, margin;
	uint32_t pairs;              /* of the whole batch */
	double *reference;           /* only measured: ln p of each example goes there */
};

/* What a pair adds to the loss, and the loss's derivative by ln p of the chosen and of the rejected answer. */
static double pair_loss(const struct mote_trainer *t, double chosen, double rejected, double d[2])
{
	double beta = t->s.beta, c = sigmoid(beta * chosen), r = sigmoid(beta * rejected), wrong;

	if (t->s.objective == MOTE_OBJECTIVE_APO_ZERO) {
		d[0] = -beta * c * (1 - c);
		d[1] = beta * r * (1 - r);
		return 1 - c + r;
	}
	wrong = sigmoid(beta * (rejected - chosen));
	d[0] = -beta * wrong;
	d[1] = beta * wrong;
	return beta * (rejected - chosen) > 700 ? beta * (rejected - chosen) : -mote_exact_log(1 - wrong);
}

static void learn_pairs(struct mote_trainer *t, const struct portion *p, void *user)
{
	struct preferences *s = user;
	struct mote_train_batch batch = lay_out(t, p);

	mote_passes_forward(&t->passes, &t->w, &batch, !s->reference, NULL);
	compute_loss(t, MOTE_LOSS_NLL, false);
	for (uint32_t i = 0; i < p->n; i += 2) {
		double ratio[2], d[2];

		for (uint32_t k = 0; k < 2; k++) {
			if (s->reference)
				s->reference[p->example[i + k]] = -sum_of(t, p, i + k);
			ratio[k] = -sum_of(t, p, i + k) - t->reference[p->example[i + k]];
		}
		s->loss += pair_loss(t, ratio[0], ratio[1], d) / s->pairs;
		s->margin += t->s.beta * (ratio[0] - ratio[1]) / s->pairs;
		for (uint32_t k = 0; k < 2; k++) /* a row's loss is -ln p */
			scale_rows(t, p, i + k, -d[k] / s->pairs);
	}
	if (s->reference)
		return;
	compute_loss(t, MOTE_LOSS_NLL, true);
	mote_passes_backward(&t->passes, &t->w, NULL);
}

enum mote_status mote_trainer_refer(struct mote_trainer *t, const struct mote_progress *progress,
				    struct mote_error *error)
{
	struct preferences s = {.pairs = 1, .reference = t->reference};

	for (uint32_t r = 0; prefers(t) && r < t->records; r += t->s.batch) {
		uint32_t n = t->records - r < t->s.batch ? t->records - r : t->s.batch;
		uint32_t example[2 * MOTE_TRAIN_MOST_BATCH];

		for (uint32_t i = 0; i < 2 * n; i++)
			example[i] = 2 * r + i;
		for_portions(t, t->examples, example, 2 * n, 2, learn_pairs, &s);
		if (progress && !progress->update(progress->user, r + n, t->records))
			return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	t->tokens = 0;
	return MOTE_OK;
}

/* ---- steps ---- */

/* The epoch's order: the same for the same seed, whatever came before. */
static void shuffle(struct mote_trainer *t, uint32_t epoch)
{
	uint64_t state = t->s.seed * 0x2545f4914f6cdd1du + epoch;

	for (uint32_t i = 0; i < t->records; i++)
		t->order[i] = i;
	for (uint32_t i = t->records; i > 1; i--) {
		uint32_t k = (uint32_t)(mote_random_next(&state) % i), last = t->order[i - 1];

		t->order[i - 1] = t->order[k];
		t->order[k] = last;
	}
	t->epoch = epoch;
}

/* Examples of the step to come; returns how many. */
static uint32_t choose(struct mote_trainer *t, uint32_t *example)
{
	uint32_t each = t->steps / t->s.epochs, first = t->step % each * t->s.batch, width = prefers(t) ? 2 : 1;
	uint32_t n = t->records - first < t->s.batch ? t->records - first : t->s.batch;

	if (t->epoch != t->step / each)
		shuffle(t, t->step / each);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < width; k++)
			example[i * width + k] = t->order[first + i] * width + k;
	return n * width;
}

struct update {
	struct mote_adamw_step step[2]; /* of vectors, which do not decay; of matrices */
	float *m, *v;
	const struct mote_trained *p;
};

enum { UPDATE_FLOATS = 1 << 14 };

static void update_piece(struct mote_passes *passes, const void *job, uint32_t piece, float *scratch)
{
	const struct update *u = job;
	size_t at = (size_t)piece * UPDATE_FLOATS, n = u->p->n - at < UPDATE_FLOATS ? u->p->n - at : UPDATE_FLOATS;

	(void)passes;
	(void)scratch;
	mote_adamw_update(&u->step[u->p->decays], u->p->w + at, u->m + at, u->v + at, u->p->g + at, n);
}

static void update(struct mote_trainer *t, double lr, double scale)
{
	struct mote_adamw matrices = {0.9, 0.999, 1e-8, t->s.weight_decay}, vectors = {0.9, 0.999, 1e-8, 0};
	struct update u = {.m = t->moments};

	u.step[0] = mote_adamw_begin(&vectors, lr, t->step + 1, scale);
	u.step[1] = mote_adamw_begin(&matrices, lr, t->step + 1, scale);
	for (uint32_t i = 0; i < t->n_trained; i++) {
		u.p = &t->trained[i];
		u.v = u.m + t->floats;
		mote_passes_each(&t->passes, (uint32_t)((u.p->n + UPDATE_FLOATS - 1) / UPDATE_FLOATS),
				 update_piece, &u);
		u.m += u.p->n;
	}
}

/* One tensor's gradients to zero, or the sum of their squares. */
struct gradients {
	const struct mote_trained *trained;
	double *squares;             /* [n_trained]; NULL: clear */
};

static void visit_gradients(struct mote_passes *passes, const void *job, uint32_t i, float *scratch)
{
	const struct gradients *g = job;

	(void)passes;
	(void)scratch;
	if (g->squares)
		mote_clip_add(g->trained[i].g, g->trained[i].n, &g->squares[i]);
	else
		memset(g->trained[i].g, 0, g->trained[i].n * sizeof(float));
}

static void clear_gradients(struct mote_trainer *t)
{
	mote_passes_each(&t->passes, t->n_trained, visit_gradients, &(struct gradients){t->trained, NULL});
}

/* The squares of all, tensors ascending. */
static double sum_gradients(struct mote_trainer *t)
{
	double sum = 0;

	memset(t->squares, 0, t->n_trained * sizeof *t->squares);
	mote_passes_each(&t->passes, t->n_trained, visit_gradients, &(struct gradients){t->trained, t->squares});
	for (uint32_t i = 0; i < t->n_trained; i++)
		sum += t->squares[i];
	return sum;
}

enum mote_status mote_trainer_step(struct mote_trainer *t, struct mote_train_point *point, struct mote_error *error)
{
	uint32_t example[2 * MOTE_TRAIN_MOST_BATCH], n = choose(t, example);
	uint64_t warm_up = (uint64_t)ceil(t->s.warm_up * t->steps);
	double squares;

	*point = (struct mote_train_point){.lr = t->s.lr *
						 mote_schedule_cosine(t->step + 1, t->steps, warm_up, t->s.floor)};
	clear_gradients(t);
	if (prefers(t)) {
		struct preferences s = {.pairs = n / 2};

		for_portions(t, t->examples, example, n, 2, learn_pairs, &s);
		point->loss = s.loss;
		point->margin = s.margin;
	} else {
		struct supervised s = {.targets = targets_of(t->examples, example, n), .learn = true};

		for_portions(t, t->examples, example, n, 1, learn_answers, &s);
		point->loss = s.loss;
	}
	squares = sum_gradients(t);
	point->norm = sqrt(squares);
	point->tokens = t->tokens;
	if (!isfinite(point->loss) || !isfinite(squares))
		return mote_error_set(error, MOTE_ERROR_QUALITY, "step %u: the loss or its gradient is not finite any "
				      "more; a smaller --lr may help", t->step + 1);
	update(t, point->lr, t->s.clip > 0 ? mote_clip_scale(squares, t->s.clip) : 1);
	t->curve[t->step++] = *point;
	return MOTE_OK;
}

enum mote_status mote_trainer_measure(struct mote_trainer *t, const struct mote_examples *examples,
				      const struct mote_progress *progress, double *loss, struct mote_error *error)
{
	uint32_t example[MOTE_TRAIN_MOST_BATCH];
	struct supervised s = {.progress = progress};
	uint64_t tokens = t->tokens;

	for (uint32_t i = 0; i < examples->n; i++)
		s.targets += examples->example[i].targets;
	for (uint32_t from = 0, n; from < examples->n; from += n) {
		n = examples->n - from < MOTE_TRAIN_MOST_BATCH ? examples->n - from : MOTE_TRAIN_MOST_BATCH;
		for (uint32_t i = 0; i < n; i++)
			example[i] = from + i;
		for_portions(t, examples, example, n, 1, learn_answers, &s);
	}
	t->tokens = tokens;
	*loss = s.loss;
	return s.stopped ? mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted") : MOTE_OK;
}
