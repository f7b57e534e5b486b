/* Encoding: repairs the input and walks through added tokens and gaps. */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/encode_state.h"
#include "runtime/tokenizer/words.h"

static struct piece part_of(const struct piece *in, size_t begin, size_t end)
{
	struct piece part = {.text = in->text + begin, .bytes = end - begin};

	part.mark = in->mark ? in->mark + begin : NULL;
	part.first = in->mark && begin < end ? part.mark[0] & MARK_FIRST : in->first && begin == 0;
	return part;
}

static void gap(struct run *r, enum tokenizer_phase phase, const struct piece *in);

/* Cuts a text at the added tokens of a phase; gap() takes what lies between. */
static void cut(struct run *r, enum tokenizer_phase phase, const struct piece *in)
{
	struct added_match match;
	size_t at = 0, taken = 0;
	struct piece part;

	while (!r->no_added && !r->status && mote_tokenizer_added_next(r->t, phase, in, &at, taken, &match)) {
		if (match.begin > taken) {
			part = part_of(in, taken, match.begin);
			gap(r, phase, &part);
		}
		if (match.begin < match.end) /* not when the token before took these spaces with it */
			run_emit(r, match.id);
		taken = match.end;
	}
	if (taken < in->bytes && !r->status) {
		part = part_of(in, taken, in->bytes);
		gap(r, phase, &part);
	}
}

static void gap(struct run *r, enum tokenizer_phase phase, const struct piece *in)
{
	struct piece normal;

	if (phase == PHASE_NORMALIZED) {
		mote_tokenizer_split(r, r->t->stage_begin[STAGE_SPLIT], in);
		return;
	}
	mote_tokenizer_normalize(r, in, &normal);
	if (normal.bytes)
		cut(r, PHASE_NORMALIZED, &normal);
}

/* A copy of ill-formed text with U+FFFD in place of each ill-formed part. */
static void repair(struct run *r, struct piece *in)
{
	size_t at = 0, bad, end;

	for (; at < in->bytes && !r->status; at = end) {
		size_t valid = mote_utf8_valid(in->text + at, in->bytes - at);

		end = at + valid;
		if (in->mark)
			for (size_t i = at; i < end; i++)
				mote_tokenizer_text_add(r, &r->repaired, in->text + i, 1, in->mark[i]);
		else
			mote_tokenizer_text_add(r, &r->repaired, in->text + at, valid, 0);
		if (end == in->bytes)
			break;
		mote_utf8_step(in->text + end, in->bytes - end, &bad);
		mote_tokenizer_text_add(r, &r->repaired, "\xef\xbf\xbd", 3, in->mark ? in->mark[end] : 0);
		end = bad ? end + bad : in->bytes;
	}
	in->text = r->repaired.data;
	in->mark = r->marked ? r->repaired.mark : NULL;
	in->bytes = r->repaired.size;
}

static void emit_part(struct run *r, enum tokenizer_part part)
{
	for (uint32_t i = 0; i < r->t->part_bytes[part]; i += 4)
		run_emit(r, load32(r->t->part[part] + i));
}

/* mark: of the text's bytes, or NULL; MARK_FIRST is set here. plain: some of them are. */
static enum mote_status encode(const struct mote_tokenizer *t, const char *text, size_t bytes, uint8_t *mark,
			       bool plain, unsigned flags, struct mote_ids *out, struct mote_error *error)
{
	struct run r = {.t = t, .out = out, .error = error};
	struct piece in = {.text = text, .bytes = bytes, .mark = mark, .first = true};
	size_t before = out->count, length;

	r.no_added = flags & MOTE_ENCODE_PLAIN;
	r.plain = r.no_added || plain;
	r.marked = mark != NULL;
	r.left = text_most(bytes);
	r.steps = regex_most(bytes);
	if (!(flags & MOTE_ENCODE_NO_CACHE))
		r.cache = mote_tokenizer_cache_open(bytes);
	if (bytes && mote_utf8_valid(text, bytes) < bytes)
		repair(&r, &in);
	if (in.mark && in.bytes) {
		uint8_t *first = r.repaired.data ? r.repaired.mark : mark;

		length = mote_utf8_length(in.text[0]);
		for (size_t i = 0; i < length; i++)
			first[i] |= MARK_FIRST;
	}
	if (flags & (MOTE_ENCODE_ADD_SPECIAL | MOTE_ENCODE_ADD_BEFORE))
		emit_part(&r, PART_BEFORE);
	if (in.bytes)
		cut(&r, PHASE_RAW, &in);
	if (flags & MOTE_ENCODE_ADD_SPECIAL)
		emit_part(&r, PART_AFTER);
	mote_tokenizer_run_close(&r);
	if (r.status)
		out->count = before;
	return r.status;
}

enum mote_status mote_tokenizer_encode(const struct mote_tokenizer *t, const char *text, size_t bytes,
				       unsigned flags, struct mote_ids *out, struct mote_error *error)
{
	enum mote_status status;
	uint8_t *mark = NULL;

	if (t->first_matters && t->stage_begin[STAGE_NORMALIZE] < t->stage_begin[STAGE_NORMALIZE + 1] && bytes) {
		mark = calloc(1, bytes);
		if (!mark)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "encoding: no memory for %zu bytes", bytes);
	}
	status = encode(t, text, bytes, mark, false, flags, out, error);
	free(mark);
	return status;
}

enum mote_status mote_tokenizer_encode_spans(const struct mote_tokenizer *t, const char *text,
					     const struct mote_text_span *spans, size_t n_spans, unsigned flags,
					     struct mote_ids *out, struct mote_error *error)
{
	size_t bytes = n_spans ? spans[n_spans - 1].end : 0;
	uint8_t *mark = calloc(1, bytes ? bytes : 1);
	enum mote_status status;
	bool plain = false;

	if (!mark)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "encoding: no memory for %zu bytes", bytes);
	for (size_t i = 0; i < n_spans; i++)
		if (spans[i].plain && spans[i].begin < spans[i].end) {
			memset(mark + spans[i].begin, MARK_PLAIN, spans[i].end - spans[i].begin);
			plain = true;
		}
	status = encode(t, text, bytes, mark, plain, flags, out, error);
	free(mark);
	return status;
}

enum mote_status mote_tokenizer_normalize_text(const struct mote_tokenizer *t, const char *text, size_t bytes,
					       char **out, size_t *out_bytes, struct mote_error *error)
{
	struct mote_ids none = {0};
	struct run r = {.t = t, .out = &none, .left = text_most(bytes),
			.steps = regex_most(bytes), .error = error};
	struct piece in = {.text = text, .bytes = bytes, .first = true}, normal;

	*out = NULL;
	mote_tokenizer_normalize(&r, &in, &normal);
	if (!r.status) {
		*out = malloc(normal.bytes + 1);
		*out_bytes = normal.bytes;
		if (*out)
			memcpy(*out, normal.bytes ? normal.text : "", normal.bytes);
		else
			mote_tokenizer_run_fail(&r, MOTE_ERROR_MEMORY, "text");
	}
	mote_tokenizer_run_close(&r);
	return r.status;
}
