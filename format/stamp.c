/* A container written again with one section of its own: see mote_container_stamp() in writer.h. */
#include <stdlib.h>
#include <string.h>

#include "format/writer_state.h"

/* Written and hashed while it is in the cache. */
#define COPY_BYTES (256u << 10)

/* Everything of c but one section. */
static enum mote_status copy_container(struct mote_writer *w, const struct mote_container *c,
				       enum mote_section except, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; status == MOTE_OK && i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		const uint8_t *data = t->rank == 1 ? (const uint8_t *)t->vector : t->matrix.data;

		status = mote_writer_add_tensor(w, t->name, t->rank, t->type, t->rows, t->cols, t->matrix.codebook,
						error);
		for (uint64_t at = 0; status == MOTE_OK && at < t->bytes; at += COPY_BYTES)
			status = mote_writer_write(w, data + at,
						   t->bytes - at < COPY_BYTES ? t->bytes - at : COPY_BYTES, error);
		/* A new checksum over damaged data would hide the damage. */
		if (status == MOTE_OK && memcmp(&w->tensors[i].hash, &t->hash, sizeof t->hash) != 0)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%s\": checksum does not match",
						w->target, t->name);
	}
	for (uint32_t i = 0; status == MOTE_OK && i < mote_container_section_count(c); i++) {
		const struct mote_section_info *s = mote_container_section_info(c, i);
		size_t bytes;
		const void *data = mote_container_section(c, (enum mote_section)s->kind, &bytes);
		void *copy;

		if (s->kind == MOTE_SECTION_TENSORS || s->kind == (uint32_t)except)
			continue;
		copy = malloc(bytes);
		if (!copy)
			return mote_writer_fail_memory(w, error);
		memcpy(copy, data, bytes);
		status = mote_writer_put_stored(w, s->kind, s->flags, copy, bytes, s->raw_bytes, error);
	}
	return status;
}

enum mote_status mote_container_stamp(const char *path, enum mote_section kind, const cJSON *json,
				      struct mote_error *error)
{
	struct mote_container *c;
	struct mote_writer *w = NULL;
	enum mote_status status = mote_container_open(path, &c, error);

	if (status == MOTE_OK)
		status = mote_writer_open(path, true, &w, error);
	if (status == MOTE_OK)
		status = copy_container(w, c, kind, error);
	if (status == MOTE_OK)
		status = mote_writer_put_json(w, kind, json, error);
	if (status == MOTE_OK)
		status = mote_writer_finish(w, error);
	mote_container_close(c);
	if (status == MOTE_OK)
		return mote_writer_commit(w, error);
	mote_writer_discard(w);
	return status;
}
