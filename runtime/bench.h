/* What mote-bench measures and what it prints: its own files share this. */
#ifndef MOTE_RUNTIME_BENCH_H
#define MOTE_RUNTIME_BENCH_H

#include "format/tool/options.h"
#include "runtime/model/session.h"

enum {
	MAX_LIST = MOTE_OPTION_MAX_COUNTS,
	MAX_REPEATS = 100,
	MAX_STREAMS = 256,
	BATCH_ROWS = 512,
	FIRST_TOKEN_PROMPT = 32
};

struct bench_arguments {
	const char *model;
	struct mote_option_counts prompts, predicts, depths, threads, streams;
	uint32_t repeats;
	struct mote_session_options session;
	bool mapped, json, markdown, child; /* child: this process is the one whose start is timed */
};

struct result {
	const char *kind;
	uint32_t tokens, depth, threads, streams; /* tokens and depth of each stream */
	double rate, spread, share; /* tokens/s of all streams; relative; of the limit,
				     * 0 where none could be measured */
};

struct start {
	double first_token_ms, load_ms;             /* medians */
	double first_token_worst_ms, load_worst_ms;
	uint64_t peak_rss_bytes;
};

/* Of all threads together; operations count a multiply and an add as two. */
struct limits {
	double bandwidth, int8_rate, float_rate; /* bytes/s, operations/s */
	double *sample;                          /* of the bandwidth, which varies while others use the memory */
	uint32_t samples;
};

struct bench {
	struct bench_arguments *arguments;
	struct mote_model *model;
	uint64_t weight_bytes;
	const char *isa;
	struct limits limits[MAX_LIST];             /* by index in arguments->threads */
	struct result *result;                      /* [results], of room for all */
	uint32_t results;
	struct start start;
};

/* A session with one or more texts in it, and a batch's rows. */
struct texts {
	struct mote_session *session;
	int32_t *token;      /* [room] any ids: the time does not depend on them */
	uint32_t *position;  /* [room] 0, 1, 2 ... */
	uint32_t *sequence, *place; /* [BATCH_ROWS] */
	uint8_t *want;       /* [BATCH_ROWS] zeros, but while decoding */
	uint32_t room;
};

/* bench_texts.c: the batch's statuses, and MOTE_ERROR_INTERRUPTED. */

/* room: tokens of each text; options->sequences of them. */
enum mote_status bench_open_texts(struct texts *s, const struct mote_model *m,
				  const struct mote_session_options *options, uint32_t room, struct mote_error *error);
void bench_close_texts(struct texts *s); /* also what could not be opened */
/* Computes positions [begin, end) of one text, with the logits of the last only. */
enum mote_status bench_advance(struct texts *s, uint32_t sequence, uint32_t begin, uint32_t end,
			       struct mote_error *error);
/* One token of each of so many texts, the logits of all; tokens [begin, end) one after the other. */
enum mote_status bench_decode(struct texts *s, uint32_t streams, uint32_t begin, uint32_t end,
			      struct mote_error *error);

/* bench_start.c: b->start, from processes with these arguments; and what such a process does. */
enum mote_status bench_measure_start(struct bench *b, int argc, char **argv, struct mote_error *error);
enum mote_status bench_run_child(struct bench_arguments *a, struct mote_error *error);

/* mote-bench.c. values are sorted, n >= 1. */
double bench_median(double *values, uint32_t n);
enum mote_weights bench_weights(const struct bench_arguments *a);

/* bench_print.c. MOTE_ERROR_IO, MOTE_ERROR_MEMORY. */
enum mote_status bench_print(const struct bench *b, struct mote_error *error);

#endif
