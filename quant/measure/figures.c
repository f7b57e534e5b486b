/* Statistics over scored tokens: see figures.h. Sums run over the tokens in order, in double, with own
 * elementary functions, so the same scores give the same bits everywhere. */
#include "quant/measure/figures.h"

#include <stdlib.h>

#include "runtime/kernels/exact.h"

static double mean_of(const double *x, uint64_t n)
{
	double sum = 0.0;

	for (uint64_t i = 0; i < n; i++)
		sum += x[i];
	return sum / (double)n;
}

/* Sum of squared deviations from the mean: two passes, as one alone would cancel. */
static double scatter(const double *x, uint64_t n, double mean)
{
	double sum = 0.0;

	for (uint64_t i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sum;
}

/* The mean of x with both its standard errors. Chunks are of one size, so their means weigh the same. */
static struct mote_estimate estimate_mean(const double *x, uint64_t n, uint32_t chunk_rows)
{
	struct mote_estimate e = {.value = mean_of(x, n)};
	uint64_t chunks = n / chunk_rows;
	double sum = 0.0;

	e.independent = n > 1 ? mote_exact_root(scatter(x, n, e.value) / ((double)n * (double)(n - 1)))
			      : (double)__builtin_nanf("");
	for (uint64_t c = 0; c < chunks; c++) {
		double mean = mean_of(x + c * chunk_rows, chunk_rows);
		sum += (mean - e.value) * (mean - e.value);
	}
	e.block = chunks > 1 ? mote_exact_root(sum / ((double)chunks * (double)(chunks - 1)))
			     : (double)__builtin_nanf("");
	return e;
}

/* exp() of an estimate: the error to first order. */
static struct mote_estimate estimate_exp(struct mote_estimate e)
{
	double value = mote_exact_exp(e.value);
	return (struct mote_estimate){value, value * e.independent, value * e.block};
}

/* The square root of an estimate of a mean square. */
static struct mote_estimate estimate_root(struct mote_estimate e)
{
	double value = mote_exact_root(e.value), slope = value > 0.0 ? 0.5 / value : 0.0;
	return (struct mote_estimate){value, slope * e.independent, slope * e.block};
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Between the two nearest ranks, as llama.cpp and numpy do. */
static double quantile(const double *sorted, uint64_t n, double q)
{
	double place = q * (double)(n - 1);
	uint64_t low = (uint64_t)place;
	double share = place - (double)low;

	return low + 1 < n ? (1.0 - share) * sorted[low] + share * sorted[low + 1] : sorted[n - 1];
}

static void figure_divergence(const struct mote_score *s, uint64_t n, uint32_t chunk_rows, double *x,
			      struct mote_figures *f)
{
	for (uint64_t i = 0; i < n; i++)
		x[i] = s[i].kld;
	f->kld_mean = estimate_mean(x, n, chunk_rows);
	qsort(x, n, sizeof *x, ascending);
	f->kld_min = x[0];
	f->kld_median = quantile(x, n, 0.5);
	f->kld_p90 = quantile(x, n, 0.9);
	f->kld_p95 = quantile(x, n, 0.95);
	f->kld_p99 = quantile(x, n, 0.99);
	f->kld_p999 = quantile(x, n, 0.999);
	f->kld_max = x[n - 1];
	for (uint64_t i = 0; i < n; i++)
		x[i] = s[i].top1_same;
	f->top1_agreement = estimate_mean(x, n, chunk_rows);
}

static double delta_p(const struct mote_score *s)
{
	return mote_exact_exp(-s->nll) - mote_exact_exp(-s->reference_nll);
}

static void figure_delta_p(const struct mote_score *s, uint64_t n, uint32_t chunk_rows, double *x,
			   struct mote_figures *f)
{
	for (uint64_t i = 0; i < n; i++) {
		x[i] = delta_p(&s[i]);
		x[i] *= x[i];
	}
	f->delta_p_rms = estimate_root(estimate_mean(x, n, chunk_rows));
	for (uint64_t i = 0; i < n; i++)
		x[i] = delta_p(&s[i]);
	f->delta_p_mean = estimate_mean(x, n, chunk_rows);
	qsort(x, n, sizeof *x, ascending);
	f->delta_p_min = x[0];
	f->delta_p_p01 = quantile(x, n, 0.01);
	f->delta_p_p05 = quantile(x, n, 0.05);
	f->delta_p_median = quantile(x, n, 0.5);
	f->delta_p_p95 = quantile(x, n, 0.95);
	f->delta_p_p99 = quantile(x, n, 0.99);
	f->delta_p_max = x[n - 1];
}

enum mote_status mote_figures_from_scores(const struct mote_score *s, uint64_t n, uint32_t chunk_rows, bool paired,
					  struct mote_figures *f, struct mote_error *error)
{
	double *x, *y, covariance = 0.0, spread;

	*f = (struct mote_figures){.tokens_scored = n, .paired = paired};
	if (n == 0 || chunk_rows == 0 || n % chunk_rows)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "%llu scored tokens are no whole number of chunks of %u", (unsigned long long)n,
				      chunk_rows);
	x = malloc(2 * n * sizeof *x);
	if (!x)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the figures of %llu tokens",
				      (unsigned long long)n);
	y = x + n;
	for (uint64_t i = 0; i < n; i++)
		x[i] = s[i].nll;
	f->nll = estimate_mean(x, n, chunk_rows);
	f->perplexity = estimate_exp(f->nll);
	if (paired) {
		for (uint64_t i = 0; i < n; i++)
			y[i] = s[i].reference_nll;
		f->reference_nll = estimate_mean(y, n, chunk_rows);
		f->reference_perplexity = estimate_exp(f->reference_nll);
		spread = mote_exact_root(scatter(x, n, f->nll.value) * scatter(y, n, f->reference_nll.value));
		for (uint64_t i = 0; i < n; i++)
			covariance += (x[i] - f->nll.value) * (y[i] - f->reference_nll.value);
		f->correlation = spread > 0.0 ? covariance / spread : (double)__builtin_nanf("");
		/* Token by token: what both find hard cancels, which is what the covariance is for. */
		for (uint64_t i = 0; i < n; i++)
			x[i] -= y[i];
		f->log_ratio = estimate_mean(x, n, chunk_rows);
		f->perplexity_ratio = estimate_exp(f->log_ratio);
		figure_divergence(s, n, chunk_rows, x, f);
		figure_delta_p(s, n, chunk_rows, x, f);
	}
	free(x);
	return MOTE_OK;
}

static bool put(cJSON *o, const char *key, double value)
{
	/* JSON has neither NaN nor infinity: a figure that does not exist, or that no number holds, is null. */
	return value - value == 0.0 ? cJSON_AddNumberToObject(o, key, value) : cJSON_AddNullToObject(o, key);
}

static bool put_estimate(cJSON *o, const char *key, const char *error, const char *block, struct mote_estimate e)
{
	return put(o, key, e.value) && put(o, error, e.independent) && put(o, block, e.block);
}

#define PUT_ESTIMATE(o, key, e) put_estimate(o, key, key "_error", key "_block_error", e)

static bool put_paired(cJSON *o, const struct mote_figures *f)
{
	return PUT_ESTIMATE(o, "reference_perplexity", f->reference_perplexity) &&
	       PUT_ESTIMATE(o, "perplexity_ratio", f->perplexity_ratio) &&
	       PUT_ESTIMATE(o, "log_perplexity_ratio", f->log_ratio) &&
	       put(o, "correlation", f->correlation) &&
	       PUT_ESTIMATE(o, "kld_mean", f->kld_mean) &&
	       put(o, "kld_min", f->kld_min) && put(o, "kld_median", f->kld_median) &&
	       put(o, "kld_p90", f->kld_p90) && put(o, "kld_p95", f->kld_p95) && put(o, "kld_p99", f->kld_p99) &&
	       put(o, "kld_p999", f->kld_p999) && put(o, "kld_max", f->kld_max) &&
	       PUT_ESTIMATE(o, "top1_agreement", f->top1_agreement) &&
	       PUT_ESTIMATE(o, "delta_p_mean", f->delta_p_mean) && PUT_ESTIMATE(o, "delta_p_rms", f->delta_p_rms) &&
	       put(o, "delta_p_min", f->delta_p_min) && put(o, "delta_p_p01", f->delta_p_p01) &&
	       put(o, "delta_p_p05", f->delta_p_p05) && put(o, "delta_p_median", f->delta_p_median) &&
	       put(o, "delta_p_p95", f->delta_p_p95) && put(o, "delta_p_p99", f->delta_p_p99) &&
	       put(o, "delta_p_max", f->delta_p_max);
}

cJSON *mote_figures_to_json(const struct mote_figures *f)
{
	cJSON *o = cJSON_CreateObject();

	if (o && PUT_ESTIMATE(o, "perplexity", f->perplexity) && PUT_ESTIMATE(o, "nll", f->nll) &&
	    put(o, "tokens_scored", (double)f->tokens_scored) && (!f->paired || put_paired(o, f)))
		return o;
	cJSON_Delete(o);
	return NULL;
}
