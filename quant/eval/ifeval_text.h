/* Scanning answers: white space, case and patterns as Python has them. mote_span_...() are for all of the room, the
 * rest is for ifeval*.c. */
#ifndef MOTE_QUANT_IFEVAL_TEXT_H
#define MOTE_QUANT_IFEVAL_TEXT_H

#include "format/json.h"

struct mote_span {
	const char *at;
	size_t bytes;
};

/* What is verified. The first failure stays in status, and what is computed after it means nothing. */
struct mote_ifeval_answer {
	struct mote_span text; /* UTF-8, borrowed */
	enum mote_status status;
};

struct mote_span mote_span_of(const char *text);
/* Without white space (Unicode) at both ends. */
struct mote_span mote_span_strip(struct mote_span s);
bool mote_span_equal(struct mote_span a, struct mote_span b);
bool mote_span_contains(struct mote_span s, const char *text);
/* Has letters with case, all of them capitals (capitals) or small. */
bool mote_span_cased(struct mote_span s, bool capitals);

/* In small letters, to be freed; NULL: out of memory, and a->status says so. */
char *mote_ifeval_lower(struct mote_ifeval_answer *a, struct mote_span s);

/* Matches of a pattern (PCRE2; ^ and $ at lines), one behind the other, of which keep (NULL: any) is true. */
uint32_t mote_ifeval_matches(struct mote_ifeval_answer *a, struct mote_span s, const char *pattern,
			     bool (*keep)(struct mote_span match));
/* The same of the pattern before + literal + behind. */
uint32_t mote_ifeval_literals(struct mote_ifeval_answer *a, const char *before, const char *literal,
			      const char *behind);

/* Cuts *rest at the first match: stores what stands before it in *part, and what follows in *rest; false: *part is the
 * last, all of *rest. */
bool mote_ifeval_cut(struct mote_ifeval_answer *a, struct mote_span *rest, const char *pattern, struct mote_span *part);

/* Verifiers by kind; arguments are validated. */
typedef bool mote_ifeval_verifier(struct mote_ifeval_answer *a, const cJSON *arguments);
mote_ifeval_verifier mote_ifeval_capital_words, mote_ifeval_english_capital, mote_ifeval_english_lowercase,
	mote_ifeval_repeat_prompt, mote_ifeval_two_responses, mote_ifeval_placeholders, mote_ifeval_postscript,
	mote_ifeval_constrained, mote_ifeval_json, mote_ifeval_sections, mote_ifeval_bullets, mote_ifeval_highlights,
	mote_ifeval_title, mote_ifeval_existence, mote_ifeval_forbidden, mote_ifeval_frequency, mote_ifeval_letters,
	mote_ifeval_response_language, mote_ifeval_first_word, mote_ifeval_paragraphs, mote_ifeval_sentences,
	mote_ifeval_words, mote_ifeval_no_comma, mote_ifeval_end, mote_ifeval_quotation;

/* The language's code (ISO 639-1), or NULL for text without letters. And whether a code is one that can be found. */
const char *mote_ifeval_language(struct mote_span s);
bool mote_ifeval_knows_language(const char *code);

#endif
