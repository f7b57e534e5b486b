/* Macro averages: see macro.h. */
#include "quant/measure/macro.h"

#include <stddef.h>

#include "format/json_build.h"
#include "runtime/kernels/exact.h"

/* What does not exist (NaN) has no root either. */
static double root(double x)
{
	return x == x ? mote_exact_root(x) : x;
}

static const struct mote_estimate *estimate_at(const struct mote_figures *f, size_t at)
{
	return (const struct mote_estimate *)(const void *)((const char *)f + at);
}

/* The mean of the estimates at this offset. A text without an error leaves the mean without one. */
static struct mote_estimate mean_at(const struct mote_figures *const *text, uint32_t n, size_t at)
{
	struct mote_estimate mean = {0};

	for (uint32_t i = 0; i < n; i++) {
		const struct mote_estimate *e = estimate_at(text[i], at);

		mean.value += e->value;
		mean.independent += e->independent * e->independent;
		mean.block += e->block * e->block;
	}
	mean.value /= n;
	mean.independent = root(mean.independent) / n;
	mean.block = root(mean.block) / n;
	return mean;
}

static struct mote_estimate exp_of(struct mote_estimate e)
{
	double value = mote_exact_exp(e.value);

	return (struct mote_estimate){value, value * e.independent, value * e.block};
}

/* The root of the mean of squares; d(x^2) = 2 x dx on the way in, and half of that over the root on the way out. */
static struct mote_estimate rms_at(const struct mote_figures *const *text, uint32_t n, size_t at)
{
	struct mote_estimate sum = {0};
	double value;

	for (uint32_t i = 0; i < n; i++) {
		const struct mote_estimate *e = estimate_at(text[i], at);

		sum.value += e->value * e->value;
		sum.independent += e->value * e->value * e->independent * e->independent;
		sum.block += e->value * e->value * e->block * e->block;
	}
	value = root(sum.value / n);
	if (value > 0)
		return (struct mote_estimate){value, root(sum.independent) / n / value, root(sum.block) / n / value};
	return (struct mote_estimate){0, root(sum.independent), root(sum.block)}; /* nothing moved: 0, or none */
}

#define AT(figure) offsetof(struct mote_figures, figure)

void mote_macro_average(const struct mote_figures *const *text, uint32_t n, struct mote_figures *out)
{
	*out = (struct mote_figures){.paired = text[0]->paired};
	for (uint32_t i = 0; i < n; i++)
		out->tokens_scored += text[i]->tokens_scored;
	out->nll = mean_at(text, n, AT(nll));
	out->perplexity = exp_of(out->nll);
	if (!out->paired)
		return;
	out->reference_nll = mean_at(text, n, AT(reference_nll));
	out->reference_perplexity = exp_of(out->reference_nll);
	out->log_ratio = mean_at(text, n, AT(log_ratio));
	out->perplexity_ratio = exp_of(out->log_ratio);
	out->kld_mean = mean_at(text, n, AT(kld_mean));
	out->top1_agreement = mean_at(text, n, AT(top1_agreement));
	out->delta_p_mean = mean_at(text, n, AT(delta_p_mean));
	out->delta_p_rms = rms_at(text, n, AT(delta_p_rms));
}

static void add_number(struct mote_json_builder *b, cJSON *o, const char *key, double value)
{
	if (value - value == 0)
		mote_json_add_number(b, o, key, value);
	else
		mote_json_add_null(b, o, key); /* JSON has neither NaN nor infinity */
}

cJSON *mote_macro_to_json(const struct mote_figures *f)
{
	static const struct {
		const char *key, *error, *block;
		size_t at;
	} rows[] = {
#define ROW(key, figure) {key, key "_error", key "_block_error", AT(figure)}
		ROW("perplexity", perplexity), ROW("nll", nll), ROW("reference_perplexity", reference_perplexity),
		ROW("perplexity_ratio", perplexity_ratio), ROW("log_perplexity_ratio", log_ratio),
		ROW("kld_mean", kld_mean), ROW("top1_agreement", top1_agreement), ROW("delta_p_mean", delta_p_mean),
		ROW("delta_p_rms", delta_p_rms)
	};
	size_t n = f->paired ? sizeof rows / sizeof *rows : 2;
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);

	mote_json_add_number(&b, o, "tokens_scored", (double)f->tokens_scored);
	for (size_t i = 0; i < n; i++) {
		const struct mote_estimate *e = estimate_at(f, rows[i].at);

		add_number(&b, o, rows[i].key, e->value);
		add_number(&b, o, rows[i].error, e->independent);
		add_number(&b, o, rows[i].block, e->block);
	}
	return mote_json_finish(&b, &o, "macro averages", NULL) ? NULL : o;
}
