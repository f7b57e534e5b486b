/* What an option's text says: see options_value.h. */
#include "format/tool/options_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/portable.h"
#include "format/word_list.h"

static enum mote_status read_number(const struct mote_option *o, const char *text, double *value,
				    struct mote_error *error)
{
	char *end;
	bool positive = o->kind == MOTE_OPTION_DOUBLE && o->max == 0;
	double x = strtod(text, &end);

	if (end != text && !*end && (positive ? x > 0 && x < 1e300 : x >= o->min && x <= o->max)) {
		*value = x;
		return MOTE_OK;
	}
	if (positive)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a positive number");
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a number from %g to %g", o->min, o->max);
}

/* An integer at text, which ends where *end says. */
static bool read_integer(const struct mote_option *o, const char *text, const char **end, uint64_t *value)
{
	char *behind;

	errno = 0;
	*value = *text >= '0' && *text <= '9' ? strtoull(text, &behind, 10) : 0;
	*end = *text >= '0' && *text <= '9' ? behind : text;
	return *end != text && !errno && *value >= (uint64_t)o->min && *value <= (uint64_t)o->max;
}

static enum mote_status read_count(const struct mote_option *o, const char *text, uint64_t *value,
				   struct mote_error *error)
{
	const char *end;

	if (read_integer(o, text, &end, value) && !*end)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected an integer from %.0f to %.0f%s", o->min, o->max,
			      o->minus_one ? ", or -1" : "");
}

static enum mote_status read_counts(const struct mote_option *o, const char *text, struct mote_option_counts *counts,
				    struct mote_error *error)
{
	*counts = (struct mote_option_counts){0};
	for (const char *end;; text = end + 1) {
		uint64_t value;

		if (counts->count == MOTE_OPTION_MAX_COUNTS || !read_integer(o, text, &end, &value) ||
		    (*end && *end != ','))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "expected up to %d integers from %.0f to %.0f with commas between",
					      MOTE_OPTION_MAX_COUNTS, o->min, o->max);
		counts->value[counts->count++] = (uint32_t)value;
		if (!*end)
			return MOTE_OK;
	}
}

/* "80MB", "1.5GiB", "500000". */
static enum mote_status read_size(const char *text, uint64_t *bytes, struct mote_error *error)
{
	static const char letters[] = "kMGT";
	const char *letter;
	char *end;
	double x = strtod(text, &end), unit = 1;

	if (end != text && *end && (letter = strchr(letters, *end == 'K' ? 'k' : *end)) != NULL) {
		double step = end[1] == 'i' ? 1024 : 1000;

		for (long i = letter - letters; i >= 0; i--)
			unit *= step;
		end += end[1] == 'i' ? 2 : 1;
	}
	end += end != text && *end == 'B';
	if (end == text || *end || !(x > 0) || x * unit > 1e15)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a size such as 80MB or 76MiB");
	*bytes = (uint64_t)(x * unit);
	return MOTE_OK;
}

/* -1 draws a seed, short enough to be typed again. */
static enum mote_status read_seed(const char *text, struct mote_option_seed *seed, struct mote_error *error)
{
	const struct mote_option range = {.max = MOTE_OPTION_MAX_SEED};
	uint32_t drawn = 0;
	const char *end;
	uint64_t value;

	if (!strcmp(text, "-1")) {
		if (!mote_portable_random(&drawn, sizeof drawn))
			return mote_error_set(error, MOTE_ERROR_IO, "no random number: %s", strerror(errno));
		value = drawn;
	} else if (!read_integer(&range, text, &end, &value) || *end) {
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected an integer from 0 to %.0f, or -1 for a "
				      "random one", MOTE_OPTION_MAX_SEED);
	}
	*seed = (struct mote_option_seed){.value = value, .given = true};
	return MOTE_OK;
}

/* "expected f16, q8 or f32" */
static enum mote_status none_of(const char *choices, struct mote_error *error)
{
	char text[200] = "";
	size_t used = 0;

	for (const char *at = choices; *at; at += strspn(at, " ")) {
		int length = (int)strcspn(at, " ");
		bool last = !at[length];

		used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", used == 0 ? "" : last ? " or " :
					 ", ", length, at);
		if (used >= sizeof text)
			break;
		at += length;
	}
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected %s", text);
}

enum mote_status mote_option_set(const struct mote_option *o, const char *text, void *at, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint64_t count = 0;
	double number = 0;

	switch (o->kind) {
	case MOTE_OPTION_FLAG: *(bool *)at = true; break;
	case MOTE_OPTION_CLEAR: *(bool *)at = false; break;
	case MOTE_OPTION_TEXT:
		if (o->choices && !mote_words_have(o->choices, text))
			return none_of(o->choices, error);
		*(const char **)at = text;
		break;
	case MOTE_OPTION_COUNT:
		if ((o->minus_one && !strcmp(text, "-1")) || !(status = read_count(o, text, &count, error)))
			*(uint32_t *)at = (uint32_t)count;
		break;
	case MOTE_OPTION_COUNTS: return read_counts(o, text, at, error);
	case MOTE_OPTION_FLOAT:
		if (!(status = read_number(o, text, &number, error)))
			*(float *)at = (float)number;
		break;
	case MOTE_OPTION_DOUBLE: return read_number(o, text, at, error);
	case MOTE_OPTION_SIZE: return read_size(text, at, error);
	case MOTE_OPTION_SEED: return read_seed(text, at, error);
	case MOTE_OPTION_TAKE:
		status = o->take(at, text, error);
		return status && !error->code && o->choices ? none_of(o->choices, error) : status;
	case MOTE_OPTION_HEADING:
	case MOTE_OPTION_OPERAND:
	case MOTE_OPTION_OPERANDS: break;
	}
	return status;
}
