/* Reading the keys "ARCHITECTURE.name" of a GGUF file into an object like config.json. Internal to convert/gguf.
 */
#ifndef MOTE_CONVERT_GGUF_KEYS_H
#define MOTE_CONVERT_GGUF_KEYS_H

#include "convert/gguf/gguf_families.h"
#include "format/json.h"

/* The first failure is in status and error; after it nothing happens any more. */
struct mote_gguf_reading {
	const struct mote_gguf *g;
	const struct mote_gguf_family *family;
	cJSON *out;
	struct mote_error *error;
	enum mote_status status;
};

/* Takes the item, which may be NULL when memory is gone; as does every other function here that adds something. */
void mote_gguf_add(struct mote_gguf_reading *r, const char *key, cJSON *item);

/* The value of a key, into the object as `key` unless that is NULL. Absent: the fallback, which is added too.
 * need_*: absent is MOTE_ERROR_CORRUPT. */
uint32_t mote_gguf_copy_u32(struct mote_gguf_reading *r, const char *name, const char *key, uint32_t fallback);
uint32_t mote_gguf_need_own_u32(struct mote_gguf_reading *r, const char *name, const char *key);
double mote_gguf_copy_double(struct mote_gguf_reading *r, const char *name, const char *key, double fallback);
bool mote_gguf_own_bool(struct mote_gguf_reading *r, const char *name, bool fallback); /* added nowhere */
bool mote_gguf_has(const struct mote_gguf_reading *r, const char *name);

/* MOTE_ERROR_UNSUPPORTED, with the key's full name. */
void mote_gguf_refuse(struct mote_gguf_reading *r, const char *name, const char *why);

/* Numbers were f32 when they were written: the shortest decimal that is the same f32 is what they had been before.
 * Where what was written is the number times a factor: the shortest one whose product is the same f32. */
double mote_gguf_shortest(double x);
double mote_gguf_shortest_factor(double product, double factor);

/* gguf_rope.c: "rope_theta", "rope_scaling" and what goes with them. */
void mote_gguf_rope_read(struct mote_gguf_reading *r, const struct mote_source *source, uint32_t head_dim,
			 uint32_t positions);

#endif
