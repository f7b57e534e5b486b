/* Components of tokenizer.json: see hf_steps_write.h. */
#include "convert/hf/hf_steps_write.h"

#include <string.h>

struct writing {
	const struct mote_tokenizer_parts *t;
	struct mote_text_buffer *out;
	struct mote_error *error;
};

static enum mote_status unsupported(const struct writing *w, const struct tokenizer_step *s)
{
	return mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED,
			      "tokenizer: step of kind %u, mode %u: tokenizer.json has no "
			      "component for it alone", s->kind, s->mode);
}

static void quote(const struct writing *w, uint32_t offset, uint32_t bytes)
{
	mote_text_buffer_quote(w->out, mote_tokenizer_parts_string(w->t, offset), bytes);
}

static void type(const struct writing *w, const char *name)
{
	mote_text_buffer_print(w->out, "{\"type\":\"%s\"", name);
}

static void pattern(const struct writing *w, const struct tokenizer_step *s, const char *kind)
{
	mote_text_buffer_print(w->out, ",\"pattern\":{\"%s\":", kind);
	quote(w, s->a, s->a_bytes);
	mote_text_buffer_print(w->out, "}");
}

static void content(const struct writing *w, const char *key, uint32_t offset, uint32_t bytes)
{
	mote_text_buffer_print(w->out, ",\"%s\":", key);
	quote(w, offset, bytes);
}

static void base64(const struct writing *w, const uint8_t *data, uint32_t bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (uint32_t i = 0; i < bytes; i += 3) {
		uint32_t left = bytes - i, x = (uint32_t)data[i] << 16;
		char four[4];

		x |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		x |= left > 2 ? (uint32_t)data[i + 2] : 0;
		for (int k = 0; k < 4; k++)
			four[k] = digits[x >> (18 - 6 * k) & 63];
		if (left < 3)
			four[3] = '=';
		if (left < 2)
			four[2] = '=';
		mote_text_buffer_add(w->out, four, 4);
	}
}

static void bert(const struct writing *w, bool clean, bool chinese, bool accents, bool lowercase)
{
	mote_text_buffer_print(w->out, "{\"type\":\"BertNormalizer\",\"clean_text\":%s,\"handle_chinese_chars\":%s,"
			       "\"strip_accents\":%s,\"lowercase\":%s}", clean ? "true" : "false",
			       chinese ? "true" : "false", accents ? "true" : "false", lowercase ? "true" : "false");
}

static enum mote_status normalizer(const struct writing *w, const struct tokenizer_step *s, uint32_t left,
				   uint32_t *used)
{
	static const char *const plain[] = { [NORMALIZE_NFC] = "NFC", [NORMALIZE_NFD] = "NFD",
					     [NORMALIZE_NFKC] = "NFKC", [NORMALIZE_NFKD] = "NFKD",
					     [NORMALIZE_LOWERCASE] = "Lowercase", [NORMALIZE_NMT] = "Nmt",
					     [NORMALIZE_BYTES] = "ByteLevel" };

	if (s->kind == NORMALIZE_NFD && left > 1 && s[1].kind == NORMALIZE_REMOVE_MARKS &&
	    s[1].mode == MARKS_NONSPACING) {
		bert(w, false, false, true, false);
		*used = 2;
		return MOTE_OK;
	}
	if (s->kind < sizeof plain / sizeof *plain && plain[s->kind]) {
		type(w, plain[s->kind]);
	} else if (s->kind == NORMALIZE_REMOVE_MARKS && s->mode == MARKS_ALL) {
		type(w, "StripAccents");
	} else if (s->kind == NORMALIZE_STRIP) {
		type(w, "Strip");
		mote_text_buffer_print(w->out, ",\"strip_left\":%s,\"strip_right\":%s",
				       s->mode & SIDE_LEFT ? "true" : "false", s->mode & SIDE_RIGHT ? "true" : "false");
	} else if (s->kind == NORMALIZE_PREPEND) {
		type(w, "Prepend");
		content(w, "prepend", s->a, s->a_bytes);
	} else if (s->kind == NORMALIZE_REPLACE || s->kind == NORMALIZE_REPLACE_REGEX) {
		type(w, "Replace");
		pattern(w, s, s->kind == NORMALIZE_REPLACE ? "String" : "Regex");
		content(w, "content", s->b, s->b_bytes);
	} else if (s->kind == NORMALIZE_PRECOMPILED) {
		type(w, "Precompiled");
		mote_text_buffer_print(w->out, ",\"precompiled_charsmap\":\"");
		base64(w, (const uint8_t *)mote_tokenizer_parts_string(w->t, s->a), s->a_bytes);
		mote_text_buffer_print(w->out, "\"");
	} else if (s->kind == NORMALIZE_BERT_CLEAN || s->kind == NORMALIZE_BERT_CHINESE) {
		bert(w, s->kind == NORMALIZE_BERT_CLEAN, s->kind == NORMALIZE_BERT_CHINESE, false, false);
		return MOTE_OK;
	} else {
		return unsupported(w, s);
	}
	mote_text_buffer_print(w->out, "}");
	return MOTE_OK;
}

static const char *behavior(const struct tokenizer_step *s)
{
	static const char *const names[BEHAVIORS] = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
						      "Contiguous" };

	return s->mode < BEHAVIORS ? names[s->mode] : names[0];
}

static void split(const struct writing *w, const struct tokenizer_step *s)
{
	mote_text_buffer_print(w->out, ",\"behavior\":\"%s\",\"invert\":%s", behavior(s),
			       s->flags & STEP_INVERT ? "true" : "false");
}

static void byte_level(const struct writing *w, bool prefix, bool regex)
{
	mote_text_buffer_print(w->out,
			       "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,"
			       "\"use_regex\":%s}",
			       prefix ? "true" : "false", regex ? "true" : "false");
}

static bool is_gpt2(const struct tokenizer_step *s)
{
	return s->kind == SPLIT_PATTERN && s->number == PATTERN_GPT2 && s->mode == BEHAVIOR_ISOLATED && !s->flags;
}

/* ByteLevel comes apart into up to three steps: prefix space, pattern, bytes. */
static bool byte_level_steps(const struct writing *w, const struct tokenizer_step *s, uint32_t left, uint32_t *used)
{
	const bool prefix = s->kind == SPLIT_PREFIX_SPACE;
	uint32_t n = prefix;
	const bool regex = n < left && is_gpt2(&s[n]);

	n += regex;
	if (n >= left || s[n].kind != SPLIT_BYTES)
		return false;
	byte_level(w, prefix, regex);
	*used = n + 1;
	return true;
}

static enum mote_status split_class(const struct writing *w, const struct tokenizer_step *s)
{
	if (s->number == SPLIT_SPACE && s->mode == BEHAVIOR_REMOVED) {
		type(w, "WhitespaceSplit");
	} else if (s->number == SPLIT_NUMBER && (s->mode == BEHAVIOR_ISOLATED || s->mode == BEHAVIOR_CONTIGUOUS)) {
		type(w, "Digits");
		mote_text_buffer_print(w->out, ",\"individual_digits\":%s",
				       s->mode == BEHAVIOR_ISOLATED ? "true" : "false");
	} else if (s->number == SPLIT_PUNCTUATION) {
		type(w, "Punctuation");
		mote_text_buffer_print(w->out, ",\"behavior\":\"%s\"", behavior(s));
	} else {
		return unsupported(w, s);
	}
	mote_text_buffer_print(w->out, "}");
	return MOTE_OK;
}

static enum mote_status split_pattern(const struct writing *w, const struct tokenizer_step *s)
{
#define BEGINNING "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
#define END "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
	static const char *const known[] = {
		[PATTERN_GPT2] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+|"
				 " ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+",
		[PATTERN_LLAMA3] = BEGINNING "\\\\p{N}{1,3}" END,
		[PATTERN_QWEN2] = BEGINNING "\\\\p{N}" END,
	};

	if (s->number == PATTERN_WORDS && s->mode == BEHAVIOR_REMOVED && s->flags == STEP_INVERT) {
		mote_text_buffer_print(w->out, "{\"type\":\"Whitespace\"}");
		return MOTE_OK;
	}
	if (s->number >= sizeof known / sizeof *known)
		return unsupported(w, s);
	type(w, "Split");
	mote_text_buffer_print(w->out, ",\"pattern\":{\"Regex\":\"");
	mote_text_buffer_add(w->out, known[s->number], strlen(known[s->number]));
	mote_text_buffer_print(w->out, "\"}");
	split(w, s);
	mote_text_buffer_print(w->out, "}");
	return MOTE_OK;
}

static const char *scheme(const struct tokenizer_step *s)
{
	return s->mode == SCHEME_ALWAYS ? "always" : s->mode == SCHEME_FIRST ? "first" : "never";
}

static enum mote_status pre_tokenizer(const struct writing *w, const struct tokenizer_step *s, uint32_t left,
				      uint32_t *used)
{
	if (byte_level_steps(w, s, left, used))
		return MOTE_OK;
	switch (s->kind) {
	case SPLIT_LITERAL:
	case SPLIT_REGEX:
		type(w, "Split");
		pattern(w, s, s->kind == SPLIT_LITERAL ? "String" : "Regex");
		split(w, s);
		break;
	case SPLIT_CLASS: return split_class(w, s);
	case SPLIT_PATTERN: return split_pattern(w, s);
	case SPLIT_FIXED: mote_text_buffer_print(w->out, "{\"type\":\"FixedLength\",\"length\":%u", s->number); break;
	case SPLIT_METASPACE:
		type(w, "Metaspace");
		content(w, "replacement", s->a, s->a_bytes);
		mote_text_buffer_print(w->out, ",\"prepend_scheme\":\"%s\",\"split\":false", scheme(s));
		break;
	default: return unsupported(w, s);
	}
	mote_text_buffer_print(w->out, "}");
	return MOTE_OK;
}

static enum mote_status decoder(const struct writing *w, const struct tokenizer_step *s)
{
	switch (s->kind) {
	case DECODE_BYTES: byte_level(w, true, true); return MOTE_OK;
	case DECODE_BYTE_FALLBACK: type(w, "ByteFallback"); break;
	case DECODE_FUSE: type(w, "Fuse"); break;
	case DECODE_STRIP:
		type(w, "Strip");
		content(w, "content", s->a, s->a_bytes);
		mote_text_buffer_print(w->out, ",\"start\":%u,\"stop\":%u", s->number, s->mode);
		break;
	case DECODE_REPLACE:
		type(w, "Replace");
		pattern(w, s, "String");
		content(w, "content", s->b, s->b_bytes);
		break;
	case DECODE_METASPACE:
		type(w, "Metaspace");
		content(w, "replacement", s->a, s->a_bytes);
		mote_text_buffer_print(w->out, ",\"prepend_scheme\":\"%s\"", scheme(s));
		break;
	default: return unsupported(w, s);
	}
	mote_text_buffer_print(w->out, "}");
	return MOTE_OK;
}

enum mote_status mote_hf_steps_write(const struct mote_tokenizer_parts *t, enum tokenizer_stage stage,
				     struct mote_text_buffer *out, struct mote_error *error)
{
	static const char *const keys[STAGES] = {"normalizers", "pretokenizers", "decoders"};
	const struct writing w = {t, out, error};
	enum mote_status status = MOTE_OK;
	uint32_t n, first = mote_tokenizer_parts_stage(t, stage, &n);

	/* what no decoder at all does */
	if (n == 0 || (stage == STAGE_DECODE && n == 1 && t->step[first].kind == DECODE_SPACES)) {
		mote_text_buffer_print(out, "null");
		return MOTE_OK;
	}
	mote_text_buffer_print(out, "{\"type\":\"Sequence\",\"%s\":[", keys[stage]);
	for (uint32_t i = 0, used; i < n && !status; i += used) {
		const struct tokenizer_step *s = &t->step[first + i];

		used = 1;
		if (i)
			mote_text_buffer_add(out, ",", 1);
		status = stage == STAGE_NORMALIZE ? normalizer(&w, s, n - i, &used) :
			 stage == STAGE_SPLIT ? pre_tokenizer(&w, s, n - i, &used) : decoder(&w, s);
	}
	mote_text_buffer_print(out, "]}");
	return status;
}
