/* How the metadata spell a config: the tables that reading and writing share, and whoever names keys in a message. */
#ifndef MOTE_RUNTIME_CONFIG_KEYS_H
#define MOTE_RUNTIME_CONFIG_KEYS_H

#include <stddef.h>

#include "runtime/model/config.h"

/* A Llama, as every program since version 0.1 reads it; and whatever needs another key, each of which a reader must
 * understand. */
#define MOTE_ARCHITECTURE_LLAMA "llama"
#define MOTE_ARCHITECTURE_DECODER "decoder"

#define MOTE_ROPE_KINDS 6
extern const char *const mote_rope_kinds[MOTE_ROPE_KINDS]; /* by enum mote_rope_kind */

extern const char *const mote_llama_keys[]; /* of "model"; ends with NULL */

/* Numbers above 0; absent: 0. */
#define MOTE_NUMBER_KEYS 8
extern const struct mote_number_key {
	const char *key;
	size_t offset; /* of a double in struct mote_config */
} mote_number_keys[MOTE_NUMBER_KEYS];

/* Booleans; absent: false. */
#define MOTE_FEATURE_KEYS 10
extern const struct mote_feature_key {
	const char *key;
	enum mote_feature feature;
} mote_feature_keys[MOTE_FEATURE_KEYS];

/* Lists of layers; absent: none. */
#define MOTE_LAYER_KEYS 3
extern const struct mote_layer_key {
	const char *key;
	enum mote_layer_kind kind;
} mote_layer_keys[MOTE_LAYER_KEYS];

#endif
