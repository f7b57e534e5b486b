/* Opens a compiled section: checks every size, offset and id in it, so that nothing behind this file checks again.
 * Texts and tables are borrowed; built here are only the small things: steps, added tokens, character table.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer_internal.h"

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

static enum mote_status corrupt(struct mote_error *error, const char *what, uint64_t found, uint64_t expected)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "tokenizer section: %s: found %llu, expected %llu", what,
			      (unsigned long long)found, (unsigned long long)expected);
}

static enum mote_status bad(struct mote_error *error, const char *what, uint64_t index)
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
		       ? MOTE_OK : corrupt(error, rule[part].name, t->part_bytes[part], count * rule[part].unit);
}

static bool in_strings(const struct mote_tokenizer *t, uint32_t offset, uint32_t bytes)
{
	return offset <= t->part_bytes[PART_STRINGS] && bytes <= t->part_bytes[PART_STRINGS] - offset;
}

static const char *string_at(const struct mote_tokenizer *t, uint32_t offset)
{
	return (const char *)t->part[PART_STRINGS] + offset;
}

static enum mote_status open_header(struct mote_tokenizer *t, const uint8_t *section, size_t bytes,
				    struct mote_error *error)
{
	size_t at = MOTE_TOKENIZER_HEADER_BYTES, padded;

	if (bytes < MOTE_TOKENIZER_HEADER_BYTES)
		return corrupt(error, "bytes of the header", bytes, MOTE_TOKENIZER_HEADER_BYTES);
	if (load32(section) != MOTE_TOKENIZER_MAGIC)
		return corrupt(error, "magic", load32(section), MOTE_TOKENIZER_MAGIC);
	if (load32(section + 4) != MOTE_TOKENIZER_VERSION)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "tokenizer section: version %u, this reads %u",
				      load32(section + 4), MOTE_TOKENIZER_VERSION);
	if (load32(section + 8) != bytes)
		return corrupt(error, "section bytes", load32(section + 8), bytes);
	t->n_ids = load32(section + 12);
	t->model = (enum tokenizer_model)load32(section + 16);
	t->model_flags = load32(section + 20);
	t->unk = load32(section + 24);
	if (t->n_ids < 1 || t->n_ids > MOTE_TOKENIZER_MAX_IDS)
		return bad(error, "number of ids", t->n_ids);
	if (t->model != MODEL_BPE && t->model != MODEL_UNIGRAM)
		return bad(error, "model", (uint64_t)t->model);
	if (t->model_flags & ~(uint32_t)(MODEL_IGNORE_MERGES | MODEL_BYTE_FALLBACK | MODEL_FUSE_UNK))
		return bad(error, "flags of the model", t->model_flags);
	if (t->unk != MOTE_TOKENIZER_NONE ? t->unk >= t->n_ids : t->model == MODEL_UNIGRAM)
		return bad(error, "unknown token's id", t->unk);
	t->id_bits = load32(section + 44);
	t->bucket_bits = load32(section + 48);
	for (int i = 0; i < PARTS; i++) {
		uint32_t size = load32(section + HEADER_PARTS + 4 * i);

		padded = ((size_t)size + 7) / 8 * 8;
		if (padded > bytes - at || size % rule[i].unit)
			return corrupt(error, rule[i].name, size, bytes - at);
		t->part[i] = section + at;
		t->part_bytes[i] = size;
		for (size_t j = size; j < padded; j++)
			if (section[at + j])
				return bad(error, "padding at byte", at + j);
		at += padded;
	}
	if (at != bytes)
		return corrupt(error, "bytes behind the last part", bytes - at, 0);
	for (size_t i = HEADER_PARTS + 4 * PARTS; i < MOTE_TOKENIZER_HEADER_BYTES; i++)
		if (section[i])
			return bad(error, "reserved byte", i);
	t->prefix_bytes = load32(section + 32);
	t->suffix_bytes = load32(section + 40);
	if (!in_strings(t, load32(section + 28), t->prefix_bytes) || t->prefix_bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return bad(error, "continuing prefix at", load32(section + 28));
	if (!in_strings(t, load32(section + 36), t->suffix_bytes) || t->suffix_bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return bad(error, "end-of-word suffix at", load32(section + 36));
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
			return bad(error, "text of id", id);
		longest = begin - last > longest ? (uint32_t)begin - last : longest;
		last = (uint32_t)begin;
	}
	t->longest_text = longest;
	if (last != bytes || load16(offset) || load32(base))
		return corrupt(error, "bytes of all texts", last, bytes);
	valid = mote_utf8_valid((const char *)text, bytes);
	return valid == bytes ? MOTE_OK : bad(error, "UTF-8 of the texts at byte", valid);
}

static enum mote_status check_merges(const struct mote_tokenizer *t, struct mote_error *error)
{
	const uint8_t *bucket = t->part[PART_BUCKET], *merge = t->part[PART_MERGE];
	uint32_t count = part_count(t, PART_MERGE), mask, last = 0, next;
	enum mote_status status;

	if (t->model != MODEL_BPE)
		return t->part_bytes[PART_BUCKET] + (uint64_t)t->part_bytes[PART_MERGE]
			       ? corrupt(error, "merges of a model without", count, 0) : MOTE_OK;
	/* What a key keeps must fit above rank and result. */
	if (t->id_bits < 1 || t->id_bits > MOTE_TOKENIZER_ID_BITS || (t->n_ids - 1) >> t->id_bits ||
	    t->bucket_bits > t->id_bits || 3 * t->id_bits + MOTE_TOKENIZER_RANK_BITS - t->bucket_bits > 64)
		return bad(error, "merge table of id bits", t->id_bits);
	status = need_count(t, PART_BUCKET, (UINT64_C(1) << t->bucket_bits) + 1, error);
	if (status)
		return status;
	if (count > MOTE_TOKENIZER_MAX_MERGES || load32(bucket))
		return bad(error, "number of merges", count);
	for (uint32_t i = 1; i <= 1u << t->bucket_bits; i++, last = next) {
		next = load32(bucket + 4 * (size_t)i);
		if (next < last || next > count)
			return bad(error, "merge bucket", i);
	}
	if (last != count)
		return corrupt(error, "merges", last, count);
	mask = (1u << t->id_bits) - 1;
	for (uint32_t i = 0; i < count; i++)
		if (((uint32_t)load64(merge + 8 * (size_t)i) & mask) >= t->n_ids)
			return bad(error, "merge", i);
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
			       ? corrupt(error, "trie nodes", 0, 1) : MOTE_OK;
	status = need_count(t, PART_TRIE_FIRST, (uint64_t)nodes + 1, error);
	if (status == MOTE_OK)
		status = need_count(t, PART_TRIE_LABEL, nodes, error);
	if (status)
		return status;
	if (!nodes || load32(first) != 1)
		return bad(error, "trie root of nodes", nodes);
	end = 1;
	for (uint32_t node = 0; node < nodes; node++) {
		uint32_t begin = end, token = load32(id + 4 * (size_t)node);

		end = load32(first + 4 * ((size_t)node + 1));
		/* Children lie behind their parent: so a walk ends, and each node has one parent. */
		if (end < begin || end > nodes || (begin < end && begin <= node) ||
		    (token != MOTE_TOKENIZER_NONE && token >= t->n_ids))
			return bad(error, "trie node", node);
		for (uint32_t child = begin + 1; child < end; child++)
			if (label[child] <= label[child - 1])
				return bad(error, "trie label", child);
	}
	return end == nodes ? MOTE_OK : corrupt(error, "trie nodes", end, nodes);
}

/* Unigram's scores; the unknown token's is the lowest less the reference's penalty. */
static enum mote_status open_scores(struct mote_tokenizer *t, struct mote_error *error)
{
	double lowest = 1e30, score;
	enum mote_status status;

	if (t->model != MODEL_UNIGRAM)
		return t->part_bytes[PART_SCORE] ? corrupt(error, "bytes of scores of a model without",
							   t->part_bytes[PART_SCORE], 0) : MOTE_OK;
	status = need_count(t, PART_SCORE, t->n_ids, error);
	for (uint32_t i = 0; i < part_count(t, PART_TRIE_ID) && status == MOTE_OK; i++) {
		uint32_t id = load32(t->part[PART_TRIE_ID] + 4 * (size_t)i);

		if (id == MOTE_TOKENIZER_NONE)
			continue;
		memcpy(&score, t->part[PART_SCORE] + 8 * (size_t)id, 8);
		if (!(score > -1e30 && score < 1e30))
			return bad(error, "score of id", id);
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
		const char *spelled;
		uint8_t first;
		size_t bytes;

		if (a->id >= t->n_ids || of >= PHASES || of < phase || (a->flags & 0xe0) || !a->bytes ||
		    a->bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES || !in_strings(t, a->offset, a->bytes) ||
		    mote_utf8_valid(string_at(t, a->offset), a->bytes) != a->bytes)
			return bad(error, "added token", i);
		for (; phase < of; phase++)
			t->phase_begin[phase + 1] = i;
		if (i > t->phase_begin[phase] && phase != PHASE_NEVER && compare_patterns(t, a - 1, a) >= 0)
			return bad(error, "order of added token", i);
		if (a->flags & ADDED_SPECIAL)
			t->special[a->id / 64] |= UINT64_C(1) << (a->id % 64);
		first = (uint8_t)*string_at(t, a->offset);
		spelled = token_text(t, a->id, &bytes);
		t->has_bare_tokens |= phase == PHASE_NORMALIZED &&
				      (bytes != a->bytes || memcmp(spelled, string_at(t, a->offset), bytes));
		if (phase < PHASE_NEVER)
			t->phase_first_byte[phase][first / 8] |= (uint8_t)(1u << first % 8);
	}
	for (; phase < PHASES; phase++)
		t->phase_begin[phase + 1] = count;
	return MOTE_OK;
}

static enum mote_status check_charsmap(const struct step *step, struct mote_error *error)
{
	uint32_t array;
	size_t strings;

	if (step->a_bytes < 4)
		return bad(error, "charsmap of bytes", step->a_bytes);
	array = load32((const uint8_t *)step->a);
	if (array % 4 || array > step->a_bytes - 4)
		return bad(error, "charsmap's array of bytes", array);
	strings = step->a_bytes - 4 - array;
	if (mote_utf8_valid(step->a + 4 + array, strings) != strings)
		return bad(error, "charsmap's strings of bytes", strings);
	return MOTE_OK;
}

static bool is_char(const struct step *step)
{
	return step->a_bytes && mote_utf8_length(step->a[0]) == step->a_bytes;
}

/* What a step of each kind needs of its arguments. */
static enum mote_status open_step(struct step *step, uint32_t index, struct mote_error *error)
{
	bool good = true;

	switch (step->kind) {
	case NORMALIZE_NFC: case NORMALIZE_NFD: case NORMALIZE_NFKC: case NORMALIZE_NFKD: case NORMALIZE_LOWERCASE:
	case NORMALIZE_NMT: case NORMALIZE_BYTES: case NORMALIZE_BERT_CLEAN: case NORMALIZE_BERT_CHINESE:
	case NORMALIZE_PREPEND: case SPLIT_PREFIX_SPACE: case SPLIT_BYTES: case DECODE_BYTES:
	case DECODE_BYTE_FALLBACK: case DECODE_FUSE: case DECODE_SPACES:
		break;
	case NORMALIZE_REMOVE_MARKS:
		good = step->mode <= MARKS_NONSPACING;
		break;
	case NORMALIZE_STRIP:
		good = step->mode <= (SIDE_LEFT | SIDE_RIGHT);
		break;
	case NORMALIZE_REPLACE: case DECODE_REPLACE:
		good = step->a_bytes > 0;
		break;
	case NORMALIZE_PRECOMPILED:
		return check_charsmap(step, error);
	case NORMALIZE_REPLACE_REGEX: case SPLIT_REGEX:
		if (step->kind == SPLIT_REGEX && step->mode >= BEHAVIORS)
			return bad(error, "step", index);
		return mote_tokenizer_regex_open(step->a, step->a_bytes, &step->regex, error);
	case SPLIT_LITERAL:
		good = step->a_bytes > 0 && step->mode < BEHAVIORS;
		break;
	case SPLIT_CLASS:
		good = step->number < SPLIT_CLASSES && step->mode < BEHAVIORS;
		break;
	case SPLIT_PATTERN:
		good = step->number < PATTERNS && step->mode < BEHAVIORS;
		break;
	case SPLIT_FIXED:
		good = step->number > 0;
		break;
	case SPLIT_METASPACE: case DECODE_METASPACE:
		good = is_char(step) && step->mode < SCHEMES;
		break;
	case DECODE_STRIP:
		good = is_char(step);
		break;
	default:
		good = false;
	}
	return good ? MOTE_OK : bad(error, "step", index);
}

static enum mote_status open_steps(struct mote_tokenizer *t, struct mote_error *error)
{
	static const uint8_t lowest[STAGES] = {NORMALIZE_NFC, SPLIT_LITERAL, DECODE_BYTES};
	static const uint8_t highest[STAGES] = {NORMALIZE_BERT_CHINESE, SPLIT_BYTES, DECODE_SPACES};
	uint32_t count = part_count(t, PART_STEPS), stage = 0;
	enum mote_status status;

	if (count > MOTE_TOKENIZER_MAX_STEPS)
		return corrupt(error, "number of steps", count, MOTE_TOKENIZER_MAX_STEPS);
	t->step = calloc(count + 1, sizeof *t->step); /* one more: the end of a stage can be pointed at */
	if (!t->step)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a tokenizer");
	for (uint32_t i = 0; i < count; i++) {
		struct tokenizer_step record;
		struct step *step = &t->step[i];

		memcpy(&record, t->part[PART_STEPS] + i * sizeof record, sizeof record);
		if (record.stage >= STAGES || record.stage < stage || record.kind < lowest[record.stage] ||
		    record.kind > highest[record.stage] || record.flags > STEP_INVERT ||
		    !in_strings(t, record.a, record.a_bytes) || !in_strings(t, record.b, record.b_bytes))
			return bad(error, "step", i);
		for (; stage < record.stage; stage++)
			t->stage_begin[stage + 1] = i;
		*step = (struct step){
			.kind = (enum tokenizer_step_kind)record.kind, .mode = record.mode,
			.invert = record.flags & STEP_INVERT, .number = record.number,
			.a = string_at(t, record.a), .a_bytes = record.a_bytes,
			.b = string_at(t, record.b), .b_bytes = record.b_bytes
		};
		if (record.kind != NORMALIZE_PRECOMPILED &&
		    (mote_utf8_valid(step->a, step->a_bytes) != step->a_bytes ||
		     mote_utf8_valid(step->b, step->b_bytes) != step->b_bytes))
			return bad(error, "text of step", i);
		status = open_step(step, i, error);
		if (status)
			return status;
		t->first_matters |= step->kind == SPLIT_METASPACE && step->mode == SCHEME_FIRST;
	}
	for (; stage < STAGES; stage++)
		t->stage_begin[stage + 1] = count;
	t->byte_level = t->stage_begin[STAGE_SPLIT + 1] > t->stage_begin[STAGE_SPLIT] &&
			t->step[t->stage_begin[STAGE_SPLIT + 1] - 1].kind == SPLIT_BYTES;
	return MOTE_OK;
}

/* Decoding never allocates: a chain of steps under which a token could outgrow a piece is refused, and so is one
 * that could not be streamed. */
static enum mote_status open_decoder(struct mote_tokenizer *t, struct mote_error *error)
{
	uint32_t end = t->stage_begin[STAGE_DECODE + 1], strips = 0;
	size_t token = t->longest_text, held = 0, most = MOTE_DETOKENIZER_PIECE;

	t->decode_joins = t->decode_holds = end;
	for (uint32_t i = t->stage_begin[STAGE_DECODE]; i < end; i++) {
		const struct step *step = &t->step[i];
		bool joined = t->decode_joins < i, after_hold = t->decode_holds < i, good = true;

		switch (step->kind) {
		case DECODE_BYTES:
			good = !joined && !after_hold && token <= MOTE_TOKENIZER_MAX_TOKEN_BYTES;
			t->decode_joins = t->decode_holds = i;
			token = 3 * (token + 3);
			held = 3;
			break;
		case DECODE_BYTE_FALLBACK:
			good = !joined && !after_hold;
			t->decode_holds = i;
			held = 3 * MOTE_DETOKENIZER_RUN;
			break;
		case DECODE_FUSE:
			t->decode_joins = joined ? t->decode_joins : i;
			break;
		case DECODE_STRIP:
			good = !joined || (step->mode == 0 && !strips++);
			break;
		case DECODE_REPLACE: /* in joined text a longer match could lie across tokens */
			good = !joined || is_char(step);
			if (step->b_bytes > step->a_bytes) {
				size_t growth = (step->b_bytes + step->a_bytes - 1) / step->a_bytes;

				good = good && growth <= most;
				token *= good ? growth : 1;
				held *= good ? growth : 1;
			}
			break;
		default: /* these know whether a token is the first */
			good = !joined && !after_hold;
			token += 1;
			break;
		}
		if (!good || token + held > most)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "tokenizer section: step %u of the decoder cannot be streamed", i);
	}
	return MOTE_OK;
}

static enum mote_status check_around(const struct mote_tokenizer *t, enum tokenizer_part part,
				     struct mote_error *error)
{
	for (uint32_t i = 0; i < part_count(t, part); i++)
		if (load32(t->part[part] + 4 * (size_t)i) >= t->n_ids)
			return bad(error, rule[part].name, i);
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
		status = open_steps(t, error);
	if (status == MOTE_OK)
		status = open_decoder(t, error);
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
	free(t->far_char);
	free(t->far_id);
	free(t);
}

uint32_t mote_tokenizer_vocab_size(const struct mote_tokenizer *t)
{
	return t->n_ids;
}

int32_t mote_tokenizer_find(const struct mote_tokenizer *t, const char *text, size_t bytes)
{
	size_t found;

	for (uint32_t id = 0; id < t->n_ids && bytes; id++) {
		const char *spelled = token_text(t, id, &found);

		if (found == bytes && !memcmp(spelled, text, bytes))
			return (int32_t)id;
	}
	return -1;
}

const char *mote_tokenizer_token(const struct mote_tokenizer *t, int32_t id, size_t *bytes)
{
	*bytes = 0;
	return id >= 0 && (uint32_t)id < t->n_ids ? token_text(t, (uint32_t)id, bytes) : NULL;
}

bool mote_tokenizer_is_special(const struct mote_tokenizer *t, int32_t id)
{
	return id >= 0 && (uint32_t)id < t->n_ids && id_is_special(t, (uint32_t)id);
}
