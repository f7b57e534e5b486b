/* Metadata before an export: see export_model.h. */
#include "convert/export_model.h"

#include <string.h>

static const struct mote_export_family families[] = {
	{"LlamaForCausalLM", "llama", "llama", NULL, true},
	{"Qwen2ForCausalLM", "qwen2", "qwen2", "qkv_bias", false},
	{"Qwen3ForCausalLM", "qwen3", "qwen3", "qk_head_norm", false},
};

static bool is_known(const char *key)
{
	static const char *const known[] = { "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
					     "head_dim", "intermediate_size", "vocab_size", "max_position_embeddings",
					     "rms_norm_eps", "tie_word_embeddings", "rope" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

enum mote_status mote_export_family(const struct mote_container *c, const char *target, const struct mote_export_family **out,
				    struct mote_error *error)
{
	const cJSON *model = mote_json_get(mote_container_metadata(c), "model"), *feature = NULL;
	const char *path = mote_container_path(c);

	*out = NULL;
	if (!model)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s holds no model (it was made with --vocab-only)", path);
	for (const cJSON *item = model->child; item; item = item->next) {
		if (cJSON_IsNull(item) || cJSON_IsFalse(item) || is_known(item->string))
			continue;
		if (feature)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: a model with \"%s\" and \"%s\" is not written as %s", path,
					      feature->string, item->string, target);
		feature = item;
	}
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (feature ? cJSON_IsTrue(feature) && families[i].feature && !strcmp(feature->string, families[i].feature) :
			      !families[i].feature)
			*out = &families[i];
	if (*out)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: a model with \"%s\" is not written as %s", path,
			      feature ? feature->string : "", target);
}
