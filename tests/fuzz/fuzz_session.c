/* Fuzzes sessions of mote-run. The input is changes of a session that was saved, whose header is sealed again as the
 * first byte says; or, after 0, a conversation, before a state that was saved. Either refused with a message, and
 * nothing is given; or a conversation or a text, and the model computes on. */
#include <xxhash.h>

#include "runtime/run.h"
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 40, IDS = 20, MOST = 1 << 20 };

static const char conversation[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"1 + 2?\"}],\"tools\":[]}";
static uint8_t saved[MOST], changed[MOST];
static size_t saved_bytes;
static struct run run;

/* Saving a conversation needs the rest of mote-run, loading one does not. */
enum mote_status run_fail(const struct mote_lm_error *failed, struct mote_error *error)
{
	return mote_error_set(error, (enum mote_status)failed->status, "%s", failed->message);
}

enum mote_status run_encode(const struct run *r, const cJSON *messages, const cJSON *tools, bool to_be_answered,
			    struct run_turn *turn, struct mote_error *error)
{
	(void)r, (void)messages, (void)tools, (void)to_be_answered, (void)turn, (void)error;
	abort();
}

static int put(void *user, const void *data, size_t bytes)
{
	(void)user;
	if (bytes > MOST - saved_bytes)
		abort();
	memcpy(saved + saved_bytes, data, bytes);
	saved_bytes += bytes;
	return 0;
}

static void compute(size_t count)
{
	int32_t ids[IDS + 1];
	const float *logits;

	for (int i = 0; i <= IDS; i++)
		ids[i] = 3 + i % 7;
	if (mote_lm_logits(run.session, ids, count, &logits, NULL))
		abort();
	if (!saved_bytes && (put(NULL, changed, HEADER + sizeof conversation - 1) ||
			     mote_lm_session_save(run.session, ids, count, put, NULL, NULL)))
		abort();
}

/* The header in front of a conversation of so many bytes, with its checksums. */
static void seal(uint8_t *f, size_t bytes, uint64_t text_bytes)
{
	uint64_t field;

	if (bytes < HEADER)
		return;
	memcpy(f + 16, &text_bytes, 8);
	field = text_bytes <= bytes - HEADER ? XXH3_64bits(f + HEADER, text_bytes) : 0;
	memcpy(f + 24, &field, 8);
	field = XXH3_64bits(f, 32);
	memcpy(f + 32, &field, 8);
}

static void prepare(void)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;

	options.context_tokens = 32;
	options.threads = 1;
	run.lm = (struct mote_lm *)(uintptr_t)fuzz_lm();
	if (mote_lm_session_open(run.lm, &options, &run.session, NULL))
		abort();
	memcpy(changed, "MOTECHAT\1", 10);
	memcpy(changed + HEADER, conversation, sizeof conversation - 1);
	seal(changed, HEADER + sizeof conversation - 1, sizeof conversation - 1);
	compute(IDS);
}

static bool load(size_t bytes)
{
	struct mote_error error = {0};
	enum mote_status status;
	cJSON *json = NULL;
	char path[128];

	fuzz_write("session", changed, bytes);
	status = run_session_load(&run, fuzz_path(path, "session"), &json, &error);
	if (status ? !error.message[0] || json : !cJSON_IsObject(json))
		abort();
	cJSON_Delete(json);
	return status == MOTE_OK;
}

#ifdef FUZZER
/* What was saved is taken; cut at any place, or with a bit changed, it is not. */
#define FUZZ_SWEEP sweep
static void sweep(void)
{
	prepare();
	memcpy(changed, saved, saved_bytes);
	if (!load(saved_bytes))
		abort();
	for (size_t bytes = 0; bytes < saved_bytes; bytes += bytes < 300 ? 1 : 997)
		if (load(bytes))
			abort();
	for (size_t bit = 0; bit < 8 * saved_bytes; bit += bit < 2400 ? 1 : 4999) {
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (load(saved_bytes))
			abort();
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes, state = HEADER + sizeof conversation - 1;

	if (!saved_bytes)
		prepare();
	if (!size || size > 8192)
		return 0;
	if (data[0]) {
		memcpy(changed, saved, saved_bytes);
		bytes = fuzz_change(changed, saved_bytes, data + 1, size - 1);
		if (data[0] & 1)
			seal(changed, bytes, sizeof conversation - 1);
	} else {
		memcpy(changed, saved, HEADER);
		memcpy(changed + HEADER, data + 1, size - 1);
		memcpy(changed + HEADER + size - 1, saved + state, saved_bytes - state);
		bytes = saved_bytes - state + HEADER + size - 1;
		seal(changed, bytes, size - 1);
	}
	if (load(bytes))
		compute(IDS + 1);
	return 0;
}
