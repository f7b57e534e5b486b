/* Patterns that are not among the hand-written ones, through PCRE2: see regex.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/encode_state.h"
#include "runtime/tokenizer/regex.h"

#define MAX_PATTERN 65536u
#define FIRST_LIMIT 4096u      /* steps that every match may take */
#define MATCH_LIMIT 10000000u  /* and that none may */
#define JIT_STACK_BYTES (8u << 20)

struct regex {
	pcre2_code *code;
};

struct regex_scratch {
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

enum mote_status mote_tokenizer_regex_open(const char *pattern, size_t bytes, struct regex **out,
					   struct mote_error *error)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	struct regex *regex = calloc(1, sizeof *regex);
	enum mote_status status = MOTE_OK;
	PCRE2_SIZE offset = 0;
	size_t used = 0;
	char *text = NULL;
	int code = 0;

	*out = NULL;
	if (!context || !regex) {
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a pattern");
	} else if (bytes > MAX_PATTERN) {
		status = mote_error_set(error, MOTE_ERROR_LIMIT, "a pattern of %zu bytes, at most %u are read", bytes,
					MAX_PATTERN);
	} else {
		status = mote_tokenizer_regex_rewrite(pattern, bytes, &text, &used, error);
	}
	if (status == MOTE_OK) {
		pcre2_set_newline(context, PCRE2_NEWLINE_LF);
		regex->code = pcre2_compile((PCRE2_SPTR)(text ? text : ""), used,
					    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
					    &offset, context);
		if (!regex->code) {
			char why[160] = "";

			pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
			status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "pattern \"%.*s\": %s",
						(int)(bytes < 200 ? bytes : 200), pattern, why);
		} else {
			pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
		}
	}
	free(text);
	pcre2_compile_context_free(context);
	if (status) {
		mote_tokenizer_regex_close(regex);
		return status;
	}
	*out = regex;
	return MOTE_OK;
}

void mote_tokenizer_regex_close(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

static struct regex_scratch *scratch_of(struct run *r)
{
	struct regex_scratch *s = r->regex;

	if (s)
		return s;
	s = r->regex = calloc(1, sizeof *s);
	if (s) {
		s->match = pcre2_match_data_create(1, NULL);
		s->context = pcre2_match_context_create(NULL);
		s->stack = pcre2_jit_stack_create(32768, JIT_STACK_BYTES, NULL);
	}
	if (!s || !s->match || !s->context || !s->stack) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "matching a pattern");
		return NULL;
	}
	pcre2_jit_stack_assign(s->context, NULL, s->stack);
	return s;
}

void mote_tokenizer_regex_scratch_free(struct regex_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->match);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s);
}

/* A pattern that backtracks at every place would take the product of the limit and the text: what matches take beyond
 * the first limit comes out of what the call has for all of them. PCRE2 does not say how much a match took, but a try
 * that reached its limit took that. */
static int match(struct run *r, const struct regex *regex, const char *text, size_t bytes, size_t at)
{
	struct regex_scratch *s = r->regex;

	for (uint32_t limit = FIRST_LIMIT;; limit = limit * 8 < MATCH_LIMIT ? limit * 8 : MATCH_LIMIT) {
		int rc;

		pcre2_set_match_limit(s->context, limit);
		/* The whole text was checked once: checking it at each match would take quadratic time. */
		rc = pcre2_match(regex->code, (PCRE2_SPTR)text, bytes, at, PCRE2_NO_UTF_CHECK, s->match, s->context);
		if (rc != PCRE2_ERROR_MATCHLIMIT || limit == MATCH_LIMIT || r->steps < limit)
			return rc;
		r->steps -= limit;
	}
}

bool mote_tokenizer_regex_next(struct run *r, const struct regex *regex, const char *text, size_t bytes,
			       struct regex_walk *walk, size_t *begin, size_t *end)
{
	struct regex_scratch *s = r->status ? NULL : scratch_of(r);

	while (s && walk->at <= bytes) {
		int rc = match(r, regex, text, bytes, walk->at);
		PCRE2_SIZE *found = pcre2_get_ovector_pointer(s->match);

		if (rc == PCRE2_ERROR_NOMATCH)
			return false;
		if (rc < 0) {
			mote_tokenizer_run_fail(r, rc == PCRE2_ERROR_NOMEMORY ? MOTE_ERROR_MEMORY : MOTE_ERROR_LIMIT,
						"a pattern of the pre-tokenizer or normalizer");
			return false;
		}
		if (found[0] == found[1] && walk->matched && walk->last_end == found[1]) {
			walk->at = found[1] < bytes ? found[1] + mote_utf8_length(text[found[1]]) : bytes + 1;
			continue;
		}
		walk->at = walk->last_end = found[1];
		walk->matched = true;
		*begin = found[0];
		*end = found[1];
		return true;
	}
	return false;
}
