#include "runtime/chat/reasoning.h"

#include <string.h>

static int32_t tag_id(const struct mote_tokenizer *t, const char *tag)
{
	return mote_tokenizer_find(t, tag, strlen(tag));
}

struct mote_reasoning_tags mote_reasoning_tags_read(const cJSON *metadata, const struct mote_tokenizer *tokenizer)
{
	const cJSON *named = mote_json_get(metadata, "reasoning");
	const cJSON *open = mote_json_get(named, "open"), *close = mote_json_get(named, "close");
	struct mote_reasoning_tags tags = {"<think>", "</think>", -1, -1};
	bool is_named = cJSON_IsString(open) && cJSON_IsString(close) && *open->valuestring && *close->valuestring;

	if (is_named) {
		tags.open = open->valuestring;
		tags.close = close->valuestring;
	}
	tags.open_id = tag_id(tokenizer, tags.open);
	tags.close_id = tag_id(tokenizer, tags.close);
	if (!is_named && (tags.open_id < 0 || tags.close_id < 0))
		return (struct mote_reasoning_tags){NULL, NULL, -1, -1};
	return tags;
}

/* Where the last occurrence of a tag ends, 0 without any. */
static size_t last_end(const char *text, size_t bytes, const char *tag)
{
	size_t n = strlen(tag), end = 0;

	for (const char *at = text; (at = memmem(at, bytes - (size_t)(at - text), tag, n)); at++)
		end = (size_t)(at - text) + n;
	return end;
}

bool mote_reasoning_is_open(const struct mote_reasoning_tags *tags, const char *text, size_t bytes)
{
	return tags->open && bytes && last_end(text, bytes, tags->open) > last_end(text, bytes, tags->close);
}

struct mote_reasoning mote_reasoning_start(const struct mote_reasoning_tags *tags, bool inside)
{
	return (struct mote_reasoning){tags->open ? tags->open_id : -1, tags->open ? tags->close_id : -1,
				       tags->open && inside};
}

enum mote_reasoning_part mote_reasoning_next(struct mote_reasoning *r, int32_t id)
{
	if (id >= 0 && (id == r->open || id == r->close)) {
		r->inside = id == r->open;
		return MOTE_PART_MARKER;
	}
	return r->inside ? MOTE_PART_REASONING : MOTE_PART_ANSWER;
}
