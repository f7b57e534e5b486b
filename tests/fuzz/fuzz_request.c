/* Fuzzes the bodies of HTTP requests: the first byte says which dialect. Either refused with a message, or prompts of
 * the vocabulary that fit, in a job within its bounds. What is refused without a model is so with one. */
#include "runtime/serve/ask.h"
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONTEXT = 200 };

static void check(const struct mote_ask *ask, uint32_t vocab)
{
	if (!(ask->job.sampling.temperature >= 0) || !ask->job.prompts || !ask->job.copies ||
	    ask->job.prompts * ask->job.copies > MOTE_ASK_MAX_CHOICES || ask->job.options.stops > MOTE_ASK_MAX_STOPS)
		abort();
	for (uint32_t i = 0; i < ask->job.prompts; i++) {
		if (!ask->prompt[i].count || ask->prompt[i].count > CONTEXT)
			abort();
		for (size_t k = 0; k < ask->prompt[i].count; k++)
			if (ask->prompt[i].ids[k] < 0 || (uint32_t)ask->prompt[i].ids[k] >= vocab)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mote_lm *lm = fuzz_lm();
	struct mote_error error = {0}, before = {0};
	struct mote_lm_info info;
	struct mote_ask ask;
	char *body;

	if (!size)
		return 0;
	mote_lm_describe(lm, &info);
	body = malloc(size); /* a NUL stands behind, as in a request */
	memcpy(body, data + 1, size - 1);
	body[size - 1] = 0;
	if (mote_ask_read(NULL, (enum mote_dialect)(data[0] % 4), body, size - 1, 0, &ask, &before) != MOTE_OK &&
	    !before.message[0])
		abort();
	mote_ask_free(&ask);
	if (mote_ask_read(lm, (enum mote_dialect)(data[0] % 4), body, size - 1, CONTEXT, &ask, &error) == MOTE_OK)
		check(&ask, info.vocab);
	else if (!error.message[0])
		abort();
	if (before.code && !error.code)
		abort();
	mote_ask_free(&ask);
	free(body);
	return 0;
}
