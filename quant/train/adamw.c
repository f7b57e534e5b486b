/* AdamW: see adamw.h. */
#include "quant/train/adamw.h"

#include "runtime/kernels/exact.h"

enum { LANES = 8 };

static double root(double x)
{
	return x > 0 ? mote_exact_pow(x, 0.5) : 0;
}

struct mote_adamw_step mote_adamw_begin(const struct mote_adamw *a, double lr, uint64_t step, double scale)
{
	double t = (double)step;

	return (struct mote_adamw_step){.rate = (float)(lr / (1 - mote_exact_pow(a->beta1, t))),
					.decay = (float)(1 - lr * a->weight_decay), .beta1 = (float)a->beta1,
					.beta2 = (float)a->beta2, .rest1 = (float)(1 - a->beta1),
					.rest2 = (float)(1 - a->beta2),
					.root = (float)root(1 - mote_exact_pow(a->beta2, t)),
					.epsilon = (float)a->epsilon, .scale = (float)scale};
}

void mote_adamw_update(const struct mote_adamw_step *s, float *w, float *m, float *v, const float *g, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float d = g[i] * s->scale;

		m[i] = s->beta1 * m[i] + s->rest1 * d;
		v[i] = s->beta2 * v[i] + s->rest2 * (d * d);
		w[i] = w[i] * s->decay - s->rate * m[i] / (mote_exact_sqrtf(v[i]) / s->root + s->epsilon);
	}
}

double mote_schedule_cosine(uint64_t step, uint64_t steps, uint64_t warm_up, double floor)
{
	double way;

	if (step < warm_up)
		return (double)step / (double)warm_up;
	if (steps <= warm_up)
		return 1;
	way = (double)(step - warm_up) / (double)(steps - warm_up);
	way = way > 1 ? 1 : way;
	return floor + (1 - floor) * 0.5 * (1 + mote_exact_cos(3.14159265358979323846 * way));
}

void mote_clip_add(const float *g, size_t n, double *sum)
{
	double lane[LANES] = {0};

	for (size_t i = 0; i < n; i++)
		lane[i % LANES] += (double)g[i] * (double)g[i];
	for (int half = LANES / 2; half > 0; half /= 2)
		for (int j = 0; j < half; j++)
			lane[j] += lane[j + half];
	*sum += lane[0];
}

double mote_clip_scale(double squared_norm, double most)
{
	double norm = root(squared_norm);

	return norm > most ? most / (norm + 1e-6) : 1;
}
