/* Finds added tokens in text: leftmost, then longest, as the reference's automaton does.
 *
 * The patterns of a phase are sorted, so those that share a beginning are neighbours: matching at a position
 * narrows a range of patterns byte by byte. A bit set of first bytes passes over all other positions.
 */
#include <string.h>

#include "runtime/tokenizer/encode_state.h"

static const uint8_t *pattern_of(const struct mote_tokenizer *t, uint32_t index)
{
	return t->part[PART_STRINGS] + t->added[index].offset;
}

/* Byte at depth, -1 behind a pattern's end: shorter sorts first. */
static int byte_at(const struct mote_tokenizer *t, uint32_t index, size_t depth)
{
	return depth < t->added[index].bytes ? pattern_of(t, index)[depth] : -1;
}

/* First pattern in [low, high), which agree before depth, whose byte at depth is at least wanted. */
static uint32_t lower_bound(const struct mote_tokenizer *t, uint32_t low, uint32_t high, size_t depth, int wanted)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (byte_at(t, middle, depth) < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The longest pattern at in->text[at], or NONE. It ends before the first byte that is plain. */
static uint32_t longest_at(const struct mote_tokenizer *t, enum tokenizer_phase phase, const struct piece *in,
			   size_t at)
{
	uint32_t low = t->phase_begin[phase], high = t->phase_begin[phase + 1], best = MOTE_TOKENIZER_NONE;

	for (size_t depth = 0; at + depth < in->bytes; depth++) {
		int wanted = (uint8_t)in->text[at + depth];

		if (in->mark && in->mark[at + depth] & MARK_PLAIN)
			break;
		low = lower_bound(t, low, high, depth, wanted);
		high = lower_bound(t, low, high, depth, wanted + 1);
		if (low == high)
			break;
		if (t->added[low].bytes == depth + 1)
			best = low;
	}
	return best;
}

static uint32_t char_before(const char *text, size_t at)
{
	size_t length;

	for (at--; mote_utf8_continues(text[at]); at--)
		;
	return mote_utf8_decode(text + at, &length);
}

static bool stands_alone(const struct piece *in, size_t begin, size_t end)
{
	size_t length;

	if (begin > 0 && mote_tokenizer_is_word(char_before(in->text, begin)))
		return false;
	return end == in->bytes || !mote_tokenizer_is_word(mote_utf8_decode(in->text + end, &length));
}

/* Spaces beside the match go with it. Not beyond what the last match took on the left; on the right a match that lies
 * in the spaces which the last one took begins where those end, or a text of spaces would take quadratic time. */
static void widen(const struct piece *in, uint32_t flags, size_t taken, struct added_match *match)
{
	size_t length;

	if (flags & ADDED_LSTRIP) {
		while (match->begin > taken && mote_tokenizer_is_space(char_before(in->text, match->begin)))
			for (match->begin--; mote_utf8_continues(in->text[match->begin]); match->begin--)
				;
		match->begin = match->begin > taken ? match->begin : taken;
	}
	if (flags & ADDED_RSTRIP) {
		match->end = match->end > taken ? match->end : taken;
		while (match->end < in->bytes &&
		       mote_tokenizer_is_space(mote_utf8_decode(in->text + match->end, &length)))
			match->end += length;
	}
}

bool mote_tokenizer_added_next(const struct mote_tokenizer *t, enum tokenizer_phase phase, const struct piece *in,
			       size_t *at, size_t taken, struct added_match *match)
{
	const uint8_t *first = t->phase_first_byte[phase];

	if (t->phase_begin[phase] == t->phase_begin[phase + 1])
		return false;
	for (; *at < in->bytes; (*at)++) {
		uint8_t byte = (uint8_t)in->text[*at];
		uint32_t found;

		if (!(first[byte / 8] >> (byte % 8) & 1))
			continue;
		found = longest_at(t, phase, in, *at);
		if (found == MOTE_TOKENIZER_NONE)
			continue;
		match->id = t->added[found].id;
		match->begin = *at;
		match->end = *at + t->added[found].bytes;
		*at = match->end;
		if (t->added[found].flags & ADDED_SINGLE_WORD && !stands_alone(in, match->begin, match->end)) {
			(*at)--; /* the loop's step; the automaton goes on behind the discarded match, too */
			continue;
		}
		widen(in, t->added[found].flags, taken, match);
		return true;
	}
	return false;
}
