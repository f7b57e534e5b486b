#include "runtime/generate/answer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/generate/stop.h"

struct mote_answer_state {
	struct mote_answer_options options;
	struct mote_reasoning reasoning;
	struct mote_reasoning_tags tags;
	struct mote_detokenizer detokenizer;
	int32_t call[3];          /* ids of what tool calls are marked by; -1: they are text */
	struct mote_constraint *constraint; /* of its grammar, or NULL */
	struct mote_stop *stop;   /* finds stop texts, then the tags that are text; NULL without any */
	struct mote_ids forced;   /* the closing tag, from the first time on that it was put in */
	size_t forced_taken;
	size_t thought;           /* tokens of reasoning */
	bool close, closed;       /* of the thought that is open: it is to be closed; its tag was put in */
	size_t text_room, reasoning_room;
	enum mote_reasoning_part part;
	size_t most;       /* tokens */
	bool after_marker; /* and no text since */
	bool ended;
};

static void fail_memory(struct mote_answer *a)
{
	(void)mote_error_set(&a->error, MOTE_ERROR_MEMORY, "no memory for the answer");
}

static bool append(char **text, size_t *count, size_t *room, const char *bytes, size_t n)
{
	if (*room - *count <= n) { /* a NUL always follows */
		size_t more = (*count + n + 1) * 2;
		char *grown = realloc(*text, more);

		if (!grown)
			return false;
		*text = grown;
		*room = more;
	}
	memcpy(*text + *count, bytes, n);
	*count += n;
	(*text)[*count] = 0;
	return true;
}

static void keep_text(struct mote_answer *a, const char *piece, size_t n)
{
	struct mote_answer_state *s = a->state;
	bool kept;

	s->after_marker = false;
	if (s->options.show)
		s->options.show(s->options.user, s->part, piece, n);
	kept = s->part == MOTE_PART_REASONING
		? append(&a->reasoning, &a->reasoning_bytes, &s->reasoning_room, piece, n)
		: append(&a->text, &a->text_bytes, &s->text_room, piece, n);
	if (!kept)
		fail_memory(a);
}

/* Text of the current part: white space behind a tag goes, NUL becomes U+FFFD. */
static void take_text(struct mote_answer *a, const char *piece, size_t n)
{
	const char *nul;

	while (a->state->after_marker && n && (*piece == ' ' || *piece == '\n')) {
		piece++;
		n--;
	}
	for (; n && (nul = memchr(piece, 0, n)); n -= (size_t)(nul + 1 - piece), piece = nul + 1) {
		if (nul > piece)
			keep_text(a, piece, (size_t)(nul - piece));
		keep_text(a, "\xef\xbf\xbd", 3);
	}
	if (n)
		keep_text(a, piece, n);
}

static void enter_part(struct mote_answer_state *s)
{
	s->part = s->reasoning.inside ? MOTE_PART_REASONING : MOTE_PART_ANSWER;
	s->after_marker = true;
	s->close = s->closed = false;
	if (s->stop)
		mote_stop_begin(s->stop, s->reasoning.inside && !s->options.continues_text ? s->options.stop_texts : 0);
}

/* Text as it is decoded: stop texts end the answer, tags that are text change its part. */
static void feed(struct mote_answer *a, const char *piece, size_t n)
{
	struct mote_answer_state *s = a->state;
	int found, texts = (int)s->options.stop_texts;

	if (!s->stop) {
		take_text(a, piece, n);
		return;
	}
	do {
		const char *text;
		size_t bytes;

		if (mote_stop_next(s->stop, piece, n, &found, &text, &bytes, &a->error))
			return;
		take_text(a, text, bytes);
		n = 0;
		if (found >= 0 && found < texts) {
			a->stop_text = found;
			return;
		}
		if (found >= 0 && s->constraint && mote_constraint_began(s->constraint)) {
			const char *tag = found == texts ? s->tags.open : s->tags.close;

			take_text(a, tag, strlen(tag)); /* a tag's text within what a grammar says */
		} else if (found >= 0) {
			s->reasoning.inside = found == texts;
			enter_part(s);
		}
	} while (found >= 0);
}

static void flush(struct mote_answer *a)
{
	size_t n;
	const char *piece = mote_detokenizer_flush(&a->state->detokenizer, &n);

	if (a->stop_text >= 0)
		return;
	feed(a, piece, n);
	if (a->state->stop && a->stop_text < 0) {
		piece = mote_stop_flush(a->state->stop, &n);
		take_text(a, piece, n);
	}
}

static void take_id(struct mote_answer *a, int32_t id)
{
	struct mote_answer_state *s = a->state;
	struct mote_ids *ids = &a->ids;
	bool tag = id == s->call[0] || id == s->call[1] || id == s->call[2] ||
		   (s->options.one_text && (id == s->tags.open_id || id == s->tags.close_id));
	const char *piece;
	size_t n;

	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? ids->capacity * 2 : 256;
		int32_t *grown = realloc(ids->id, capacity * sizeof *grown);

		if (!grown) {
			fail_memory(a);
			return;
		}
		ids->id = grown;
		ids->capacity = capacity;
	}
	ids->id[ids->count++] = id;
	if (mote_reasoning_next(&s->reasoning, id) == MOTE_PART_MARKER) {
		flush(a);
		enter_part(s);
	} else {
		if (s->constraint && !s->reasoning.inside &&
		    mote_constraint_take(s->constraint, id, s->after_marker, &a->error))
			return;
		piece = mote_detokenizer_next(&s->detokenizer, s->options.tokenizer, id, !tag, &n);
		feed(a, piece, n);
	}
}

static bool is_end(const struct mote_answer_options *o, int32_t id)
{
	for (uint32_t i = 0; !o->ignore_eos && i < o->config->n_eos; i++)
		if (o->config->eos[i] == id)
			return true;
	for (size_t i = 0; i < o->stop_ids; i++)
		if (o->stop_id[i] == id)
			return true;
	return false;
}

/* How many tokens fit: the last one is not computed, so it may lie beyond the context. */
static size_t most_tokens(const struct mote_answer_options *o)
{
	size_t most = o->most_tokens ? o->most_tokens : SIZE_MAX, room;

	if (o->context_tokens) {
		room = o->context_tokens -
		       (o->prompt->count < o->context_tokens ? o->prompt->count : o->context_tokens) + 1;
		most = room < most ? room : most;
	}
	return most;
}

/* The texts to be found: stop texts, then the tags where they are text. */
static enum mote_status open_stop(struct mote_answer_state *s, struct mote_error *error)
{
	const struct mote_answer_options *o = &s->options;
	size_t count = o->stop_texts;
	const char **texts;
	enum mote_status status;

	if (!o->one_text && s->tags.open && (s->tags.open_id < 0 || s->tags.close_id < 0))
		count += 2;
	if (!count)
		return MOTE_OK;
	texts = malloc(count * sizeof *texts);
	if (!texts)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %zu stop texts", count);
	for (size_t i = 0; i < o->stop_texts; i++)
		texts[i] = o->stop_text[i];
	if (count > o->stop_texts) {
		texts[count - 2] = s->tags.open;
		texts[count - 1] = s->tags.close;
	}
	status = mote_stop_open(texts, count, &s->stop, error);
	free(texts);
	return status;
}

static enum mote_status open_constraint(struct mote_answer_state *s, struct mote_error *error)
{
	const struct mote_answer_options *o = &s->options;
	struct mote_reasoning reasoning = s->reasoning;

	if (!o->grammar)
		return MOTE_OK;
	if (o->continues_text) /* what goes on with a text is the text: no thought begins before it */
		reasoning.open = -1;
	return mote_constraint_open(o->grammar, o->tokens, o->config, &reasoning, &s->constraint, error);
}

enum mote_status mote_answer_open(const struct mote_answer_options *options, struct mote_answer *answer,
				  struct mote_error *error)
{
	struct mote_answer_state *s = calloc(1, sizeof *s);
	enum mote_status status;

	*answer = (struct mote_answer){.state = s, .stop_text = -1};
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for an answer");
	s->options = *options;
	s->most = most_tokens(options);
	s->tags = mote_reasoning_tags_read(options->metadata, options->tokenizer);
	s->reasoning = options->one_text ? (struct mote_reasoning){-1, -1, false}
					 : mote_reasoning_start(&s->tags, options->reasoning_open);
	s->part = MOTE_PART_ANSWER;
	/* special tokens in some models; whoever reads the text finds calls by them */
	s->call[0] = mote_tokenizer_find(options->tokenizer, "<tool_call>", 11);
	s->call[1] = mote_tokenizer_find(options->tokenizer, "</tool_call>", 12);
	s->call[2] = mote_tokenizer_find(options->tokenizer, "[TOOL_CALLS]", 12);
	/* then the first token's leading space is one; a grammar has it as its own */
	s->detokenizer.started = options->continues_text || options->grammar;
	if ((status = open_stop(s, error)) == MOTE_OK && (status = open_constraint(s, error)) == MOTE_OK) {
		if (s->reasoning.inside)
			enter_part(s);
		status = mote_sampler_begin(options->sampler, options->prompt->id, options->prompt->count, error);
	}
	if (status)
		mote_answer_free(answer);
	return status;
}

/* The next id: drawn, or the next of a closing tag that must come now. */
static enum mote_status next_id(struct mote_answer *a, const float *logits, int32_t *id)
{
	struct mote_answer_state *s = a->state;
	const uint64_t *allowed = NULL;
	enum mote_status status = MOTE_OK;

	s->close |= s->options.think_tokens && s->thought >= s->options.think_tokens;
	if (s->reasoning.inside && s->close && !s->closed) {
		s->closed = true;
		s->forced_taken = s->forced.count = 0;
		status = mote_tokenizer_encode(s->options.tokenizer, s->tags.close, strlen(s->tags.close), 0,
					       &s->forced, &a->error);
	}
	if (status == MOTE_OK && s->forced_taken < s->forced.count) {
		*id = s->forced.id[s->forced_taken++];
		return mote_sampler_accept(s->options.sampler, *id, &a->error);
	}
	if (status == MOTE_OK && s->constraint)
		status = mote_constraint_mask(s->constraint, s->reasoning.inside, s->after_marker, &allowed, &a->error);
	return status ? status : mote_sampler_next_of(s->options.sampler, logits, allowed, id, &a->error);
}

void mote_answer_close_reasoning(struct mote_answer *answer)
{
	struct mote_answer_state *s = answer->state;

	if (s && s->reasoning.inside)
		s->close = true;
}

int32_t mote_answer_take(struct mote_answer *answer, const float *logits)
{
	struct mote_answer_state *s = answer->state;
	int32_t id = MOTE_ENDED;
	bool inside;

	if (s->ended)
		return MOTE_ENDED;
	if (next_id(answer, logits, &id) == MOTE_OK) {
		inside = s->reasoning.inside;
		take_id(answer, id);
		s->thought += inside && s->reasoning.inside;
		if (answer->stop_text >= 0 || is_end(&s->options, id) ||
		    (s->constraint && mote_constraint_is_over(s->constraint)))
			answer->finish = MOTE_FINISH_STOP;
		else if (answer->ids.count >= s->most)
			answer->finish = MOTE_FINISH_LENGTH;
		else if (answer->error.code == MOTE_OK)
			return id;
	}
	mote_answer_end(answer);
	return MOTE_ENDED;
}

static int32_t take(void *user, const float *logits)
{
	return mote_answer_take(user, logits);
}

struct mote_taker mote_answer_taker(struct mote_answer *answer)
{
	return (struct mote_taker){take, answer};
}

void mote_answer_end(struct mote_answer *answer)
{
	if (!answer->state || answer->state->ended)
		return;
	flush(answer);
	if (answer->stop_text >= 0) /* by what was held back */
		answer->finish = MOTE_FINISH_STOP;
	answer->state->ended = true;
}

void mote_answer_free(struct mote_answer *answer)
{
	mote_ids_free(&answer->ids);
	free(answer->text);
	free(answer->reasoning);
	if (answer->state) {
		mote_stop_close(answer->state->stop);
		mote_constraint_close(answer->state->constraint);
		mote_ids_free(&answer->state->forced);
	}
	free(answer->state);
	*answer = (struct mote_answer){0};
}

enum mote_status mote_answer_generate(struct mote_scheduler *scheduler, const struct mote_answer_options *options,
				      struct mote_answer *answer, struct mote_error *error)
{
	uint64_t ticket = 0;
	enum mote_status status = mote_answer_open(options, answer, error);

	if (status == MOTE_OK)
		status = mote_scheduler_add(scheduler, options->prompt->id, options->prompt->count,
					    mote_answer_taker(answer), &ticket, error);
	while (status == MOTE_OK && !answer->state->ended) {
		if (options->proceed && !options->proceed(options->user))
			break;
		status = mote_scheduler_step(scheduler, error);
	}
	mote_scheduler_cancel(scheduler, ticket);
	mote_answer_end(answer);
	if (status == MOTE_OK && answer->error.code)
		status = mote_error_set(error, answer->error.code, "%s", answer->error.message);
	return status;
}

static void add_ids(struct mote_json_builder *b, cJSON *json, const char *key, const struct mote_ids *ids)
{
	cJSON *array = mote_json_add_array(b, json, key);

	for (size_t i = 0; i < ids->count; i++)
		mote_json_add_number(b, array, NULL, ids->id[i]);
}

void mote_answer_add_json(struct mote_json_builder *b, cJSON *object, struct mote_answer *answer,
			  const struct mote_ids *prompt)
{
	char *reasoning = answer->reasoning;

	for (size_t n = answer->reasoning_bytes; n && (reasoning[n - 1] == '\n' || reasoning[n - 1] == ' '); n--)
		reasoning[n - 1] = 0;
	mote_json_add_text(b, object, "text", answer->text ? answer->text : "");
	mote_json_add_text(b, object, "reasoning", reasoning ? reasoning : "");
	add_ids(b, object, "ids", &answer->ids);
	add_ids(b, object, "prompt_ids", prompt);
	mote_json_add_text(b, object, "finish_reason", mote_finish_name(answer->finish));
}

const char *mote_finish_name(enum mote_finish finish)
{
	return finish == MOTE_FINISH_STOP ? "stop" : finish == MOTE_FINISH_LENGTH ? "length" : "interrupted";
}
