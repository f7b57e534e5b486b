/* What the files of the tokenizer share; nobody else includes it.
 *
 * A text goes: added tokens on the raw text -> normalizer steps on each gap -> added tokens on the normalized
 * gap -> splitting steps -> model. Pieces are passed down depth first, so no list of pieces is ever built and
 * each step that changes text owns one buffer.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_INTERNAL_H
#define MOTE_RUNTIME_TOKENIZER_INTERNAL_H

#include "format/status.h"
#include "format/utf8.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/tokenizer_section.h"
#include "runtime/tokenizer/unicode_class.h"

struct regex; /* regex.c */

/* A step with its arguments in reach. */
struct step {
	enum tokenizer_step_kind kind;
	uint8_t mode;
	bool invert;
	uint32_t number;
	const char *a, *b;
	size_t a_bytes, b_bytes;
	struct regex *regex;
};

struct mote_tokenizer {
	uint32_t n_ids;
	enum tokenizer_model model;
	uint32_t model_flags;
	uint32_t unk;                       /* or NONE */
	uint32_t longest_text;              /* of a token, bytes */
	const uint8_t *part[PARTS];
	uint32_t part_bytes[PARTS];
	const char *prefix, *suffix;        /* BPE's continuing_subword_prefix, end_of_word_suffix */
	uint32_t prefix_bytes, suffix_bytes;

	struct step *step;                  /* by stage */
	uint32_t stage_begin[STAGES + 1];
	bool byte_level;                    /* the last splitting step maps bytes: left to the model's door */
	bool plain_bytes;                   /* and the model needs no more than a symbol for each byte */
	int32_t symbol[256];                /* the model's token for a byte's character; -1: none */
	uint32_t decode_joins; /* the decoding step from which on the text is one, not a list of tokens */
	uint32_t decode_holds;              /* the one that holds bytes back; else the stage's end */
	bool first_matters;                 /* a Metaspace step wants to know where the text begins */

	const struct tokenizer_added *added; /* aligned copy */
	uint32_t phase_begin[PHASES + 1];
	uint8_t phase_first_byte[2][32];    /* bit set of first bytes of the patterns of a phase */
	bool has_bare_tokens;               /* a pattern of the normalized phase is not its token's text */
	uint64_t *special;                  /* bit set of ids: special added tokens */

	uint32_t id_bits, bucket_bits;      /* of the merge table */

	/* Models: the id of a single character, by code point. */
	int32_t char_id[512];               /* small code points; -1: none */
	uint32_t *far_char;                 /* open addressing: code point + 1, then id; for the others */
	int32_t *far_id;
	uint32_t far_mask;
	int32_t byte_id[256];               /* with byte fallback: of "<0x00>"...; -1: none */
	bool cut_at_space;                  /* no token crosses a boundary before U+2581: words can be cut there */
	double unk_score;                   /* Unigram */
};

static inline const char *token_text(const struct mote_tokenizer *t, uint32_t id, size_t *bytes)
{
	const uint8_t *base = t->part[PART_TEXT_BASE], *offset = t->part[PART_TEXT_OFFSET];
	uint32_t begin = load32(base + 4 * (size_t)(id / 16)) + load16(offset + 2 * (size_t)id);
	uint32_t end = load32(base + 4 * (size_t)((id + 1) / 16)) + load16(offset + 2 * ((size_t)id + 1));

	*bytes = end - begin;
	return (const char *)t->part[PART_TEXT] + begin;
}

static inline bool id_is_special(const struct mote_tokenizer *t, uint32_t id)
{
	return t->special[id / 64] >> (id % 64) & 1;
}

/* vocabulary.c: the last part of opening. */
enum mote_status mote_tokenizer_build(struct mote_tokenizer *t, struct mote_error *error);
/* The id of the token that is exactly this character, or -1. */
int32_t mote_tokenizer_char_id(const struct mote_tokenizer *t, uint32_t c);

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

struct cache;
struct cache_entry;

struct word { /* on its way to the model, through the cache */
	const char *text;
	size_t bytes;
	uint64_t low, high; /* its bytes */
	struct cache_entry *entry;
};
#define WORD_QUEUE 8u

/* One call of encode. */
struct run {
	const struct mote_tokenizer *t;
	struct mote_ids *out;
	bool plain;                 /* some of the text is plain: the model must not make special tokens */
	bool no_added;              /* added tokens are ordinary text everywhere */
	bool marked;                /* texts carry marks */
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

void mote_tokenizer_run_fail(struct run *r, enum mote_status status, const char *what);
/* Appends; the mark goes to each of the bytes. Failure is in r->status. */
void mote_tokenizer_text_add(struct run *r, struct text *text, const char *bytes, size_t count, uint8_t mark);
void mote_tokenizer_text_free(struct text *text);
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

/* normalize.c: all normalizer steps; out points into r's buffers or to the input. */
void mote_tokenizer_normalize(struct run *r, const struct piece *in, struct piece *out);
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

/* tokenize.c: one word for the model, through the cache. */
void mote_tokenizer_word(struct run *r, const char *text, size_t bytes);
/* The same, but not at once: the memory it needs is fetched while the next words are found. The text stays where it
 * is until words_end(), which nothing else may come before. */
void mote_tokenizer_word_soon(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_words_end(struct run *r);
/* Models: ids of one word; text is what the vocabulary spells. Bytes without expression are counted in r->out. */
/* The same for t->plain_bytes, of the bytes themselves. */
void mote_tokenizer_bpe_bytes(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_bpe(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_bpe_free(struct bpe_scratch *scratch);
void mote_tokenizer_unigram(struct run *r, const char *text, size_t bytes);
void mote_tokenizer_unigram_free(struct unigram_scratch *scratch);

/* tokenizer_trie.h holds the walk; the exact look-up is here. -1: no model token is spelled so. */
int32_t mote_tokenizer_trie_find(const struct mote_tokenizer *t, const char *text, size_t bytes);
/* The child of node by this byte, or 0. */
uint32_t mote_tokenizer_trie_child(const struct mote_tokenizer *t, uint32_t node, uint8_t byte);

/* regex.c. Patterns are written for Oniguruma with Ruby's syntax, as the reference runs them.
 * MOTE_ERROR_UNSUPPORTED: a construct that PCRE2 would read differently, by name; MOTE_ERROR_CORRUPT: no pattern. */
enum mote_status mote_tokenizer_regex_open(const char *pattern, size_t bytes, struct regex **out,
					   struct mote_error *error);
void mote_tokenizer_regex_close(struct regex *regex);
/* Walks over the matches of a text as the reference does: an empty match right behind the last match is no match.
 * Zero-initialize. next() is false when there is none left, or on failure in r->status. */
struct regex_walk {
	size_t at, last_end;
	bool matched;
};
bool mote_tokenizer_regex_next(struct run *r, const struct regex *regex, const char *text, size_t bytes,
			       struct regex_walk *walk, size_t *begin, size_t *end);
void mote_tokenizer_regex_scratch_free(struct regex_scratch *scratch);

#endif
