/* From a container to a quantized one with its receipt: the whole way, as mote-quantize goes it.
 *
 * open and check the source -> texts -> (sensitivities -> mixture) -> calibrate -> encode -> (recover) -> write ->
 * measure -> gates -> commit.
 * Nothing appears under the output's name before the last step, and nothing is left behind when an earlier one fails.
 */
#ifndef MOTE_QUANT_PIPELINE_H
#define MOTE_QUANT_PIPELINE_H

#include "quant/calibrate/allocate.h"
#include "quant/measure/part.h"
#include "quant/receipt/measure_file.h"
#include "quant/train/recover.h"

/* A run is counted in stages: which one begins, and where it lies in the whole. */
struct mote_stage {
	const char *label;       /* "measuring sensitivities" */
	const char *unit;        /* of what its progress counts, "tokens"; NULL: nothing to count */
	uint32_t number, of;     /* it is the number-th, from 1, of so many; a goal that is missed adds an attempt's */
	double before, share;    /* of the time that the whole is expected to take: what comes before it, and its own */
};

struct mote_pipeline_options {
	const char *input, *output;          /* output NULL: somebody else goes on behind the sensitivities */
	bool force;                          /* replace output */
	struct mote_recipe recipe;           /* with a goal other than TYPE: type is ignored, rules are kept */
	bool best_encoder;                   /* choose recipe.encoder */
	struct mote_aim aim;                 /* its max_kld is a gate with every goal */
	double max_ppl_ratio;                /* a gate; 0: none */
	bool recover;                        /* train what is encoded: for so many tokens, or 0 for so many seconds */
	uint64_t recover_tokens;
	double recover_seconds;
	const char *recover_state;           /* as in mote_recover_options; with the goals TYPE and BITS,
					      * which are reached at once */
	void (*recover_planned)(void *user, uint64_t tokens, double tokens_a_second); /* or NULL; user: progress's */
	struct mote_text *calibration;       /* data NULL: the source writes one when the encoder wants it */
	struct mote_text *validation;        /* data NULL: the source writes one */
	bool no_validation;
	uint32_t context_tokens;             /* of a chunk when measuring; 0: as mote_plan_init() */
	uint64_t seed;                       /* at most 2^53 */
	uint32_t threads;
	const char *tool;                    /* "mote-quantize 0.1.0" */
	/* Has the sensitivities measured in parts: calls whole's compute as it likes, for one of up to `most` shards.
	 * *parts receives the whole, shards 1 to *n, which the pipeline frees; or NULL: somebody else goes on, and the
	 * run ends here. share NULL: all are measured here. */
	enum mote_status (*share)(void *user, const struct mote_whole *whole, uint32_t most, cJSON ***parts,
				  uint32_t *n, struct mote_error *error);
	void *share_user;
	void (*stage)(void *user, const struct mote_stage *stage); /* begins now; or NULL; user: progress's */
	const struct mote_progress *progress; /* of the stage; or NULL.
					       * Asked once more when all is done but the renaming */
};

/* Zero-initialize; free with mote_pipeline_result_free(). */
struct mote_pipeline_result {
	cJSON *recipe;                       /* as in the lineage and the receipt */
	cJSON *receipts;                     /* NULL without validation */
	struct mote_figures figures;
	bool measured;
	bool shared;                         /* somebody else goes on; no file was written */
	uint64_t source_bytes, file_bytes;   /* of the files */
	double bits_per_weight;              /* of matrices */
	double predicted_kld;                /* of the mixture; 0 without one */
	struct mote_recover_result recovered; /* with `recover` */
};
void mote_pipeline_result_free(struct mote_pipeline_result *r);

/* MOTE_ERROR_CORRUPT: a checksum of the source does not match, or a text that is not UTF-8 was given to calibrate on.
 * MOTE_ERROR_QUALITY: a gate failed; the result is filled, and there is no file. MOTE_ERROR_UNSUPPORTED: the two texts
 * share a passage, or the source is quantized; others as the steps'. */
enum mote_status mote_pipeline_run(const struct mote_pipeline_options *options, struct mote_pipeline_result *result,
				   struct mote_error *error) MOTE_CHECKED;

#endif
