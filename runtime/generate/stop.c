#include "runtime/generate/stop.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

struct pattern {
	char *text;
	size_t bytes;
};

struct mote_stop {
	struct pattern *pattern; /* [count] */
	size_t count;
	char *buffer;            /* [used]: shown by the last call up to `shown`, the rest is held back */
	size_t shown, used, room;
	size_t first;            /* pattern that is looked for */
	bool blank;              /* nothing of the text has come but blanks, which go */
};

enum mote_status mote_stop_open(const char *const *texts, size_t count, struct mote_stop **out,
			       struct mote_error *error)
{
	struct mote_stop *s;

	*out = NULL;
	for (size_t i = 0; i < count; i++)
		if (!*texts[i] || mote_utf8_valid(texts[i], strlen(texts[i])) != strlen(texts[i]))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "stop text \"%s\": expected text in UTF-8, not empty", texts[i]);
	s = calloc(1, sizeof *s);
	if (s)
		s->pattern = calloc(count + 1, sizeof *s->pattern);
	for (size_t i = 0; s && s->pattern && i < count; i++) {
		s->pattern[i] = (struct pattern){strdup(texts[i]), strlen(texts[i])};
		if (!s->pattern[i].text)
			break;
		s->count++;
	}
	if (!s || !s->pattern || s->count < count) {
		mote_stop_close(s);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %zu stop texts", count);
	}
	*out = s;
	return MOTE_OK;
}

void mote_stop_close(struct mote_stop *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->pattern[i].text);
	free(s->pattern);
	free(s->buffer);
	free(s);
}

/* The longest text that begins at `at`, or -1; *begins when the buffer ends inside one that is longer. */
static int match(const struct mote_stop *s, size_t at, bool *begins)
{
	size_t left = s->used - at, longest = 0;
	int found = -1;

	*begins = false;
	for (size_t i = s->first; i < s->count; i++) {
		const struct pattern *p = &s->pattern[i];

		if (p->bytes > left) {
			*begins |= !memcmp(s->buffer + at, p->text, left);
		} else if (p->bytes > longest && !memcmp(s->buffer + at, p->text, p->bytes)) {
			longest = p->bytes;
			found = (int)i;
		}
	}
	return found;
}

void mote_stop_begin(struct mote_stop *s, size_t first)
{
	s->first = first;
	s->blank = true;
}

static void skip_blanks(struct mote_stop *s)
{
	size_t n = 0;

	while (n < s->used && (s->buffer[n] == ' ' || s->buffer[n] == '\n'))
		n++;
	s->used -= n;
	memmove(s->buffer, s->buffer + n, s->used);
	s->blank = !s->used;
}

enum mote_status mote_stop_next(struct mote_stop *s, const char *piece, size_t piece_bytes, int *found,
				const char **text, size_t *bytes, struct mote_error *error)
{
	size_t at = 0;
	bool begins = false;

	if (s->shown)
		memmove(s->buffer, s->buffer + s->shown, s->used - s->shown);
	s->used -= s->shown;
	s->shown = 0;
	if (s->room - s->used < piece_bytes || !s->buffer) {
		size_t room = (s->used + piece_bytes) * 2 + 64;
		char *grown = realloc(s->buffer, room);

		if (!grown)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a text of %zu bytes",
					      s->used + piece_bytes);
		s->buffer = grown;
		s->room = room;
	}
	memcpy(s->buffer + s->used, piece, piece_bytes);
	s->used += piece_bytes;
	if (s->blank)
		skip_blanks(s);
	*found = -1;
	for (; at < s->used; at++)
		if ((*found = match(s, at, &begins)) >= 0 || begins)
			break;
	*text = s->buffer;
	*bytes = s->shown = at;
	if (*found >= 0)
		s->shown += s->pattern[*found].bytes;
	return MOTE_OK;
}

const char *mote_stop_flush(struct mote_stop *s, size_t *bytes)
{
	const char *text = s->buffer ? s->buffer + s->shown : "";

	*bytes = s->used - s->shown;
	s->shown = s->used;
	return text;
}
