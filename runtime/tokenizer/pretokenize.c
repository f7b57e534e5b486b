/* Splitting steps (pre-tokenizers): each cuts a piece, or rewrites it, and hands what results to the next step.
 *
 * A pattern cuts a text into matches and what lies between; a behavior says what becomes of the two. All behaviors
 * work from left to right with at most one segment held back.
 */
#include <string.h>

#include "runtime/tokenizer/encode_state.h"
#include "runtime/tokenizer/regex.h"

struct splitter {
	struct run *run;
	uint32_t next;              /* the step that gets the parts */
	const struct piece *in;
	enum tokenizer_behavior behavior;
	bool invert;
	size_t begin, end;          /* held back */
	bool holds, last_match;
};

/* The step behind the last one that splits. */
static uint32_t split_end(const struct mote_tokenizer *t)
{
	return t->stage_begin[STAGE_SPLIT + 1] - t->byte_level;
}

static void pass(struct splitter *s, size_t begin, size_t end)
{
	const struct piece *in = s->in;
	struct piece part = {.text = in->text + begin, .bytes = end - begin};

	if (begin == end)
		return;
	part.mark = in->mark ? in->mark + begin : NULL;
	part.first = in->mark ? part.mark[0] & MARK_FIRST : in->first && begin == 0;
	mote_tokenizer_split(s->run, s->next, &part);
}

static void hold(struct splitter *s, size_t begin, size_t end)
{
	if (s->holds)
		pass(s, s->begin, s->end);
	s->begin = begin;
	s->end = end;
	s->holds = true;
}

/* The next segment, in order, without gaps. */
static void feed(struct splitter *s, size_t begin, size_t end, bool match)
{
	bool joins;

	match ^= s->invert;
	switch (s->behavior) {
	case BEHAVIOR_REMOVED:
		if (!match)
			pass(s, begin, end);
		return;
	case BEHAVIOR_MERGED_WITH_PREVIOUS:
		joins = match && !s->last_match;
		break;
	case BEHAVIOR_MERGED_WITH_NEXT: /* seen from the right: a match joins what follows, unless that is a match */
		joins = !match && s->last_match;
		break;
	case BEHAVIOR_CONTIGUOUS:
		joins = match == s->last_match;
		break;
	default:
		pass(s, begin, end);
		return;
	}
	if (joins && s->holds)
		s->end = end;
	else
		hold(s, begin, end);
	s->last_match = match;
}

static void feed_end(struct splitter *s)
{
	if (s->holds)
		pass(s, s->begin, s->end);
}

static void split_literal(struct splitter *s, const struct step *step)
{
	const struct piece *in = s->in;
	size_t at = 0;

	while (at < in->bytes && !s->run->status) {
		const char *found = memmem(in->text + at, in->bytes - at, step->a, step->a_bytes);
		size_t begin = found ? (size_t)(found - in->text) : in->bytes;

		if (begin > at)
			feed(s, at, begin, false);
		at = begin;
		if (found) {
			feed(s, at, at + step->a_bytes, true);
			at += step->a_bytes;
		}
	}
}

static void split_regex(struct splitter *s, const struct step *step)
{
	const struct piece *in = s->in;
	struct regex_walk walk = {0};
	size_t at = 0, begin, end;

	while (mote_tokenizer_regex_next(s->run, step->regex, in->text, in->bytes, &walk, &begin, &end)) {
		if (begin > at)
			feed(s, at, begin, false);
		feed(s, begin, end, true);
		at = end;
	}
	if (at < in->bytes)
		feed(s, at, in->bytes, false);
}

static bool in_class(uint32_t c, uint32_t class)
{
	switch (class) {
	case SPLIT_SPACE: return mote_tokenizer_is_space(c);
	case SPLIT_NUMBER: return mote_tokenizer_is_number(c);
	default: return mote_tokenizer_is_punctuation(c);
	}
}

/* The first place from at on where a number may be: eight bytes at a time while they hold neither digit nor
 * non-ASCII. */
static size_t skip_to_number(const char *text, size_t bytes, size_t at)
{
	const uint64_t high = UINT64_C(0x8080808080808080);

	for (; bytes - at >= 8; at += 8) {
		uint64_t eight = load64((const uint8_t *)text + at);
		uint64_t digit = (eight ^ UINT64_C(0x3030303030303030)) +
				 UINT64_C(0x7676767676767676); /* 0 to 9 stay below 80 */

		if ((eight & high) || (digit & high) != high)
			break;
	}
	return at;
}

/* Each character of the class is a match of its own. */
static void split_class(struct splitter *s, const struct step *step)
{
	const struct piece *in = s->in;
	size_t begin = 0, length;

	for (size_t at = 0; at < in->bytes && !s->run->status; at += length) {
		length = 1;
		if (step->number == SPLIT_NUMBER) {
			at = skip_to_number(in->text, in->bytes, at);
			if (at == in->bytes)
				break;
		}
		if ((uint8_t)in->text[at] < 0x80 && mote_tokenizer_ascii_class[(uint8_t)in->text[at]] == CLASS_LETTER)
			continue; /* in none of the classes, and most of all text */
		if (!in_class(mote_utf8_decode(in->text + at, &length), step->number))
			continue;
		if (at > begin)
			feed(s, begin, at, false);
		begin = at + length;
		feed(s, at, begin, true);
	}
	if (begin < in->bytes)
		feed(s, begin, in->bytes, false);
}

static void split_pattern(struct splitter *s, const struct step *step)
{
	const struct piece *in = s->in;
	enum tokenizer_pattern pattern = (enum tokenizer_pattern)step->number;
	bool last = s->behavior == BEHAVIOR_ISOLATED && s->next == split_end(s->run->t);
	size_t at = 0, end, length;

	for (; at < in->bytes && !s->run->status; at = end) {
		end = mote_tokenizer_pattern_next(pattern, in->text, in->bytes, at);
		if (last) { /* what feed() and pass() would do */
			mote_tokenizer_word_soon(s->run, in->text + at, end - at);
			continue;
		}
		/* The words pattern does not match spaces; the others match everything. */
		feed(s, at, end, pattern != PATTERN_WORDS ||
				 !mote_tokenizer_is_space(mote_utf8_decode(in->text + at, &length)));
	}
	mote_tokenizer_words_end(s->run);
}

static void split_fixed(struct splitter *s, const struct step *step)
{
	const struct piece *in = s->in;
	size_t begin = 0, at = 0;
	uint32_t count = 0;

	while (at < in->bytes && !s->run->status) {
		at += mote_utf8_length(in->text[at]);
		if (++count == step->number || at == in->bytes) {
			pass(s, begin, at);
			begin = at;
			count = 0;
		}
	}
}

static void split(struct run *r, uint32_t index, const struct piece *in)
{
	const struct step *step = &r->t->step[index];
	struct splitter s = {
		.run = r, .next = index + 1, .in = in,
		.behavior = (enum tokenizer_behavior)step->mode, .invert = step->invert
	};

	switch (step->kind) {
	case SPLIT_LITERAL: split_literal(&s, step); break;
	case SPLIT_REGEX: split_regex(&s, step); break;
	case SPLIT_CLASS: split_class(&s, step); break;
	case SPLIT_PATTERN: split_pattern(&s, step); break;
	default: split_fixed(&s, step); break;
	}
	feed_end(&s);
}

static void metaspace(struct run *r, const struct step *step, const struct piece *in, struct text *out)
{
	size_t at = 0;
	bool wanted = step->mode == SCHEME_ALWAYS || (step->mode == SCHEME_FIRST && in->first);
	bool there = in->text[0] == ' ' ||
		     (in->bytes >= step->a_bytes && !memcmp(in->text, step->a, step->a_bytes));

	if (wanted && !there)
		mote_tokenizer_text_add(r, out, step->a, step->a_bytes, 0);
	while (at < in->bytes) {
		const char *space = memchr(in->text + at, ' ', in->bytes - at);
		size_t end = space ? (size_t)(space - in->text) : in->bytes;

		mote_tokenizer_text_add(r, out, in->text + at, end - at, 0);
		if (space)
			mote_tokenizer_text_add(r, out, step->a, step->a_bytes, 0);
		at = end + 1;
	}
}

static void map_bytes(struct run *r, const struct piece *in, struct text *out)
{
	char bytes[4];

	for (size_t i = 0; i < in->bytes; i++) {
		size_t length = mote_utf8_encode(mote_tokenizer_byte_to_char((uint8_t)in->text[i]), bytes);

		mote_tokenizer_text_add(r, out, bytes, length, 0);
	}
}

void mote_tokenizer_split(struct run *r, uint32_t index, const struct piece *in)
{
	const struct mote_tokenizer *t = r->t;
	const struct step *step = &t->step[index];
	struct text *out;
	struct piece rewritten;

	if (r->status || !in->bytes)
		return;
	if (index == split_end(t)) {
		mote_tokenizer_word(r, in->text, in->bytes);
		return;
	}
	if (step->kind != SPLIT_METASPACE && step->kind != SPLIT_PREFIX_SPACE && step->kind != SPLIT_BYTES) {
		split(r, index, in);
		return;
	}
	out = &r->buffer[index - t->stage_begin[STAGE_SPLIT]];
	out->size = 0;
	if (step->kind == SPLIT_METASPACE) {
		metaspace(r, step, in, out);
	} else if (step->kind == SPLIT_BYTES) {
		map_bytes(r, in, out);
	} else if (in->text[0] == ' ') {
		mote_tokenizer_split(r, index + 1, in);
		return;
	} else {
		mote_tokenizer_text_add(r, out, " ", 1, 0);
		mote_tokenizer_text_add(r, out, in->text, in->bytes, 0);
	}
	rewritten = (struct piece){.text = out->data, .bytes = out->size, .first = in->first};
	mote_tokenizer_split(r, index + 1, &rewritten);
}
