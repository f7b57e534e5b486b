/* Bit allocation by measurement: what each tensor costs in quality at each type, and the best mixture.
 *
 * A tensor's sensitivity is the KL divergence from the source when that tensor alone is quantized, all others
 * being the source's. Divergences of small errors nearly add up, so the cheapest mixture for a given sum is found
 * tensor by tensor: each goes down its own convex hull of (bytes, divergence), the steepest step of all first.
 * That is Lagrange's method; it is optimal at the sizes where it stops.
 */
#ifndef MOTE_QUANT_ALLOCATE_H
#define MOTE_QUANT_ALLOCATE_H

#include "quant/encode/quantize.h"
#include "quant/measure/plan.h"

#define MOTE_ALLOCATE_TYPES 10u
#define MOTE_ALLOCATE_MEASURED MOTE_Q4
#define MOTE_ALLOCATE_DOUBT 0.07 /* share of a divergence that a prediction may be wrong by */

struct mote_choice {
	enum mote_type type;
	uint64_t bytes;
	double kld;
};

/* A matrix and what it may become, ascending in bytes. Where rows are so short that byte scales save nothing, their
 * place is taken by the type with f16 scales: then it occurs twice. */
struct mote_sensitivity {
	const char *name;       /* borrowed from the container */
	uint32_t tensor;
	uint64_t weights;
	struct mote_choice choice[MOTE_ALLOCATE_TYPES];
	uint32_t choices, chosen;
};

/* Zero-initialize; free with mote_allocation_free(). */
struct mote_allocation {
	struct mote_sensitivity *tensor;
	uint32_t tensors;
	uint64_t other_bytes;   /* of vectors */
	bool uniform;           /* what was chosen is what a type alone would give */
};
void mote_allocation_free(struct mote_allocation *a);

/* Lists every matrix of q's source with these types (ascending in bytes); one that a rule of q's recipe names has that
 * type alone. MOTE_ERROR_MEMORY. */
enum mote_status mote_allocation_init(struct mote_allocation *a, const struct mote_quantizer *q,
				      const enum mote_type *types, uint32_t n_types,
				      struct mote_error *error) MOTE_CHECKED;

/* Chooses the mixture with the least predicted divergence within `bytes` of tensor data; or one type for all, or for
 * all but the embedding and head, when that takes at most uniform_bytes and is predicted to be hardly worse.
 * MOTE_ERROR_ARGUMENT: not even the smallest types fit; the message says what they take. */
enum mote_status mote_allocation_within_bytes(struct mote_allocation *a, uint64_t bytes, uint64_t uniform_bytes,
					      struct mote_error *error) MOTE_CHECKED;
/* Chooses the smallest mixture whose predicted divergence is at most kld; the largest types if none is. */
void mote_allocation_within_kld(struct mote_allocation *a, double kld);

/* Of the chosen mixture. */
uint64_t mote_allocation_bytes(const struct mote_allocation *a);
double mote_allocation_kld(const struct mote_allocation *a);

/* The object of MOTE_SECTION_SENSITIVITY: {"text", "tokens", "encoder", "measured_type",
 * "rows":[{"tensor","type","bytes","kld","chosen"}]}. NULL when memory is gone. */
cJSON *mote_allocation_to_json(const struct mote_allocation *a, const struct mote_text *text,
			       const struct mote_plan *plan);

#endif
