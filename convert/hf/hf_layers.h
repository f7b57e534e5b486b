/* Which layers of config.json have a window, and how long it is. Internal to convert/hf. What is wrong is
 * MOTE_ERROR_CORRUPT; MOTE_ERROR_UNSUPPORTED: a kind of layer that is neither full nor sliding.
 */
#ifndef MOTE_CONVERT_HF_LAYERS_H
#define MOTE_CONVERT_HF_LAYERS_H

#include "format/json.h"
#include "runtime/model/config.h"

/* "layer_types" in place of the kinds that the layers have; absent: they keep them. */
enum mote_status mote_hf_layer_types_read(const cJSON *config, struct mote_config *c, struct mote_error *error);
/* "sliding_window" in positions; null: 0, none. */
enum mote_status mote_hf_window_read(const cJSON *config, int64_t absent, uint32_t *window, struct mote_error *error);
/* Reads layer_types and sets the window; of a window that no position reaches beyond nothing stays.
 * all: every layer has it unless layer_types differs. */
enum mote_status mote_hf_window_set(const cJSON *config, struct mote_config *c, uint32_t window, bool all,
				    struct mote_error *error);

#endif
