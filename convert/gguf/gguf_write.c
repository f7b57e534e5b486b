/* A container as a GGUF file: see gguf_write.h. The header is made in memory; tensors follow panel by panel, each row where
 * llama.cpp wants it. */
#include "convert/gguf/gguf_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/export_model.h"
#include "convert/gguf/gguf_names.h"
#include "convert/gguf/gguf_put.h"
#include "convert/tensor_rows.h"
#include "format/cursor.h"
#include "format/output.h"
#include "runtime/model/config.h"

#define ALIGNMENT 32u

struct planned {
	const struct mote_tensor *tensor;
	char name[MOTE_GGUF_NAME_ROOM];
	enum mote_gguf_type type;
	uint32_t heads;            /* not 0: rows are permuted */
	uint64_t offset, bytes;    /* offset in the data */
};

struct writing {
	const struct mote_container *c;
	const struct mote_gguf_write_options *options;
	struct mote_config config;
	const struct mote_export_family *family;
	struct planned *plan;
	uint32_t tensors;
	float *rope;               /* a table of divisors, for RoPE of the kind llama3; [head_dim / 2] */
	struct mote_gguf_put put;
	struct mote_output *file;
	uint64_t data, done, total;
	struct mote_error *error;
};

static enum mote_status unsupported(const struct writing *w, const char *what)
{
	return mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED, "%s: %s: not written as GGUF", mote_container_path(w->c), what);
}

static uint32_t file_type(const struct writing *w)
{
	uint32_t most[64] = {0}, best = 0;
	static const struct {
		enum mote_gguf_type type;
		uint32_t number; /* llama.cpp's for a file that is mostly of this type */
	} table[] = { {MOTE_GGUF_F32, 0}, {MOTE_GGUF_F16, 1}, {MOTE_GGUF_Q4_0, 2}, {MOTE_GGUF_Q8_0, 7},
		      {MOTE_GGUF_IQ4_NL, 25}, {MOTE_GGUF_BF16, 32} };

	for (uint32_t i = 0; i < w->tensors; i++)
		if (w->plan[i].tensor && w->plan[i].tensor->rank == 2)
			most[w->plan[i].type]++;
	for (uint32_t i = 0; i < 64; i++)
		best = most[i] > most[best] ? i : best;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if ((uint32_t)table[i].type == best)
			return table[i].number;
	return 0;
}

/* Keys behind the architecture's name. */
static void put_own_u32(struct writing *w, const char *name, uint32_t x)
{
	char key[96];

	snprintf(key, sizeof key, "%s.%s", w->family->gguf, name);
	mote_gguf_put_u32(&w->put, key, x);
}

static void put_own_f32(struct writing *w, const char *name, double x)
{
	char key[96];

	snprintf(key, sizeof key, "%s.%s", w->family->gguf, name);
	mote_gguf_put_f32(&w->put, key, x);
}

static void put_model(struct writing *w)
{
	const struct mote_config *c = &w->config;
	char key[96];

	mote_gguf_put_text(&w->put, "general.architecture", w->family->gguf, strlen(w->family->gguf));
	mote_gguf_put_u32(&w->put, "general.alignment", ALIGNMENT);
	mote_gguf_put_u32(&w->put, "general.quantization_version", 2);
	mote_gguf_put_u32(&w->put, "general.file_type", file_type(w));
	put_own_u32(w, "context_length", c->max_positions);
	put_own_u32(w, "embedding_length", c->hidden);
	put_own_u32(w, "block_count", c->layers);
	put_own_u32(w, "feed_forward_length", c->ffn);
	put_own_u32(w, "attention.head_count", c->heads);
	put_own_u32(w, "attention.head_count_kv", c->kv_heads);
	put_own_u32(w, "attention.key_length", c->head_dim);
	put_own_u32(w, "attention.value_length", c->head_dim);
	put_own_f32(w, "attention.layer_norm_rms_epsilon", c->norm_eps);
	put_own_u32(w, "rope.dimension_count", c->head_dim);
	put_own_f32(w, "rope.freq_base", c->rope_theta);
	put_own_u32(w, "vocab_size", c->vocab);
	if (c->rope_kind == MOTE_ROPE_LINEAR) {
		snprintf(key, sizeof key, "%s.rope.scaling.type", w->family->gguf);
		mote_gguf_put_text(&w->put, key, "linear", 6);
		put_own_f32(w, "rope.scaling.factor", c->rope_factor);
	}
}

/* By how much RoPE of the kind llama3 divides each frequency, as llama.cpp's own converter computes it. */
static enum mote_status make_rope_table(struct writing *w)
{
	const struct mote_config *c = &w->config;
	const double low = c->rope_original_positions / c->rope_low_freq_factor;
	const double high = c->rope_original_positions / c->rope_high_freq_factor;

	if (c->rope_kind != MOTE_ROPE_LLAMA3)
		return MOTE_OK;
	w->rope = malloc(c->head_dim / 2 * sizeof *w->rope);
	if (!w->rope)
		return mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < c->head_dim / 2; i++) {
		double wavelength = 2 * 3.14159265358979323846 * pow(c->rope_theta, 2.0 * i / c->head_dim);
		double smooth = (c->rope_original_positions / wavelength - c->rope_low_freq_factor) /
				(c->rope_high_freq_factor - c->rope_low_freq_factor);

		w->rope[i] = (float)(wavelength < high ? 1 : wavelength > low ? c->rope_factor :
				     1 / ((1 - smooth) / c->rope_factor + smooth));
	}
	return MOTE_OK;
}

static enum mote_gguf_type type_of(const struct writing *w, const struct mote_tensor *t)
{
	if (t->rank == 1 || w->options->keep_types)
		return mote_tensor_rows_exact(t);
	return w->options->type == MOTE_F16 ? MOTE_GGUF_F16 : w->options->type == MOTE_BF16 ? MOTE_GGUF_BF16 : MOTE_GGUF_F32;
}

static void place(struct writing *w, struct planned *p)
{
	p->offset = w->total;
	w->total += (p->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static enum mote_status plan_tensors(struct writing *w)
{
	const uint32_t n = mote_container_tensor_count(w->c);

	w->plan = calloc(n + (size_t)1, sizeof *w->plan);
	if (!w->plan)
		return mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < n; i++) {
		struct planned *p = &w->plan[w->tensors++];
		char what[300];

		p->tensor = mote_container_tensor(w->c, i);
		if (!mote_gguf_name_from_hf(p->tensor->name, p->name)) {
			snprintf(what, sizeof what, "tensor \"%s\"", p->tensor->name);
			return unsupported(w, what);
		}
		p->type = type_of(w, p->tensor);
		p->heads = !w->family->permuted ? 0 :
			   mote_gguf_name_is_query(p->tensor->name) ? w->config.heads :
			   mote_gguf_name_is_key(p->tensor->name) ? w->config.kv_heads : 0;
		if (p->heads && p->tensor->rows != p->heads * w->config.head_dim)
			return mote_error_set(w->error, MOTE_ERROR_CORRUPT, "tensor \"%s\": %u rows for %u heads of %u",
					      p->tensor->name, p->tensor->rows, p->heads, w->config.head_dim);
		p->bytes = (uint64_t)mote_tensor_rows_bytes(p->tensor, p->type) * p->tensor->rows;
		place(w, p);
	}
	if (w->rope) {
		struct planned *p = &w->plan[w->tensors++];

		strcpy(p->name, "rope_freqs.weight");
		p->type = MOTE_GGUF_F32;
		p->bytes = w->config.head_dim / 2 * sizeof(float);
		place(w, p);
	}
	return MOTE_OK;
}

static enum mote_status put_header(struct writing *w)
{
	struct mote_text_buffer head = {0}, *infos = &w->put.b;
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < w->tensors; i++) {
		const struct planned *p = &w->plan[i];
		const bool matrix = p->tensor && p->tensor->rank == 2;

		mote_gguf_put_bytes(infos, p->name, strlen(p->name));
		mote_gguf_put_number(infos, matrix ? 2 : 1, 4);
		if (matrix)
			mote_gguf_put_number(infos, p->tensor->cols, 8);
		mote_gguf_put_number(infos, p->tensor ? p->tensor->rows : p->bytes / sizeof(float), 8);
		mote_gguf_put_number(infos, p->type, 4);
		mote_gguf_put_number(infos, p->offset, 8);
	}
	mote_text_buffer_add(&head, "GGUF", 4);
	mote_gguf_put_number(&head, 3, 4);
	mote_gguf_put_number(&head, w->tensors, 8);
	mote_gguf_put_number(&head, w->put.values, 8);
	while (!infos->failed && (head.bytes + infos->bytes) % ALIGNMENT)
		mote_text_buffer_add(infos, "", 1);
	if (head.failed || infos->failed)
		status = mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	else if (!(status = mote_output_write_at(w->file, head.text, head.bytes, 0, w->error)))
		status = mote_output_write_at(w->file, infos->text, infos->bytes, head.bytes, w->error);
	w->data = head.bytes + infos->bytes;
	free(head.text);
	return status;
}

static enum mote_status progress(struct writing *w, uint64_t bytes)
{
	const struct mote_progress *p = &w->options->progress;

	w->done += bytes;
	if (p->update && !p->update(p->user, w->done, w->total))
		return mote_error_set(w->error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return MOTE_OK;
}

/* The rows of a panel, which are neighbours but where heads are permuted (see weight_rows.c for the order). */
static enum mote_status write_rows(struct writing *w, const struct planned *p, uint32_t first, uint32_t rows,
				   const uint8_t *data)
{
	const size_t row_bytes = mote_tensor_rows_bytes(p->tensor, p->type);
	const uint32_t head_dim = w->config.head_dim;
	enum mote_status status = MOTE_OK;

	if (!p->heads)
		return mote_output_write_at(w->file, data, rows * row_bytes, w->data + p->offset + first * (uint64_t)row_bytes,
					    w->error);
	for (uint32_t r = 0; r < rows && !status; r++) {
		uint32_t row = first + r, at = row % head_dim;

		row = row - at + at % (head_dim / 2) * 2 + at / (head_dim / 2);
		status = mote_output_write_at(w->file, data + r * row_bytes, row_bytes,
					      w->data + p->offset + row * (uint64_t)row_bytes, w->error);
	}
	return status;
}

/* Behind a tensor, and behind the last one too. */
static enum mote_status write_padding(struct writing *w, const struct planned *p)
{
	static const uint8_t zeros[ALIGNMENT];

	return mote_output_write_at(w->file, zeros, (ALIGNMENT - p->bytes % ALIGNMENT) % ALIGNMENT,
				    w->data + p->offset + p->bytes, w->error);
}

/* Rows go out in pieces of whole panels, about a megabyte each. */
static enum mote_status write_tensor(struct writing *w, const struct planned *p)
{
	const struct mote_tensor *t = p->tensor;
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
			status = mote_tensor_rows_encode(t, p->type, panel + i, rows + i * panel_bytes, scratch, w->error);
		if (!status && !(status = write_rows(w, p, first, count, rows)))
			status = progress(w, count * (uint64_t)row_bytes);
	}
	free(rows);
	free(scratch);
	mote_tensor_rows_release(w->c, t);
	return status ? status : write_padding(w, p);
}

static enum mote_status write_all(struct writing *w, const char *path)
{
	enum mote_status status;

	if ((status = mote_output_open(path, w->options->force, &w->file, w->error)) || (status = put_header(w)))
		return status;
	for (uint32_t i = 0; i < w->tensors && !status; i++) {
		const struct planned *p = &w->plan[i];

		if (p->tensor)
			status = write_tensor(w, p);
		else if (!(status = mote_output_write_at(w->file, w->rope, p->bytes, w->data + p->offset, w->error)))
			status = write_padding(w, p);
	}
	if (status)
		return status;
	status = mote_output_commit(w->file, w->error);
	w->file = NULL;
	return status;
}

static enum mote_status note_types(const struct writing *w, struct mote_notes *notes)
{
	uint32_t larger = 0, floats = 0;

	for (uint32_t i = 0; i < w->tensors && w->options->keep_types; i++) {
		const struct mote_tensor *t = w->plan[i].tensor;

		if (t && t->type != MOTE_Q8 && mote_type_is_quantized(t->type) && w->plan[i].type == MOTE_GGUF_Q8_0)
			larger++;
		if (t && mote_type_is_quantized(t->type) && w->plan[i].type == MOTE_GGUF_F32)
			floats++;
	}
	if (larger && mote_notes_add(notes, w->error, "%u tensors are of types that GGUF does not have: they are written as Q8_0, which "
				     "has the same values in more room (mote-quantize --for gguf makes blocks that GGUF has)", larger))
		return MOTE_ERROR_MEMORY;
	if (floats)
		return mote_notes_add(notes, w->error, "%u tensors whose rows are no multiple of 32 are written as F32, which is exact",
				      floats);
	return MOTE_OK;
}

static enum mote_status write(struct writing *w, const char *path, struct mote_notes *notes)
{
	const cJSON *metadata = mote_container_metadata(w->c);
	enum mote_status status;
	const void *section;
	size_t bytes;

	status = mote_export_family(w->c, "GGUF", &w->family, w->error);
	if (!status)
		status = mote_config_read(metadata, &w->config, w->error);
	if (status)
		return status;
	if (w->config.rope_kind != MOTE_ROPE_DEFAULT && w->config.rope_kind != MOTE_ROPE_LINEAR &&
	    w->config.rope_kind != MOTE_ROPE_LLAMA3)
		return unsupported(w, "RoPE of another kind than default, linear and llama3");
	section = mote_container_section(w->c, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section)
		return unsupported(w, "a model without a tokenizer");
	if ((status = make_rope_table(w)) || (status = plan_tensors(w)))
		return status;
	put_model(w);
	if ((status = mote_gguf_put_tokenizer(&w->put, section, bytes, metadata, w->config.vocab, w->error)) ||
	    (status = note_types(w, notes)))
		return status;
	return write_all(w, path);
}

enum mote_status mote_gguf_write(const struct mote_container *c, const char *path,
				 const struct mote_gguf_write_options *options, struct mote_notes *notes, uint64_t *bytes,
				 struct mote_error *error)
{
	struct mote_error own = {0};
	struct writing w = {.c = c, .options = options, .error = &own};
	enum mote_status status = write(&w, path, notes);

	*bytes = w.data + w.total;
	if (status)
		(void)mote_error_set(error, status, "%s", own.message);
	mote_output_discard(w.file);
	free(w.put.b.text);
	free(w.plan);
	free(w.rope);
	return status;
}
