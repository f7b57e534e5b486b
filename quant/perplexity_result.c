/* Results: a table, JSON, a page, losses token by token. */
#include <string.h>

#include "quant/measure/macro.h"
#include "quant/perplexity.h"
#include "quant/receipt/report.h"

static enum mote_status write_per_token(struct perplexity_run *r, struct mote_error *error)
{
	const struct mote_score *scores = r->text[0].scores[0];
	struct mote_output *output = r->per_token;
	FILE *file = mote_output_stream(output);

	if (!file)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint64_t i = 0; i < mote_plan_rows(&r->text[0].plan); i++)
		fprintf(file, "%d %.17g\n", scores[i].target, scores[i].nll);
	r->per_token = NULL;
	return mote_output_commit(output, error);
}

static enum mote_status write_report(struct perplexity_run *r, const struct mote_report *report,
				     struct mote_error *error)
{
	struct mote_output *output = r->report;
	FILE *file = mote_output_stream(output);
	enum mote_status status;

	if (!file)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = mote_report_html(file, report, error);
	if (status)
		return status;
	r->report = NULL;
	return mote_output_commit(output, error);
}

/* ---- several texts ---- */

static void average(const struct perplexity_run *r, uint32_t model, struct mote_figures *out)
{
	const struct mote_figures *figures[PERPLEXITY_TEXTS];

	for (uint32_t i = 0; i < r->texts; i++)
		figures[i] = &r->text[i].figures[model];
	mote_macro_average(figures, r->texts, out);
}

static void print_estimate(const char *what, struct mote_estimate e, int digits)
{
	char text[MOTE_REPORT_NUMBER_BYTES];

	printf("%s%s", what, mote_report_number(text, e.value, digits));
	if (e.independent == e.independent) /* texts of one token have no spread */
		printf(" ± %s", mote_report_number(text, e.independent, digits));
}

static void print_macro(const struct perplexity_run *r)
{
	printf("Macro average of %u texts\n", r->texts);
	for (uint32_t i = 0; i < r->models; i++) {
		struct mote_figures f;

		average(r, i, &f);
		printf("  %s: ", perplexity_base_name(r->model[i].path));
		print_estimate("perplexity ", f.perplexity, 4);
		if (f.paired) {
			printf(", x %.5f", f.perplexity_ratio.value);
			print_estimate(", KL divergence ", f.kld_mean, 6);
			printf(", same top token %.2f %%", 100 * f.top1_agreement.value);
		}
		putchar('\n');
	}
}

/* ---- JSON ---- */

static void add_text(const struct perplexity_run *r, uint32_t i, uint32_t model, struct mote_json_builder *b,
		     cJSON *list)
{
	const struct perplexity_text *t = &r->text[i];
	cJSON *o = mote_figures_to_json(&t->figures[model]);

	mote_json_add_item(b, list, NULL, o);
	mote_json_add_text(b, o, "text", t->text.name);
	mote_json_add_number(b, o, "context", t->plan.context);
	mote_json_add_number(b, o, "chunks", t->plan.chunks);
}

/* With one text its figures are the model's. */
static cJSON *model_to_json(const struct perplexity_run *r, uint32_t i, struct mote_json_builder *b)
{
	const struct perplexity_text *t = &r->text[0];
	cJSON *o = r->texts == 1 ? mote_figures_to_json(&t->figures[i]) : mote_json_new_object(b), *list;
	struct mote_figures macro;

	mote_json_add_text(b, o, "model", r->model[i].path);
	mote_json_add_number(b, o, "file_bytes", (double)r->model[i].file_bytes);
	mote_json_add_number(b, o, "bits_per_weight", r->model[i].bits_per_weight);
	if (r->texts == 1) {
		mote_json_add_number(b, o, "context", t->plan.context);
		mote_json_add_number(b, o, "chunks", t->plan.chunks);
	} else {
		list = mote_json_add_array(b, o, "texts");
		for (uint32_t k = 0; k < r->texts; k++)
			add_text(r, k, i, b, list);
		average(r, i, &macro);
		mote_json_add_item(b, o, "macro", mote_macro_to_json(&macro));
	}
	if (r->o->prompts)
		mote_json_add_item(b, o, "behaviour", mote_behaviour_to_json(&r->behaviour[i]));
	if (r->o->prompts && r->reference.model)
		mote_json_add_item(b, o, "reference_behaviour", mote_behaviour_to_json(&r->reference_behaviour));
	if (r->o->check)
		mote_json_add_bool(b, o, "receipt_holds", true);
	return o;
}

/* One model's figures, or an object with the list of them. */
static enum mote_status print_json(const struct perplexity_run *r, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *o, *list;
	enum mote_status status;

	if (r->models == 1) {
		o = model_to_json(r, 0, &b);
	} else {
		o = mote_json_new_object(&b);
		list = mote_json_add_array(&b, o, "models");
		for (uint32_t i = 0; i < r->models; i++)
			mote_json_add_item(&b, list, NULL, model_to_json(r, i, &b));
	}
	status = o ? mote_json_finish(&b, &o, "figures", error)
		   : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for JSON");
	if (!status)
		status = mote_console_print_json(o, error);
	cJSON_Delete(o);
	return status;
}

/* ---- all of it ---- */

static void fill_report(const struct perplexity_run *r, uint32_t text, struct mote_report_model *models,
			struct mote_report *report)
{
	const struct perplexity_text *t = &r->text[text];

	*report = (struct mote_report){.text = &t->text, .plan = &t->plan, .tokenizer = r->tokenizer, .model = models,
				       .n = r->models};
	for (uint32_t i = 0; i < r->models; i++)
		models[i] = (struct mote_report_model){perplexity_base_name(r->model[i].path), r->model[i].file_bytes,
						       r->model[i].bits_per_weight, &t->figures[i], t->scores[i],
						       r->o->prompts ? &r->behaviour[i] : NULL};
	if (!r->reference.path)
		return;
	report->reference = perplexity_base_name(r->reference.path);
	report->reference_bytes = r->reference.file_bytes;
	report->reference_bits_per_weight = r->reference.bits_per_weight;
	report->reference_behaviour = r->o->prompts && r->reference.model ? &r->reference_behaviour : NULL;
}

static enum mote_status print_tables(const struct perplexity_run *r, struct mote_error *error)
{
	struct mote_report_model models[PERPLEXITY_MODELS];
	struct mote_report report;

	for (uint32_t i = 0; i < r->texts; i++) {
		fill_report(r, i, models, &report);
		mote_report_print(stdout, &report);
		if (r->texts > 1)
			putchar('\n');
	}
	if (r->texts > 1)
		print_macro(r);
	for (uint32_t i = 0; i < r->models && r->o->check; i++)
		printf("%s: its receipt holds, every figure bit by bit\n", perplexity_base_name(r->model[i].path));
	return mote_console_flush(error);
}

enum mote_status perplexity_give_results(struct perplexity_run *r, struct mote_error *error)
{
	const struct perplexity_options *o = r->o;
	struct mote_report_model models[PERPLEXITY_MODELS];
	struct mote_report report;
	enum mote_status status = MOTE_OK;

	if (o->check)
		status = perplexity_compare_receipts(r, error);
	if (status == MOTE_OK && o->per_token)
		status = write_per_token(r, error);
	if (status == MOTE_OK && o->report) {
		fill_report(r, 0, models, &report);
		status = write_report(r, &report, error);
	}
	if (status == MOTE_OK)
		status = o->json ? print_json(r, error) : print_tables(r, error);
	if (status == MOTE_OK && o->stamp) /* last: what was measured is seen even where no file can be stamped */
		status = perplexity_stamp(r, error);
	return status;
}
