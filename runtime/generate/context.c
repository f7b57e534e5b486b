#include "runtime/generate/context.h"

#include <stdlib.h>

struct mote_context {
	struct mote_session *session;
	uint32_t batch_rows, count, capacity;
	int32_t *ids;                 /* [capacity] */
	uint32_t *position;           /* [capacity] 0, 1, 2 ... */
	uint32_t *sequence;           /* [batch_rows] */
	uint8_t *want;                /* [batch_rows] */
};

enum mote_status mote_context_open(struct mote_session *session, uint32_t sequence, uint32_t batch_rows,
				   struct mote_context **out, struct mote_error *error)
{
	struct mote_context *c = calloc(1, sizeof *c);

	*out = NULL;
	if (c) {
		c->session = session;
		c->batch_rows = batch_rows;
		c->capacity = mote_session_context(session);
		c->ids = malloc(c->capacity * sizeof *c->ids);
		c->position = malloc(c->capacity * sizeof *c->position);
		c->sequence = malloc(batch_rows * sizeof *c->sequence);
		c->want = calloc(batch_rows, sizeof *c->want);
	}
	if (!c || !c->ids || !c->position || !c->sequence || !c->want) {
		mote_context_close(c);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a context");
	}
	for (uint32_t i = 0; i < c->capacity; i++)
		c->position[i] = i;
	for (uint32_t i = 0; i < batch_rows; i++)
		c->sequence[i] = sequence;
	*out = c;
	return MOTE_OK;
}

void mote_context_close(struct mote_context *c)
{
	if (!c)
		return;
	free(c->ids);
	free(c->position);
	free(c->sequence);
	free(c->want);
	free(c);
}

/* Computes the n ids from c->count on, which lie in c->ids already. */
static enum mote_status compute(struct mote_context *c, uint32_t n, bool last, const float **logits,
				struct mote_error *error)
{
	struct mote_batch batch = {.rows = n, .token = c->ids + c->count, .position = c->position + c->count,
				   .sequence = c->sequence, .want_logits = c->want};
	enum mote_status status;

	c->want[n - 1] = last;
	status = mote_session_forward(c->session, &batch, logits, error);
	c->want[n - 1] = 0;
	if (status == MOTE_OK)
		c->count += n;
	return status;
}

enum mote_status mote_context_set(struct mote_context *c, const int32_t *ids, size_t count, bool (*proceed)(void),
				  const float **logits, size_t *computed, struct mote_error *error)
{
	uint32_t same = 0, n = (uint32_t)count;
	enum mote_status status;

	if (count == 0)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the prompt is empty: there is nothing to continue");
	if (count > c->capacity)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a prompt of %zu tokens does not fit into a context of %u",
				      count, c->capacity);
	while (same < c->count && same + 1 < n && c->ids[same] == ids[same])
		same++;
	c->count = same;
	for (uint32_t i = same; i < n; i++)
		c->ids[i] = ids[i];
	if (computed)
		*computed = n - same;
	while (c->count < n) {
		uint32_t rows = n - c->count < c->batch_rows ? n - c->count : c->batch_rows;

		if (proceed && !proceed())
			return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		if ((status = compute(c, rows, c->count + rows == n, logits, error)))
			return status;
	}
	return MOTE_OK;
}

enum mote_status mote_context_append(struct mote_context *c, int32_t id, const float **logits, struct mote_error *error)
{
	if (c->count == c->capacity)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "the context of %u tokens is full", c->capacity);
	c->ids[c->count] = id;
	return compute(c, 1, true, logits, error);
}

bool mote_context_full(const struct mote_context *c)
{
	return c->count == c->capacity;
}
