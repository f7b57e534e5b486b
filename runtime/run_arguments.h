/* mote-run's command line. */
#ifndef MOTE_RUNTIME_RUN_ARGUMENTS_H
#define MOTE_RUNTIME_RUN_ARGUMENTS_H

#include "runtime/model/session.h"
#include "runtime/generate/sampler.h"

#define MOTE_RUN "mote-run"

struct mote_run_arguments {
	const char *model, *prompt, *file, *system;
	bool raw, json, hide_reasoning, mapped, seed_given;
	uint32_t predict; /* 0: no limit */
	uint32_t logits;
	struct mote_session_options session;
	struct mote_sampler_options sampler; /* temperature etc. < 0: not given */
	int64_t top_k;                       /* -1: not given */
};

/* MOTE_OK with a->model NULL: --help or --version was answered. MOTE_ERROR_ARGUMENT with an empty error: getopt
 * has printed the message. */
enum mote_status mote_run_parse_arguments(int argc, char **argv, struct mote_run_arguments *a, struct mote_error *error);

#endif
