/* Quantizing a container: every tensor by the recipe, into a writer.
 *
 * What a tensor becomes may be known long before its place in the file comes (second-order encoding goes layer
 * after layer), so results can be kept; all others are encoded when they are written, one tensor in memory
 * at a time.
 */
#ifndef MOTE_QUANT_QUANTIZE_H
#define MOTE_QUANT_QUANTIZE_H

#include "format/writer.h"
#include "quant/encode/encode_matrix.h"
#include "quant/encode/recipe.h"

/* What a tensor becomes: decided once, from the recipe. */
struct mote_target {
	const struct mote_tensor *tensor;
	enum mote_type type;
	enum mote_encoder encoder; /* where no second order is at hand: never MOTE_ENCODER_GPTQ */
	bool kept;                 /* its bytes are copied: it is of that type already, and quantized or a vector */
	uint64_t bytes;
};

/* A matrix that has been encoded, or a vector that replaces the source's; zero when it has not. */
struct mote_encoded {
	void *data;              /* owned, 64-byte aligned */
	uint8_t codebook[16];    /* of types that have one */
};

struct mote_quantizer {
	const struct mote_container *source; /* borrowed */
	const struct mote_recipe *recipe;    /* borrowed */
	struct mote_pool *pool;              /* owned */
	uint32_t tensors;
	struct mote_target *target;          /* [tensors] */
	struct mote_encoded *encoded;        /* [tensors] */
	double **importance;                 /* [tensors], each [cols] or NULL; owned */
};

/* MOTE_ERROR_MEMORY. Zero-initialize q before; free with mote_quantizer_free() also after an error. */
enum mote_status mote_quantizer_init(struct mote_quantizer *q, const struct mote_container *source,
				     const struct mote_recipe *recipe, uint32_t threads,
				     struct mote_error *error) MOTE_CHECKED;
void mote_quantizer_free(struct mote_quantizer *q);

/* Decides anew what every tensor becomes: after each change of the recipe. Cannot fail. */
void mote_quantizer_decide(struct mote_quantizer *q);

/* Reads the whole source and compares its checksums, and looks for vectors that are not finite (matrices are looked at
 * when they are encoded). To be called before anything is made of the source: a file that says which tensors it was
 * made from must have been made from them. MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED: the message names the tensor.
 * MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_quantizer_check_source(const struct mote_quantizer *q, const struct mote_progress *progress,
					     struct mote_error *error) MOTE_CHECKED;

/* The tensor's index by its name, or q->tensors. */
uint32_t mote_quantizer_find(const struct mote_quantizer *q, const char *name);

/* The importance that tensor i is encoded with, or NULL. Where second order encodes the rest, 8 bits go without: what
 * that gains is not worth a calibration, and whether there was one must not change the bytes. */
const double *mote_quantizer_importance(const struct mote_quantizer *q, uint32_t i);

/* Allocates what encoding tensor i takes, rounded up for aligned_alloc(). NULL when memory is gone. */
void *mote_quantizer_alloc(const struct mote_quantizer *q, uint32_t i);

/* Bytes of all tensors under this recipe, and weights in matrices. */
uint64_t mote_quantizer_bytes(const struct mote_quantizer *q);
uint64_t mote_quantizer_weights(const struct mote_quantizer *q);

/* Encodes every matrix that is neither kept nor encoded yet, into q->encoded. Statuses as mote_encode_matrix(). */
enum mote_status mote_quantizer_encode(struct mote_quantizer *q, const struct mote_progress *progress,
				       struct mote_error *error) MOTE_CHECKED;

/* Plans and writes all tensors, and copies the tokenizer. Statuses as mote_encode_matrix() and the writer. */
enum mote_status mote_quantizer_write(struct mote_quantizer *q, struct mote_writer *w,
				      const struct mote_progress *progress, struct mote_error *error) MOTE_CHECKED;

#endif
