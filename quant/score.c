/* Scoring of one row: see score.h.
 *
 * With x the reference's logits and y the model's, mx and my their maxima, Sx = sum exp(x - mx) and Sy alike:
 *   -log q(t) = log Sy - (y_t - my)
 *   D(p||q)   = sum p (log p - log q) = sum exp(x - mx) ((x - mx) - (y - my)) / Sx - log Sx + log Sy
 * so one walk over both rows is enough. x - mx of two floats is exact in double or nearly so, and double leaves
 * divergences of 1e-12 visible, where floats would drown 1e-6.
 */
#include "quant/score.h"

#include <string.h>

#include "format/half.h"
#include "runtime/kernels/exact.h"

/* Two doubles: what every 64-bit machine has in a register. Four of them are the eight lanes. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t pair_bits __attribute__((vector_size(16)));
typedef float floats2 __attribute__((vector_size(8)));

enum { LANES = 8, PAIRS = LANES / 2 };

struct lanes {
	pair p[PAIRS];
};

/* exp(x) for x <= 0, relative error below 3e-16; what is below -708 counts as -708, nothing beside the
 * maximum's 1. The scheme of mote_exact_exp(), without its branches. */
static inline pair exp_pair(pair x)
{
	const pair lowest = { -708.0, -708.0 }, magic = { 0x1.8p52, 0x1.8p52 };
	pair_bits keep = x > lowest;
	pair shifted, n, r, s, p, low, middle, high;

	x = (pair)(((pair_bits)x & keep) | ((pair_bits)lowest & ~keep));
	shifted = x * 0x1.71547652b82fep+0 + magic; /* the integer in the low bits */
	n = shifted - magic;
	r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
	/* 1 + r + r^2/2 + ... + r^13/13!, in pairs of terms (Estrin): half the latency of Horner's rule. */
	s = r * r;
	low = (1.0 / 2 + r * (1.0 / 6)) + s * (1.0 / 24 + r * (1.0 / 120));
	middle = (1.0 / 720 + r * (1.0 / 5040)) + s * (1.0 / 40320 + r * (1.0 / 362880));
	high = (1.0 / 3628800 + r * (1.0 / 39916800)) + s * (1.0 / 479001600 + r * (1.0 / 6227020800));
	p = 1.0 + (r + s * (low + s * s * (middle + s * s * high)));
	return p * (pair)(((pair_bits)shifted + 1023) << 52);
}

static inline pair load(const float *x)
{
	floats2 f;
	memcpy(&f, x, sizeof f);
	return __builtin_convertvector(f, pair);
}

/* Lanes 0..7 as ((0+4)+(2+6)) + ((1+5)+(3+7)). */
static double total(const struct lanes *s)
{
	pair t = (s->p[0] + s->p[2]) + (s->p[1] + s->p[3]);
	return t[0] + t[1];
}

/* Adds n <= 8 logits from y (and x, or NULL) to the sums. */
static inline void add_lanes(const float *y, const float *x, double my, double mx, struct lanes *sy,
			     struct lanes *sx, struct lanes *difference)
{
	for (int i = 0; i < PAIRS; i++) {
		pair b = load(y + 2 * i) - my, a, e;

		sy->p[i] += exp_pair(b);
		if (x) {
			a = load(x + 2 * i) - mx;
			e = exp_pair(a);
			sx->p[i] += e;
			difference->p[i] += e * (a - b);
		}
	}
}

/* The place of the largest logit, the first of equals; false when one is NaN or infinite. Sixteen maxima side by
 * side, as one alone would wait for itself at every step. */
static bool find_largest(const float *x, uint32_t n, uint32_t *at)
{
	enum { WIDE = 16 };
	float most[WIDE], largest;
	uint32_t not_finite = 0, whole = n - n % WIDE;

	for (int lane = 0; lane < WIDE; lane++)
		most[lane] = x[0];
	for (uint32_t i = 0; i < whole; i += WIDE)
		for (int lane = 0; lane < WIDE; lane++)
			most[lane] = x[i + (uint32_t)lane] > most[lane] ? x[i + (uint32_t)lane] : most[lane];
	largest = x[0];
	for (int lane = 0; lane < WIDE; lane++)
		largest = most[lane] > largest ? most[lane] : largest;
	for (uint32_t i = whole; i < n; i++)
		largest = x[i] > largest ? x[i] : largest;
	for (uint32_t i = 0; i < n; i++) /* an exponent of all ones carries into the sign's place */
		not_finite |= (mote_f32_bits(x[i]) & 0x7f800000u) + 0x00800000u;
	if (not_finite >> 31)
		return false;
	for (*at = 0; x[*at] != largest; ++*at)
		;
	return true;
}

bool mote_score_row(const float *model, const float *reference, uint32_t vocab, int32_t target,
		    struct mote_score *out)
{
	struct lanes sy = { 0 }, sx = { 0 }, difference = { 0 };
	uint32_t top_y, top_x = 0, whole = vocab - vocab % LANES;
	float last_y[LANES], last_x[LANES];
	double my, mx, log_y, log_x;

	*out = (struct mote_score){ .target = target };
	if (!find_largest(model, vocab, &top_y) || (reference && !find_largest(reference, vocab, &top_x)))
		return false;
	my = (double)model[top_y];
	mx = reference ? (double)reference[top_x] : 0.0;
	for (uint32_t i = 0; i < whole; i += LANES)
		add_lanes(model + i, reference ? reference + i : NULL, my, mx, &sy, &sx, &difference);
	if (whole < vocab) { /* the last few, filled up with logits whose exp() is nothing */
		for (uint32_t i = 0; i < LANES; i++) {
			last_y[i] = whole + i < vocab ? model[whole + i] : -3e38f;
			last_x[i] = whole + i < vocab && reference ? reference[whole + i] : -3e38f;
		}
		add_lanes(last_y, reference ? last_x : NULL, my, mx, &sy, &sx, &difference);
	}
	log_y = mote_exact_log(total(&sy));
	out->nll = log_y - ((double)model[target] - my);
	if (reference) {
		double sum_x = total(&sx), kld;

		log_x = mote_exact_log(sum_x);
		out->reference_nll = log_x - ((double)reference[target] - mx);
		kld = total(&difference) / sum_x - log_x + log_y;
		out->kld = kld > 0.0 ? kld : 0.0; /* rounding may leave -1e-16 */
		out->top1_same = top_x == top_y;
	}
	return true;
}
