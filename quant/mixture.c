/* Mixtures: what each matrix becomes, within a budget of bytes, of bits or of divergence. See pipeline.h. */
#include <stdlib.h>
#include <string.h>

#include "quant/pipeline_state.h"

/* What a receipt with its step in the lineage, and each row of the table of sensitivities, add to a file: a budget sets
 * this aside. Compressed, so the first is the least that it can be and the second a little more than usual. */
#define RECEIPT_BYTES 1088u
#define SENSITIVITY_BYTES 9u

const enum mote_type mote_mixture_types[MOTE_MIXTURE_TYPES] = {
	MOTE_Q3B, MOTE_Q3, MOTE_Q4B, MOTE_Q4, MOTE_Q5B, MOTE_Q5, MOTE_Q6B, MOTE_Q6, MOTE_Q8B, MOTE_Q8
};

/* What a uniform file has that is not tensors: the source's metadata, tokenizer, directory, padding; a receipt. */
static uint64_t overhead_bytes(const struct mote_pipeline *p)
{
	uint64_t bytes = mote_container_file_bytes(p->container);

	for (uint32_t i = 0; i < p->quantizer.tensors; i++)
		bytes -= p->quantizer.target[i].tensor->bytes;
	return bytes + RECEIPT_BYTES + p->excess_bytes;
}

/* And what a mixture's table of sensitivities takes. */
static uint64_t table_bytes(const struct mote_pipeline *p)
{
	return (uint64_t)p->allocation.tensors * MOTE_MIXTURE_TYPES * SENSITIVITY_BYTES;
}

static uint64_t less(uint64_t bytes, uint64_t by)
{
	return bytes > by ? bytes - by : 0;
}

enum mote_status mote_mixture_adopt(struct mote_pipeline *p, struct mote_error *error)
{
	uint32_t n = p->allocation.tensors;
	struct mote_rule *rules = realloc(p->rules, (n + p->o->recipe.n_rules + 1u) * sizeof *rules);

	if (!rules)
		return mote_pipeline_no_memory(error);
	p->rules = rules;
	for (uint32_t i = 0; i < n; i++) {
		const struct mote_sensitivity *s = &p->allocation.tensor[i];

		rules[i] = (struct mote_rule){s->name, s->choice[s->chosen].type};
	}
	if (p->o->recipe.n_rules)
		memcpy(rules + n, p->o->recipe.rules, p->o->recipe.n_rules * sizeof *rules);
	p->recipe.rules = rules;
	p->recipe.n_rules = n + p->o->recipe.n_rules;
	mote_quantizer_decide(&p->quantizer);
	p->result->predicted_kld = mote_allocation_kld(&p->allocation);
	cJSON_Delete(p->sensitivity);
	p->sensitivity = NULL;
	if (p->allocation.uniform && p->o->aim.goal == MOTE_GOAL_BYTES &&
	    mote_allocation_bytes(&p->allocation) + overhead_bytes(p) + table_bytes(p) > p->o->aim.budget_bytes)
		return MOTE_OK; /* one type for all needs no table, and the budget has no room for it */
	p->sensitivity = mote_allocation_to_json(&p->allocation, p->o->calibration, &p->sensitive);
	return p->sensitivity ? MOTE_OK : mote_pipeline_no_memory(error);
}

uint64_t mote_mixture_matrix_bytes(const struct mote_pipeline *p)
{
	uint64_t bytes = mote_quantizer_bytes(&p->quantizer);

	for (uint32_t i = 0; i < p->quantizer.tensors; i++)
		if (p->quantizer.target[i].tensor->rank == 1)
			bytes -= p->quantizer.target[i].tensor->bytes;
	return bytes;
}

enum mote_status mote_mixture_choose(struct mote_pipeline *p, double target, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	uint64_t tensors;

	switch (o->aim.goal) {
	case MOTE_GOAL_KLD:
		mote_allocation_within_kld(&p->allocation, target);
		return MOTE_OK;
	case MOTE_GOAL_BITS:
		tensors = (uint64_t)(o->aim.bits / 8 * (double)mote_quantizer_weights(&p->quantizer)) +
			  p->allocation.other_bytes;
		return mote_allocation_within_bytes(&p->allocation, tensors, tensors, error);
	default:
		tensors = less(o->aim.budget_bytes, overhead_bytes(p));
		return mote_allocation_within_bytes(&p->allocation, less(tensors, table_bytes(p)), tensors, error);
	}
}
