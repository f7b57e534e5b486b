/* For fuzzers that need a whole model: the fixture, converted once. */
#ifndef MOTE_TESTS_FUZZ_MODEL_H
#define MOTE_TESTS_FUZZ_MODEL_H

#include "convert/checkpoint.h"
#include "runtime/api/mote.h"
#include "tests/fuzz/fuzz_files.h"

static const char *fuzz_model_path(void)
{
	static char path[128];
	struct mote_checkpoint_options options = {.tool = "fuzz", .keep_types = true, .one_thread = true};

	if (!path[0] && mote_checkpoint_convert("tests/fixtures/adder", fuzz_path(path, "adder.mote"), &options,
						NULL, NULL))
		abort();
	return path;
}

static inline const struct mote_lm *fuzz_lm(void)
{
	static struct mote_lm *lm;

	if (!lm && mote_lm_open(fuzz_model_path(), NULL, &lm, NULL))
		abort();
	return lm;
}

#endif
