/* Unicode's normal forms, marks of bytes carried along (see struct text).
 *
 * Decompositions and compositions are utf8proc's, but combining marks are put in order here: utf8proc sorts them by
 * neighbour exchange, which takes quadratic time on a long run of marks.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/tokenizer/encode_state.h"

static bool unit_add(struct run *r, size_t *count, uint32_t c, uint8_t mark)
{
	if (*count == r->unit_room) {
		size_t room = r->unit_room ? r->unit_room * 2 : 1024;
		struct unit *grown = realloc(r->unit, room * sizeof *grown);

		if (!grown) {
			mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "normalizing");
			return false;
		}
		r->unit = grown;
		r->unit_room = room;
	}
	r->unit[*count].c = c;
	r->unit[*count].class = c < 0x300 ? 0 : (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
	r->unit[(*count)++].mark = mark;
	return true;
}

/* Stable sort of a run of marks by class: insertion when short, counting when long. */
static void order_marks(struct run *r, struct unit *unit, size_t count)
{
	size_t begin[257] = {0};
	struct unit *copy;

	if (count <= 32) {
		for (size_t i = 1; i < count; i++) {
			struct unit moved = unit[i];
			size_t j = i;

			for (; j && unit[j - 1].class > moved.class; j--)
				unit[j] = unit[j - 1];
			unit[j] = moved;
		}
		return;
	}
	copy = malloc(count * sizeof *copy);
	if (!copy) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "normalizing");
		return;
	}
	memcpy(copy, unit, count * sizeof *copy);
	for (size_t i = 0; i < count; i++)
		begin[copy[i].class + 1]++;
	for (size_t i = 1; i < 257; i++)
		begin[i] += begin[i - 1];
	for (size_t i = 0; i < count; i++)
		unit[begin[copy[i].class]++] = copy[i];
	free(copy);
}

/* The character that two make together, or 0. */
static uint32_t compose_pair(uint32_t a, uint32_t b)
{
	utf8proc_int32_t pair[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};

	if (b < 0x300)
		return 0;
	return utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1 ? (uint32_t)pair[0] : 0;
}

/* Canonical composition in place (Unicode 3.11, D117); returns the new count. */
static size_t compose(struct unit *unit, size_t count)
{
	size_t out = 0, starter = SIZE_MAX;
	uint8_t last = 0; /* class of the last unit kept since the starter; 0: none */

	for (size_t i = 0; i < count; i++) {
		struct unit u = unit[i];

		if (starter != SIZE_MAX && (last < u.class || last == 0)) {
			uint32_t whole = compose_pair(unit[starter].c, u.c);

			if (whole) {
				unit[starter].c = whole;
				unit[starter].mark |= u.mark & MARK_PLAIN;
				continue;
			}
		}
		if (u.class == 0)
			starter = out;
		last = u.class;
		unit[out++] = u;
	}
	return out;
}

bool mote_tokenizer_needs_form(const struct piece *in, bool compatible, bool composed)
{
	/* Below U+0300 there is nothing to compose and below U+00A0 nothing to decompose: lead bytes cc and c2. */
	uint8_t limit = composed && !compatible ? 0xcc : 0xc2;

	for (size_t i = 0; i < in->bytes; i++)
		if ((uint8_t)in->text[i] >= limit)
			return true;
	return false;
}

void mote_tokenizer_normal_form(struct run *r, const struct piece *in, struct text *out, bool compatible, bool composed)
{
	utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
	size_t count = 0, length;
	char bytes[4];

	for (size_t at = 0; at < in->bytes; at += length) {
		uint32_t c = mote_utf8_decode(in->text + at, &length);
		utf8proc_int32_t parts[32];
		utf8proc_ssize_t n = 1;
		int boundary = 0;

		parts[0] = (utf8proc_int32_t)c;
		if (c >= 0xa0)
			n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32, options, &boundary);
		if (n < 0 || n > 32) { /* no character decomposes further than to 18 */
			parts[0] = (utf8proc_int32_t)c;
			n = 1;
		}
		for (utf8proc_ssize_t i = 0; i < n; i++)
			if (!unit_add(r, &count, (uint32_t)parts[i], mark_at(in, at)))
				return;
	}
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;

		if (r->unit[i].class) {
			while (end < count && r->unit[end].class)
				end++;
			order_marks(r, r->unit + i, end - i);
		}
		i = end;
	}
	if (composed)
		count = compose(r->unit, count);
	for (size_t i = 0; i < count; i++)
		mote_tokenizer_text_add(r, out, bytes, mote_utf8_encode(r->unit[i].c, bytes), r->unit[i].mark);
}
