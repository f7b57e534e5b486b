/* Words on their way to the model, and a cache of them: see words.h.
 *
 * The cache holds short words of few ids only; most text is made of few of them. A word that it does not hold costs
 * one look, and takes its place.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/encode_state.h"
#include "runtime/tokenizer/words.h"

#define CACHE_MOST_IDS 3u
#define CACHE_MOST_BYTES 16u
#define CACHE_MAX_ENTRIES 32768u

struct cache_entry {                /* half a cache line */
	uint64_t low, high;         /* the word; with its length they say all */
	uint32_t id[CACHE_MOST_IDS];
	uint8_t bytes, count;       /* bytes 0: free */
};

struct cache {
	uint32_t shift;             /* 64 - log2(entries) */
	struct cache_entry entry[];
};

struct cache *mote_tokenizer_cache_open(size_t bytes)
{
	size_t entries = 64, most = bytes / 4;
	struct cache *cache;
	uint32_t log2 = 6;

	for (; entries < most && entries < CACHE_MAX_ENTRIES; entries *= 2)
		log2++;
	cache = calloc(1, sizeof *cache + entries * sizeof *cache->entry);
	if (cache)
		cache->shift = 64 - log2;
	return cache;
}

static void model(struct run *r, const char *text, size_t bytes)
{
	if (r->t->plain_bytes) {
		mote_tokenizer_bpe_bytes(r, text, bytes);
		return;
	}
	if (r->t->byte_level) {
		char symbol[4];

		r->mapped.size = 0;
		for (size_t i = 0; i < bytes; i++) {
			size_t length = mote_utf8_encode(mote_tokenizer_byte_to_char((uint8_t)text[i]), symbol);

			mote_tokenizer_text_add(r, &r->mapped, symbol, length, 0);
		}
		text = r->mapped.data;
		bytes = r->mapped.size;
	}
	if (r->status)
		return;
	if (r->t->model == MODEL_BPE)
		mote_tokenizer_bpe(r, text, bytes);
	else
		mote_tokenizer_unigram(r, text, bytes);
}

/* Two words which with the length tell the text: overlapping loads instead of a loop over bytes. */
static void load_word(const char *text, size_t bytes, uint64_t *low, uint64_t *high)
{
	const uint8_t *p = (const uint8_t *)text;

	if (bytes >= 8) {
		*low = load64(p);
		*high = load64(p + bytes - 8);
	} else if (bytes >= 4) {
		*low = load32(p) | (uint64_t)load32(p + bytes - 4) << 32;
		*high = 0;
	} else {
		*low = p[0] | (uint64_t)p[bytes / 2] << 8 | (uint64_t)p[bytes - 1] << 16;
		*high = 0;
	}
}

static struct cache_entry *find_entry(const struct cache *cache, const char *text, size_t bytes, uint64_t *low,
				      uint64_t *high)
{
	uint64_t hash;

	load_word(text, bytes, low, high);
	hash = (*low ^ (*high << 29 | *high >> 35) ^ (uint64_t)bytes << 56) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (struct cache_entry *)(uintptr_t)&cache->entry[hash >> cache->shift];
}

static void cached_word(struct run *r, const struct word *word)
{
	uint64_t dropped = r->out->dropped_bytes;
	size_t before = r->out->count, count;
	struct cache_entry *entry = word->entry;

	if (entry->low == word->low && entry->high == word->high && entry->bytes == word->bytes) {
		if (r->out->capacity - before < CACHE_MOST_IDS &&
		    !mote_tokenizer_ids_reserve(r->out, CACHE_MOST_IDS)) {
			mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "token ids");
			return;
		}
		memcpy(r->out->id + before, entry->id, sizeof entry->id); /* all: a fixed size is faster */
		r->out->count = before + entry->count;
		return;
	}
	model(r, word->text, word->bytes);
	count = r->out->count - before;
	if (count > CACHE_MOST_IDS || r->status || r->out->dropped_bytes != dropped)
		return;
	entry->low = word->low;
	entry->high = word->high;
	entry->bytes = (uint8_t)word->bytes;
	entry->count = (uint8_t)count;
	memcpy(entry->id, r->out->id + before, count * sizeof *entry->id);
}

static struct word make_word(const struct run *r, const char *text, size_t bytes)
{
	struct word word = {.text = text, .bytes = bytes};

	word.entry = find_entry(r->cache, text, bytes, &word.low, &word.high);
	return word;
}

static void one_word(struct run *r, const char *text, size_t bytes)
{
	struct word word;

	if (!r->cache || bytes > CACHE_MOST_BYTES) {
		model(r, text, bytes);
		return;
	}
	word = make_word(r, text, bytes);
	cached_word(r, &word);
}

void mote_tokenizer_words_end(struct run *r)
{
	for (; r->queue_begin != r->queue_end; r->queue_begin++)
		cached_word(r, &r->queue[r->queue_begin % WORD_QUEUE]);
}

void mote_tokenizer_word_soon(struct run *r, const char *text, size_t bytes)
{
	struct word *word;

	if (!r->cache || bytes > CACHE_MOST_BYTES || r->t->cut_at_space) {
		mote_tokenizer_words_end(r);
		mote_tokenizer_word(r, text, bytes);
		return;
	}
	if (r->queue_end - r->queue_begin == WORD_QUEUE)
		cached_word(r, &r->queue[r->queue_begin++ % WORD_QUEUE]);
	word = &r->queue[r->queue_end++ % WORD_QUEUE];
	*word = make_word(r, text, bytes);
	__builtin_prefetch(word->entry);
}

static bool is_meta(const char *p)
{
	return !memcmp(p, "\xe2\x96\x81", 3);
}

void mote_tokenizer_word(struct run *r, const char *text, size_t bytes)
{
	size_t begin = 0, at = 0;

	if (!r->t->cut_at_space) {
		one_word(r, text, bytes);
		return;
	}
	/* No token goes over a boundary before a run of U+2581, so the model never sees further than that. */
	while (at < bytes && !r->status) {
		const char *found;

		while (bytes - at >= 3 && is_meta(text + at))
			at += 3;
		found = bytes - at > 0 ? memmem(text + at, bytes - at, "\xe2\x96\x81", 3) : NULL;
		at = found ? (size_t)(found - text) : bytes;
		one_word(r, text + begin, at - begin);
		begin = at;
	}
}
