/* One call of encode(), as the steps see it that a text goes through.
 *
 * A text goes: added tokens on the raw text -> normalizer steps on each gap -> added tokens on the normalized
 * gap -> splitting steps -> words -> model. Pieces are passed down depth first, so no list of pieces is ever built and
 * each step that changes text owns one buffer.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_ENCODE_STATE_H
#define MOTE_RUNTIME_TOKENIZER_ENCODE_STATE_H

#include "runtime/tokenizer/tokenizer_internal.h"
#include "runtime/tokenizer/words.h"

/* Text with a mark for each byte (or without: mark NULL). Growing; zero-initialize. */
struct text {
	char *data;
	uint8_t *mark;
	size_t size, room;
};
enum { MARK_PLAIN = 1, MARK_FIRST = 2 }; /* from a plain span; from the very first character of the input */

struct unit {
	uint32_t c;
	uint8_t class;              /* canonical combining class */
	uint8_t mark;
};

/* One call of encode. */
struct run {
	const struct mote_tokenizer *t;
	struct mote_ids *out;
	bool plain;                 /* some of the text is plain: the model must not make special tokens */
	bool no_added;              /* added tokens are ordinary text everywhere */
	bool marked;                /* texts carry marks */
	size_t left;                /* bytes that steps may still write: text_most() */
	uint64_t steps;             /* that patterns may still take, beyond those which each match has: regex_most() */
	enum mote_status status;    /* sticky; on failure what follows does nothing */
	struct mote_error *error;
	struct text repaired, normal[2];
	struct unit *unit;          /* code points of the Unicode normal forms */
	size_t unit_room;
	struct text buffer[MOTE_TOKENIZER_MAX_STEPS]; /* of splitting steps */
	struct text mapped;
	struct cache *cache;        /* or NULL */
	struct word queue[WORD_QUEUE]; /* words whose cache entries are being fetched */
	unsigned queue_begin, queue_end;
	struct regex_scratch *regex;
	struct bpe_scratch *bpe;
	struct unigram_scratch *unigram;
};

/* All that the steps of a call may write, one after the other: more than 32 steps need for text that Unicode's forms
 * lengthen elevenfold, and little enough that steps which lengthen it without end come to one. */
static inline size_t text_most(size_t bytes)
{
	return bytes > SIZE_MAX / 1024 ? SIZE_MAX : bytes * 512 + (1u << 14);
}

/* Steps of backtracking in all matches of a call: a second or two. */
static inline uint64_t regex_most(size_t bytes)
{
	return (UINT64_C(1) << 26) + 256 * (uint64_t)bytes;
}

void mote_tokenizer_run_fail(struct run *r, enum mote_status status, const char *what);
/* Appends; the mark goes to each of the bytes. Failure is in r->status. */
void mote_tokenizer_text_add(struct run *r, struct text *text, const char *bytes, size_t count, uint8_t mark);
void mote_tokenizer_text_free(struct text *text);
void mote_tokenizer_run_close(struct run *r);
bool mote_tokenizer_ids_reserve(struct mote_ids *ids, size_t more);

static inline void run_emit(struct run *r, uint32_t id)
{
	if (r->out->count == r->out->capacity && !mote_tokenizer_ids_reserve(r->out, 1)) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "token ids");
		return;
	}
	r->out->id[r->out->count++] = (int32_t)id;
}

/* A piece of text on its way down. mark: of its bytes, or NULL. first: it begins where the input begins. */
struct piece {
	const char *text;
	size_t bytes;
	const uint8_t *mark;
	bool first;
};

static inline uint8_t mark_at(const struct piece *in, size_t at)
{
	return in->mark ? in->mark[at] : 0;
}

/* normalize.c: all normalizer steps; out points into r's buffers or to the input. */
void mote_tokenizer_normalize(struct run *r, const struct piece *in, struct piece *out);
/* normal_form.c: the text in NFC, NFD, NFKC or NFKD, appended to out. */
void mote_tokenizer_normal_form(struct run *r, const struct piece *in, struct text *out, bool compatible,
				bool composed);
/* False when the text is in the normal form already, so far as a glance tells. */
bool mote_tokenizer_needs_form(const struct piece *in, bool compatible, bool composed);
/* added_tokens.c: the next added token of a phase at or after *at: stores its id and [begin, end), which lstrip
 * and rstrip have widened; moves *at behind the match itself. False when there is none. taken: the end of the last
 * match. */
struct added_match {
	uint32_t id;
	size_t begin, end;
};
bool mote_tokenizer_added_next(const struct mote_tokenizer *t, enum tokenizer_phase phase, const struct piece *in,
			       size_t *at, size_t taken, struct added_match *match);
/* pretokenize.c: splitting steps from step index on, then the model. */
void mote_tokenizer_split(struct run *r, uint32_t index, const struct piece *in);
/* split_patterns.c: the end of the match that begins at text[at]; at < bytes. */
size_t mote_tokenizer_pattern_next(enum tokenizer_pattern pattern, const char *text, size_t bytes, size_t at);

/* The models: ids of one word, text as the vocabulary spells it. Bytes without expression are counted in r->out. */
void mote_tokenizer_bpe(struct run *r, const char *text, size_t bytes);
/* The same for t->plain_bytes, of the bytes themselves. */
void mote_tokenizer_bpe_bytes(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_bpe_free(struct bpe_scratch *scratch);
void mote_tokenizer_unigram(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_unigram_free(struct unigram_scratch *scratch);

#endif
