/* The steps of a section: checks their arguments, compiles their patterns, and proves that the decoder can be streamed.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/regex.h"
#include "runtime/tokenizer/section_open.h"

static enum mote_status check_charsmap(const struct step *step, struct mote_error *error)
{
	uint32_t array;
	size_t strings;

	if (step->a_bytes < 4)
		return mote_tokenizer_section_bad(error, "charsmap of bytes", step->a_bytes);
	array = load32((const uint8_t *)step->a);
	if (array % 4 || array > step->a_bytes - 4)
		return mote_tokenizer_section_bad(error, "charsmap's array of bytes", array);
	strings = step->a_bytes - 4 - array;
	if (mote_utf8_valid(step->a + 4 + array, strings) != strings)
		return mote_tokenizer_section_bad(error, "charsmap's strings of bytes", strings);
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
			return mote_tokenizer_section_bad(error, "step", index);
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
	return good ? MOTE_OK : mote_tokenizer_section_bad(error, "step", index);
}

static enum mote_status open_each(struct mote_tokenizer *t, struct mote_error *error)
{
	static const uint8_t lowest[STAGES] = {NORMALIZE_NFC, SPLIT_LITERAL, DECODE_BYTES};
	static const uint8_t highest[STAGES] = {NORMALIZE_BERT_CHINESE, SPLIT_BYTES, DECODE_SPACES};
	uint32_t count = (uint32_t)(t->part_bytes[PART_STEPS] / sizeof(struct tokenizer_step)), stage = 0;
	enum mote_status status;

	if (count > MOTE_TOKENIZER_MAX_STEPS)
		return mote_tokenizer_section_found(error, "number of steps", count, MOTE_TOKENIZER_MAX_STEPS);
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
			return mote_tokenizer_section_bad(error, "step", i);
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
			return mote_tokenizer_section_bad(error, "text of step", i);
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

enum mote_status mote_tokenizer_open_steps(struct mote_tokenizer *t, struct mote_error *error)
{
	enum mote_status status = open_each(t, error);

	return status ? status : open_decoder(t, error);
}
