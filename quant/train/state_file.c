/* States on disk: see state_file.h. */
#include "quant/train/state_file.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

/* ---- writing ---- */

void mote_state_create(struct mote_state_writer *w, const char *path, struct mote_error *error)
{
	*w = (struct mote_state_writer){.hash = XXH3_createState(), .error = error};
	w->status = mote_output_open(path, true, &w->output, error);
	if (w->status == MOTE_OK && (!w->hash || XXH3_128bits_reset(w->hash) != XXH_OK))
		w->status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
}

void mote_state_put(struct mote_state_writer *w, const void *data, size_t bytes)
{
	if (w->status)
		return;
	w->status = mote_output_write_at(w->output, data, bytes, w->at, w->error);
	XXH3_128bits_update(w->hash, data, bytes);
	w->at += bytes;
}

enum mote_status mote_state_commit(struct mote_state_writer *w)
{
	XXH128_hash_t hash;

	if (w->status == MOTE_OK) {
		hash = XXH3_128bits_digest(w->hash);
		w->status = mote_output_write_at(w->output, &hash, sizeof hash, w->at, w->error);
	}
	XXH3_freeState(w->hash);
	w->hash = NULL;
	if (w->status == MOTE_OK)
		return mote_output_commit(w->output, w->error);
	mote_output_discard(w->output);
	return w->status;
}

/* ---- reading ---- */

enum mote_status mote_state_open(struct mote_state_reader *r, const char *path, struct mote_error *error)
{
	*r = (struct mote_state_reader){.file = fopen(path, "rb"), .path = path, .hash = XXH3_createState()};
	if (!r->file)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	if (!r->hash || XXH3_128bits_reset(r->hash) != XXH_OK)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	return MOTE_OK;
}

static enum mote_status get(struct mote_state_reader *r, void *data, size_t bytes, struct mote_error *error)
{
	errno = 0;
	if (fread(data, 1, bytes, r->file) == bytes)
		return MOTE_OK;
	return ferror(r->file) ? mote_error_set(error, MOTE_ERROR_IO, "%s: %s", r->path, strerror(errno)) :
	       mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the state ends too early", r->path);
}

enum mote_status mote_state_get(struct mote_state_reader *r, void *data, size_t bytes, struct mote_error *error)
{
	enum mote_status status = get(r, data, bytes, error);

	if (status == MOTE_OK)
		XXH3_128bits_update(r->hash, data, bytes);
	return status;
}

enum mote_status mote_state_check(struct mote_state_reader *r, struct mote_error *error)
{
	XXH128_hash_t computed = XXH3_128bits_digest(r->hash), stored;
	enum mote_status status = get(r, &stored, sizeof stored, error);

	if (status == MOTE_OK && (!XXH128_isEqual(stored, computed) || fgetc(r->file) != EOF))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: checksum does not match", r->path);
	return status;
}

void mote_state_close(struct mote_state_reader *r)
{
	XXH3_freeState(r->hash);
	if (r->file)
		fclose(r->file);
	*r = (struct mote_state_reader){0};
}
