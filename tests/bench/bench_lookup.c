/* What lookup saves and costs: answers whose tokens are given, with and without it in turn; asserts nothing.
 *
 *   cc -O2 -std=c11 -D_GNU_SOURCE -I. tests/bench/bench_lookup.c build/release/libmote.a $(pkg-config --libs libzstd \
 *      libcjson libutf8proc libxxhash libpcre2-8) -lm -pthread && ./a.out MODEL.mote TEXT THREADS
 *
 * The prompt is TEXT's first 400 tokens. prose: the 400 behind them. quote: runs of 8 to 40 tokens out of the prompt,
 * with 6 of TEXT's later ones between two. again: 60 of TEXT's later tokens over and over, a twelfth of them changed
 * each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/api/mote.h"

enum { PROMPT = 400, ANSWER = 400, RUNS = 5 };

static int one_thread;

struct given {
	int32_t id[ANSWER];
	size_t next;
};

static void force(void *user, float *logits, uint32_t vocab)
{
	struct given *g = user;
	(void)vocab;

	logits[g->id[g->next++]] = 1e9f;
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static void make(struct given *g, int kind, const int32_t *text)
{
	size_t n = 0, later = PROMPT;

	while (n < ANSWER && kind == 0)
		g->id[n] = text[PROMPT + n], n++;
	while (n < ANSWER && kind == 1) {
		uint32_t length = 8 + random_below(33), from = random_below(PROMPT - 40);

		for (uint32_t i = 0; i < length && n < ANSWER; i++)
			g->id[n++] = text[from + i];
		for (uint32_t i = 0; i < 6 && n < ANSWER; i++)
			g->id[n++] = text[later++];
	}
	for (; n < ANSWER && kind == 2; n++)
		g->id[n] = random_below(12) ? text[PROMPT + n % 60] : text[PROMPT + 60 + random_below(300)];
}

static void fail(const struct mote_lm_error *error)
{
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

/* CPU seconds of this process: on one thread, a measure that other processes disturb little. */
static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Tokens a second behind the first, by the clock; with one thread, of CPU time. */
static double answer(struct mote_lm_session *s, struct given *g, const int32_t *text, uint64_t *made, uint64_t *right)
{
	struct mote_lm_answer_options o = MOTE_LM_ANSWER_OPTIONS_INIT;
	struct mote_lm_sampling sampling = {.struct_bytes = sizeof sampling, .top_p = 1, .typical_p = 1,
					    .repeat_penalty = 1};
	struct mote_lm_answer_info info;
	struct mote_lm_event event = {0};
	struct mote_lm_error error = {0};
	struct mote_lm_answer *a;
	double began = 0;

	g->next = 0;
	o.prompt = text;
	o.prompt_tokens = PROMPT;
	o.sampling = &sampling;
	o.max_tokens = ANSWER;
	o.ignore_end = 1;
	o.mask = force;
	o.user = g;
	if (mote_lm_answer_open(s, &o, &a, &error))
		fail(&error);
	while (event.kind != MOTE_LM_EVENT_END)
		if (mote_lm_answer_next(a, &event, &error))
			fail(&error);
		else if (!began)
			began = cpu_seconds();
	mote_lm_answer_describe(a, &info);
	mote_lm_answer_guesses(a, made, right);
	if (info.tokens != ANSWER || memcmp(info.ids, g->id, sizeof g->id) != 0)
		fail(&(struct mote_lm_error){1, "other tokens than were given"});
	mote_lm_answer_close(a);
	if (one_thread)
		return (ANSWER - 1) / (cpu_seconds() - began);
	return (ANSWER - 1) / info.predict_seconds;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const char *const name[] = {"prose", "quote", "again"};
	static char bytes[1 << 16];
	struct mote_lm_session_options o = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_lm_session *s[2];
	struct mote_lm_error error = {0};
	struct mote_lm *lm;
	int32_t *text;
	size_t count;
	FILE *f = argc == 4 ? fopen(argv[2], "rb") : NULL;

	if (!f || mote_lm_open(argv[1], NULL, &lm, &error) ||
	    mote_lm_encode(lm, bytes, fread(bytes, 1, sizeof bytes, f), MOTE_LM_PLAIN, &text, &count, &error) ||
	    count < 1200)
		fail(&error);
	o.threads = (uint32_t)atoi(argv[3]);
	one_thread = o.threads == 1;
	o.context_tokens = 1024;
	for (int i = 0; i < 2; i++) {
		o.no_lookup = !i;
		if (mote_lm_session_open(lm, &o, &s[i], &error))
			fail(&error);
	}
	for (int kind = 0; kind < 3; kind++) {
		double speed[2][RUNS], ratio[RUNS];
		uint64_t made[2], right[2];
		struct given g;

		make(&g, kind, text);
		for (int r = -1; r < RUNS; r++)
			for (int k = 0, i = r & 1; k < 2; k++, i ^= 1) {
				double found = answer(s[i], &g, text, &made[i], &right[i]);

				if (r >= 0)
					speed[i][r] = found;
			}
		for (int r = 0; r < RUNS; r++)
			ratio[r] = speed[1][r] / speed[0][r];
		qsort(ratio, RUNS, sizeof *ratio, by_value);
		qsort(speed[0], RUNS, sizeof **speed, by_value);
		qsort(speed[1], RUNS, sizeof **speed, by_value);
		printf("%s: without %.0f tokens/s, with %.0f; ratio %.3f (%.3f to %.3f); %llu of %llu guesses right\n",
		       name[kind], speed[0][RUNS / 2], speed[1][RUNS / 2], ratio[RUNS / 2], ratio[0], ratio[RUNS - 1],
		       (unsigned long long)right[1], (unsigned long long)made[1]);
	}
	return 0;
}
