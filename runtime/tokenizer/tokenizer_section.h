/* Layout of the compiled tokenizer section; docs/tokenizer-section.md is its specification.
 * Shared by the compilers (convert/), the reader (section_open.c) and section_extend.c, by nobody else.
 *
 * Header (MOTE_TOKENIZER_HEADER_BYTES), then the parts in the order of enum tokenizer_part, each beginning at the
 * next multiple of 8, padding zero. All integers little-endian.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_SECTION_H
#define MOTE_RUNTIME_TOKENIZER_SECTION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/status.h"

#define MOTE_TOKENIZER_MAGIC 0x6b6f746du /* "mtok" */
#define MOTE_TOKENIZER_VERSION 1u
#define MOTE_TOKENIZER_HEADER_BYTES 128u
#define MOTE_TOKENIZER_NONE UINT32_MAX

#define MOTE_TOKENIZER_ID_BITS 21u
#define MOTE_TOKENIZER_RANK_BITS 21u
#define MOTE_TOKENIZER_MAX_IDS (1u << MOTE_TOKENIZER_ID_BITS)
#define MOTE_TOKENIZER_MAX_MERGES (1u << MOTE_TOKENIZER_RANK_BITS)
/* A bucket is searched from its beginning: merges that were chosen to fall into one would make every look-up slow. The
 * largest that a vocabulary of known models has holds 10. */
#define MOTE_TOKENIZER_MAX_BUCKET 256u
/* 16 tokens of this length still fit 16-bit offsets. */
#define MOTE_TOKENIZER_MAX_TOKEN_BYTES 4095u
#define MOTE_TOKENIZER_MAX_STEPS 32u
#define MOTE_TOKENIZER_MAX_ARGUMENT_BYTES (16u << 20)

enum tokenizer_part {
	PART_TEXT_BASE,	  /* u32 [ids / 16 + 1] */
	PART_TEXT_OFFSET, /* u16 [ids + 1]; id's text begins at base[id / 16] + offset[id] and ends where the next
			     begins */
	PART_TEXT,	  /* bytes */
	PART_BUCKET,	  /* BPE: u32 [2^bucket bits + 1]; a bucket's merges: [bucket[i], bucket[i + 1]) */
	PART_MERGE,	  /* BPE: u64 [merges]; see merge_key() */
	PART_SCORE,	  /* Unigram: f64 [ids] */
	PART_TRIE_FIRST,  /* u32 [nodes + 1]; node's children: [first[node], first[node + 1]); node 0 is the root */
	PART_TRIE_ID,	  /* u32 [nodes]; the token that ends here, or NONE */
	PART_TRIE_LABEL,  /* u8 [nodes]; the byte that leads here */
	PART_ADDED,	  /* struct tokenizer_added [] */
	PART_STEPS,	  /* struct tokenizer_step [] */
	PART_STRINGS,	  /* bytes: patterns of added tokens and arguments of steps */
	PART_BEFORE,	  /* u32 []: what the post-processor puts before a text */
	PART_AFTER,	  /* u32 []: and after it */
	PARTS
};

/* The header, all u32:
 *   0 magic, 4 version, 8 section bytes, 12 ids, 16 model, 20 model flags, 24 unk id or NONE,
 *   28 continuing prefix: offset, 32 bytes; 36 end-of-word suffix: offset, 40 bytes (in STRINGS);
 *   44 id bits, 48 bucket bits (of the merge table); 52 bytes of each part [PARTS]; the rest is zero. */
enum { HEADER_PARTS = 52 };

enum tokenizer_model { MODEL_BPE = 1, MODEL_UNIGRAM = 2 };
enum tokenizer_model_flags { MODEL_IGNORE_MERGES = 1, MODEL_BYTE_FALLBACK = 2, MODEL_FUSE_UNK = 4 };

/* Sorted by phase, within a phase strictly ascending by pattern. */
struct tokenizer_added {
	uint32_t id;
	uint32_t flags;
	uint32_t offset, bytes; /* pattern in STRINGS: the content, in the normalized phase normalized */
};
enum tokenizer_added_flags {
	ADDED_SPECIAL = 1,
	ADDED_SINGLE_WORD = 2,
	ADDED_LSTRIP = 4,
	ADDED_RSTRIP = 8,
	ADDED_NOT_IN_MODEL = 16,  /* the model's own vocabulary does not hold the id */
	ADDED_PHASE_SHIFT = 8     /* flags >> 8: enum tokenizer_phase */
};
enum tokenizer_phase { PHASE_RAW, PHASE_NORMALIZED, PHASE_NEVER, PHASES };

/* One step of the pipeline; steps run in file order within their stage, stages ascending. */
struct tokenizer_step {
	uint8_t stage, kind;
	uint8_t mode;             /* a split's behavior, a class, a scheme: see the kinds */
	uint8_t flags;
	uint32_t a, a_bytes;      /* first argument in STRINGS */
	uint32_t b, b_bytes;      /* second argument */
	uint32_t number;
};
enum tokenizer_stage { STAGE_NORMALIZE, STAGE_SPLIT, STAGE_DECODE, STAGES };

enum tokenizer_step_kind {
	/* normalizers */
	NORMALIZE_NFC = 1,
	NORMALIZE_NFD,
	NORMALIZE_NFKC,
	NORMALIZE_NFKD,
	NORMALIZE_LOWERCASE,
	NORMALIZE_REMOVE_MARKS,     /* mode: enum tokenizer_marks */
	NORMALIZE_STRIP,            /* mode: enum tokenizer_sides */
	NORMALIZE_PREPEND,          /* a */
	NORMALIZE_REPLACE,          /* a: literal, b: replacement */
	NORMALIZE_REPLACE_REGEX,    /* a: pattern, b: replacement */
	NORMALIZE_PRECOMPILED,      /* a: charsmap: u32 bytes of the double array, the double array, strings */
	NORMALIZE_NMT,
	NORMALIZE_BYTES,
	NORMALIZE_BERT_CLEAN,
	NORMALIZE_BERT_CHINESE,
	/* pre-tokenizers; mode of the SPLIT_s: enum tokenizer_behavior; flags: 1 inverts the pattern */
	SPLIT_LITERAL = 32,         /* a */
	SPLIT_REGEX,                /* a */
	SPLIT_CLASS,                /* number: enum tokenizer_class */
	SPLIT_PATTERN,              /* number: enum tokenizer_pattern */
	SPLIT_FIXED,                /* number: characters a piece */
	SPLIT_METASPACE,            /* a: replacement character; mode: enum tokenizer_scheme */
	SPLIT_PREFIX_SPACE,
	SPLIT_BYTES,
	/* decoders */
	DECODE_BYTES = 64,          /* byte alphabet to bytes, joins */
	DECODE_BYTE_FALLBACK,
	DECODE_FUSE,
	DECODE_STRIP,               /* a: character; number: from the start; mode: from the end */
	DECODE_REPLACE,             /* a: literal, b: replacement */
	DECODE_METASPACE,           /* a: replacement character; mode: enum tokenizer_scheme */
	DECODE_SPACES               /* a space between tokens: what no decoder at all does */
};
enum tokenizer_marks { MARKS_ALL, MARKS_NONSPACING };
enum tokenizer_sides { SIDE_LEFT = 1, SIDE_RIGHT = 2 };
enum tokenizer_behavior {
	BEHAVIOR_REMOVED, BEHAVIOR_ISOLATED, BEHAVIOR_MERGED_WITH_PREVIOUS, BEHAVIOR_MERGED_WITH_NEXT,
	BEHAVIOR_CONTIGUOUS, BEHAVIORS
};
enum tokenizer_class { SPLIT_SPACE, SPLIT_NUMBER, SPLIT_PUNCTUATION, SPLIT_CLASSES };
enum tokenizer_pattern {
	PATTERN_GPT2,
	PATTERN_LLAMA3,       /* up to three digits together */
	PATTERN_QWEN2,        /* each digit alone */
	PATTERN_WORDS,        /* \w+|[^\w\s]+ */
	PATTERNS
};
enum tokenizer_scheme { SCHEME_ALWAYS, SCHEME_FIRST, SCHEME_NEVER, SCHEMES };
enum { STEP_INVERT = 1 };

/* The merge table. A pair of ids is 2 * id bits wide; a permutation of that many bits spreads it, its top bits are
 * the pair's bucket, and only the others are stored, above rank and result: entry = (key without the bucket bits)
 * << (RANK_BITS + id bits) | rank << id bits | result So an entry is eight bytes, a bucket holds one or two of
 * them, and looking up a pair that does not merge (most do not) costs no more than one that does. This is the
 * permutation: three rounds of a Feistel network. */
static inline uint64_t merge_key(uint32_t left, uint32_t right, uint32_t id_bits)
{
	left ^= right * 0x9e3779b1u >> (32 - id_bits);
	right ^= left * 0x85ebca6bu >> (32 - id_bits);
	left ^= right * 0xc2b2ae35u >> (32 - id_bits);
	return (uint64_t)left << id_bits | right;
}

/* The inverse: the pair of a key. */
static inline void merge_pair(uint64_t key, uint32_t id_bits, uint32_t *left, uint32_t *right)
{
	*left = (uint32_t)(key >> id_bits);
	*right = (uint32_t)(key & ((UINT64_C(1) << id_bits) - 1));
	*left ^= *right * 0xc2b2ae35u >> (32 - id_bits);
	*right ^= *left * 0x85ebca6bu >> (32 - id_bits);
	*left ^= *right * 0x9e3779b1u >> (32 - id_bits);
}

struct mote_tokenizer;
/* For the compiler: what the section's normalizer makes of a text. *out is allocated, caller frees. */
enum mote_status mote_tokenizer_normalize_text(const struct mote_tokenizer *t, const char *text, size_t bytes,
					       char **out, size_t *out_bytes, struct mote_error *error);

static inline uint32_t load16(const uint8_t *p)
{
	uint16_t x;

	memcpy(&x, p, 2);
	return x;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
	return x;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x;
}

#endif
