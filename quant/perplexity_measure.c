/* Running models: over texts, and to answer prompts. */
#include <stdlib.h>

#include "quant/measure/logits_file.h"
#include "quant/measure/validate.h"
#include "quant/perplexity.h"

/* ---- logits ---- */

/* What runs, or is read, over one text. */
struct sources {
	struct mote_logits *model[PERPLEXITY_MODELS], *reference;
};

static void close_sources(struct perplexity_run *r, struct sources *s)
{
	for (uint32_t i = 0; i < r->models; i++)
		mote_logits_close(s->model[i]);
	mote_logits_close(s->reference);
}

/* What was just computed need not be computed again: the file becomes the source. */
static enum mote_status save_logits(struct perplexity_run *r, const struct mote_plan *p, struct sources *s,
				    struct mote_error *error)
{
	struct mote_progress progress = perplexity_begin(r, PERPLEXITY_LOGITS, 0);
	enum mote_status status = mote_logits_save(r->model[0].model, p, r->o->threads, NULL, &progress,
						   r->logits, error);

	r->logits = NULL;
	mote_console_progress_end(&r->bar);
	return status == MOTE_OK ? mote_logits_from_file(r->o->save_logits, p, r->o->threads, NULL, &s->model[0],
							 &r->reference_hash, error) : status;
}

static enum mote_status open_sources(struct perplexity_run *r, const struct mote_plan *p, struct sources *s,
				     struct mote_error *error)
{
	const struct perplexity_options *o = r->o;
	enum mote_status status = MOTE_OK;

	if (o->save_logits)
		return save_logits(r, p, s, error);
	for (uint32_t i = 0; i < r->models && status == MOTE_OK; i++)
		status = mote_logits_from_model(r->model[i].model, p, o->threads, NULL, &s->model[i], error);
	if (status == MOTE_OK && r->reference.model) {
		r->reference_hash = mote_container_tensors_hash(r->reference.model->container);
		status = mote_logits_from_model(r->reference.model, p, o->threads, NULL, &s->reference, error);
	}
	if (status == MOTE_OK && o->reference_logits)
		status = mote_logits_from_file(o->reference_logits, p, o->threads, NULL, &s->reference,
					       &r->reference_hash, error);
	return status;
}

/* ---- measuring ---- */

enum mote_status perplexity_take_memory(struct perplexity_run *r, struct mote_error *error)
{
	for (uint32_t i = 0; i < r->texts; i++)
		for (uint32_t m = 0; m < r->models; m++) {
			r->text[i].scores[m] = malloc(mote_plan_rows(&r->text[i].plan) * sizeof *r->text[i].scores[m]);
			if (!r->text[i].scores[m])
				return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for scores");
		}
	return MOTE_OK;
}

static enum mote_status measure_chunks(struct perplexity_run *r, uint32_t i, struct sources *s, uint32_t begin,
				       uint32_t end, struct mote_error *error)
{
	struct perplexity_text *t = &r->text[i];
	struct mote_progress progress = perplexity_begin(r, PERPLEXITY_MEASURE, i);
	struct mote_validation v = {.plan = &t->plan, .models = s->model, .n = r->models, .reference = s->reference,
				    .threads = r->o->threads, .begin = begin, .end = end, .progress = &progress};
	struct mote_score *scores[PERPLEXITY_MODELS];
	enum mote_status status;

	for (uint32_t m = 0; m < r->models; m++)
		scores[m] = t->scores[m] + (uint64_t)begin * t->plan.chunk_rows;
	status = mote_validate_chunks(&v, scores, error);
	mote_console_progress_end(&r->bar);
	return status;
}

enum mote_status perplexity_measure_shard(struct perplexity_run *r, struct mote_shard shard, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->texts && status == MOTE_OK; i++) {
		const struct mote_plan *p = &r->text[i].plan;
		uint32_t begin = mote_shard_end(shard, shard.index - 1, p->chunks);
		uint32_t end = mote_shard_end(shard, shard.index, p->chunks);
		struct sources s = {0};

		if (begin == end)
			continue;
		status = open_sources(r, p, &s, error);
		if (status == MOTE_OK && r->o->check)
			status = perplexity_check_terms(r, error);
		if (status == MOTE_OK)
			status = measure_chunks(r, i, &s, begin, end, error);
		close_sources(r, &s);
	}
	return status;
}

enum mote_status perplexity_figures(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->texts; i++) {
		struct perplexity_text *t = &r->text[i];

		for (uint32_t m = 0; m < r->models && status == MOTE_OK; m++)
			status = mote_figures_from_scores(t->scores[m], mote_plan_rows(&t->plan), t->plan.chunk_rows,
							  r->reference.path != NULL, &t->figures[m], error);
	}
	return status;
}

enum mote_status perplexity_measure(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = perplexity_measure_shard(r, (struct mote_shard){1, 1}, error);

	return status == MOTE_OK ? perplexity_figures(r, error) : status;
}

/* ---- behaviour ---- */

static enum mote_status answer(struct perplexity_run *r, uint32_t model, struct mote_answers *answers,
			       struct mote_error *error)
{
	const struct mote_model *m = model < r->models ? r->model[model].model : r->reference.model;
	struct mote_progress progress = perplexity_begin(r, PERPLEXITY_ANSWER, model);
	enum mote_status status = mote_answers_read(m, r->prompts, r->prompt_bytes,
						    perplexity_base_name(r->o->prompts), answers, error);

	if (status == MOTE_OK)
		status = mote_answers_fill(answers, m, r->o->max_tokens, r->o->threads, &progress, error);
	mote_console_progress_end(&r->bar);
	return status;
}

enum mote_status perplexity_compare_behaviour(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if (r->reference.model) {
		status = answer(r, r->models, &r->reference_answers, error);
		if (status == MOTE_OK)
			mote_behaviour_compare(r->reference.model, &r->reference_answers, NULL,
					       &r->reference_behaviour);
	}
	for (uint32_t i = 0; i < r->models && status == MOTE_OK; i++) {
		mote_answers_free(&r->answers);
		status = answer(r, i, &r->answers, error);
		if (status == MOTE_OK)
			mote_behaviour_compare(r->model[i].model, &r->answers,
					       r->reference.model ? &r->reference_answers : NULL,
					       &r->behaviour[i]);
	}
	return status;
}
