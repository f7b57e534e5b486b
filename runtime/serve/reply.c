/* See reply.h. */
#include "runtime/serve/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/portable.h"

struct mote_reply *mote_reply_open(const struct mote_lm *lm, struct mote_engine *engine, const char *model,
				   struct mote_ask *ask)
{
	static const struct mote_dialect_words *const words[] = {
		[MOTE_DIALECT_CHAT] = &mote_words_chat, [MOTE_DIALECT_COMPLETION] = &mote_words_completion,
		[MOTE_DIALECT_RESPONSES] = &mote_words_responses, [MOTE_DIALECT_MESSAGES] = &mote_words_messages};
	struct mote_reply *r = calloc(1, sizeof *r);
	uint64_t number[2] = {0};

	if (!r)
		return NULL;
	r->choices = ask->job.prompts * ask->job.copies;
	r->choice = calloc(r->choices, sizeof *r->choice);
	if (!r->choice) {
		free(r);
		return NULL;
	}
	r->lm = lm;
	r->engine = engine;
	r->model = model;
	r->ask = *ask;
	*ask = (struct mote_ask){0};
	r->words = words[r->ask.dialect];
	r->created = (int64_t)time(NULL);
	if (!mote_portable_random(number, sizeof number))
		number[0] = (uint64_t)(uintptr_t)r;
	snprintf(r->id, sizeof r->id, "%012llx%012llx", (unsigned long long)(number[0] >> 16),
		 (unsigned long long)(number[1] >> 16));
	return r;
}

void mote_reply_close(struct mote_reply *r)
{
	if (!r)
		return;
	mote_engine_release(r->engine, &r->ask.job);
	for (uint32_t i = 0; i < r->choices; i++) {
		struct mote_choice *c = &r->choice[i];

		mote_bytes_free(&c->text);
		mote_bytes_free(&c->reasoning);
		mote_bytes_free(&c->rest);
		free(c->part);
		free(c->scored);
		free(c->prompt);
		free(c->ids);
		for (size_t k = 0; k < c->calls; k++)
			mote_tool_call_free(&c->call[k]);
	}
	free(r->choice);
	mote_ask_free(&r->ask);
	free(r);
}

/* ---- gathering ---- */

static void fail(struct mote_reply *r, int status, const char *message)
{
	if (r->failed)
		return;
	r->failed = true;
	r->failed_status = status;
	snprintf(r->message, sizeof r->message, "%s", message);
}

static bool keep_scores(struct mote_choice *c, const struct mote_piece *p)
{
	struct mote_scored *grown;

	if (!p->n_scored)
		return true;
	grown = realloc(c->scored, (c->n_scored + p->n_scored) * sizeof *grown);
	if (!grown)
		return false;
	c->scored = grown;
	memcpy(grown + c->n_scored, p->scored, p->n_scored * sizeof *grown);
	c->n_scored += p->n_scored;
	return true;
}

/* Notes whose part the bytes from begin on are, and of a thought's white space none: it waits for what follows. */
static bool note_part(struct mote_choice *c, const struct mote_bytes *bytes, size_t begin)
{
	bool reasoning = bytes == &c->reasoning;
	struct mote_part *last = c->parts ? &c->part[c->parts - 1] : NULL, *grown;

	if (last && last->reasoning == reasoning) {
		last->end = bytes->count;
		return true;
	}
	if (begin + strspn(bytes->text + begin, reasoning ? " \n" : "") == bytes->count)
		return true;
	grown = realloc(c->part, (c->parts + 1) * sizeof *grown);
	if (!grown)
		return false;
	c->part = grown;
	grown[c->parts++] = (struct mote_part){reasoning, begin, bytes->count};
	return true;
}

static void take_end(struct mote_reply *r, struct mote_choice *c, struct mote_piece *p)
{
	struct mote_bytes *thought = &c->reasoning;

	/* White space before the closing tag only separates it. */
	while (thought->count && strchr(" \n", thought->text[thought->count - 1]))
		thought->text[--thought->count] = 0;
	c->ended = true;
	c->finish = p->finish;
	c->stop_text = p->stop_text;
	c->prompt_tokens = p->prompt_tokens;
	c->cached_tokens = p->cached_tokens;
	c->prompt_seconds = p->prompt_seconds;
	c->predict_seconds = p->predict_seconds;
	c->guessed = p->guessed;
	c->guessed_right = p->guessed_right;
	c->ids = p->ids;
	c->prompt = p->prompt;
	c->n_prompt = p->n_prompt;
	p->ids = NULL;
	p->prompt = NULL;
	if (r->ask.tools && c->text.text)
		c->calls = mote_tool_calls_read(c->text.text, c->text.count, mote_json_get(r->ask.json, "tools"),
						c->call, &c->rest);
	while (c->calls > 1 && cJSON_IsFalse(mote_json_get(r->ask.json, "parallel_tool_calls")))
		mote_tool_call_free(&c->call[--c->calls]);
}

static void take(struct mote_reply *r, struct mote_piece *p)
{
	struct mote_choice *c = &r->choice[p->choice];
	struct mote_bytes *part = p->kind == MOTE_PIECE_REASONING ? &c->reasoning : &c->text;
	size_t begin = part->count;

	if (p->kind == MOTE_PIECE_FAILED) {
		fail(r, p->status, p->text);
		return;
	}
	if (p->kind != MOTE_PIECE_END)
		mote_bytes_add(part, p->text, p->bytes);
	c->reasoning_tokens += p->kind == MOTE_PIECE_REASONING ? p->tokens - c->tokens : 0;
	c->tokens = p->tokens;
	if (part->failed || (part->count > begin && !note_part(c, part, begin)) || !keep_scores(c, p))
		fail(r, MOTE_LM_MEMORY, "no memory for the answer");
	if (p->kind == MOTE_PIECE_END)
		take_end(r, c, p);
	if (c->rest.failed)
		fail(r, MOTE_LM_MEMORY, "no memory for the answer");
}

static void check_ends(struct mote_reply *r)
{
	for (uint32_t i = 0; i < r->choices; i++)
		if (!r->choice[i].ended)
			fail(r, MOTE_LM_MEMORY, "no memory for the answer");
}

bool mote_reply_gather(struct mote_reply *r)
{
	struct mote_piece *list;

	while (!r->failed && (list = mote_engine_wait(r->engine, &r->ask.job))) {
		for (struct mote_piece *p = list; p; p = p->next)
			take(r, p);
		mote_piece_free(list);
	}
	check_ends(r);
	return !r->failed;
}

/* ---- streaming ---- */

/* The text of a choice as far as it may be shown; where tools are offered, a call is held back until it is whole. */
static void show_text(struct mote_reply *r, uint32_t choice, const struct mote_scored *scored, size_t n,
		      struct mote_bytes *out)
{
	struct mote_choice *c = &r->choice[choice];
	const char *text = c->text.text ? c->text.text : "";
	size_t end = c->text.count;

	if (r->ask.tools && !c->ended)
		end = mote_tool_calls_begin(text, end, c->shown, mote_json_get(r->ask.json, "tools"));
	if (c->ended && c->calls) {
		text = c->rest.text ? c->rest.text : "";
		end = c->rest.count;
	}
	if (end > c->shown || n)
		r->words->text(r, choice, false, text + (end > c->shown ? c->shown : 0),
			       end > c->shown ? end - c->shown : 0, scored,
			       n, out);
	c->shown = end > c->shown ? end : c->shown;
}

/* Its white space waits for what follows: before the closing tag it only separates. */
static void show_thought(struct mote_reply *r, const struct mote_piece *p, struct mote_bytes *out)
{
	struct mote_choice *c = &r->choice[p->choice];
	size_t from = c->thought_shown, end = c->reasoning.count;

	while (end > from && strchr(" \n", c->reasoning.text[end - 1]))
		end--;
	c->thought_shown = end;
	if (end > from || p->n_scored)
		r->words->text(r, p->choice, true, end > from ? c->reasoning.text + from : "", end - from, p->scored,
			       p->n_scored, out);
}

static void show(struct mote_reply *r, struct mote_piece *p, struct mote_bytes *out)
{
	if (p->kind == MOTE_PIECE_REASONING)
		show_thought(r, p, out);
	else
		show_text(r, p->choice, p->scored, p->n_scored, out);
	if (p->kind == MOTE_PIECE_END)
		r->words->choice_end(r, p->choice, out);
}

bool mote_reply_next(void *reply, struct mote_bytes *out)
{
	struct mote_reply *r = reply;
	struct mote_piece *list = NULL;

	if (r->finished)
		return false;
	if (!r->begun)
		r->words->begin(r, out);
	else
		list = mote_engine_wait(r->engine, &r->ask.job);
	for (struct mote_piece *p = list; p && !r->failed; p = p->next) {
		take(r, p);
		if (!r->failed)
			show(r, p, out);
	}
	if (r->begun && !list)
		check_ends(r);
	if (r->failed)
		r->words->failed(r, r->failed_status, r->message, out);
	else if (r->begun && !list)
		r->words->end(r, out);
	r->finished = r->failed || (r->begun && !list);
	r->begun = true;
	mote_piece_free(list);
	return true;
}

/* ---- for dialects ---- */

void mote_reply_event(struct mote_json_builder *b, const char *event, cJSON *json, struct mote_bytes *out)
{
	if (event)
		mote_bytes_print(out, "event: %s\n", event);
	mote_bytes_add(out, "data: ", 6);
	out->failed |= b->failed;
	mote_bytes_add_json(out, json);
	mote_bytes_add(out, "\n\n", 2);
}

/* Choices of one prompt share it. */
size_t mote_reply_prompt_tokens(const struct mote_reply *r)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < r->choices; i += r->ask.job.copies)
		sum += r->ask.prompt[i / r->ask.job.copies].count;
	return sum;
}

size_t mote_reply_cached_tokens(const struct mote_reply *r)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < r->choices; i += r->ask.job.copies)
		sum += r->choice[i].cached_tokens;
	return sum;
}

size_t mote_reply_tokens(const struct mote_reply *r)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < r->choices; i++)
		sum += r->choice[i].tokens;
	return sum;
}

size_t mote_reply_reasoning_tokens(const struct mote_reply *r)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < r->choices; i++)
		sum += r->choice[i].reasoning_tokens;
	return sum;
}

const char *mote_choice_text(const struct mote_choice *c)
{
	const struct mote_bytes *text = c->calls ? &c->rest : &c->text;

	return text->text ? text->text : "";
}

const char *mote_choice_reasoning(const struct mote_choice *c)
{
	return c->reasoning.text ? c->reasoning.text : "";
}

void mote_choice_part(const struct mote_choice *c, size_t i, struct mote_bytes *out)
{
	struct mote_part p = i < c->parts ? c->part[i] : (struct mote_part){0};
	const struct mote_bytes *all = p.reasoning ? &c->reasoning : &c->text;
	const char *text = all->text ? all->text : "";

	p.end = p.end < all->count ? p.end : all->count;
	while (p.reasoning && strchr(" \n", text[p.end - 1]))
		p.end--;
	mote_bytes_add(out, text + p.begin, p.end - p.begin);
}

bool mote_choice_is_end(const struct mote_reply *r, const struct mote_scored *s)
{
	return !r->ask.job.options.ignore_end && mote_lm_is_end(r->lm, s->id);
}
