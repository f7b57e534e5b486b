/* Text that a model writes itself: see own_text.h.
 *
 * Several documents grow side by side. Each draws from its own random state, so a document is the same in whatever
 * company it was written.
 */
#include "quant/measure/own_text.h"

#include <stdlib.h>
#include <string.h>

#include "quant/measure/opening.h"
#include "runtime/generate/logit_row.h"
#include "runtime/generate/scheduler.h"
#include "runtime/kernels/kernels.h"

enum {
	USER_TOKENS = 96,      /* longest turn of the user */
	DOCUMENT_TOKENS = 512, /* longest document, prompt included */
	AT_ONCE = 16           /* most documents that grow: twice as many as read weights half as often, and more of the
				* last ones would be begun in vain */
};

enum phase { PHASE_USER, PHASE_ANSWER, PHASE_DONE };

struct document {
	struct writer *writer;
	enum phase phase;
	struct mote_ids ids;  /* prompt, then what the model wrote */
	size_t prompt;        /* how many of ids were given */
	uint32_t written;     /* tokens drawn, both turns */
	uint64_t random;
	char *head;           /* text before the answer, owned */
	char *text;           /* when done: the whole document, owned */
};

struct writer {
	const struct mote_own_text_options *o;
	const struct mote_model *model;
	const cJSON *metadata;
	struct mote_tokenizer *tokenizer;
	struct mote_session *session;
	struct mote_scheduler *scheduler;
	enum mote_status status; /* of what the scheduler's call of take() did */
	struct mote_error error;
	struct mote_kernels kernels;
	float *weight;           /* [vocab] of the token to draw */
	uint32_t context;
	struct mote_opening opening;
	struct document **document; /* [n_documents], each owned */
	size_t n_documents;
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for generated text");
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A token drawn at temperature 1 from the whole vocabulary. No sorting: the order of ids serves as well. */
static int32_t draw(const struct writer *w, const float *logits, uint64_t *random)
{
	uint32_t vocab = w->model->config.vocab;
	double sum = 0.0, target;
	float most;

	memcpy(w->weight, logits, vocab * sizeof *logits);
	w->kernels.softmax(w->weight, vocab, 1.0f, &most);
	for (uint32_t i = 0; i < vocab; i++)
		sum += (double)w->weight[i];
	target = (double)(random_next(random) >> 11) * 0x1p-53 * sum;
	for (uint32_t i = 0; i < vocab; i++) {
		target -= (double)w->weight[i];
		if (target < 0.0)
			return (int32_t)i;
	}
	return (int32_t)vocab - 1;
}

static bool is_end(const struct writer *w, int32_t id)
{
	const struct mote_config *c = &w->model->config;

	for (uint32_t i = 0; i < c->n_eos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

static enum mote_status open_scheduler(struct writer *w, struct mote_error *error)
{
	const struct mote_session_options options = { .context_tokens = w->context, .sequences = AT_ONCE,
						      .logit_rows = AT_ONCE, .threads = w->o->threads };
	enum mote_status status = mote_session_open(w->model, &options, &w->session, error);

	return status == MOTE_OK ? mote_scheduler_open(w->session, NULL, &w->scheduler, error) : status;
}

static enum mote_status open_writer(struct writer *w, struct mote_error *error)
{
	const struct mote_config *c = &w->model->config;
	size_t bytes = 0;
	const void *section = mote_container_section(w->model->container, MOTE_SECTION_TOKENIZER, &bytes);
	enum mote_status status;

	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer, so it cannot write a text",
				      mote_container_path(w->model->container));
	status = mote_tokenizer_open(section, bytes, &w->tokenizer, error);
	if (status != MOTE_OK)
		return status;
	w->metadata = mote_container_metadata(w->model->container);
	w->context = c->max_positions < DOCUMENT_TOKENS ? c->max_positions : DOCUMENT_TOKENS;
	status = mote_opening_find(w->model, w->tokenizer, w->context, &w->opening, error);
	if (status != MOTE_OK)
		return status;
	w->weight = aligned_alloc(64, ((size_t)c->vocab * sizeof *w->weight + 63) / 64 * 64);
	if (!w->weight)
		return no_memory(error);
	status = mote_kernels_select(NULL, &w->kernels, error);
	return status == MOTE_OK ? open_scheduler(w, error) : status;
}

static void close_writer(struct writer *w)
{
	for (size_t i = 0; i < w->n_documents; i++) {
		mote_ids_free(&w->document[i]->ids);
		free(w->document[i]->head);
		free(w->document[i]->text);
		free(w->document[i]);
	}
	free(w->document);
	free(w->weight);
	mote_ids_free(&w->opening.ids);
	mote_scheduler_close(w->scheduler);
	mote_session_close(w->session);
	mote_tokenizer_close(w->tokenizer);
}

static enum mote_status append_id(struct mote_ids *ids, int32_t id, struct mote_error *error)
{
	if (ids->count == ids->capacity) {
		size_t more = ids->capacity ? ids->capacity * 2 : 64;
		int32_t *grown = realloc(ids->id, more * sizeof *grown);

		if (!grown)
			return no_memory(error);
		ids->id = grown;
		ids->capacity = more;
	}
	ids->id[ids->count++] = id;
	return MOTE_OK;
}

/* Copies what the model wrote behind head. */
static enum mote_status decode_written(const struct writer *w, const struct document *d, const char *head,
				       const char *tail, char **text, struct mote_error *error)
{
	char *written = NULL;
	size_t bytes = 0, head_bytes = strlen(head), tail_bytes = strlen(tail);
	enum mote_status status = mote_tokenizer_decode(w->tokenizer, d->ids.id + d->prompt, d->ids.count - d->prompt,
							false, &written, &bytes, error);

	if (status != MOTE_OK)
		return status;
	bytes = strlen(written); /* a NUL that the model wrote ends its turn */
	*text = malloc(head_bytes + bytes + tail_bytes + 1);
	if (*text) {
		memcpy(*text, head, head_bytes);
		memcpy(*text + head_bytes, written, bytes);
		memcpy(*text + head_bytes + bytes, tail, tail_bytes + 1);
	}
	free(written);
	return *text ? MOTE_OK : no_memory(error);
}

/* The user has spoken: the template renders the turn, and the document starts over as the answer's prompt. */
static enum mote_status begin_answer(struct writer *w, struct document *d, struct mote_error *error)
{
	struct mote_rendered rendered = {0};
	char *said = NULL;
	enum mote_status status = decode_written(w, d, "", "", &said, error);

	if (status == MOTE_OK)
		status = mote_opening_render_user(w->metadata, said, &rendered, error);
	if (status == MOTE_OK) {
		d->ids.count = 0;
		status = mote_tokenizer_encode_spans(w->tokenizer, rendered.text, rendered.spans, rendered.n_spans,
						     0, &d->ids, error);
	}
	if (status == MOTE_OK) {
		d->prompt = d->ids.count;
		d->phase = PHASE_ANSWER;
		d->head = rendered.text;
		rendered.text = NULL;
		if (d->ids.count + 1 >= w->context) { /* no room for an answer: a document without one */
			d->phase = PHASE_DONE;
			status = decode_written(w, d, d->head, "\n", &d->text, error);
		}
	}
	mote_rendered_free(&rendered);
	free(said);
	return status;
}

/* Takes the token that the model drew for d. */
static enum mote_status take_token(struct writer *w, struct document *d, int32_t id, struct mote_error *error)
{
	bool full = d->ids.count + 1 >= w->context;
	enum mote_status status;

	d->written++;
	if (d->phase == PHASE_USER) {
		/* A user's turn ends with the first control token, whichever it is. */
		bool control = is_end(w, id) || mote_tokenizer_is_special(w->tokenizer, id);

		status = control ? MOTE_OK : append_id(&d->ids, id, error);
		if (status == MOTE_OK && (control || full || d->ids.count - d->prompt >= USER_TOKENS))
			status = begin_answer(w, d, error);
		return status;
	}
	status = append_id(&d->ids, id, error);
	if (status == MOTE_OK && (is_end(w, id) || full)) {
		d->phase = PHASE_DONE;
		status = decode_written(w, d, d->head ? d->head : "", d->head ? "\n" : "", &d->text, error);
	}
	return status;
}

static int32_t take(void *user, const float *logits)
{
	struct document *d = user;
	struct writer *w = d->writer;
	enum phase before = d->phase;

	if (w->status == MOTE_OK)
		w->status = mote_logit_row_check(logits, w->model->config.vocab, &w->error);
	if (w->status == MOTE_OK)
		w->status = take_token(w, d, draw(w, logits, &d->random), &w->error);
	if (w->status == MOTE_OK && d->phase == before)
		return d->ids.id[d->ids.count - 1];
	if (w->status == MOTE_OK && d->phase != PHASE_DONE) /* the same document with another prompt */
		w->status = mote_scheduler_add(w->scheduler, d->ids.id, d->ids.count, (struct mote_taker){take, d},
					       NULL, &w->error);
	return MOTE_ENDED;
}

/* Its first ids. In a varied text every second document is plain and starts from a word drawn at random, which belongs
 * to what is written. */
static enum mote_status begin_document(struct writer *w, struct document *d, bool word, struct mote_error *error)
{
	int32_t first = word ? mote_opening_word(w->model, w->tokenizer, random_next(&d->random)) : -1;
	enum mote_status status = MOTE_OK;

	d->phase = w->opening.chat && first < 0 ? PHASE_USER : PHASE_ANSWER;
	if (first >= 0 && w->opening.bos)
		status = append_id(&d->ids, w->model->config.bos, error);
	for (size_t i = 0; i < w->opening.ids.count && first < 0 && status == MOTE_OK; i++)
		status = append_id(&d->ids, w->opening.ids.id[i], error);
	d->prompt = d->ids.count;
	return status == MOTE_OK && first >= 0 ? append_id(&d->ids, first, error) : status;
}

static enum mote_status start_document(struct writer *w, struct mote_error *error)
{
	struct document **grown = realloc(w->document, (w->n_documents + 1) * sizeof *grown), *d;
	enum mote_status status;

	if (!grown)
		return no_memory(error);
	w->document = grown;
	d = calloc(1, sizeof *d);
	if (!d)
		return no_memory(error);
	d->writer = w;
	d->random = w->o->seed;
	d->random = random_next(&d->random) + w->n_documents; /* far apart for seeds that are near */
	d->random = random_next(&d->random);
	status = begin_document(w, d, w->o->varied && w->n_documents % 2 == 1, error);
	w->document[w->n_documents++] = d;
	return status ? status
		      : mote_scheduler_add(w->scheduler, d->ids.id, d->ids.count, (struct mote_taker){take, d}, NULL,
					   error);
}

/* Documents 0 .. *n - 1 are done and hold enough; the smallest such *n, or false. */
static bool enough(const struct writer *w, uint32_t min_tokens, size_t *n)
{
	uint64_t tokens = 0;

	for (*n = 0; *n < w->n_documents && tokens < min_tokens; ++*n) {
		if (w->document[*n]->phase != PHASE_DONE)
			return false;
		tokens += w->document[*n]->written;
	}
	return tokens >= min_tokens;
}

static uint64_t tokens_written(const struct writer *w)
{
	uint64_t tokens = 0;

	for (size_t i = 0; i < w->n_documents; i++)
		tokens += w->document[i]->written;
	return tokens;
}

static enum mote_status write_documents(struct writer *w, size_t *n, struct mote_error *error)
{
	const struct mote_progress *progress = w->o->progress;
	const uint32_t min_tokens = w->o->min_tokens;
	enum mote_status status = MOTE_OK;

	while (status == MOTE_OK && !enough(w, min_tokens, n)) {
		uint64_t written = tokens_written(w);

		while (status == MOTE_OK && written < min_tokens && mote_scheduler_free(w->scheduler))
			status = start_document(w, error);
		if (status == MOTE_OK)
			status = mote_scheduler_step(w->scheduler, error);
		if (status == MOTE_OK && w->status)
			status = mote_error_set(error, w->status, "%s", w->error.message);
		written = written < min_tokens ? written : min_tokens;
		if (status == MOTE_OK && progress && !progress->update(progress->user, written, min_tokens))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	return status;
}

enum mote_status mote_text_generate(const struct mote_model *m, const struct mote_own_text_options *options,
				    struct mote_text *out, struct mote_error *error)
{
	struct writer *w = calloc(1, sizeof *w);
	size_t n = 0, bytes = 0;
	enum mote_status status;

	*out = (struct mote_text){.generated = true, .seed = options->seed,
				  .generated_tokens = options->min_tokens};
	if (!w)
		return no_memory(error);
	w->model = m;
	w->o = options;
	status = open_writer(w, error);
	if (status == MOTE_OK)
		status = write_documents(w, &n, error);
	if (status == MOTE_OK) {
		for (size_t i = 0; i < n; i++)
			bytes += strlen(w->document[i]->text);
		out->data = malloc(bytes + 1);
		if (!out->data)
			status = no_memory(error);
		for (size_t i = 0; i < n && status == MOTE_OK; i++) {
			size_t length = strlen(w->document[i]->text);
			memcpy(out->data + out->bytes, w->document[i]->text, length);
			out->bytes += length;
		}
	}
	close_writer(w);
	free(w);
	if (status != MOTE_OK)
		*out = (struct mote_text){0};
	else
		out->data[out->bytes] = 0;
	return status;
}
