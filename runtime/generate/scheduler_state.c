/* See scheduler_state.h. */
#include "runtime/generate/scheduler_state.h"

#include <stddef.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/generate/scheduler_internal.h"
#include "runtime/model/session_state.h"

static const char magic[8] = "MOTETEXT";

enum { VERSION = 1 };

/* As it lies on a little-endian machine, which is all that mote runs on. */
struct header {
	char magic[8];
	uint64_t version, ids;
	uint64_t ids_check; /* XXH3-64 */
	uint64_t check;     /* of all before it */
};

/* The free slot that holds most of the ids or, when none does or ids is NULL, was not used for longest. */
static struct mote_slot *find_free(struct mote_scheduler *s, const int32_t *ids, size_t count, uint32_t *held)
{
	struct mote_slot *best = NULL;

	*held = 0;
	mote_scheduler_sweep(s);
	for (uint32_t i = 0; i < s->slots; i++) {
		struct mote_slot *slot = &s->slot[i];
		uint32_t n = 0;

		if (slot->ticket)
			continue;
		while (ids && n < slot->held && n < count && slot->ids[n] == ids[n])
			n++;
		if (!best || n > *held || (n == *held && slot->last_used < best->last_used)) {
			best = slot;
			*held = n;
		}
	}
	return best;
}

enum mote_status mote_scheduler_save(struct mote_scheduler *s, const int32_t *ids, size_t count,
				     enum mote_status (*write)(void *user, const void *data, size_t bytes,
							       struct mote_error *error),
				     void *user, struct mote_error *error)
{
	struct header h = {.version = VERSION};
	enum mote_status status;
	struct mote_slot *slot;
	uint32_t held;

	slot = find_free(s, ids, count, &held);
	if (!slot)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a state cannot be saved while answers hold all sequences");
	if ((status = mote_session_trim(s->session, mote_scheduler_sequence(s, slot), held, error)))
		return status;
	slot->held = held;
	memcpy(h.magic, magic, sizeof magic);
	h.ids = held;
	h.ids_check = XXH3_64bits(slot->ids, held * sizeof *slot->ids);
	h.check = XXH3_64bits(&h, offsetof(struct header, check));
	if ((status = write(user, &h, sizeof h, error)) ||
	    (held && (status = write(user, slot->ids, held * sizeof *slot->ids, error))))
		return status;
	return mote_session_state_save(s->session, mote_scheduler_sequence(s, slot), write, user, error);
}

static enum mote_status check_header(const struct mote_scheduler *s, const struct header *h, struct mote_error *error)
{
	if (memcmp(h->magic, magic, sizeof magic) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "not a text's state: it does not begin with %.8s",
				      magic);
	if (h->check != XXH3_64bits(h, offsetof(struct header, check)))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a text's state: its header's checksum is wrong");
	if (h->version != VERSION)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "a text's state of version %llu; this mote knows %d",
				      (unsigned long long)h->version, VERSION);
	if (h->ids > s->context)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a text's state of %llu tokens; the context has %u",
				      (unsigned long long)h->ids, s->context);
	return MOTE_OK;
}

static enum mote_status check_ids(const struct mote_scheduler *s, const struct header *h, const int32_t *ids,
				  struct mote_error *error)
{
	if (h->ids_check != XXH3_64bits(ids, h->ids * sizeof *ids))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a text's state: the checksum of its tokens is wrong");
	for (uint64_t i = 0; i < h->ids; i++)
		if (ids[i] < 0 || (uint32_t)ids[i] >= s->vocab)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "a text's state of another model: token %d; the vocabulary has %u",
						ids[i],
					      s->vocab);
	return MOTE_OK;
}

enum mote_status mote_scheduler_load(struct mote_scheduler *s,
				     enum mote_status (*read)(void *user, void *data, size_t bytes,
							      struct mote_error *error),
				     void *user, struct mote_error *error)
{
	enum mote_status status;
	struct mote_slot *slot;
	struct header h;
	uint32_t index;

	slot = find_free(s, NULL, 0, &index);
	if (!slot)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a state cannot be loaded while answers hold all sequences");
	index = mote_scheduler_sequence(s, slot);
	slot->held = 0;
	if ((status = mote_session_trim(s->session, index, 0, error)) || (status = read(user, &h, sizeof h, error)) ||
	    (status = check_header(s, &h, error)) ||
	    (h.ids && (status = read(user, slot->ids, h.ids * sizeof *slot->ids, error))) ||
	    (status = check_ids(s, &h, slot->ids, error)) ||
	    (status = mote_session_state_load(s->session, index, read, user, error)))
		return status;
	if (mote_session_filled(s->session, index) != h.ids) {
		(void)mote_session_trim(s->session, index, 0, NULL);
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "a text's state: as many tokens as positions are expected");
	}
	slot->held = slot->count = (uint32_t)h.ids;
	slot->last_used = s->tickets;
	return MOTE_OK;
}
