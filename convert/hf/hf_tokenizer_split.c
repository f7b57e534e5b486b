/* The pre-tokenizer Split. Its patterns are written in more than one way that means the same: here they become one, so
 * that the runtime's own and those for which GGUF has a name are known. */
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer_step.h"

/* The patterns that the runtime has written out. */
static bool known_pattern(const char *text, uint32_t *pattern)
{
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LETTERS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
	static const struct { const char *text; uint32_t pattern; } known[] = {
		{"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", PATTERN_GPT2},
		{"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", PATTERN_GPT2},
		{CONTRACTIONS LETTERS "\\p{N}{1,3}" REST, PATTERN_LLAMA3},
		{CONTRACTIONS LETTERS "\\p{N}" REST, PATTERN_QWEN2}
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(text, known[i].text)) {
			*pattern = known[i].pattern;
			return true;
		}
	return false;
}

/* Where a group's options have an x, a line's end that is no escape means nothing. */
static bool may_be_extended(const char *pattern)
{
	for (const char *group = pattern; (group = strstr(group, "(?")); group += 2)
		if (group[2 + strspn(group + 2, "im-")] == 'x')
			return true;
	return false;
}

/* The pattern with line ends as escapes; the caller frees it. */
static char *escape_line_ends(const char *pattern)
{
	char *out = malloc(2 * strlen(pattern) + 1), *to = out;
	bool keep = may_be_extended(pattern);

	for (const char *p = pattern; out && *p; p++) {
		if (!keep && (*p == '\r' || *p == '\n')) {
			*to++ = '\\';
			*to++ = *p == '\r' ? 'r' : 'n';
			continue;
		}
		*to++ = *p;
		if (*p == '\\' && p[1])
			*to++ = *++p;
	}
	if (out)
		*to = 0;
	return out;
}

static enum mote_status add_regex(const struct place *p, struct tokenizer_step step, const char *pattern)
{
	char *text = escape_line_ends(pattern);
	enum mote_status status;

	if (!text)
		return mote_hf_out_of_memory(p->b);
	if (known_pattern(text, &step.number)) {
		/* These leave nothing between matches, so all but the matches can be removed. */
		if (step.flags && step.mode == BEHAVIOR_REMOVED)
			step.mode = BEHAVIOR_ISOLATED;
		if (step.mode == BEHAVIOR_ISOLATED)
			step.flags = 0;
		step.kind = SPLIT_PATTERN;
		status = mote_hf_step_add(p, step, NULL, NULL);
	} else {
		step.kind = SPLIT_REGEX;
		status = mote_hf_step_add(p, step, text, NULL);
	}
	free(text);
	return status;
}

enum mote_status mote_hf_step_split(const struct place *p, const cJSON *item)
{
	struct tokenizer_step step = {.kind = SPLIT_LITERAL};
	const char *pattern;
	bool regex, invert;
	enum mote_status status = mote_hf_step_pattern(p, item, &pattern, &regex);

	if (status == MOTE_OK)
		status = mote_hf_step_behavior(p, item, NULL, &step.mode);
	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "invert", false, &invert);
	if (status)
		return status;
	step.flags = invert ? STEP_INVERT : 0;
	return regex ? add_regex(p, step, pattern) : mote_hf_step_add(p, step, pattern, NULL);
}
