/* An opened tokenizer, as the files of the tokenizer see it; nobody else includes this. Encoding with it is in
 * encode_state.h.
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
	uint64_t *special;                  /* bit set of ids: special added tokens */

	uint32_t id_bits, bucket_bits;      /* of the merge table */

	/* Models: the id of a single character, by code point. */
	int32_t char_id[512];               /* small code points; -1: none */
	uint16_t far_page[0x1100];          /* for the others: of 256 code points each, page + 1, or 0 */
	int32_t *far_id;                    /* [pages][256] */
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

/* trie.c: the exact look-up; -1: no model token is spelled so. */
int32_t mote_tokenizer_trie_find(const struct mote_tokenizer *t, const char *text, size_t bytes);
/* One step of a walk: the child of node by this byte, or 0. */
uint32_t mote_tokenizer_trie_child(const struct mote_tokenizer *t, uint32_t node, uint8_t byte);

#endif
