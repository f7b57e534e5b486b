/* tokenizer.json, written: see hf_tokenizer_write.h. */
#include "convert/hf/hf_tokenizer_write.h"

#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_steps_write.h"
#include "convert/hf/hf_tokenizer.h"
#include "convert/tokenizer_parts.h"

static const char *yes(bool x)
{
	return x ? "true" : "false";
}

static void quote_id(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t, uint32_t id)
{
	uint32_t bytes;
	const char *text = mote_tokenizer_parts_text(t, id, &bytes);

	mote_text_buffer_quote(b, text, bytes);
}

static void write_added(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t)
{
	bool first = true;

	mote_text_buffer_print(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
	for (uint32_t id = 0; id < t->ids; id++) {
		const struct tokenizer_added *a;

		if (!t->added_of[id])
			continue;
		a = &t->added[t->added_of[id] - 1];
		mote_text_buffer_print(b, "%s{\"id\":%u,\"content\":", first ? "" : ",", id);
		quote_id(b, t, id);
		mote_text_buffer_print(b,
				       ",\"single_word\":%s,\"lstrip\":%s,\"rstrip\":%s,"
				       "\"normalized\":%s,\"special\":%s}",
				       yes(a->flags & ADDED_SINGLE_WORD), yes(a->flags & ADDED_LSTRIP),
				       yes(a->flags & ADDED_RSTRIP),
				       yes(a->flags >> ADDED_PHASE_SHIFT == PHASE_NORMALIZED),
				       yes(a->flags & ADDED_SPECIAL));
		first = false;
	}
	mote_text_buffer_print(b, "]");
}

static void write_template(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t, enum tokenizer_part part)
{
	for (uint32_t i = 0; i < t->bytes[part] / 4; i++) {
		if (i || part == PART_AFTER)
			mote_text_buffer_add(b, ",", 1);
		mote_text_buffer_print(b, "{\"SpecialToken\":{\"id\":");
		quote_id(b, t, load32(t->part[part] + (size_t)4 * i));
		mote_text_buffer_print(b, ",\"type_id\":0}}");
	}
}

static void write_processor(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t)
{
	const uint32_t before = t->bytes[PART_BEFORE] / 4, after = t->bytes[PART_AFTER] / 4;

	if (!before && !after) {
		mote_text_buffer_print(b, "null");
		return;
	}
	mote_text_buffer_print(b, "{\"type\":\"TemplateProcessing\",\"single\":[");
	write_template(b, t, PART_BEFORE);
	mote_text_buffer_print(b, "%s{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}", before ? "," : "");
	write_template(b, t, PART_AFTER);
	mote_text_buffer_print(b,
			       "],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
			       "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
			       "\"special_tokens\":{");
	for (uint32_t i = 0, written = 0; i < before + after; i++) {
		const uint8_t *at = i < before ? t->part[PART_BEFORE] + (size_t)4 * i
					       : t->part[PART_AFTER] + (size_t)4 * (i - before);
		bool again = false;

		for (uint32_t j = 0; j < i; j++)
			again |= load32(j < before ? t->part[PART_BEFORE] + (size_t)4 * j :
						     t->part[PART_AFTER] + (size_t)4 * (j - before)) == load32(at);
		if (again)
			continue;
		if (written++)
			mote_text_buffer_add(b, ",", 1);
		quote_id(b, t, load32(at));
		mote_text_buffer_print(b, ":{\"id\":");
		quote_id(b, t, load32(at));
		mote_text_buffer_print(b, ",\"ids\":[%u],\"tokens\":[", load32(at));
		quote_id(b, t, load32(at));
		mote_text_buffer_print(b, "]}");
	}
	mote_text_buffer_print(b, "}}");
}

static bool in_model(const struct mote_tokenizer_parts *t, uint32_t id)
{
	uint32_t bytes;

	mote_tokenizer_parts_text(t, id, &bytes);
	return bytes && !(t->added_of[id] && t->added[t->added_of[id] - 1].flags & ADDED_NOT_IN_MODEL);
}

/* Ranks are places in the list. A place that nobody has (a pair was listed twice, and the later place counts) is filled
 * with the pair that comes next. */
static void write_merges(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t)
{
	uint32_t at = 0;

	mote_text_buffer_print(b, "\"merges\":[");
	for (uint32_t i = 0; i < t->merges; i++)
		for (; at <= t->merge[i].rank; at++) {
			mote_text_buffer_add(b, at ? ",[" : "[", at ? 2 : 1);
			quote_id(b, t, t->merge[i].left);
			mote_text_buffer_add(b, ",", 1);
			quote_id(b, t, t->merge[i].right);
			mote_text_buffer_add(b, "]", 1);
		}
	mote_text_buffer_print(b, "]");
}

static void write_affix(struct mote_text_buffer *b, const char *key, const char *text, uint32_t bytes)
{
	mote_text_buffer_print(b, "\"%s\":", key);
	if (bytes)
		mote_text_buffer_quote(b, text, bytes);
	else
		mote_text_buffer_print(b, "null");
	mote_text_buffer_add(b, ",", 1);
}

static void write_bpe(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t)
{
	bool first = true;

	mote_text_buffer_print(b, "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
	if (t->unk == MOTE_TOKENIZER_NONE)
		mote_text_buffer_print(b, "null");
	else
		quote_id(b, t, t->unk);
	mote_text_buffer_add(b, ",", 1);
	write_affix(b, "continuing_subword_prefix", t->prefix, t->prefix_bytes);
	write_affix(b, "end_of_word_suffix", t->suffix, t->suffix_bytes);
	mote_text_buffer_print(b, "\"fuse_unk\":%s,\"byte_fallback\":%s,\"ignore_merges\":%s,\"vocab\":{",
			       yes(t->flags & MODEL_FUSE_UNK), yes(t->flags & MODEL_BYTE_FALLBACK),
			       yes(t->flags & MODEL_IGNORE_MERGES));
	for (uint32_t id = 0; id < t->ids; id++) {
		if (!in_model(t, id))
			continue;
		if (!first)
			mote_text_buffer_add(b, ",", 1);
		first = false;
		quote_id(b, t, id);
		mote_text_buffer_print(b, ":%u", id);
	}
	mote_text_buffer_print(b, "},");
	write_merges(b, t);
	mote_text_buffer_print(b, "}");
}

static void write_unigram(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t)
{
	mote_text_buffer_print(b, "{\"type\":\"Unigram\",\"unk_id\":%u,\"byte_fallback\":%s,\"vocab\":[", t->unk,
			       yes(t->flags & MODEL_BYTE_FALLBACK));
	for (uint32_t id = 0; id < t->ids && id < t->bytes[PART_SCORE] / 8 && in_model(t, id); id++) {
		double score;

		memcpy(&score, t->part[PART_SCORE] + (size_t)8 * id, sizeof score);
		mote_text_buffer_add(b, id ? ",[" : "[", id ? 2 : 1);
		quote_id(b, t, id);
		mote_text_buffer_print(b, ",%.17g]", score);
	}
	mote_text_buffer_print(b, "]}");
}

static enum mote_status write(struct mote_text_buffer *b, const struct mote_tokenizer_parts *t,
			      struct mote_error *error)
{
	static const char *const keys[STAGES] = {"normalizer", "pre_tokenizer", "decoder"};
	enum mote_status status = MOTE_OK;

	write_added(b, t);
	for (int stage = 0; stage < STAGES && !status; stage++) {
		mote_text_buffer_print(b, ",\"%s\":", keys[stage]);
		status = mote_hf_steps_write(t, (enum tokenizer_stage)stage, b, error);
	}
	mote_text_buffer_print(b, ",\"post_processor\":");
	write_processor(b, t);
	mote_text_buffer_print(b, ",\"model\":");
	if (t->model == MODEL_BPE)
		write_bpe(b, t);
	else
		write_unigram(b, t);
	mote_text_buffer_print(b, "}\n");
	if (!status && b->failed)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "tokenizer: out of memory");
	return status;
}

enum mote_status mote_hf_tokenizer_write(const void *section, size_t bytes, const char *config, size_t config_bytes,
					 struct mote_text_buffer *out, struct mote_error *error)
{
	struct mote_tokenizer_parts t;
	enum mote_status status = mote_tokenizer_parts_read(section, bytes, &t, error);
	uint8_t *again = NULL;
	struct mote_hf_tokenizer_source source = {.config = config, .config_bytes = config_bytes};
	size_t again_bytes;

	if (status)
		return status;
	status = write(out, &t, error);
	mote_tokenizer_parts_free(&t);
	source.json = out->text;
	source.bytes = out->bytes;
	if (!status)
		status = mote_hf_tokenizer_compile(&source, &again, &again_bytes, NULL, error);
	if (!status && (again_bytes != bytes || memcmp(again, section, bytes)))
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"tokenizer: written as tokenizer.json it would not be the same tokenizer");
	free(again);
	return status;
}
