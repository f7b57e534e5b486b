/* Lists of words with blanks between them, as tables of names are written. */
#ifndef MOTE_FORMAT_WORD_LIST_H
#define MOTE_FORMAT_WORD_LIST_H

#include <stdbool.h>
#include <string.h>

/* Whether one of the words is exactly these bytes. words NULL: none is. */
static inline bool mote_words_have_bytes(const char *words, const char *word, size_t bytes)
{
	for (const char *at = words; at && *(at += strspn(at, " "));) {
		size_t length = strcspn(at, " ");

		if (length == bytes && !memcmp(at, word, bytes))
			return true;
		at += length;
	}
	return false;
}

static inline bool mote_words_have(const char *words, const char *word)
{
	return mote_words_have_bytes(words, word, strlen(word));
}

#endif
