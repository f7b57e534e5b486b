/* drive_logits MODEL.mote CONTEXT BATCH ID...: writes the f32 logits of every id's position, [ids][vocab], computed in
 * passes of so many rows by a session for a context of so many tokens. KV cache and arithmetic of f32. For tests that
 * compare with a reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/session.h"

static int failed(const char *what)
{
	fprintf(stderr, "drive_logits: %s\n", what);
	return 1;
}

static int write_logits(struct mote_session *s, uint32_t vocab, const int32_t *id, uint32_t n, uint32_t batch)
{
	uint32_t *position = malloc(n * sizeof *position);
	uint8_t *want = malloc(n);
	struct mote_error error = {0};
	int status = 0;

	if (!position || !want)
		return failed("out of memory");
	for (uint32_t i = 0; i < n; i++)
		position[i] = i;
	memset(want, 1, n);
	for (uint32_t i = 0; i < n && !status; i += batch) {
		struct mote_batch b = {.rows = n - i < batch ? n - i : batch, .token = id + i, .position = position + i,
				       .want_logits = want};
		const float *logits;

		if (mote_session_forward(s, &b, &logits, &error))
			status = failed(error.message);
		else if (fwrite(logits, sizeof *logits * vocab, b.rows, stdout) != b.rows)
			status = failed("cannot write");
	}
	free(position);
	free(want);
	return status;
}

int main(int argc, char **argv)
{
	struct mote_session_options options = {.threads = 2, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32};
	uint32_t n = argc > 4 ? (uint32_t)argc - 4 : 0;
	struct mote_session *s = NULL;
	struct mote_model *m = NULL;
	struct mote_error error = {0};
	int32_t *id = calloc(n + 1u, sizeof *id);
	int status = 1;

	if (n == 0 || !id)
		return failed("MODEL.mote CONTEXT BATCH ID...");
	options.context_tokens = (uint32_t)atoi(argv[2]);
	options.batch_rows = options.logit_rows = (uint32_t)atoi(argv[3]);
	for (uint32_t i = 0; i < n; i++)
		id[i] = atoi(argv[4 + i]);
	if (mote_model_open(argv[1], MOTE_WEIGHTS_MAPPED, &m, &error) || mote_session_open(m, &options, &s, &error))
		failed(error.message);
	else
		status = write_logits(s, m->config.vocab, id, n, options.batch_rows);
	mote_session_close(s);
	mote_model_close(m);
	free(id);
	return status;
}
