/* IFEval's verifiers of form: lists, sections, paragraphs, beginnings and ends. */
#include <stdlib.h>
#include <string.h>

#include "quant/eval/ifeval_text.h"

static uint32_t number(const cJSON *arguments, const char *key)
{
	return (uint32_t)mote_json_get(arguments, key)->valuedouble;
}

static const char *text(const cJSON *arguments, const char *key)
{
	return mote_json_get(arguments, key)->valuestring;
}

bool mote_ifeval_placeholders(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return mote_ifeval_matches(a, a->text, "\\[.*?\\]", NULL) >= number(arguments, "num_placeholders");
}

/* A line that begins with one asterisk, or with a hyphen, whatever follows it. */
bool mote_ifeval_bullets(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return mote_ifeval_matches(a, a->text, "^\\s*\\*[^*].*$", NULL) +
	       mote_ifeval_matches(a, a->text, "^\\s*-.*$", NULL) ==
	       number(arguments, "num_bullets");
}

static bool has_more_than(struct mote_span s, char c)
{
	while (s.bytes > 0 && *s.at == c) {
		s.at++;
		s.bytes--;
	}
	while (s.bytes > 0 && s.at[s.bytes - 1] == c)
		s.bytes--;
	return mote_span_strip(s).bytes > 0;
}

static bool is_highlight(struct mote_span s)
{
	return has_more_than(s, '*');
}

/* Text between asterisks, and again between double ones, not blank, on a line. */
bool mote_ifeval_highlights(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return mote_ifeval_matches(a, a->text, "\\*[^\\n*]*\\*", is_highlight) +
	       mote_ifeval_matches(a, a->text, "\\*\\*[^\\n*]*\\*\\*", is_highlight) >=
	       number(arguments, "num_highlights");
}

static bool is_title(struct mote_span s)
{
	while (s.bytes > 0 && *s.at == '<') {
		s.at++;
		s.bytes--;
	}
	return has_more_than(s, '>');
}

bool mote_ifeval_title(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	(void)arguments;
	return mote_ifeval_matches(a, a->text, "<<[^\\n]+>>", is_title) > 0;
}

bool mote_ifeval_sections(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span splitter = mote_span_strip(mote_span_of(text(arguments, "section_spliter")));
	char *copy = strndup(splitter.at, splitter.bytes);
	uint32_t found = copy ? mote_ifeval_literals(a, "\\s?", copy, "\\s?\\d+\\s?") : 0;

	if (!copy)
		a->status = MOTE_ERROR_MEMORY;
	free(copy);
	return found >= number(arguments, "num_sections");
}

/* Parts between asterisks; only the first and the last may be blank, and do not count then. */
static bool parts(struct mote_ifeval_answer *a, const char *divider, struct mote_span first[2], uint32_t *count)
{
	struct mote_span rest = a->text, part;
	bool more = true;

	*count = 0;
	for (uint32_t i = 0; more; i++) {
		more = mote_ifeval_cut(a, &rest, divider, &part);
		part = mote_span_strip(part);
		if (part.bytes == 0 && i > 0 && more)
			return false;
		if (part.bytes > 0 && *count < 2)
			first[*count] = part;
		*count += part.bytes > 0;
	}
	return true;
}

bool mote_ifeval_paragraphs(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span first[2];
	uint32_t count;

	return parts(a, "\\s?\\*\\*\\*\\s?", first, &count) && count == number(arguments, "num_paragraphs");
}

bool mote_ifeval_two_responses(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span first[2];
	uint32_t count;

	(void)arguments;
	return parts(a, "\\*{6}", first, &count) && count == 2 && !mote_span_equal(first[0], first[1]);
}

/* Its first word, without quotes before it and without what follows a mark of punctuation, is this one. */
static bool begins_with(struct mote_ifeval_answer *a, struct mote_span paragraph, const char *word)
{
	struct mote_span rest = mote_span_strip(paragraph), first;
	char *found, *wanted;
	bool same;

	if (rest.bytes == 0)
		return false;
	mote_ifeval_cut(a, &rest, "\\s", &first);
	for (const char *quote = "'\""; *quote; quote++)
		while (first.bytes > 0 && *first.at == *quote) {
			first.at++;
			first.bytes--;
		}
	for (size_t i = 0; i < first.bytes; i++)
		if (strchr(".,?!'\"", first.at[i]))
			first.bytes = i;
	found = mote_ifeval_lower(a, first);
	wanted = mote_ifeval_lower(a, mote_span_of(word));
	same = found && wanted && strcmp(found, wanted) == 0;
	free(found);
	free(wanted);
	return same;
}

/* Blank paragraphs do not count, but the n-th is found among all. */
bool mote_ifeval_first_word(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span rest = a->text, part, nth = {"", 0};
	uint32_t count = 0, wanted = number(arguments, "nth_paragraph");
	bool more = true;

	for (uint32_t i = 1; more; i++) {
		more = mote_ifeval_cut(a, &rest, "\\n\\n", &part);
		nth = i == wanted ? part : nth;
		count += mote_span_strip(part).bytes > 0;
	}
	return wanted <= count && count == number(arguments, "num_paragraphs") &&
	       begins_with(a, nth, text(arguments, "first_word"));
}

bool mote_ifeval_constrained(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	(void)arguments;
	return mote_span_contains(a->text, "My answer is yes.") || mote_span_contains(a->text, "My answer is no.") ||
	       mote_span_contains(a->text, "My answer is maybe.");
}

static void drop_prefix(struct mote_span *s, const char *prefix)
{
	size_t length = strlen(prefix);

	if (s->bytes >= length && memcmp(s->at, prefix, length) == 0) {
		s->at += length;
		s->bytes -= length;
	}
}

bool mote_ifeval_json(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span s = mote_span_strip(a->text);
	cJSON *json = NULL;
	enum mote_status status;

	(void)arguments;
	drop_prefix(&s, "```json");
	drop_prefix(&s, "```Json");
	drop_prefix(&s, "```JSON");
	drop_prefix(&s, "```");
	if (s.bytes >= 3 && memcmp(s.at + s.bytes - 3, "```", 3) == 0)
		s.bytes -= 3;
	s = mote_span_strip(s);
	status = mote_json_parse(s.at, s.bytes, "answer", &json, NULL);
	cJSON_Delete(json);
	if (status == MOTE_ERROR_MEMORY)
		a->status = status;
	return !status;
}

/* Anywhere, whatever follows. */
bool mote_ifeval_postscript(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	const char *marker = text(arguments, "postscript_marker");

	if (strcmp(marker, "P.P.S") == 0)
		return mote_ifeval_matches(a, a->text, "(?i)p\\.\\s?p\\.\\s?s", NULL) > 0;
	if (strcmp(marker, "P.S.") == 0)
		return mote_ifeval_matches(a, a->text, "(?i)p\\.\\s?s\\.", NULL) > 0;
	return mote_ifeval_literals(a, "(?i)", marker, "") > 0;
}

/* Both in small letters and without white space at their ends: whether s begins (at_end: ends) with the text. */
static bool frames(struct mote_ifeval_answer *a, struct mote_span s, const char *part, bool at_end)
{
	char *whole = mote_ifeval_lower(a, s), *piece = mote_ifeval_lower(a, mote_span_strip(mote_span_of(part)));
	size_t bytes = whole ? strlen(whole) : 0, length = piece ? strlen(piece) : 0;
	bool same = whole && piece && bytes >= length &&
		    memcmp(at_end ? whole + bytes - length : whole, piece, length) == 0;

	free(whole);
	free(piece);
	return same;
}

bool mote_ifeval_repeat_prompt(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return frames(a, mote_span_strip(a->text), text(arguments, "prompt_to_repeat"), false);
}

bool mote_ifeval_end(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span s = mote_span_strip(a->text);

	while (s.bytes > 0 && s.at[s.bytes - 1] == '"')
		s.bytes--;
	while (s.bytes > 0 && *s.at == '"') {
		s.at++;
		s.bytes--;
	}
	return frames(a, s, text(arguments, "end_phrase"), true);
}

bool mote_ifeval_quotation(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span s = mote_span_strip(a->text);

	(void)arguments;
	return s.bytes > 1 && *s.at == '"' && s.at[s.bytes - 1] == '"';
}
