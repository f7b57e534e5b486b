/* Windows of layers: see hf_layers.h. */
#include "convert/hf/hf_layers.h"

#include <string.h>

#include "convert/hf/hf_families.h"

enum mote_status mote_hf_layer_types_read(const cJSON *config, struct mote_config *c, struct mote_error *error)
{
	const cJSON *list = mote_json_get(config, "layer_types"), *item;
	uint32_t i = 0;

	if (!list || cJSON_IsNull(list))
		return MOTE_OK;
	memset(c->layer_kind, 0, sizeof c->layer_kind);
	cJSON_ArrayForEach(item, list)
	{
		const char *name = cJSON_IsString(item) ? item->valuestring : "";

		if (strcmp(name, "full_attention") && strcmp(name, "sliding_attention"))
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      MOTE_HF_WHERE ": \"layer_types\": \"%s\"; only "
					      "\"full_attention\" and \"sliding_attention\" are supported", name);
		if (i < c->layers && *name == 's')
			c->layer_kind[i] = MOTE_LAYER_WINDOW;
		i++;
	}
	if (!cJSON_IsArray(list) || i < c->layers)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, MOTE_HF_WHERE ": \"layer_types\" is no list of %u "
				      "names", c->layers);
	return MOTE_OK;
}

enum mote_status mote_hf_window_read(const cJSON *config, int64_t absent, uint32_t *window, struct mote_error *error)
{
	const cJSON *item = mote_json_get(config, "sliding_window");
	int64_t given = item && cJSON_IsNull(item) ? 0 : absent;

	if (item && !cJSON_IsNull(item) &&
	    (!mote_json_integer(item, &given) || given < 0 || given > (int64_t)MOTE_MAX_POSITIONS))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      MOTE_HF_WHERE ": \"sliding_window\" is no integer of 0 to %u",
				      MOTE_MAX_POSITIONS);
	*window = (uint32_t)given;
	return MOTE_OK;
}

enum mote_status mote_hf_window_set(const cJSON *config, struct mote_config *c, uint32_t window, bool all,
				   struct mote_error *error)
{
	enum mote_status status;
	bool any = false;

	for (uint32_t i = 0; i < c->layers && all; i++)
		c->layer_kind[i] = MOTE_LAYER_WINDOW;
	status = mote_hf_layer_types_read(config, c, error);
	if (status)
		return status;
	for (uint32_t i = 0; i < c->layers; i++)
		any = any || (c->layer_kind[i] & MOTE_LAYER_WINDOW);
	if (any && window == 0 && mote_json_get(config, "layer_types") && !all)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      MOTE_HF_WHERE ": \"layer_types\" has \"sliding_attention\", but there is no "
				      "\"sliding_window\"");
	if (window == 0 || window >= c->max_positions || !any)
		for (uint32_t i = 0; i < c->layers; i++)
			c->layer_kind[i] = (uint8_t)(c->layer_kind[i] & ~MOTE_LAYER_WINDOW);
	else
		c->window = window;
	return MOTE_OK;
}
