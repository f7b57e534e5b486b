/* Whether the tensors of a container are what their checksums say: see container.h. */
#include <xxhash.h>

#include "format/container.h"

enum mote_status mote_container_verify(const struct mote_container *c, const struct mote_progress *progress,
				       struct mote_error *error)
{
	const size_t step = 4u << 20; /* bytes between two calls of progress */
	XXH3_state_t *state = XXH3_createState();
	enum mote_status status = MOTE_OK;
	uint64_t begin, all;

	if (!state)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	mote_container_data_range(c, &begin, &all);
	for (uint32_t i = 0; status == MOTE_OK && i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		const uint8_t *data = t->rank == 1 ? (const uint8_t *)t->vector : t->matrix.data;
		XXH128_hash_t hash;

		XXH3_128bits_reset(state);
		for (uint64_t at = 0; status == MOTE_OK && at < t->bytes; at += step) {
			size_t n = t->bytes - at < step ? (size_t)(t->bytes - at) : step;

			XXH3_128bits_update(state, data + at, n);
			if (progress && !progress->update(progress->user, t->offset + at + n - begin, all))
				status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "%s: interrupted",
							mote_container_path(c));
		}
		hash = XXH3_128bits_digest(state);
		if (status == MOTE_OK && (hash.low64 != t->hash.low || hash.high64 != t->hash.high))
			status = mote_error_set(error, MOTE_ERROR_CORRUPT,
						"%s: tensor \"%s\" (%llu bytes at byte %llu): checksum does not match",
						mote_container_path(c), t->name, (unsigned long long)t->bytes,
						(unsigned long long)t->offset);
	}
	XXH3_freeState(state);
	return status;
}
