/* Random numbers of training: splitmix64 (Steele, Lea and Flood 2014). The state is one number, which a training's
 * state on disk holds, or which is made anew from seed and step. */
#ifndef MOTE_QUANT_RANDOM_H
#define MOTE_QUANT_RANDOM_H

#include <stdint.h>

static inline uint64_t mote_random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* The state after n numbers. */
static inline uint64_t mote_random_skip(uint64_t state, uint64_t n)
{
	return state + n * 0x9e3779b97f4a7c15u;
}

/* Uniform in [-1, 1), in steps of 2^-23: exact. */
static inline float mote_random_uniform(uint64_t *state)
{
	return (float)(int32_t)(mote_random_next(state) >> 40) * 0x1p-23f - 1;
}

#endif
