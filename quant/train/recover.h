/* Recovery: what quantizing has lost is partly won back by training. Places on the grid, scales and vectors move so
 * that the quantized model's distribution comes nearer to its source's (KL divergence) on a text; on a part of the text
 * that it does not learn from, it is looked whether that helped, and what did not is not kept.
 */
#ifndef MOTE_QUANT_RECOVER_H
#define MOTE_QUANT_RECOVER_H

#include "quant/measure/plan.h"
#include "quant/train/student.h"

struct mote_recover_options {
	uint64_t tokens;            /* to learn from; rounded up to whole steps; 0: as many as `seconds` allow */
	double seconds;
	uint64_t seed;              /* of the passages' choice */
	uint32_t threads;           /* 0: physical cores */
	const char *isa;            /* as in mote_session_options */
	struct mote_student_rates rates; /* all 0: the usual */
	const struct mote_progress *progress; /* in tokens, and 0.4 for one that is only measured; or NULL.
					       * Asked once a layer */
	/* Once, before the first step: the tokens to come, and how many a second were measured (0: they were asked
	 * for). Or NULL. */
	void (*planned)(void *user, uint64_t tokens, double tokens_a_second);
	void *planned_user;
	const char *state;          /* a file: written when stopped, and every ten minutes; if it is there,
				     * gone on from. Or NULL */
};

struct mote_recover_result {
	uint64_t tokens;            /* that were learnt from: with this many in place of `seconds` the result is the
				     * same */
	double before, after;       /* mean KL divergence on the part held out, in f32 */
	bool kept;
	double seconds;             /* that it took, since it was taken up */
};

/* What q has encoded (mote_quantizer_encode()) learns; q->encoded is replaced where that helped, vectors included.
 * The last tenth of the text, at most 8,192 tokens, is held out. Memory: about 16 bytes a weight and what a batch
 * takes.
 * MOTE_ERROR_UNSUPPORTED: the model has no backward pass here (mote_parameters_check()). MOTE_ERROR_ARGUMENT: the text
 * has fewer than four passages of 256 tokens (or what the model can hold). MOTE_ERROR_INTERRUPTED: q is as it was.
 * MOTE_ERROR_MEMORY; of the state MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED (another recovery's), MOTE_ERROR_IO. */
enum mote_status mote_recover(struct mote_quantizer *q, const struct mote_model *source, const struct mote_text *text,
			      const struct mote_recover_options *options, struct mote_recover_result *result,
			      struct mote_error *error) MOTE_CHECKED;

/* Tokens that a step learns from, and those of its passages. */
uint32_t mote_recover_step_tokens(const struct mote_config *config);

#endif
