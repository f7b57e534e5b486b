/* Recipe and lineage as JSON: see lineage.h. */
#include "quant/receipt/lineage.h"

#include "quant/receipt/receipt.h"

static bool put(cJSON *o, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(o, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool put_goal(cJSON *recipe, const struct mote_aim *aim, enum mote_type type)
{
	switch (aim->goal) {
	case MOTE_GOAL_TYPE: return put(recipe, "type", cJSON_CreateString(mote_type_name(type)));
	case MOTE_GOAL_BYTES: return put(recipe, "budget_bytes", cJSON_CreateNumber((double)aim->budget_bytes));
	case MOTE_GOAL_BITS: return put(recipe, "bits", cJSON_CreateNumber(aim->bits));
	case MOTE_GOAL_KLD: return put(recipe, "max_kld", cJSON_CreateNumber(aim->max_kld));
	}
	return false;
}

static bool put_rules(cJSON *recipe, const struct mote_recipe *r)
{
	cJSON *rules = cJSON_CreateArray();

	for (uint32_t i = 0; rules && i < r->n_rules; i++) {
		cJSON *rule = cJSON_CreateObject();

		if (!cJSON_AddItemToArray(rules, rule) ||
		    !put(rule, "pattern", cJSON_CreateString(r->rules[i].pattern)) ||
		    !put(rule, "type", cJSON_CreateString(mote_type_name(r->rules[i].type)))) {
			cJSON_Delete(rules);
			return false;
		}
	}
	return put(recipe, "rules", rules);
}

cJSON *mote_lineage_recipe(const struct mote_aim *aim, const struct mote_recipe *recipe, enum mote_encoder encoder)
{
	cJSON *json = cJSON_CreateObject();

	if (json && put_goal(json, aim, recipe->type) &&
	    put(json, "encoder", cJSON_CreateString(mote_encoder_name(encoder))) &&
	    (!recipe->linear || put(json, "codebooks", cJSON_CreateString("linear"))) &&
	    (recipe->n_rules == 0 || put_rules(json, recipe)))
		return json;
	cJSON_Delete(json);
	return NULL;
}

static cJSON *new_step(const struct mote_container *source, const char *tool, const cJSON *recipe,
		       const struct mote_text *calibration)
{
	cJSON *step = cJSON_CreateObject();
	char tensors[33], text[33];

	mote_hash_to_hex(mote_container_tensors_hash(source), tensors);
	if (calibration)
		mote_hash_to_hex(mote_text_hash(calibration), text);
	if (step && put(step, "step", cJSON_CreateString("quantize")) && put(step, "tool", cJSON_CreateString(tool)) &&
	    put(step, "source_tensors", cJSON_CreateString(tensors)) &&
	    put(step, "recipe", cJSON_Duplicate(recipe, true)) &&
	    (!calibration || put(step, "calibration", cJSON_CreateString(text))))
		return step;
	cJSON_Delete(step);
	return NULL;
}

cJSON *mote_lineage_metadata(const struct mote_container *source, const char *tool, const cJSON *recipe,
			     const struct mote_text *calibration)
{
	cJSON *metadata = cJSON_Duplicate(mote_container_metadata(source), true);
	cJSON *lineage = metadata ? cJSON_GetObjectItemCaseSensitive(metadata, "lineage") : NULL;
	cJSON *step = new_step(source, tool, recipe, calibration);

	if (metadata && !cJSON_IsArray(lineage)) /* a file that others made may have none */
		lineage = cJSON_AddArrayToObject(metadata, "lineage");
	if (lineage && step && cJSON_AddItemToArray(lineage, step))
		return metadata;
	cJSON_Delete(step);
	cJSON_Delete(metadata);
	return NULL;
}
