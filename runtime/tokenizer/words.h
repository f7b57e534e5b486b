/* Words between splitting and the model: a queue that fetches memory ahead, and a cache.
 *
 * The cache belongs to the call: nothing is shared, so a tokenizer may be used by any number of threads, and ids
 * cannot depend on what was encoded before.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_WORDS_H
#define MOTE_RUNTIME_TOKENIZER_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct run; /* encode_state.h */
struct cache;
struct cache_entry;

struct word { /* on its way to the model, through the cache */
	const char *text;
	size_t bytes;
	uint64_t low, high; /* its bytes */
	struct cache_entry *entry;
};
#define WORD_QUEUE 8u

/* For a text of so many bytes; freed with free(). NULL: no memory, and encoding goes on without. */
struct cache *mote_tokenizer_cache_open(size_t bytes);
/* One word for the model, through the cache. */
void mote_tokenizer_word(struct run *r, const char *text, size_t bytes);
/* The same, but not at once: the memory it needs is fetched while the next words are found. The text stays where it
 * is until words_end(), which nothing else may come before. */
void mote_tokenizer_word_soon(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_words_end(struct run *r);

#endif
