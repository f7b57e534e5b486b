/* Texts of a template run, built and searched.
 *
 * A builder keeps one flag for all of its bytes, and makes a map of one byte each as soon as the second kind arrives:
 * most texts are of one kind and never have one. Between calls, bytes <= capacity, and a map, where there is one,
 * covers all bytes. mote_jinja_end() hands the builder's memory over; the builder is not used again.
 */
#include "runtime/template/value/text_value.h"

#include "format/utf8.h"

void mote_jinja_begin(struct jinja_builder *b, struct jinja *j)
{
	*b = (struct jinja_builder){.j = j, .limit = SIZE_MAX};
}

static void reserve(struct jinja_builder *b, size_t bytes)
{
	size_t capacity = b->capacity ? b->capacity : 64;
	char *at;
	uint8_t *map;

	if (bytes > b->limit - b->bytes)
		mote_jinja_fail(b->j, MOTE_ERROR_LIMIT, "the output is longer than allowed");
	mote_jinja_charge(b->j, bytes >> 5);
	if (bytes <= b->capacity - b->bytes)
		return;
	while (capacity - b->bytes < bytes) {
		if (capacity > SIZE_MAX / 4)
			mote_jinja_fail(b->j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
		capacity *= 2;
	}
	at = mote_jinja_alloc(b->j, capacity);
	if (b->bytes)
		memcpy(at, b->at, b->bytes);
	if (b->map) {
		map = mote_jinja_alloc(b->j, capacity);
		memcpy(map, b->map, b->bytes);
		b->map = map;
	}
	b->at = at;
	b->capacity = capacity;
}

/* From here on the bytes are of both kinds. */
static void need_map(struct jinja_builder *b)
{
	if (b->map)
		return;
	b->map = mote_jinja_alloc(b->j, b->capacity);
	memset(b->map, b->plain, b->bytes);
}

void mote_jinja_put(struct jinja_builder *b, const char *at, size_t bytes, bool plain)
{
	if (!bytes)
		return;
	reserve(b, bytes);
	if (!b->bytes)
		b->plain = plain;
	else if (b->plain != plain)
		need_map(b);
	memcpy(b->at + b->bytes, at, bytes);
	if (b->map)
		memset(b->map + b->bytes, plain, bytes);
	b->bytes += bytes;
}

void mote_jinja_put_string(struct jinja_builder *b, const char *s, bool plain)
{
	mote_jinja_put(b, s, strlen(s), plain);
}

void mote_jinja_put_slice(struct jinja_builder *b, const struct jinja_text *t, size_t from, size_t to)
{
	if (from >= to)
		return;
	if (!t->map) {
		mote_jinja_put(b, t->at + from, to - from, t->plain);
		return;
	}
	reserve(b, to - from);
	need_map(b);
	memcpy(b->at + b->bytes, t->at + from, to - from);
	memcpy(b->map + b->bytes, t->map + from, to - from);
	b->bytes += to - from;
}

void mote_jinja_put_text(struct jinja_builder *b, const struct jinja_text *t)
{
	mote_jinja_put_slice(b, t, 0, t->bytes);
}

void mote_jinja_put_fill(struct jinja_builder *b, const struct jinja_text *fill, size_t times)
{
	size_t total;

	if (__builtin_mul_overflow(fill->bytes, times, &total))
		mote_jinja_fail(b->j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
	if (!total)
		return;
	reserve(b, total); /* refuses before anything is written */
	mote_jinja_charge(b->j, times);
	for (size_t i = 0; i < times; i++)
		mote_jinja_put_text(b, fill);
}

void mote_jinja_put_code(struct jinja_builder *b, uint32_t code, bool plain)
{
	char bytes[4];

	mote_jinja_put(b, bytes, mote_utf8_encode(code, bytes), plain);
}

const struct jinja_text *mote_jinja_end(struct jinja_builder *b)
{
	struct jinja_text *t = mote_jinja_alloc(b->j, sizeof *t);

	*t = (struct jinja_text){ .at = b->at ? b->at : "", .bytes = b->bytes, .chars = SIZE_MAX, .map = b->map,
				  .plain = b->plain };
	return t;
}

/* ---- texts ---- */

const struct jinja_text *mote_jinja_text(struct jinja *j, const char *at, size_t bytes, bool plain)
{
	struct jinja_text *t = mote_jinja_alloc(j, sizeof *t);
	char *copy = mote_jinja_alloc(j, bytes + 1); /* NUL-terminated for messages */

	if (bytes)
		memcpy(copy, at, bytes);
	*t = (struct jinja_text){.at = copy, .bytes = bytes, .chars = SIZE_MAX, .plain = plain};
	mote_jinja_chars(j, t);
	return t;
}

const struct jinja_text *mote_jinja_slice(struct jinja *j, const struct jinja_text *t, size_t from, size_t to)
{
	struct jinja_text *s;

	if (from == 0 && to == t->bytes)
		return t;
	s = mote_jinja_alloc(j, sizeof *s);
	*s = *t;
	s->at += from;
	s->bytes = to > from ? to - from : 0;
	s->chars = t->chars == t->bytes ? s->bytes : SIZE_MAX; /* ASCII stays so */
	if (s->map)
		s->map += from;
	return s;
}

const struct jinja_text *mote_jinja_as_markup(struct jinja *j, const struct jinja_text *t, bool markup)
{
	struct jinja_text *s;

	if (t->markup == markup)
		return t;
	s = mote_jinja_alloc(j, sizeof *s);
	*s = *t;
	s->markup = markup;
	return s;
}

const struct jinja_text *mote_jinja_as_generated(struct jinja *j, const struct jinja_text *t)
{
	struct jinja_text *s = mote_jinja_alloc(j, sizeof *s);
	uint8_t *map = mote_jinja_alloc(j, t->bytes);

	mote_jinja_charge(j, t->bytes >> 5);
	for (size_t i = 0; i < t->bytes; i++)
		map[i] = JINJA_GENERATED | (mote_jinja_plain_at(t, i) ? JINJA_PLAIN : 0);
	*s = *t;
	s->map = map;
	return s;
}

bool mote_jinja_any_plain(struct jinja *j, const struct jinja_text *t)
{
	if (!t->map)
		return t->plain;
	mote_jinja_charge(j, t->bytes >> 5);
	for (size_t i = 0; i < t->bytes; i++)
		if (t->map[i] & JINJA_PLAIN)
			return true;
	return false;
}

size_t mote_jinja_chars(struct jinja *j, const struct jinja_text *t)
{
	size_t n = 0;

	if (t->chars != SIZE_MAX)
		return t->chars;
	mote_jinja_charge(j, t->bytes >> 5);
	for (size_t i = 0; i < t->bytes; i++)
		n += ((unsigned char)t->at[i] & 0xc0) != 0x80;
	/* A cache: texts of a template, which several renderings may share, have it filled when they are made. */
	((struct jinja_text *)(uintptr_t)t)->chars = n;
	return n;
}

size_t mote_jinja_byte_of(struct jinja *j, const struct jinja_text *t, size_t chars)
{
	size_t i = 0;

	if (mote_jinja_chars(j, t) == t->bytes)
		return chars < t->bytes ? chars : t->bytes;
	while (i < t->bytes && chars) {
		i++;
		while (i < t->bytes && ((unsigned char)t->at[i] & 0xc0) == 0x80)
			i++;
		chars--;
	}
	mote_jinja_charge(j, i >> 4);
	return i;
}

bool mote_jinja_text_is(const struct jinja_text *t, const char *s)
{
	return strlen(s) == t->bytes && !memcmp(t->at, s, t->bytes);
}

size_t mote_jinja_find(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
		       const struct jinja_text *needle)
{
	const char *found;

	if (from > to || needle->bytes > to - from)
		return SIZE_MAX;
	if (!needle->bytes)
		return from;
	found = memmem(t->at + from, to - from, needle->at, needle->bytes); /* glibc's is linear */
	mote_jinja_charge(j, 1 + ((found ? (size_t)(found - t->at) - from : to - from) >> 3));
	return found ? (size_t)(found - t->at) : SIZE_MAX;
}

size_t mote_jinja_find_last(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
			    const struct jinja_text *needle)
{
	size_t at;

	if (from > to || needle->bytes > to - from)
		return SIZE_MAX;
	for (at = to - needle->bytes;; at--) {
		mote_jinja_charge(j, 1 + (needle->bytes >> 4));
		if (!memcmp(t->at + at, needle->at, needle->bytes))
			return at;
		if (at == from)
			return SIZE_MAX;
	}
}
