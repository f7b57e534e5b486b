/* A source of logits that reads a file of saved ones: see logits_file.h for the layout and the idea. */
#include "quant/measure/logits_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "quant/measure/logits_header.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for saved logits");
}

struct file_source {
	struct mote_logits base;
	char *path;
	FILE *file;
	long rows_at;                  /* place of the first portion */
	struct mote_matrix head;
	float scale, cap;              /* of its products */
	void *head_data;
	uint8_t codebook[16];
	struct mote_kernels kernels;
	struct mote_pool *pool;
	struct mote_activations states;
	void *states_memory;
	uint8_t *planes, *packed;
	size_t packed_bytes;
	float *logits;                 /* [portion_rows][vocab] */
	uint32_t rows;                 /* of the portion at hand */
};

static void close_file(struct mote_logits *base)
{
	struct file_source *s = (struct file_source *)base;

	if (s->file)
		fclose(s->file);
	mote_pool_close(s->pool);
	free(s->path);
	free(s->head_data);
	free(s->states_memory);
	free(s->planes);
	free(s->packed);
	free(s->logits);
	free(s);
}

static enum mote_status rewind_file(struct mote_logits *base, struct mote_error *error)
{
	struct file_source *s = (struct file_source *)base;

	if (fseek(s->file, s->rows_at, SEEK_SET) != 0)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", s->path, strerror(errno));
	return MOTE_OK;
}

/* fread() gave less than asked for: the file cannot be read, or it ends. */
static enum mote_status fail_read(struct file_source *s, long place, struct mote_error *error)
{
	if (ferror(s->file))
		return mote_error_set(error, MOTE_ERROR_IO, "%s: cannot read: %s", s->path, strerror(errno));
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: ends inside what begins at byte %ld", s->path, place);
}

/* Reads one frame of exactly `bytes` when unpacked. */
static enum mote_status read_frame(struct file_source *s, uint64_t packed_bytes, void *packed, void *out, size_t bytes,
				   struct mote_error *error)
{
	long place = ftell(s->file);
	size_t got;

	if (fread(packed, 1, packed_bytes, s->file) != packed_bytes)
		return fail_read(s, place, error);
	got = ZSTD_decompress(out, bytes, packed, packed_bytes);
	if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		return no_memory(error);
	if (ZSTD_isError(got) || got != bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the frame at byte %ld is damaged",
				      s->path, place);
	return MOTE_OK;
}

static void multiply_portion(void *user, uint32_t thread, uint32_t threads)
{
	struct file_source *s = user;
	struct mote_matmul job = { .w = &s->head, .x = &s->states, .epilogue = MOTE_STORE, .y = s->logits,
				   .y_stride = s->head.rows, .scale = s->scale, .cap = s->cap };
	uint32_t pieces = (s->head.panels + 15) / 16, piece;

	(void)threads;
	if (s->states.q) {
		if (thread == 0)
			mote_activations_quantize(&s->kernels, &s->states, 0, s->rows);
		mote_pool_barrier(s->pool, thread);
	}
	while ((piece = mote_pool_claim(s->pool)) < pieces) {
		uint32_t end = piece * 16 + 16;
		mote_matmul_run(&s->kernels, &job, piece * 16, end < s->head.panels ? end : s->head.panels, 0, s->rows);
	}
}

/* The compressed size of the portion that comes next. */
static enum mote_status read_size(struct file_source *s, uint32_t *packed_bytes, struct mote_error *error)
{
	if (fread(packed_bytes, sizeof *packed_bytes, 1, s->file) != 1)
		return fail_read(s, ftell(s->file), error);
	if (*packed_bytes > s->packed_bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: no frame where that of row %llu belongs", s->path,
				      (unsigned long long)s->base.row);
	return MOTE_OK;
}

static enum mote_status skip_file(struct mote_logits *base, struct mote_error *error)
{
	struct file_source *s = (struct file_source *)base;
	uint32_t packed_bytes = 0;
	enum mote_status status = read_size(s, &packed_bytes, error);

	if (status == MOTE_OK && fseek(s->file, (long)packed_bytes, SEEK_CUR) != 0)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", s->path, strerror(errno));
	return status;
}

static enum mote_status read_file(struct mote_logits *base, uint32_t rows, const float **logits,
				  struct mote_error *error)
{
	struct file_source *s = (struct file_source *)base;
	size_t count = (size_t)rows * s->head.cols;
	uint32_t packed_bytes = 0;
	enum mote_status status = read_size(s, &packed_bytes, error);

	if (status == MOTE_OK)
		status = read_frame(s, packed_bytes, s->packed, s->planes, 4 * count, error);
	if (status != MOTE_OK)
		return status;
	for (size_t i = 0; i < count; i++) {
		uint32_t bits = s->planes[i] | (uint32_t)s->planes[count + i] << 8 |
				(uint32_t)s->planes[2 * count + i] << 16 |
				(uint32_t)s->planes[3 * count + i] << 24;
		memcpy(&s->states.x[i / s->head.cols * s->states.stride + i % s->head.cols], &bits, sizeof bits);
	}
	s->rows = rows;
	mote_pool_run(s->pool, multiply_portion, s);
	*logits = s->logits;
	return MOTE_OK;
}

static enum mote_status check_header(const char *path, const struct mote_logits_header *h, const struct mote_plan *p,
				     uint32_t portion_rows, struct mote_error *error)
{
	if (memcmp(h->magic, MOTE_LOGITS_MAGIC, sizeof h->magic) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not a file of saved logits", path);
	if (h->version != MOTE_LOGITS_VERSION)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: saved by another version (%llu; this program "
				      "reads %d)", path, (unsigned long long)h->version, MOTE_LOGITS_VERSION);
	if (h->check != mote_logits_header_checksum(h))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: its header is damaged", path);
	if (h->context != p->context || h->first != p->first || h->chunk_rows != p->chunk_rows ||
	    h->chunks != p->chunks || h->vocab != p->vocab || h->ids.low != p->ids_hash.low ||
	    h->ids.high != p->ids_hash.high)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: saved for other tokens: %llu chunks of %llu "
				      "(here %u of %u); text, context, rule and tokenizer must be the same", path,
				      (unsigned long long)h->chunks, (unsigned long long)h->context, p->chunks,
				      p->context);
	if (h->portion_rows != portion_rows)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: saved in portions of %llu rows; this program "
				      "reads %u", path, (unsigned long long)h->portion_rows, portion_rows);
	return MOTE_OK;
}

static enum mote_status read_head(struct file_source *s, const struct mote_logits_header *h, struct mote_error *error)
{
	uint64_t bytes = 0;
	void *packed;
	enum mote_status status;

	memcpy(s->codebook, h->codebook, sizeof s->codebook);
	s->scale = (float)h->scale;
	s->cap = (float)h->cap;
	status = mote_matrix_init(&s->head, (enum mote_type)h->type, h->vocab, h->cols, NULL, s->codebook,
				  &bytes, error);
	if (status != MOTE_OK)
		return status;
	if (bytes != h->head_bytes || h->head_compressed > ZSTD_compressBound(bytes))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the head takes %llu bytes, the header says %llu",
				      s->path, (unsigned long long)bytes, (unsigned long long)h->head_bytes);
	s->head_data = aligned_alloc(64, bytes); /* panels are multiples of 64 bytes */
	packed = malloc(h->head_compressed);
	status = s->head_data && packed ? read_frame(s, h->head_compressed, packed, s->head_data, bytes, error)
					: no_memory(error);
	free(packed);
	s->head.data = s->head_data;
	s->rows_at = ftell(s->file);
	return status;
}

static enum mote_status take_memory(struct file_source *s, const struct mote_logits_header *h, struct mote_error *error)
{
	uint32_t rows = s->base.portion_rows, cols = (uint32_t)h->cols;
	unsigned parts = MOTE_ACTIVATIONS_X | (mote_type_is_quantized(s->head.type) ? MOTE_ACTIVATIONS_Q : 0u);
	size_t bytes = mote_activations_bytes(rows, cols, parts);

	s->packed_bytes = ZSTD_compressBound((size_t)rows * cols * sizeof(float));
	s->planes = malloc((size_t)rows * cols * sizeof(float));
	s->packed = malloc(s->packed_bytes);
	s->logits = malloc((size_t)rows * h->vocab * sizeof *s->logits);
	s->states_memory = aligned_alloc(64, bytes);
	if (!s->planes || !s->packed || !s->logits || !s->states_memory)
		return no_memory(error);
	memset(s->states_memory, 0, bytes); /* padding columns are read by quantize */
	mote_activations_init(&s->states, rows, cols, parts, s->states_memory);
	return MOTE_OK;
}

/* Non-blocking, so that a FIFO is refused instead of waited for. */
static enum mote_status open_file(struct file_source *s, struct mote_error *error)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)mote_error_set(error, MOTE_ERROR_IO, "%s: %s", s->path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		(void)mote_error_set(error, MOTE_ERROR_IO, "%s: not a regular file", s->path);
	} else if (!(s->file = fdopen(fd, "rb"))) {
		(void)mote_error_set(error, MOTE_ERROR_IO, "%s: %s", s->path, strerror(errno));
	}
	if (!s->file && fd >= 0)
		close(fd);
	return s->file ? MOTE_OK : MOTE_ERROR_IO;
}

enum mote_status mote_logits_from_file(const char *path, const struct mote_plan *p, uint32_t threads, const char *isa,
				       struct mote_logits **out, struct mote_hash128 *tensors,
				       struct mote_error *error)
{
	struct file_source *s = calloc(1, sizeof *s);
	struct mote_logits_header header;
	enum mote_status status;

	*out = NULL;
	if (!s)
		return no_memory(error);
	s->base.read = read_file;
	s->base.rewind = rewind_file;
	s->base.skip = skip_file;
	s->base.close = close_file;
	mote_logits_init(&s->base, p);
	s->path = strdup(path);
	status = s->path ? open_file(s, error) : no_memory(error);
	if (status == MOTE_OK && fread(&header, sizeof header, 1, s->file) != 1)
		status = ferror(s->file) ? fail_read(s, 0, error) :
			mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not a file of saved logits", path);
	if (status == MOTE_OK)
		status = check_header(path, &header, p, s->base.portion_rows, error);
	if (status == MOTE_OK)
		status = read_head(s, &header, error);
	if (status == MOTE_OK)
		status = take_memory(s, &header, error);
	if (status == MOTE_OK)
		status = mote_kernels_select(isa, &s->kernels, error);
	if (status == MOTE_OK)
		status = mote_pool_open(threads ? threads : mote_pool_physical_cores(), &s->pool, error);
	if (status != MOTE_OK) {
		mote_logits_close(&s->base);
		return status;
	}
	*tensors = header.tensors;
	*out = &s->base;
	return MOTE_OK;
}
