/* How far a pipeline is: which stages a run will have and what share of its time each takes. See pipeline.h.
 *
 * Costs are estimates in seconds of one machine at TRLM's shape, scaled by weights and tokens; only their ratios
 * matter. They are right to a factor of two or so, which is what a time left can be before anything has been timed.
 */
#include "quant/pipeline_state.h"

static const struct {
	const char *label, *unit;
	double nanoseconds; /* for a weight and a token; of CHECK, WRITE and FINISH for a weight */
} kinds[MOTE_STAGE_KINDS] = {
	[MOTE_STAGE_CHECK] = {"checking the source", "bytes", 0.5},
	[MOTE_STAGE_VALIDATION_TEXT] = {"writing text to measure on", "tokens", 0.03},
	[MOTE_STAGE_CALIBRATION_TEXT] = {"writing text to calibrate on", "tokens", 0.03},
	[MOTE_STAGE_CALIBRATE] = {"calibrating", "chunks", 0.02},
	[MOTE_STAGE_SENSITIVITIES] = {"measuring sensitivities", "matrices", 0.01},
	[MOTE_STAGE_LAYERS] = {"quantizing layers", "passes", 0.2},
	[MOTE_STAGE_RECOVER] = {"recovering", "tokens", 0.1},
	[MOTE_STAGE_WRITE] = {"writing", "weights", 20},
	[MOTE_STAGE_MEASURE] = {"measuring", "tokens", 0.03},
	[MOTE_STAGE_FINISH] = {"finishing", NULL, 0.5}
};

/* Of a text that is not tokenized yet. */
enum { BYTES_A_TOKEN = 4 };

static const enum mote_stage_kind attempt[] = {MOTE_STAGE_LAYERS, MOTE_STAGE_RECOVER, MOTE_STAGE_WRITE,
					       MOTE_STAGE_MEASURE};

static uint32_t matrices(const struct mote_pipeline *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->quantizer.tensors; i++)
		n += p->quantizer.target[i].tensor->rank == 2;
	return n;
}

static void set_costs(struct mote_pipeline *p)
{
	const struct mote_pipeline_options *o = p->o;
	bool calibrates = mote_pipeline_needs_calibration(p), writes = !o->no_validation && !o->validation->data;
	bool layers = calibrates && p->recipe.encoder == MOTE_ENCODER_GPTQ;
	double tokens = mote_pipeline_calibration_tokens(p);
	double measured = o->validation->data ? (double)o->validation->bytes / BYTES_A_TOKEN
					      : MOTE_SELF_VALIDATION_TOKENS;
	const double count[MOTE_STAGE_KINDS] = {
		[MOTE_STAGE_CHECK] = 1, [MOTE_STAGE_FINISH] = 1,
		[MOTE_STAGE_VALIDATION_TEXT] = writes ? MOTE_SELF_VALIDATION_TOKENS : 0,
		[MOTE_STAGE_CALIBRATION_TEXT] = mote_pipeline_needs_text(p) && !o->calibration->data ?
			mote_pipeline_text_tokens(p) : 0,
		[MOTE_STAGE_CALIBRATE] = calibrates && mote_pipeline_needs_importance(p) ? tokens : 0,
		[MOTE_STAGE_SENSITIVITIES] = o->aim.goal != MOTE_GOAL_TYPE ?
			(double)matrices(p) * mote_pipeline_sensitivity_tokens(p) : 0,
		[MOTE_STAGE_LAYERS] = layers ? tokens : 0,
		[MOTE_STAGE_RECOVER] = o->recover ? (double)o->recover_tokens : 0,
		[MOTE_STAGE_WRITE] = layers ? 0.1 : p->recipe.encoder == MOTE_ENCODER_ROUND ? 0.05 : 1,
		[MOTE_STAGE_MEASURE] = o->no_validation ? 0 : measured
	};

	for (int i = 0; i < MOTE_STAGE_KINDS; i++)
		p->cost[i] = i > MOTE_STAGE_SENSITIVITIES && !o->output ? 0 :
			     count[i] * kinds[i].nanoseconds * (double)mote_quantizer_weights(&p->quantizer);
	if (o->recover && o->recover_tokens == 0 && o->output)
		p->cost[MOTE_STAGE_RECOVER] = o->recover_seconds * 1e9;
}

void mote_pipeline_expect(struct mote_pipeline *p)
{
	set_costs(p);
	for (int i = 0; i < MOTE_STAGE_KINDS; i++) {
		p->stages += p->cost[i] > 0;
		p->cost_total += p->cost[i];
	}
}

void mote_pipeline_expect_attempt(struct mote_pipeline *p)
{
	for (size_t i = 0; i < sizeof attempt / sizeof *attempt; i++) {
		p->stages += p->cost[attempt[i]] > 0;
		p->cost_total += p->cost[attempt[i]];
	}
}

void mote_pipeline_begin(struct mote_pipeline *p, enum mote_stage_kind kind)
{
	struct mote_stage stage = {.label = kinds[kind].label, .unit = kinds[kind].unit};

	p->cost_done += p->cost_now;
	p->cost_now = p->cost[kind];
	p->stage++;
	stage.number = p->stage;
	stage.of = p->stages;
	stage.before = p->cost_total > 0 ? p->cost_done / p->cost_total : 0;
	stage.share = p->cost_total > 0 ? p->cost_now / p->cost_total : 1;
	if (p->o->stage)
		p->o->stage(p->o->progress ? p->o->progress->user : NULL, &stage);
}
