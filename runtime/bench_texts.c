/* The texts that mote-bench reads and writes. */
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"
#include "runtime/bench.h"

enum mote_status bench_advance(struct texts *s, uint32_t sequence, uint32_t begin, uint32_t end,
			       struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	const float *logits;

	for (uint32_t i = 0; i < BATCH_ROWS; i++)
		s->sequence[i] = sequence;
	while (begin < end && status == MOTE_OK) {
		uint32_t rows = end - begin < BATCH_ROWS ? end - begin : BATCH_ROWS;
		struct mote_batch batch = {.rows = rows, .token = s->token + begin, .position = s->position + begin,
					   .sequence = s->sequence, .want_logits = s->want};

		if (mote_console_interrupted())
			return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		s->want[rows - 1] = begin + rows == end;
		status = mote_session_forward(s->session, &batch, &logits, error);
		s->want[rows - 1] = 0;
		begin += rows;
	}
	return status;
}

enum mote_status bench_decode(struct texts *s, uint32_t streams, uint32_t begin, uint32_t end, struct mote_error *error)
{
	struct mote_batch batch = {.rows = streams, .token = s->token, .position = s->place, .sequence = s->sequence,
				   .want_logits = s->want};
	enum mote_status status = MOTE_OK;
	const float *logits;

	memset(s->want, 1, streams);
	for (uint32_t i = 0; i < streams; i++)
		s->sequence[i] = i;
	for (uint32_t at = begin; at < end && status == MOTE_OK; at++) {
		for (uint32_t i = 0; i < streams; i++)
			s->place[i] = at;
		status = mote_session_forward(s->session, &batch, &logits, error);
		if (status == MOTE_OK && mote_console_interrupted())
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	memset(s->want, 0, streams);
	return status;
}

void bench_close_texts(struct texts *s)
{
	mote_session_close(s->session);
	free(s->token);
	free(s->position);
	free(s->sequence);
	free(s->place);
	free(s->want);
}

enum mote_status bench_open_texts(struct texts *s, const struct mote_model *m,
				  const struct mote_session_options *options,
				   uint32_t room, struct mote_error *error)
{
	struct mote_session_options o = *options;
	uint32_t ids = room > MAX_STREAMS ? room : MAX_STREAMS; /* a token for each text at least */

	*s = (struct texts){.room = room, .token = malloc(ids * sizeof *s->token),
			    .position = malloc(ids * sizeof *s->position), .want = calloc(BATCH_ROWS, 1),
			    .sequence = malloc(BATCH_ROWS * sizeof *s->sequence),
			    .place = malloc(BATCH_ROWS * sizeof *s->place)};
	if (!s->token || !s->position || !s->want || !s->sequence || !s->place)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u tokens", room);
	for (uint32_t i = 0; i < ids; i++) {
		s->token[i] = (int32_t)(i * 7919u % m->config.vocab);
		s->position[i] = i;
	}
	o.context_tokens = room;
	o.batch_rows = BATCH_ROWS;
	o.logit_rows = o.sequences;
	return mote_session_open(m, &o, &s->session, error);
}
