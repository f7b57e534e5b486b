/* JSON, strictly: see json.h.
 *
 * Three passes. A scanner accepts RFC 8259 and nothing else, and notes where the numbers are. cJSON,
 * which is known to read everything that the scanner accepts, builds the tree. A walk gives numbers
 * their source text and refuses duplicate keys, which can only be compared once escapes are resolved. */
#include "format/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/plain_locale.h"
#include "format/utf8.h"

/* cJSON cuts longer ones. The longest that any writer of doubles needs has 25. */
#define MAX_NUMBER_BYTES 63


struct span {
	size_t at;
	uint32_t bytes;
};

struct scanner {
	const unsigned char *text;
	size_t at, bytes;
	const char *name;
	size_t line; /* of JSON lines: which this is, from 1; else 0 */
	struct mote_error *error;
	enum mote_status status; /* the first failure */
	unsigned depth;
	size_t values, max_values;
	struct span *numbers; /* in document order */
	size_t n_numbers, numbers_room;
};

/* Fails at the current place; counts lines only now. Returns false. */
static bool fail(struct scanner *s, enum mote_status code, const char *what)
{
	size_t line = s->line ? s->line : 1, start = 0;

	for (size_t i = 0; i < s->at && i < s->bytes; i++)
		if (s->text[i] == '\n') {
			line++;
			start = i + 1;
		}
	s->status = mote_error_set(s->error, code, "%s: line %zu, column %zu: %s", s->name, line,
				   s->at - start + 1, what);
	return false;
}

/* The byte at the cursor; -1 at the end. */
static int peek(const struct scanner *s)
{
	return s->at < s->bytes ? s->text[s->at] : -1;
}

static void skip_space(struct scanner *s)
{
	int c;

	while ((c = peek(s)) == ' ' || c == '\n' || c == '\t' || c == '\r')
		s->at++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool scan_digits(struct scanner *s)
{
	if (!is_digit(peek(s)))
		return fail(s, MOTE_ERROR_CORRUPT, "expected a digit in a number");
	while (is_digit(peek(s)))
		s->at++;
	return true;
}

static bool scan_number(struct scanner *s)
{
	size_t start = s->at;

	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (!scan_digits(s))
		return false;
	if (is_digit(peek(s)))
		return fail(s, MOTE_ERROR_CORRUPT, "a number begins with a superfluous 0");
	if (peek(s) == '.') {
		s->at++;
		if (!scan_digits(s))
			return false;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!scan_digits(s))
			return false;
	}
	if (s->at - start > MAX_NUMBER_BYTES)
		return fail(s, MOTE_ERROR_CORRUPT, "a number has more than 63 characters");
	if (s->n_numbers == s->numbers_room) {
		size_t room = s->numbers_room ? s->numbers_room * 2 : 256;
		struct span *grown = realloc(s->numbers, room * sizeof *grown);

		if (!grown)
			return fail(s, MOTE_ERROR_MEMORY, "out of memory");
		s->numbers = grown;
		s->numbers_room = room;
	}
	s->numbers[s->n_numbers++] = (struct span){start, (uint32_t)(s->at - start)};
	return true;
}

/* Four hexadecimal digits after \u; -1 when they are not. */
static int scan_hex4(struct scanner *s)
{
	int value = 0;

	for (int i = 0; i < 4; i++, s->at++) {
		int c = peek(s), lower = c | 0x20;

		if (is_digit(c))
			value = value << 4 | (c - '0');
		else if (c > 0 && lower >= 'a' && lower <= 'f')
			value = value << 4 | (lower - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* The cursor is behind a backslash. */
static bool scan_escape(struct scanner *s)
{
	int c = peek(s), unit;

	if (c > 0 && strchr("\"\\/bfnrt", c)) {
		s->at++;
		return true;
	}
	if (c != 'u')
		return fail(s, MOTE_ERROR_CORRUPT, "unknown escape in a string");
	s->at++;
	unit = scan_hex4(s);
	if (unit < 0)
		return fail(s, MOTE_ERROR_CORRUPT, "expected four hexadecimal digits after \\u");
	if (unit == 0)
		return fail(s, MOTE_ERROR_CORRUPT, "\\u0000 in a string is not accepted");
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	if (unit < 0xdc00 && s->bytes - s->at >= 6 && s->text[s->at] == '\\' && s->text[s->at + 1] == 'u') {
		s->at += 2;
		unit = scan_hex4(s);
		if (unit >= 0xdc00 && unit <= 0xdfff)
			return true;
	}
	return fail(s, MOTE_ERROR_CORRUPT, "a \\u surrogate without its other half");
}

static bool scan_string(struct scanner *s)
{
	if (peek(s) != '"')
		return fail(s, MOTE_ERROR_CORRUPT, "expected a string");
	s->at++;
	for (;;) {
		int c = peek(s);

		if (c < 0)
			return fail(s, MOTE_ERROR_CORRUPT, "a string is not ended");
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < 0x20)
			return fail(s, MOTE_ERROR_CORRUPT, "a raw control character in a string");
		if (c == '\\') {
			s->at++;
			if (!scan_escape(s))
				return false;
		} else if (c < 0x80) {
			s->at++;
		} else {
			size_t bad, n = mote_utf8_step((const char *)s->text + s->at, s->bytes - s->at, &bad);

			if (n == 0)
				return fail(s, MOTE_ERROR_CORRUPT, "invalid UTF-8 in a string");
			s->at += n;
		}
	}
}

static bool scan_word(struct scanner *s, const char *word)
{
	size_t n = strlen(word);

	if (s->bytes - s->at < n || memcmp(s->text + s->at, word, n) != 0)
		return fail(s, MOTE_ERROR_CORRUPT, "expected a value");
	s->at += n;
	return true;
}

static bool scan_value(struct scanner *s);

/* An object or an array: the cursor is at its bracket. */
static bool scan_members(struct scanner *s, bool object)
{
	int end = object ? '}' : ']';

	if (++s->depth > MOTE_JSON_MAX_DEPTH)
		return fail(s, MOTE_ERROR_CORRUPT, "nested too deep");
	s->at++;
	skip_space(s);
	if (peek(s) != end)
		for (;;) {
			if (object) {
				if (!scan_string(s))
					return false;
				skip_space(s);
				if (peek(s) != ':')
					return fail(s, MOTE_ERROR_CORRUPT, "expected ':' after a key");
				s->at++;
				skip_space(s);
			}
			if (!scan_value(s))
				return false;
			skip_space(s);
			if (peek(s) != ',')
				break;
			s->at++;
			skip_space(s);
		}
	if (peek(s) != end)
		return fail(s, MOTE_ERROR_CORRUPT, object ? "expected ',' or '}'" : "expected ',' or ']'");
	s->at++;
	s->depth--;
	return true;
}

static bool scan_value(struct scanner *s)
{
	char what[64];

	if (++s->values > s->max_values) {
		snprintf(what, sizeof what, "more than %zu values", s->max_values);
		return fail(s, MOTE_ERROR_LIMIT, what);
	}
	switch (peek(s)) {
	case '{': return scan_members(s, true);
	case '[': return scan_members(s, false);
	case '"': return scan_string(s);
	case 't': return scan_word(s, "true");
	case 'f': return scan_word(s, "false");
	case 'n': return scan_word(s, "null");
	default:
		if (peek(s) == '-' || is_digit(peek(s)))
			return scan_number(s);
		return fail(s, MOTE_ERROR_CORRUPT, peek(s) < 0 ? "unexpected end" :
			    s->bytes - s->at >= 3 && !memcmp(s->text + s->at, "\xef\xbb\xbf", 3)
			    ? "expected a value, found a byte order mark" : "expected a value");
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Like duplicate_key(), in time that no choice of keys can spoil. */
static const char *sorted_duplicate(const cJSON *object, const char **keys)
{
	size_t n = 0;

	for (const cJSON *child = object->child; child; child = child->next)
		keys[n++] = child->string;
	qsort(keys, n, sizeof *keys, by_text);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return keys[i];
	return NULL;
}

/* The first key that occurs twice, or NULL. *memory is set false when the table cannot be had. The table is at most
 * half full, where a key is found in one or two steps; keys that were chosen to have one hash would take as many as
 * there are, so when steps exceed eight a key they are sorted instead. */
static const char *duplicate_key(const cJSON *object, bool *memory)
{
	const char **table, *found = NULL;
	size_t members = 0, slots = 16, steps = 0;
	bool crafted = false;

	for (const cJSON *child = object->child; child; child = child->next)
		members++;
	if (members < 2)
		return NULL;
	while (slots < members * 2)
		slots *= 2;
	table = calloc(slots, sizeof *table);
	if (!table) {
		*memory = false;
		return NULL;
	}
	for (const cJSON *child = object->child; child && !found && !crafted; child = child->next) {
		size_t slot = (size_t)XXH3_64bits(child->string, strlen(child->string)) & (slots - 1);

		for (; table[slot] && !found; slot = (slot + 1) & (slots - 1)) {
			if (strcmp(table[slot], child->string) == 0)
				found = child->string;
			crafted = ++steps > members * 8;
			if (crafted)
				break;
		}
		if (!found && !crafted)
			table[slot] = child->string;
	}
	if (crafted && !found)
		found = sorted_duplicate(object, table);
	free(table);
	return found;
}

/* Second half of the strictness. next counts the numbers met so far. */
static bool finish_tree(struct scanner *s, cJSON *item, size_t *next)
{
	if (cJSON_IsNumber(item)) {
		const struct span *number = s->numbers + (*next)++;

		/* With the allocator of cJSON, since cJSON_Delete() will free it. */
		item->valuestring = cJSON_malloc(number->bytes + 1u);
		if (!item->valuestring)
			goto no_memory;
		memcpy(item->valuestring, s->text + number->at, number->bytes);
		item->valuestring[number->bytes] = 0;
		return true;
	}
	if (cJSON_IsObject(item)) {
		bool memory = true;
		const char *key = duplicate_key(item, &memory);

		if (!memory)
			goto no_memory;
		if (key) {
			s->status = mote_error_set(s->error, MOTE_ERROR_CORRUPT, "%s: duplicate key \"%.200s\"",
						   s->name, key);
			return false;
		}
	}
	for (cJSON *child = item->child; child; child = child->next)
		if (!finish_tree(s, child, next))
			return false;
	return true;

no_memory:
	s->status = mote_error_set(s->error, MOTE_ERROR_MEMORY, "%s: out of memory", s->name);
	return false;
}

static enum mote_status parse(struct scanner s, cJSON **out)
{
	struct mote_plain_locale locale;
	cJSON *tree = NULL;
	size_t next = 0;

	*out = NULL;
	if (!mote_plain_locale_begin(&locale))
		return mote_error_set(s.error, MOTE_ERROR_MEMORY, "%s: out of memory", s.name);
	skip_space(&s);
	if (!scan_value(&s))
		goto end;
	skip_space(&s);
	if (s.at != s.bytes) {
		fail(&s, MOTE_ERROR_CORRUPT, "more text behind the value");
		goto end;
	}
	tree = cJSON_ParseWithLength((const char *)s.text, s.bytes);
	if (!tree) { /* the scanner accepted it, so it can only be memory */
		s.status = mote_error_set(s.error, MOTE_ERROR_MEMORY, "%s: out of memory", s.name);
		goto end;
	}
	if (finish_tree(&s, tree, &next)) {
		*out = tree;
		tree = NULL;
	}
end:
	mote_plain_locale_end(&locale);
	cJSON_Delete(tree);
	free(s.numbers);
	return s.status;
}

enum mote_status mote_json_parse(const char *text, size_t bytes, const char *name,
				 cJSON **out, struct mote_error *error)
{
	return mote_json_parse_large(text, bytes, name, MOTE_JSON_MAX_VALUES, out, error);
}

enum mote_status mote_json_parse_large(const char *text, size_t bytes, const char *name, size_t max_values,
				       cJSON **out, struct mote_error *error)
{
	return parse((struct scanner){.text = (const unsigned char *)text, .bytes = bytes, .name = name, .error = error,
				      .max_values = max_values}, out);
}

enum mote_status mote_json_parse_line(const char *text, size_t bytes, const char *name, size_t line,
				      cJSON **out, struct mote_error *error)
{
	return parse((struct scanner){.text = (const unsigned char *)text, .bytes = bytes, .name = name, .line = line,
				      .error = error, .max_values = MOTE_JSON_MAX_VALUES}, out);
}
