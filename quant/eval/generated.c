/* Greedy answers: see generated.h. */
#include "quant/eval/generated.h"

#include <stdlib.h>
#include <string.h>

#include "quant/eval/answer_match.h"
#include "runtime/generate/answer.h"
#include "runtime/model/rope.h"

enum { SIDE_BY_SIDE = 16 };

struct slot {
	struct mote_answer answer;
	struct mote_sampler *sampler;
	struct mote_ids prompt;  /* borrowed from a request */
	const struct mote_task_row *row;
	uint32_t item;
	bool used, ended;
};

struct generation {
	const struct mote_model *model;
	const struct mote_task *task;
	const struct mote_requests *requests;
	const struct mote_generate_options *options;
	struct mote_session *session;
	struct mote_scheduler *scheduler;
	struct mote_generated *out;
	uint32_t most_tokens;
	struct slot slot[SIDE_BY_SIDE];
};

void mote_generated_free(struct mote_generated *g, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		free(g[i].raw);
		free(g[i].stripped);
		g[i] = (struct mote_generated){0};
	}
}

/* Texts that end an answer do not end a thought; the answer as written is cut in the end. */
static int32_t take(void *user, const float *logits)
{
	struct slot *s = user;
	int32_t id = mote_answer_take(&s->answer, logits);
	size_t bytes = s->answer.text_bytes;

	if (id != MOTE_ENDED && bytes && mote_answer_until(s->row, s->answer.text, bytes) < bytes) {
		mote_answer_end(&s->answer);
		id = MOTE_ENDED;
	}
	s->ended = id == MOTE_ENDED;
	return id;
}

static enum mote_status begin(struct generation *g, struct slot *s, uint32_t item, struct mote_error *error)
{
	const struct mote_request *r = &g->requests[item].request[0];
	const struct mote_sampler_options greedy = {.top_p = 1};
	struct mote_answer_options options = {
		.config = &g->model->config, .tokenizer = g->options->tokenizer,
		.metadata = mote_container_metadata(g->model->container), .prompt = &s->prompt,
		.context_tokens = mote_session_context(g->session), .most_tokens = g->most_tokens,
		.continues_text = !g->options->chat, .reasoning_open = g->requests[item].reasoning_open
	};
	enum mote_status status;

	*s = (struct slot){.item = item, .used = true, .prompt = {r->id, r->count, r->count, 0},
			   .row = g->task->row};
	status = mote_sampler_open(&greedy, g->model->config.vocab, &s->sampler, error);
	options.sampler = s->sampler;
	if (!status)
		status = mote_answer_open(&options, &s->answer, error);
	if (!status)
		status = mote_scheduler_add(g->scheduler, r->id, r->count, (struct mote_taker){take, s}, NULL, error);
	return status;
}

static enum mote_status finish(struct generation *g, struct slot *s, struct mote_error *error)
{
	struct mote_generated *out = &g->out[s->item];
	const char *answer;
	size_t bytes = 0;
	enum mote_status status = s->answer.error.code
				  ? mote_error_set(error, s->answer.error.code, "%s", s->answer.error.message) :
				  mote_tokenizer_decode(g->options->tokenizer, s->answer.ids.id, s->answer.ids.count,
							true, &out->raw, &bytes, error);

	if (!status) {
		answer = s->answer.text ? s->answer.text : "";
		out->tokens = (uint32_t)s->answer.ids.count;
		out->raw[mote_answer_until(g->task->row, out->raw, strlen(out->raw))] = 0;
		out->stripped = strndup(answer, mote_answer_until(g->task->row, answer, strlen(answer)));
		if (!out->stripped)
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
	}
	mote_answer_free(&s->answer);
	mote_sampler_close(s->sampler);
	*s = (struct slot){0};
	return status;
}

static uint32_t context_of(const struct generation *g, uint32_t item)
{
	uint32_t prompt = g->requests[item].request[0].count, most = g->model->config.max_positions;

	return prompt < most && g->most_tokens < most - prompt ? prompt + g->most_tokens : most;
}

/* For the items from `from` on whose RoPE has the same frequencies, which follow their own length where they follow the
 * context; *to is the first that has others. */
static enum mote_status open_all(struct generation *g, uint32_t from, uint32_t n, uint32_t *to,
				 struct mote_error *error)
{
	struct mote_session_options options = {.sequences = SIDE_BY_SIDE, .logit_rows = SIDE_BY_SIDE,
					       .threads = g->options->threads, .kv_k = MOTE_KV_F32,
					       .kv_v = MOTE_KV_F32};
	const struct mote_config *config = &g->model->config;
	uint32_t kin = mote_rope_kin(config, context_of(g, from));
	enum mote_status status;

	for (*to = from; *to < n && mote_rope_kin(config, context_of(g, *to)) == kin; ++*to)
		if (context_of(g, *to) > options.context_tokens)
			options.context_tokens = context_of(g, *to);
	status = mote_session_open(g->model, &options, &g->session, error);
	return status ? status : mote_scheduler_open(g->session, NULL, &g->scheduler, error);
}

static void close_all(struct generation *g)
{
	mote_scheduler_close(g->scheduler);
	for (int i = 0; i < SIDE_BY_SIDE; i++) {
		mote_answer_free(&g->slot[i].answer);
		mote_sampler_close(g->slot[i].sampler);
		g->slot[i] = (struct slot){0};
	}
	mote_session_close(g->session);
	g->scheduler = NULL;
	g->session = NULL;
}

/* Items done .. to - 1 in one session. */
static enum mote_status answer_all(struct generation *g, uint32_t *done, uint32_t to, uint32_t n,
				   const struct mote_progress *progress, struct mote_error *error)
{
	uint32_t next = *done;
	enum mote_status status = MOTE_OK;

	while (!status && *done < to) {
		for (int i = 0; i < SIDE_BY_SIDE && next < to && !status; i++)
			if (!g->slot[i].used)
				status = begin(g, &g->slot[i], next++, error);
		if (!status)
			status = mote_scheduler_step(g->scheduler, error);
		for (int i = 0; i < SIDE_BY_SIDE && !status; i++)
			if (g->slot[i].ended) {
				status = finish(g, &g->slot[i], error);
				++*done;
			}
		if (!status && progress && !progress->update(progress->user, *done, n))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	return status;
}

enum mote_status mote_generate_answers(const struct mote_model *m, const struct mote_task *task,
				       const struct mote_requests *requests, uint32_t n,
				       const struct mote_generate_options *options,
				       const struct mote_progress *progress, struct mote_generated *out,
				       struct mote_error *error)
{
	struct generation *g = calloc(1, sizeof *g);
	uint32_t done = 0, to = 0;
	enum mote_status status = MOTE_OK;

	if (!g)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
	g->model = m;
	g->task = task;
	g->requests = requests;
	g->options = options;
	g->out = out;
	g->most_tokens = options->most_tokens ? options->most_tokens : task->row->most_tokens;
	while (!status && done < n) {
		status = open_all(g, done, n, &to, error);
		if (!status)
			status = answer_all(g, &done, to, n, progress, error);
		close_all(g);
	}
	free(g);
	return status;
}
