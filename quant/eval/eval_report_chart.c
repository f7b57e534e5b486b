/* Charts of the page about an evaluation: see eval_report.h.
 *
 * Places along an axis are per cent of the picture's width and everything else is pixels, so that a chart fits any
 * width and its words keep their size. */
#include <string.h>

#include "quant/eval/eval_report.h"
#include "quant/receipt/report_curve.h"

enum { ROW = 36, AXIS = 22, NOTE = 16, MARGIN = 2 /* per cent */ };

struct axis {
	double low, high, step;
};

static double number(const cJSON *o, const char *key)
{
	const cJSON *item = mote_json_get(o, key);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* The main metric, which is the first. */
static const cJSON *main_metric(const cJSON *result)
{
	return mote_json_get(result, "metrics")->child;
}

static double error_of(const cJSON *metric)
{
	double e = number(metric, "stderr");

	return e == e ? e : 0;
}

static double place(struct axis a, double value)
{
	return MARGIN + (100 - 2 * MARGIN) * (value - a.low) / (a.high - a.low);
}

static void widen(struct axis *a, double value)
{
	a->low = value < a->low ? value : a->low;
	a->high = value > a->high ? value : a->high;
}

/* Shares as per cent: all that is drawn, and a little more. */
static struct axis axis_of(const cJSON *const *row, int n)
{
	static const double steps[] = {0.5, 1, 2, 5, 10, 20};
	struct axis a = {100, 0, 25};
	const cJSON *constant = mote_json_get(row[0], "best_constant");

	for (int i = 0; i < n; i++) {
		double value = 100 * number(main_metric(row[i]), "value"), error = 100 * error_of(main_metric(row[i]));

		widen(&a, value - error);
		widen(&a, value + error);
	}
	if (number(row[0], "chance") > 0)
		widen(&a, 100 * number(row[0], "chance"));
	if (constant)
		widen(&a, 100 * number(constant, "value"));
	for (int i = 5; i >= 0; i--)
		a.step = a.high - a.low + 1 <= 6 * steps[i] ? steps[i] : a.step;
	a.low = a.low - a.step / 3 > 0 ? a.low - a.step / 3 : 0;
	a.high = a.high + a.step / 3 < 100 ? a.high + a.step / 3 : 100;
	return a;
}

static const char *anchor(double x)
{
	return x < 18 ? "start" : x > 82 ? "end" : "middle";
}

/* A line down the chart and what it means, beneath. */
static void put_mark(FILE *out, struct axis a, double value, const char *kind, const char *word, const char *quoted,
		     int bottom, int y)
{
	double x = place(a, value);

	fprintf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>"
		"<text class=\"dim\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">%s", kind, x, x, bottom, x, y,
		anchor(x), word);
	if (quoted) {
		fputs(" &quot;", out);
		mote_report_escape(out, quoted, strlen(quoted) < 24 ? strlen(quoted) : 24);
		fputs("&quot;", out);
	}
	fprintf(out, " %.2f</text>\n", value);
}

static void put_grid(FILE *out, struct axis a, int bottom)
{
	for (double k = (double)(int)(a.low / a.step); k * a.step <= a.high; k++)
		if (k * a.step >= a.low)
			fprintf(out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>"
				"<text class=\"dim\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
				place(a, k * a.step), place(a, k * a.step), bottom, place(a, k * a.step), bottom + 15,
				k * a.step);
}

static void put_score(FILE *out, struct axis a, const cJSON *result, int top)
{
	double value = 100 * number(main_metric(result), "value"), error = 100 * error_of(main_metric(result));
	double x = place(a, value);

	fprintf(out, "<text x=\"0\" y=\"%d\">", top + 12);
	mote_eval_report_name(out, result);
	fprintf(out, "</text><text x=\"100%%\" y=\"%d\" text-anchor=\"end\">%.2f", top + 12, value);
	if (error > 0)
		fprintf(out, " <tspan class=\"dim\">± %.2f</tspan>", error);
	fprintf(out, "</text><line class=\"error\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" y2=\"%d\"/>"
		"<circle class=\"best\" cx=\"%.2f%%\" cy=\"%d\" r=\"5\"/>\n", place(a, value - error),
		place(a, value + error), top + 24, top + 24, x, top + 24);
}

void mote_eval_report_scores(FILE *out, const cJSON *const *row, int n)
{
	const cJSON *constant = mote_json_get(row[0], "best_constant"), *answer = mote_json_get(constant, "answer");
	double chance = number(row[0], "chance");
	struct axis a = axis_of(row, n);
	int bottom = n * ROW, y = bottom + AXIS;

	fprintf(out, "<svg class=\"chart\" height=\"%d\" role=\"img\" aria-label=\"Scores in per cent\">\n",
		y + 2 * NOTE + 4);
	put_grid(out, a, bottom);
	if (chance > 0)
		put_mark(out, a, 100 * chance, "chance", "chance", NULL, bottom, y += NOTE);
	if (constant)
		put_mark(out, a, 100 * number(constant, "value"), "constant", "always",
			 cJSON_IsString(answer) ? answer->valuestring : NULL, bottom, y + NOTE);
	for (int i = 0; i < n; i++)
		put_score(out, a, row[i], i * ROW);
	fputs("</svg>\n", out);
}

/* To the left what went wrong, to the right what came right. */
static void put_flip(FILE *out, const cJSON *result, double most, int top)
{
	const cJSON *paired = mote_json_get(result, "paired");
	double wrong = number(paired, "to_wrong"), right = number(paired, "to_right");

	fprintf(out, "<text x=\"0\" y=\"%d\">", top + 12);
	mote_eval_report_name(out, result);
	fprintf(out, "</text><text x=\"100%%\" y=\"%d\" text-anchor=\"end\">p = %.3g <tspan class=\"dim\">· %.1f %% "
		"alike</tspan></text>\n", top + 12, number(paired, "p"), 100 * number(paired, "agreement"));
	fprintf(out, "<rect class=\"wrong\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"%d\" height=\"12\"/>"
		"<rect class=\"right\" x=\"50%%\" width=\"%.2f%%\" y=\"%d\" height=\"12\"/>\n", 50 - 38 * wrong / most,
		38 * wrong / most, top + 18, 38 * right / most, top + 18);
	fprintf(out, "<text x=\"%.2f%%\" y=\"%d\" text-anchor=\"end\">%.0f&#160;</text>"
		"<text x=\"%.2f%%\" y=\"%d\">&#160;%.0f</text>\n", 50 - 38 * wrong / most, top + 28, wrong,
		50 + 38 * right / most, top + 28, right);
}

void mote_eval_report_flips(FILE *out, const cJSON *const *row, int n)
{
	double most = 5; /* a bar of one item is a short one */
	int rows = 0;

	for (int i = 0; i < n; i++) {
		const cJSON *paired = mote_json_get(row[i], "paired");

		rows += paired != NULL;
		most = number(paired, "to_wrong") > most ? number(paired, "to_wrong") : most;
		most = number(paired, "to_right") > most ? number(paired, "to_right") : most;
	}
	if (rows == 0)
		return;
	fprintf(out, "<h3>Item by item against ");
	mote_eval_report_name(out, row[0]);
	fprintf(out, "</h3><svg class=\"chart\" height=\"%d\" role=\"img\" aria-label=\"Items that changed\">\n",
		rows * ROW + NOTE + 6);
	rows = 0;
	for (int i = 0; i < n; i++)
		if (mote_json_get(row[i], "paired"))
			put_flip(out, row[i], most, rows++ * ROW);
	fprintf(out, "<line class=\"grid\" x1=\"50%%\" x2=\"50%%\" y1=\"0\" y2=\"%d\"/>"
		"<text class=\"dim\" x=\"49%%\" y=\"%d\" text-anchor=\"end\">now wrong</text>"
		"<text class=\"dim\" x=\"51%%\" y=\"%d\">now right</text></svg>\n", rows * ROW,
		rows * ROW + NOTE, rows * ROW + NOTE);
}
