/* Byte pair encoding of one word: the characters' tokens, then merges, lowest rank first, leftmost first.
 *
 * Short words scan their list of pairs for the lowest rank; long ones keep the pairs in a heap over a linked list,
 * so that a text of one endless word takes n log n. Both do the same merges in the same order.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/encode_state.h"

#define SHORT_WORD 48u
#define NO_MERGE UINT64_MAX

struct bpe_scratch {
	uint32_t *id, *previous, *next; /* symbols; DEAD in next: merged into an earlier one */
	uint64_t *heap;                 /* rank << 32 | position */
	size_t room, count, heap_count, heap_room;
};
#define DEAD UINT32_MAX

void mote_tokenizer_bpe_free(struct bpe_scratch *s)
{
	if (!s)
		return;
	free(s->id);
	free(s->previous);
	free(s->next);
	free(s->heap);
	free(s);
}

/* rank << 32 | result of the pair with this key, or NO_MERGE. */
static uint64_t find_key(const struct run *r, uint64_t key)
{
	const struct mote_tokenizer *t = r->t;
	uint32_t rest_bits = 2 * t->id_bits - t->bucket_bits, low_bits = MOTE_TOKENIZER_RANK_BITS + t->id_bits;
	uint64_t rest = key & ((UINT64_C(1) << rest_bits) - 1);
	const uint8_t *bucket = t->part[PART_BUCKET] + 4 * (key >> rest_bits);

	for (uint32_t i = load32(bucket), end = load32(bucket + 4); i < end; i++) {
		uint64_t entry = load64(t->part[PART_MERGE] + 8 * (size_t)i);
		uint32_t result = (uint32_t)entry & ((1u << t->id_bits) - 1);

		if (entry >> low_bits != rest)
			continue;
		if (r->plain && id_is_special(t, result))
			return NO_MERGE;
		return (entry >> t->id_bits & (MOTE_TOKENIZER_MAX_MERGES - 1)) << 32 | result;
	}
	return NO_MERGE;
}

static uint64_t find_merge(const struct run *r, uint32_t left, uint32_t right)
{
	return find_key(r, merge_key(left, right, r->t->id_bits));
}

/* All neighbours' merges at once: the table does not fit the nearest cache, so the look-ups overlap. */
static void find_merges(const struct run *r, const uint32_t *id, size_t pairs, uint64_t *pair)
{
	const struct mote_tokenizer *t = r->t;
	uint32_t rest_bits = 2 * t->id_bits - t->bucket_bits;

	for (size_t i = 0; i < pairs; i++) {
		pair[i] = merge_key(id[i], id[i + 1], t->id_bits);
		__builtin_prefetch(t->part[PART_BUCKET] + 4 * (pair[i] >> rest_bits));
	}
	for (size_t i = 0; i < pairs; i++)
		__builtin_prefetch(t->part[PART_MERGE] +
				   8 * (size_t)load32(t->part[PART_BUCKET] + 4 * (pair[i] >> rest_bits)));
	for (size_t i = 0; i < pairs; i++)
		pair[i] = find_key(r, pair[i]);
}

static void merge_short(struct run *r, uint32_t *id, size_t count)
{
	uint64_t pair[SHORT_WORD];

	find_merges(r, id, count ? count - 1 : 0, pair);
	while (count > 1) {
		size_t best = 0;

		for (size_t i = 1; i + 1 < count; i++)
			if (pair[i] < pair[best])
				best = i;
		if (pair[best] == NO_MERGE)
			break;
		id[best] = (uint32_t)pair[best];
		count--;
		for (size_t i = best + 1; i < count; i++) { /* few: no call is worth it */
			id[i] = id[i + 1];
			pair[i - 1] = pair[i];
		}
		if (best > 0)
			pair[best - 1] = find_merge(r, id[best - 1], id[best]);
		if (best + 1 < count)
			pair[best] = find_merge(r, id[best], id[best + 1]);
	}
	for (size_t i = 0; i < count; i++)
		run_emit(r, id[i]);
}

static void heap_sink(uint64_t *heap, size_t count, size_t at)
{
	uint64_t moved = heap[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= moved)
			break;
		heap[at] = heap[child];
	}
	heap[at] = moved;
}

/* Room for every pair that can ever wait: n - 1 at first, and each of at most n - 1 merges brings two. */
static void heap_push(struct bpe_scratch *s, uint64_t key)
{
	size_t at = s->heap_count++;

	while (at && s->heap[(at - 1) / 2] > key) {
		s->heap[at] = s->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	s->heap[at] = key;
}

static uint64_t heap_pop(struct bpe_scratch *s)
{
	uint64_t top = s->heap[0];

	s->heap[0] = s->heap[--s->heap_count];
	if (s->heap_count)
		heap_sink(s->heap, s->heap_count, 0);
	return top;
}

static void push_pair(struct run *r, struct bpe_scratch *s, uint32_t at)
{
	uint64_t merge = find_merge(r, s->id[at], s->id[s->next[at]]);

	if (merge != NO_MERGE)
		heap_push(s, (merge >> 32) << 32 | at);
}

static void merge_long(struct run *r, struct bpe_scratch *s)
{
	uint32_t count = (uint32_t)s->count;

	s->heap_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		s->previous[i] = i - 1;
		s->next[i] = i + 1;
	}
	for (uint32_t i = 0; i + 1 < count; i++) {
		uint64_t merge = find_merge(r, s->id[i], s->id[i + 1]);

		if (merge != NO_MERGE)
			s->heap[s->heap_count++] = (merge >> 32) << 32 | i;
	}
	for (size_t i = s->heap_count / 2; i-- > 0;)
		heap_sink(s->heap, s->heap_count, i);
	while (s->heap_count) {
		uint64_t top = heap_pop(s), merge;
		uint32_t at = (uint32_t)top, right = s->next[at];

		/* Pairs change by merges beside them; an entry is stale unless the pair still has its rank. */
		if (right == DEAD || right == count)
			continue;
		merge = find_merge(r, s->id[at], s->id[right]);
		if (merge == NO_MERGE || merge >> 32 != top >> 32)
			continue;
		s->id[at] = (uint32_t)merge;
		s->next[at] = s->next[right];
		s->next[right] = DEAD;
		if (s->next[at] < count) {
			s->previous[s->next[at]] = at;
			push_pair(r, s, at);
		}
		if (at)
			push_pair(r, s, s->previous[at]);
	}
	for (uint32_t i = 0; i < count; i = s->next[i])
		run_emit(r, s->id[i]);
}

static bool reserve(struct run *r, size_t symbols)
{
	struct bpe_scratch *s = r->bpe;
	size_t room = symbols < 1024 ? 1024 : symbols;

	if (!s)
		s = r->bpe = calloc(1, sizeof *s);
	if (s && s->room < symbols) {
		free(s->id);
		free(s->previous);
		free(s->next);
		free(s->heap);
		s->id = malloc(room * sizeof *s->id);
		s->previous = malloc(room * sizeof *s->previous);
		s->next = malloc(room * sizeof *s->next);
		s->heap = malloc(room * 3 * sizeof *s->heap);
		s->room = s->id && s->previous && s->next && s->heap ? room : 0;
	}
	if (s && s->room >= symbols)
		return true;
	mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "a long word");
	return false;
}

/* The first and last character may carry an affix: then a token's text, not a code point, is looked up. */
static int32_t affixed_id(const struct mote_tokenizer *t, const char *text, size_t length, bool first, bool last)
{
	char joined[2 * MOTE_TOKENIZER_MAX_TOKEN_BYTES + 8];
	size_t bytes = 0;

	if (!first) {
		memcpy(joined, t->prefix, t->prefix_bytes);
		bytes = t->prefix_bytes;
	}
	memcpy(joined + bytes, text, length);
	bytes += length;
	if (last) {
		memcpy(joined + bytes, t->suffix, t->suffix_bytes);
		bytes += t->suffix_bytes;
	}
	return mote_tokenizer_trie_find(t, joined, bytes);
}

/* The ids of a character's bytes; false unless the vocabulary has all of them. */
static bool byte_symbols(const struct mote_tokenizer *t, struct bpe_scratch *s, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		int32_t id = t->byte_id[(uint8_t)text[i]];

		if (id < 0)
			return false;
		s->id[s->count + i] = (uint32_t)id;
	}
	s->count += length;
	return true;
}

/* Symbols of the word's characters into s->id. An unknown character becomes bytes, or the unknown token, or
 * nothing. The order is the reference's: an unknown token waits until a known character follows, even behind
 * bytes that come later in the text. */
static void first_symbols(struct run *r, struct bpe_scratch *s, const char *text, size_t bytes)
{
	const struct mote_tokenizer *t = r->t;
	bool affixes = t->prefix_bytes || t->suffix_bytes, unknown = false;
	size_t length;

	s->count = 0;
	for (size_t at = 0; at < bytes; at += length) {
		uint32_t c = mote_utf8_decode(text + at, &length);
		int32_t id = affixes ? affixed_id(t, text + at, length, at == 0, at + length == bytes)
				     : mote_tokenizer_char_id(t, c);

		if (id >= 0 && r->plain && id_is_special(t, (uint32_t)id))
			id = -1;
		if (id >= 0) {
			if (unknown)
				s->id[s->count++] = t->unk;
			unknown = false;
			s->id[s->count++] = (uint32_t)id;
		} else if (byte_symbols(t, s, text + at, length)) {
			continue;
		} else if (t->unk != MOTE_TOKENIZER_NONE) {
			if (unknown && !(t->model_flags & MODEL_FUSE_UNK))
				s->id[s->count++] = t->unk;
			unknown = true;
		} else {
			r->out->dropped_bytes += t->byte_level ? 1 : length;
		}
	}
	if (unknown)
		s->id[s->count++] = t->unk;
}

static void merge(struct run *r)
{
	if (r->bpe->count <= SHORT_WORD)
		merge_short(r, r->bpe->id, r->bpe->count);
	else
		merge_long(r, r->bpe);
}

static bool prepare(struct run *r, size_t bytes)
{
	if (bytes >= DEAD) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_LIMIT, "a word of 4 GiB");
		return false;
	}
	return reserve(r, bytes + 1);
}

void mote_tokenizer_bpe_bytes(struct run *r, const char *text, size_t bytes)
{
	const struct mote_tokenizer *t = r->t;
	struct bpe_scratch *s;

	if (!prepare(r, bytes))
		return;
	s = r->bpe;
	s->count = 0;
	for (size_t i = 0; i < bytes; i++) {
		int32_t id = t->symbol[(uint8_t)text[i]];

		if (id >= 0 && !(r->plain && id_is_special(t, (uint32_t)id)))
			s->id[s->count++] = (uint32_t)id;
	}
	r->out->dropped_bytes += bytes - s->count;
	merge(r);
}

void mote_tokenizer_bpe(struct run *r, const char *text, size_t bytes)
{
	const struct mote_tokenizer *t = r->t;

	if (t->model_flags & MODEL_IGNORE_MERGES) {
		int32_t id = mote_tokenizer_trie_find(t, text, bytes);

		if (id >= 0 && !(r->plain && id_is_special(t, (uint32_t)id))) {
			run_emit(r, (uint32_t)id);
			return;
		}
	}
	if (!prepare(r, bytes))
		return;
	first_symbols(r, r->bpe, text, bytes);
	merge(r);
}
