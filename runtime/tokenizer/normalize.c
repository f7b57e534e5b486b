/* Normalizer steps: text to text, character by character, marks carried along (see struct text). The Unicode normal
 * forms are in normal_form.c. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/tokenizer/encode_state.h"
#include "runtime/tokenizer/regex.h"

static void add(struct run *r, struct text *out, const char *bytes, size_t count, uint8_t mark)
{
	mote_tokenizer_text_add(r, out, bytes, count, mark);
}

static void add_char(struct run *r, struct text *out, uint32_t c, uint8_t mark)
{
	char bytes[4];

	add(r, out, bytes, mote_utf8_encode(c, bytes), mark);
}

/* What a replacement of in[begin, end) carries: plain when any of it was, first when the character at "owner" was. */
static uint8_t mark_of(const struct piece *in, size_t begin, size_t end, size_t owner)
{
	uint8_t mark = 0;

	if (!in->mark)
		return 0;
	for (size_t i = begin; i < end; i++)
		mark |= in->mark[i] & MARK_PLAIN;
	return (uint8_t)(mark | (in->mark[owner] & MARK_FIRST));
}

/* ---- steps that look at one character at a time */

static bool is_nmt_dropped(uint32_t c)
{
	return (c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool is_nmt_space(uint32_t c)
{
	return c == 9 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
	       c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

static bool is_bert_control(uint32_t c)
{
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

	if (c == '\t' || c == '\n' || c == '\r')
		return false;
	return c == 0 || c == 0xfffd || category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
	       category == UTF8PROC_CATEGORY_CO;
}

static bool is_bert_chinese(uint32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
	       (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
	       (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void map_char(struct run *r, const struct step *step, struct text *out, uint32_t c, uint8_t mark)
{
	switch (step->kind) {
	case NORMALIZE_LOWERCASE:
		if (c == 0x130) { /* the one character whose lower case is two; utf8proc knows the first */
			add(r, out, "i\xcc\x87", 3, mark);
			return;
		}
		c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
		break;
	case NORMALIZE_REMOVE_MARKS:
		if (step->mode == MARKS_ALL ? mote_tokenizer_is_mark(c)
					    : utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_MN)
			return;
		break;
	case NORMALIZE_NMT:
		if (is_nmt_dropped(c))
			return;
		c = is_nmt_space(c) ? ' ' : c;
		break;
	case NORMALIZE_BERT_CLEAN:
		if (is_bert_control(c))
			return;
		c = mote_tokenizer_is_space(c) ? ' ' : c;
		break;
	case NORMALIZE_BERT_CHINESE:
		if (is_bert_chinese(c)) {
			add(r, out, " ", 1, mark);
			add_char(r, out, c, mark);
			add(r, out, " ", 1, mark);
			return;
		}
		break;
	default:
		break;
	}
	add_char(r, out, c, mark);
}

static void map_chars(struct run *r, const struct step *step, const struct piece *in, struct text *out)
{
	size_t length;

	for (size_t at = 0; at < in->bytes; at += length) {
		uint32_t c = mote_utf8_decode(in->text + at, &length);

		map_char(r, step, out, c, mark_at(in, at));
	}
}

static void map_bytes(struct run *r, const struct piece *in, struct text *out)
{
	for (size_t i = 0; i < in->bytes; i++) /* the mark is the byte's: all bytes of a character carry the same */
		add_char(r, out, mote_tokenizer_byte_to_char((uint8_t)in->text[i]), mark_at(in, i));
}

/* ---- steps that look further */

static void strip(const struct step *step, struct piece *in)
{
	size_t length;

	while (step->mode & SIDE_LEFT && in->bytes) {
		if (!mote_tokenizer_is_space(mote_utf8_decode(in->text, &length)))
			break;
		in->text += length;
		if (in->mark)
			in->mark += length;
		in->bytes -= length;
	}
	while (step->mode & SIDE_RIGHT && in->bytes) {
		size_t last = in->bytes - 1;

		while (mote_utf8_continues(in->text[last]))
			last--;
		if (!mote_tokenizer_is_space(mote_utf8_decode(in->text + last, &length)))
			break;
		in->bytes = last;
	}
}

static void add_range(struct run *r, const struct piece *in, size_t begin, size_t end, struct text *out)
{
	size_t run_end;

	for (; begin < end; begin = run_end) { /* runs of equal marks */
		run_end = in->mark ? begin + 1 : end;
		while (run_end < end && in->mark[run_end] == in->mark[begin])
			run_end++;
		add(r, out, in->text + begin, run_end - begin, mark_at(in, begin));
	}
}

/* The last character of a match owns its replacement: so the reference aligns it. */
static size_t last_char(const struct piece *in, size_t begin, size_t end)
{
	size_t at = end > begin ? end - 1 : begin;

	while (at > begin && mote_utf8_continues(in->text[at]))
		at--;
	return at < in->bytes ? at : in->bytes - 1;
}

static void replace_literal(struct run *r, const struct step *step, const struct piece *in, struct text *out)
{
	size_t at = 0;

	for (;;) {
		const char *found = memmem(in->text + at, in->bytes - at, step->a, step->a_bytes);
		size_t begin = found ? (size_t)(found - in->text) : in->bytes, end = begin + step->a_bytes;

		add_range(r, in, at, begin, out);
		if (!found)
			return;
		add(r, out, step->b, step->b_bytes, mark_of(in, begin, end, last_char(in, begin, end)));
		at = end;
	}
}

static void replace_regex(struct run *r, const struct step *step, const struct piece *in, struct text *out)
{
	struct regex_walk walk = {0};
	size_t at = 0, begin, end;

	while (mote_tokenizer_regex_next(r, step->regex, in->text, in->bytes, &walk, &begin, &end)) {
		add_range(r, in, at, begin, out);
		add(r, out, step->b, step->b_bytes, mark_of(in, begin, end, last_char(in, begin, end)));
		at = end;
	}
	add_range(r, in, at, in->bytes, out);
}

/* SentencePiece's charsmap: a Darts double array over UTF-8, values are offsets of NUL-terminated strings.
 * The shortest key that begins the text decides, as in the reference. NULL: none does. */
static const char *charsmap_find(const struct step *step, const char *text, size_t bytes, size_t *result_bytes)
{
	const uint8_t *map = (const uint8_t *)step->a;
	uint32_t units = load32(map) / 4, node = 0, unit;
	const uint8_t *array = map + 4;
	size_t strings = 4 + (size_t)units * 4;

#define OFFSET(u) (((u) >> 10) << (((u) & 1u << 9) >> 6))
	if (!units)
		return NULL;
	node ^= OFFSET(load32(array));
	for (size_t i = 0; i < bytes && text[i]; i++) {
		uint8_t byte = (uint8_t)text[i];

		node ^= byte;
		if (node >= units)
			return NULL;
		unit = load32(array + 4 * (size_t)node);
		if ((unit & (1u << 31 | 0xff)) != byte)
			return NULL;
		node ^= OFFSET(unit);
		if (unit >> 8 & 1) {
			size_t at;

			if (node >= units)
				return NULL;
			at = strings + (load32(array + 4 * (size_t)node) & 0x7fffffffu);
			if (at >= step->a_bytes || mote_utf8_continues((char)map[at]))
				return NULL;
			*result_bytes = strnlen((const char *)map + at, step->a_bytes - at);
			return (const char *)map + at;
		}
	}
#undef OFFSET
	return NULL;
}

static bool replace_mapped(struct run *r, const struct step *step, const struct piece *in, size_t begin, size_t end,
			   struct text *out)
{
	size_t bytes;
	const char *mapped = charsmap_find(step, in->text + begin, end - begin, &bytes);

	if (mapped)
		add(r, out, mapped, bytes, mark_of(in, begin, end, begin));
	return mapped != NULL;
}

/* Short grapheme clusters are looked up whole, then each character: the reference's way. */
static void replace_precompiled(struct run *r, const struct step *step, const struct piece *in, struct text *out)
{
	size_t begin = 0, length, next_length;

	while (begin < in->bytes) {
		utf8proc_int32_t state = 0;
		uint32_t c = mote_utf8_decode(in->text + begin, &length), next;
		size_t end = begin + length;

		while (end < in->bytes) {
			next = mote_utf8_decode(in->text + end, &next_length);
			if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c, (utf8proc_int32_t)next, &state))
				break;
			c = next;
			end += next_length;
		}
		if (end - begin >= 6 || !replace_mapped(r, step, in, begin, end, out)) {
			for (size_t at = begin; at < end; at += length) {
				length = mote_utf8_length(in->text[at]);
				if (!replace_mapped(r, step, in, at, at + length, out))
					add_range(r, in, at, at + length, out);
			}
		}
		begin = end;
	}
}

static void apply(struct run *r, const struct step *step, struct piece *piece, struct text *out)
{
	bool compatible = step->kind == NORMALIZE_NFKC || step->kind == NORMALIZE_NFKD;
	bool composed = step->kind == NORMALIZE_NFC || step->kind == NORMALIZE_NFKC;

	out->size = 0;
	switch (step->kind) {
	case NORMALIZE_NFC:
	case NORMALIZE_NFD:
	case NORMALIZE_NFKC:
	case NORMALIZE_NFKD:
		if (!mote_tokenizer_needs_form(piece, compatible, composed))
			return;
		mote_tokenizer_normal_form(r, piece, out, compatible, composed);
		break;
	case NORMALIZE_STRIP:
		strip(step, piece);
		return;
	case NORMALIZE_PREPEND:
		if (!piece->bytes)
			return;
		add(r, out, step->a, step->a_bytes, mark_at(piece, 0) & MARK_FIRST);
		add_range(r, piece, 0, piece->bytes, out);
		break;
	case NORMALIZE_REPLACE:
		replace_literal(r, step, piece, out);
		break;
	case NORMALIZE_REPLACE_REGEX:
		replace_regex(r, step, piece, out);
		break;
	case NORMALIZE_PRECOMPILED:
		replace_precompiled(r, step, piece, out);
		break;
	case NORMALIZE_BYTES:
		map_bytes(r, piece, out);
		break;
	default:
		map_chars(r, step, piece, out);
		break;
	}
	piece->text = out->data;
	piece->mark = r->marked ? out->mark : NULL;
	piece->bytes = out->size;
}

void mote_tokenizer_normalize(struct run *r, const struct piece *in, struct piece *out)
{
	const struct mote_tokenizer *t = r->t;
	int turn = 0;

	*out = *in;
	for (uint32_t i = t->stage_begin[STAGE_NORMALIZE]; i < t->stage_begin[STAGE_NORMALIZE + 1]; i++) {
		if (!out->bytes)
			return;
		apply(r, &t->step[i], out, &r->normal[turn]);
		turn ^= out->text == r->normal[turn].data;
		if (r->status)
			out->bytes = 0;
	}
}
