/* Vocabularies of GGUF files: see gguf_vocabulary.h. */
#include "convert/gguf/gguf_vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_merges.h"
#include "format/utf8.h"

#define KEY "tokenizer.ggml."
#define MAX_TOKENS ((uint32_t)1 << 21)
#define META "\xe2\x96\x81" /* U+2581, which stands for a space */

static enum mote_status no_memory(const struct mote_gguf *g, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
}

static enum mote_status read_tokens(const struct mote_gguf *g, struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	const struct mote_gguf_value *list;
	enum mote_status status;
	const uint8_t *at;

	status = mote_gguf_want_array(g, KEY "tokens", MOTE_GGUF_STRING, &list, error);
	if (status)
		return status;
	if (!list || !list->count || list->count > MAX_TOKENS)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"" KEY "tokens\": %u tokens; 1 to %u are "
				      "possible", g->name, list ? list->count : 0, MAX_TOKENS);
	v->token = calloc(list->count, sizeof *v->token);
	v->type = malloc(list->count);
	if (!v->token || !v->type)
		return no_memory(g, error);
	v->tokens = list->count;
	memset(v->type, MOTE_GGUF_TOKEN_NORMAL, list->count);
	at = list->data;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct mote_gguf_text *t = &v->token[i];

		v->token[i] = mote_gguf_next_text(&at);
		if (memchr(t->text, 0, t->bytes) || mote_utf8_valid(t->text, t->bytes) != t->bytes)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: token %u is no UTF-8 without NUL",
					      g->name, i);
	}
	return MOTE_OK;
}

static enum mote_status wrong_length(const struct mote_gguf *g, const char *key, uint32_t found, uint32_t expected,
				     struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": %u elements for %u tokens", g->name, key, found,
			      expected);
}

static enum mote_status read_types(const struct mote_gguf *g, struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	const struct mote_gguf_value *list;
	enum mote_status status = mote_gguf_want_array(g, KEY "token_type", MOTE_GGUF_INT32, &list, error);

	if (status || !list)
		return status;
	if (list->count != v->tokens)
		return wrong_length(g, KEY "token_type", list->count, v->tokens, error);
	for (uint32_t i = 0; i < list->count; i++) {
		int64_t type = mote_gguf_integer_at(list, i);

		/* 0, "undefined", is what some writers leave at ordinary tokens */
		if (type < 0 || type > MOTE_GGUF_TOKEN_BYTE)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: \"" KEY "token_type\": %lld of token %u is no type", g->name,
					      (long long)type, i);
		v->type[i] = type ? (uint8_t)type : MOTE_GGUF_TOKEN_NORMAL;
	}
	return MOTE_OK;
}

static enum mote_status read_scores(const struct mote_gguf *g, struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	const struct mote_gguf_value *list;
	enum mote_status status = mote_gguf_want_array(g, KEY "scores", MOTE_GGUF_FLOAT32, &list, error);

	if (status || !list)
		return status;
	if (list->count != v->tokens)
		return wrong_length(g, KEY "scores", list->count, v->tokens, error);
	v->score = malloc(v->tokens * sizeof *v->score);
	if (!v->score)
		return no_memory(g, error);
	for (uint32_t i = 0; i < v->tokens; i++) {
		v->score[i] = (float)mote_gguf_number_at(list, i);
		if (!(v->score[i] > -1e30f && v->score[i] < 1e30f))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: \"" KEY "scores\": that of token %u is not finite", g->name, i);
	}
	return MOTE_OK;
}

enum mote_status mote_gguf_vocabulary_read(const struct mote_gguf *g, struct mote_gguf_vocabulary *out,
					   struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_gguf_vocabulary){0};
	if ((status = read_tokens(g, out, error)) || (status = read_types(g, out, error)) ||
	    (status = read_scores(g, out, error))) {
		mote_gguf_vocabulary_free(out);
		return status;
	}
	while (out->tokens > 1 && out->type[out->tokens - 1] == MOTE_GGUF_TOKEN_UNUSED)
		out->tokens--;
	return MOTE_OK;
}

void mote_gguf_vocabulary_free(struct mote_gguf_vocabulary *v)
{
	free(v->token);
	free(v->type);
	free(v->score);
	*v = (struct mote_gguf_vocabulary){0};
}

static bool is_added(const struct mote_gguf_vocabulary *v, uint32_t id)
{
	return v->type[id] == MOTE_GGUF_TOKEN_CONTROL || v->type[id] == MOTE_GGUF_TOKEN_USER_DEFINED ||
	       v->type[id] == MOTE_GGUF_TOKEN_UNKNOWN;
}

static bool text_is(const struct mote_gguf_text *t, const char *text)
{
	return t->bytes == strlen(text) && memcmp(t->text, text, t->bytes) == 0;
}

/* Phi-3's added tokens take the white space behind them along, which no key says: llama.cpp knows it by the name that
 * the file gives the model, and here it is known by the architecture, too. */
static enum mote_status strips_right(const struct mote_gguf *g, bool *strips, struct mote_error *error)
{
	struct mote_gguf_text model, architecture, name;
	struct mote_error no_name = {0};
	char lower[256] = "";
	enum mote_status status;

	if ((status = mote_gguf_want_text(g, KEY "model", &model, error)) ||
	    (status = mote_gguf_want_text(g, "general.architecture", &architecture, error)))
		return status;
	if (mote_gguf_want_text(g, "general.name", &name, &no_name)) /* whatever it is, no name */
		name = (struct mote_gguf_text){0};
	for (uint32_t i = 0; i < name.bytes && i < sizeof lower - 1; i++)
		lower[i] = (char)(name.text[i] >= 'A' && name.text[i] <= 'Z' ? name.text[i] + 'a' - 'A' : name.text[i]);
	*strips = strstr(lower, "phi-3") || strstr(lower, "phi3") ||
		  (text_is(&model, "llama") && text_is(&architecture, "phi3"));
	return MOTE_OK;
}

static bool keeps_space(const struct mote_gguf_text *t)
{
	return text_is(t, "<unk>") || text_is(t, "<s>") || text_is(t, "<|endoftext|>");
}

static enum mote_status write_added(struct mote_text_buffer *b, const struct mote_gguf *g,
				    const struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	bool first = true, strips;
	enum mote_status status = strips_right(g, &strips, error);

	if (status)
		return status;

	mote_text_buffer_print(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
	for (uint32_t i = 0; i < v->tokens; i++) {
		if (!is_added(v, i) || !v->token[i].bytes)
			continue;
		mote_text_buffer_print(b, "%s{\"id\":%u,\"content\":", first ? "" : ",", i);
		mote_text_buffer_quote(b, v->token[i].text, v->token[i].bytes);
		mote_text_buffer_print(b,
				       ",\"single_word\":false,\"lstrip\":false,\"rstrip\":%s,\"normalized\":false,"
				       "\"special\":%s}", strips && !keeps_space(&v->token[i]) ? "true" : "false",
				       v->type[i] == MOTE_GGUF_TOKEN_USER_DEFINED ? "false" : "true");
		first = false;
	}
	mote_text_buffer_print(b, "],");
	return MOTE_OK;
}

/* The text of an id that is there only because each has to have one. */
static bool is_filler(const struct mote_gguf_vocabulary *v, uint32_t id)
{
	char text[24];
	int n = snprintf(text, sizeof text, "[PAD%u]", id);

	return v->type[id] == MOTE_GGUF_TOKEN_UNUSED && v->token[id].bytes == (uint32_t)n &&
	       memcmp(text, v->token[id].text, (size_t)n) == 0;
}

/* The model's own tokens: all of them, as SentencePiece has it. Byte-level vocabularies have added ones apart, whose
 * ids follow their own: one before that is an own token, too, and could not have its id otherwise. */
static void write_tokens(struct mote_text_buffer *b, const struct mote_gguf_vocabulary *v, bool with_added)
{
	uint32_t end = v->tokens;
	bool first = true;

	while (!with_added && end && (is_added(v, end - 1) || is_filler(v, end - 1)))
		end--;
	mote_text_buffer_print(b, "\"vocab\":{");
	for (uint32_t i = 0; i < end; i++) {
		if (is_filler(v, i) || (!with_added && is_added(v, i) && !v->token[i].bytes))
			continue;
		if (!first)
			mote_text_buffer_add(b, ",", 1);
		mote_text_buffer_quote(b, v->token[i].text, v->token[i].bytes);
		mote_text_buffer_print(b, ":%u", i);
		first = false;
	}
	mote_text_buffer_print(b, "},");
}

/* Unless the file says so, the tokenizer puts what its kind does before and after a text. */
static enum mote_status write_processor(struct mote_text_buffer *b, const struct mote_gguf *g,
					const struct mote_gguf_vocabulary *v, bool adds_bos, struct mote_error *error)
{
	static const char *const keys[2] = {KEY "bos_token_id", KEY "eos_token_id"};
	static const char *const flags[2] = {KEY "add_bos_token", KEY "add_eos_token"};
	bool adds[2] = {adds_bos, false};
	uint32_t id[2];
	enum mote_status status;

	for (int i = 0; i < 2; i++) {
		status = mote_gguf_want_bool(g, flags[i], adds[i], &adds[i], error);
		if (!status)
			status = mote_gguf_want_u32(g, keys[i], UINT32_MAX, &id[i], error);
		if (status)
			return status;
		adds[i] = adds[i] && id[i] < v->tokens;
	}
	if (!adds[0] && !adds[1]) {
		mote_text_buffer_print(b, "\"post_processor\":null,");
		return MOTE_OK;
	}
	mote_text_buffer_print(b, "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[");
	for (int i = 0; i < 2; i++) {
		if (i)
			mote_text_buffer_print(b, "%s{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}%s", adds[0] ? "," : "",
					       adds[1] ? "," : "");
		if (adds[i]) {
			mote_text_buffer_print(b, "{\"SpecialToken\":{\"id\":");
			mote_text_buffer_quote(b, v->token[id[i]].text, v->token[id[i]].bytes);
			mote_text_buffer_print(b, ",\"type_id\":0}}");
		}
	}
	mote_text_buffer_print(b, "],\"pair\":[],\"special_tokens\":{");
	for (int i = 0; i < 2; i++)
		if (adds[i] && (i == 0 || !adds[0] || id[0] != id[1])) {
			if (i && adds[0])
				mote_text_buffer_add(b, ",", 1);
			mote_text_buffer_quote(b, v->token[id[i]].text, v->token[id[i]].bytes);
			mote_text_buffer_print(b, ":{\"id\":");
			mote_text_buffer_quote(b, v->token[id[i]].text, v->token[id[i]].bytes);
			mote_text_buffer_print(b, ",\"ids\":[%u],\"tokens\":[", id[i]);
			mote_text_buffer_quote(b, v->token[id[i]].text, v->token[id[i]].bytes);
			mote_text_buffer_print(b, "]}");
		}
	mote_text_buffer_print(b, "}},");
	return MOTE_OK;
}

static enum mote_status write_bytes_bpe(struct mote_text_buffer *b, const struct mote_gguf *g,
					const struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	const struct mote_gguf_value *merges;
	const struct mote_gguf_pre *pre;
	struct mote_gguf_text name;
	enum mote_status status;
	const uint8_t *at;

	if ((status = mote_gguf_want_text(g, KEY "pre", &name, error)) ||
	    (status = mote_gguf_want_array(g, KEY "merges", MOTE_GGUF_STRING, &merges, error)))
		return status;
	if (!merges)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"" KEY "model\" is \"gpt2\", but there are no "
				      "merges", g->name);
	pre = name.text ? mote_gguf_pre_find(name.text, name.bytes) : NULL;
	if (!pre)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: \"" KEY "pre\" is \"%.*s\": how that cuts a "
				      "text is not known", g->name, (int)name.bytes, name.text ? name.text : "");
	status = write_added(b, g, v, error);
	if (!status)
		status = write_processor(b, g, v, pre->adds_bos, error);
	if (status)
		return status;
	mote_text_buffer_print(b, "\"normalizer\":%s,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
			       "\"trim_offsets\":true,\"use_regex\":true},\"pre_tokenizer\":", pre->normalizer);
	mote_text_buffer_add(b, pre->pre_tokenizer, strlen(pre->pre_tokenizer));
	mote_text_buffer_print(b, ",\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"fuse_unk\":false,"
			       "\"byte_fallback\":false,\"ignore_merges\":%s,", pre->ignore_merges ? "true" : "false");
	write_tokens(b, v, false);
	mote_text_buffer_print(b, "\"merges\":[");
	at = merges->data;
	for (uint32_t i = 0; i < merges->count; i++) {
		struct mote_gguf_text merge = mote_gguf_next_text(&at);

		if (memchr(merge.text, 0, merge.bytes) || mote_utf8_valid(merge.text, merge.bytes) != merge.bytes)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: merge %u is no UTF-8 without NUL",
					      g->name, i);
		if (i)
			mote_text_buffer_add(b, ",", 1);
		mote_text_buffer_quote(b, merge.text, merge.bytes);
	}
	mote_text_buffer_print(b, "]}}");
	return MOTE_OK;
}

static enum mote_status write_sentence_bpe(struct mote_text_buffer *b, const struct mote_gguf *g,
					   const struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	uint32_t unk;
	enum mote_status status;
	bool prefix, bytes = false; /* Gemma's has one less than all: its tab is a token */

	if ((status = mote_gguf_want_bool(g, KEY "add_space_prefix", true, &prefix, error)) ||
	    (status = mote_gguf_want_u32(g, KEY "unknown_token_id", 0, &unk, error)))
		return status;
	if (!v->score)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"" KEY "model\" is \"llama\", but there are no "
				      "scores", g->name);
	for (uint32_t i = 0; i < v->tokens; i++)
		bytes |= v->type[i] == MOTE_GGUF_TOKEN_BYTE;
	status = write_added(b, g, v, error);
	if (!status)
		status = write_processor(b, g, v, true, error);
	if (status)
		return status;
	mote_text_buffer_print(b,
			       "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[%s{\"type\":\"Replace\","
			       "\"pattern\":{\"String\":\" \"},\"content\":\"" META "\"}]},\"pre_tokenizer\":null,",
			       prefix ? "{\"type\":\"Prepend\",\"prepend\":\"" META "\"}," : "");
	mote_text_buffer_print(b,
			       "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
			       "\"pattern\":{\"String\":\"" META "\"},\"content\":\" \"},"
			       "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}%s]},",
			       prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
	mote_text_buffer_print(b, "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
	if (unk < v->tokens)
		mote_text_buffer_quote(b, v->token[unk].text, v->token[unk].bytes);
	else
		mote_text_buffer_print(b, "null");
	mote_text_buffer_print(b, ",\"fuse_unk\":true,\"byte_fallback\":%s,\"ignore_merges\":false,",
			       bytes ? "true" : "false");
	write_tokens(b, v, true);
	mote_text_buffer_print(b, "\"merges\":[");
	status = mote_gguf_merges_write(b, v, error);
	mote_text_buffer_print(b, "]}}");
	return status;
}

enum mote_status mote_gguf_vocabulary_write(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
					    char **json, size_t *bytes, struct mote_error *error)
{
	struct mote_text_buffer b = {0};
	struct mote_gguf_text model;
	enum mote_status status = mote_gguf_want_text(g, KEY "model", &model, error);

	*json = NULL;
	*bytes = 0;
	if (!status && text_is(&model, "gpt2"))
		status = write_bytes_bpe(&b, g, v, error);
	else if (!status && text_is(&model, "llama"))
		status = write_sentence_bpe(&b, g, v, error);
	else if (!status)
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: \"" KEY "model\" is \"%.*s\"; \"gpt2\" and "
					"\"llama\" are read", g->name, (int)model.bytes, model.text ? model.text : "");
	if (!status && b.failed)
		status = no_memory(g, error);
	if (status) {
		free(b.text);
		return status;
	}
	*json = b.text;
	*bytes = b.bytes;
	return MOTE_OK;
}
