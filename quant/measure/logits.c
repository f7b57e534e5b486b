/* Sources of logits: a model that runs, and a copy in memory. See logits.h. */
#include "quant/measure/logits.h"

#include <stdlib.h>
#include <string.h>

void mote_logits_init(struct mote_logits *s, const struct mote_plan *p)
{
	size_t rows = MOTE_PORTION_BYTES / ((size_t)p->vocab * sizeof(float));

	s->plan = p;
	rows = rows < 1 ? 1 : rows > MOTE_PORTION_ROWS ? MOTE_PORTION_ROWS : rows;
	s->portion_rows = rows > p->chunk_rows ? p->chunk_rows : (uint32_t)rows;
	s->row = 0;
}

void mote_logits_close(struct mote_logits *s)
{
	if (s)
		s->close(s);
}

enum mote_status mote_logits_rewind(struct mote_logits *s, struct mote_error *error)
{
	s->row = 0;
	return s->rewind ? s->rewind(s, error) : MOTE_OK;
}

/* Of the portion that begins at s->row. */
static uint32_t portion_of(const struct mote_logits *s)
{
	uint32_t left = s->plan->chunk_rows - (uint32_t)(s->row % s->plan->chunk_rows);

	return left < s->portion_rows ? left : s->portion_rows;
}

enum mote_status mote_logits_seek(struct mote_logits *s, uint32_t chunk, struct mote_error *error)
{
	uint64_t to = (uint64_t)chunk * s->plan->chunk_rows;
	enum mote_status status = mote_logits_rewind(s, error);

	if (!s->skip)
		s->row = to;
	while (!status && s->row < to) {
		status = s->skip(s, error);
		s->row += portion_of(s);
	}
	return status;
}

enum mote_status mote_logits_next(struct mote_logits *s, const float **logits, uint32_t *rows,
				  struct mote_error *error)
{
	uint32_t left;
	enum mote_status status;

	*rows = 0;
	*logits = NULL;
	if (s->row == mote_plan_rows(s->plan))
		return MOTE_OK;
	left = portion_of(s);
	status = s->read(s, left, logits, error);
	if (status == MOTE_OK) {
		*rows = left;
		s->row += left;
	}
	return status;
}

struct model_source {
	struct mote_logits base;
	struct mote_session *session;
	uint32_t position; /* in the chunk: what the session has seen */
	uint32_t *positions;
	uint8_t *want;     /* [MOTE_PORTION_ROWS] */
};

static void close_model(struct mote_logits *base)
{
	struct model_source *s = (struct model_source *)base;

	mote_session_close(s->session);
	free(s->positions);
	free(s);
}

/* Runs the chunk on to the end of the portion: context rows first, in batches of their own as far as they do not
 * fit beside the portion. A chunk's last token predicts nothing that is scored, so it is never run. */
static enum mote_status read_model(struct mote_logits *base, uint32_t rows, const float **logits,
				   struct mote_error *error)
{
	struct model_source *s = (struct model_source *)base;
	const struct mote_plan *p = base->plan;
	const int32_t *chunk = p->ids + base->row / p->chunk_rows * p->context;
	uint32_t begin = p->first + (uint32_t)(base->row % p->chunk_rows), end = begin + rows;
	enum mote_status status = MOTE_OK;

	if (base->row % p->chunk_rows == 0)
		s->position = 0;
	while (status == MOTE_OK && s->position < end) {
		uint32_t n = end - s->position;
		struct mote_batch batch = {.token = chunk + s->position, .position = s->positions,
					   .want_logits = s->want};

		if (n > MOTE_PORTION_ROWS) {
			n -= rows; /* context that comes before this portion */
			n = n > MOTE_PORTION_ROWS ? MOTE_PORTION_ROWS : n;
		}
		batch.rows = n;
		for (uint32_t i = 0; i < n; i++) {
			s->positions[i] = s->position + i;
			s->want[i] = s->position + i >= begin;
		}
		status = mote_session_forward(s->session, &batch, logits, error);
		s->position += n;
	}
	return status;
}

enum mote_status mote_logits_from_model(const struct mote_model *m, const struct mote_plan *p, uint32_t threads,
					const char *isa, struct mote_logits **out, struct mote_error *error)
{
	struct mote_session_options options = { .context_tokens = p->context, .sequences = 1,
						.batch_rows = MOTE_PORTION_ROWS, .threads = threads,
						.kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32, .isa = isa };
	struct model_source *s;
	enum mote_status status;

	*out = NULL;
	if (m->config.vocab != p->vocab)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: %u tokens in its vocabulary; the text was "
				      "tokenized for %u", m->container ? mote_container_path(m->container) : "model",
				      m->config.vocab, p->vocab);
	s = calloc(1, sizeof *s);
	if (!s || !(s->positions = malloc(MOTE_PORTION_ROWS * (sizeof *s->positions + sizeof *s->want)))) {
		free(s);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for measuring");
	}
	s->want = (uint8_t *)(s->positions + MOTE_PORTION_ROWS);
	s->base.read = read_model;
	s->base.close = close_model;
	mote_logits_init(&s->base, p);
	options.logit_rows = s->base.portion_rows;
	status = mote_session_open(m, &options, &s->session, error);
	if (status != MOTE_OK) {
		mote_logits_close(&s->base);
		return status;
	}
	s->base.session = s->session;
	*out = &s->base;
	return MOTE_OK;
}

struct memory_source {
	struct mote_logits base;
	float *logits; /* [rows][vocab] */
};

static void close_memory(struct mote_logits *base)
{
	free(((struct memory_source *)base)->logits);
	free(base);
}

static enum mote_status read_memory(struct mote_logits *base, uint32_t rows, const float **logits,
				    struct mote_error *error)
{
	(void)rows;
	(void)error;
	*logits = ((struct memory_source *)base)->logits + base->row * base->plan->vocab;
	return MOTE_OK;
}

enum mote_status mote_logits_remember(struct mote_logits *from, const struct mote_progress *progress,
				      struct mote_logits **out, struct mote_error *error)
{
	const struct mote_plan *p = from->plan;
	struct memory_source *s = calloc(1, sizeof *s);
	uint64_t total = mote_plan_rows(p), done = 0;
	size_t bytes;
	enum mote_status status = mote_logits_rewind(from, error);

	*out = NULL;
	if (!s || __builtin_mul_overflow((size_t)total, (size_t)p->vocab * sizeof(float), &bytes) ||
	    !(s->logits = malloc(bytes))) {
		free(s);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %llu rows of %u logits",
				      (unsigned long long)total, p->vocab);
	}
	s->base.read = read_memory;
	s->base.close = close_memory;
	mote_logits_init(&s->base, p);
	while (status == MOTE_OK && done < total) {
		const float *logits;
		uint32_t rows;

		status = mote_logits_next(from, &logits, &rows, error);
		if (status == MOTE_OK) {
			memcpy(s->logits + done * p->vocab, logits, (size_t)rows * p->vocab * sizeof *logits);
			done += rows;
			if (progress && !progress->update(progress->user, done, total))
				status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		}
	}
	if (status != MOTE_OK) {
		mote_logits_close(&s->base);
		return status;
	}
	*out = &s->base;
	return MOTE_OK;
}
