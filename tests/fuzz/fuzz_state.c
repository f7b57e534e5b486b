/* Fuzzes what a scheduler's sequence is loaded from. The input is changes of a state that was saved, whose checksums
 * are made right again as the first byte says; or, after 0, the whole file. Either refused with a message, and the
 * sequence holds nothing; or it computes. */
#include <stdint.h>
#include <xxhash.h>

#include "runtime/generate/scheduler_state.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/same_bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IDS = 5, TEXT_HEADER = 40, STATE_HEADER = 88, MOST = 1 << 20 };

static struct random_model model;
static struct mote_session *session;
static struct mote_scheduler *scheduler;
static uint8_t saved[MOST], changed[MOST];
static size_t saved_bytes;

struct bytes {
	uint8_t *at;
	size_t left;
};

static enum mote_status put(void *user, const void *data, size_t bytes, struct mote_error *error)
{
	struct bytes *b = user;

	(void)error;
	if (bytes > b->left)
		abort();
	memcpy(b->at, data, bytes);
	b->at += bytes;
	b->left -= bytes;
	return MOTE_OK;
}

static enum mote_status get(void *user, void *data, size_t bytes, struct mote_error *error)
{
	struct bytes *b = user;

	if (bytes > b->left)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "the file ends");
	memcpy(data, b->at, bytes);
	b->at += bytes;
	b->left -= bytes;
	return MOTE_OK;
}

static int32_t end(void *user, const float *logits)
{
	*(float *)user = logits[0];
	return MOTE_ENDED;
}

static void run(const int32_t *ids, size_t count)
{
	float first = 0;
	struct mote_taker taker = {.take = end, .user = &first};
	uint64_t ticket;

	if (mote_scheduler_add(scheduler, ids, count, taker, &ticket, NULL) || mote_scheduler_step(scheduler, NULL))
		abort();
	while (mote_scheduler_answers(scheduler))
		if (mote_scheduler_step(scheduler, NULL))
			abort();
}

static void prepare(void)
{
	static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};
	static const int32_t ids[IDS] = {1, 2, 3, 4, 5};
	const struct mote_session_options options = {.context_tokens = 16, .threads = 1};
	const struct mote_scheduler_options schedule = {0};
	struct bytes out = {saved, sizeof saved};
	struct mote_error error = {0};

	random_model_init(&model, &odd_config, types, 4);
	if (mote_session_open(&model.model, &options, &session, &error) ||
	    mote_scheduler_open(session, &schedule, &scheduler, &error))
		abort();
	run(ids, IDS);
	if (mote_scheduler_save(scheduler, ids, IDS, put, &out, &error))
		abort();
	saved_bytes = sizeof saved - out.left;
	if (mote_scheduler_load(scheduler, get, &(struct bytes){saved, saved_bytes}, &error) ||
	    mote_session_filled(session, 0) != IDS)
		abort();
}

#ifdef FUZZER
/* Every length, and every bit of what was saved: none is taken. */
#define FUZZ_SWEEP sweep
static void sweep(void)
{
	struct mote_error error = {0};

	prepare();
	for (size_t bytes = 0; bytes < saved_bytes; bytes++)
		if (!mote_scheduler_load(scheduler, get, &(struct bytes){saved, bytes}, NULL))
			abort();
	for (size_t bit = 0; bit < 8 * saved_bytes; bit++) {
		saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!mote_scheduler_load(scheduler, get, &(struct bytes){saved, saved_bytes}, NULL) ||
		    mote_session_filled(session, 0))
			abort();
		saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (mote_scheduler_load(scheduler, get, &(struct bytes){saved, saved_bytes}, &error))
		abort();
}
#endif

static void seal(uint8_t *f, size_t bytes)
{
	uint64_t n, hash;
	XXH128_hash_t whole;
	uint8_t *state;

	if (bytes < TEXT_HEADER)
		return;
	memcpy(&n, f + 16, 8);
	if (n > (bytes - TEXT_HEADER) / 4)
		n = 0;
	hash = XXH3_64bits(f + TEXT_HEADER, n * 4);
	memcpy(f + 24, &hash, 8);
	hash = XXH3_64bits(f, 32);
	memcpy(f + 32, &hash, 8);
	state = f + TEXT_HEADER + n * 4;
	bytes -= TEXT_HEADER + n * 4;
	if (bytes < STATE_HEADER + sizeof whole)
		return;
	hash = XXH3_64bits(state, STATE_HEADER - 8);
	memcpy(state + STATE_HEADER - 8, &hash, 8);
	whole = XXH3_128bits(state, bytes - sizeof whole);
	memcpy(state + bytes - sizeof whole, &whole, sizeof whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t next[IDS + 1] = {1, 2, 3, 4, 5, 6};
	struct mote_error error = {0};
	struct bytes in = {changed, 0};

	if (!scheduler)
		prepare();
	if (!size || size > MOST)
		return 0;
	if (data[0]) {
		memcpy(changed, saved, saved_bytes);
		in.left = fuzz_change(changed, saved_bytes, data + 1, size - 1);
		if (data[0] & 1)
			seal(changed, in.left);
	} else {
		memcpy(changed, data + 1, size - 1);
		in.left = size - 1;
		seal(changed, in.left);
	}
	if (mote_scheduler_load(scheduler, get, &in, &error)) {
		if (!error.message[0] || mote_session_filled(session, 0))
			abort();
	}
	run(next, IDS + 1);
	return 0;
}
