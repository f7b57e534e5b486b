/* Rotary position embedding: the frequencies of a model and the rotation of a position. Doubles until the end and
 * own elementary functions, so that the tables are the same on every machine.
 */
#ifndef MOTE_RUNTIME_ROPE_H
#define MOTE_RUNTIME_ROPE_H

#include "runtime/model/config.h"

/* Positions beyond this would leave the range in which sines are exact. */
#define MOTE_ROPE_MAX_POSITIONS 1000000u

/* frequency[head_dim / 2]: radians a position, scaling applied. */
void mote_rope_frequencies(const struct mote_config *config, double *frequency);

/* cosine, sine [n] of position * frequency[i]. */
void mote_rope_rotation(const double *frequency, uint32_t n, uint32_t position, float *cosine, float *sine);

#endif
