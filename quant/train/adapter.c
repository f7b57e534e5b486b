/* Low-rank adapters: see adapter.h. */
#include "quant/train/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "quant/train/random.h"
#include "runtime/kernels/exact.h"

static bool is_adapted(const struct mote_parameter *p)
{
	return p->layer != MOTE_NO_LAYER && p->weight->cols != MOTE_DIM_ONE;
}

static size_t padded(size_t floats)
{
	return (floats + 15) / 16 * 16;
}

static void begin(struct mote_low_rank *l, uint64_t *state)
{
	float most = 1 / mote_exact_sqrtf((float)l->of->cols);

	for (size_t i = 0; i < (size_t)l->rank * l->of->cols; i++)
		l->a[i] = mote_random_uniform(state) * most;
}

/* Where each part lies; without memory it only counts. */
static size_t place(struct mote_adapter *a)
{
	size_t at = 0;

	for (uint32_t i = 0; i < a->parts; i++) {
		struct mote_low_rank *l = &a->part[i];
		size_t b = at + padded((size_t)l->rank * l->of->cols);

		if (a->memory) {
			l->a = a->weights + at;
			l->b = a->weights + b;
			l->a_gradient = a->gradients + at;
			l->b_gradient = a->gradients + b;
		}
		at = b + padded((size_t)l->of->rows * l->rank);
	}
	return at;
}

enum mote_status mote_adapter_init(struct mote_adapter *a, struct mote_parameters *w, uint32_t rank, double alpha,
				   uint64_t seed, uint32_t tokens, struct mote_error *error)
{
	size_t product = padded((size_t)tokens * rank);

	*a = (struct mote_adapter){.part = calloc(w->n, sizeof *a->part), .rank = rank, .alpha = alpha};
	for (uint32_t i = 0; i < w->n && a->part; i++)
		if (is_adapted(&w->parameter[i]))
			a->part[a->parts++] = (struct mote_low_rank){.of = &w->parameter[i], .rank = rank,
								     .scale = (float)(alpha / rank)};
	a->floats = place(a);
	a->memory = a->part ? aligned_alloc(64, (2 * a->floats + product) * sizeof(float)) : NULL;
	if (!a->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for an adapter of rank %u", rank);
	memset(a->memory, 0, (2 * a->floats + product) * sizeof(float));
	a->weights = a->memory;
	a->gradients = a->weights + a->floats;
	place(a);
	for (uint32_t i = 0, part = 0; i < w->n; i++)
		if (is_adapted(&w->parameter[i])) {
			struct mote_low_rank *l = &a->part[part++];

			l->product = a->gradients + a->floats;
			begin(l, &seed);
			w->parameter[i].low = l;
		}
	return MOTE_OK;
}

void mote_adapter_free(struct mote_adapter *a)
{
	free(a->part);
	free(a->memory);
	*a = (struct mote_adapter){0};
}

void mote_adapter_merge(struct mote_parameters *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		struct mote_parameter *p = &w->parameter[i];
		const struct mote_low_rank *l = p->low;

		p->low = NULL;
		for (uint32_t r = 0; l && r < p->rows; r++)
			for (uint32_t k = 0; k < l->rank; k++) {
				float x = l->scale * l->b[(size_t)r * l->rank + k], *row = p->w + (size_t)r * p->cols;

				for (uint32_t c = 0; c < p->cols; c++)
					row[c] += x * l->a[(size_t)k * p->cols + c];
			}
	}
}
