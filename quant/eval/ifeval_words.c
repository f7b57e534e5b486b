/* IFEval's verifiers of words: which, how many, how often. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "format/utf8.h"
#include "quant/eval/ifeval_text.h"

#define WORD "[\\p{L}\\p{N}_]"

/* "less than" or "at least". */
static bool relates(const cJSON *arguments, const char *relation, const char *count, uint32_t found)
{
	double wanted = mote_json_get(arguments, count)->valuedouble;

	return strcmp(mote_json_get(arguments, relation)->valuestring, "less than") ? found >= wanted : found < wanted;
}

bool mote_ifeval_existence(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	for (const cJSON *k = mote_json_get(arguments, "keywords")->child; k; k = k->next)
		if (mote_ifeval_literals(a, "(?i)", k->valuestring, "") == 0)
			return false;
	return true;
}

/* As whole words, where the others also count inside of words. */
bool mote_ifeval_forbidden(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	for (const cJSON *k = mote_json_get(arguments, "forbidden_words")->child; k; k = k->next)
		if (mote_ifeval_literals(a, "(?i)(?<!" WORD ")", k->valuestring, "(?!" WORD ")") > 0)
			return false;
	return true;
}

bool mote_ifeval_frequency(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	struct mote_span keyword = mote_span_strip(mote_span_of(mote_json_get(arguments, "keyword")->valuestring));
	char *copy = strndup(keyword.at, keyword.bytes);
	uint32_t found = copy ? mote_ifeval_literals(a, "(?i)", copy, "") : 0;

	if (!copy)
		a->status = MOTE_ERROR_MEMORY;
	free(copy);
	return relates(arguments, "relation", "frequency", found);
}

bool mote_ifeval_letters(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	char *text = mote_ifeval_lower(a, a->text);
	char *letter = mote_ifeval_lower(a, mote_span_of(mote_json_get(arguments, "letter")->valuestring));
	uint32_t found = 0;

	for (const char *at = text; text && letter && (at = strstr(at, letter)); at += strlen(letter))
		found++;
	free(text);
	free(letter);
	return relates(arguments, "let_relation", "let_frequency", found);
}

bool mote_ifeval_words(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return relates(arguments, "relation", "num_words", mote_ifeval_matches(a, a->text, WORD "+", NULL));
}

static bool is_capital(struct mote_span s)
{
	return mote_span_cased(s, true);
}

/* Approximates NLTK's words: white space and most punctuation part them, and so do the contracted ends of English
 * ("I'M" and "DON'T" are two words each). */
bool mote_ifeval_capital_words(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	static const char words[] = "(?i)n't\\b|'(?:s|m|d|ll|re|ve)\\b|"
				    "(?:(?!n't\\b|'(?:s|m|d|ll|re|ve)\\b)[^\\s,;:?!()\\[\\]{}<>\"@#$%&])+";

	return relates(arguments, "capital_relation", "capital_frequency",
		       mote_ifeval_matches(a, a->text, words, is_capital));
}

bool mote_ifeval_no_comma(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	(void)arguments;
	return !mote_span_contains(a->text, ",");
}

/* ---- sentences ---- */

/* The word that ends before `end` is one that a full stop shortens: an initial, or one of these. */
static bool is_abbreviation(const char *begin, const char *end)
{
	static const char *const known[] = {"mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "e.g", "i.e",
					    "u.s", "u.k", "p.m", "a.m", "inc", "ltd", "co", "corp", "gen", "rep", "sen",
					    "gov", "ph.d", "jan", "feb", "aug", "sept", "oct", "nov", "dec", "cf",
					    "fig", "al"};
	const char *from = end;
	size_t length;

	while (from > begin && !strchr(" \t\r\n(\"'", from[-1]))
		from--;
	length = (size_t)(end - from);
	if (length == 1 && ((*from >= 'A' && *from <= 'Z') || (*from >= 'a' && *from <= 'z')))
		return true;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (length == strlen(known[i]) && strncasecmp(from, known[i], length) == 0)
			return true;
	return false;
}

static size_t skip(const char *at, const char *end, const char *set)
{
	size_t n = 0;

	while (at + n < end && strchr(set, at[n]))
		n++;
	return n;
}

/* Approximates punkt: a sentence ends at . ? or !, closing quotes and brackets included, before white space; a full
 * stop does not end it behind an abbreviation or before a small letter. What is left at the end is a sentence too. */
static uint32_t count_sentences(struct mote_span s)
{
	const char *end = s.at + s.bytes;
	uint32_t count = s.bytes > 0;

	for (const char *at = s.at; at < end;) {
		size_t marks = skip(at, end, ".?!"), closing, blanks;
		const char *next;
		bool stop = marks > 0 && at[marks - 1] == '.';

		if (marks == 0) {
			at++;
			continue;
		}
		closing = skip(at + marks, end, "\"')]*");
		next = at + marks + closing;
		blanks = skip(next, end, " \t\r\n");
		if (blanks > 0 && next + blanks < end && !(stop && next[blanks] >= 'a' && next[blanks] <= 'z') &&
		    !(stop && marks == 1 && closing == 0 && is_abbreviation(s.at, at)))
			count++;
		at = next + blanks;
	}
	return count;
}

bool mote_ifeval_sentences(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return relates(arguments, "relation", "num_sentences", count_sentences(mote_span_strip(a->text)));
}
