/* Writing safetensors: see safetensors_write.h. f32 tensors come first, then those of two bytes, each group by name: so
 * every tensor is aligned to its elements, as the format's own writer has it. */
#include "convert/hf/safetensors_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fused_weights.h"
#include "convert/tensor_rows.h"
#include "convert/text_buffer.h"
#include "format/half.h"

struct planned {
	struct mote_fused_weights weights;
	float *shifted;            /* a norm whose weight the checkpoint has without the 1; NULL: as it is */
	enum mote_gguf_type type;  /* F32, F16 or BF16 */
	uint64_t offset, bytes;
};

struct writing {
	const struct mote_container *c;
	const struct mote_hf_config *family;
	const struct mote_hf_write_options *options;
	struct planned *plan;
	uint32_t tensors;
	struct mote_output *file;
	uint64_t data, done, total;
	struct mote_error *error;
};

static enum mote_gguf_type float_type(enum mote_type type)
{
	return type == MOTE_F16 ? MOTE_GGUF_F16 : type == MOTE_BF16 ? MOTE_GGUF_BF16 : MOTE_GGUF_F32;
}

static bool holds(enum mote_gguf_type type, const float *vector, uint32_t n)
{
	bool exact = true;

	for (uint32_t i = 0; i < n && exact && type != MOTE_GGUF_F32; i++) {
		float x = vector[i];
		float back = type == MOTE_GGUF_F16 ? mote_f32_from_f16(mote_f16_from_f32(x)) :
			     mote_f32_from_bf16(mote_bf16_from_f32(x));

		exact = memcmp(&x, &back, sizeof x) == 0;
	}
	return exact;
}

/* Of parts that differ f32 holds all; a quantized type is f32, too. */
static enum mote_gguf_type type_of(const struct mote_hf_write_options *options, const struct planned *p,
				   const struct mote_tensor *embedding)
{
	const enum mote_gguf_type wanted = float_type(options->type), type = float_type(embedding->type);
	const struct mote_tensor *t = p->weights.part[0];

	if (t->rank == 1)
		return holds(options->keep_types ? type : wanted, p->shifted ? p->shifted : t->vector, t->rows) ?
		       (options->keep_types ? type : wanted) : MOTE_GGUF_F32;
	for (uint32_t i = 1; i < p->weights.parts && options->keep_types; i++)
		if (float_type(p->weights.part[i]->type) != float_type(t->type))
			return MOTE_GGUF_F32;
	return options->keep_types ? float_type(t->type) : wanted;
}

/* Adding the 1 again gives the same f32 for every weight that was one before: taking it away is exact for all multiples
 * of 2^-24, and a sum of 1 and a float is one. */
static enum mote_status shift(struct planned *p, struct mote_error *error)
{
	const struct mote_tensor *t = p->weights.part[0];

	p->shifted = malloc(t->rows * sizeof *p->shifted);
	if (!p->shifted)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < t->rows; i++)
		p->shifted[i] = t->vector[i] - 1;
	return MOTE_OK;
}

static int by_size_and_name(const void *a, const void *b)
{
	const struct planned *x = a, *y = b;
	const bool wide_x = x->type == MOTE_GGUF_F32, wide_y = y->type == MOTE_GGUF_F32;

	return wide_x != wide_y ? wide_y - wide_x : strcmp(x->weights.name, y->weights.name);
}

static enum mote_status plan(struct writing *w, const struct mote_container *c)
{
	const uint32_t n = mote_container_tensor_count(c);
	enum mote_status status;

	w->plan = calloc(n + (size_t)1, sizeof *w->plan);
	if (!w->plan)
		return mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < n; i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		struct planned *p = &w->plan[w->tensors];

		status = mote_fused_weights_find(c, t, w->family->stored, &p->weights, w->error);
		if (!status && !p->weights.parts)
			continue;
		w->tensors++;
		if (!status && w->family->norm_plus_one && t->rank == 1 && strstr(t->name, "norm.weight"))
			status = shift(p, w->error);
		if (status)
			return status;
		p->type = type_of(w->options, p, mote_container_tensor(c, 0));
		p->bytes = (uint64_t)mote_tensor_rows_bytes(t, p->type) * p->weights.rows;
	}
	qsort(w->plan, w->tensors, sizeof *w->plan, by_size_and_name);
	for (uint32_t i = 0; i < w->tensors; i++) {
		w->plan[i].offset = w->total;
		w->total += w->plan[i].bytes;
	}
	return MOTE_OK;
}

static enum mote_status write_header(struct writing *w)
{
	struct mote_text_buffer b = {0};
	enum mote_status status;
	uint64_t bytes;

	mote_text_buffer_add(&b, "\0\0\0\0\0\0\0\0", 8);
	mote_text_buffer_print(&b, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (uint32_t i = 0; i < w->tensors; i++) {
		const struct planned *p = &w->plan[i];

		mote_text_buffer_add(&b, ",", 1);
		mote_text_buffer_quote(&b, p->weights.name, strlen(p->weights.name));
		mote_text_buffer_print(&b, ":{\"dtype\":\"%s\",\"shape\":[%u", mote_gguf_type_find(p->type)->name,
				       p->weights.rows);
		if (p->weights.part[0]->rank == 2)
			mote_text_buffer_print(&b, ",%u", p->weights.part[0]->cols);
		mote_text_buffer_print(&b, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", p->offset,
				       p->offset + p->bytes);
	}
	mote_text_buffer_add(&b, "}", 1);
	while (!b.failed && b.bytes % 8)
		mote_text_buffer_add(&b, " ", 1);
	if (b.failed) {
		status = mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	} else {
		bytes = b.bytes - 8;
		memcpy(b.text, &bytes, 8);
		w->data = b.bytes;
		status = mote_output_write_at(w->file, b.text, b.bytes, 0, w->error);
	}
	free(b.text);
	return status;
}

/* above: rows of the parts before it. */
static enum mote_status write_part(struct writing *w, const struct planned *p, const struct mote_tensor *t,
				   uint32_t above)
{
	struct mote_tensor written = *t;
	const struct mote_progress *progress = &w->options->progress;
	const size_t row_bytes = mote_tensor_rows_bytes(t, p->type);
	uint8_t *rows = malloc(MOTE_PANEL_ROWS * row_bytes);
	float *scratch = malloc(t->cols * sizeof *scratch);
	enum mote_status status;

	if (!rows || !scratch)
		status = mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	else
		status = mote_tensor_rows_verify(t, w->error);
	if (p->shifted)
		written.vector = p->shifted;
	for (uint32_t first = 0; first < t->rows && !status; first += MOTE_PANEL_ROWS) {
		uint32_t n = t->rows - first < MOTE_PANEL_ROWS ? t->rows - first : MOTE_PANEL_ROWS;

		if ((status = mote_tensor_rows_encode(&written, p->type, first / MOTE_PANEL_ROWS, rows, scratch,
						      w->error)) ||
		    (status = mote_output_write_at(w->file, rows, n * row_bytes,
						   w->data + p->offset + (above + first) * (uint64_t)row_bytes,
						   w->error)))
			break;
		w->done += n * row_bytes;
		if (progress->update && !progress->update(progress->user, w->done, w->total))
			status = mote_error_set(w->error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	free(rows);
	free(scratch);
	mote_tensor_rows_release(w->c, t);
	return status;
}

static enum mote_status write_tensor(struct writing *w, const struct planned *p)
{
	enum mote_status status = MOTE_OK;
	uint32_t above = 0;

	for (uint32_t i = 0; i < p->weights.parts && !status; i++) {
		status = write_part(w, p, p->weights.part[i], above);
		above += p->weights.part[i]->rows;
	}
	return status;
}

enum mote_status mote_safetensors_write(const struct mote_container *c, const struct mote_hf_config *family,
					const struct mote_hf_write_options *options, struct mote_output *file,
					uint64_t *bytes, struct mote_error *error)
{
	struct writing w = {.c = c, .family = family, .options = options, .file = file, .error = error};
	enum mote_status status = plan(&w, c);

	if (!status)
		status = write_header(&w);
	for (uint32_t i = 0; i < w.tensors && !status; i++)
		status = write_tensor(&w, &w.plan[i]);
	for (uint32_t i = 0; i < w.tensors; i++)
		free(w.plan[i].shifted);
	free(w.plan);
	*bytes = w.data + w.total;
	return status;
}
