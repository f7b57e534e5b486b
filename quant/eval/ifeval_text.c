/* Scanning answers: see ifeval_text.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "quant/eval/ifeval_text.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "format/utf8.h"

enum { MATCH_LIMIT = 10000000 };

struct mote_span mote_span_of(const char *text)
{
	return (struct mote_span){text, strlen(text)};
}

static bool is_space(uint32_t c)
{
	return (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= ' ') || c == 0x85 || c == 0x2028 || c == 0x2029 ||
	       utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ZS;
}

struct mote_span mote_span_strip(struct mote_span s)
{
	size_t length;

	while (s.bytes > 0 && is_space(mote_utf8_decode(s.at, &length))) {
		s.at += length;
		s.bytes -= length;
	}
	while (s.bytes > 0) {
		size_t last = s.bytes - 1;

		while (last > 0 && mote_utf8_continues(s.at[last]))
			last--;
		if (!is_space(mote_utf8_decode(s.at + last, &length)))
			break;
		s.bytes = last;
	}
	return s;
}

bool mote_span_equal(struct mote_span a, struct mote_span b)
{
	return a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

bool mote_span_contains(struct mote_span s, const char *text)
{
	return memmem(s.at, s.bytes, text, strlen(text)) != NULL;
}

bool mote_span_cased(struct mote_span s, bool capitals)
{
	bool found = false;

	for (size_t i = 0, length; i < s.bytes; i += length) {
		utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)mote_utf8_decode(s.at + i, &length));

		if (c == UTF8PROC_CATEGORY_LT || c == (capitals ? UTF8PROC_CATEGORY_LL : UTF8PROC_CATEGORY_LU))
			return false;
		found = found || c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL;
	}
	return found;
}

char *mote_ifeval_lower(struct mote_ifeval_answer *a, struct mote_span s)
{
	/* A character of one byte becomes one of at most three. */
	char *lower = malloc(3 * s.bytes + 5), *to = lower;

	if (!lower) {
		a->status = MOTE_ERROR_MEMORY;
		return NULL;
	}
	for (size_t i = 0, length; i < s.bytes; i += length) {
		uint32_t c = mote_utf8_decode(s.at + i, &length);

		to += mote_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), to);
	}
	*to = 0;
	return lower;
}

/* ---- patterns ---- */

struct search {
	pcre2_compile_context *compiling;
	pcre2_match_context *matching;
	pcre2_match_data *data;
	pcre2_code *code;
};

static void close_search(struct search *s)
{
	pcre2_code_free(s->code);
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->matching);
	pcre2_compile_context_free(s->compiling);
}

/* Lines end at \n alone, whatever PCRE2 was built with. */
static bool open_search(struct mote_ifeval_answer *a, const char *pattern, struct search *s)
{
	int code = 0;
	PCRE2_SIZE place;

	*s = (struct search){pcre2_compile_context_create(NULL), pcre2_match_context_create(NULL), NULL, NULL};
	if (s->compiling && s->matching) {
		pcre2_set_newline(s->compiling, PCRE2_NEWLINE_LF);
		pcre2_set_match_limit(s->matching, MATCH_LIMIT);
		s->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
					PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_ALT_CIRCUMFLEX, &code, &place,
					s->compiling);
	}
	s->data = s->code ? pcre2_match_data_create_from_pattern(s->code, NULL) : NULL;
	if (s->data)
		return true;
	a->status = MOTE_ERROR_MEMORY;
	close_search(s);
	return false;
}

/* The next match from a byte on, in *from to *to. */
static bool find(struct mote_ifeval_answer *a, const struct search *s, struct mote_span text, size_t *from, size_t *to)
{
	int made = pcre2_match(s->code, (PCRE2_SPTR)text.at, text.bytes, *from, 0, s->data, s->matching);

	if (made < 0 && made != PCRE2_ERROR_NOMATCH)
		a->status = made == PCRE2_ERROR_NOMEMORY ? MOTE_ERROR_MEMORY : MOTE_ERROR_LIMIT;
	if (made < 0)
		return false;
	*from = pcre2_get_ovector_pointer(s->data)[0];
	*to = pcre2_get_ovector_pointer(s->data)[1];
	return *to > *from; /* no pattern here matches nothing */
}

uint32_t mote_ifeval_matches(struct mote_ifeval_answer *a, struct mote_span s, const char *pattern,
			     bool (*keep)(struct mote_span match))
{
	struct search search;
	uint32_t count = 0;

	if (a->status || !open_search(a, pattern, &search))
		return 0;
	for (size_t from = 0, to = 0; find(a, &search, s, &from, &to); from = to)
		count += !keep || keep((struct mote_span){s.at + from, to - from});
	close_search(&search);
	return count;
}

uint32_t mote_ifeval_literals(struct mote_ifeval_answer *a, const char *before, const char *literal, const char *behind)
{
	char *pattern = malloc(strlen(before) + 2 * strlen(literal) + strlen(behind) + 1), *to;
	uint32_t count;

	if (!pattern) {
		a->status = MOTE_ERROR_MEMORY;
		return 0;
	}
	to = stpcpy(pattern, before);
	for (; *literal; literal++) {
		if (strchr("\\^$.[]|()?*+{}-#", *literal))
			*to++ = '\\';
		*to++ = *literal;
	}
	strcpy(to, behind);
	count = mote_ifeval_matches(a, a->text, pattern, NULL);
	free(pattern);
	return count;
}

bool mote_ifeval_cut(struct mote_ifeval_answer *a, struct mote_span *rest, const char *pattern, struct mote_span *part)
{
	struct search search;
	size_t from = 0, to = 0;
	bool found;

	*part = *rest;
	if (a->status || !open_search(a, pattern, &search))
		return false;
	found = find(a, &search, *rest, &from, &to);
	close_search(&search);
	if (found) {
		part->bytes = from;
		rest->at += to;
		rest->bytes -= to;
	}
	return found;
}
