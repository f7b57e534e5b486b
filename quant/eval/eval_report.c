/* The page about an evaluation: see eval_report.h. */
#include "quant/eval/eval_report.h"

#include <string.h>

#include "quant/receipt/report.h"
#include "quant/receipt/report_curve.h"

enum { MOST_MODELS = 32 };

static const char style[] =
	"h3{font-size:.95rem;margin:1.1rem 0 .5rem}svg.chart{margin-top:.6rem;overflow:visible}"
	"svg.chart text{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}"
	"svg .chance{stroke:var(--dim);stroke-dasharray:2 4}svg .constant{stroke:var(--warn);stroke-dasharray:6 4}"
	"svg .error{stroke-width:3;stroke-opacity:.45}svg .wrong{fill:var(--warn)}svg .right{fill:var(--accent)}"
	"h1,td.text{overflow-wrap:anywhere}@media(max-width:40rem){main{padding:1.2rem .7rem 3rem}section{padding:1rem "
	".8rem}}";

static void put_text(FILE *out, const cJSON *item)
{
	if (cJSON_IsString(item))
		mote_report_escape(out, item->valuestring, strlen(item->valuestring));
}

void mote_eval_report_name(FILE *out, const cJSON *result)
{
	const char *path = mote_json_get(result, "model")->valuestring, *slash = strrchr(path, '/');

	mote_report_escape(out, slash ? slash + 1 : path, strlen(slash ? slash + 1 : path));
}

static double number(const cJSON *o, const char *key)
{
	const cJSON *item = mote_json_get(o, key);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* {value, stderr} in per cent. */
static void put_rate(FILE *out, const cJSON *rate)
{
	double error = number(rate, "stderr");

	if (!rate) {
		fputs("<td></td>", out);
		return;
	}
	fprintf(out, "<td>%.2f", 100 * number(rate, "value"));
	if (error == error)
		fprintf(out, " <span class=\"pm\">±&thinsp;%.2f</span>", 100 * error);
	fputs("</td>", out);
}

/* ---- one task ---- */

static void put_table(FILE *out, const cJSON *const *row, int n)
{
	bool paired = n > 1 && mote_json_get(row[1], "paired");

	fputs("<div class=\"scroll\"><table><tr><th>model", out);
	for (const cJSON *m = mote_json_get(row[0], "metrics")->child; m; m = m->next) {
		fputs("<th>", out);
		mote_report_escape(out, m->string, strlen(m->string));
	}
	fputs(paired ? "<th>to wrong<th>to right<th>p<th>flips<th>alike</tr>\n" : "</tr>\n", out);
	for (int i = 0; i < n; i++) {
		const cJSON *r = row[i], *p = mote_json_get(r, "paired");

		fputs("<tr><td>", out);
		mote_eval_report_name(out, r);
		fputs(paired && !p ? " <span class=\"pm\">(reference)</span></td>" : "</td>", out);
		for (const cJSON *m = mote_json_get(r, "metrics")->child; m; m = m->next)
			put_rate(out, m);
		if (p)
			fprintf(out, "<td>%.0f</td><td>%.0f</td><td>%.3g</td><td>%.2f&thinsp;%%</td>"
				"<td>%.2f&thinsp;%%</td>", number(p, "to_wrong"), number(p, "to_right"), number(p, "p"),
				100 * number(p, "flips"), 100 * number(p, "agreement"));
		else if (paired)
			fputs("<td></td><td></td><td></td><td></td><td></td>", out);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

/* The main metric of each group, models side by side. */
static void put_groups(FILE *out, const cJSON *const *row, int n)
{
	const cJSON *groups = mote_json_get(row[0], "groups");
	const char *metric = mote_json_get(row[0], "metrics")->child->string;

	if (!groups || !groups->child)
		return;
	fprintf(out, "<details><summary>%d groups <span>%s of each, and their plain mean</span></summary>"
		"<div class=\"scroll\"><table><tr>"
		"<th>group<th>items", cJSON_GetArraySize(groups), metric);
	for (int i = 0; i < n; i++) {
		fputs("<th>", out);
		mote_eval_report_name(out, row[i]);
	}
	fputs("</tr>\n<tr><td>mean of all</td><td></td>", out);
	for (int i = 0; i < n; i++)
		put_rate(out, mote_json_get(row[i], "macro"));
	fputs("</tr>\n", out);
	for (int g = 0; g < cJSON_GetArraySize(groups); g++) {
		const cJSON *group = cJSON_GetArrayItem(groups, g);

		fputs("<tr><td>", out);
		put_text(out, mote_json_get(group, "group"));
		fprintf(out, "</td><td>%.0f</td>", number(group, "items"));
		for (int i = 0; i < n; i++)
			put_rate(out, mote_json_get(cJSON_GetArrayItem(mote_json_get(row[i], "groups"), g), metric));
		fputs("</tr>\n", out);
	}
	fputs("</table></div></details>\n", out);
}

static void put_task(FILE *out, const cJSON *const *row, int n)
{
	const cJSON *first = row[0];

	fputs("<section><h2>", out);
	put_text(out, mote_json_get(first, "task"));
	fprintf(out, "</h2><p class=\"dim\">%.0f items, %.0f examples%s; in the picture %s, per cent ± one standard "
		"error. Files: XXH3 %.16s…</p>\n", number(first, "items"), number(first, "few_shot"),
		cJSON_IsTrue(mote_json_get(first, "chat")) ? ", as a chat" : "",
		mote_json_get(first, "metrics")->child->string, mote_json_get(first, "files_xxh3")->valuestring);
	mote_eval_report_scores(out, row, n);
	mote_eval_report_flips(out, row, n);
	fputs("<h3>All figures</h3>", out);
	put_table(out, row, n);
	put_groups(out, row, n);
	fputs("</section>\n", out);
}

/* ---- all of it ---- */

static void put_averages(FILE *out, const cJSON *averages)
{
	if (!averages || !averages->child)
		return;
	fputs("<section><h2>Average</h2><div class=\"scroll\"><table><tr><th>model<th>tasks<th>mean of their main "
	      "figures</tr>\n", out);
	for (const cJSON *a = averages->child; a; a = a->next) {
		fputs("<tr><td>", out);
		mote_eval_report_name(out, a);
		fprintf(out, "</td><td>%.0f</td>", number(a, "tasks"));
		put_rate(out, a);
		fputs("</tr>\n", out);
	}
	fputs("</table></div></section>\n", out);
}

/* Results lie model behind model, each with all tasks in one order. */
void mote_eval_report_html(FILE *out, const cJSON *results, int tasks)
{
	const cJSON *all = mote_json_get(results, "results"), *first = all->child, *row[MOST_MODELS];
	int models = cJSON_GetArraySize(all) / tasks;

	models = models < MOST_MODELS ? models : MOST_MODELS;
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>", out);
	mote_eval_report_name(out, first);
	fprintf(out, ": evaluation</title><style>%s%s</style></head>\n<body><main><h1>What ", mote_report_style, style);
	if (models > 1)
		fprintf(out, "%d models", models);
	else
		mote_eval_report_name(out, first);
	fputs(" can do</h1><p class=\"dim\">Each score beside its error, what guessing scores (dotted), and what the "
	      "best constant answer scores (dashed).</p>\n", out);
	put_averages(out, mote_json_get(results, "averages"));
	for (int t = 0; t < tasks; t++) {
		for (int m = 0; m < models; m++)
			row[m] = cJSON_GetArrayItem(all, m * tasks + t);
		put_task(out, row, models);
	}
	fputs("</main></body></html>\n", out);
}
