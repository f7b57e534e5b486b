/* What a session holds of a text, out and in, for mote.h. */
#include "runtime/api/api_session.h"
#include "runtime/generate/scheduler_state.h"

struct sink {
	int (*write)(void *user, const void *data, size_t bytes);
	void *user;
};

struct source {
	int (*read)(void *user, void *data, size_t bytes);
	void *user;
};

static enum mote_status put(void *user, const void *data, size_t bytes, struct mote_error *error)
{
	const struct sink *o = user;

	return o->write(o->user, data, bytes) ? mote_error_set(error, MOTE_ERROR_IO,
							       "the state could not be written") : MOTE_OK;
}

static enum mote_status get(void *user, void *data, size_t bytes, struct mote_error *error)
{
	const struct source *in = user;
	int failed = in->read(in->user, data, bytes);

	if (failed == MOTE_LM_READ_END)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "the state ends too soon");
	return failed ? mote_error_set(error, MOTE_ERROR_IO, "the state could not be read") : MOTE_OK;
}

int mote_lm_session_save(struct mote_lm_session *s, const int32_t *ids, size_t count,
			 int (*write)(void *user, const void *data, size_t bytes), void *user,
			 struct mote_lm_error *error)
{
	struct sink out = {write, user};
	struct mote_error own = {0};

	return mote_scheduler_save(s->scheduler, ids, count, put, &out, &own) ? mote_api_fail(error, &own) : MOTE_LM_OK;
}

int mote_lm_session_load(struct mote_lm_session *s, int (*read)(void *user, void *data, size_t bytes), void *user,
			 struct mote_lm_error *error)
{
	struct source in = {read, user};
	struct mote_error own = {0};

	return mote_scheduler_load(s->scheduler, get, &in, &own) ? mote_api_fail(error, &own) : MOTE_LM_OK;
}
