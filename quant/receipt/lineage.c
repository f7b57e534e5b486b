/* Recipe and lineage as JSON: see lineage.h. */
#include "quant/receipt/lineage.h"

#include "format/json_build.h"
#include "quant/receipt/receipt.h"

static void put_goal(struct mote_json_builder *b, cJSON *recipe, const struct mote_aim *aim, enum mote_type type)
{
	switch (aim->goal) {
	case MOTE_GOAL_TYPE: mote_json_add_text(b, recipe, "type", mote_type_name(type)); break;
	case MOTE_GOAL_BYTES: mote_json_add_number(b, recipe, "budget_bytes", (double)aim->budget_bytes); break;
	case MOTE_GOAL_BITS: mote_json_add_number(b, recipe, "bits", aim->bits); break;
	case MOTE_GOAL_KLD: mote_json_add_number(b, recipe, "max_kld", aim->max_kld); break;
	}
}

static void put_rules(struct mote_json_builder *b, cJSON *recipe, const struct mote_recipe *r)
{
	cJSON *rules = mote_json_add_array(b, recipe, "rules");

	for (uint32_t i = 0; i < r->n_rules; i++) {
		cJSON *rule = mote_json_add_object(b, rules, NULL);

		mote_json_add_text(b, rule, "pattern", r->rules[i].pattern);
		mote_json_add_text(b, rule, "type", mote_type_name(r->rules[i].type));
	}
}

/* json, or NULL when memory ran out. */
static cJSON *whole(const struct mote_json_builder *b, cJSON *json)
{
	if (!b->failed)
		return json;
	cJSON_Delete(json);
	return NULL;
}

cJSON *mote_lineage_recipe(const struct mote_aim *aim, const struct mote_recipe *recipe, enum mote_encoder encoder)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b);

	put_goal(&b, json, aim, recipe->type);
	mote_json_add_text(&b, json, "encoder", mote_encoder_name(encoder));
	if (recipe->linear)
		mote_json_add_text(&b, json, "codebooks", "linear");
	if (recipe->n_rules)
		put_rules(&b, json, recipe);
	return whole(&b, json);
}

static void put_step(struct mote_json_builder *b, cJSON *lineage, const struct mote_container *source,
		     const char *tool, const cJSON *recipe, const struct mote_text *calibration)
{
	cJSON *step = mote_json_add_object(b, lineage, NULL);
	char hash[33];

	mote_json_add_text(b, step, "step", "quantize");
	mote_json_add_text(b, step, "tool", tool);
	mote_hash_to_hex(mote_container_tensors_hash(source), hash);
	mote_json_add_text(b, step, "source_tensors", hash);
	mote_json_add_item(b, step, "recipe", cJSON_Duplicate(recipe, true));
	if (!calibration)
		return;
	mote_hash_to_hex(mote_text_hash(calibration), hash);
	mote_json_add_text(b, step, "calibration", hash);
}

cJSON *mote_lineage_metadata(const struct mote_container *source, const char *tool, const cJSON *recipe,
			     const struct mote_text *calibration)
{
	cJSON *metadata = cJSON_Duplicate(mote_container_metadata(source), true);
	cJSON *lineage = metadata ? cJSON_GetObjectItemCaseSensitive(metadata, "lineage") : NULL;
	struct mote_json_builder b = {.failed = !metadata};

	if (metadata && !cJSON_IsArray(lineage)) /* a file that others made may have none */
		lineage = mote_json_add_array(&b, metadata, "lineage");
	put_step(&b, lineage, source, tool, recipe, calibration);
	return whole(&b, metadata);
}
