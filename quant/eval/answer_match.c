/* Answers in text: see answer_match.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "quant/eval/answer_match.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quant/eval/ifeval_text.h"

enum { MATCH_LIMIT = 1000000 };

struct mote_answer_match {
	const struct mote_task_row *row;
	pcre2_code *filter[MOTE_TASK_FILTERS], *ignore[8];
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static enum mote_status compile(const char *pattern, pcre2_code **out, struct mote_error *error)
{
	int code;
	PCRE2_SIZE place;
	PCRE2_UCHAR message[128];

	*out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &place, NULL);
	if (*out)
		return MOTE_OK;
	if (code == PCRE2_ERROR_HEAP_FAILED)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a pattern");
	pcre2_get_error_message(code, message, sizeof message);
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "pattern \"%s\", byte %zu: %s", pattern, (size_t)place,
			      (char *)message);
}

enum mote_status mote_answer_match_check(const char *pattern, struct mote_error *error)
{
	pcre2_code *code;
	enum mote_status status = compile(pattern, &code, error);

	pcre2_code_free(code);
	return status;
}

enum mote_status mote_answer_match_open(const struct mote_task_row *row, struct mote_answer_match **out,
					struct mote_error *error)
{
	struct mote_answer_match *m = calloc(1, sizeof *m);
	enum mote_status status = MOTE_OK;

	*out = NULL;
	if (!m)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for patterns");
	m->row = row;
	m->data = pcre2_match_data_create(32, NULL);
	m->context = pcre2_match_context_create(NULL);
	if (!m->data || !m->context)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for patterns");
	else
		pcre2_set_match_limit(m->context, MATCH_LIMIT);
	for (uint32_t f = 0; f < MOTE_TASK_FILTERS && row->filter[f].name && !status; f++)
		status = compile(row->filter[f].pattern, &m->filter[f], error);
	for (uint32_t i = 0; i < 8 && row->ignore[i] && !status; i++)
		status = compile(row->ignore[i], &m->ignore[i], error);
	if (status)
		mote_answer_match_close(m);
	else
		*out = m;
	return status;
}

void mote_answer_match_close(struct mote_answer_match *m)
{
	if (!m)
		return;
	for (uint32_t f = 0; f < MOTE_TASK_FILTERS; f++)
		pcre2_code_free(m->filter[f]);
	for (uint32_t i = 0; i < 8; i++)
		pcre2_code_free(m->ignore[i]);
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	free(m);
}

char *mote_answer_match_find(const struct mote_answer_match *m, uint32_t f, const char *text, size_t bytes)
{
	const struct mote_task_filter *filter = &m->row->filter[f];
	struct mote_span found = {0};
	size_t from = 0;
	int groups;

	while (from <= bytes && (!found.at || filter->last) &&
	       (groups = pcre2_match(m->filter[f], (PCRE2_SPTR)text, bytes, from, 0, m->data, m->context)) > 0) {
		const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
		int group = 0;

		for (int g = 1; g < groups && group == 0; g++)
			group = at[2 * g] != PCRE2_UNSET && at[2 * g + 1] > at[2 * g] ? g : 0;
		found = (struct mote_span){text + at[2 * group], at[2 * group + 1] - at[2 * group]};
		from = at[1];
		if (at[1] == at[0]) /* an empty match: on to the next character */
			for (from++; from < bytes && ((unsigned char)text[from] & 0xc0) == 0x80; from++)
				;
	}
	if (!found.at)
		return strdup("[invalid]");
	found = mote_span_strip(found);
	return strndup(found.at, found.bytes);
}

/* NULL with *status set. */
static char *reduce(const struct mote_answer_match *m, const char *text, enum mote_status *status)
{
	char *now = strdup(text);

	for (int i = 0; now && i < 8 && m->ignore[i]; i++) {
		PCRE2_SIZE bytes = strlen(now) + 1;
		char *reduced = malloc(bytes);
		int made = reduced ? pcre2_substitute(m->ignore[i], (PCRE2_SPTR)now, PCRE2_ZERO_TERMINATED, 0,
						      PCRE2_SUBSTITUTE_GLOBAL, NULL, m->context, (PCRE2_SPTR)"", 0,
						      (PCRE2_UCHAR *)reduced, &bytes) : 0;

		free(now);
		now = reduced;
		if (made < 0) {
			free(now);
			*status = MOTE_ERROR_LIMIT;
			return NULL;
		}
	}
	*status = now ? MOTE_OK : MOTE_ERROR_MEMORY;
	return now;
}

static enum mote_status say_reduced(enum mote_status status, struct mote_error *error)
{
	return !status ? MOTE_OK :
	       mote_error_set(error, status, "comparing answers: %s",
			      status == MOTE_ERROR_MEMORY ? "out of memory" : "a pattern takes too long");
}

enum mote_status mote_answer_match_equal(const struct mote_answer_match *m, const char *found, const char *right,
					 bool *equal, struct mote_error *error)
{
	enum mote_status status, second;
	char *a = reduce(m, found, &status), *b = reduce(m, right, &second);

	if (!a || !b)
		*equal = false;
	else if (m->row->contains)
		*equal = *b && (m->row->ignore_case ? strcasestr(a, b) : strstr(a, b)) != NULL;
	else
		*equal = (m->row->ignore_case ? strcasecmp(a, b) : strcmp(a, b)) == 0;
	free(a);
	free(b);
	return say_reduced(status ? status : second, error);
}

enum mote_status mote_answer_match_reduce(const struct mote_answer_match *m, const char *text, char **out,
					  struct mote_error *error)
{
	enum mote_status status;

	*out = reduce(m, text, &status);
	return say_reduced(status, error);
}

size_t mote_answer_until(const struct mote_task_row *row, const char *text, size_t bytes)
{
	for (int i = 0; i < 8 && row->until[i]; i++) {
		const char *at = memmem(text, bytes, row->until[i], strlen(row->until[i]));

		bytes = at ? (size_t)(at - text) : bytes;
	}
	return bytes;
}
