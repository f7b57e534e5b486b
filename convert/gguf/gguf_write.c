/* A container as a GGUF file: see gguf_write.h. The header is made in memory; tensors follow panel by panel, each row
 * where llama.cpp wants it. */
#include "convert/gguf/gguf_write.h"

#include <stdlib.h>
#include <string.h>

#include "convert/export_model.h"
#include "convert/gguf/gguf_writing.h"
#include "convert/tensor_rows.h"
#include "format/cursor.h"
#include "format/output.h"

static enum mote_status put_header(struct mote_gguf_writing *w)
{
	struct mote_text_buffer head = {0}, *infos = &w->put.b;
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < w->tensors; i++) {
		const struct mote_gguf_planned *p = &w->plan[i];
		const bool matrix = p->weights.parts && p->weights.part[0]->rank == 2;

		mote_gguf_put_bytes(infos, p->name, strlen(p->name));
		mote_gguf_put_number(infos, matrix ? 2 : 1, 4);
		if (matrix)
			mote_gguf_put_number(infos, p->weights.part[0]->cols, 8);
		mote_gguf_put_number(infos, p->weights.rows, 8);
		mote_gguf_put_number(infos, p->type, 4);
		mote_gguf_put_number(infos, p->offset, 8);
	}
	mote_text_buffer_add(&head, "GGUF", 4);
	mote_gguf_put_number(&head, 3, 4);
	mote_gguf_put_number(&head, w->tensors, 8);
	mote_gguf_put_number(&head, w->put.values, 8);
	while (!infos->failed && (head.bytes + infos->bytes) % MOTE_GGUF_ALIGNMENT)
		mote_text_buffer_add(infos, "", 1);
	if (head.failed || infos->failed)
		status = mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	else if (!(status = mote_output_write_at(w->file, head.text, head.bytes, 0, w->error)))
		status = mote_output_write_at(w->file, infos->text, infos->bytes, head.bytes, w->error);
	w->data = head.bytes + infos->bytes;
	free(head.text);
	return status;
}

static enum mote_status progress(struct mote_gguf_writing *w, uint64_t bytes)
{
	const struct mote_progress *p = &w->options->progress;

	w->done += bytes;
	if (p->update && !p->update(p->user, w->done, w->total))
		return mote_error_set(w->error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return MOTE_OK;
}

/* Rows that follow each other in the container, and in the file where heads are not permuted (see weight_rows.c for the
 * order). */
static enum mote_status write_rows(struct mote_gguf_writing *w, const struct mote_gguf_planned *p, uint32_t first,
				   uint32_t rows, const uint8_t *data)
{
	const size_t row_bytes = mote_tensor_rows_bytes(p->weights.part[0], p->type);
	const uint32_t head_dim = w->config.head_dim;
	enum mote_status status = MOTE_OK;

	if (!p->heads)
		return mote_output_write_at(w->file, data, rows * row_bytes,
					    w->data + p->offset + first * (uint64_t)row_bytes, w->error);
	for (uint32_t r = 0; r < rows && !status; r++) {
		uint32_t row = first + r, at = row % head_dim;

		row = row - at + at % (head_dim / 2) * 2 + at / (head_dim / 2);
		status = mote_output_write_at(w->file, data + r * row_bytes, row_bytes,
					      w->data + p->offset + row * (uint64_t)row_bytes, w->error);
	}
	return status;
}

/* Behind a tensor, and behind the last one too. */
static enum mote_status write_padding(struct mote_gguf_writing *w, const struct mote_gguf_planned *p)
{
	static const uint8_t zeros[MOTE_GGUF_ALIGNMENT];

	return mote_output_write_at(w->file, zeros,
				    (MOTE_GGUF_ALIGNMENT - p->bytes % MOTE_GGUF_ALIGNMENT) % MOTE_GGUF_ALIGNMENT,
				    w->data + p->offset + p->bytes, w->error);
}

/* Rows go out in pieces of whole panels, about a megabyte each. above: rows of the parts before it. */
static enum mote_status write_part(struct mote_gguf_writing *w, const struct mote_gguf_planned *p,
				   const struct mote_tensor *t, uint32_t above)
{
	const size_t row_bytes = mote_tensor_rows_bytes(t, p->type), panel_bytes = MOTE_PANEL_ROWS * row_bytes;
	const uint32_t panels = (t->rows + MOTE_PANEL_ROWS - 1) / MOTE_PANEL_ROWS;
	const uint32_t batch = panel_bytes < (1u << 20) ? (uint32_t)((1u << 20) / panel_bytes) : 1;
	uint8_t *rows = malloc(panel_bytes * batch);
	float *scratch = malloc(t->cols * sizeof *scratch);
	enum mote_status status = MOTE_OK;

	if (!rows || !scratch)
		status = mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	if (!status)
		status = mote_tensor_rows_verify(t, w->error);
	for (uint32_t panel = 0; panel < panels && !status; panel += batch) {
		uint32_t n = panels - panel < batch ? panels - panel : batch, first = panel * MOTE_PANEL_ROWS;
		uint32_t count = t->rows - first < n * MOTE_PANEL_ROWS ? t->rows - first : n * MOTE_PANEL_ROWS;

		for (uint32_t i = 0; i < n && !status; i++)
			status = mote_tensor_rows_encode(t, p->type, panel + i, rows + i * panel_bytes, scratch,
							 w->error);
		if (!status && !(status = write_rows(w, p, above + first, count, rows)))
			status = progress(w, count * (uint64_t)row_bytes);
	}
	free(rows);
	free(scratch);
	mote_tensor_rows_release(w->c, t);
	return status;
}

static enum mote_status write_tensor(struct mote_gguf_writing *w, const struct mote_gguf_planned *p)
{
	enum mote_status status = MOTE_OK;
	uint32_t above = 0;

	for (uint32_t i = 0; i < p->weights.parts && !status; i++) {
		status = write_part(w, p, p->weights.part[i], above);
		above += p->weights.part[i]->rows;
	}
	if (!p->weights.parts)
		status = mote_output_write_at(w->file, w->rope[p->table], p->bytes, w->data + p->offset, w->error);
	return status ? status : write_padding(w, p);
}

static enum mote_status write_all(struct mote_gguf_writing *w, const char *path)
{
	enum mote_status status;

	if ((status = mote_output_open(path, w->options->force, &w->file, w->error)) || (status = put_header(w)))
		return status;
	for (uint32_t i = 0; i < w->tensors && !status; i++)
		status = write_tensor(w, &w->plan[i]);
	if (status)
		return status;
	status = mote_output_commit(w->file, w->error);
	w->file = NULL;
	return status;
}

static enum mote_status write(struct mote_gguf_writing *w, const char *path, struct mote_notes *notes)
{
	const struct mote_export_family *family;
	enum mote_status status;
	const void *section;
	char what[100];
	size_t bytes;

	status = mote_export_family(w->c, "GGUF", &w->config, &family, w->error);
	if (status)
		return status;
	w->family = mote_gguf_family_of(family->model_type);
	if (!w->family) {
		snprintf(what, sizeof what, "a model of the class %s", family->architecture);
		return mote_gguf_not_written(w, what);
	}
	section = mote_container_section(w->c, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section)
		return mote_gguf_not_written(w, "a model without a tokenizer");
	if ((status = mote_gguf_check_model(w, notes)) || (status = mote_gguf_make_rope_tables(w)) ||
	    (status = mote_gguf_plan(w)))
		return status;
	mote_gguf_put_model(w);
	mote_gguf_put_sampling(&w->put, mote_json_get(mote_container_metadata(w->c), "generation"));
	if ((status = mote_gguf_put_tokenizer(&w->put, section, bytes, mote_container_metadata(w->c), w->config.vocab,
					      notes, w->error)) ||
	    (status = mote_gguf_note_types(w, notes)))
		return status;
	return write_all(w, path);
}

enum mote_status mote_gguf_write(const struct mote_container *c, const char *path,
				 const struct mote_gguf_write_options *options, struct mote_notes *notes,
				 uint64_t *bytes, struct mote_error *error)
{
	struct mote_error own = {0};
	struct mote_gguf_writing w = {.c = c, .options = options, .error = &own};
	enum mote_status status = write(&w, path, notes);

	*bytes = w.data + w.total;
	if (status)
		(void)mote_error_set(error, status, "%s", own.message);
	mote_output_discard(w.file);
	free(w.put.b.text);
	free(w.plan);
	free(w.rope[0]);
	free(w.rope[1]);
	return status;
}
