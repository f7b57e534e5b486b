/* mote-train's recipe, its steps and its results as JSON, and the files it writes. */
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "format/clock.h"
#include "format/json_build.h"
#include "format/tool/console.h"
#include "quant/measure/part.h"
#include "quant/train_run.h"

#define PEAK_SECONDS 0.1

/* What decides a training's steps: the recipe, the data, what tokenizer and template make of them, and the model. */
static enum mote_status identify(struct train_run *r, struct mote_error *error)
{
	const struct mote_examples *e = &r->examples;
	size_t recipe_bytes;
	char model[33], *recipe = mote_json_print(r->recipe, &recipe_bytes);
	XXH3_state_t *hash = XXH3_createState();
	enum mote_status status = MOTE_OK;
	XXH128_hash_t h;

	mote_part_hash_model(r->model->container, model);
	if (recipe && hash) {
		XXH3_128bits_reset(hash);
		XXH3_128bits_update(hash, recipe, recipe_bytes);
		XXH3_128bits_update(hash, model, sizeof model);
		XXH3_128bits_update(hash, &r->data, sizeof r->data);
		XXH3_128bits_update(hash, e->example, e->n * sizeof *e->example);
		XXH3_128bits_update(hash, e->id, e->ids * sizeof *e->id);
		XXH3_128bits_update(hash, e->target, e->ids);
		h = XXH3_128bits_digest(hash);
		r->identity = (struct mote_hash128){h.low64, h.high64};
	} else {
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	}
	XXH3_freeState(hash);
	free(recipe);
	return status;
}

enum mote_status train_make_recipe(struct train_run *r, struct mote_error *error)
{
	static const char *const names[] = {"nll", "dft", "sigmoid", "apo_zero"};
	const struct mote_train_settings *s = &r->settings;
	struct mote_json_builder b = {0};
	cJSON *o = r->recipe = mote_json_new_object(&b), *list = NULL;

	mote_json_add_text(&b, o, "method", r->o.method);
	mote_json_add_text(&b, o, "loss", names[s->objective]);
	if (train_prefers(r))
		mote_json_add_number(&b, o, "beta", s->beta);
	mote_json_add_number(&b, o, "lr", s->lr);
	mote_json_add_number(&b, o, "lr_end", s->floor);
	mote_json_add_number(&b, o, "warmup", s->warm_up);
	mote_json_add_number(&b, o, "weight_decay", s->weight_decay);
	mote_json_add_number(&b, o, "clip", s->clip);
	mote_json_add_number(&b, o, "epochs", s->epochs);
	mote_json_add_number(&b, o, "batch", s->batch);
	mote_json_add_number(&b, o, "max_length", r->o.length);
	mote_json_add_number(&b, o, "tokens_at_once", s->rows); /* decides which sums are joined in which order */
	mote_json_add_number(&b, o, "seed", (double)s->seed);
	if (s->neftune > 0)
		mote_json_add_number(&b, o, "neftune", s->neftune);
	if (s->lora_rank) {
		mote_json_add_number(&b, o, "lora_rank", s->lora_rank);
		mote_json_add_number(&b, o, "lora_alpha", s->lora_alpha);
	}
	if (r->o.tokens)
		list = mote_json_add_array(&b, o, "added_tokens");
	for (uint32_t i = 0; i < r->o.tokens; i++)
		mote_json_add_text(&b, list, NULL, r->o.token[i]);
	if (mote_json_finish(&b, &r->recipe, "the recipe", error))
		return MOTE_ERROR_MEMORY;
	return identify(r, error);
}

enum mote_status train_print_step(const struct train_run *r, const struct mote_train_point *p, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);
	enum mote_status status;

	mote_json_add_number(&b, o, "step", r->trainer.step);
	mote_json_add_number(&b, o, "steps", r->trainer.steps);
	mote_json_add_number(&b, o, "loss", p->loss);
	if (train_prefers(r))
		mote_json_add_number(&b, o, "margin", p->margin);
	mote_json_add_number(&b, o, "lr", p->lr);
	mote_json_add_number(&b, o, "gradient_norm", p->norm);
	mote_json_add_number(&b, o, "tokens", (double)p->tokens);
	status = mote_json_finish(&b, &o, "a step", error);
	if (status == MOTE_OK)
		status = mote_console_print_json(o, error);
	if (status == MOTE_OK)
		status = mote_console_flush(error);
	cJSON_Delete(o);
	return status;
}

/* How fast the steps of this run were, and what they had of the most that the machine's f32 units do at present. */
static void add_speed(struct mote_json_builder *b, cJSON *o, struct train_run *r)
{
	double peak = mote_passes_peak(&r->trainer.passes, PEAK_SECONDS);
	double seconds = r->step_seconds > 0 ? r->step_seconds : 1;
	cJSON *speed = mote_json_add_object(b, o, "speed");

	mote_json_add_number(b, speed, "tokens_per_second", (double)r->step_tokens / seconds);
	mote_json_add_number(b, speed, "operations_per_second", r->step_operations / seconds);
	mote_json_add_number(b, speed, "peak_operations_per_second", peak);
	mote_json_add_number(b, speed, "share_of_peak", r->step_operations / seconds / peak);
}

enum mote_status train_give_results(struct train_run *r, struct mote_error *error)
{
	struct mote_trained_by by = {"mote-train " MOTE_VERSION, r->recipe, r->data, &r->vocabulary};
	const struct mote_trainer *t = &r->trainer;
	struct mote_json_builder b = {0};
	enum mote_status status = MOTE_OK;
	cJSON *o;

	if (r->o.adapter)
		status = mote_adapter_write(&t->adapter, r->o.adapter, r->o.force, error);
	if (status == MOTE_OK)
		status = mote_trained_file_write(t, r->o.output, r->o.force, r->type, &by, error);
	if (status == MOTE_OK && r->o.curve)
		status = mote_train_curve_write(t, r->o.curve, r->o.force, error);
	if (status)
		return status;
	if (!r->o.json) {
		fprintf(stderr, "%u records, %u steps, %llu tokens: loss %.4f at the first step, %.4f at the last",
			t->records, t->steps,
		       (unsigned long long)t->tokens, t->curve[0].loss, t->curve[t->step - 1].loss);
		if (r->eval.n)
			fprintf(stderr, "; on %s %.4f before, %.4f after", r->o.eval, r->before, r->after);
		fprintf(stderr, "\n%s: written\n", r->o.output);
		return MOTE_OK;
	}
	o = mote_json_new_object(&b);
	mote_json_add_text(&b, o, "output", r->o.output);
	mote_json_add_number(&b, o, "records", t->records);
	mote_json_add_number(&b, o, "cut", r->examples.cut);
	mote_json_add_number(&b, o, "dropped", r->examples.dropped);
	mote_json_add_number(&b, o, "steps", t->steps);
	mote_json_add_number(&b, o, "tokens", (double)t->tokens);
	mote_json_add_number(&b, o, "seconds", mote_clock_seconds() - r->started);
	if (r->step_tokens)
		add_speed(&b, o, r);
	if (r->eval.n) {
		mote_json_add_number(&b, o, "eval_before", r->before);
		mote_json_add_number(&b, o, "eval_after", r->after);
	}
	mote_json_add_item(&b, o, "recipe", cJSON_Duplicate(r->recipe, true));
	status = mote_json_finish(&b, &o, "the result", error);
	if (status == MOTE_OK)
		status = mote_console_print_json(o, error);
	cJSON_Delete(o);
	return status ? status : mote_console_flush(error);
}
