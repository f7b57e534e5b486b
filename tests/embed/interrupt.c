/* A long prompt is interrupted by another thread: how long until the call returns, and does the session go on?
 *   interrupt MODEL [TOKENS]
 */
#include <mote.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct interrupter {
	struct mote_lm_session *session;
	double after, at;
};

static void *interrupt(void *user)
{
	struct interrupter *i = user;
	struct timespec wait = {.tv_sec = (time_t)i->after,
				.tv_nsec = (long)((i->after - (double)(time_t)i->after) * 1e9)};

	nanosleep(&wait, NULL);
	i->at = seconds();
	mote_lm_session_interrupt(i->session);
	return NULL;
}

/* Seconds from the interruption to the call's return; negative: it was done before. */
static double measure(struct mote_lm_session *s, const int32_t *ids, size_t n, double after)
{
	struct interrupter i = {s, after, 0};
	struct mote_lm_error error = {0, ""};
	const float *logits;
	pthread_t thread;
	double returned;
	int status;

	if (pthread_create(&thread, NULL, interrupt, &i))
		return -1;
	status = mote_lm_logits(s, ids, n, &logits, &error);
	returned = seconds();
	pthread_join(thread, NULL);
	return status == MOTE_LM_INTERRUPTED ? returned - i.at : -1;
}

int main(int argc, char **argv)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_lm_error error = {0, ""};
	struct mote_lm_session *s = NULL;
	struct mote_lm_info info;
	struct mote_lm *lm = NULL;
	const float *logits;
	float *first;
	double whole, worst = 0;
	int32_t *ids;
	size_t n;
	int interrupted = 0, failed = 0;

	if (argc < 2 || mote_lm_open(argv[1], NULL, &lm, &error))
		return 1;
	mote_lm_describe(lm, &info);
	n = argc > 2 ? strtoul(argv[2], NULL, 10) : info.max_tokens;
	ids = malloc(n * sizeof *ids);
	first = malloc(info.vocab * sizeof *first);
	if (!ids || !first || mote_lm_session_open(lm, &options, &s, &error))
		return 1;
	for (size_t i = 0; i < n; i++)
		ids[i] = (int32_t)(i * 7919 % info.vocab);
	whole = seconds();
	if (mote_lm_logits(s, ids, n, &logits, &error))
		return 1;
	whole = seconds() - whole;
	memcpy(first, logits, info.vocab * sizeof *first);
	for (int k = 1; k < 10; k++) {
		double took;

		ids[0] = k; /* nothing is held of it */
		took = measure(s, ids, n, whole * k / 10);
		interrupted += took >= 0;
		worst = took > worst ? took : worst;
	}
	ids[0] = 0;
	/* an interruption that came after the work was done waits for the next call, once */
	if (mote_lm_logits(s, ids, n, &logits, &error) && mote_lm_logits(s, ids, n, &logits, &error))
		failed = 1;
	else
		failed = memcmp(first, logits, info.vocab * sizeof *first) != 0;
	printf("%zu tokens in %.0f ms; %d of 9 interruptions within, the slowest took %.1f ms\n", n, whole * 1e3,
	       interrupted, worst * 1e3);
	mote_lm_session_close(s);
	mote_lm_close(lm);
	free(ids);
	free(first);
	printf("%d passed, %d failed\n", failed ? 0 : 1, failed);
	return failed;
}
