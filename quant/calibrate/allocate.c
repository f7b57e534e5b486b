/* Bit allocation by measurement: see allocate.h. */
#include "quant/calibrate/allocate.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/json_build.h"
#include "quant/receipt/receipt.h"

void mote_allocation_free(struct mote_allocation *a)
{
	free(a->tensor);
	*a = (struct mote_allocation){0};
}

static bool has_rule(const struct mote_recipe *recipe, const char *name)
{
	for (uint32_t i = 0; i < recipe->n_rules; i++)
		if (fnmatch(recipe->rules[i].pattern, name, 0) == 0)
			return true;
	return false;
}

static void add_choice(struct mote_sensitivity *s, const struct mote_tensor *t, enum mote_type type)
{
	struct mote_encode_job job = {.source = &t->matrix, .type = type}, plain = job;
	uint64_t bytes = mote_encoded_bytes(&job), plain_bytes;

	plain.type = mote_type_plain(type);
	plain_bytes = mote_encoded_bytes(&plain);
	if (bytes >= plain_bytes) {
		type = plain.type;
		bytes = plain_bytes;
	}
	s->choice[s->choices++] = (struct mote_choice){.type = type, .bytes = bytes};
}

enum mote_status mote_allocation_init(struct mote_allocation *a, const struct mote_quantizer *q,
				      const enum mote_type *types, uint32_t n_types, struct mote_error *error)
{
	*a = (struct mote_allocation){.tensor = calloc(q->tensors + 1u, sizeof *a->tensor)};
	if (!a->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for sensitivities");
	for (uint32_t i = 0; i < q->tensors; i++) {
		const struct mote_tensor *t = q->target[i].tensor;
		struct mote_sensitivity *s = &a->tensor[a->tensors];

		if (t->rank == 1) {
			a->other_bytes += t->bytes;
			continue;
		}
		*s = (struct mote_sensitivity){.name = t->name, .tensor = i, .weights = (uint64_t)t->rows * t->cols};
		if (has_rule(q->recipe, t->name))
			s->choice[s->choices++] = (struct mote_choice){.type = q->target[i].type,
								       .bytes = q->target[i].bytes};
		else
			for (uint32_t k = 0; k < n_types; k++)
				add_choice(s, t, types[k]);
		a->tensors++;
	}
	return MOTE_OK;
}

/* ---- choosing ---- */

uint64_t mote_allocation_bytes(const struct mote_allocation *a)
{
	uint64_t bytes = a->other_bytes;

	for (uint32_t i = 0; i < a->tensors; i++)
		bytes += a->tensor[i].choice[a->tensor[i].chosen].bytes;
	return bytes;
}

double mote_allocation_kld(const struct mote_allocation *a)
{
	double kld = 0;

	for (uint32_t i = 0; i < a->tensors; i++)
		kld += a->tensor[i].choice[a->tensor[i].chosen].kld;
	return kld;
}

/* The steepest step up from a tensor's present choice: from there on its convex hull. Divergence saved a byte, or 0. */
static double best_step(const struct mote_sensitivity *s, uint64_t room, uint32_t *to)
{
	const struct mote_choice *now = &s->choice[s->chosen];
	double best = 0;

	for (uint32_t k = s->chosen + 1; k < s->choices; k++) {
		uint64_t more = s->choice[k].bytes - now->bytes;
		double gain = (now->kld - s->choice[k].kld) / (double)(more ? more : 1);

		if (more <= room && gain > best) {
			best = gain;
			*to = k;
		}
	}
	return best;
}

/* From the smallest types, step by step, until nothing fits or the divergence is at most kld. */
static void climb(struct mote_allocation *a, uint64_t bytes, double kld)
{
	for (uint32_t i = 0; i < a->tensors; i++)
		a->tensor[i].chosen = 0;
	while (mote_allocation_kld(a) > kld) {
		uint64_t room = bytes - mote_allocation_bytes(a);
		uint32_t tensor = 0, choice = 0, to = 0;
		double best = 0;

		for (uint32_t i = 0; i < a->tensors; i++) {
			double gain = best_step(&a->tensor[i], room, &to);

			if (gain > best) {
				best = gain;
				tensor = i;
				choice = to;
			}
		}
		if (best <= 0)
			return;
		a->tensor[tensor].chosen = choice;
	}
}

/* What --type makes: choice k for all that no rule names, the vocabulary's matrices at the largest if it is apart. */
static void choose_uniform(struct mote_allocation *a, uint32_t k, bool vocabulary_apart)
{
	for (uint32_t i = 0; i < a->tensors; i++) {
		struct mote_sensitivity *s = &a->tensor[i];

		if (vocabulary_apart && mote_is_vocabulary_matrix(s->name))
			s->chosen = s->choices - 1;
		else
			s->chosen = k < s->choices ? k : 0;
	}
}

/* The uniform choice of least predicted divergence that fits, or false. */
static bool choose_best_uniform(struct mote_allocation *a, uint64_t bytes)
{
	uint32_t best = 2 * MOTE_ALLOCATE_TYPES;
	double best_kld = 0;

	for (uint32_t i = 0; i < 2 * MOTE_ALLOCATE_TYPES; i++) {
		choose_uniform(a, i / 2, i % 2);
		if (mote_allocation_bytes(a) <= bytes &&
		    (best == 2 * MOTE_ALLOCATE_TYPES || mote_allocation_kld(a) < best_kld)) {
			best = i;
			best_kld = mote_allocation_kld(a);
		}
	}
	choose_uniform(a, best / 2, best % 2);
	return best < 2 * MOTE_ALLOCATE_TYPES;
}

enum mote_status mote_allocation_within_bytes(struct mote_allocation *a, uint64_t bytes, uint64_t uniform_bytes,
					      struct mote_error *error)
{
	bool fits = choose_best_uniform(a, uniform_bytes), mixture_fits;
	double uniform_kld = mote_allocation_kld(a);
	uint64_t least;

	choose_uniform(a, 0, false);
	least = mote_allocation_bytes(a);
	mixture_fits = least <= bytes;
	if (!mixture_fits && !fits)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "the budget leaves %llu bytes for tensors; the smallest types take %llu",
				      (unsigned long long)bytes, (unsigned long long)least);
	if (mixture_fits)
		climb(a, bytes, 0);
	/* A mixture must be predicted to gain more than predictions may be wrong by. */
	a->uniform = fits && (!mixture_fits || mote_allocation_kld(a) >= uniform_kld * (1 - MOTE_ALLOCATE_DOUBT));
	if (a->uniform)
		choose_best_uniform(a, uniform_bytes);
	return MOTE_OK;
}

void mote_allocation_within_kld(struct mote_allocation *a, double kld)
{
	a->uniform = false;
	climb(a, UINT64_MAX, kld);
}

/* ---- the table ---- */

static void add_row(struct mote_json_builder *b, cJSON *rows, const struct mote_sensitivity *s, uint32_t k)
{
	const struct mote_choice *c = &s->choice[k];
	cJSON *row = mote_json_add_object(b, rows, NULL);
	char kld[24];

	snprintf(kld, sizeof kld, "%.2e", c->kld); /* more digits would be noise, and take room in the file */
	mote_json_add_text(b, row, "tensor", s->name);
	mote_json_add_text(b, row, "type", mote_type_name(c->type));
	mote_json_add_number(b, row, "bytes", (double)c->bytes);
	mote_json_add_number(b, row, "kld", strtod(kld, NULL));
	mote_json_add_bool(b, row, "chosen", s->choice[s->chosen].type == c->type);
}

cJSON *mote_allocation_to_json(const struct mote_allocation *a, const struct mote_text *text,
			       const struct mote_plan *plan)
{
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b), *rows;
	char hex[33];

	mote_hash_to_hex(mote_text_hash(text), hex);
	mote_json_add_text(&b, o, "text", text->generated ? "generated" : text->name);
	mote_json_add_text(&b, o, "text_xxh3", hex);
	mote_json_add_number(&b, o, "tokens", (double)mote_plan_rows(plan));
	mote_json_add_text(&b, o, "encoder", mote_encoder_name(MOTE_ENCODER_WEIGHTED));
	mote_json_add_text(&b, o, "measured_type", mote_type_name(MOTE_ALLOCATE_MEASURED));
	mote_json_add_number(&b, o, "predicted_kld", mote_allocation_kld(a));
	rows = mote_json_add_array(&b, o, "rows");
	for (uint32_t i = 0; i < a->tensors; i++)
		for (uint32_t k = 0; k < a->tensor[i].choices; k++)
			if (k == 0 || a->tensor[i].choice[k - 1].type != a->tensor[i].choice[k].type)
				add_row(&b, rows, &a->tensor[i], k);
	return mote_json_finish(&b, &o, "sensitivities", NULL) == MOTE_OK ? o : NULL;
}
