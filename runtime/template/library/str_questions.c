/* Methods of str that ask what kind of characters a text is made of. */
#include "format/utf8.h"
#include "runtime/template/library/str_call.h"
#include "runtime/template/value/characters.h"

static struct jinja_value all(const struct jinja_str_call *c, enum jinja_class what, bool when_empty)
{
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length)
		if (!mote_jinja_is(mote_utf8_decode(c->t->at + i, &length), what))
			return mote_jinja_bool(false);
	return mote_jinja_bool(c->t->bytes || when_empty);
}

struct jinja_value mote_jinja_str_isalpha(const struct jinja_str_call *c) { return all(c, JINJA_ALPHA, false); }
struct jinja_value mote_jinja_str_isalnum(const struct jinja_str_call *c) { return all(c, JINJA_ALNUM, false); }
struct jinja_value mote_jinja_str_isdigit(const struct jinja_str_call *c) { return all(c, JINJA_DIGIT, false); }
struct jinja_value mote_jinja_str_isdecimal(const struct jinja_str_call *c) { return all(c, JINJA_DECIMAL, false); }
struct jinja_value mote_jinja_str_isnumeric(const struct jinja_str_call *c) { return all(c, JINJA_NUMERIC, false); }

/* No cased character of another case, and at least one of this. */
static struct jinja_value all_cased(const struct jinja_str_call *c, enum jinja_class what)
{
	bool found = false;
	uint32_t code;
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_utf8_decode(c->t->at + i, &length);
		if (mote_jinja_is(code, what))
			found = true;
		else if (mote_jinja_is(code, JINJA_CASED))
			return mote_jinja_bool(false);
	}
	return mote_jinja_bool(found);
}

struct jinja_value mote_jinja_str_islower(const struct jinja_str_call *c) { return all_cased(c, JINJA_LOWER); }
struct jinja_value mote_jinja_str_isupper(const struct jinja_str_call *c) { return all_cased(c, JINJA_UPPER); }

struct jinja_value mote_jinja_str_istitle(const struct jinja_str_call *c)
{
	bool found = false, after_cased = false, is_upper;
	uint32_t code;
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_utf8_decode(c->t->at + i, &length);
		is_upper = mote_jinja_is(code, JINJA_UPPER) || mote_jinja_is(code, JINJA_TITLE);
		if (is_upper ? after_cased : mote_jinja_is(code, JINJA_LOWER) && !after_cased)
			return mote_jinja_bool(false);
		after_cased = mote_jinja_is(code, JINJA_CASED);
		found = found || after_cased;
	}
	return mote_jinja_bool(found);
}

struct jinja_value mote_jinja_str_isspace(const struct jinja_str_call *c)
{
	mote_jinja_charge(c->j, c->t->bytes >> 3);
	return mote_jinja_bool(c->t->bytes && mote_jinja_str_skip(c, 0, true) == c->t->bytes);
}

struct jinja_value mote_jinja_str_isascii(const struct jinja_str_call *c)
{
	return mote_jinja_bool(mote_jinja_chars(c->j, c->t) == c->t->bytes);
}

struct jinja_value mote_jinja_str_isprintable(const struct jinja_str_call *c)
{
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length)
		if (!mote_jinja_is_printable(mote_utf8_decode(c->t->at + i, &length)))
			return mote_jinja_bool(false);
	return mote_jinja_bool(true);
}

struct jinja_value mote_jinja_str_isidentifier(const struct jinja_str_call *c)
{
	uint32_t code;
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_utf8_decode(c->t->at + i, &length);
		if (!mote_jinja_is_identifier(code, i == 0))
			return mote_jinja_bool(false);
	}
	return mote_jinja_bool(c->t->bytes != 0);
}
