/* Codebooks: that of the normal distribution, and one that is learned from a matrix by Lloyd's algorithm. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/encode/encode_run.h"

#define BLOCK MOTE_BLOCK_COLS

enum {
	CODEBOOK_PANELS = 64,    /* that a learned codebook looks at, spread over the matrix */
	CODEBOOK_ROUNDS = 8
};

static const uint8_t normal4[16] = {1, 28, 47, 63, 76, 89, 101, 114, 128, 142, 155, 167, 180, 195, 212, 234};
static const uint8_t normal3[16] = {1, 47, 80, 106, 130, 155, 184, 223};

const uint8_t *mote_type_normal_codebook(enum mote_type type)
{
	const enum mote_type plain = mote_type_plain(type);

	return plain == MOTE_Q4 ? normal4 : plain == MOTE_Q3 ? normal3 : NULL;
}

void mote_encode_learn_panel(struct encode_run *run, struct encode_means *means, uint32_t n_rows,
			     struct encode_scratch *s)
{
	uint32_t blocks = run->n / BLOCK;

	memset(means, 0, sizeof *means);
	for (uint32_t i = 0; i < n_rows * blocks; i++) {
		const double *weight = mote_encode_weight(run, i % blocks);
		const float *x = s->rows + (size_t)i * BLOCK;
		double scale;

		mote_encode_search_block(run, x, i % blocks, s->quants, s->scales);
		scale = mote_grid_scale_value(&run->grid, *s->scales);
		for (uint32_t j = 0; j < BLOCK; j++) {
			double w = weight ? weight[j] : 1;

			means->sum[s->quants[j]] += w * scale * x[j];
			means->weight[s->quants[j]] += w * scale * scale;
		}
	}
}

static int compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* New codebook: the means, stretched so that the largest is 127 away from zero, in whole numbers. */
static void codebook_from_means(const struct encode_means *means, uint32_t n, const struct mote_grid *g,
				uint8_t codebook[16])
{
	double value[16], largest = 0;

	for (uint32_t k = 0; k < g->levels; k++) {
		double sum = 0, weight = 0;

		for (uint32_t i = 0; i < n; i++) {
			sum += means[i].sum[k];
			weight += means[i].weight[k];
		}
		value[k] = weight > 0 ? sum / weight : g->value[k];
		largest = fabs(value[k]) > largest ? fabs(value[k]) : largest;
	}
	qsort(value, g->levels, sizeof *value, compare_values);
	for (uint32_t k = 0; k < g->levels && largest > 0; k++)
		codebook[k] = (uint8_t)(int)(value[k] * 127 / largest + 128.5);
}

enum mote_status mote_encode_learn_codebook(struct encode_run *run, uint8_t codebook[16], struct mote_error *error)
{
	uint32_t stride = mote_encode_stride(run, CODEBOOK_PANELS);
	enum mote_status status = MOTE_OK;

	run->means = malloc(((size_t)run->target.panels / stride + 1) * sizeof *run->means);
	if (!run->means)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a codebook");
	for (unsigned round = 0; round < CODEBOOK_ROUNDS && status == MOTE_OK; round++) {
		status = mote_encode_run_panels(run, stride, error);
		if (status == MOTE_OK)
			codebook_from_means(run->means, run->panels, &run->grid, codebook);
		if (status == MOTE_OK)
			status = mote_encode_fit_grid(run, codebook, error);
	}
	free(run->means);
	run->means = NULL;
	return status;
}
