/* Parts: a measurement cut in shards, each written to a file by a process of its own, and joined again.
 *
 * A part is one JSON object in one line: {"part": tool, "version", "shard", "shards", "inputs": {...}, ..., "xxh3"}.
 * inputs says all that decides the results; only parts with the same inputs, by the same version, are of one whole.
 * xxh3 is the XXH3-128 of all bytes before its comma.
 */
#ifndef MOTE_QUANT_PART_H
#define MOTE_QUANT_PART_H

#include "format/container.h"
#include "format/json.h"
#include "format/json_build.h"

enum { MOTE_PART_SHARDS = 65536 }; /* most */

struct mote_shard {
	uint32_t index, count; /* 1 <= index <= count; 0 of 0: the whole */
};

/* "I/N". MOTE_ERROR_ARGUMENT. */
enum mote_status mote_shard_parse(const char *text, struct mote_shard *out, struct mote_error *error) MOTE_CHECKED;
/* The first of n items that is behind shard `index`; shard i has those from its predecessor's end to its own. */
uint32_t mote_shard_end(struct mote_shard shard, uint32_t index, uint32_t n);

/* A model as an input: the XXH3-128 of its hashes of tensors, metadata and tokenizer,
 * which is all that results depend on. */
void mote_part_hash_model(const struct mote_container *c, char hex[33]);

/* A whole measurement, of which parts are computed. */
struct mote_whole {
	const char *tool;
	const cJSON *inputs; /* borrowed */
	/* Computes the shard's share and adds it to part. */
	enum mote_status (*compute)(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
				    struct mote_error *error);
	void *user;
};
/* Computes a part: its text, which the caller frees. Statuses: MOTE_ERROR_MEMORY, and compute's. */
enum mote_status mote_part_compute(const struct mote_whole *w, struct mote_shard shard, char **text, size_t *bytes,
				   struct mote_error *error) MOTE_CHECKED;
/* Writes a part's text to path, whole or not at all. Statuses as mote_output_open(), mote_output_commit(). */
enum mote_status mote_part_store(const char *path, bool replace, const char *text, size_t bytes,
				 struct mote_error *error) MOTE_CHECKED;
/* Whether path is this part of the whole already. Without replace, what else is there is an error: MOTE_ERROR_CORRUPT.
 * Also fails when path cannot be written, as mote_output_open() does. */
enum mote_status mote_part_find(const struct mote_whole *w, struct mote_shard shard, const char *path, bool replace,
				bool *there, struct mote_error *error) MOTE_CHECKED;

/* All three: the part is computed and written, unless it is *there. */
enum mote_status mote_part_make(const struct mote_whole *w, struct mote_shard shard, const char *path, bool replace,
				bool *there, struct mote_error *error) MOTE_CHECKED;

/* A part of this tool and version; the caller frees *out with cJSON_Delete(). MOTE_ERROR_CORRUPT: no whole part, or
 * another tool's or version's. MOTE_ERROR_IO, MOTE_ERROR_LIMIT, MOTE_ERROR_MEMORY. On error *out is NULL. */
enum mote_status mote_part_read(const char *path, const char *tool, cJSON **out, struct mote_shard *shard,
				struct mote_error *error) MOTE_CHECKED;
/* MOTE_ERROR_CORRUPT when the part has other inputs; other names where they come from. */
enum mote_status mote_part_match(const char *path, const cJSON *part, const cJSON *inputs, const char *other,
				 struct mote_error *error) MOTE_CHECKED;

/* Reads all parts of a whole, in any order: part [n] becomes shard 1, 2 ... n. MOTE_ERROR_CORRUPT: one is missing, is
 * there twice, or has other inputs than the first path. The caller frees every part[i], also after an error. */
enum mote_status mote_parts_read(char *const *path, uint32_t n, const char *tool, cJSON **part,
				 struct mote_error *error) MOTE_CHECKED;

#endif
