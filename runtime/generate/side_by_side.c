/* See side_by_side.h. */
#include "runtime/generate/side_by_side.h"

#include <stdlib.h>

enum { BATCH_ROWS = 512 };

struct mote_chorus {
	struct mote_session *session;
	uint32_t vocab;
	int32_t token[BATCH_ROWS];
	uint32_t position[BATCH_ROWS], sequence[BATCH_ROWS];
	uint8_t want[BATCH_ROWS];
};

enum mote_status mote_chorus_open(const struct mote_model *m, uint32_t context, uint32_t threads,
				  struct mote_chorus **out, struct mote_error *error)
{
	const struct mote_session_options options = { .context_tokens = context, .sequences = MOTE_VOICES,
						      .batch_rows = BATCH_ROWS, .logit_rows = MOTE_VOICES,
						      .threads = threads };
	struct mote_chorus *c = calloc(1, sizeof *c);
	enum mote_status status;

	*out = NULL;
	if (!c)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for generating");
	c->vocab = m->config.vocab;
	status = mote_session_open(m, &options, &c->session, error);
	if (status != MOTE_OK) {
		free(c);
		return status;
	}
	*out = c;
	return MOTE_OK;
}

void mote_chorus_close(struct mote_chorus *c)
{
	if (!c)
		return;
	mote_session_close(c->session);
	free(c);
}

enum mote_status mote_chorus_step(struct mote_chorus *c, struct mote_voice voice[MOTE_VOICES],
				  enum mote_status (*take)(void *user, uint32_t voice, const float *logits,
							   struct mote_error *error),
				  void *user, struct mote_error *error)
{
	struct mote_batch batch = { 0, c->token, c->position, c->sequence, c->want };
	uint32_t ready[MOTE_VOICES], n_ready = 0;
	const float *logits;
	enum mote_status status;

	for (uint32_t i = 0; i < MOTE_VOICES; i++) {
		struct mote_voice *v = &voice[i];

		if (v->count == 0)
			continue;
		for (uint32_t n = 0; v->run < v->count && n < BATCH_ROWS / MOTE_VOICES; n++, v->run++) {
			c->token[batch.rows] = v->ids[v->run];
			c->position[batch.rows] = v->run;
			c->sequence[batch.rows] = i;
			c->want[batch.rows++] = v->run + 1 == v->count;
		}
		if (v->run == v->count)
			ready[n_ready++] = i;
	}
	status = mote_session_forward(c->session, &batch, &logits, error);
	for (uint32_t i = 0; i < n_ready && status == MOTE_OK; i++)
		status = take(user, ready[i], logits + (size_t)i * c->vocab, error);
	return status;
}
