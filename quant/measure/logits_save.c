/* Writing reference logits to a file: see logits_file.h for the layout and the idea. */
#include "quant/measure/logits_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "quant/measure/logits_header.h"

enum { LEVEL = 3 };

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for saved logits");
}

static void fill_header(struct mote_logits_header *h, const struct mote_model *m, const struct mote_plan *p,
			uint32_t portion_rows)
{
	const struct mote_matrix *head = &m->head;

	*h = (struct mote_logits_header){ .version = MOTE_LOGITS_VERSION, .vocab = head->rows, .cols = head->cols,
					  .type = head->type,
			      .context = p->context, .first = p->first, .chunk_rows = p->chunk_rows,
			      .chunks = p->chunks, .portion_rows = portion_rows, .ids = p->ids_hash,
			      .tensors = mote_container_tensors_hash(m->container),
			      .head_bytes = (uint64_t)head->panels * head->panel_bytes,
			      .scale = m->config.logits_scale, .cap = m->config.logits_cap };
	memcpy(h->magic, MOTE_LOGITS_MAGIC, sizeof h->magic);
	if (head->codebook)
		memcpy(h->codebook, head->codebook, sizeof h->codebook);
}

struct saver {
	const struct mote_matrix *head;
	FILE *file;
	ZSTD_CCtx *zstd;
	uint8_t *planes, *packed;  /* [portion bytes], [bound] */
	size_t packed_bytes;
	bool failed;
};

static bool write_frame(struct saver *s, const void *data, size_t bytes)
{
	size_t packed = ZSTD_compress2(s->zstd, s->packed, s->packed_bytes, data, bytes);
	uint32_t size = (uint32_t)packed;

	return !ZSTD_isError(packed) && packed <= UINT32_MAX && fwrite(&size, sizeof size, 1, s->file) == 1 &&
	       fwrite(s->packed, 1, packed, s->file) == packed;
}

/* The head's input rows are the states that we are after. */
static void on_input(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	struct saver *s = user;
	size_t count = (size_t)n * weight->cols, at = 0;

	if (weight != s->head || n == 0)
		return;
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t c = 0; c < weight->cols; c++, at++) {
			uint32_t bits;
			memcpy(&bits, &x[r * stride + c], sizeof bits);
			for (unsigned plane = 0; plane < 4; plane++)
				s->planes[plane * count + at] = (uint8_t)(bits >> 8 * plane);
		}
	s->failed = s->failed || !write_frame(s, s->planes, 4 * count);
}

static enum mote_status write_head(struct saver *s, struct mote_logits_header *h, struct mote_error *error)
{
	size_t bound = ZSTD_compressBound(h->head_bytes), packed;
	void *buffer = malloc(bound);
	bool ok;

	if (!buffer)
		return no_memory(error);
	packed = ZSTD_compress2(s->zstd, buffer, bound, s->head->data, h->head_bytes);
	ok = !ZSTD_isError(packed);
	h->head_compressed = packed;
	h->check = mote_logits_header_checksum(h);
	ok = ok && fwrite(h, sizeof *h, 1, s->file) == 1 && fwrite(buffer, 1, packed, s->file) == packed;
	free(buffer);
	return ok ? MOTE_OK : mote_error_set(error, MOTE_ERROR_IO, "%s", strerror(errno));
}

static enum mote_status write_rows(struct saver *s, struct mote_logits *source, const struct mote_progress *progress,
				   struct mote_error *error)
{
	const uint64_t total = mote_plan_rows(source->plan);
	enum mote_status status = MOTE_OK;
	uint64_t done = 0;

	while (status == MOTE_OK && done < total) {
		const float *logits;
		uint32_t rows;

		status = mote_logits_next(source, &logits, &rows, error);
		done += rows;
		if (status == MOTE_OK && s->failed)
			status = mote_error_set(error, MOTE_ERROR_IO, "%s", strerror(errno));
		if (status == MOTE_OK && progress && !progress->update(progress->user, done, total))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	return status;
}

static enum mote_status save(struct saver *s, struct mote_logits *source, const struct mote_model *m,
			     const struct mote_progress *progress, struct mote_error *error)
{
	size_t portion = (size_t)source->portion_rows * m->head.cols * sizeof(float);
	struct mote_activation_hook hook = {.input = on_input, .user = s};
	struct mote_logits_header header;
	enum mote_status status;

	s->packed_bytes = ZSTD_compressBound(portion);
	s->planes = malloc(portion);
	s->packed = malloc(s->packed_bytes);
	s->zstd = ZSTD_createCCtx();
	if (!s->planes || !s->packed || !s->zstd || !s->file)
		return no_memory(error);
	ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
	mote_session_set_activation_hook(source->session, &hook);
	fill_header(&header, m, source->plan, source->portion_rows);
	status = write_head(s, &header, error);
	return status == MOTE_OK ? write_rows(s, source, progress, error) : status;
}

enum mote_status mote_logits_save(const struct mote_model *m, const struct mote_plan *p, uint32_t threads,
				  const char *isa, const struct mote_progress *progress, struct mote_output *output,
				  struct mote_error *error)
{
	struct saver s = {.head = &m->head, .file = mote_output_stream(output)};
	struct mote_logits *source = NULL;
	enum mote_status status = mote_logits_from_model(m, p, threads, isa, &source, error);

	if (status == MOTE_OK)
		status = save(&s, source, m, progress, error);
	mote_logits_close(source);
	ZSTD_freeCCtx(s.zstd);
	free(s.planes);
	free(s.packed);
	if (status == MOTE_OK)
		return mote_output_commit(output, error);
	mote_error_prefix(error, "%s", mote_output_target(output));
	mote_output_discard(output);
	return status;
}
