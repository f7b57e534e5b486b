/* mote-bench's command line. */
#ifndef MOTE_RUNTIME_BENCH_ARGUMENTS_H
#define MOTE_RUNTIME_BENCH_ARGUMENTS_H

#include "runtime/model/session.h"

#define MOTE_BENCH "mote-bench"

enum { MAX_LIST = 16, MAX_REPEATS = 100 };

struct mote_bench_list {
	uint32_t value[MAX_LIST], count;
};

struct mote_bench_arguments {
	const char *model;
	struct mote_bench_list prompts, predicts, depths, threads;
	uint32_t repeats;
	struct mote_session_options session;
	bool mapped, json, child; /* child: this process is the one whose start is timed */
};

/* MOTE_OK without a model when --help or --version was answered. MOTE_ERROR_ARGUMENT with an empty error when getopt
 * has printed the message. */
enum mote_status mote_bench_parse_arguments(int argc, char **argv, struct mote_bench_arguments *a, struct mote_error *error);

#endif
