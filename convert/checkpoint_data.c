/* The weights of a conversion: see checkpoint_data.h. They are read, packed and written a few panels at a time. */
#include "convert/checkpoint_data.h"

#include <stdlib.h>
#include <string.h>

#include "convert/panel_pack.h"
#include "convert/weight_rows.h"

enum mote_status mote_conversion_progress(struct conversion *c, uint64_t bytes, struct mote_error *error)
{
	const struct mote_progress *p = &c->options->progress;

	c->done += bytes;
	if (p->update && !p->update(p->user, c->done, c->total))
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	if (atomic_load(&c->stop)) /* the other thread knows why */
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return MOTE_OK;
}

static enum mote_type target_type(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return t->rank == 1 ? MOTE_F32 : c->options->keep_types ? t->keep : c->options->type;
}

/* What rows are read as: quants that stay quants as they are, everything else in a float type. */
static enum mote_type read_type(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_type_is_quantized(target_type(c, t)) ? target_type(c, t) : t->from;
}

static size_t row_bytes(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_weight_rows_bytes(t->weight, read_type(c, t), t->cols);
}

/* So many panels go through the buffers at once. */
static uint32_t batch_panels(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	uint64_t bytes = row_bytes(c, t) * MOTE_PANEL_ROWS;

	return bytes < MOTE_SOURCE_PIECE_BYTES ? (uint32_t)(MOTE_SOURCE_PIECE_BYTES / bytes) : 1;
}

/* NULL: the target has none. */
static const uint8_t *target_codebook(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_type_is_quantized(target_type(c, t)) ? mote_weight_rows_codebook(t->weight) : NULL;
}

static void make_room(size_t *room, uint64_t bytes)
{
	if (bytes > *room)
		*room = (size_t)bytes;
}

enum mote_status mote_conversion_plan_tensors(struct conversion *c, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < c->plan.tensors && !status; i++) {
		const struct mote_checkpoint_tensor *t = &c->plan.tensor[i];
		uint32_t rows = t->rank == 1 ? t->rows : batch_panels(c, t) * MOTE_PANEL_ROWS;
		struct mote_matrix batch;
		uint64_t bytes;

		c->total += t->bytes;
		status = mote_matrix_init(&batch, target_type(c, t), rows, t->cols, NULL, NULL, &bytes, error);
		make_room(&c->panels_bytes, bytes);
		make_room(&c->rows_bytes, row_bytes(c, t) * rows);
		if (!status && mote_type_is_quantized(target_type(c, t)))
			make_room(&c->quants_cols, (uint64_t)batch.blocks * MOTE_BLOCK_COLS);
		if (!status)
			status = mote_writer_add_tensor(c->writer, t->name, t->rank, target_type(c, t),
							t->rows, t->cols, target_codebook(c, t), error);
	}
	if (status || c->plan.tensors == 0)
		return status;
	c->rows = malloc(c->rows_bytes);
	c->panels = aligned_alloc(64, (c->panels_bytes + 63) & ~(size_t)63);
	c->quants = malloc(c->quants_cols * MOTE_PANEL_ROWS + 1);
	c->scales = malloc(c->quants_cols / MOTE_BLOCK_COLS * MOTE_PANEL_ROWS * sizeof *c->scales + 1);
	if (!c->rows || !c->panels || !c->quants || !c->scales)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	return MOTE_OK;
}

static enum mote_status write_vector(struct conversion *c, const struct mote_checkpoint_tensor *t,
				     struct mote_error *error)
{
	float *vector = (float *)(void *)c->panels;
	enum mote_status status;

	if ((status = mote_weight_rows_read(&c->source, t->weight, t->from, t->rows, 1, 0, t->rows, c->rows, error)) ||
	    (status = mote_vector_widen(t->name, t->from, c->rows, t->rows, vector, error)))
		return status;
	for (uint32_t i = 0; i < t->rows && t->plus_one; i++)
		vector[i] += 1;
	if ((status = mote_writer_write(c->writer, c->panels, t->rows * sizeof(float), error)))
		return status;
	return mote_conversion_progress(c, t->bytes, error);
}

static enum mote_status pack_rows(struct conversion *c, const struct mote_panel_pack *pack,
				  const struct mote_checkpoint_tensor *t, uint32_t panel, uint32_t n,
				  struct mote_error *error)
{
	if (mote_type_is_quantized(pack->matrix.type))
		return mote_weight_rows_pack(t->weight, &pack->matrix, c->rows, panel, n, c->quants, c->scales,
					     c->panels, error);
	return mote_panel_pack_run(pack, c->rows, panel, n, c->panels, error);
}

static enum mote_status write_panels(struct conversion *c, const struct mote_panel_pack *pack,
				     const struct mote_checkpoint_tensor *t, struct mote_error *error)
{
	const struct mote_matrix *m = &pack->matrix;
	const uint32_t batch = batch_panels(c, t);
	enum mote_status status = MOTE_OK;

	for (uint32_t panel = 0; panel < m->panels && !status; panel += batch) {
		uint32_t n = m->panels - panel < batch ? m->panels - panel : batch;
		uint32_t first = panel * MOTE_PANEL_ROWS, rows = n * MOTE_PANEL_ROWS;

		if (rows > t->rows - first)
			rows = t->rows - first;
		if (!(status = mote_weight_rows_read(&c->source, t->weight, read_type(c, t), t->weight_rows, t->cols,
						     t->first_row + first, rows, c->rows, error)) &&
		    !(status = pack_rows(c, pack, t, panel, n, error)) &&
		    !(status = mote_writer_write(c->writer, c->panels, n * m->panel_bytes, error)))
			status = mote_conversion_progress(c, t->bytes / t->rows * rows, error);
	}
	return status;
}

static enum mote_status write_matrix(struct conversion *c, const struct mote_checkpoint_tensor *t,
				     struct mote_error *error)
{
	struct mote_panel_pack pack;
	struct mote_matrix matrix;
	enum mote_status status;
	uint64_t bytes;

	if ((status = mote_matrix_init(&matrix, target_type(c, t), t->rows, t->cols, NULL, target_codebook(c, t),
				       &bytes, error)) ||
	    (status = mote_panel_pack_init(&pack, t->name, t->from, &matrix, error)))
		return status;
	status = write_panels(c, &pack, t, error);
	mote_panel_pack_free(&pack);
	return status;
}

/* A tied checkpoint may hold its head all the same, provided that it is the embedding. */
static enum mote_status check_tied_copy(struct conversion *c, struct mote_error *error)
{
	const struct mote_hf_weight *head = c->plan.tied_copy, *embedding;
	const size_t half = c->rows_bytes / 2;
	enum mote_status status;
	bool same;

	if (!head)
		return MOTE_OK;
	embedding = c->plan.tensor[0].weight;
	if (head->tensor == embedding->tensor) /* one is the other's alias */
		return MOTE_OK;
	same = strcmp(head->tensor->dtype, embedding->tensor->dtype) == 0;
	for (uint64_t at = 0; same && at < head->tensor->bytes; at += half) {
		size_t n = head->tensor->bytes - at < half ? (size_t)(head->tensor->bytes - at) : half;

		if ((status = mote_source_read_at(&c->source.file[head->file], head->tensor->offset + at, c->rows, n,
						  error)) ||
		    (status = mote_source_read_at(&c->source.file[embedding->file], embedding->tensor->offset + at,
						  c->rows + half, n, error)) ||
		    (status = mote_conversion_progress(c, 0, error)))
			return status;
		same = memcmp(c->rows, c->rows + half, n) == 0;
	}
	if (same)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_CORRUPT,
			      "tensor \"%s\" differs from \"%s\", but config.json says \"tie_word_embeddings\": true",
			      head->name, embedding->name);
}

enum mote_status mote_conversion_write_tensors(struct conversion *c, struct mote_error *error)
{
	enum mote_status status = check_tied_copy(c, error);

	for (uint32_t i = 0; i < c->plan.tensors && !status; i++) {
		const struct mote_checkpoint_tensor *t = &c->plan.tensor[i];

		status = t->rank == 1 ? write_vector(c, t, error) : write_matrix(c, t, error);
	}
	return status;
}
