/* A pipeline's sensitivities: measured here, or in parts by whoever shares the work. See pipeline.h. */
#include <stdio.h>
#include <stdlib.h>

#include "quant/calibrate/sensitivity.h"
#include "quant/pipeline_state.h"
#include "quant/receipt/receipt.h"

/* ---- a part ---- */

/* The first measurement of a process runs the source; the others find it there. */
static enum mote_status measure(struct mote_pipeline *p, uint32_t begin, uint32_t end, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if (!p->probe)
		status = mote_probe_open(&p->quantizer, p->source, &p->sensitive, p->o->threads, &p->probe, error);
	return status ? status : mote_probe_measure(p->probe, &p->allocation, begin, end, p->o->progress, error);
}

static enum mote_status compute(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
				struct mote_error *error)
{
	struct mote_pipeline *p = user;
	uint32_t begin = mote_shard_end(shard, shard.index - 1, p->allocation.tensors);
	uint32_t end = mote_shard_end(shard, shard.index, p->allocation.tensors);
	cJSON *list = mote_json_add_array(b, part, "kld");
	enum mote_status status = begin < end ? measure(p, begin, end, error) : MOTE_OK;

	for (uint32_t i = begin; i < end; i++) { /* matrix behind matrix, each with all its types */
		const struct mote_sensitivity *s = &p->allocation.tensor[i];

		for (uint32_t k = 0; k < s->choices; k++)
			mote_json_add_number(b, list, NULL, s->choice[k].kld);
	}
	return status;
}

static void add_plan(struct mote_json_builder *b, cJSON *o, const struct mote_plan *plan)
{
	mote_json_add_number(b, o, "context", plan->context);
	mote_json_add_number(b, o, "chunks", plan->chunks);
	mote_json_add_number(b, o, "first", plan->first);
	mote_json_add_number(b, o, "chunk_rows", plan->chunk_rows);
}

/* All that divergences depend on; the goal is not among it, so that parts serve every mixture of a model. */
static enum mote_status list_inputs(const struct mote_pipeline *p, cJSON **out, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *inputs = mote_json_new_object(&b), *list;
	char text[160];

	mote_part_hash_model(p->container, text);
	mote_json_add_text(&b, inputs, "source", text);
	mote_hash_to_hex(p->calibration.ids_hash, text);
	mote_json_add_text(&b, inputs, "calibration_ids_xxh3", text);
	add_plan(&b, mote_json_add_object(&b, inputs, "calibration"), &p->calibration);
	add_plan(&b, mote_json_add_object(&b, inputs, "measured"), &p->sensitive);
	mote_json_add_text(&b, inputs, "encoder", mote_encoder_name(p->recipe.encoder));
	list = mote_json_add_array(&b, inputs, "types"); /* of each matrix */
	for (uint32_t i = 0; i < p->allocation.tensors; i++) {
		const struct mote_sensitivity *s = &p->allocation.tensor[i];
		int at = 0;

		for (uint32_t k = 0; k < s->choices; k++)
			at += snprintf(text + at, sizeof text - (size_t)at, k ? " %s" : "%s",
				       mote_type_name(s->choice[k].type));
		mote_json_add_text(&b, list, NULL, text);
	}
	*out = inputs;
	return mote_json_finish(&b, out, "inputs", error);
}

/* ---- joining ---- */

static enum mote_status join(struct mote_pipeline *p, struct mote_shard shard, const cJSON *part,
			     struct mote_error *error)
{
	const cJSON *list = mote_json_get(part, "kld"), *at = list ? list->child : NULL;
	uint32_t end = mote_shard_end(shard, shard.index, p->allocation.tensors);

	for (uint32_t i = mote_shard_end(shard, shard.index - 1, p->allocation.tensors); i < end; i++) {
		struct mote_sensitivity *s = &p->allocation.tensor[i];

		for (uint32_t k = 0; k < s->choices; k++, at = at->next) {
			if (!at || !cJSON_IsNumber(at) || !(at->valuedouble >= 0))
				return mote_error_set(error, MOTE_ERROR_CORRUPT,
						      "the part of shard %u: its divergences are not those of its "
						      "matrices", shard.index);
			s->choice[k].kld = at->valuedouble;
		}
	}
	return at ? mote_error_set(error, MOTE_ERROR_CORRUPT, "the part of shard %u: has more divergences than its "
				   "matrices", shard.index) : MOTE_OK;
}

static enum mote_status share(struct mote_pipeline *p, struct mote_error *error)
{
	struct mote_whole whole = {.tool = "mote-quantize", .compute = compute, .user = p};
	cJSON *inputs = NULL, **parts = NULL;
	uint32_t n = 0;
	enum mote_status status = list_inputs(p, &inputs, error);

	whole.inputs = inputs;
	if (!status)
		status = p->o->share(p->o->share_user, &whole, p->allocation.tensors, &parts, &n, error);
	p->result->shared = !status && !parts;
	for (uint32_t i = 0; i < n && parts; i++) {
		if (!status)
			status = mote_part_match("a part", parts[i], inputs, "this run", error);
		if (!status)
			status = join(p, (struct mote_shard){i + 1, n}, parts[i], error);
		cJSON_Delete(parts[i]);
	}
	free(parts);
	cJSON_Delete(inputs);
	return status;
}

/* The calibration text again, so that nothing is chosen by what it will be measured on; the first chunks will do. */
enum mote_status mote_pipeline_measure_sensitivities(struct mote_pipeline *p, struct mote_error *error)
{
	uint32_t tokens = mote_pipeline_sensitivity_tokens(p);
	struct mote_plan plan = p->calibration;

	mote_pipeline_begin(p, MOTE_STAGE_SENSITIVITIES);
	if (tokens < plan.context)
		plan.context = tokens; /* of the one chunk that is left then */
	if (plan.vocab < plan.context)
		plan.context = plan.vocab; /* see mote_probe_open() */
	plan.first = plan.context / 8; /* more of what is computed is scored than when measuring for others to repeat */
	plan.chunk_rows = plan.context - plan.first - 1;
	plan.chunks = tokens / plan.context < plan.chunks ? tokens / plan.context : plan.chunks;
	plan.chunks = plan.chunks ? plan.chunks : 1;
	p->sensitive = plan;
	return p->o->share ? share(p, error) : measure(p, 0, p->allocation.tensors, error);
}
