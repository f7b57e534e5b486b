/* The pre-tokenizer patterns that most models use, written out by hand.
 *
 *   GPT-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   Llama 3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
 *            \s*[\r\n]+|\s+(?!\S)|\s+
 *   Qwen 2   as Llama 3 with \p{N} instead of \p{N}{1,3}
 *   words    \w+|[^\w\s]+
 *
 * The first three match at every character, so there is nothing between their matches. Every call looks at each
 * byte a bounded number of times: a run of spaces is walked once to find its end.
 */
#include "runtime/tokenizer/tokenizer_internal.h"

static inline enum char_class class_at(const char *text, size_t at, size_t *length)
{
	uint8_t byte = (uint8_t)text[at];

	if (byte < 0x80) {
		*length = 1;
		return (enum char_class)mote_tokenizer_ascii_class[byte];
	}
	return mote_tokenizer_class(mote_utf8_decode(text + at, length));
}

static inline size_t skip_class(const char *text, size_t bytes, size_t at, enum char_class class)
{
	size_t length;

	while (at < bytes && class_at(text, at, &length) == class)
		at += length;
	return at;
}

static bool is_newline(char c)
{
	return c == '\r' || c == '\n';
}

static size_t skip_newlines(const char *text, size_t bytes, size_t at)
{
	while (at < bytes && is_newline(text[at]))
		at++;
	return at;
}

/* The end of 's 't 'm 'd 're 've 'll at the apostrophe at text[at], or 0. U+017F is s when case is ignored. */
static size_t contraction(const char *text, size_t bytes, size_t at, bool fold)
{
	size_t left = bytes - at - 1;
	char a, b;

	if (left < 1)
		return 0;
	a = text[at + 1];
	if (fold && left >= 2 && a == '\xc5' && text[at + 2] == '\xbf')
		return at + 3;
	if (fold && a >= 'A' && a <= 'Z')
		a = (char)(a | 0x20);
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return at + 2;
	if (left < 2)
		return 0;
	b = text[at + 2];
	if (fold && b >= 'A' && b <= 'Z')
		b = (char)(b | 0x20);
	return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? at + 3 : 0;
}

/* \s+(?!\S)|\s+ at a space: the whole run at the text's end; else all but its last character, unless that is all. */
static size_t spaces(const char *text, size_t bytes, size_t at)
{
	size_t end = skip_class(text, bytes, at, CLASS_SPACE), last;

	if (end == bytes)
		return end;
	for (last = end - 1; mote_utf8_continues(text[last]); last--)
		;
	return last > at ? last : end;
}

static size_t gpt2_next(const char *text, size_t bytes, size_t at)
{
	size_t length, next, end;
	enum char_class class = class_at(text, at, &length);

	if (text[at] == '\'') {
		end = contraction(text, bytes, at, false);
		if (end)
			return end;
	}
	next = at + length;
	if (text[at] == ' ' && next < bytes) {
		class = class_at(text, next, &length);
		next += class == CLASS_SPACE ? 0 : length;
	}
	return class == CLASS_SPACE ? spaces(text, bytes, at) : skip_class(text, bytes, next, class);
}

/* \s*[\r\n]+ at a space: up to the last newline of the run, if it has one; else \s+(?!\S)|\s+. */
static size_t spaces_and_newlines(const char *text, size_t bytes, size_t at)
{
	size_t end = skip_class(text, bytes, at, CLASS_SPACE), last = end;

	while (last > at && !is_newline(text[last - 1]))
		last--;
	return last > at ? last : spaces(text, bytes, at);
}

static size_t llama3_next(const char *text, size_t bytes, size_t at, unsigned most_digits)
{
	size_t length, next_length, next, end;
	enum char_class class = class_at(text, at, &length), next_class;

	if (text[at] == '\'') {
		end = contraction(text, bytes, at, true);
		if (end)
			return end;
	}
	next = at + length;
	if (class == CLASS_LETTER)
		return skip_class(text, bytes, next, CLASS_LETTER);
	if (class == CLASS_NUMBER) {
		for (unsigned i = 1; i < most_digits && next < bytes; i++) {
			if (class_at(text, next, &length) != CLASS_NUMBER)
				break;
			next += length;
		}
		return next;
	}
	if (next < bytes) {
		next_class = class_at(text, next, &next_length);
		if (next_class == CLASS_LETTER && !is_newline(text[at]))
			return skip_class(text, bytes, next + next_length, CLASS_LETTER);
		if (text[at] == ' ' && next_class == CLASS_OTHER)
			class = CLASS_OTHER;
	}
	if (class == CLASS_OTHER)
		return skip_newlines(text, bytes, skip_class(text, bytes, next, CLASS_OTHER));
	return spaces_and_newlines(text, bytes, at);
}

/* \w+|[^\w\s]+ ; a run of spaces is what lies between matches: its end is returned negated by the caller's test. */
static size_t words_next(const char *text, size_t bytes, size_t at)
{
	size_t length;
	uint32_t c = mote_utf8_decode(text + at, &length);
	bool word = mote_tokenizer_is_word(c), space = mote_tokenizer_is_space(c);

	for (at += length; at < bytes; at += length) {
		c = mote_utf8_decode(text + at, &length);
		if (mote_tokenizer_is_word(c) != word || mote_tokenizer_is_space(c) != space)
			break;
	}
	return at;
}

size_t mote_tokenizer_pattern_next(enum tokenizer_pattern pattern, const char *text, size_t bytes, size_t at)
{
	switch (pattern) {
	case PATTERN_GPT2: return gpt2_next(text, bytes, at);
	case PATTERN_LLAMA3: return llama3_next(text, bytes, at, 3);
	case PATTERN_QWEN2: return llama3_next(text, bytes, at, 1);
	default: return words_next(text, bytes, at);
	}
}
