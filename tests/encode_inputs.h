/* Random weights for tests of encoders, and the types that have encoders of their own. */
#ifndef MOTE_TESTS_ENCODE_INPUTS_H
#define MOTE_TESTS_ENCODE_INPUTS_H

#include "quant/encode/encode_matrix.h"

static const enum mote_type types[] = {MOTE_Q3, MOTE_Q4, MOTE_Q5, MOTE_Q6, MOTE_Q8};
enum { TYPES = sizeof types / sizeof *types };

static uint64_t random_state;

static inline double random_unit(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (double)(random_state >> 11) * 0x1p-53;
}

static inline float random_normal(void)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += random_unit();
	return (float)(sum - 6);
}

#endif
