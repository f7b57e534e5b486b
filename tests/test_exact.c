/* Elementary functions against long double references, within the errors that exact.h states; the software fma
 * against exactly computed cases. Arguments come from a fixed generator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/half.h"
#include "runtime/kernels/exact.h"

static uint64_t state = 88172645463325252u;

static uint64_t random_u64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1du;
}

static double random_unit(void)
{
	return (double)(random_u64() >> 11) * 0x1p-53;
}

/* |got - want| in units of the last place of want. */
static double ulps(double got, long double want)
{
	double w = fabs((double)want), spacing = nextafter(w, INFINITY) - w;

	return (double)(fabsl((long double)got - want) / (long double)spacing);
}

static void test_expf(void **unused)
{
	double worst = 0;

	(void)unused;
	for (int i = 0; i < 400000; i++) {
		float x = (float)(-87.0 + 175.0 * random_unit());
		long double want = expl((long double)x);
		double error = (double)(fabsl((long double)mote_exact_expf(x) - want) / want);
		worst = error > worst ? error : worst;
	}
	assert_true(worst < 1.1e-7);
	assert_true(mote_exact_expf(0.0f) == 1.0f);
	assert_true(mote_exact_expf(-0.0f) == 1.0f);
	assert_true(mote_exact_expf(-INFINITY) == 0.0f);
	assert_true(mote_exact_expf(-87.00001f) == 0.0f);
	assert_true(mote_exact_expf(-87.0f) > 0.0f);
	assert_true(mote_exact_expf(INFINITY) == mote_exact_expf(88.0f));
	assert_true(isfinite(mote_exact_expf(88.0f)));
	assert_true(isnan(mote_exact_expf(NAN)));
}

static void test_exp_log(void **unused)
{
	double worst_exp = 0, worst_log = 0;

	(void)unused;
	for (int i = 0; i < 400000; i++) {
		double x = -708.0 + 1417.0 * random_unit(), e = ulps(mote_exact_exp(x), expl((long double)x));
		double y = i % 2 ? exp(x) : 0.5 + random_unit(), l = ulps(mote_exact_log(y), logl((long double)y));
		worst_exp = e > worst_exp ? e : worst_exp;
		worst_log = l > worst_log ? l : worst_log;
	}
	assert_true(worst_exp <= 1.01);
	assert_true(worst_log <= 1.0);
	assert_true(mote_exact_exp(0.0) == 1.0);
	assert_true(mote_exact_exp(-INFINITY) == 0.0);
	assert_true(mote_exact_exp(-709.0) == 0.0);
	assert_true(isinf(mote_exact_exp(709.79)));
	assert_true(isnan(mote_exact_exp(NAN)));
	assert_true(mote_exact_log(1.0) == 0.0);
	assert_true(mote_exact_log(0.0) == -INFINITY);
	assert_true(mote_exact_log(INFINITY) == INFINITY);
	assert_true(isnan(mote_exact_log(-1.0)));
	assert_true(ulps(mote_exact_log(0x1p-1074), logl(0x1p-1074L)) <= 1.0);
}

static void test_sin_cos(void **unused)
{
	double worst = 0;

	(void)unused;
	for (int i = 0; i < 400000; i++) {
		double x = (2.0 * random_unit() - 1.0) * (i % 3 == 0 ? 1e6 : i % 3 == 1 ? 100.0 : 1e-3);
		double s = (double)fabsl((long double)mote_exact_sin(x) - sinl((long double)x));
		double c = (double)fabsl((long double)mote_exact_cos(x) - cosl((long double)x));
		worst = s > worst ? s : worst;
		worst = c > worst ? c : worst;
		assert_true(mote_exact_sin(-x) == -mote_exact_sin(x));
	}
	assert_true(worst <= 2e-16);
	assert_true(mote_exact_sin(0.0) == 0.0);
	assert_true(mote_exact_cos(0.0) == 1.0);
	for (double sign = -1; sign <= 1; sign += 2) { /* as far as the reduction goes, and no further */
		assert_true(fabsl((long double)mote_exact_sin(sign * 1e6) - sinl(sign * 1e6L)) <= 2e-16L);
		assert_true(fabsl((long double)mote_exact_cos(sign * 1e6) - cosl(sign * 1e6L)) <= 2e-16L);
		assert_true(isnan(mote_exact_sin(nextafter(sign * 1e6, sign * 2e6))));
		assert_true(isnan(mote_exact_cos(nextafter(sign * 1e6, sign * 2e6))));
	}
	assert_true(isnan(mote_exact_sin(1.1e6)));
	assert_true(isnan(mote_exact_cos(NAN)));
}

static void test_pow(void **unused)
{
	double worst_small = 0, worst = 0;

	(void)unused;
	for (int i = 0; i < 400000; i++) {
		double x = 1.0 + 1e6 * random_unit(), y = 2.0 * random_unit() - 1.0, big = y * 650.0 / log(x);
		long double want = powl((long double)x, (long double)y), large = powl((long double)x, (long double)big);
		double e = (double)(fabsl((long double)mote_exact_pow(x, y) - want) / want);
		double f = (double)(fabsl((long double)mote_exact_pow(x, big) - large) / large);
		worst_small = e > worst_small ? e : worst_small;
		worst = f > worst ? f : worst;
	}
	assert_true(worst_small < 5e-16);
	assert_true(worst < 1e-14);
	assert_true(mote_exact_pow(10000.0, 0.0) == 1.0);
	assert_true(isnan(mote_exact_pow(0.0, 1.0)));
	assert_true(isnan(mote_exact_pow(-1.0, 2.0)));
	assert_true(isnan(mote_exact_pow(INFINITY, 1.0)));
}

/* The exact a * b + c in 128 bits for integers: rounding it to float is the definition. */
static void test_fmaf(void **unused)
{
	(void)unused;
	for (int i = 0; i < 400000; i++) {
		int64_t a = (int64_t)(random_u64() >> 40) - 0x800000, b = (int64_t)(random_u64() >> 40) - 0x800000;
		int64_t c = (int64_t)(random_u64() >> 40) - 0x800000;
		int shift = (int)(random_u64() % 38);
		__int128 exact = (__int128)a * b + (__int128)c * ((__int128)1 << shift);
		float want = (float)exact; /* converted with one rounding */
		float got = mote_exact_fmaf((float)a, (float)b, (float)c * (float)((int64_t)1 << shift));

		assert_true(mote_f32_bits(got) == mote_f32_bits(want) || (got == 0 && want == 0));
	}
	/* Just above, at and just below the middle of two floats, where double rounding goes wrong. */
	assert_true(mote_exact_fmaf(0x1.000002p+0f, 0x1.000002p+0f, 0x1p-100f) == 0x1.000004p+0f);
	assert_true(mote_exact_fmaf(0x1p+0f, 0x1.000001p+0f + 0x1p-24f, -0x1p-80f) == 0x1p+0f);
	assert_true(mote_exact_fmaf(0x1p-75f, 0x1p-75f, 0x1.8p-149f) == 0x1p-148f);
	assert_true(isnan(mote_exact_fmaf(INFINITY, 0.0f, 1.0f)));
	assert_true(mote_exact_fmaf(0x1p127f, 2.0f, -0x1p127f) == 0x1p127f);
	assert_true(mote_exact_sqrtf(2.0f) == 0x1.6a09e6p+0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expf), cmocka_unit_test(test_exp_log), cmocka_unit_test(test_sin_cos),
		cmocka_unit_test(test_pow), cmocka_unit_test(test_fmaf)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
