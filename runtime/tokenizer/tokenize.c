/* Encoding: repairs the input, walks through added tokens and gaps, and keeps a cache of words.
 *
 * The cache belongs to the call: nothing is shared, so a tokenizer may be used by any number of threads, and ids
 * cannot depend on what was encoded before. It holds short words only; most text is made of few of them.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer_internal.h"

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

void mote_tokenizer_run_fail(struct run *r, enum mote_status status, const char *what)
{
	if (r->status)
		return;
	r->status = status;
	if (status == MOTE_ERROR_MEMORY)
		mote_error_set(r->error, status, "encoding: no memory for %s", what);
	else
		mote_error_set(r->error, status, "encoding: limit reached by %s", what);
}

void mote_tokenizer_text_add(struct run *r, struct text *text, const char *bytes, size_t count, uint8_t mark)
{
	if (text->room - text->size < count || !text->data) {
		size_t room = text->room * 2 > text->size + count ? text->room * 2 : text->size + count + 64;
		char *data = realloc(text->data, room);
		uint8_t *marks = r->marked ? realloc(text->mark, room) : NULL;

		text->data = data ? data : text->data;
		text->mark = marks ? marks : text->mark;
		if (!data || (r->marked && !marks)) {
			mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "text");
			return;
		}
		text->room = room;
	}
	memcpy(text->data + text->size, bytes, count);
	if (r->marked)
		memset(text->mark + text->size, mark, count);
	text->size += count;
}

void mote_tokenizer_text_free(struct text *text)
{
	free(text->data);
	free(text->mark);
	memset(text, 0, sizeof *text);
}

bool mote_tokenizer_ids_reserve(struct mote_ids *ids, size_t more)
{
	size_t wanted = ids->count + more, capacity = ids->capacity ? ids->capacity : 256;
	int32_t *grown;

	if (wanted <= ids->capacity)
		return true;
	while (capacity < wanted)
		capacity *= 2;
	grown = realloc(ids->id, capacity * sizeof *grown);
	if (!grown)
		return false;
	ids->id = grown;
	ids->capacity = capacity;
	return true;
}

void mote_ids_free(struct mote_ids *ids)
{
	free(ids->id);
	memset(ids, 0, sizeof *ids);
}

/* ---- words */

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

/* ---- texts */

static struct piece part_of(const struct piece *in, size_t begin, size_t end)
{
	struct piece part = {.text = in->text + begin, .bytes = end - begin};

	part.mark = in->mark ? in->mark + begin : NULL;
	part.first = in->mark && begin < end ? part.mark[0] & MARK_FIRST : in->first && begin == 0;
	return part;
}

static void gap(struct run *r, enum tokenizer_phase phase, const struct piece *in);

/* Cuts a text at the added tokens of a phase; gap() takes what lies between. */
static void cut(struct run *r, enum tokenizer_phase phase, const struct piece *in)
{
	struct added_match match;
	size_t at = 0, taken = 0;
	struct piece part;

	while (!r->no_added && !r->status && mote_tokenizer_added_next(r->t, phase, in, &at, taken, &match)) {
		if (match.begin > taken) {
			part = part_of(in, taken, match.begin);
			gap(r, phase, &part);
		}
		if (match.begin < match.end) /* not when the token before took these spaces with it */
			run_emit(r, match.id);
		taken = match.end;
	}
	if (taken < in->bytes && !r->status) {
		part = part_of(in, taken, in->bytes);
		gap(r, phase, &part);
	}
}

/* A gap that is just the content of a token which normalizing would change is that token: under a normalizer that
 * prepends U+2581, "<s></s>" is the text "\u2581<s></s>", where the pattern of the second token does not occur. */
static bool is_bare_token(struct run *r, const struct piece *in)
{
	const struct mote_tokenizer *t = r->t;
	size_t bytes;

	if (!t->has_bare_tokens || r->no_added || (in->mark && memchr(in->mark, MARK_PLAIN, in->bytes)))
		return false;
	for (uint32_t i = t->phase_begin[PHASE_NORMALIZED]; i < t->phase_begin[PHASE_NORMALIZED + 1]; i++) {
		const char *text = token_text(t, t->added[i].id, &bytes);

		if (bytes == in->bytes && !memcmp(text, in->text, bytes)) {
			run_emit(r, t->added[i].id);
			return true;
		}
	}
	return false;
}

static void gap(struct run *r, enum tokenizer_phase phase, const struct piece *in)
{
	struct piece normal;

	if (phase == PHASE_NORMALIZED) {
		if (!is_bare_token(r, in))
			mote_tokenizer_split(r, r->t->stage_begin[STAGE_SPLIT], in);
		return;
	}
	mote_tokenizer_normalize(r, in, &normal);
	if (normal.bytes)
		cut(r, PHASE_NORMALIZED, &normal);
}

/* A copy of ill-formed text with U+FFFD in place of each ill-formed part. */
static void repair(struct run *r, struct piece *in)
{
	size_t at = 0, bad, end;

	for (; at < in->bytes && !r->status; at = end) {
		size_t valid = mote_utf8_valid(in->text + at, in->bytes - at);

		end = at + valid;
		if (in->mark)
			for (size_t i = at; i < end; i++)
				mote_tokenizer_text_add(r, &r->repaired, in->text + i, 1, in->mark[i]);
		else
			mote_tokenizer_text_add(r, &r->repaired, in->text + at, valid, 0);
		if (end == in->bytes)
			break;
		mote_utf8_step(in->text + end, in->bytes - end, &bad);
		mote_tokenizer_text_add(r, &r->repaired, "\xef\xbf\xbd", 3, in->mark ? in->mark[end] : 0);
		end = bad ? end + bad : in->bytes;
	}
	in->text = r->repaired.data;
	in->mark = r->marked ? r->repaired.mark : NULL;
	in->bytes = r->repaired.size;
}

static struct cache *cache_open(size_t bytes)
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

static void run_close(struct run *r)
{
	mote_tokenizer_text_free(&r->repaired);
	mote_tokenizer_text_free(&r->mapped);
	for (int i = 0; i < 2; i++)
		mote_tokenizer_text_free(&r->normal[i]);
	for (uint32_t i = 0; i < MOTE_TOKENIZER_MAX_STEPS; i++)
		mote_tokenizer_text_free(&r->buffer[i]);
	free(r->unit);
	free(r->cache);
	mote_tokenizer_regex_scratch_free(r->regex);
	mote_tokenizer_bpe_free(r->bpe);
	mote_tokenizer_unigram_free(r->unigram);
}

static void emit_part(struct run *r, enum tokenizer_part part)
{
	for (uint32_t i = 0; i < r->t->part_bytes[part]; i += 4)
		run_emit(r, load32(r->t->part[part] + i));
}

/* mark: of the text's bytes, or NULL; MARK_FIRST is set here. plain: some of them are. */
static enum mote_status encode(const struct mote_tokenizer *t, const char *text, size_t bytes, uint8_t *mark,
			       bool plain, unsigned flags, struct mote_ids *out, struct mote_error *error)
{
	struct run r = {.t = t, .out = out, .error = error};
	struct piece in = {.text = text, .bytes = bytes, .mark = mark, .first = true};
	size_t before = out->count, length;

	r.no_added = flags & MOTE_ENCODE_PLAIN;
	r.plain = r.no_added || plain;
	r.marked = mark != NULL;
	if (!(flags & MOTE_ENCODE_NO_CACHE))
		r.cache = cache_open(bytes);
	if (bytes && mote_utf8_valid(text, bytes) < bytes)
		repair(&r, &in);
	if (in.mark && in.bytes) {
		uint8_t *first = r.repaired.data ? r.repaired.mark : mark;

		length = mote_utf8_length(in.text[0]);
		for (size_t i = 0; i < length; i++)
			first[i] |= MARK_FIRST;
	}
	if (flags & MOTE_ENCODE_ADD_SPECIAL)
		emit_part(&r, PART_BEFORE);
	if (in.bytes)
		cut(&r, PHASE_RAW, &in);
	if (flags & MOTE_ENCODE_ADD_SPECIAL)
		emit_part(&r, PART_AFTER);
	run_close(&r);
	if (r.status)
		out->count = before;
	return r.status;
}

enum mote_status mote_tokenizer_encode(const struct mote_tokenizer *t, const char *text, size_t bytes,
				       unsigned flags, struct mote_ids *out, struct mote_error *error)
{
	enum mote_status status;
	uint8_t *mark = NULL;

	if (t->first_matters && t->stage_begin[STAGE_NORMALIZE] < t->stage_begin[STAGE_NORMALIZE + 1] && bytes) {
		mark = calloc(1, bytes);
		if (!mark)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "encoding: no memory for %zu bytes", bytes);
	}
	status = encode(t, text, bytes, mark, false, flags, out, error);
	free(mark);
	return status;
}

enum mote_status mote_tokenizer_encode_spans(const struct mote_tokenizer *t, const char *text,
					     const struct mote_text_span *spans, size_t n_spans, unsigned flags,
					     struct mote_ids *out, struct mote_error *error)
{
	size_t bytes = n_spans ? spans[n_spans - 1].end : 0;
	uint8_t *mark = calloc(1, bytes ? bytes : 1);
	enum mote_status status;
	bool plain = false;

	if (!mark)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "encoding: no memory for %zu bytes", bytes);
	for (size_t i = 0; i < n_spans; i++)
		if (spans[i].plain && spans[i].begin < spans[i].end) {
			memset(mark + spans[i].begin, MARK_PLAIN, spans[i].end - spans[i].begin);
			plain = true;
		}
	status = encode(t, text, bytes, mark, plain, flags, out, error);
	free(mark);
	return status;
}

enum mote_status mote_tokenizer_normalize_text(const struct mote_tokenizer *t, const char *text, size_t bytes,
					       char **out, size_t *out_bytes, struct mote_error *error)
{
	struct mote_ids none = {0};
	struct run r = {.t = t, .out = &none, .error = error};
	struct piece in = {.text = text, .bytes = bytes, .first = true}, normal;

	*out = NULL;
	mote_tokenizer_normalize(&r, &in, &normal);
	if (!r.status) {
		*out = malloc(normal.bytes + 1);
		*out_bytes = normal.bytes;
		if (*out)
			memcpy(*out, normal.bytes ? normal.text : "", normal.bytes);
		else
			mote_tokenizer_run_fail(&r, MOTE_ERROR_MEMORY, "text");
	}
	run_close(&r);
	return r.status;
}
