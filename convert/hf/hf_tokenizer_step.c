/* A step of the tokenizer section, and the settings which several kinds of components share. */
#include "convert/hf/hf_tokenizer_step.h"

#include <string.h>

#include "format/utf8.h"

enum mote_status mote_hf_step_unsupported(const struct place *p, const char *what, const char *name)
{
	return mote_error_set(p->b->error, MOTE_ERROR_UNSUPPORTED, "%s: %s \"%.60s\" is not supported", p->name,
			      what, name);
}

enum mote_status mote_hf_step_wrong(const struct place *p, const char *what)
{
	return mote_error_set(p->b->error, MOTE_ERROR_CORRUPT, "%s: %s", p->name, what);
}

enum mote_status mote_hf_step_add_string(const struct place *p, const char *text, size_t bytes, uint32_t *at)
{
	struct bytes *strings = &p->b->part[PART_STRINGS];

	if (bytes > MOTE_TOKENIZER_MAX_ARGUMENT_BYTES || strings->size > UINT32_MAX / 4)
		return mote_error_set(p->b->error, MOTE_ERROR_UNSUPPORTED,
				      "%s: an argument of %zu bytes, at most %u are supported", p->name, bytes,
				      MOTE_TOKENIZER_MAX_ARGUMENT_BYTES);
	*at = (uint32_t)strings->size;
	return mote_hf_bytes_add(strings, text, bytes, p->b->error);
}

enum mote_status mote_hf_step_add(const struct place *p, struct tokenizer_step step, const char *a, const char *b)
{
	enum mote_status status = MOTE_OK;

	step.stage = (uint8_t)p->stage;
	if (a) {
		step.a_bytes = (uint32_t)strlen(a);
		status = mote_hf_step_add_string(p, a, step.a_bytes, &step.a);
	}
	if (b && status == MOTE_OK) {
		step.b_bytes = (uint32_t)strlen(b);
		status = mote_hf_step_add_string(p, b, step.b_bytes, &step.b);
	}
	if (status)
		return status;
	if (p->b->part[PART_STEPS].size / sizeof step >= MOTE_TOKENIZER_MAX_STEPS)
		return mote_error_set(p->b->error, MOTE_ERROR_UNSUPPORTED, "%s: more than %u steps", p->name,
				      MOTE_TOKENIZER_MAX_STEPS);
	return mote_hf_bytes_add(&p->b->part[PART_STEPS], &step, sizeof step, p->b->error);
}

enum mote_status mote_hf_step_add_kind(const struct place *p, enum tokenizer_step_kind kind)
{
	return mote_hf_step_add(p, (struct tokenizer_step){.kind = (uint8_t)kind}, NULL, NULL);
}

enum mote_status mote_hf_step_bool(const struct place *p, const cJSON *item, const char *key, bool fallback,
				 bool *value)
{
	return mote_json_want_bool(item, key, fallback, p->name, value, p->b->error);
}

enum mote_status mote_hf_step_pattern(const struct place *p, const cJSON *item, const char **text, bool *regex)
{
	const cJSON *pattern = mote_json_get(item, "pattern"), *inner = mote_json_get(pattern, "Regex");

	*regex = inner != NULL;
	if (!inner)
		inner = cJSON_IsString(pattern) ? pattern : mote_json_get(pattern, "String");
	if (!cJSON_IsString(inner))
		return mote_hf_step_wrong(p, "\"pattern\" is neither {\"String\": ..} nor {\"Regex\": ..}");
	*text = inner->valuestring;
	return **text ? MOTE_OK : mote_hf_step_wrong(p, "an empty \"pattern\"");
}

enum mote_status mote_hf_step_behavior(const struct place *p, const cJSON *item, const char *fallback,
				     uint8_t *behavior)
{
	static const char *const names[BEHAVIORS] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
						     "Contiguous"};
	const char *name;
	enum mote_status status = fallback
		? mote_json_want_string(item, "behavior", fallback, p->name, &name, p->b->error)
		: mote_json_need_string(item, "behavior", p->name, &name, p->b->error);

	if (status)
		return status;
	for (*behavior = 0; *behavior < BEHAVIORS; (*behavior)++)
		if (!strcmp(name, names[*behavior]))
			return MOTE_OK;
	return mote_hf_step_unsupported(p, "behavior", name);
}

/* ---- the Metaspace family: its spellings by age */

enum mote_status mote_hf_step_metaspace(const struct place *p, const cJSON *item, const char **replacement,
				      uint8_t *scheme)
{
	static const char *const names[SCHEMES] = {"always", "first", "never"};
	const cJSON *named = mote_json_get(item, "prepend_scheme"), *prefix = mote_json_get(item, "add_prefix_space");
	enum mote_status status;
	const char *name;

	status = mote_json_want_string(item, "replacement", "\xe2\x96\x81", p->name, replacement, p->b->error);
	if (status == MOTE_OK)
		status = mote_json_want_string(item, "prepend_scheme", cJSON_IsFalse(prefix) ? "never" : "always",
					       p->name, &name, p->b->error);
	if (status)
		return status;
	if (!**replacement || mote_utf8_length(**replacement) != strlen(*replacement))
		return mote_hf_step_wrong(p, "Metaspace: \"replacement\" is not one character");
	for (*scheme = 0; *scheme < SCHEMES; (*scheme)++)
		if (!strcmp(name, names[*scheme]))
			break;
	if (*scheme == SCHEMES)
		return mote_hf_step_unsupported(p, "prepend_scheme", name);
	if (cJSON_IsString(named) && cJSON_IsFalse(prefix) && *scheme != SCHEME_NEVER)
		return mote_hf_step_wrong(p, "Metaspace: \"add_prefix_space\" does not match \"prepend_scheme\"");
	return MOTE_OK;
}
