/* What mote-quantize prints. */
#include "quant/quantize_command.h"
#include "quant/receipt/report.h"

static bool add_recovered(cJSON *o, const struct mote_recover_result *r)
{
	cJSON *json = cJSON_AddObjectToObject(o, "recovered");

	return json && cJSON_AddNumberToObject(json, "tokens", (double)r->tokens) &&
	       cJSON_AddNumberToObject(json, "held_out_kld_before", r->before) &&
	       cJSON_AddNumberToObject(json, "held_out_kld_after", r->after) && cJSON_AddBoolToObject(json, "kept", r->kept);
}

enum mote_status quantize_print_json(const struct quantize_command *c, const struct mote_pipeline_result *r, double seconds,
				     bool passed, struct mote_error *error)
{
	const cJSON *receipts = r->receipts;
	cJSON *o = cJSON_CreateObject(), *receipt;
	bool ok = o && cJSON_AddStringToObject(o, "output", c->output) &&
		  cJSON_AddBoolToObject(o, "passed", passed) &&
		  cJSON_AddNumberToObject(o, "source_bytes", (double)r->source_bytes) &&
		  cJSON_AddNumberToObject(o, "file_bytes", (double)r->file_bytes) &&
		  cJSON_AddNumberToObject(o, "bits_per_weight", r->bits_per_weight) &&
		  cJSON_AddNumberToObject(o, "seconds", seconds) &&
		  cJSON_AddItemToObject(o, "recipe", cJSON_Duplicate(r->recipe, true));
	enum mote_status status;

	if (ok && c->options.recover)
		ok = add_recovered(o, &r->recovered);
	if (ok && c->options.aim.goal != MOTE_GOAL_TYPE)
		ok = cJSON_AddNumberToObject(o, "predicted_kld", r->predicted_kld) != NULL;
	receipt = receipts && receipts->child ? cJSON_Duplicate(receipts->child->prev, true) : /* the last */
						cJSON_CreateNull();
	ok = ok && cJSON_AddItemToObject(o, "receipt", receipt);
	status = ok ? mote_console_print_json(o, error) :
		      mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the result");
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
		fprintf(stderr, "  recovered from %llu tokens: KL divergence on what was held out %.5f, before %.5f%s\n",
			(unsigned long long)r->recovered.tokens, r->recovered.after, r->recovered.before,
			r->recovered.kept ? "" : "; not kept");
	if (r->measured)
		fprintf(stderr, "  on %s, %llu tokens: KL divergence %.5f ± %.5f, same top-1 %.2f %%, perplexity %s "
			"(source %s, x %s ± %s)\n", c->validation.generated ? "text of its own" : c->validation.name,
			(unsigned long long)f->tokens_scored, f->kld_mean.value, f->kld_mean.independent,
			100 * f->top1_agreement.value, mote_report_number(text[0], f->perplexity.value, 4),
			mote_report_number(text[1], f->reference_perplexity.value, 4),
			mote_report_number(text[2], f->perplexity_ratio.value, 4),
			mote_report_number(text[3], f->perplexity_ratio.independent, 4));
}
