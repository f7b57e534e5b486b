/* Encodes whole matrices: see encode_matrix.h; codebooks are learned in encode_codebook.c. */
#include "quant/encode/encode_matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/half.h"
#include "quant/encode/encode_run.h"

#define ROWS MOTE_PANEL_ROWS
#define BLOCK MOTE_BLOCK_COLS

enum { SAMPLE_PANELS = 16 }; /* that mote_encode_error() looks at */

uint64_t mote_encoded_bytes(const struct mote_encode_job *job)
{
	struct mote_matrix m;
	uint64_t bytes = 0;

	/* A shape that the source was opened with suits every type, so this cannot fail. */
	if (mote_matrix_init(&m, job->type, job->source->rows, job->source->cols, NULL, NULL, &bytes, NULL))
		return 0;
	return bytes;
}

void mote_panel_unpack(const struct mote_matrix *m, uint32_t panel, float *rows, size_t stride)
{
	const uint8_t *data = m->data + (size_t)panel * m->panel_bytes;
	uint32_t first = panel * ROWS, n_rows = m->rows - first < ROWS ? m->rows - first : ROWS;

	if (n_rows < ROWS || stride > m->cols)
		memset(rows, 0, ROWS * stride * sizeof *rows);
	if (mote_type_is_quantized(m->type)) {
		for (uint32_t r = 0; r < n_rows; r++)
			mote_matrix_decode_row(m, first + r, rows + r * stride);
		return;
	}
	for (uint32_t j = 0; j < m->cols; j++)
		for (uint32_t r = 0; r < n_rows; r++) {
			size_t element = (size_t)j * ROWS + r;
			uint16_t half;

			if (m->type == MOTE_F32) {
				memcpy(&rows[r * stride + j], data + element * 4, 4);
				continue;
			}
			memcpy(&half, data + element * 2, 2);
			rows[r * stride + j] = m->type == MOTE_F16 ? mote_f32_from_f16(half) : mote_f32_from_bf16(half);
		}
}

/* The least magnitude that the type cannot hold. Of a quantized one: what the largest scale of f16 and the farther end
 * of its grid, or 127 steps of 8 bits, leave half a step behind. */
static float beyond(enum mote_type type, const struct mote_grid *grid)
{
	const float f16_most = 65504.0f, f16_infinite = 65520.0f; /* the first that rounds to infinity */

	if (mote_type_is_quantized(type))
		return f16_most * ((float)(grid->low > -127 ? -grid->low : 127) + 0.5f);
	return type == MOTE_F16 ? f16_infinite : type == MOTE_BF16 ? 0x1.ffp127f : __builtin_inff();
}

/* The largest magnitude as bits, which are ordered like the numbers; NaN is above infinity. */
static uint32_t largest_bits(const float *x, size_t n)
{
	int32_t most = 0;

	for (size_t i = 0; i < n; i++) {
		int32_t magnitude = (int32_t)(mote_f32_bits(x[i]) & INT32_MAX);

		most = magnitude > most ? magnitude : most;
	}
	return (uint32_t)most;
}

static bool check_rows(struct encode_run *run, const float *rows, uint32_t first, uint32_t n_rows)
{
	size_t n = (size_t)n_rows * run->n, i = 0;
	uint32_t largest = largest_bits(rows, n);

	if (largest < mote_f32_bits(run->most)) {
		unsigned before = atomic_load(&run->largest);

		while (largest > before && !atomic_compare_exchange_weak(&run->largest, &before, largest))
			;
		return true;
	}
	while (fabsf(rows[i]) < run->most)
		i++;
	if (!atomic_exchange(&run->bad_found, true)) {
		run->bad_row = first + (uint32_t)(i / run->n);
		run->bad_col = (uint32_t)(i % run->n);
		run->bad = rows[i];
	}
	return false;
}

/* Whether there is anything in an encoded panel: a scale, or an element of two bytes, that is not zero. */
static bool any_in(const void *halves, size_t n)
{
	const uint8_t *at = halves;
	uint16_t half;

	for (size_t i = 0; i < n; i++) {
		memcpy(&half, at + 2 * i, 2);
		if (half & 0x7fff)
			return true;
	}
	return false;
}

double *mote_encode_weight(const struct encode_run *run, uint32_t block)
{
	return run->weight ? run->weight + (size_t)block * BLOCK : NULL;
}

double mote_encode_search_block(struct encode_run *run, const float *x, uint32_t block, uint8_t *quants,
				uint16_t *scale)
{
	double wide[BLOCK];

	for (uint32_t j = 0; j < BLOCK; j++)
		wide[j] = x[j];
	return mote_encode_search(&run->grid, wide, mote_encode_weight(run, block), quants, scale);
}

static void encode_panel(struct encode_run *run, uint32_t panel, uint32_t n_rows, struct encode_scratch *s)
{
	const struct mote_encode_job *job = run->job;
	uint32_t blocks = run->n / BLOCK;
	uint8_t *out = run->out + (size_t)panel * run->target.panel_bytes;

	if (!mote_type_is_quantized(job->type)) {
		if (run->n != run->target.cols) /* packing wants rows without padding */
			for (uint32_t r = 1; r < n_rows; r++)
				memmove(s->rows + (size_t)r * run->target.cols, s->rows + (size_t)r * run->n,
					run->target.cols * sizeof *s->rows);
		mote_panel_pack_floats(&run->target, s->rows, n_rows, out);
		if (job->type == MOTE_F32 || any_in(out, (size_t)run->target.panel_bytes / 2))
			atomic_store(&run->any_encoded, true);
		return;
	}
	if (job->encoder == MOTE_ENCODER_GPTQ) {
		const float *lost = job->lost ? job->lost + (size_t)panel * ROWS * run->n : NULL;

		mote_gptq_encode(job->second_order, &run->grid, s->rows, lost, n_rows, s->quants, s->scales, s->gptq);
	} else {
		for (uint32_t i = 0; i < n_rows * blocks; i++) {
			const float *x = s->rows + (size_t)i * BLOCK;
			uint8_t *quants = s->quants + (size_t)i * BLOCK;

			if (job->encoder == MOTE_ENCODER_ROUND)
				mote_encode_round(&run->grid, x, quants, &s->scales[i]);
			else
				mote_encode_search_block(run, x, i % blocks, quants, &s->scales[i]);
		}
	}
	if (any_in(s->scales, (size_t)n_rows * blocks))
		atomic_store(&run->any_encoded, true);
	mote_panel_pack_quants(&run->target, s->quants, s->scales, n_rows, out);
}

static double error_of_panel(struct encode_run *run, uint32_t n_rows, struct encode_scratch *s)
{
	uint32_t blocks = run->n / BLOCK;
	double sum = 0;

	for (uint32_t i = 0; i < n_rows * blocks; i++)
		sum += mote_encode_search_block(run, s->rows + (size_t)i * BLOCK, i % blocks, s->quants, s->scales);
	return sum;
}

static void run_thread(void *user, uint32_t thread, uint32_t threads)
{
	struct encode_run *run = user;
	struct encode_scratch *s = &run->scratch[thread];
	uint32_t item;

	(void)threads;
	while (!atomic_load(&run->stop) && (item = mote_pool_claim(run->pool)) < run->panels) {
		uint32_t panel = item * run->stride, first = panel * ROWS;
		uint32_t n_rows = run->target.rows - first < ROWS ? run->target.rows - first : ROWS;
		uint64_t weights;

		mote_panel_unpack(run->job->source, panel, s->rows, run->n);
		if (!check_rows(run, s->rows, first, n_rows)) {
			atomic_store(&run->stop, true);
			break;
		}
		if (run->sizing)
			continue;
		if (run->means)
			mote_encode_learn_panel(run, &run->means[item], n_rows, s);
		else if (run->squares)
			run->squares[item] = error_of_panel(run, n_rows, s);
		else
			encode_panel(run, panel, n_rows, s);
		weights = (uint64_t)(atomic_fetch_add(&run->finished, 1) + 1) * ROWS * run->target.cols;
		if (thread == 0 && run->progress && !run->means &&
		    !run->progress->update(run->progress->user,
					   run->done + weights < run->total ? run->done + weights : run->total,
					   run->total))
			atomic_store(&run->stop, true);
	}
}

enum mote_status mote_encode_run_panels(struct encode_run *run, uint32_t stride, struct mote_error *error)
{
	run->stride = stride;
	run->panels = (run->target.panels + stride - 1) / stride;
	atomic_store(&run->finished, 0);
	mote_pool_run(run->pool, run_thread, run);
	if (run->bad_found)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "tensor '%s': weight [%u, %u] is %g, which %s cannot hold", run->job->name,
				      run->bad_row, run->bad_col, (double)run->bad, mote_type_name(run->target.type));
	return atomic_load(&run->stop) ? mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted") : MOTE_OK;
}

enum mote_status mote_encode_fit_grid(struct encode_run *run, const uint8_t codebook[16], struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	mote_grid_init(&run->grid, run->job->type, codebook);
	if (!mote_type_has_byte_scales(run->job->type))
		return MOTE_OK;
	run->sizing = true;
	if (atomic_load(&run->largest) == 0)
		status = mote_encode_run_panels(run, 1, error);
	run->sizing = false;
	mote_grid_fit(&run->grid, mote_f32_from_bits(atomic_load(&run->largest)));
	return status;
}

uint32_t mote_encode_stride(const struct encode_run *run, uint32_t panels)
{
	return (run->target.panels + panels - 1) / panels;
}

/* One allocation for all threads' scratch, each piece on 64 bytes; *memory is what to free. */
static bool take_scratch(struct encode_run *run, uint32_t threads, void **memory)
{
	size_t rows = (size_t)ROWS * run->n * sizeof(float), quants = (size_t)ROWS * run->n;
	size_t scales = ((size_t)ROWS * run->n / BLOCK * sizeof(uint16_t) + 63) / 64 * 64;
	size_t gptq = run->job->encoder == MOTE_ENCODER_GPTQ ? mote_gptq_scratch_bytes(run->n) : 0;
	size_t each = rows + quants + scales + gptq;
	uint8_t *at = *memory = aligned_alloc(64, each * threads);

	run->scratch = calloc(threads, sizeof *run->scratch);
	if (!at || !run->scratch)
		return false;
	for (uint32_t t = 0; t < threads; t++, at += each)
		run->scratch[t] = (struct encode_scratch){ .rows = (float *)(void *)at, .quants = at + rows,
						    .scales = (uint16_t *)(void *)(at + rows + quants),
						    .gptq = at + rows + quants + scales };
	return true;
}

static bool take_weight(struct encode_run *run)
{
	if (!run->job->importance)
		return true;
	run->weight = calloc(run->n, sizeof *run->weight);
	if (!run->weight)
		return false;
	memcpy(run->weight, run->job->importance, run->target.cols * sizeof *run->weight);
	return true;
}

/* Everything that a run needs before it can go over panels; end_run() afterwards in any case. */
static enum mote_status begin_run(struct encode_run *run, uint8_t codebook[16], void **memory, struct mote_error *error)
{
	const struct mote_encode_job *job = run->job;
	bool normal = !job->linear && job->encoder != MOTE_ENCODER_ROUND && job->encoder != MOTE_ENCODER_SEARCH;
	uint64_t bytes;
	enum mote_status status = mote_matrix_init(&run->target, job->type, job->source->rows, job->source->cols,
						   NULL, NULL, &bytes, error);

	if (status != MOTE_OK)
		return status;
	run->n = run->target.blocks * BLOCK;
	if (mote_type_has_codebook(job->type))
		memcpy(codebook, normal ? mote_type_normal_codebook(job->type) : mote_type_linear_codebook(job->type),
		       16);
	if (mote_type_is_quantized(job->type))
		mote_grid_init(&run->grid, job->type, codebook);
	run->most = beyond(job->type, &run->grid);
	if (!take_scratch(run, mote_pool_threads(run->pool), memory) || !take_weight(run))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory for encoding", job->name);
	return mote_type_is_quantized(job->type) ? mote_encode_fit_grid(run, codebook, error) : MOTE_OK;
}

static void end_run(struct encode_run *run, void *memory)
{
	free(run->weight);
	free(run->scratch);
	free(memory);
}

enum mote_status mote_encode_matrix(struct mote_pool *pool, const struct mote_encode_job *job, void *out,
				    uint8_t codebook[16], const struct mote_progress *progress, uint64_t done,
				    uint64_t total, struct mote_error *error)
{
	struct encode_run run = {.pool = pool, .job = job, .out = out, .progress = progress, .done = done,
				 .total = total};
	void *memory = NULL;
	enum mote_status status = begin_run(&run, codebook, &memory, error);

	if (status == MOTE_OK && mote_type_has_codebook(job->type) && job->encoder == MOTE_ENCODER_LEARNED &&
	    !job->linear)
		status = mote_encode_learn_codebook(&run, codebook, error);
	if (status == MOTE_OK)
		status = mote_encode_run_panels(&run, 1, error);
	if (status == MOTE_OK && mote_type_has_byte_scales(job->type))
		mote_matrix_put_unit(&run.target, out, run.grid.unit);
	if (status == MOTE_OK && run.largest > 0 && !run.any_encoded)
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "tensor '%s': its weights are so small that all "
					"of them would become zero as %s", job->name, mote_type_name(job->type));
	end_run(&run, memory);
	return status;
}

enum mote_status mote_encode_error(struct mote_pool *pool, const struct mote_encode_job *job, double *squares,
				   struct mote_error *error)
{
	struct encode_run run = {.pool = pool, .job = job};
	double each[SAMPLE_PANELS];
	uint8_t codebook[16];
	void *memory = NULL;
	enum mote_status status = begin_run(&run, codebook, &memory, error);

	run.squares = each;
	if (status == MOTE_OK)
		status = mote_encode_run_panels(&run, mote_encode_stride(&run, SAMPLE_PANELS), error);
	*squares = 0;
	for (uint32_t i = 0; i < run.panels && status == MOTE_OK; i++)
		*squares += each[i];
	end_run(&run, memory);
	return status;
}
