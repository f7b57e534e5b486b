/* The HTML page: see report.h. One file, no script, nothing fetched; colours follow the reader's light or dark
 * setting. The curve is report_curve.c. */
#include "quant/receipt/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quant/receipt/receipt.h"
#include "quant/receipt/report_curve.h"
#include "runtime/tokenizer/tokenizer.h"

const char mote_report_style[] =
	":root{--bg:#fbfbf9;--card:#fff;--ink:#1d1f24;--dim:#667;--line:#e2e3e0;--accent:#0b6e8f;--soft:#0b6e8f1f;"
	"--warn:#b3402a;--mark:#ffe3a8}"
	"@media(prefers-color-scheme:dark){:root{--bg:#14161a;--card:#1b1e24;--ink:#e6e7ea;--dim:#9aa0ab;"
	"--line:#2d323b;"
	"--accent:#5cc3e6;--soft:#5cc3e626;--warn:#ff8a70;--mark:#5a4312}}"
	"*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);"
	"font:16px/1.55 system-ui,sans-serif}"
	"main{max-width:76rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}"
	"h1{font-size:1.7rem;margin:0 0 .2rem;letter-spacing:-.01em}h2{font-size:1.1rem;margin:0 0 .8rem}"
	"p{margin:.3rem 0}.dim{color:var(--dim)}"
	"section{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1.2rem 1.3rem;"
	"margin-top:1.4rem}"
	".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;"
	"font-size:.88rem}"
	"th{font-weight:600;color:var(--dim);text-align:right;padding:.35rem .5rem;border-bottom:1px solid var(--line);"
	"white-space:nowrap;font-size:.82rem}td{text-align:right;padding:.4rem .5rem;"
	"border-bottom:1px solid var(--line);"
	"white-space:nowrap}tr:last-child td{border-bottom:0}"
	"th:first-child,td:first-child,td.text,th.text{text-align:left}"
	"td.text{font-family:ui-monospace,monospace;font-size:.82rem;white-space:pre-wrap;min-width:22rem;"
	"line-height:1.45}"
	".pm{color:var(--dim);font-size:.85em}mark{background:var(--mark);color:inherit;border-radius:.2rem;"
	"padding:0 .1em}"
	"svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:12px system-ui,sans-serif}"
	"svg .dim{fill:var(--dim)}svg .grid{stroke:var(--line)}svg .curve{fill:none;stroke:var(--accent);"
	"stroke-width:2}"
	"svg .area{fill:var(--soft)}svg .error{stroke:var(--accent);stroke-width:1.5}"
	"svg .best{fill:var(--accent)}svg .other{fill:var(--card);stroke:var(--accent);stroke-width:1.8}"
	"details{border-top:1px solid var(--line);padding:.5rem 0}details:first-of-type{border-top:0}"
	"summary{cursor:pointer;font-weight:600}summary span{font-weight:400;color:var(--dim)}"
	/* On a phone a chart keeps the size at which its labels can be read, and scrolls; a table's first column stays
	 * in sight; a context lies under its figures. */
	"@media screen and (max-width:40rem){main{padding:1.2rem .6rem 2rem}section{padding:.9rem .8rem}"
	"section>svg{width:44rem;max-width:none}section:has(>svg){overflow-x:auto}"
	".scroll th:first-child,.scroll td:first-child{position:sticky;left:0;background:var(--card)}"
	"details table,details tbody{display:block}details tr{display:flex;flex-wrap:wrap;"
	"border-bottom:1px solid var(--line)}"
	"details th,details td{border:0}"
	"details th.text{display:none}details td.text{flex-basis:100%;min-width:0;overflow-wrap:anywhere}"
	"details .scroll td:first-child,details .scroll th:first-child{position:static}}"
	/* On paper nothing scrolls: all columns fit across a page that lies. */
	"@media print{@page{size:A4 landscape;margin:1.2cm}:root{--bg:#fff;--card:#fff;--ink:#000;--dim:#444;"
	"--line:#ccc;"
	"--accent:#0b6e8f;--soft:#0b6e8f1f;--mark:#ffe3a8}body{font-size:11px}main{max-width:none;padding:0}"
	"section{border:0;padding:0;margin-top:.8rem}.scroll{overflow:visible}table{font-size:10px}"
	"th{white-space:normal;font-size:10px;padding:.15rem .3rem;vertical-align:bottom}td{padding:.15rem .3rem}"
	"td.text{min-width:0;font-size:9px}tr,summary{break-inside:avoid}h2,summary{break-after:avoid}"
	"svg{max-height:14cm}mark{print-color-adjust:exact}}";

/* ---- text ---- */

void mote_report_escape(FILE *out, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		switch (c) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\n': fputs("↵", out); break;
		default:
			if (c >= 0x20 && c != 0x7f)
				fputc(c, out);
			else
				fputs(c == '\t' ? "⇥" : "·", out);
		}
	}
}

static void put_name(FILE *out, const char *name)
{
	mote_report_escape(out, name, strlen(name));
}


static void put_percent(FILE *out, double share, int digits)
{
	fprintf(out, "<td>%.*f&thinsp;%%</td>", digits, 100.0 * share);
}

/* ---- tables ---- */

static void put_estimate(FILE *out, struct mote_estimate e, int digits)
{
	char text[MOTE_REPORT_NUMBER_BYTES];

	fprintf(out, "<td>%s", mote_report_number(text, e.value, digits));
	if (e.independent == e.independent)
		fprintf(out, " <span class=\"pm\">±&thinsp;%s</span>", mote_report_number(text, e.independent, digits));
	fputs("</td>", out);
}

static void put_size(FILE *out, uint64_t bytes, double bits)
{
	if (bytes)
		fprintf(out, "<td>%.2f</td><td>%.2f</td>", (double)bytes / 1e6, bits);
	else
		fputs("<td></td><td></td>", out);
}

static void put_figures(FILE *out, const struct mote_report *r)
{
	bool paired = r->model[0].figures->paired;

	fputs("<section><h2>Figures</h2><div class=\"scroll\"><table><tr><th>model<th>MB<th title=\"bits a "
	      "weight\">bits<th>perplexity", out);
	if (paired)
		fputs("<th>ratio<th>KL divergence<th>median<th>99.9&thinsp;%<th>maximum<th>same top<th>RMS Δp", out);
	fputs("</tr>\n", out);
	if (paired) {
		fputs("<tr><td>", out);
		put_name(out, r->reference);
		fputs(" <span class=\"pm\">(reference)</span></td>", out);
		put_size(out, r->reference_bytes, r->reference_bits_per_weight);
		put_estimate(out, r->model[0].figures->reference_perplexity, 4);
		fputs("<td></td><td></td><td></td><td></td><td></td><td></td><td></td></tr>\n", out);
	}
	for (uint32_t i = 0; i < r->n; i++) {
		const struct mote_figures *f = r->model[i].figures;

		fputs("<tr><td>", out);
		put_name(out, r->model[i].name);
		fputs("</td>", out);
		put_size(out, r->model[i].file_bytes, r->model[i].bits_per_weight);
		put_estimate(out, f->perplexity, 4);
		if (paired) {
			put_estimate(out, f->perplexity_ratio, 4);
			put_estimate(out, f->kld_mean, 6);
			fprintf(out, "<td>%.6f</td><td>%.5f</td><td>%.5f</td>", f->kld_median, f->kld_p999, f->kld_max);
			put_percent(out, f->top1_agreement.value, 2);
			put_percent(out, f->delta_p_rms.value, 2);
		}
		fputs("</tr>\n", out);
	}
	fputs("</table></div><p class=\"dim\">± one standard error, every token counted as drawn alone.", out);
	if (r->plan->chunks > 1) {
		const struct mote_figures *f = r->model[r->n - 1].figures;
		struct mote_estimate e = paired ? f->kld_mean : f->nll;

		if (e.independent > 0.0)
			fprintf(out, " From the spread of whole chunks the error of the last row's %s is %.2f "
				"times that.", paired ? "divergence" : "loss", e.block / e.independent);
	}
	if (paired)
		fputs(" KL divergence is D(reference ‖ model) over the whole vocabulary, in nats; Δp is the change of "
		      "the true token's probability.", out);
	fputs("</p></section>\n", out);
}

static void put_behaviour_row(FILE *out, const char *name, const struct mote_behaviour *b)
{
	fputs("<tr><td>", out);
	put_name(out, name);
	fputs("</td>", out);
	if (b->compared) {
		put_percent(out, (double)b->identical / b->prompts, 1);
		fprintf(out, "<td>%.1f</td>", b->mean_identical_tokens);
		put_percent(out, b->identical_share, 1);
	} else {
		fputs("<td></td><td></td><td></td>", out);
	}
	fprintf(out, "<td>%.1f</td>", b->mean_tokens);
	put_percent(out, (double)b->ended / b->prompts, 1);
	if (b->thinking)
		put_percent(out, (double)b->closed / b->thinking, 1);
	else
		fputs("<td>–</td>", out);
	fputs("</tr>\n", out);
}

static void put_behaviour(FILE *out, const struct mote_report *r)
{
	if (!r->model[0].behaviour)
		return;
	fprintf(out, "<section><h2>Greedy answers to %u prompts</h2><div class=\"scroll\"><table><tr>"
		"<th>model<th>identical"
		"<th>tokens until they part<th>of all tokens<th>length<th>come to an end<th>close "
		"&lt;/think&gt;</tr>\n", r->model[0].behaviour->prompts);
	if (r->reference_behaviour)
		put_behaviour_row(out, r->reference, r->reference_behaviour);
	for (uint32_t i = 0; i < r->n; i++)
		put_behaviour_row(out, r->model[i].name, r->model[i].behaviour);
	fputs("</table></div></section>\n", out);
}

/* ---- worst tokens ---- */

enum { WORST = 20, TOKENS_BEFORE = 24, TOKENS_AFTER = 6 };

struct ranked {
	double badness;
	uint64_t row;
};

static int worst_first(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->badness != b->badness)
		return a->badness < b->badness ? 1 : -1;
	return (a->row > b->row) - (a->row < b->row);
}

static enum mote_status put_tokens(FILE *out, const struct mote_report *r, const int32_t *ids, size_t n,
				   struct mote_error *error)
{
	char *text = NULL;
	size_t bytes = 0;
	enum mote_status status = n ? mote_tokenizer_decode_within(r->tokenizer, ids, n, &text, &bytes, error)
				    : MOTE_OK;

	if (status == MOTE_OK && n)
		mote_report_escape(out, text, bytes);
	free(text);
	return status;
}

static enum mote_status put_worst_row(FILE *out, const struct mote_report *r, const struct mote_score *s, uint64_t row,
				      struct mote_error *error)
{
	const struct mote_plan *p = r->plan;
	uint32_t at = p->first + (uint32_t)(row % p->chunk_rows) + 1; /* the predicted token's place in its chunk */
	uint32_t before = at < TOKENS_BEFORE ? at : TOKENS_BEFORE;
	uint32_t after = p->context - at - 1 < TOKENS_AFTER ? p->context - at - 1 : TOKENS_AFTER;
	const int32_t *token = p->ids + row / p->chunk_rows * p->context + at;
	enum mote_status status;

	fputs("<tr>", out);
	if (r->model[0].figures->paired)
		fprintf(out, "<td>%.4f</td><td>%.3f</td><td>%.3f</td>", s->kld, s->nll, s->reference_nll);
	else
		fprintf(out, "<td>%.3f</td>", s->nll);
	fputs("<td class=\"text\">", out);
	status = put_tokens(out, r, token - before, before, error);
	fputs("<mark>", out);
	if (status == MOTE_OK)
		status = put_tokens(out, r, token, 1, error);
	fputs("</mark>", out);
	if (status == MOTE_OK)
		status = put_tokens(out, r, token + 1, after, error);
	fputs("</td></tr>\n", out);
	return status;
}

/* The one whose tokens are shown unasked. */
static uint32_t worst_model(const struct mote_report *r)
{
	uint32_t worst = 0;

	for (uint32_t i = 1; i < r->n; i++) {
		const struct mote_figures *f = r->model[i].figures, *w = r->model[worst].figures;

		if (f->paired ? f->kld_mean.value > w->kld_mean.value : f->nll.value > w->nll.value)
			worst = i;
	}
	return worst;
}

static enum mote_status put_worst(FILE *out, const struct mote_report *r, struct mote_error *error)
{
	uint64_t n = mote_plan_rows(r->plan);
	struct ranked *ranked = malloc(n * sizeof *ranked);
	bool paired = r->model[0].figures->paired;
	enum mote_status status = MOTE_OK;

	if (!ranked)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the report");
	fprintf(out, "<section><h2>Worst tokens</h2><p class=\"dim\">%s, with what came before; the marked token is "
		"the true one.</p>\n", paired ? "Where the model's distribution is farthest from the reference's"
					      : "What the model expected least");
	for (uint32_t i = 0; i < r->n && status == MOTE_OK; i++) {
		const struct mote_report_model *m = &r->model[i];

		for (uint64_t row = 0; row < n; row++)
			ranked[row] = (struct ranked){paired ? m->scores[row].kld : m->scores[row].nll, row};
		qsort(ranked, n, sizeof *ranked, worst_first);
		fprintf(out, "<details%s><summary>", i == worst_model(r) ? " open" : "");
		put_name(out, m->name);
		fprintf(out, " <span>%s up to %.4f</span></summary><div class=\"scroll\"><table>"
			"<tr>%s<th class=\"text\">context</tr>\n", paired ? "divergence" : "loss", ranked[0].badness,
			paired ? "<th>divergence<th>−ln p<th>reference's" : "<th>−ln p");
		for (uint64_t k = 0; k < n && k < WORST && status == MOTE_OK; k++)
			status = put_worst_row(out, r, &m->scores[ranked[k].row], ranked[k].row, error);
		fputs("</table></div></details>\n", out);
	}
	fputs("</section>\n", out);
	free(ranked);
	return status;
}

/* ---- page ---- */

static void put_head(FILE *out, const struct mote_report *r)
{
	const struct mote_plan *p = r->plan;
	char hex[33];

	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>", out);
	put_name(out, r->reference ? r->reference : r->model[0].name);
	fprintf(out, ": size and quality</title><style>%s</style></head>\n<body><main><h1>", mote_report_style);
	put_name(out, r->reference ? r->reference : r->model[0].name);
	fputs(r->reference ? " and what became of it</h1><p class=\"dim\">" : "</h1><p class=\"dim\">", out);
	if (r->text->generated)
		fprintf(out, "Measured on text that the source wrote from seed %" PRIu64, r->text->seed);
	else {
		fputs("Measured on ", out);
		put_name(out, r->text->name);
	}
	mote_hash_to_hex(mote_text_hash(r->text), hex);
	fprintf(out, " (%zu bytes, XXH3 %.16s…), %" PRIu64 " tokens. ", r->text->bytes, hex, p->text_tokens);
	if (p->all_positions)
		fprintf(out, "Every position of one context: %u predictions.</p>\n", p->chunk_rows);
	else
		fprintf(out, "llama.cpp's rule: %u chunks of %u tokens, %" PRIu64 " predictions.</p>\n", p->chunks,
			p->context, mote_plan_rows(p));
}

enum mote_status mote_report_html(FILE *out, const struct mote_report *r, struct mote_error *error)
{
	enum mote_status status;

	put_head(out, r);
	if (r->n > 1) {
		fputs("<section><h2>Size against quality</h2>", out);
		mote_report_curve(out, r);
		fputs("</section>\n", out);
	}
	put_figures(out, r);
	put_behaviour(out, r);
	status = put_worst(out, r, error);
	fputs("</main></body></html>\n", out);
	return status;
}
