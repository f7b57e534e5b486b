/* Products with their epilogues, over any table: cuts a piece of work into tiles that stay in the first-level
 * cache, lets the table multiply, and applies the epilogue while the tile is there.
 */
#include <string.h>

#include "runtime/kernels/tables.h"

/* A tile's results: 8 KiB, 32 rows of 4 panels, which tables take together, or 1 row of 128. */
enum { TILE_FLOATS = 2048, TILE_ROWS = 32 };

static void multiply(const struct mote_kernels *k, const struct mote_matrix *w, uint32_t panel,
		     uint32_t n_panels, const struct mote_activations *x, uint32_t row, uint32_t n_rows,
		     float *out, size_t out_stride)
{
	k->multiply[w->type](w, panel, n_panels, x, row, n_rows, out, out_stride);
}

/* act(gate) * up of one tile row into out's row r from column `col` on. */
static void finish_gated(const struct mote_kernels *k, const struct mote_matmul *job, size_t r, uint32_t col,
			 uint32_t n, float *gate, float *up)
{
	const struct mote_activations *out = job->out;

	if (job->bias)
		k->add(gate, job->bias + col, n);
	if (job->up_bias)
		k->add(up, job->up_bias + col, n);
	if (job->epilogue == MOTE_SWIGLU)
		k->swiglu(gate, up, n, gate);
	else
		k->geglu(gate, up, n, gate);
	if (out->x)
		memcpy(out->x + r * out->stride + col, gate, n * sizeof *gate);
	if (out->q) {
		size_t block = r * (out->stride / 32) + col / 32;
		k->quantize(gate, n, out->q + r * out->stride + col, out->scale + block, out->bias + block);
	}
}

/* Bias, scale and cap of one row's n results. */
static void finish_product(const struct mote_kernels *k, const struct mote_matmul *job, uint32_t col, uint32_t n,
			   float *y)
{
	if (job->bias)
		k->add(y, job->bias + col, n);
	if (job->cap > 0)
		k->softcap(y, n, (job->scale > 0 ? job->scale : 1.0f) / job->cap, job->cap);
	else if (job->scale > 0)
		mote_vector_scale(y, n, job->scale);
}

static void run_tile(const struct mote_kernels *k, const struct mote_matmul *job, uint32_t panel,
		     uint32_t n_panels, uint32_t row, uint32_t n_rows)
{
	_Alignas(64) float tile[TILE_FLOATS], up[TILE_FLOATS];
	const struct mote_matrix *w = job->w;
	bool gated = job->epilogue == MOTE_SWIGLU || job->epilogue == MOTE_GEGLU;
	uint32_t col = panel * MOTE_PANEL_ROWS, width = n_panels * MOTE_PANEL_ROWS;
	uint32_t n = w->rows - col < width ? w->rows - col : width;

	if (job->epilogue == MOTE_STORE && n == width) {
		float *y = job->y + row * job->y_stride + col;

		multiply(k, w, panel, n_panels, job->x, row, n_rows, y, job->y_stride);
		for (size_t r = 0; r < n_rows; r++)
			finish_product(k, job, col, n, y + r * job->y_stride);
		return;
	}
	multiply(k, w, panel, n_panels, job->x, row, n_rows, tile, width);
	if (gated)
		multiply(k, job->up, panel, n_panels, job->x, row, n_rows, up, width);
	for (size_t r = 0; r < n_rows; r++) {
		if (gated) {
			finish_gated(k, job, row + r, col, n, tile + r * width, up + r * width);
		} else {
			float *y = job->y + (row + r) * job->y_stride + col;

			finish_product(k, job, col, n, tile + r * width);
			if (job->epilogue == MOTE_ADD)
				k->add(y, tile + r * width, n);
			else
				memcpy(y, tile + r * width, n * sizeof *y);
		}
	}
}

void mote_matmul_run(const struct mote_kernels *k, const struct mote_matmul *job, uint32_t panel_begin,
		     uint32_t panel_end, uint32_t row_begin, uint32_t row_end)
{
	uint32_t rows = row_end - row_begin, row_step = rows < TILE_ROWS ? rows : TILE_ROWS;
	uint32_t panel_step;

	if (rows == 0)
		return;
	/* Even, so that blocks of 32 results never straddle two tiles. */
	panel_step = TILE_FLOATS / MOTE_PANEL_ROWS / row_step & ~1u;
	for (uint32_t p = panel_begin; p < panel_end; p += panel_step) {
		uint32_t n_panels = panel_end - p < panel_step ? panel_end - p : panel_step;
		for (uint32_t r = row_begin; r < row_end; r += row_step)
			run_tile(k, job, p, n_panels, r, row_end - r < row_step ? row_end - r : row_step);
	}
}
