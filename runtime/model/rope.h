/* Rotary position embedding: the frequencies of a model and the rotation of a position. Doubles until the end and
 * own elementary functions, so that the tables are the same on every machine.
 */
#ifndef MOTE_RUNTIME_ROPE_H
#define MOTE_RUNTIME_ROPE_H

#include "runtime/model/config.h"
#include "runtime/model/layer.h"

/* Positions beyond this would leave the range in which sines are exact. */
#define MOTE_ROPE_MAX_POSITIONS 1000000u

/* Half of the dimensions of a head that are rotated: so many frequencies there are. */
uint32_t mote_rope_half(const struct mote_config *config);

/* frequency[mote_rope_half()]: radians a position, scaling applied. The rotation of layers without one has zeros.
 * context: tokens that a sequence may grow to, which dynamic and longrope depend on. */
void mote_rope_frequencies(const struct mote_config *config, enum mote_rotation rotation, uint32_t context,
			   double *frequency);

/* Contexts of which this is the same have the same frequencies: of most kinds all have. */
uint32_t mote_rope_kin(const struct mote_config *config, uint32_t context);

/* What sines and cosines are multiplied by. */
double mote_rope_scale(const struct mote_config *config, enum mote_rotation rotation);

/* cosine, sine [n] of position * frequency[i], times scale. */
void mote_rope_rotation(const double *frequency, uint32_t n, uint32_t position, double scale, float *cosine,
			float *sine);

#endif
