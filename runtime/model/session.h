/* A session: KV cache, workspace and threads for one stream of forward passes over a model.
 *
 * All memory is taken at open; a forward pass allocates nothing. A session is used by one thread at a
 * time (it has its own pool of workers); sessions are independent of each other.
 *
 * Logits of a row depend only on the tokens at positions 0..its own of its sequence: not on the batch,
 * the thread count, the instruction set, or whether the row came in a prefill or alone. Bit for bit.
 */
#ifndef MOTE_RUNTIME_SESSION_H
#define MOTE_RUNTIME_SESSION_H

#include "runtime/model/model.h"

enum mote_kv_type { MOTE_KV_F16, MOTE_KV_Q8, MOTE_KV_F32 };

/* "f16", "q8" (also "q8_0", as llama.cpp names it) or "f32"; false for any other name. */
bool mote_kv_type_from_name(const char *name, enum mote_kv_type *type);

struct mote_session_options {
	uint32_t context_tokens;  /* positions a sequence; 0: the model's max_positions */
	uint32_t sequences;       /* 0 means 1 */
	uint32_t batch_rows;      /* most rows of one forward pass; 0: 512 */
	uint32_t logit_rows;      /* most rows of one pass whose logits are wanted; 0: 1 */
	uint32_t threads;         /* 0: physical cores */
	enum mote_kv_type kv_k, kv_v;
	const char *isa;          /* NULL: the best this machine has; else a kernel table's name */
};

/* A row is one token at one position of one sequence. Rows of one sequence come in ascending position,
 * without gaps, and the first continues what the cache holds (or overwrites from an earlier position on). */
struct mote_batch {
	uint32_t rows;
	const int32_t *token;       /* [rows] */
	const uint32_t *position;   /* [rows] */
	const uint32_t *sequence;   /* [rows], or NULL: all 0 */
	const uint8_t *want_logits; /* [rows], or NULL: the last row only */
};

/* Sees what a forward pass computes: calibration. Called on the calling thread, in forward order; the rows are those
 * of the batch (of the head: those whose logits are wanted). */
struct mote_tap {
	/* The f32 input x[n][stride] of each weight matrix before it is multiplied; or NULL. */
	void (*input)(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n);
	void *user;
	/* The residual stream x[n][stride] after each half of a layer: 2*layer after attention, 2*layer + 1 after
	 * the feed-forward part; or NULL. */
	void (*residual)(void *user, uint32_t half, const float *x, size_t stride, uint32_t n);
};

struct mote_session;

/* MOTE_ERROR_ARGUMENT: unknown isa, context beyond what positions allow. MOTE_ERROR_MEMORY. */
enum mote_status mote_session_open(const struct mote_model *m, const struct mote_session_options *options,
				   struct mote_session **out, struct mote_error *error);
void mote_session_close(struct mote_session *s); /* NULL is fine */

/* Runs the batch. *logits: [wanted rows][vocab] f32 in row order, row stride vocab, owned by the session, valid
 * until the next forward. MOTE_ERROR_ARGUMENT: a token, position, sequence or row count out of range. */
enum mote_status mote_session_forward(struct mote_session *s, const struct mote_batch *batch,
				      const float **logits, struct mote_error *error);

void mote_session_set_tap(struct mote_session *s, const struct mote_tap *tap); /* copied; NULL removes it */

const char *mote_session_isa(const struct mote_session *s);
uint32_t mote_session_threads(const struct mote_session *s);
uint32_t mote_session_context(const struct mote_session *s);
uint32_t mote_session_vocab(const struct mote_session *s);
/* As they were given, with what was 0 resolved. */
const struct mote_session_options *mote_session_options(const struct mote_session *s);
size_t mote_session_bytes(const struct mote_session *s); /* KV cache and workspace */

#endif
