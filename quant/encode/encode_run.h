/* A pass over the panels of a matrix that is encoded, learned from or measured; for the files behind encode_matrix.h
 * alone.
 */
#ifndef MOTE_QUANT_ENCODE_RUN_H
#define MOTE_QUANT_ENCODE_RUN_H

#include <stdatomic.h>

#include "quant/encode/encode_matrix.h"

/* A thread's memory for one panel. */
struct encode_scratch {
	float *rows;       /* [16][n] */
	uint8_t *quants;   /* [16][n] */
	uint16_t *scales;  /* [16][n / 32] */
	void *gptq;
};

/* What the codebook's values would be if each were the weighted mean of the weights that chose it. */
struct encode_means {
	double sum[16], weight[16];
};

struct encode_run {
	struct mote_pool *pool;
	const struct mote_encode_job *job;
	struct mote_matrix target;
	struct mote_grid grid;
	double *weight;              /* [n] importance, zero beyond the columns; or NULL */
	uint32_t n;                  /* columns rounded up to a block */
	struct encode_scratch *scratch;     /* [threads] */
	uint8_t *out;

	struct encode_means *means;         /* learning: [panels looked at]; else NULL */
	double *squares;             /* estimating an error: [panels looked at]; else NULL */
	uint32_t panels, stride;     /* looked at: 0, stride, 2 stride ... */

	const struct mote_progress *progress;
	uint64_t done, total;
	atomic_uint finished;        /* panels */
	atomic_bool stop;
	bool sizing;                 /* only to find the largest magnitude */
	atomic_uint largest;         /* magnitude's bits, of all panels looked at */
	atomic_bool any_encoded;     /* that is not zero */
	float most;                  /* magnitudes from here on do not fit */
	atomic_bool bad_found;       /* the one thread that set it owns what follows */
	uint32_t bad_row, bad_col;
	float bad;
};

/* encode_matrix.c */
/* Every `stride`-th panel, by all threads. MOTE_ERROR_UNSUPPORTED: a weight that the type cannot hold, by name, row and
 * column; MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_encode_run_panels(struct encode_run *run, uint32_t stride, struct mote_error *error);
uint32_t mote_encode_stride(const struct encode_run *run, uint32_t panels); /* with which so many are looked at */
/* Readies the grid for this codebook. Byte scales have a unit by the largest weight, which takes a pass of its own. */
enum mote_status mote_encode_fit_grid(struct encode_run *run, const uint8_t codebook[16], struct mote_error *error);
double *mote_encode_weight(const struct encode_run *run, uint32_t block); /* [32] importance, or NULL */
/* mote_encode_search() of a block x [32]; returns its error. */
double mote_encode_search_block(struct encode_run *run, const float *x, uint32_t block, uint8_t *quants,
				uint16_t *scale);

/* encode_codebook.c */
/* One panel's share of a round of Lloyd's algorithm: weights in units of their block's scale, each counted by what an
 * error there costs. */
void mote_encode_learn_panel(struct encode_run *run, struct encode_means *means, uint32_t n_rows,
			     struct encode_scratch *s);
/* From a codebook to begin with to the learned one, for which the grid is ready then. MOTE_ERROR_MEMORY, and what
 * running gives. */
enum mote_status mote_encode_learn_codebook(struct encode_run *run, uint8_t codebook[16], struct mote_error *error);

#endif
