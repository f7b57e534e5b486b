/* A session: KV cache, workspace and threads for forward passes over a model, of one text or of many side by side.
 *
 * All memory is taken at open; a forward pass allocates nothing. A session is used by one thread at a
 * time (it has its own pool of workers); sessions are independent of each other.
 *
 * Logits of a row depend only on the tokens at positions 0..its own of its sequence: not on the batch,
 * the thread count, the instruction set, whether the row came in a prefill or alone, or whether its sequence shares
 * pages with others. Bit for bit.
 */
#ifndef MOTE_RUNTIME_SESSION_H
#define MOTE_RUNTIME_SESSION_H

#include <stdbool.h>

#include "runtime/model/model.h"

enum mote_kv_type { MOTE_KV_F16, MOTE_KV_Q8, MOTE_KV_F32 };

/* "f16", "q8" (also "q8_0", as llama.cpp names it) or "f32"; false for any other name. */
bool mote_kv_type_from_name(const char *name, enum mote_kv_type *type);

struct mote_session_options {
	uint32_t context_tokens;  /* positions a sequence; 0: the model's max_positions */
	uint32_t sequences;       /* 0 means 1 */
	uint32_t batch_rows;      /* most rows of one forward pass; 0: 512, or one a sequence */
	uint32_t logit_rows;      /* most rows of one pass whose logits are wanted; 0: 1 */
	uint32_t threads;         /* 0: physical cores */
	enum mote_kv_type kv_k, kv_v;
	uint32_t pages;           /* of the KV cache, which all sequences share; 0,
				   * or more than that: as many as they can fill */
	const char *isa;          /* NULL: the best this machine has; else a kernel table's name */
	bool check;               /* a pass that computes what is not finite is an error (finite_check.h);
				   * takes the hook */
};

/* A row is one position of one sequence, begun from a token or from a given state. Rows of one sequence come in
 * ascending position, without gaps, and the first continues what the cache holds (or overwrites from an earlier
 * position on). Fields left zero ask for nothing: {rows, token, position} is a pass over the whole model for the last
 * row's logits. */
struct mote_batch {
	uint32_t rows;
	const int32_t *token;       /* [rows], or NULL: x is given */
	const uint32_t *position;   /* [rows] */
	const uint32_t *sequence;   /* [rows], or NULL: all 0 */
	const uint8_t *want_logits; /* [rows], or NULL: the last row only, and none where the last layer is not run */

	/* Some layers only, from given states: the residual stream x before first_layer, [rows][x_stride]. An
	 * activation hook sees what comes out. The cache gets keys and values of the layers run; what it holds of
	 * others is as old as it was, so passes over some layers want a sequence of their own. */
	const float *x;
	size_t x_stride;            /* >= hidden */
	uint32_t first_layer;
	uint32_t layers;            /* 0: all from first_layer on */

	/* Less than that. after_attention: x is what it is after first_layer's attention, so of that layer the
	 * feed-forward half alone is run. until: the pass ends when the hook has seen the last layer's input number 1
	 * (of q, k and v), 2 (of o), 3 (of gate and up) or 4 (of down), and computes nothing that this does not need;
	 * no logits and no hidden states then. */
	bool after_attention;
	uint32_t until;             /* 0: to the end */

	/* NULL, or receives the states behind the last layer and the final norm, [rows][hidden], of all rows. */
	float *hidden;

	/* NULL, or asked by the calling thread twice a layer: false ends the pass. */
	bool (*proceed)(void *user);
	void *proceed_user;
};

/* Sees what a forward pass computes: calibration. Called on the calling thread, in forward order; the rows are those
 * of the batch (of the head: those whose logits are wanted). */
struct mote_activation_hook {
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
 * until the next forward; NULL when none are wanted.
 *   MOTE_ERROR_ARGUMENT     a token, position, sequence, layer or row count out of range; nothing has changed
 *   MOTE_ERROR_LIMIT        no page of the KV cache is free; nothing has changed. Trim another sequence, or wait for
 *                           it.
 *   MOTE_ERROR_CORRUPT      options.check: something became infinite or NaN; layer and tensor are named. Sequences and
 *                           outputs as with MOTE_ERROR_INTERRUPTED
 *   MOTE_ERROR_INTERRUPTED  proceed() said no: each sequence of the batch holds what came before its first row, so
 *                           where the batch continued it, all that it held; outputs are undefined */
enum mote_status mote_session_forward(struct mote_session *s, const struct mote_batch *batch,
				      const float **logits, struct mote_error *error);

/* ---- sequences ----
 *
 * The cache is cut into pages of mote_session_page_positions() positions (256, or the context where that is less). A
 * sequence takes them as it grows and gives them back when it is trimmed. */

/* Positions that a sequence holds; 0 at first. */
uint32_t mote_session_filled(const struct mote_session *s, uint32_t sequence);
/* Keeps the first positions only; 0 gives up all. MOTE_ERROR_ARGUMENT: no such sequence, or it holds fewer. */
enum mote_status mote_session_trim(struct mote_session *s, uint32_t sequence, uint32_t positions,
				   struct mote_error *error);
/* `to` gives up what it holds and becomes the first positions of `from`, in the same pages. A page that several
 * sequences hold is copied when one of them writes into it, so a fork takes no page, but its next row may take one.
 * Statuses as above. */
enum mote_status mote_session_fork(struct mote_session *s, uint32_t from, uint32_t to, uint32_t positions,
				   struct mote_error *error);
uint32_t mote_session_page_positions(const struct mote_session *s);
uint32_t mote_session_free_pages(const struct mote_session *s);

void mote_session_set_activation_hook(struct mote_session *s,
				      const struct mote_activation_hook *hook); /* copied; NULL: none */

const char *mote_session_isa(const struct mote_session *s);
uint32_t mote_session_threads(const struct mote_session *s);
uint32_t mote_session_context(const struct mote_session *s);
uint32_t mote_session_vocab(const struct mote_session *s);
uint32_t mote_session_hidden(const struct mote_session *s);
/* As they were given, with what was 0 resolved. */
const struct mote_session_options *mote_session_options(const struct mote_session *s);
size_t mote_session_bytes(const struct mote_session *s); /* KV cache and workspace */

#endif
