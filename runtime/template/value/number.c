/* Arithmetic on numbers as Python has it: floored division, exact comparison between integers and floats, rounding to
 * the even digit. Numbers as text are in number_text.c, operators on other values in run/arithmetic.c.
 *
 * Integers have 64 bits: what would be longer is refused by name, except that an integer which merely passes through
 * (JINJA_BIG) keeps its digits. A result is plain when one of the operands is.
 */
#include "runtime/template/value/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn static void fail_big(struct jinja *j)
{
	mote_jinja_fail(j, MOTE_ERROR_LIMIT, "integer beyond 64 bits");
}

double mote_jinja_real(struct jinja *j, struct jinja_value v)
{
	double x;

	switch (v.kind) {
	case JINJA_BOOL:
		return v.boolean;
	case JINJA_INT:
		return (double)v.integer;
	case JINJA_BIG:
		if (!mote_jinja_parse_float(j, v.text->at, v.text->bytes, &x) || isinf(x))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "int too large to convert to float");
		return x;
	default:
		return v.real;
	}
}

/* ---- integers ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;

	return a % b && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t int_power(struct jinja *j, int64_t base, int64_t exponent)
{
	int64_t result = 1;

	while (exponent) {
		if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
			fail_big(j);
		exponent >>= 1;
		if (exponent && __builtin_mul_overflow(base, base, &base))
			fail_big(j);
	}
	return result;
}

static double float_power(struct jinja *j, double a, double b)
{
	double x;

	if (a == 0 && b < 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "0.0 cannot be raised to a negative power");
	if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b))
		mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED,
				"complex number: negative base with a fractional exponent");
	x = pow(a, b);
	if (isinf(x) && isfinite(a) && isfinite(b))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "result too large for a float");
	return x;
}

/* Rounded once, as Python does it, also where a or b is no double. */
static double int_quotient(int64_t a, int64_t b)
{
	uint64_t n = a < 0 ? -(uint64_t)a : (uint64_t)a, d = b < 0 ? -(uint64_t)b : (uint64_t)b;
	int shift;
	unsigned __int128 wide;
	uint64_t quotient;
	double x;

	if (n == 0 || (n <= UINT64_C(1) << 53 && d <= UINT64_C(1) << 53))
		return (double)a / (double)b;
	/* A quotient of 56 bits or more, the lowest of which stands for all below it. */
	shift = 56 + __builtin_clzll(n) - __builtin_clzll(d);
	shift = shift < 0 ? 0 : shift;
	wide = (unsigned __int128)n << shift;
	quotient = (uint64_t)(wide / d) | (wide % d != 0);
	x = ldexp((double)quotient, -shift);
	return (a < 0) == (b < 0) ? x : -x;
}

static struct jinja_value int_arithmetic(struct jinja *j, enum jinja_calculation op, int64_t a, int64_t b)
{
	int64_t result = 0;
	bool overflow = false;

	if ((op == JINJA_DIV || op == JINJA_FLOORDIV || op == JINJA_MOD) && b == 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "division by zero");
	switch (op) {
	case JINJA_ADD:
		overflow = __builtin_add_overflow(a, b, &result);
		break;
	case JINJA_SUB:
		overflow = __builtin_sub_overflow(a, b, &result);
		break;
	case JINJA_MUL:
		overflow = __builtin_mul_overflow(a, b, &result);
		break;
	case JINJA_DIV:
		return mote_jinja_float(int_quotient(a, b));
	case JINJA_FLOORDIV:
		overflow = a == INT64_MIN && b == -1;
		result = overflow ? 0 : floor_div(a, b);
		break;
	case JINJA_MOD:
		result = b == -1 ? 0 : a - floor_div(a, b) * b;
		break;
	default:
		if (b < 0)
			return mote_jinja_float(float_power(j, (double)a, (double)b));
		result = int_power(j, a, b);
		break;
	}
	if (overflow)
		fail_big(j);
	return mote_jinja_int(result);
}

/* ---- floats ---- */

/* Python's float_divmod: the remainder has the divisor's sign. */
static void float_divmod(double a, double b, double *quotient, double *remainder)
{
	double mod = fmod(a, b), div = (a - mod) / b, whole;

	if (mod != 0) {
		if ((b < 0) != (mod < 0)) {
			mod += b;
			div -= 1;
		}
	} else {
		mod = copysign(0.0, b);
	}
	if (div != 0) {
		whole = floor(div);
		if (div - whole > 0.5)
			whole += 1;
	} else {
		whole = copysign(0.0, a / b);
	}
	*quotient = whole;
	*remainder = mod;
}

static struct jinja_value float_arithmetic(struct jinja *j, enum jinja_calculation op, double a, double b)
{
	double quotient, remainder;

	switch (op) {
	case JINJA_ADD:
		return mote_jinja_float(a + b);
	case JINJA_SUB:
		return mote_jinja_float(a - b);
	case JINJA_MUL:
		return mote_jinja_float(a * b);
	case JINJA_POW:
		return mote_jinja_float(float_power(j, a, b));
	default:
		break;
	}
	if (b == 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "float division by zero");
	if (op == JINJA_DIV)
		return mote_jinja_float(a / b);
	float_divmod(a, b, &quotient, &remainder);
	return mote_jinja_float(op == JINJA_FLOORDIV ? quotient : remainder);
}

struct jinja_value mote_jinja_to_int(struct jinja *j, double x)
{
	if (isnan(x) || isinf(x))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "cannot convert float %s to integer",
				isnan(x) ? "NaN" : "infinity");
	if (x >= 9223372036854775808.0 || x < -9223372036854775808.0)
		fail_big(j);
	return mote_jinja_int((int64_t)x);
}

struct jinja_value mote_jinja_calculate(struct jinja *j, enum jinja_calculation op, struct jinja_value a,
					struct jinja_value b)
{
	struct jinja_value v;
	int64_t x, y;

	if (mote_jinja_integral(a, &x) && mote_jinja_integral(b, &y))
		v = int_arithmetic(j, op, x, y);
	else if (a.kind != JINJA_FLOAT && b.kind != JINJA_FLOAT)
		fail_big(j);
	else
		v = float_arithmetic(j, op, mote_jinja_real(j, a), mote_jinja_real(j, b));
	v.plain = a.plain || b.plain;
	return v;
}

struct jinja_value mote_jinja_negate(struct jinja *j, struct jinja_value v, bool negative)
{
	struct jinja_value result;
	int64_t i;

	if (v.kind == JINJA_FLOAT)
		result = mote_jinja_float(negative ? -v.real : v.real);
	else if (mote_jinja_integral(v, &i) && !(negative && i == INT64_MIN))
		result = mote_jinja_int(negative ? -i : i);
	else if (v.kind == JINJA_BIG && !negative)
		result = v;
	else if (mote_jinja_is_number(v))
		fail_big(j);
	else
		mote_jinja_fail_type(j,
				     negative ? "operand of unary - must be a number"
					      : "operand of unary + must be a number",
				     v);
	result.plain = v.plain;
	return result;
}

/* ---- comparison, exact between integers and floats ---- */

static int order_int_float(int64_t i, double x)
{
	int64_t whole;

	if (isnan(x))
		return 2;
	if (x >= 9223372036854775808.0)
		return -1;
	if (x < -9223372036854775808.0)
		return 1;
	whole = (int64_t)x;
	if (i != whole)
		return i < whole ? -1 : 1;
	return x == (double)whole ? 0 : x > (double)whole ? -1 : 1;
}

static int order_bigs(struct jinja_value a, struct jinja_value b)
{
	bool a_negative = a.text->at[0] == '-', b_negative = b.text->at[0] == '-';
	int order;

	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	if (a.text->bytes != b.text->bytes)
		order = a.text->bytes < b.text->bytes ? -1 : 1;
	else
		order = memcmp(a.text->at, b.text->at, a.text->bytes);
	order = order < 0 ? -1 : order > 0;
	return a_negative ? -order : order;
}

int mote_jinja_compare_numbers(struct jinja_value a, struct jinja_value b)
{
	int64_t x, y;
	int order;

	if (mote_jinja_integral(a, &x) && mote_jinja_integral(b, &y))
		return x < y ? -1 : x > y;
	if (a.kind == JINJA_BIG && b.kind == JINJA_BIG)
		return order_bigs(a, b);
	if (a.kind == JINJA_BIG) {
		if (b.kind == JINJA_FLOAT) {
			double big = strtod(a.text->at, NULL);

			return isnan(b.real) ? 2 : big < b.real ? -1 : big > b.real;
		}
		return a.text->at[0] == '-' ? -1 : 1;
	}
	if (b.kind == JINJA_BIG || (b.kind == JINJA_FLOAT && a.kind != JINJA_FLOAT)) {
		if (b.kind == JINJA_FLOAT && mote_jinja_integral(a, &x))
			return order_int_float(x, b.real);
		order = mote_jinja_compare_numbers(b, a);
		return order == 2 ? 2 : -order;
	}
	if (b.kind == JINJA_FLOAT)
		return isnan(a.real) || isnan(b.real) ? 2 : a.real < b.real ? -1 : a.real > b.real;
	mote_jinja_integral(b, &y);
	order = order_int_float(y, a.real);
	return order == 2 ? 2 : -order;
}

/* ---- rounding ---- */

/* x >= 0 to a multiple of 10^zeros, by its exact decimal digits. */
static double round_to_ten(double x, size_t zeros)
{
	char digits[400];
	size_t n = (size_t)snprintf(digits + 1, sizeof digits - 1, "%.0f", floor(x)), cut;
	bool up, rest = x != floor(x);

	digits[0] = '0'; /* for a carry */
	if (zeros > n)
		return 0;
	cut = ++n - zeros;
	for (size_t i = cut + 1; i < n; i++)
		rest = rest || digits[i] != '0';
	up = digits[cut] > '5' || (digits[cut] == '5' && (rest || (digits[cut - 1] - '0') % 2));
	memset(digits + cut, '0', zeros);
	for (size_t i = cut; up && i--; up = digits[i] == '0')
		digits[i] = digits[i] == '9' ? '0' : (char)(digits[i] + 1);
	return strtod(digits, NULL);
}

/* round(): to the nearest, an exact half to the even digit. */
struct jinja_value mote_jinja_round(struct jinja *j, struct jinja_value v, int64_t digits)
{
	char text[400];
	double x;
	int64_t i, step, low;

	if (mote_jinja_integral(v, &i)) {
		if (digits >= 0)
			return mote_jinja_int(i);
		if (digits < -18)
			return mote_jinja_int(0);
		step = int_power(j, 10, -digits);
		low = floor_div(i, step) * step;
		if (i - low > step / 2 || (i - low == step / 2 && floor_div(i, step) % 2))
			if (__builtin_add_overflow(low, step, &low))
				fail_big(j);
		return mote_jinja_int(low);
	}
	if (v.kind == JINJA_BIG)
		fail_big(j);
	x = v.real;
	if (!isfinite(x) || digits > 323)
		return v;
	if (digits < -308)
		return mote_jinja_float(copysign(0.0, x));
	if (digits >= 0) { /* printf rounds the exact binary value, half to even, like Python's round */
		if (digits > 60) /* a double that is not tiny has no digits there */
			return v;
		snprintf(text, sizeof text, "%.*f", (int)digits, x);
		return mote_jinja_float(strtod(text, NULL));
	}
	return mote_jinja_float(copysign(round_to_ten(fabs(x), (size_t)-digits), x));
}
