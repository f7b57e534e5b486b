/* A recipe: which type each tensor becomes, by which encoder. */
#ifndef MOTE_QUANT_RECIPE_H
#define MOTE_QUANT_RECIPE_H

#include "format/container.h"
#include "quant/encode/encode.h"

struct mote_rule {
	const char *pattern; /* over tensor names: * any run of characters, ? any one, [abc] one of these */
	enum mote_type type;
};

/* What a quantization is to reach. */
enum mote_goal {
	MOTE_GOAL_TYPE,   /* the recipe's type for every matrix */
	MOTE_GOAL_BYTES,  /* the best mixture in a file of at most budget_bytes */
	MOTE_GOAL_BITS,   /* the best mixture of at most `bits` a weight, matrices only */
	MOTE_GOAL_KLD     /* the smallest mixture whose measured divergence is at most max_kld */
};

struct mote_aim {
	enum mote_goal goal;
	uint64_t budget_bytes;  /* of the whole file, MOTE_GOAL_BYTES */
	double bits;            /* MOTE_GOAL_BITS */
	double max_kld;         /* MOTE_GOAL_KLD; with the others a gate, 0: none */
};

/* Zero-initialize; rules are borrowed, patterns too. */
struct mote_recipe {
	enum mote_type type;            /* of every matrix; the embedding and the head become q8 where it is less */
	enum mote_encoder encoder;
	const struct mote_rule *rules;  /* exceptions; of those that match, the last wins */
	uint32_t n_rules;
	bool requantize;                /* sources that are quantized already are decoded and encoded anew */
	bool linear;                    /* linear codebooks only, which other formats have too */
};

/* Parses "PATTERN=TYPE"; the pattern is copied into *pattern, which the caller frees.
 * MOTE_ERROR_ARGUMENT: no '=', an empty pattern, or an unknown type. */
enum mote_status mote_rule_parse(const char *text, char **pattern, enum mote_type *type,
				 struct mote_error *error) MOTE_CHECKED;

/* The type that this tensor becomes. A vector is always f32. */
enum mote_type mote_recipe_type(const struct mote_recipe *recipe, const struct mote_tensor *tensor);

/* MOTE_ERROR_ARGUMENT: a rule matches no matrix of c. MOTE_ERROR_UNSUPPORTED: a matrix that is quantized already
 * would have to change its type, and requantize is not set; the message names it. */
enum mote_status mote_recipe_check(const struct mote_recipe *recipe, const struct mote_container *c,
				   struct mote_error *error) MOTE_CHECKED;

/* True for the embedding and the output head: matrices whose rows are tokens. */
bool mote_is_vocabulary_matrix(const char *name);

#endif
