/* Metadata before an export: see export_model.h. */
#include "convert/export_model.h"

#include <string.h>

enum mote_status mote_export_check_model(const struct mote_container *c, const char *target, struct mote_error *error)
{
	static const char *const known[] = { "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
					     "head_dim", "intermediate_size", "vocab_size", "max_position_embeddings",
					     "rms_norm_eps", "tie_word_embeddings", "rope" };
	const cJSON *metadata = mote_container_metadata(c), *model = mote_json_get(metadata, "model");
	const cJSON *architecture = mote_json_get(metadata, "architecture");

	if (!model)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s holds no model (it was made with --vocab-only)",
				      mote_container_path(c));
	if (!cJSON_IsString(architecture) || strcmp(architecture->valuestring, "llama"))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: architecture \"%s\" is not written as %s",
				      mote_container_path(c), cJSON_IsString(architecture) ? architecture->valuestring : "", target);
	for (const cJSON *item = model->child; item; item = item->next) {
		bool found = cJSON_IsNull(item) || cJSON_IsFalse(item);

		for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
			found = strcmp(item->string, known[i]) == 0;
		if (!found)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: a model with \"%s\" is not written as %s",
					      mote_container_path(c), item->string, target);
	}
	return MOTE_OK;
}
