/* Elementary functions with one answer everywhere: only IEEE +, -, *, / and fma in a fixed order, so that
 * the same argument gives the same bits on every machine and with every libm.
 */
#ifndef MOTE_RUNTIME_EXACT_H
#define MOTE_RUNTIME_EXACT_H

/* a * b + c, rounded once; with or without hardware for it, and without libm. */
float mote_exact_fmaf(float a, float b, float c);
/* The IEEE square root. */
float mote_exact_sqrtf(float x);

/* The kernels' exponential. Relative error below 1.1e-7 (1 ulp) for x in [-87, 88].
 * x < -87 gives exactly 0 (so does -infinity), x > 88 gives exp(88), NaN gives NaN. */
float mote_exact_expf(float x);

/* Double precision, for tables and statistics. No fma: plain IEEE operations.
 * exp: within 1 ulp; 0 below -708, +infinity above 709.78.
 * log: within 1 ulp for positive finite x, subnormals included; -infinity for 0, NaN below, x for +infinity.
 * sin, cos: within 1 ulp where the result is not tiny (absolute error 2e-16), |x| <= 1e6; NaN beyond.
 * pow: x > 0 and finite, else NaN; relative error below 5e-16 for |y| <= 1, growing with |y| to 1e-14.
 * root: the square root within an ulp, 0 for what is not positive. Not sqrt(), since compilers call libm's for the sake
 * of errno. */
double mote_exact_exp(double x);
double mote_exact_log(double x);
double mote_exact_sin(double x);
double mote_exact_cos(double x);
double mote_exact_pow(double x, double y);
double mote_exact_root(double x);

#endif
