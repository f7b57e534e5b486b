/* A compiled tokenizer in GGUF's terms: see gguf_put.h.
 *
 * llama.cpp has two tokenizers for what is called BPE here: "gpt2", with merges, for byte-level vocabularies, where a
 * name says how a text is cut; and "llama", SentencePiece's, which merges whatever two tokens make a third, the one of
 * the highest score first. Only a vocabulary whose merges are all the pairs there are is one of the latter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_merges.h"
#include "convert/gguf/gguf_put.h"
#include "convert/tokenizer_parts.h"

#define KEY "tokenizer.ggml."
#define META "\xe2\x96\x81"

struct export {
	const struct mote_tokenizer_parts *t;
	const cJSON *metadata;
	struct mote_gguf_put *put;
	uint32_t ids;          /* of the model: at least the tokenizer's */
	struct mote_notes *notes;
	struct mote_error *error;
};

static enum mote_status unknown(const struct export *e, const char *what)
{
	return mote_error_set(e->error, MOTE_ERROR_UNSUPPORTED,
			      "tokenizer: %s: llama.cpp has no name for such a tokenizer, or none that is known here",
			      what);
}

static bool argument_is(const struct mote_tokenizer_parts *t, uint32_t offset, uint32_t bytes, const char *text)
{
	return bytes == strlen(text) && memcmp(mote_tokenizer_parts_string(t, offset), text, bytes) == 0;
}

/* Gemma's: a text whose spaces are "▁" by now is cut at none. */
static bool cuts_at_spaces(const struct mote_tokenizer_parts *t, const struct tokenizer_step *s)
{
	return s->kind == SPLIT_LITERAL && !s->flags && argument_is(t, s->a, s->a_bytes, " ");
}

/* Whether texts become SentencePiece's: spaces are "▁", one of which is put in front if *prefix. */
static bool is_sentence(const struct mote_tokenizer_parts *t, bool *prefix)
{
	uint32_t n, first = mote_tokenizer_parts_stage(t, STAGE_NORMALIZE, &n), splits, split;
	const struct tokenizer_step *s = t->step;

	split = mote_tokenizer_parts_stage(t, STAGE_SPLIT, &splits);
	if (n == 0 && splits == 1 && s[split].kind == SPLIT_METASPACE &&
	    argument_is(t, s[split].a, s[split].a_bytes, META)) {
		*prefix = s[split].mode != SCHEME_NEVER;
		return true;
	}
	splits -= splits == 1 && cuts_at_spaces(t, &s[split]);
	if (splits || n < 1 || n > 2 || s[first + n - 1].kind != NORMALIZE_REPLACE ||
	    !argument_is(t, s[first + n - 1].a, s[first + n - 1].a_bytes, " ") ||
	    !argument_is(t, s[first + n - 1].b, s[first + n - 1].b_bytes, META))
		return false;
	*prefix = n == 2;
	return n == 1 || (s[first].kind == NORMALIZE_PREPEND && argument_is(t, s[first].a, s[first].a_bytes, META));
}

static bool is_byte_token(const char *text, uint32_t bytes)
{
	return bytes == 6 && memcmp(text, "<0x", 3) == 0 && text[5] == '>' && strchr("0123456789ABCDEF", text[3]) &&
	       strchr("0123456789ABCDEF", text[4]);
}

static uint8_t type_of(const struct export *e, uint32_t id, bool sentence)
{
	const struct mote_tokenizer_parts *t = e->t;
	uint32_t bytes;
	const char *text;

	if (id >= t->ids)
		return MOTE_GGUF_TOKEN_UNUSED;
	text = mote_tokenizer_parts_text(t, id, &bytes);
	if (!bytes)
		return MOTE_GGUF_TOKEN_UNUSED;
	if (sentence && id == t->unk)
		return MOTE_GGUF_TOKEN_UNKNOWN;
	if (t->added_of[id])
		return t->added[t->added_of[id] - 1].flags & ADDED_SPECIAL ? MOTE_GGUF_TOKEN_CONTROL
									   : MOTE_GGUF_TOKEN_USER_DEFINED;
	return sentence && is_byte_token(text, bytes) ? MOTE_GGUF_TOKEN_BYTE : MOTE_GGUF_TOKEN_NORMAL;
}

/* Ids beyond the tokenizer's, and those in it which no token has,
 * get a text of their own: llama.cpp wants each once. */
static void put_tokens(const struct export *e, bool sentence)
{
	mote_gguf_put_array(e->put, KEY "tokens", MOTE_GGUF_STRING, e->ids);
	for (uint32_t id = 0; id < e->ids; id++) {
		uint32_t bytes = 0;
		const char *text = id < e->t->ids ? mote_tokenizer_parts_text(e->t, id, &bytes) : NULL;
		char unused[24];

		if (!bytes) {
			bytes = (uint32_t)snprintf(unused, sizeof unused, "[PAD%u]", id);
			text = unused;
		}
		mote_gguf_put_bytes(&e->put->b, text, bytes);
	}
	mote_gguf_put_array(e->put, KEY "token_type", MOTE_GGUF_INT32, e->ids);
	for (uint32_t id = 0; id < e->ids; id++)
		mote_gguf_put_number(&e->put->b, type_of(e, id, sentence), 4);
}

static enum mote_status put_bytes_bpe(const struct export *e, const char *pre)
{
	const struct mote_tokenizer_parts *t = e->t;
	uint32_t bytes;

	mote_gguf_put_text(e->put, KEY "model", "gpt2", 4);
	mote_gguf_put_text(e->put, KEY "pre", pre, strlen(pre));
	put_tokens(e, false);
	mote_gguf_put_array(e->put, KEY "merges", MOTE_GGUF_STRING, t->merges);
	for (uint32_t i = 0; i < t->merges; i++) {
		uint32_t right;

		mote_tokenizer_parts_text(t, t->merge[i].right, &right);
		mote_tokenizer_parts_text(t, t->merge[i].left, &bytes);
		mote_gguf_put_number(&e->put->b, bytes + 1 + right, 8);
		mote_text_buffer_add(&e->put->b, mote_tokenizer_parts_text(t, t->merge[i].left, &bytes), bytes);
		mote_text_buffer_add(&e->put->b, " ", 1);
		mote_text_buffer_add(&e->put->b, mote_tokenizer_parts_text(t, t->merge[i].right, &right), right);
	}
	return MOTE_OK;
}

/* Scores that put the merges into their order: the earlier a token can be made, the higher. */
static enum mote_status put_scores(const struct export *e)
{
	const struct mote_tokenizer_parts *t = e->t;
	struct mote_gguf_vocabulary v = {.tokens = t->ids};
	enum mote_status status = MOTE_OK;
	uint32_t pairs = 0;

	v.token = calloc(t->ids, sizeof *v.token);
	v.type = calloc(t->ids, 1);
	v.score = malloc(t->ids * sizeof *v.score);
	if (!v.token || !v.type || !v.score)
		status = mote_error_set(e->error, MOTE_ERROR_MEMORY, "tokenizer: out of memory");
	for (uint32_t id = 0; id < t->ids && !status; id++) {
		v.token[id].text = mote_tokenizer_parts_text(t, id, &v.token[id].bytes);
		v.type[id] = type_of(e, id, true);
		v.score[id] = -1e6f;
	}
	for (uint32_t i = t->merges; i-- > 0 && !status;) /* the lowest rank last */
		v.score[t->merge[i].result] = -(float)i;
	if (!status)
		status = mote_gguf_merges_count(&v, &pairs, e->error);
	if (!status && pairs != t->merges)
		status = unknown(e, "its merges are not all the pairs of tokens that make a token");
	if (!status) {
		mote_gguf_put_array(e->put, KEY "scores", MOTE_GGUF_FLOAT32, e->ids);
		for (uint32_t id = 0; id < e->ids; id++) {
			float score = id < t->ids ? v.score[id] : -1e6f;

			mote_text_buffer_add(&e->put->b, &score, sizeof score);
		}
	}
	mote_gguf_vocabulary_free(&v);
	return status;
}

static enum mote_status put_sentence_bpe(const struct export *e, bool prefix)
{
	uint32_t splits, split = mote_tokenizer_parts_stage(e->t, STAGE_SPLIT, &splits);

	if (prefix && splits && e->t->step[split].kind == SPLIT_METASPACE &&
	    mote_notes_add(e->notes, e->error, "tokenizer: a text that begins with a space, or goes on behind a "
			   "special token, can be other tokens in llama.cpp, which puts a space before each"))
		return MOTE_ERROR_MEMORY;
	if (!(e->t->flags & MODEL_BYTE_FALLBACK))
		return unknown(e, "SentencePiece's without byte fallback");
	mote_gguf_put_text(e->put, KEY "model", "llama", 5);
	mote_gguf_put_text(e->put, KEY "pre", "default", 7);
	mote_gguf_put_bool(e->put, KEY "add_space_prefix", prefix);
	put_tokens(e, true);
	return put_scores(e);
}

static void put_id(const struct export *e, const char *key, const cJSON *id)
{
	int64_t x;

	if (mote_json_integer(id, &x) && x >= 0 && x < (int64_t)e->ids)
		mote_gguf_put_u32(e->put, key, (uint32_t)x);
}

/* The one id that the tokenizer puts before a text, or behind it; -1: none. */
static enum mote_status id_around(const struct export *e, enum tokenizer_part part, int64_t *id)
{
	uint32_t x;

	*id = -1;
	if (e->t->bytes[part] > sizeof x)
		return unknown(e, "several tokens before a text, or several behind it");
	if (e->t->bytes[part]) {
		memcpy(&x, e->t->part[part], sizeof x);
		*id = x;
	}
	return MOTE_OK;
}

/* The id of a token of which templates have the text under a name; -1: none. */
static int64_t id_of_text(const struct export *e, const char *name)
{
	const cJSON *tokens = mote_json_get(e->metadata, "tokens"), *text = mote_json_get(tokens, name);
	int64_t id;

	return cJSON_IsString(text) &&
	       mote_json_integer(mote_json_get(mote_json_get(tokens, "special"), text->valuestring), &id) ? id : -1;
}

static const cJSON *find_id(const cJSON *list, int64_t wanted)
{
	const cJSON *item = list ? list->child : NULL;
	int64_t id;

	while (item && (!mote_json_integer(item, &id) || id != wanted))
		item = item->next;
	return item;
}

/* Three ends of an answer have a key. The first one's also says what a text ends in, and a template's eos_token. */
static enum mote_status put_ends(const struct export *e, const cJSON *list)
{
	static const char *const keys[] = {KEY "eos_token_id", KEY "eot_token_id", KEY "eom_token_id"};
	const cJSON *first = find_id(list, id_of_text(e, "eos_text"));
	int64_t behind;
	size_t n = 1;
	enum mote_status status = id_around(e, PART_AFTER, &behind);

	if (!status && behind >= 0 && !(first = find_id(list, behind)))
		status = unknown(e, "a token behind a text that ends no answer");
	if (status)
		return status;
	first = first ? first : list ? list->child : NULL;
	put_id(e, keys[0], first);
	for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
		if (item != first && n == sizeof keys / sizeof *keys)
			return mote_notes_add(e->notes, e->error, "more than three tokens end an answer, and GGUF has "
					      "keys for three: the others end none there, or by their names only");
		if (item != first)
			put_id(e, keys[n++], item);
	}
	return MOTE_OK;
}

/* A token for what is unknown can be one by name only. */
static enum mote_status put_special(const struct export *e)
{
	const cJSON *tokens = mote_json_get(e->metadata, "tokens");
	const int64_t unk = e->t->unk != MOTE_TOKENIZER_NONE ? (int64_t)e->t->unk : id_of_text(e, "unk_text");
	int64_t bos;
	enum mote_status status = id_around(e, PART_BEFORE, &bos);

	if (!status)
		status = put_ends(e, mote_json_get(tokens, "eos"));
	if (status)
		return status;
	if (bos >= 0)
		mote_gguf_put_u32(e->put, KEY "bos_token_id", (uint32_t)bos);
	else
		put_id(e, KEY "bos_token_id", mote_json_get(tokens, "bos"));
	put_id(e, KEY "padding_token_id", mote_json_get(tokens, "pad"));
	if (unk >= 0 && unk < (int64_t)e->ids)
		mote_gguf_put_u32(e->put, KEY "unknown_token_id", (uint32_t)unk);
	mote_gguf_put_bool(e->put, KEY "add_bos_token", cJSON_IsTrue(mote_json_get(tokens, "add_bos")));
	mote_gguf_put_bool(e->put, KEY "add_eos_token", cJSON_IsTrue(mote_json_get(tokens, "add_eos")));
	return MOTE_OK;
}

static enum mote_status put_templates(const struct export *e)
{
	static const char key[] = "tokenizer.chat_template";
	const cJSON *list = mote_json_get(e->metadata, "chat_templates");

	for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
		const cJSON *name = mote_json_get(item, "name"), *text = mote_json_get(item, "template");
		char full[256];

		if (!cJSON_IsString(name) || !cJSON_IsString(text) || strlen(name->valuestring) > 200)
			return mote_error_set(e->error, MOTE_ERROR_CORRUPT,
					      "metadata: a chat template without name or text");
		snprintf(full, sizeof full, "%s.%s", key, name->valuestring);
		mote_gguf_put_text(e->put, strcmp(name->valuestring, "default") ? full : key, text->valuestring,
				   strlen(text->valuestring));
	}
	return MOTE_OK;
}

enum mote_status mote_gguf_put_tokenizer(struct mote_gguf_put *p, const void *section, size_t bytes,
					 const cJSON *metadata, uint32_t model_ids, struct mote_notes *notes,
					 struct mote_error *error)
{
	struct mote_tokenizer_parts t;
	struct export e = {.t = &t, .metadata = metadata, .put = p, .notes = notes, .error = error};
	enum mote_status status = mote_tokenizer_parts_read(section, bytes, &t, error);
	const char *pre;
	bool prefix;

	if (status)
		return status;
	e.ids = model_ids > t.ids ? model_ids : t.ids;
	status = mote_gguf_find_pre(&t, &pre, error);
	if (status) {
		mote_tokenizer_parts_free(&t);
		return status;
	}
	if (t.model != MODEL_BPE)
		status = unknown(&e, "Unigram");
	else if (t.prefix_bytes || t.suffix_bytes)
		status = unknown(&e, "affixes of words");
	else if (pre)
		status = put_bytes_bpe(&e, pre);
	else if (is_sentence(&t, &prefix))
		status = put_sentence_bpe(&e, prefix);
	else
		status = unknown(&e, "how it cuts a text");
	if (!status)
		status = put_special(&e);
	if (!status)
		status = put_templates(&e);
	if (!status)
		status = mote_gguf_note_tokenizer(&t, notes, error);
	mote_tokenizer_parts_free(&t);
	return status;
}
