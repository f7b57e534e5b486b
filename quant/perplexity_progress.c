/* How far a run is: its stages, and what share of the time each is expected to take. Costs are in tokens that pass
 * through weights; what is known before the texts are read as tokens is enough for a time left that is right to a
 * factor of two. */
#include "quant/perplexity.h"

/* A token of text in bytes; a prompt in bytes; what a token costs that is written, several side by side,
 * in tokens read. */
enum { BYTES_A_TOKEN = 4, BYTES_A_PROMPT = 80, WRITTEN = 2 };

static double weights(const struct perplexity_model *m)
{
	return m->bits_per_weight > 0 ? 8 * (double)m->file_bytes / m->bits_per_weight : 0;
}

static double all_weights(const struct perplexity_run *r)
{
	double sum = weights(&r->reference);

	for (uint32_t i = 0; i < r->models; i++)
		sum += weights(&r->model[i]);
	return sum;
}

static double text_tokens(const struct perplexity_run *r, uint32_t i)
{
	const struct mote_plan_options *o = &r->o->plan;
	const struct mote_text *t = &r->text[i].text;
	double tokens = t->data ? (double)t->bytes / BYTES_A_TOKEN : r->o->generate;
	double most = (o->context_tokens ? o->context_tokens : MOTE_VALIDATE_CONTEXT) *
		      (double)(o->max_chunks ? o->max_chunks : 1);

	if (r->text[i].plan.chunks)
		return (double)r->text[i].plan.chunks * r->text[i].plan.context;
	return (o->max_chunks || (o->all_positions && o->context_tokens)) && most < tokens ? most : tokens;
}

static double cost_of(const struct perplexity_run *r, enum perplexity_stage stage, uint32_t i, double tokens)
{
	const struct perplexity_model *writer = r->reference.model ? &r->reference : &r->model[0];

	switch (stage) {
	case PERPLEXITY_GENERATE:
		return weights(writer) * tokens * WRITTEN;
	case PERPLEXITY_LOGITS:
		return weights(&r->model[0]) * text_tokens(r, 0);
	case PERPLEXITY_MEASURE:
		return all_weights(r) * text_tokens(r, i) * (r->o->save_logits ? 0.2 : 1); /* the head alone */
	default:
		return weights(i < r->models ? &r->model[i] : &r->reference) * tokens * WRITTEN;
	}
}

static void count(struct perplexity_run *r, double cost)
{
	r->cost_total += cost;
	r->stages++;
}

/* A prompt for each line, answered to the end. */
static double answer_tokens(const struct perplexity_run *r)
{
	return (double)r->prompt_bytes / BYTES_A_PROMPT * r->o->max_tokens;
}

void perplexity_expect(struct perplexity_run *r, uint32_t generated_tokens)
{
	const struct perplexity_options *o = r->o;

	r->stages = 0;
	r->cost_total = 0;
	r->generated_tokens = generated_tokens;
	if (generated_tokens)
		count(r, cost_of(r, PERPLEXITY_GENERATE, 0, generated_tokens));
	if (o->save_logits)
		count(r, cost_of(r, PERPLEXITY_LOGITS, 0, 0));
	for (uint32_t i = 0; i < (perplexity_shares(r) ? 1 : r->texts); i++)
		count(r, cost_of(r, PERPLEXITY_MEASURE, i, 0));
	for (uint32_t i = 0; o->prompts && i < r->models + (r->reference.model != NULL); i++)
		count(r, cost_of(r, PERPLEXITY_ANSWER, i, answer_tokens(r)));
}

/* Where pieces are counted, what is done of one is not. */
static bool look(void *user, uint64_t done, uint64_t total)
{
	(void)user;
	(void)done;
	(void)total;
	return !mote_console_interrupted();
}

struct mote_progress perplexity_begin(struct perplexity_run *r, enum perplexity_stage stage, uint32_t i)
{
	static const struct {
		const char *label, *unit;
	} words[] = {
		[PERPLEXITY_GENERATE] = {"generate", "tokens"}, [PERPLEXITY_LOGITS] = {"logits", "tokens"},
		[PERPLEXITY_MEASURE] = {"measure", "tokens"}, [PERPLEXITY_ANSWER] = {"answer", "answers"}
	};
	struct mote_progress progress = {.update = look};
	double tokens = stage == PERPLEXITY_GENERATE ? r->generated_tokens : answer_tokens(r);

	if (r->sharing)
		return progress;
	progress = mote_console_progress(&r->bar, words[stage].label, words[stage].unit);
	r->cost_done += r->cost_now;
	r->cost_now = cost_of(r, stage, i, tokens);
	r->stage++;
	if (r->stages < 2)
		return progress;
	r->bar.stage = r->stage;
	r->bar.stages = r->stages;
	r->bar.whole_started = r->started;
	r->bar.before = r->cost_total > 0 ? r->cost_done / r->cost_total : 0;
	r->bar.share = r->cost_total > 0 ? r->cost_now / r->cost_total : 0;
	return progress;
}
