#include "runtime/model/rope.h"

#include "runtime/kernels/exact.h"

#define TWO_PI 6.283185307179586477

/* Llama 3.1's scaling: wavelengths longer than the original context allows are stretched by the factor, short ones
 * stay, and between the two bounds the frequency is interpolated. */
static double scale_llama3(const struct mote_config *c, double frequency)
{
	double wavelength = TWO_PI / frequency, original = (double)c->rope_original_positions;
	double smooth;

	if (wavelength < original / c->rope_high_freq_factor)
		return frequency;
	if (wavelength > original / c->rope_low_freq_factor)
		return frequency / c->rope_factor;
	smooth = (original / wavelength - c->rope_low_freq_factor) /
		 (c->rope_high_freq_factor - c->rope_low_freq_factor);
	return (1 - smooth) * (frequency / c->rope_factor) + smooth * frequency;
}

/* The dimension, of dims, that turns so many times within the original context: yarn's formula (Peng et al., "YaRN:
 * Efficient Context Window Extension of Large Language Models", 2023, equation 15 solved for the dimension). */
static double dimension_of(const struct mote_config *c, uint32_t dims, double turns)
{
	return (double)dims * mote_exact_log((double)c->rope_original_positions / (turns * TWO_PI)) /
	       (2 * mote_exact_log(c->rope_theta));
}

/* Toward minus infinity; |x| is far below 2^31. */
static double round_down(double x)
{
	double whole = (double)(int32_t)x;

	return whole > x ? whole - 1 : whole;
}

/* Fast dimensions keep their frequency, slow ones are stretched by the factor, between the two bounds a ramp. */
static double scale_yarn(const struct mote_config *c, uint32_t dims, uint32_t i, double frequency)
{
	double low = dimension_of(c, dims, c->rope_beta_fast), high = dimension_of(c, dims, c->rope_beta_slow), ramp;

	if (!c->rope_no_truncate) {
		low = round_down(low);
		high = -round_down(-high);
	}
	low = low < 0 ? 0 : low;
	high = high > (double)dims - 1 ? (double)dims - 1 : high;
	high = high > low || high < low ? high : high + 0.001;
	ramp = ((double)i - low) / (high - low);
	ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
	return frequency / c->rope_factor * ramp + frequency * (1 - ramp);
}

/* The base of a context longer than the original one grows so that the slowest dimension turns as far as before. */
static double dynamic_theta(const struct mote_config *c, uint32_t dims, uint32_t context)
{
	double original = (double)c->rope_original_positions, length = (double)context;

	if (length <= original)
		return c->rope_theta;
	return c->rope_theta * mote_exact_pow(c->rope_factor * length / original - (c->rope_factor - 1),
					      (double)dims / (double)(dims - 2));
}

uint32_t mote_rope_half(const struct mote_config *config)
{
	return (config->rotary_dim ? config->rotary_dim : config->head_dim) / 2;
}

void mote_rope_frequencies(const struct mote_config *c, enum mote_rotation rotation, uint32_t context,
			   double *frequency)
{
	uint32_t half = mote_rope_half(c), dims = 2 * half;
	enum mote_rope_kind kind = rotation == MOTE_ROTATION ? c->rope_kind : MOTE_ROPE_DEFAULT;
	double theta = rotation == MOTE_ROTATION_LOCAL ? c->rope_local_theta : c->rope_theta;

	if (kind == MOTE_ROPE_DYNAMIC)
		theta = dynamic_theta(c, dims, context);
	for (uint32_t i = 0; i < half; i++) {
		double f = mote_exact_pow(theta, -2.0 * (double)i / (double)dims);

		if (rotation == MOTE_ROTATION_NONE)
			f = 0;
		switch (kind) {
		case MOTE_ROPE_DEFAULT:
		case MOTE_ROPE_DYNAMIC: break;
		case MOTE_ROPE_LINEAR: f = f / c->rope_factor; break;
		case MOTE_ROPE_LLAMA3: f = scale_llama3(c, f); break;
		case MOTE_ROPE_YARN: f = scale_yarn(c, dims, i, f); break;
		case MOTE_ROPE_LONGROPE:
			f /= context > c->rope_original_positions ? c->rope_long_factor[i] : c->rope_short_factor[i];
			break;
		}
		frequency[i] = f;
	}
}

uint32_t mote_rope_kin(const struct mote_config *c, uint32_t context)
{
	if (context <= c->rope_original_positions)
		return 0;
	return c->rope_kind == MOTE_ROPE_DYNAMIC ? context : c->rope_kind == MOTE_ROPE_LONGROPE;
}

double mote_rope_scale(const struct mote_config *config, enum mote_rotation rotation)
{
	return rotation == MOTE_ROTATION && config->rope_attention_factor > 0 ? config->rope_attention_factor : 1;
}

void mote_rope_rotation(const double *frequency, uint32_t n, uint32_t position, double scale, float *cosine,
			float *sine)
{
	for (uint32_t i = 0; i < n; i++) {
		double angle = (double)position * frequency[i];

		cosine[i] = (float)(mote_exact_cos(angle) * scale);
		sine[i] = (float)(mote_exact_sin(angle) * scale);
	}
}
