/* The post-processor of tokenizer.json, read by its shape: which ids it puts before and after a single text. */
#include <string.h>

#include "convert/hf/hf_tokenizer_build.h"

#define WHERE TOKENIZER_JSON ": post_processor"
#define MAX_NESTING 16
#define MAX_PIECES 64u    /* of a template; known ones have four */
#define MAX_AROUND 1024u  /* ids before a text, and behind it */

static enum mote_status wrong(struct builder *b, const char *what)
{
	return mote_error_set(b->error, MOTE_ERROR_CORRUPT, WHERE ": %s", what);
}

/* Puts an id in front of those before a text (a later processor wraps what an earlier one made), or behind it. */
static enum mote_status put_around(struct builder *b, bool before, uint32_t at, uint32_t id)
{
	struct bytes *part = &b->part[before ? PART_BEFORE : PART_AFTER];
	enum mote_status status;

	if (part->size >= 4 * MAX_AROUND)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, WHERE ": more than %u ids %s a text",
				      MAX_AROUND, before ? "before" : "behind");
	status = mote_hf_bytes_add(part, &id, 4, b->error);
	if (status == MOTE_OK && before) {
		memmove(part->data + 4 * ((size_t)at + 1), part->data + 4 * (size_t)at,
			part->size - 4 * ((size_t)at + 1));
		memcpy(part->data + 4 * (size_t)at, &id, 4);
	}
	return status;
}

static enum mote_status put_template_token(struct builder *b, const cJSON *tokens, const char *name, bool before,
					   uint32_t *at)
{
	const cJSON *ids = mote_json_get(mote_json_get(tokens, name), "ids");
	enum mote_status status = MOTE_OK;
	int64_t id;

	if (!cJSON_IsArray(ids))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, WHERE ": special token \"%.60s\" has no ids",
				      name);
	for (const cJSON *item = ids->child; item && !status; item = item->next) {
		if (!mote_json_integer(item, &id) || id < 0 || id >= (int64_t)b->n_ids)
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
					      WHERE ": special token \"%.60s\": an id that no token has", name);
		status = put_around(b, before, (*at)++, (uint32_t)id);
	}
	return status;
}

/* "single": a list of {"SpecialToken": {"id": ..}} around one {"Sequence": {"id": "A"}}. */
static enum mote_status read_template(struct builder *b, const cJSON *item)
{
	const cJSON *single = mote_json_get(item, "single"), *tokens = mote_json_get(item, "special_tokens");
	enum mote_status status = MOTE_OK;
	uint32_t at = 0, pieces = 0;
	bool before = true;

	if (!cJSON_IsArray(single))
		return wrong(b, "TemplateProcessing: \"single\" is not a list");
	for (const cJSON *piece = single->child; piece && !status; piece = piece->next) {
		const cJSON *special = mote_json_get(mote_json_get(piece, "SpecialToken"), "id");
		const cJSON *sequence = mote_json_get(mote_json_get(piece, "Sequence"), "id");

		if (++pieces > MAX_PIECES)
			return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
					      WHERE ": TemplateProcessing: \"single\" of more than %u pieces",
					      MAX_PIECES);
		if (cJSON_IsString(special))
			status = put_template_token(b, tokens, special->valuestring, before, &at);
		else if (cJSON_IsString(sequence) && !strcmp(sequence->valuestring, "A") && before)
			before = false;
		else
			return wrong(b, "TemplateProcessing: \"single\" is not special tokens around one sequence A");
	}
	return status ? status : before ? wrong(b, "TemplateProcessing: \"single\" without a sequence") : MOTE_OK;
}

/* BertProcessing, RobertaProcessing: "cls" before, "sep" after, each [text, id]. */
static enum mote_status read_pair(struct builder *b, const cJSON *item, const char *key, bool before)
{
	const cJSON *pair = mote_json_get(item, key);
	int64_t id;

	if (!cJSON_IsArray(pair) || !pair->child || !mote_json_integer(pair->child->next, &id) || id < 0 ||
	    id >= (int64_t)b->n_ids)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, WHERE ": \"%s\" is not [text, id]", key);
	return put_around(b, before, 0, (uint32_t)id);
}

static enum mote_status read_processor(struct builder *b, const cJSON *item, int depth)
{
	enum mote_status status;
	const cJSON *list;
	const char *type;

	if (!item || cJSON_IsNull(item))
		return MOTE_OK;
	status = mote_json_need_string(item, "type", WHERE, &type, b->error);
	if (status)
		return status;
	if (!strcmp(type, "ByteLevel")) /* offsets only */
		return MOTE_OK;
	if (!strcmp(type, "TemplateProcessing"))
		return read_template(b, item);
	if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing")) {
		status = read_pair(b, item, "cls", true);
		return status ? status : read_pair(b, item, "sep", false);
	}
	list = mote_json_get(item, "processors");
	if (strcmp(type, "Sequence") || !cJSON_IsArray(list) || depth == MAX_NESTING)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, WHERE ": type \"%.60s\" is not supported",
				      type);
	for (item = list->child; item && !status; item = item->next)
		status = read_processor(b, item, depth + 1);
	return status;
}

/* The id of a special token: as the caller has its text, or tokenizer_config.json; -1: none. */
static int64_t named_id(const struct builder *b, const char *given, const char *key)
{
	const cJSON *item = mote_json_get(b->config, key);

	if (given)
		return mote_hf_find_any(b, given);
	if (cJSON_IsObject(item))
		item = mote_json_get(item, "content");
	return cJSON_IsString(item) ? mote_hf_find_any(b, item->valuestring) : -1;
}

/* These classes of transformers build the post-processor themselves, from add_bos_token and add_eos_token.
 * *bos becomes what the former is where only the latter is given. */
static bool class_builds_processor(const struct builder *b, bool *bos)
{
	static const struct {
		const char *name;
		bool bos;
	} classes[] = { {"LlamaTokenizer", true}, {"CodeLlamaTokenizer", true}, {"GemmaTokenizer", true},
			{"CohereTokenizer", true}, {"GPTNeoXTokenizer", false} };
	const cJSON *class = mote_json_get(b->config, "tokenizer_class");

	for (size_t i = 0; cJSON_IsString(class) && i < sizeof classes / sizeof *classes; i++) {
		size_t bytes = strlen(classes[i].name);

		*bos = classes[i].bos;
		if (!strncmp(class->valuestring, classes[i].name, bytes) &&
		    (!class->valuestring[bytes] || !strcmp(class->valuestring + bytes, "Fast")))
			return true;
	}
	return false;
}

enum mote_status mote_hf_read_post_processor(struct builder *b)
{
	const cJSON *bos = mote_json_get(b->config, "add_bos_token"),
		    *eos = mote_json_get(b->config, "add_eos_token");
	int64_t bos_id = named_id(b, b->bos, "bos_token"), eos_id = named_id(b, b->eos, "eos_token");
	enum mote_status status = read_processor(b, mote_json_get(b->json, "post_processor"), 0);
	bool adds_bos;

	if (status || !class_builds_processor(b, &adds_bos) || (!cJSON_IsBool(bos) && !cJSON_IsBool(eos)))
		return status;
	adds_bos = cJSON_IsBool(bos) ? cJSON_IsTrue(bos) : adds_bos;
	b->part[PART_BEFORE].size = b->part[PART_AFTER].size = 0;
	if (adds_bos && bos_id >= 0)
		status = put_around(b, true, 0, (uint32_t)bos_id);
	if (status == MOTE_OK && cJSON_IsTrue(eos) && eos_id >= 0)
		status = put_around(b, false, 0, (uint32_t)eos_id);
	return status;
}
