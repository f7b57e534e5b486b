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

void mote_rope_frequencies(const struct mote_config *config, double *frequency)
{
	for (uint32_t i = 0; i < config->head_dim / 2; i++) {
		double f = mote_exact_pow(config->rope_theta, -2.0 * (double)i / (double)config->head_dim);

		switch (config->rope_kind) {
		case MOTE_ROPE_DEFAULT: frequency[i] = f; break;
		case MOTE_ROPE_LINEAR: frequency[i] = f / config->rope_factor; break;
		case MOTE_ROPE_LLAMA3: frequency[i] = scale_llama3(config, f); break;
		}
	}
}

void mote_rope_rotation(const double *frequency, uint32_t n, uint32_t position, float *cosine, float *sine)
{
	for (uint32_t i = 0; i < n; i++) {
		double angle = (double)position * frequency[i];

		cosine[i] = (float)mote_exact_cos(angle);
		sine[i] = (float)mote_exact_sin(angle);
	}
}
