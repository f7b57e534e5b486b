/* Likelihoods: see likelihood.h.
 *
 * Items are taken in groups, as many as there are sequences for. A group is computed in two rounds of passes: first
 * what the choices of each item share, item behind item, then each choice's rest. A pass is full as long as there are
 * rows, wherever an item ends. Every row whose logits are wanted is scored as soon as its pass is done.
 *
 * Where RoPE follows the context, an item has the frequencies of its own length, whatever stands beside it: then only
 * neighbours that have the same share a session.
 */
#include "quant/eval/likelihood.h"

#include <stdlib.h>

#include "quant/measure/score.h"
#include "runtime/generate/logit_row.h"
#include "runtime/model/rope.h"

enum { BATCH_ROWS = 512, MOST_SEQUENCES = 64, LOGIT_BYTES = 64 << 20 };
#define CACHE_BYTES ((uint64_t)1 << 30)

/* A sequence and the positions of a request that it computes. */
struct run {
	const struct mote_request *request;
	uint32_t sequence, at, end;
	uint32_t item, choice, choices; /* the requests that read its rows: choice ..
					 * choice + choices - 1 of the item */
};

/* A row whose logits are wanted. */
struct wanted {
	const struct run *run;
	uint32_t position;
};

struct likelihoods {
	const struct mote_model *model;
	struct mote_session *session;
	const struct mote_requests *requests;
	struct mote_likelihood (*out)[MOTE_TASK_CHOICES];
	struct mote_likelihood_counts *counts;
	const struct mote_progress *progress;
	uint32_t n, done, end, sequences, logit_rows; /* the session is for the items done .. end - 1 */

	int32_t token[BATCH_ROWS];
	uint32_t position[BATCH_ROWS], sequence[BATCH_ROWS], rows;
	uint8_t want[BATCH_ROWS];
	struct wanted wanted[BATCH_ROWS];
	uint32_t n_wanted;
};

/* Positions that a request computes: its last token is only predicted. */
static uint32_t computed(const struct mote_request *r)
{
	return r->count - 1;
}

/* How many positions all choices of an item compute alike. */
static uint32_t shared(const struct mote_requests *r)
{
	uint32_t n = computed(&r->request[0]);

	for (uint32_t c = 1; c < r->count; c++) {
		uint32_t same = 0, other = computed(&r->request[c]);

		while (same < n && same < other && r->request[0].id[same] == r->request[c].id[same])
			same++;
		n = same;
	}
	return n;
}

/* A row's logits for each request that has a token to predict there. */
static enum mote_status score(struct likelihoods *l, const struct wanted *w, const float *logits,
			      struct mote_error *error)
{
	const struct mote_requests *requests = &l->requests[w->run->item];

	for (uint32_t c = w->run->choice; c < w->run->choice + w->run->choices; c++) {
		const struct mote_request *r = &requests->request[c];
		struct mote_likelihood *out = &l->out[w->run->item][c];
		struct mote_score score;
		uint32_t vocab = l->model->config.vocab;

		if (w->position + 1 < r->context || w->position + 1 >= r->count)
			continue;
		if (!mote_score_row(logits, NULL, vocab, r->id[w->position + 1], &score))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "a logit is NaN or infinite");
		out->logprob -= score.nll;
		out->tokens++;
		out->is_greedy = out->is_greedy && mote_logit_row_argmax(logits, vocab) == r->id[w->position + 1];
	}
	return MOTE_OK;
}

static enum mote_status pass(struct likelihoods *l, struct mote_error *error)
{
	struct mote_batch batch = {.rows = l->rows, .token = l->token, .position = l->position, .sequence = l->sequence,
				   .want_logits = l->want};
	const float *logits;
	enum mote_status status = l->rows ? mote_session_forward(l->session, &batch, &logits, error) : MOTE_OK;

	for (uint32_t i = 0; i < l->n_wanted && !status; i++)
		status = score(l, &l->wanted[i], logits + (size_t)i * l->model->config.vocab, error);
	if (l->counts) {
		l->counts->rows += l->rows;
		l->counts->passes += l->rows > 0;
	}
	l->rows = l->n_wanted = 0;
	if (!status && l->progress && !l->progress->update(l->progress->user, l->done, l->n))
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return status;
}

/* The first position whose logits any of the run's requests wants. */
static uint32_t first_wanted(const struct likelihoods *l, const struct run *run)
{
	uint32_t first = UINT32_MAX;

	for (uint32_t c = run->choice; c < run->choice + run->choices; c++) {
		uint32_t context = l->requests[run->item].request[c].context;

		first = context - 1 < first ? context - 1 : first;
	}
	return first;
}

static enum mote_status add_rows(struct likelihoods *l, struct run *run, struct mote_error *error)
{
	uint32_t from = first_wanted(l, run);
	enum mote_status status = MOTE_OK;

	for (; run->at < run->end && !status; run->at++) {
		bool want = run->at >= from;

		if (l->rows == BATCH_ROWS || (want && l->n_wanted == l->logit_rows))
			status = pass(l, error);
		l->token[l->rows] = run->request->id[run->at];
		l->position[l->rows] = run->at;
		l->sequence[l->rows] = run->sequence;
		l->want[l->rows] = want;
		if (want)
			l->wanted[l->n_wanted++] = (struct wanted){run, run->at};
		l->rows++;
	}
	return status;
}

/* Items from l->done on, as many as there are sequences for. */
static enum mote_status run_group(struct likelihoods *l, struct mote_error *error)
{
	struct run run[MOST_SEQUENCES];
	uint32_t used = 0, end = l->done, first = l->done;
	enum mote_status status = MOTE_OK;

	while (end < l->end && used + l->requests[end].count <= l->sequences)
		used += l->requests[end++].count;
	used = 0;
	for (uint32_t i = first; i < end && !status; i++) {
		const struct mote_requests *r = &l->requests[i];

		run[used] = (struct run){.request = &r->request[0], .sequence = used, .end = shared(r), .item = i,
					 .choices = r->count};
		for (uint32_t c = 0; c < r->count; c++)
			l->out[i][c] = (struct mote_likelihood){.is_greedy = true};
		status = mote_session_trim(l->session, used, 0, error);
		if (!status)
			status = add_rows(l, &run[used], error);
		used += r->count;
	}
	if (!status)
		status = pass(l, error);
	used = 0;
	for (uint32_t i = first; i < end && !status; i++) {
		const struct mote_requests *r = &l->requests[i];
		uint32_t same = run[used].end, base = used;

		for (uint32_t c = 0; c < r->count && !status; c++, used++) {
			run[used] = (struct run){.request = &r->request[c], .sequence = used, .at = same, .item = i,
						 .choice = c, .end = computed(&r->request[c]), .choices = 1};
			if (c > 0 && same > 0)
				status = mote_session_fork(l->session, base, used, same, error);
			else if (c > 0)
				status = mote_session_trim(l->session, used, 0, error);
		}
		/* In a loop of its own: a sequence is forked before it goes on. */
		for (uint32_t c = 0; c < r->count && !status; c++)
			status = add_rows(l, &run[base + c], error);
	}
	l->done = end;
	return status ? status : pass(l, error);
}

static uint32_t context_of(const struct likelihoods *l, uint32_t item)
{
	uint32_t longest = 1, most = l->model->config.max_positions;

	for (uint32_t c = 0; c < l->requests[item].count; c++)
		longest = l->requests[item].request[c].count > longest ? l->requests[item].request[c].count : longest;
	return longest < most ? longest : most;
}

/* As many sequences as a gigabyte of cache holds, at least as many as an item has choices. */
static enum mote_status open_session(struct likelihoods *l, uint32_t threads, struct mote_error *error)
{
	const struct mote_config *config = &l->model->config;
	struct mote_session_options options = {.batch_rows = BATCH_ROWS, .threads = threads, .kv_k = MOTE_KV_F32,
					       .kv_v = MOTE_KV_F32};
	uint32_t choices = 1, kin = mote_rope_kin(config, context_of(l, l->done));
	uint64_t sequence_bytes, rows;

	for (l->end = l->done; l->end < l->n && mote_rope_kin(config, context_of(l, l->end)) == kin; l->end++) {
		uint32_t context = context_of(l, l->end);

		choices = l->requests[l->end].count > choices ? l->requests[l->end].count : choices;
		options.context_tokens = context > options.context_tokens ? context : options.context_tokens;
	}
	sequence_bytes = (uint64_t)options.context_tokens * config->layers * config->kv_heads * config->head_dim * 8;
	l->sequences = CACHE_BYTES / sequence_bytes < MOST_SEQUENCES ? (uint32_t)(CACHE_BYTES / sequence_bytes)
								     : MOST_SEQUENCES;
	l->sequences = l->sequences < choices ? choices : l->sequences;
	options.sequences = l->sequences;
	rows = LOGIT_BYTES / (config->vocab * sizeof(float));
	l->logit_rows = rows < 1 ? 1 : rows > BATCH_ROWS ? BATCH_ROWS : (uint32_t)rows;
	options.logit_rows = l->logit_rows;
	return mote_session_open(l->model, &options, &l->session, error);
}

enum mote_status mote_likelihoods(const struct mote_model *m, const struct mote_requests *requests, uint32_t n,
				  uint32_t threads, const struct mote_progress *progress,
				  struct mote_likelihood (*out)[MOTE_TASK_CHOICES],
				  struct mote_likelihood_counts *counts, struct mote_error *error)
{
	struct likelihoods *l = calloc(1, sizeof *l);
	enum mote_status status = MOTE_OK;

	if (!l)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for likelihoods");
	l->model = m;
	l->requests = requests;
	l->out = out;
	l->counts = counts;
	l->progress = progress;
	l->n = n;
	while (!status && l->done < n) {
		status = open_session(l, threads, error);
		while (!status && l->done < l->end)
			status = run_group(l, error);
		mote_session_close(l->session);
		l->session = NULL;
	}
	free(l);
	return status;
}
