/* Own elementary functions: see exact.h. Double precision follows the textbook scheme (Cody and Waite's
 * argument reduction, then a Taylor or atanh series long enough that truncation is below rounding). */
#include "runtime/kernels/exact.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "format/half.h"

static uint64_t bits_f64(double x)
{
	uint64_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static double f64_from_bits(uint64_t u)
{
	double x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* In double the product of two floats is exact, and so is the error of the sum (Knuth's two-sum). Where the
 * sum was inexact it is moved to whichever neighbour of the true value has an odd last bit: rounding that to
 * float gives what rounding the true value would (Boldo and Melquiond, "Emulation of FMA and correctly rounded
 * sums: proved algorithms using rounding to odd", 2008). */
float mote_exact_fmaf(float a, float b, float c)
{
#if defined(__aarch64__) || defined(__FMA__)
	return __builtin_fmaf(a, b, c);
#else
	double product = (double)a * b, sum = product + c, part = sum - product;
	double error = (product - (sum - part)) + (c - part);
	uint64_t u = bits_f64(sum);

	if ((error > 0 || error < 0) && !(u & 1))
		u = (error > 0) == (sum > 0) ? u + 1 : u - 1;
	return (float)f64_from_bits(u);
#endif
}

/* Not sqrtf(): compilers call libm's for the sake of errno. */
float mote_exact_sqrtf(float x)
{
#if defined(__x86_64__)
	return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#elif defined(__aarch64__)
	return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0);
#else
	return __builtin_sqrtf(x);
#endif
}

/* exp(x) = 2^n * exp(r), n = x / ln 2 rounded, |r| <= ln2 / 2;
 * exp(r) = 1 + r + r^2 * P(r), P of degree 4 fitted for least relative error (3.1e-9).
 * ln 2 in two parts, the first with so few bits that n * part is exact. */
float mote_exact_expf(float x)
{
	float t, n, r, p;

	if (x < -87.0f)
		return 0.0f;
	x = x > 88.0f ? 88.0f : x;
	t = mote_exact_fmaf(x, 0x1.715476p+0f, 12582912.0f); /* integer in the low bits */
	n = t - 12582912.0f;
	r = mote_exact_fmaf(n, -0x1.62e4p-1f, x);
	r = mote_exact_fmaf(n, -0x1.7f7d1cp-20f, r);
	p = 0x1.6a2436p-10f;
	p = mote_exact_fmaf(p, r, 0x1.1239e2p-7f);
	p = mote_exact_fmaf(p, r, 0x1.5558f2p-5f);
	p = mote_exact_fmaf(p, r, 0x1.555492p-3f);
	p = mote_exact_fmaf(p, r, 0x1.fffffcp-2f);
	p = mote_exact_fmaf(p, r * r, r);
	p = p + 1.0f;
	return p * mote_f32_from_bits((mote_f32_bits(t) + 127u) << 23);
}

/* 2^n, -1022 <= n <= 1023 */
static double power_of_two(int n)
{
	return f64_from_bits((uint64_t)(n + 1023) << 52);
}

/* exp(x + low), |low| far below |x|; x in [-708, 709.78]. */
static double exp_two(double x, double low)
{
	double n = (x * 0x1.71547652b82fep+0 + 0x1.8p52) - 0x1.8p52;
	/* n has at most 11 bits and the first part of ln 2 at most 32: the product is exact. */
	double r = (x - n * 0x1.62e42feep-1) - (n * 0x1.a39ef35793c76p-33 - low);
	double p = 1.0 / 6227020800.0; /* 1/13!: the next term is below 2e-17 of the sum */
	double fact[] = { 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
			  1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5 };
	int e = (int)n;

	for (unsigned i = 0; i < sizeof fact / sizeof *fact; i++)
		p = p * r + fact[i];
	p = 1.0 + (r + r * r * p);
	/* e reaches 1024 near the top: scale in two steps. */
	return p * power_of_two(e / 2) * power_of_two(e - e / 2);
}

double mote_exact_exp(double x)
{
	if (x != x)
		return x;
	if (x < -708.0)
		return 0.0;
	if (x > 709.782712893384)
		return f64_from_bits(0x7ff0000000000000);
	return exp_two(x, 0.0);
}

/* log(x) = e ln 2 + log(m), m in [sqrt(1/2), sqrt(2)); log(m) = 2 atanh(s), s = (m - 1) / (m + 1).
 * Written as f - (f^2/2 - s (f^2/2 + R)) with f = m - 1, which keeps the leading terms exact.
 * Returns the high part and stores the low one. */
static double log_two(double x, double *low)
{
	uint64_t u = bits_f64(x);
	int e = 0;
	double m, f, s, z, r, half, n, high, rest;

	if (u < 0x0010000000000000) { /* subnormal */
		u = bits_f64(x * 0x1p54);
		e = -54;
	}
	e += (int)(u >> 52) - 1023;
	m = f64_from_bits((u & 0x000fffffffffffff) | 0x3ff0000000000000);
	if (m > 0x1.6a09e667f3bcdp+0) {
		m *= 0.5;
		e++;
	}
	f = m - 1.0;
	s = f / (2.0 + f);
	z = s * s;
	/* R = 2 (z/3 + z^2/5 + ...): z <= 0.02944, eleven terms leave 1e-18. */
	r = 2.0 / 23.0;
	for (int k = 21; k >= 3; k -= 2)
		r = r * z + 2.0 / k;
	r *= z;
	half = 0.5 * f * f;
	n = e;
	rest = (half - s * (half + r)) - n * 0x1.a39ef35793c76p-33;
	high = n * 0x1.62e42feep-1; /* exact */
	/* Fast two-sum of high + f, then of the sum and -rest. */
	{
		double sum = high + f, err = e ? f - (sum - high) : 0.0;
		double total = sum - rest;
		*low = ((sum - total) - rest) + err;
		return total;
	}
}

double mote_exact_log(double x)
{
	double low, high;

	if (x != x || x == f64_from_bits(0x7ff0000000000000))
		return x;
	if (x == 0.0)
		return f64_from_bits(0xfff0000000000000);
	if (x < 0.0)
		return f64_from_bits(0x7ff8000000000000);
	high = log_two(x, &low);
	return high + low;
}

double mote_exact_pow(double x, double y)
{
	double low, high, product, error;
	double xh, xl, yh, yl;

	if (!(x > 0.0) || x - x != 0.0 || y - y != 0.0)
		return f64_from_bits(0x7ff8000000000000);
	high = log_two(x, &low);
	product = y * high;
	if (!(product >= -708.0))
		return 0.0;
	if (product > 709.78)
		return f64_from_bits(0x7ff0000000000000);
	/* Dekker's product: the rounding error of y * high, from halves of 26 bits. */
	xh = high * 134217729.0;
	xh = xh - (xh - high);
	xl = high - xh;
	yh = y * 134217729.0;
	yh = yh - (yh - y);
	yl = y - yh;
	error = ((xh * yh - product) + xh * yl + xl * yh) + xl * yl;
	return exp_two(product, error + y * low);
}

/* sin(r + low) and cos(r + low) for |r| <= pi/4. */
static double sin_series(double r, double low)
{
	double z = r * r, p = -1.0 / 121645100408832000.0; /* -1/19! */
	double c[] = { 1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
		       1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0 };
	for (unsigned i = 0; i < sizeof c / sizeof *c; i++)
		p = p * z + c[i];
	return r + (r * z * p + low * (1.0 - 0.5 * z));
}

static double cos_series(double r, double low)
{
	double z = r * r, p = -1.0 / 6402373705728000.0; /* -1/18! */
	double c[] = { 1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
		       1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0 };
	double half = 0.5 * z, w;
	for (unsigned i = 0; i < sizeof c / sizeof *c; i++)
		p = p * z + c[i];
	w = 1.0 - half;
	return w + (((1.0 - w) - half) + (z * z * p - r * low));
}

/* x = n pi/2 + r + *low, |r| <= pi/4; returns r, stores n mod 4. pi/2 in parts of 32, 32 and 53 bits and
 * |n| < 2^21, so the first two products are exact. */
static double reduce(double x, double *low, unsigned *quadrant)
{
	double n = (x * 0x1.45f306dc9c883p-1 + 0x1.8p52) - 0x1.8p52;
	double a = x - n * 0x1.921fb544p+0;          /* exact: the operands are close */
	double second = n * 0x1.0b4611a6p-34;         /* exact */
	double b = a - second, error = (a - b) - second;
	double third = n * 0x1.3198a2e037073p-69;
	double r = b - third;

	*low = ((b - r) - third) + error;
	*quadrant = (unsigned)(int64_t)n & 3;
	return r;
}

double mote_exact_sin(double x)
{
	double low, r;
	unsigned quadrant;

	if (!(x >= -1e6 && x <= 1e6))
		return f64_from_bits(0x7ff8000000000000);
	r = reduce(x, &low, &quadrant);
	switch (quadrant) {
	case 0: return sin_series(r, low);
	case 1: return cos_series(r, low);
	case 2: return -sin_series(r, low);
	}
	return -cos_series(r, low);
}

double mote_exact_cos(double x)
{
	double low, r;
	unsigned quadrant;

	if (!(x >= -1e6 && x <= 1e6))
		return f64_from_bits(0x7ff8000000000000);
	r = reduce(x, &low, &quadrant);
	switch (quadrant) {
	case 0: return cos_series(r, low);
	case 1: return -sin_series(r, low);
	case 2: return -cos_series(r, low);
	}
	return sin_series(r, low);
}

/* One step of Newton's. */
double mote_exact_root(double x)
{
	double y;

	if (!(x > 0))
		return 0;
	y = mote_exact_exp(0.5 * mote_exact_log(x));
	return 0.5 * (y + x / y);
}
