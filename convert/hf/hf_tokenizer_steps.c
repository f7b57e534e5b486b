/* Normalizers, pre-tokenizers and decoders of tokenizer.json as steps of the section.
 *
 * Several of the reference's components come apart into smaller steps (ByteLevel: prefix space, pattern, bytes), so
 * that the runtime has few of them. Components and options that are not listed here are refused by name.
 */
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer_step.h"
#include "format/utf8.h"

#define MAX_NESTING 16

/* ---- normalizers */

static enum mote_status decode_base64(const struct place *p, const char *text, struct bytes *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0, count = 0;
	enum mote_status status = MOTE_OK;

	for (; *text && *text != '=' && !status; text++) {
		const char *digit = strchr(digits, *text);
		uint8_t byte;

		if (!digit)
			return mote_hf_step_wrong(p, "\"precompiled_charsmap\" is no base64");
		bits = bits << 6 | (uint32_t)(digit - digits);
		count += 6;
		if (count >= 8) {
			count -= 8;
			byte = (uint8_t)(bits >> count);
			status = mote_hf_bytes_add(out, &byte, 1, p->b->error);
		}
	}
	return status;
}

static enum mote_status add_precompiled(const struct place *p, const cJSON *item)
{
	struct tokenizer_step step = {.kind = NORMALIZE_PRECOMPILED, .stage = (uint8_t)p->stage};
	struct bytes map = {0};
	const char *text;
	enum mote_status status = mote_json_need_string(item, "precompiled_charsmap", p->name, &text, p->b->error);

	if (status == MOTE_OK)
		status = decode_base64(p, text, &map);
	if (status == MOTE_OK && map.size < 4)
		status = mote_hf_step_wrong(p, "\"precompiled_charsmap\" is empty");
	if (status == MOTE_OK)
		status = mote_hf_step_add_string(p, (const char *)map.data, map.size, &step.a);
	step.a_bytes = (uint32_t)map.size;
	if (status == MOTE_OK)
		status = mote_hf_step_add(p, step, NULL, NULL);
	free(map.data);
	return status;
}

static enum mote_status add_bert_normalizer(const struct place *p, const cJSON *item)
{
	bool clean, chinese, lowercase, accents;
	enum mote_status status = mote_hf_step_bool(p, item, "clean_text", true, &clean);

	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "handle_chinese_chars", true, &chinese);
	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "lowercase", true, &lowercase);
	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "strip_accents", lowercase, &accents);
	if (status == MOTE_OK && clean)
		status = mote_hf_step_add_kind(p, NORMALIZE_BERT_CLEAN);
	if (status == MOTE_OK && chinese)
		status = mote_hf_step_add_kind(p, NORMALIZE_BERT_CHINESE);
	if (status == MOTE_OK && accents)
		status = mote_hf_step_add_kind(p, NORMALIZE_NFD);
	if (status == MOTE_OK && accents)
		status = mote_hf_step_add(p,
				  (struct tokenizer_step){.kind = NORMALIZE_REMOVE_MARKS, .mode = MARKS_NONSPACING},
				  NULL, NULL);
	if (status == MOTE_OK && lowercase)
		status = mote_hf_step_add_kind(p, NORMALIZE_LOWERCASE);
	return status;
}

static enum mote_status add_normalizer(const struct place *p, const cJSON *item, const char *type)
{
	static const struct { const char *name; uint8_t kind; } plain[] = {
		{"NFC", NORMALIZE_NFC}, {"NFD", NORMALIZE_NFD}, {"NFKC", NORMALIZE_NFKC}, {"NFKD", NORMALIZE_NFKD},
		{"Lowercase", NORMALIZE_LOWERCASE}, {"StripAccents", NORMALIZE_REMOVE_MARKS}, {"Nmt", NORMALIZE_NMT},
		{"ByteLevel", NORMALIZE_BYTES}
	};
	struct tokenizer_step step = {0};
	enum mote_status status;
	const char *a, *b;
	bool left = false, right = false, regex = false;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (!strcmp(type, plain[i].name))
			return mote_hf_step_add_kind(p, (enum tokenizer_step_kind)plain[i].kind);
	if (!strcmp(type, "Strip")) {
		status = mote_hf_step_bool(p, item, "strip_left", true, &left);
		if (status == MOTE_OK)
			status = mote_hf_step_bool(p, item, "strip_right", true, &right);
		step.kind = NORMALIZE_STRIP;
		step.mode = (uint8_t)((left ? SIDE_LEFT : 0) | (right ? SIDE_RIGHT : 0));
		return status ? status : mote_hf_step_add(p, step, NULL, NULL);
	}
	if (!strcmp(type, "Prepend")) {
		status = mote_json_need_string(item, "prepend", p->name, &a, p->b->error);
		step.kind = NORMALIZE_PREPEND;
		return status ? status : mote_hf_step_add(p, step, a, NULL);
	}
	if (!strcmp(type, "Replace")) {
		status = mote_hf_step_pattern(p, item, &a, &regex);
		if (status == MOTE_OK)
			status = mote_json_need_string(item, "content", p->name, &b, p->b->error);
		step.kind = regex ? NORMALIZE_REPLACE_REGEX : NORMALIZE_REPLACE;
		return status ? status : mote_hf_step_add(p, step, a, b);
	}
	if (!strcmp(type, "Precompiled"))
		return add_precompiled(p, item);
	if (!strcmp(type, "BertNormalizer"))
		return add_bert_normalizer(p, item);
	return mote_hf_step_unsupported(p, "type", type);
}

/* ---- pre-tokenizers */

static enum mote_status add_split(const struct place *p, enum tokenizer_step_kind kind, uint32_t number,
				  uint8_t behavior)
{
	return mote_hf_step_add(p, (struct tokenizer_step){.kind = (uint8_t)kind, .mode = behavior, .number = number},
				NULL, NULL);
}

static enum mote_status add_byte_level(const struct place *p, const cJSON *item)
{
	bool prefix, use_regex;
	enum mote_status status = mote_hf_step_bool(p, item, "add_prefix_space", true, &prefix);

	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "use_regex", true, &use_regex);
	if (status == MOTE_OK && prefix)
		status = mote_hf_step_add_kind(p, SPLIT_PREFIX_SPACE);
	if (status == MOTE_OK && use_regex)
		status = add_split(p, SPLIT_PATTERN, PATTERN_GPT2, BEHAVIOR_ISOLATED);
	return status ? status : mote_hf_step_add_kind(p, SPLIT_BYTES);
}

static enum mote_status add_metaspace(const struct place *p, const cJSON *item)
{
	struct tokenizer_step step = {.kind = SPLIT_METASPACE};
	const char *replacement;
	bool split;
	enum mote_status status = mote_hf_step_metaspace(p, item, &replacement, &step.mode);

	if (status == MOTE_OK)
		status = mote_hf_step_bool(p, item, "split", true, &split);
	if (status == MOTE_OK)
		status = mote_hf_step_add(p, step, replacement, NULL);
	if (status == MOTE_OK && split)
		status = mote_hf_step_add(p,
				  (struct tokenizer_step){.kind = SPLIT_LITERAL, .mode = BEHAVIOR_MERGED_WITH_NEXT},
				  replacement, NULL);
	return status;
}

static enum mote_status add_pre_tokenizer(const struct place *p, const cJSON *item, const char *type)
{
	enum mote_status status;
	uint8_t behavior;
	uint32_t length;
	const char *text;
	bool each;

	if (!strcmp(type, "ByteLevel"))
		return add_byte_level(p, item);
	if (!strcmp(type, "Split"))
		return mote_hf_step_split(p, item);
	if (!strcmp(type, "Metaspace"))
		return add_metaspace(p, item);
	if (!strcmp(type, "Digits")) {
		status = mote_hf_step_bool(p, item, "individual_digits", false, &each);
		return status ? status
			      : add_split(p, SPLIT_CLASS, SPLIT_NUMBER,
					  each ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS);
	}
	if (!strcmp(type, "Punctuation")) {
		status = mote_hf_step_behavior(p, item, "Isolated", &behavior);
		return status ? status : add_split(p, SPLIT_CLASS, SPLIT_PUNCTUATION, behavior);
	}
	if (!strcmp(type, "Whitespace"))
		return mote_hf_step_add(p,
				(struct tokenizer_step){.kind = SPLIT_PATTERN,
							.mode = BEHAVIOR_REMOVED,
							.flags = STEP_INVERT,
							.number = PATTERN_WORDS},
				NULL, NULL);
	if (!strcmp(type, "WhitespaceSplit"))
		return add_split(p, SPLIT_CLASS, SPLIT_SPACE, BEHAVIOR_REMOVED);
	if (!strcmp(type, "BertPreTokenizer")) {
		status = add_split(p, SPLIT_CLASS, SPLIT_SPACE, BEHAVIOR_REMOVED);
		return status ? status : add_split(p, SPLIT_CLASS, SPLIT_PUNCTUATION, BEHAVIOR_ISOLATED);
	}
	if (!strcmp(type, "CharDelimiterSplit")) {
		status = mote_json_need_string(item, "delimiter", p->name, &text, p->b->error);
		return status ? status
			      : mote_hf_step_add(p,
					 (struct tokenizer_step){.kind = SPLIT_LITERAL, .mode = BEHAVIOR_REMOVED},
					 text, NULL);
	}
	if (!strcmp(type, "FixedLength")) {
		status = mote_json_want_u32(item, "length", 1, UINT32_MAX, 5, p->name, &length, p->b->error);
		return status ? status : add_split(p, SPLIT_FIXED, length, 0);
	}
	return mote_hf_step_unsupported(p, "type", type);
}

/* ---- decoders */

static enum mote_status add_decoder(const struct place *p, const cJSON *item, const char *type)
{
	struct tokenizer_step step = {0};
	enum mote_status status;
	uint32_t from_end;
	const char *a, *b;
	bool regex;

	if (!strcmp(type, "ByteLevel"))
		return mote_hf_step_add_kind(p, DECODE_BYTES);
	if (!strcmp(type, "ByteFallback"))
		return mote_hf_step_add_kind(p, DECODE_BYTE_FALLBACK);
	if (!strcmp(type, "Fuse"))
		return mote_hf_step_add_kind(p, DECODE_FUSE);
	if (!strcmp(type, "Metaspace")) {
		step.kind = DECODE_METASPACE;
		status = mote_hf_step_metaspace(p, item, &a, &step.mode);
		return status ? status : mote_hf_step_add(p, step, a, NULL);
	}
	if (!strcmp(type, "Strip")) {
		step.kind = DECODE_STRIP;
		status = mote_json_need_string(item, "content", p->name, &a, p->b->error);
		if (status == MOTE_OK)
			status = mote_json_need_u32(item, "start", 0, UINT32_MAX, p->name, &step.number, p->b->error);
		if (status == MOTE_OK)
			status = mote_json_need_u32(item, "stop", 0, UINT8_MAX, p->name, &from_end, p->b->error);
		if (status)
			return status;
		if (!*a || mote_utf8_length(*a) != strlen(a))
			return mote_hf_step_wrong(p, "Strip: \"content\" is not one character");
		step.mode = (uint8_t)from_end;
		return mote_hf_step_add(p, step, a, NULL);
	}
	if (!strcmp(type, "Replace")) {
		step.kind = DECODE_REPLACE;
		status = mote_hf_step_pattern(p, item, &a, &regex);
		if (status == MOTE_OK)
			status = mote_json_need_string(item, "content", p->name, &b, p->b->error);
		if (status == MOTE_OK && regex)
			return mote_hf_step_unsupported(p, "Replace by Regex", a);
		return status ? status : mote_hf_step_add(p, step, a, b);
	}
	return mote_hf_step_unsupported(p, "type", type);
}

/* ---- trees of components */

static const cJSON *children_of(const cJSON *item, enum tokenizer_stage stage)
{
	static const char *const keys[STAGES] = {"normalizers", "pretokenizers", "decoders"};

	return mote_json_get(item, keys[stage]);
}

static enum mote_status add_component(const struct place *p, const cJSON *item, int depth)
{
	enum mote_status status;
	const char *type;
	const cJSON *list;

	if (!item || cJSON_IsNull(item))
		return MOTE_OK;
	if (!cJSON_IsObject(item))
		return mote_hf_step_wrong(p, "not an object");
	status = mote_json_need_string(item, "type", p->name, &type, p->b->error);
	if (status)
		return status;
	if (strcmp(type, "Sequence")) {
		switch (p->stage) {
		case STAGE_NORMALIZE: return add_normalizer(p, item, type);
		case STAGE_SPLIT: return add_pre_tokenizer(p, item, type);
		default: return add_decoder(p, item, type);
		}
	}
	list = children_of(item, p->stage);
	if (!cJSON_IsArray(list) || depth == MAX_NESTING)
		return mote_hf_step_wrong(p, "a Sequence without a list of its components, or nested too deep");
	for (item = list->child; item && !status; item = item->next)
		status = add_component(p, item, depth + 1);
	return status;
}

/* transformers sets a lone ByteLevel's add_prefix_space from tokenizer_config.json. */
static enum mote_status read_pre_tokenizer(const struct place *p)
{
	const cJSON *item = mote_json_get(p->b->json, "pre_tokenizer"), *type = mote_json_get(item, "type");
	const cJSON *prefix = mote_json_get(p->b->config, "add_prefix_space");
	enum mote_status status;
	cJSON *copy;

	if (!cJSON_IsBool(prefix) || !cJSON_IsString(type) || strcmp(type->valuestring, "ByteLevel"))
		return add_component(p, item, 0);
	copy = cJSON_Duplicate(item, true);
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "add_prefix_space");
	if (!copy || !cJSON_AddBoolToObject(copy, "add_prefix_space", cJSON_IsTrue(prefix)))
		status = mote_error_set(p->b->error, MOTE_ERROR_MEMORY, "%s: out of memory", p->name);
	else
		status = add_component(p, copy, 0);
	cJSON_Delete(copy);
	return status;
}

enum mote_status mote_hf_read_steps(struct builder *b)
{
	struct place normalizer = {b, STAGE_NORMALIZE, TOKENIZER_JSON ": normalizer"};
	struct place splitter = {b, STAGE_SPLIT, TOKENIZER_JSON ": pre_tokenizer"};
	struct place decoder = {b, STAGE_DECODE, TOKENIZER_JSON ": decoder"};
	const cJSON *decodes = mote_json_get(b->json, "decoder");
	enum mote_status status = add_component(&normalizer, mote_json_get(b->json, "normalizer"), 0);

	if (status == MOTE_OK)
		status = read_pre_tokenizer(&splitter);
	if (status == MOTE_OK && (!decodes || cJSON_IsNull(decodes)))
		status = mote_hf_step_add_kind(&decoder, DECODE_SPACES);
	else if (status == MOTE_OK)
		status = add_component(&decoder, decodes, 0);
	return status;
}
