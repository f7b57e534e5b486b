/* Validation: what a model predicts on a text, alone or against the model it was made from.
 *
 * A plan says which tokens of a text are scored, by llama.cpp's rule: the whole text is tokenized and
 * cut into chunks of n_ctx without overlap (the rest is dropped); a model that adds a bos gets it in
 * place of each chunk's first token; the first n_ctx/2 positions are context, and the positions
 * n_ctx/2 .. n_ctx-2 each predict the token that follows them. A source yields the logits of the plan's
 * scored rows in order, from a model, from memory or from a file. Figures come from one walk over one
 * source, or over two side by side.
 *
 * Everything is computed in double from the f32 logits, with own exp and log, each sum in one fixed
 * order: the same logits give the same figures on any machine and with any number of threads.
 */
#ifndef MOTE_QUANT_VALIDATE_H
#define MOTE_QUANT_VALIDATE_H

#include "format/container.h"
#include "runtime/model/session.h"

#define MOTE_VALIDATE_CONTEXT 512u     /* llama.cpp's n_ctx */

/* A text and its identity, as a receipt records it. Zero-initialize; free with mote_text_free(). */
struct mote_text {
	char *data;                    /* owned, NUL-terminated */
	size_t bytes;
	char name[256];                /* the file's name without its folder; "" when generated */
	bool generated;                /* written by the source model itself: seed and tokens say how */
	uint64_t seed;
	uint32_t generated_tokens;
};
void mote_text_free(struct mote_text *t);
/* XXH3-128 of the bytes. */
struct mote_hash128 mote_text_hash(const struct mote_text *t);

/* Lets m write about min_tokens tokens itself, at temperature 1 over the whole vocabulary. With a chat
 * template it also invents the user's turns: it continues the rendered template from where the user
 * speaks, and then answers (the method of Magpie, Xu et al. 2024); without one, it continues bos. A
 * document depends on (model, seed, its number) alone; documents are concatenated in order of number.
 * Same text on any machine. MOTE_ERROR_UNSUPPORTED: the container has no tokenizer, or the model has
 * nothing to start from. */
enum mote_status mote_text_generate(const struct mote_model *m, uint64_t seed, uint32_t min_tokens, uint32_t threads,
				    const struct mote_progress *progress, struct mote_text *out,
				    struct mote_error *error);

struct mote_plan_options {
	uint32_t context_tokens;       /* n_ctx; 0: MOTE_VALIDATE_CONTEXT, or the model's positions if fewer */
	uint32_t max_chunks;           /* 0: all */
	bool all_positions;            /* one context from the text's start, as long as context_tokens (0: the model's
					* positions) allows; every position but the first is scored */
	bool plain;                    /* added tokens in the text are ordinary text, as llama-perplexity has it */
};

/* Which tokens are scored. Zero-initialize; free with mote_plan_free(). */
struct mote_plan {
	int32_t *ids;                  /* [chunks * context] what the model reads, bos in place */
	uint32_t context;              /* tokens a chunk */
	uint32_t chunks;
	uint32_t first;                /* first position of a chunk whose prediction is scored */
	uint32_t chunk_rows;           /* predictions scored in a chunk */
	uint32_t vocab;
	uint64_t text_tokens;          /* before cutting */
	bool all_positions, plain;
	struct mote_hash128 ids_hash;  /* XXH3-128 of ids as little-endian i32 */
};

/* Tokenizes text with m's tokenizer and lays out the chunks. MOTE_ERROR_ARGUMENT: fewer than two chunks
 * of tokens (llama.cpp's minimum), or a context that the model cannot hold; the message says both numbers.
 * MOTE_ERROR_UNSUPPORTED: the container has no tokenizer. */
enum mote_status mote_plan_init(const struct mote_model *m, const struct mote_text *text,
				const struct mote_plan_options *options, struct mote_plan *out,
				struct mote_error *error);
void mote_plan_free(struct mote_plan *p);
/* The token that scored row r (0 .. chunks*chunk_rows - 1) predicts. */
int32_t mote_plan_target(const struct mote_plan *p, uint64_t row);
static inline uint64_t mote_plan_rows(const struct mote_plan *p)
{
	return (uint64_t)p->chunks * p->chunk_rows;
}

struct mote_logits;

/* Logits by running m, which must outlive the source. KV cache in f32, so that the figures speak of the
 * weights. isa as in mote_session_options. MOTE_ERROR_ARGUMENT: m's vocabulary is not the plan's. */
enum mote_status mote_logits_from_model(const struct mote_model *m, const struct mote_plan *p, uint32_t threads,
					const char *isa, struct mote_logits **out, struct mote_error *error);
/* A copy in memory of all that s yields (rows * vocab floats): for measuring many models against one
 * reference. s is read to its end and left there. */
enum mote_status mote_logits_remember(struct mote_logits *s, const struct mote_progress *progress,
				      struct mote_logits **out, struct mote_error *error);
void mote_logits_close(struct mote_logits *s); /* NULL is fine */
/* The next rows in plan order: *rows of them (0 at the end; never across a chunk's end), [*rows][vocab],
 * valid until the next call. All sources of one plan yield the same portions. */
enum mote_status mote_logits_next(struct mote_logits *s, const float **logits, uint32_t *rows,
				  struct mote_error *error);
enum mote_status mote_logits_rewind(struct mote_logits *s, struct mote_error *error);

/* A figure with two standard errors. independent: as if every token were drawn alone, what llama.cpp
 * prints. block: from the spread of whole chunks' contributions, which stays honest when tokens of
 * one passage err together; NaN with fewer than two chunks. */
struct mote_estimate {
	double value, independent, block;
};

/* All in natural logarithms. Fields after paired are set only with a reference; KL divergence is
 * D(reference || model) over the whole vocabulary; delta_p is the model's probability of the true token
 * less the reference's. */
struct mote_figures {
	uint64_t tokens_scored;
	struct mote_estimate nll, perplexity;
	bool paired;
	struct mote_estimate reference_nll, reference_perplexity;
	struct mote_estimate log_ratio, perplexity_ratio; /* of perplexities, paired: with covariance */
	double correlation;                               /* of ln PPL's, as llama.cpp prints it */
	struct mote_estimate kld_mean, top1_agreement, delta_p_mean, delta_p_rms;
	double kld_min, kld_median, kld_p90, kld_p95, kld_p99, kld_p999, kld_max;
	double delta_p_min, delta_p_p01, delta_p_p05, delta_p_median, delta_p_p95, delta_p_p99, delta_p_max;
};

/* What a scored row gave. reference_* and kld are zero without a reference. */
struct mote_score {
	double nll, reference_nll, kld;
	int32_t target;
	bool top1_same;
};

/* Walks model (and reference, or NULL) from the start and fills figures. scores: [mote_plan_rows(p)] or NULL.
 * threads: workers for the statistics; 0 as in sessions. MOTE_ERROR_CORRUPT: a logit is NaN or infinite,
 * naming the row. */
enum mote_status mote_validate(const struct mote_plan *p, struct mote_logits *model, struct mote_logits *reference,
			       uint32_t threads, const struct mote_progress *progress, struct mote_score *scores,
			       struct mote_figures *figures, struct mote_error *error);
/* Like mote_validate() for several models at once, so that the reference runs only once.
 *   models [n], scores [n] of [mote_plan_rows(p)] each, figures [n] */
enum mote_status mote_validate_many(const struct mote_plan *p, struct mote_logits *const *models, uint32_t n,
				    struct mote_logits *reference, uint32_t threads,
				    const struct mote_progress *progress, struct mote_score *const *scores,
				    struct mote_figures *figures, struct mote_error *error);

/* The figures of n scores in chunks of chunk_rows; what mote_validate() ends with. n at least 1. */
enum mote_status mote_figures_from_scores(const struct mote_score *scores, uint64_t n, uint32_t chunk_rows,
					  bool paired, struct mote_figures *figures, struct mote_error *error);

/* The figures as a JSON object, keys as mote-perplexity --json has them. NULL when memory is gone. */
cJSON *mote_figures_to_json(const struct mote_figures *f);

#endif
