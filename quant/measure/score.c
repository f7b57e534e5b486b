/* Scoring of one row: see score.h.
 *
 * With x the reference's logits and y the model's, mx and my their maxima, Sx = sum exp(x - mx) and Sy alike:
 *   -log q(t) = log Sy - (y_t - my)
 *   D(p||q)   = sum p (log p - log q) = sum exp(x - mx) ((x - mx) - (y - my)) / Sx - log Sx + log Sy
 * so one walk over both rows is enough. x - mx of two floats is exact in double or nearly so, and double leaves
 * divergences of 1e-12 visible, where floats would drown 1e-6.
 */
#include "quant/measure/score.h"

#include <string.h>

#include "format/half.h"
#include "quant/encode/row_lanes.h"
#include "runtime/kernels/exact.h"

/* The eight lanes. On machines with narrower registers the compiler makes several of each; MOTE_WIDEST functions are
 * there once for each width, and the operations are the same. */
typedef double lanes __attribute__((vector_size(64)));
typedef int64_t lane_bits __attribute__((vector_size(64)));
typedef float floats8 __attribute__((vector_size(32)));

enum { LANES = 8 };

struct sums {
	lanes y, x, difference; /* of exp(y), exp(x), exp(x) (x - y) */
};

/* *x = exp(*x) for *x <= 0, relative error below 3e-16; what is below -708 counts as -708, nothing beside the
 * maximum's 1. The scheme of mote_exact_exp(), without its branches. */
static inline __attribute__((always_inline)) void exp_lanes(lanes *x)
{
	const lanes lowest = (lanes){0} - 708.0, magic = (lanes){0} + 0x1.8p52;
	lane_bits keep = *x > lowest;
	lanes clamped = (lanes)(((lane_bits)*x & keep) | ((lane_bits)lowest & ~keep));
	lanes shifted = clamped * 0x1.71547652b82fep+0 + magic; /* the integer in the low bits */
	lanes n = shifted - magic, r = (clamped - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
	/* 1 + r + r^2/2 + ... + r^13/13!, in pairs of terms (Estrin): half the latency of Horner's rule. */
	lanes s = r * r;
	lanes low = (1.0 / 2 + r * (1.0 / 6)) + s * (1.0 / 24 + r * (1.0 / 120));
	lanes middle = (1.0 / 720 + r * (1.0 / 5040)) + s * (1.0 / 40320 + r * (1.0 / 362880));
	lanes high = (1.0 / 3628800 + r * (1.0 / 39916800)) + s * (1.0 / 479001600 + r * (1.0 / 6227020800));
	lanes p = 1.0 + (r + s * (low + s * s * (middle + s * s * high)));

	*x = p * (lanes)(((lane_bits)shifted + 1023) << 52);
}

static inline __attribute__((always_inline)) void load(lanes *to, const float *x)
{
	floats8 f;
	memcpy(&f, x, sizeof f);
	*to = __builtin_convertvector(f, lanes);
}

/* Adds n logits, a multiple of 8, from y (and x, or NULL) to the sums. */
MOTE_WIDEST static void add_logits(struct sums *sums, const float *y, const float *x, uint32_t n, double my, double mx)
{
	struct sums s = *sums;

	for (uint32_t i = 0; i < n; i += LANES) {
		lanes a, b, e;

		load(&b, y + i);
		b -= my;
		e = b;
		exp_lanes(&e);
		s.y += e;
		if (!x)
			continue;
		load(&a, x + i);
		a -= mx;
		e = a;
		exp_lanes(&e);
		s.x += e;
		s.difference += e * (a - b);
	}
	*sums = s;
}

static double total(const lanes *s)
{
	const lanes t = *s;

	return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

/* The place of the largest logit, the first of equals; false when one is NaN or infinite. Sixteen maxima side by
 * side, as one alone would wait for itself at every step. */
MOTE_WIDEST static bool find_largest(const float *x, uint32_t n, uint32_t *at)
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
	struct sums sums = {0};
	uint32_t top_y, top_x = 0, whole = vocab - vocab % LANES;
	float last_y[LANES], last_x[LANES];
	double my, mx, log_y, log_x;

	*out = (struct mote_score){.target = target};
	if (!find_largest(model, vocab, &top_y) || (reference && !find_largest(reference, vocab, &top_x)))
		return false;
	my = (double)model[top_y];
	mx = reference ? (double)reference[top_x] : 0.0;
	add_logits(&sums, model, reference, whole, my, mx);
	if (whole < vocab) { /* the last few, filled up with logits whose exp() is nothing */
		for (uint32_t i = 0; i < LANES; i++) {
			last_y[i] = whole + i < vocab ? model[whole + i] : -3e38f;
			last_x[i] = whole + i < vocab && reference ? reference[whole + i] : -3e38f;
		}
		add_logits(&sums, last_y, reference ? last_x : NULL, LANES, my, mx);
	}
	log_y = mote_exact_log(total(&sums.y));
	out->nll = log_y - ((double)model[target] - my);
	if (reference) {
		double sum_x = total(&sums.x), kld;

		log_x = mote_exact_log(sum_x);
		out->reference_nll = log_x - ((double)reference[target] - mx);
		kld = total(&sums.difference) / sum_x - log_x + log_y;
		out->kld = kld > 0.0 ? kld : 0.0; /* rounding may leave -1e-16 */
		out->top1_same = top_x == top_y;
	}
	return true;
}
