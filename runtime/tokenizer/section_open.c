/* Opens a compiled section: checks every size, offset and id in it, so that nothing behind this file checks again.
 * Texts and tables are borrowed; built here are only the small things: steps, added tokens, character table.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/regex.h"
#include "runtime/tokenizer/section_open.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the section is read in place as little-endian");

static const struct part_rule {
	const char *name;
	uint32_t unit; /* bytes of an element */
} rule[PARTS] = {
	[PART_TEXT_BASE] = {"text bases", 4}, [PART_TEXT_OFFSET] = {"text offsets", 2}, [PART_TEXT] = {"texts", 1},
	[PART_BUCKET] = {"merge buckets", 4}, [PART_MERGE] = {"merges", 8}, [PART_SCORE] = {"scores", 8},
	[PART_TRIE_FIRST] = {"trie children", 4}, [PART_TRIE_ID] = {"trie ids", 4},
	[PART_TRIE_LABEL] = {"trie labels", 1}, [PART_ADDED] = {"added tokens", sizeof(struct tokenizer_added)},
	[PART_STEPS] = {"steps", sizeof(struct tokenizer_step)}, [PART_STRINGS] = {"strings", 1},
	[PART_BEFORE] = {"ids before", 4}, [PART_AFTER] = {"ids after", 4}
};

enum mote_status mote_tokenizer_section_found(struct mote_error *error, const char *what, uint64_t found,
					      uint64_t expected)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "tokenizer section: %s: found %llu, expected %llu", what,
			      (unsigned long long)found, (unsigned long long)expected);
}

enum mote_status mote_tokenizer_section_bad(struct mote_error *error, const char *what, uint64_t index)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "tokenizer section: %s %llu is invalid", what,
			      (unsigned long long)index);
}

static uint32_t part_count(const struct mote_tokenizer *t, enum tokenizer_part part)
{
	return t->part_bytes[part] / rule[part].unit;
}

static enum mote_status need_count(const struct mote_tokenizer *t, enum tokenizer_part part, uint64_t count,
				   struct mote_error *error)
{
	return t->part_bytes[part] == count * rule[part].unit
		       ? MOTE_OK : mote_tokenizer_section_found(error, rule[part].name, t->part_bytes[part],
								count * rule[part].unit);
}

static enum mote_status open_header(struct mote_tokenizer *t, const uint8_t *section, size_t bytes,
				    struct mote_error *error)
{
	size_t at = MOTE_TOKENIZER_HEADER_BYTES, padded;

	if (bytes < MOTE_TOKENIZER_HEADER_BYTES)
		return mote_tokenizer_section_found(error, "bytes of the header", bytes, MOTE_TOKENIZER_HEADER_BYTES);
	if (load32(section) != MOTE_TOKENIZER_MAGIC)
		return mote_tokenizer_section_found(error, "magic", load32(section), MOTE_TOKENIZER_MAGIC);
	if (load32(section + 4) != MOTE_TOKENIZER_VERSION)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "tokenizer section: version %u, this reads %u",
				      load32(section + 4), MOTE_TOKENIZER_VERSION);
	if (load32(section + 8) != bytes)
		return mote_tokenizer_section_found(error, "section bytes", load32(section + 8), bytes);
	t->n_ids = load32(section + 12);
	t->model = (enum tokenizer_model)load32(section + 16);
	t->model_flags = load32(section + 20);
	t->unk = load32(section + 24);
	if (t->n_ids < 1 || t->n_ids > MOTE_TOKENIZER_MAX_IDS)
		return mote_tokenizer_section_bad(error, "number of ids", t->n_ids);
	if (t->model != MODEL_BPE && t->model != MODEL_UNIGRAM)
		return mote_tokenizer_section_bad(error, "model", (uint64_t)t->model);
	if (t->model_flags & ~(uint32_t)(MODEL_IGNORE_MERGES | MODEL_BYTE_FALLBACK | MODEL_FUSE_UNK))
		return mote_tokenizer_section_bad(error, "flags of the model", t->model_flags);
	if (t->unk != MOTE_TOKENIZER_NONE ? t->unk >= t->n_ids : t->model == MODEL_UNIGRAM)
		return mote_tokenizer_section_bad(error, "unknown token's id", t->unk);
	t->id_bits = load32(section + 44);
	t->bucket_bits = load32(section + 48);
	for (int i = 0; i < PARTS; i++) {
		uint32_t size = load32(section + HEADER_PARTS + 4 * i);

		padded = ((size_t)size + 7) / 8 * 8;
		if (padded > bytes - at || size % rule[i].unit)
			return mote_tokenizer_section_found(error, rule[i].name, size, bytes - at);
		t->part[i] = section + at;
		t->part_bytes[i] = size;
		for (size_t j = size; j < padded; j++)
			if (section[at + j])
				return mote_tokenizer_section_bad(error, "padding at byte", at + j);
		at += padded;
	}
	if (at != bytes)
		return mote_tokenizer_section_found(error, "bytes behind the last part", bytes - at, 0);
	for (size_t i = HEADER_PARTS + 4 * PARTS; i < MOTE_TOKENIZER_HEADER_BYTES; i++)
		if (section[i])
			return mote_tokenizer_section_bad(error, "reserved byte", i);
	t->prefix_bytes = load32(section + 32);
	t->suffix_bytes = load32(section + 40);
	if (!in_strings(t, load32(section + 28), t->prefix_bytes) || t->prefix_bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return mote_tokenizer_section_bad(error, "continuing prefix at", load32(section + 28));
	if (!in_strings(t, load32(section + 36), t->suffix_bytes) || t->suffix_bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return mote_tokenizer_section_bad(error, "end-of-word suffix at", load32(section + 36));
	t->prefix = string_at(t, load32(section + 28));
	t->suffix = string_at(t, load32(section + 36));
	return MOTE_OK;
}

/* Texts are valid UTF-8 each: the whole is, and none begins inside a character. */
static enum mote_status check_texts(struct mote_tokenizer *t, struct mote_error *error)
{
	const uint8_t *base = t->part[PART_TEXT_BASE], *offset = t->part[PART_TEXT_OFFSET],
		      *text = t->part[PART_TEXT];
	uint32_t bytes = t->part_bytes[PART_TEXT], last = 0, longest = 0;
	enum mote_status status;
	size_t valid;

	status = need_count(t, PART_TEXT_BASE, t->n_ids / 16 + 1, error);
	if (status == MOTE_OK)
		status = need_count(t, PART_TEXT_OFFSET, (uint64_t)t->n_ids + 1, error);
	if (status)
		return status;
	for (uint32_t id = 0; id <= t->n_ids; id++) {
		uint64_t begin = (uint64_t)load32(base + 4 * (size_t)(id / 16)) + load16(offset + 2 * (size_t)id);

		if (begin < last || begin - last > MOTE_TOKENIZER_MAX_TOKEN_BYTES || begin > bytes ||
		    (begin < bytes && mote_utf8_continues((char)text[begin])))
			return mote_tokenizer_section_bad(error, "text of id", id);
		longest = begin - last > longest ? (uint32_t)begin - last : longest;
		last = (uint32_t)begin;
	}
	t->longest_text = longest;
	if (last != bytes || load16(offset) || load32(base))
		return mote_tokenizer_section_found(error, "bytes of all texts", last, bytes);
	valid = mote_utf8_valid((const char *)text, bytes);
	return valid == bytes ? MOTE_OK : mote_tokenizer_section_bad(error, "UTF-8 of the texts at byte", valid);
}

static enum mote_status check_merges(const struct mote_tokenizer *t, struct mote_error *error)
{
	const uint8_t *bucket = t->part[PART_BUCKET], *merge = t->part[PART_MERGE];
	uint32_t count = part_count(t, PART_MERGE), mask, last = 0, next;
	enum mote_status status;

	if (t->model != MODEL_BPE)
		return t->part_bytes[PART_BUCKET] + (uint64_t)t->part_bytes[PART_MERGE]
			       ? mote_tokenizer_section_found(error, "merges of a model without", count, 0) : MOTE_OK;
	/* What a key keeps must fit above rank and result. */
	if (t->id_bits < 1 || t->id_bits > MOTE_TOKENIZER_ID_BITS || (t->n_ids - 1) >> t->id_bits ||
	    t->bucket_bits > t->id_bits || 3 * t->id_bits + MOTE_TOKENIZER_RANK_BITS - t->bucket_bits > 64)
		return mote_tokenizer_section_bad(error, "merge table of id bits", t->id_bits);
	status = need_count(t, PART_BUCKET, (UINT64_C(1) << t->bucket_bits) + 1, error);
	if (status)
		return status;
	if (count > MOTE_TOKENIZER_MAX_MERGES || load32(bucket))
		return mote_tokenizer_section_bad(error, "number of merges", count);
	for (uint32_t i = 1; i <= 1u << t->bucket_bits; i++, last = next) {
		next = load32(bucket + 4 * (size_t)i);
		if (next < last || next > count || next - last > MOTE_TOKENIZER_MAX_BUCKET)
			return mote_tokenizer_section_bad(error, "merge bucket", i);
	}
	if (last != count)
		return mote_tokenizer_section_found(error, "merges", last, count);
	mask = (1u << t->id_bits) - 1;
	for (uint32_t i = 0; i < count; i++)
		if (((uint32_t)load64(merge + 8 * (size_t)i) & mask) >= t->n_ids)
			return mote_tokenizer_section_bad(error, "merge", i);
	return MOTE_OK;
}

static enum mote_status check_trie(const struct mote_tokenizer *t, struct mote_error *error)
{
	const uint8_t *first = t->part[PART_TRIE_FIRST], *label = t->part[PART_TRIE_LABEL],
		      *id = t->part[PART_TRIE_ID];
	uint32_t nodes = part_count(t, PART_TRIE_ID), end;
	bool wanted = t->model == MODEL_UNIGRAM || t->model_flags & MODEL_IGNORE_MERGES || t->prefix_bytes ||
		      t->suffix_bytes;
	enum mote_status status;

	if (!nodes && !wanted)
		return t->part_bytes[PART_TRIE_FIRST] + (uint64_t)t->part_bytes[PART_TRIE_LABEL]
			       ? mote_tokenizer_section_found(error, "trie nodes", 0, 1) : MOTE_OK;
	status = need_count(t, PART_TRIE_FIRST, (uint64_t)nodes + 1, error);
	if (status == MOTE_OK)
		status = need_count(t, PART_TRIE_LABEL, nodes, error);
	if (status)
		return status;
	if (!nodes || load32(first) != 1)
		return mote_tokenizer_section_bad(error, "trie root of nodes", nodes);
	end = 1;
	for (uint32_t node = 0; node < nodes; node++) {
		uint32_t begin = end, token = load32(id + 4 * (size_t)node);

		end = load32(first + 4 * ((size_t)node + 1));
		/* Children lie behind their parent: so a walk ends, and each node has one parent. */
		if (end < begin || end > nodes || (begin < end && begin <= node) ||
		    (token != MOTE_TOKENIZER_NONE && token >= t->n_ids))
			return mote_tokenizer_section_bad(error, "trie node", node);
		for (uint32_t child = begin + 1; child < end; child++)
			if (label[child] <= label[child - 1])
				return mote_tokenizer_section_bad(error, "trie label", child);
	}
	return end == nodes ? MOTE_OK : mote_tokenizer_section_found(error, "trie nodes", end, nodes);
}

/* Unigram's scores; the unknown token's is the lowest less the reference's penalty. */
static enum mote_status open_scores(struct mote_tokenizer *t, struct mote_error *error)
{
	double lowest = 1e30, score;
	enum mote_status status;

	if (t->model != MODEL_UNIGRAM)
		return t->part_bytes[PART_SCORE]
		       ? mote_tokenizer_section_found(error, "bytes of scores of a model without",
						      t->part_bytes[PART_SCORE], 0) : MOTE_OK;
	status = need_count(t, PART_SCORE, t->n_ids, error);
	for (uint32_t i = 0; i < part_count(t, PART_TRIE_ID) && status == MOTE_OK; i++) {
		uint32_t id = load32(t->part[PART_TRIE_ID] + 4 * (size_t)i);

		if (id == MOTE_TOKENIZER_NONE)
			continue;
		memcpy(&score, t->part[PART_SCORE] + 8 * (size_t)id, 8);
		if (!(score > -1e30 && score < 1e30))
			return mote_tokenizer_section_bad(error, "score of id", id);
		lowest = score < lowest ? score : lowest;
	}
	t->unk_score = lowest - 10.0;
	return status;
}

static int compare_patterns(const struct mote_tokenizer *t, const struct tokenizer_added *a,
			    const struct tokenizer_added *b)
{
	uint32_t common = a->bytes < b->bytes ? a->bytes : b->bytes;
	int order = memcmp(string_at(t, a->offset), string_at(t, b->offset), common);

	return order ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static enum mote_status open_added(struct mote_tokenizer *t, struct mote_error *error)
{
	uint32_t count = part_count(t, PART_ADDED), phase = 0;
	struct tokenizer_added *added = malloc((count + 1) * sizeof *added);

	t->added = added;
	t->special = calloc(t->n_ids / 64 + 1, sizeof *t->special);
	if (!added || !t->special)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a tokenizer");
	memcpy(added, t->part[PART_ADDED], t->part_bytes[PART_ADDED]);
	for (uint32_t i = 0; i < count; i++) {
		const struct tokenizer_added *a = &added[i];
		uint32_t of = a->flags >> ADDED_PHASE_SHIFT;
		uint8_t first;

		if (a->id >= t->n_ids || of >= PHASES || of < phase || (a->flags & 0xe0) || !a->bytes ||
		    a->bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES || !in_strings(t, a->offset, a->bytes) ||
		    mote_utf8_valid(string_at(t, a->offset), a->bytes) != a->bytes)
			return mote_tokenizer_section_bad(error, "added token", i);
		for (; phase < of; phase++)
			t->phase_begin[phase + 1] = i;
		if (i > t->phase_begin[phase] && phase != PHASE_NEVER && compare_patterns(t, a - 1, a) >= 0)
			return mote_tokenizer_section_bad(error, "order of added token", i);
		if (a->flags & ADDED_SPECIAL)
			t->special[a->id / 64] |= UINT64_C(1) << (a->id % 64);
		first = (uint8_t)*string_at(t, a->offset);
		if (phase < PHASE_NEVER)
			t->phase_first_byte[phase][first / 8] |= (uint8_t)(1u << first % 8);
	}
	for (; phase < PHASES; phase++)
		t->phase_begin[phase + 1] = count;
	return MOTE_OK;
}

static enum mote_status check_around(const struct mote_tokenizer *t, enum tokenizer_part part,
				     struct mote_error *error)
{
	for (uint32_t i = 0; i < part_count(t, part); i++)
		if (load32(t->part[part] + 4 * (size_t)i) >= t->n_ids)
			return mote_tokenizer_section_bad(error, rule[part].name, i);
	return MOTE_OK;
}

enum mote_status mote_tokenizer_open(const void *section, size_t bytes, struct mote_tokenizer **out,
				     struct mote_error *error)
{
	struct mote_tokenizer *t = calloc(1, sizeof *t);
	enum mote_status status;

	*out = NULL;
	if (!t)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a tokenizer");
	status = open_header(t, section, bytes, error);
	if (status == MOTE_OK)
		status = check_texts(t, error);
	if (status == MOTE_OK)
		status = check_merges(t, error);
	if (status == MOTE_OK)
		status = check_trie(t, error);
	if (status == MOTE_OK)
		status = open_scores(t, error);
	if (status == MOTE_OK)
		status = open_added(t, error);
	if (status == MOTE_OK)
		status = mote_tokenizer_open_steps(t, error);
	if (status == MOTE_OK)
		status = check_around(t, PART_BEFORE, error);
	if (status == MOTE_OK)
		status = check_around(t, PART_AFTER, error);
	if (status == MOTE_OK)
		status = mote_tokenizer_build(t, error);
	if (status) {
		mote_tokenizer_close(t);
		return status;
	}
	*out = t;
	return MOTE_OK;
}

void mote_tokenizer_close(struct mote_tokenizer *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; t->step && i < t->part_bytes[PART_STEPS] / sizeof(struct tokenizer_step); i++)
		mote_tokenizer_regex_close(t->step[i].regex);
	free(t->step);
	free((void *)(uintptr_t)t->added);
	free(t->special);
	free(t->far_id);
	free(t);
}
