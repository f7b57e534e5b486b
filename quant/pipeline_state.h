/* What the parts of a pipeline share: pipeline.c runs it, prepare.c makes ready, sensitivities.c measures
 * matrices, mixture.c chooses, stages.c says how far it is.
 * For these files alone.
 */
#ifndef MOTE_QUANT_PIPELINE_STATE_H
#define MOTE_QUANT_PIPELINE_STATE_H

#include "quant/pipeline.h"

#define MOTE_MIXTURE_TYPES 10u

enum { MOTE_SELF_VALIDATION_TOKENS = 8192 };  /* of text that the source writes itself to be measured on */

/* In the order in which a run comes to them; those of an attempt may come again. */
enum mote_stage_kind {
	MOTE_STAGE_CHECK, MOTE_STAGE_VALIDATION_TEXT, MOTE_STAGE_CALIBRATION_TEXT, MOTE_STAGE_CALIBRATE,
	MOTE_STAGE_SENSITIVITIES,
	MOTE_STAGE_LAYERS, MOTE_STAGE_RECOVER, MOTE_STAGE_WRITE, MOTE_STAGE_MEASURE, MOTE_STAGE_FINISH,
	MOTE_STAGE_KINDS
};

struct mote_pipeline {
	const struct mote_pipeline_options *o;
	struct mote_pipeline_result *result;
	struct mote_recipe recipe;      /* o's, with the encoder chosen and the mixture's rules before o's */
	struct mote_rule *rules;
	struct mote_model *source;
	const struct mote_container *container;
	struct mote_quantizer quantizer;
	struct mote_plan calibration;   /* chunks = 0: not needed */
	struct mote_plan sensitive;     /* part of it, on which sensitivities are measured; shares its ids */
	struct mote_probe *probe;       /* of sensitive; NULL: nothing was measured yet */
	struct mote_allocation allocation;
	cJSON *sensitivity;
	uint64_t excess_bytes;          /* that a file turned out to take beyond what was set aside */
	struct mote_writer *writer;

	double cost[MOTE_STAGE_KINDS];  /* expected, in any unit; 0: not needed */
	double cost_done, cost_total;
	uint32_t stage, stages, attempts;
	double cost_now;                /* of the stage under way */
};

static inline enum mote_status mote_pipeline_no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
}

/* stages.c: estimates what the stages will cost, once the recipe is known; an attempt more than was expected; says that
 * a stage begins. */
void mote_pipeline_expect(struct mote_pipeline *p);
void mote_pipeline_expect_attempt(struct mote_pipeline *p);
void mote_pipeline_begin(struct mote_pipeline *p, enum mote_stage_kind kind);

/* prepare.c: opens, checks and reads everything that comes before the first attempt. */
enum mote_status mote_pipeline_prepare(struct mote_pipeline *p, struct mote_error *error) MOTE_CHECKED;
/* Whether any calibration is needed; how many tokens of it are enough. */
bool mote_pipeline_needs_calibration(const struct mote_pipeline *p);
/* Whether any of it, or of a text to learn from. */
bool mote_pipeline_needs_text(const struct mote_pipeline *p);
uint32_t mote_pipeline_text_tokens(const struct mote_pipeline *p);
bool mote_pipeline_needs_importance(const struct mote_pipeline *p);
uint32_t mote_pipeline_calibration_tokens(const struct mote_pipeline *p);
uint32_t mote_pipeline_sensitivity_tokens(const struct mote_pipeline *p);

/* sensitivities.c: measures them, or has them measured in parts. */
enum mote_status mote_pipeline_measure_sensitivities(struct mote_pipeline *p, struct mote_error *error) MOTE_CHECKED;

/* mixture.c: chooses what each matrix becomes (target: of the predicted divergence, for MOTE_GOAL_KLD), and makes the
 * choice the recipe: a rule for each matrix, the user's own behind them. */
extern const enum mote_type mote_mixture_types[MOTE_MIXTURE_TYPES];
enum mote_status mote_mixture_choose(struct mote_pipeline *p, double target, struct mote_error *error) MOTE_CHECKED;
enum mote_status mote_mixture_adopt(struct mote_pipeline *p, struct mote_error *error) MOTE_CHECKED;
uint64_t mote_mixture_matrix_bytes(const struct mote_pipeline *p);

#endif
