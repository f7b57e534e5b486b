#include "runtime/serve/scores.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_BYTES = 1024 };

/* A token's text as it stands within a text, cut at TOKEN_BYTES; U+FFFD where it is part of a character, or a NUL. */
static void token_text(struct mote_json_builder *b, const struct mote_reply *r, int32_t id, char text[TOKEN_BYTES])
{
	struct mote_lm_text *stream;
	const char *piece;
	size_t bytes, more;

	text[0] = 0;
	if (mote_lm_text_open(r->lm, MOTE_LM_TEXT_SPECIAL | MOTE_LM_TEXT_CONTINUES, &stream, NULL)) {
		b->failed = true;
		return;
	}
	piece = mote_lm_text_next(stream, id, &bytes);
	snprintf(text, TOKEN_BYTES, "%.*s", (int)(bytes < TOKEN_BYTES ? bytes : 0), piece);
	if (memchr(text, 0, bytes < TOKEN_BYTES ? bytes : 0)) {
		strcpy(text, "\xef\xbf\xbd");
		bytes = 3;
	}
	piece = mote_lm_text_flush(stream, &more);
	if (more && bytes + more < TOKEN_BYTES) {
		memcpy(text + bytes, piece, more);
		text[bytes + more] = 0;
	}
	mote_lm_text_close(stream);
}

/* A token's own bytes, parts of characters too, until *stream is closed. NULL: no memory. */
static const char *token_bytes(struct mote_json_builder *b, const struct mote_reply *r, int32_t id,
			       struct mote_lm_text **stream, size_t *bytes)
{
	if (!mote_lm_text_open(r->lm, MOTE_LM_TEXT_SPECIAL | MOTE_LM_TEXT_CONTINUES | MOTE_LM_TEXT_BYTES, stream, NULL))
		return mote_lm_text_next(*stream, id, bytes);
	b->failed = true;
	*bytes = 0;
	return NULL;
}

/* From them clients put together the characters that are cut between tokens. */
static void add_bytes(struct mote_json_builder *b, cJSON *item, const struct mote_reply *r, int32_t id)
{
	cJSON *array = mote_json_add_array(b, item, "bytes");
	struct mote_lm_text *stream;
	size_t bytes;
	const char *piece = token_bytes(b, r, id, &stream, &bytes);

	for (size_t i = 0; i < bytes; i++)
		mote_json_add_number(b, array, NULL, (unsigned char)piece[i]);
	mote_lm_text_close(stream);
}

/* What JSON cannot say is null. */
static void add_logprob(struct mote_json_builder *b, cJSON *parent, const char *key, float logprob)
{
	if (isfinite(logprob))
		mote_json_add_number(b, parent, key, (double)logprob);
	else
		mote_json_add_null(b, parent, key);
}

static cJSON *add_token(struct mote_json_builder *b, cJSON *list, const struct mote_reply *r, int32_t id, float logprob)
{
	cJSON *item = mote_json_add_object(b, list, NULL);
	char text[TOKEN_BYTES];

	token_text(b, r, id, text);
	mote_json_add_text(b, item, "token", text);
	add_logprob(b, item, "logprob", logprob);
	add_bytes(b, item, r, id);
	return item;
}

void mote_scores_add_chat(struct mote_json_builder *b, cJSON *object, const struct mote_reply *r,
			  const struct mote_scored *scored, size_t n)
{
	cJSON *list;

	if (!r->ask.logprobs) {
		mote_json_add_null(b, object, "logprobs");
		return;
	}
	list = mote_json_add_array(b, mote_json_add_object(b, object, "logprobs"), "content");
	for (size_t i = 0; i < n; i++) {
		cJSON *item, *top;

		if (mote_choice_is_end(r, &scored[i]))
			continue;
		item = add_token(b, list, r, scored[i].id, scored[i].logprob);
		top = mote_json_add_array(b, item, "top_logprobs");
		for (uint32_t k = 0; k < scored[i].tops; k++)
			add_token(b, top, r, scored[i].top[k].id, scored[i].top[k].logprob);
	}
}

/* How many characters begin in a token: one that is cut between tokens counts once. */
static size_t characters(struct mote_json_builder *b, const struct mote_reply *r, int32_t id)
{
	struct mote_lm_text *stream;
	size_t bytes, n = 0;
	const char *piece = token_bytes(b, r, id, &stream, &bytes);

	for (size_t i = 0; i < bytes; i++)
		n += ((unsigned char)piece[i] & 0xc0) != 0x80;
	mote_lm_text_close(stream);
	return n;
}

void mote_scores_add_completion(struct mote_json_builder *b, cJSON *object, const struct mote_reply *r,
				const struct mote_scored *scored, size_t n, size_t *offset)
{
	cJSON *json, *tokens, *logprobs, *tops, *offsets;

	if (!r->ask.logprobs) {
		mote_json_add_null(b, object, "logprobs");
		return;
	}
	json = mote_json_get(object, "logprobs") ? cJSON_GetObjectItemCaseSensitive(object, "logprobs") : NULL;
	if (!json) {
		json = mote_json_add_object(b, object, "logprobs");
		mote_json_add_array(b, json, "tokens");
		mote_json_add_array(b, json, "token_logprobs");
		mote_json_add_array(b, json, "top_logprobs");
		mote_json_add_array(b, json, "text_offset");
	}
	tokens = cJSON_GetObjectItemCaseSensitive(json, "tokens");
	logprobs = cJSON_GetObjectItemCaseSensitive(json, "token_logprobs");
	tops = cJSON_GetObjectItemCaseSensitive(json, "top_logprobs");
	offsets = cJSON_GetObjectItemCaseSensitive(json, "text_offset");
	for (size_t i = 0; i < n; i++) {
		char text[TOKEN_BYTES];
		cJSON *top;

		token_text(b, r, scored[i].id, text);
		mote_json_add_text(b, tokens, NULL, text);
		add_logprob(b, logprobs, NULL, scored[i].logprob);
		mote_json_add_number(b, offsets, NULL, (double)*offset);
		*offset += characters(b, r, scored[i].id);
		if (!isfinite(scored[i].logprob)) {
			mote_json_add_null(b, tops, NULL);
			continue;
		}
		top = mote_json_add_object(b, tops, NULL);
		for (uint32_t k = 0; k < scored[i].tops; k++) {
			token_text(b, r, scored[i].top[k].id, text);
			if (!mote_json_get(top,
					   text)) /* texts of several ids may look alike; the most probable counts */
				add_logprob(b, top, text, scored[i].top[k].logprob);
		}
		token_text(b, r, scored[i].id, text); /* what came is among them, even where it is none of the top */
		if (!mote_json_get(top, text))
			add_logprob(b, top, text, scored[i].logprob);
	}
}
