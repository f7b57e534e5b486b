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

/* SiLU(gate) * up of one tile row into out's row r from column `col` on. */
static void finish_swiglu(const struct mote_kernels *k, const struct mote_activations *out, size_t r, uint32_t col,
			  uint32_t n, float *gate, const float *up)
{
	k->swiglu(gate, up, n, gate);
	if (out->x)
		memcpy(out->x + r * out->stride + col, gate, n * sizeof *gate);
	if (out->q) {
		size_t block = r * (out->stride / 32) + col / 32;
		k->quantize(gate, n, out->q + r * out->stride + col, out->scale + block, out->bias + block);
	}
}

static void run_tile(const struct mote_kernels *k, const struct mote_matmul *job, uint32_t panel,
		     uint32_t n_panels, uint32_t row, uint32_t n_rows)
{
	_Alignas(64) float tile[TILE_FLOATS], up[TILE_FLOATS];
	const struct mote_matrix *w = job->w;
	uint32_t col = panel * MOTE_PANEL_ROWS, width = n_panels * MOTE_PANEL_ROWS;
	uint32_t n = w->rows - col < width ? w->rows - col : width;

	if (job->epilogue == MOTE_STORE && n == width) {
		multiply(k, w, panel, n_panels, job->x, row, n_rows, job->y + row * job->y_stride + col,
			 job->y_stride);
		return;
	}
	multiply(k, w, panel, n_panels, job->x, row, n_rows, tile, width);
	if (job->epilogue == MOTE_SWIGLU)
		multiply(k, job->up, panel, n_panels, job->x, row, n_rows, up, width);
	for (size_t r = 0; r < n_rows; r++) {
		if (job->epilogue == MOTE_SWIGLU) {
			finish_swiglu(k, job->out, row + r, col, n, tile + r * width, up + r * width);
		} else {
			float *y = job->y + (row + r) * job->y_stride + col;
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
