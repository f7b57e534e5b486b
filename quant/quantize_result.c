/* What mote-quantize prints. */
#include "format/json_build.h"
#include "quant/quantize_command.h"
#include "quant/receipt/report.h"

static void add_recovered(struct mote_json_builder *b, cJSON *o, const struct mote_recover_result *r)
{
	cJSON *json = mote_json_add_object(b, o, "recovered");

	mote_json_add_number(b, json, "tokens", (double)r->tokens);
	mote_json_add_number(b, json, "seconds", r->seconds);
	mote_json_add_number(b, json, "held_out_kld_before", r->before);
	mote_json_add_number(b, json, "held_out_kld_after", r->after);
	mote_json_add_bool(b, json, "kept", r->kept);
}

enum mote_status quantize_print_json(const struct quantize_command *c, const struct mote_pipeline_result *r,
				     double seconds, bool passed, struct mote_error *error)
{
	const cJSON *receipts = r->receipts;
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);
	enum mote_status status;

	mote_json_add_text(&b, o, "output", c->output);
	mote_json_add_bool(&b, o, "passed", passed);
	mote_json_add_number(&b, o, "source_bytes", (double)r->source_bytes);
	mote_json_add_number(&b, o, "file_bytes", (double)r->file_bytes);
	mote_json_add_number(&b, o, "bits_per_weight", r->bits_per_weight);
	mote_json_add_number(&b, o, "seconds", seconds);
	mote_json_add_item(&b, o, "recipe", cJSON_Duplicate(r->recipe, true));
	if (c->options.recover)
		add_recovered(&b, o, &r->recovered);
	if (c->options.aim.goal != MOTE_GOAL_TYPE)
		mote_json_add_number(&b, o, "predicted_kld", r->predicted_kld);
	if (receipts && receipts->child)
		mote_json_add_item(&b, o, "receipt", cJSON_Duplicate(receipts->child->prev, true)); /* the last */
	else
		mote_json_add_null(&b, o, "receipt");
	status = mote_json_finish(&b, &o, "the result", error);
	if (status == MOTE_OK)
		status = mote_console_print_json(o, error);
	cJSON_Delete(o);
	return status;
}

void quantize_print_text(const struct quantize_command *c, const struct mote_pipeline_result *r, double seconds)
{
	const struct mote_figures *f = &r->figures;
	char text[4][MOTE_REPORT_NUMBER_BYTES];

	fprintf(stderr, "%s: %.1f MB, %.3f bits a weight (from %.1f MB), %.1f s\n", c->output,
		(double)r->file_bytes * 1e-6, r->bits_per_weight, (double)r->source_bytes * 1e-6, seconds);
	if (c->options.recover)
		fprintf(stderr, "  recovered from %llu tokens in %.0f s: KL divergence on what was held out %.5f, "
			"before %.5f%s\n", (unsigned long long)r->recovered.tokens, r->recovered.seconds,
			r->recovered.after, r->recovered.before, r->recovered.kept ? "" : "; not kept");
	if (r->measured)
		fprintf(stderr, "  on %s, %llu tokens: KL divergence %.5f ± %.5f, same top-1 %.2f %%, perplexity %s "
			"(source %s, x %s ± %s)\n", c->validation.generated ? "text of its own" : c->validation.name,
			(unsigned long long)f->tokens_scored, f->kld_mean.value, f->kld_mean.independent,
			100 * f->top1_agreement.value, mote_report_number(text[0], f->perplexity.value, 4),
			mote_report_number(text[1], f->reference_perplexity.value, 4),
			mote_report_number(text[2], f->perplexity_ratio.value, 4),
			mote_report_number(text[3], f->perplexity_ratio.independent, 4));
}
