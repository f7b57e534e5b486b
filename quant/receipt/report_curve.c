/* See report_curve.h. Coordinates are the SVG's own units, y downwards. */
#include "quant/receipt/report_curve.h"

#include <string.h>

#include "runtime/kernels/exact.h"

enum { WIDTH = 860, HEIGHT = 380, LEFT = 74, RIGHT = 24, TOP = 18, BOTTOM = 46, MAX_POINTS = 64 };

struct axis {
	double low, high;
	bool logarithmic;
};

struct box {
	double x, y, width, height;
};

struct chart {
	FILE *out;
	const struct mote_report *report;
	struct axis x, y;
	struct box taken[3 * MAX_POINTS]; /* points and labels: no label may cover these */
	unsigned n_taken;
};

static double place(struct axis a, double value)
{
	if (a.logarithmic)
		return (mote_exact_log(value) - mote_exact_log(a.low)) /
		       (mote_exact_log(a.high) - mote_exact_log(a.low));
	return (value - a.low) / (a.high - a.low);
}

static double place_x(const struct chart *c, double value)
{
	return LEFT + place(c->x, value) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct chart *c, double value)
{
	return HEIGHT - BOTTOM - place(c->y, value) * (HEIGHT - TOP - BOTTOM);
}

static double size_of(const struct mote_report_model *m)
{
	return (double)m->file_bytes / 1e6;
}

static struct mote_estimate quality_of(const struct mote_report_model *m)
{
	return m->figures->paired ? m->figures->kld_mean : m->figures->perplexity;
}

/* 1, 2 or 5 times a power of ten, at least x. */
static double round_step(double x)
{
	double power = 1e-9;

	while (power * 10.0 <= x)
		power *= 10.0;
	return x <= power ? power : x <= 2.0 * power ? 2.0 * power : x <= 5.0 * power ? 5.0 * power : 10.0 * power;
}

static struct axis linear_axis(double low, double high)
{
	double margin = high > low ? 0.12 * (high - low) : high > 0.0 ? 0.1 * high : 1.0;

	margin = margin > 1e-6 * high ? margin : 1e-6 * high; /* steps that are told apart */
	return (struct axis){low - margin > 0.0 ? low - margin : 0.0, high + margin, false};
}

static void choose_axes(struct chart *c)
{
	const struct mote_report *r = c->report;
	double low_x = size_of(&r->model[0]), high_x = low_x, low_y = quality_of(&r->model[0]).value, high_y = low_y;
	bool paired = r->model[0].figures->paired;
	double floor;

	for (uint32_t i = 0; i < r->n; i++) {
		struct mote_estimate q = quality_of(&r->model[i]);
		/* Perplexities may differ by less than their errors, whose lines are to be seen whole. */
		double x = size_of(&r->model[i]), e = !paired && q.independent > 0.0 ? q.independent : 0.0;

		low_x = x < low_x ? x : low_x;
		high_x = x > high_x ? x : high_x;
		low_y = q.value - e < low_y ? q.value - e : low_y;
		high_y = q.value + e > high_y ? q.value + e : high_y;
	}
	c->x = linear_axis(low_x, high_x);
	c->y = linear_axis(low_y, high_y);
	if (!paired || !(high_y > 0.0))
		return;
	/* A model that equals its reference has no divergence: it sits on the floor, below the least that counts. */
	floor = high_y;
	for (uint32_t i = 0; i < r->n; i++) {
		double y = quality_of(&r->model[i]).value;
		floor = y > high_y * 1e-6 && y < floor ? y : floor;
	}
	c->y = (struct axis){low_y < floor ? floor / 5.0 : floor / 1.8, high_y * 1.8, true};
}

static void put_grid_y(struct chart *c, double value)
{
	double y = place_y(c, value);

	fprintf(c->out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
		"<text class=\"dim\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT, WIDTH - RIGHT, y,
		y, LEFT - 8, y + 4.0, value);
}

static void put_axes(struct chart *c)
{
	bool paired = c->report->model[0].figures->paired;
	double step = round_step((c->x.high - c->x.low) / 8.0);

	if (c->y.logarithmic) {
		static const int steps[] = {1, 2, 5};
		int n = c->y.high / c->y.low < 2000.0 ? 3 : 1; /* over many decades 1 alone */

		for (double power = 1e-12; power < c->y.high; power *= 10.0)
			for (int i = 0; i < n; i++)
				if (power * steps[i] >= c->y.low && power * steps[i] <= c->y.high)
					put_grid_y(c, power * steps[i]);
	} else {
		double step_y = round_step((c->y.high - c->y.low) / 6.0);

		for (double k = (double)(int64_t)(c->y.low / step_y) + 1.0; k * step_y <= c->y.high; k += 1.0)
			put_grid_y(c, k * step_y);
	}
	for (double k = (double)(int64_t)(c->x.low / step) + 1.0; k * step <= c->x.high; k += 1.0)
		fprintf(c->out, "<text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
			place_x(c, k * step), HEIGHT - BOTTOM + 18, k * step);
	fprintf(c->out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT, WIDTH - RIGHT,
		HEIGHT - BOTTOM, HEIGHT - BOTTOM);
	fprintf(c->out, "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">megabytes</text>\n", WIDTH - RIGHT,
		HEIGHT - 8);
	fprintf(c->out, "<text class=\"dim\" transform=\"rotate(-90)\" x=\"%d\" y=\"16\" "
		"text-anchor=\"middle\">%s</text>\n", -(HEIGHT - BOTTOM + TOP) / 2,
		paired ? "KL divergence from the reference, nats" : "perplexity");
}

/* Nothing at most as large is better. */
static bool is_best(const struct mote_report *r, uint32_t i)
{
	for (uint32_t k = 0; k < r->n; k++) {
		double smaller = size_of(&r->model[i]) - size_of(&r->model[k]);
		double better = quality_of(&r->model[i]).value - quality_of(&r->model[k]).value;

		if (k != i && smaller >= 0.0 && better >= 0.0 && (smaller > 0.0 || better > 0.0 || k < i))
			return false;
	}
	return true;
}

static double floor_y(const struct chart *c, double value)
{
	return value < c->y.low && c->y.logarithmic ? c->y.low : value;
}

static void put_curve(struct chart *c)
{
	const struct mote_report *r = c->report;
	uint32_t order[MAX_POINTS], n = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t at = n;

		if (!is_best(r, i))
			continue;
		for (; at > 0 && size_of(&r->model[order[at - 1]]) > size_of(&r->model[i]); at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	fputs("<polyline class=\"curve\" points=\"", c->out);
	for (uint32_t i = 0; i < n; i++)
		fprintf(c->out, "%.1f,%.1f ", place_x(c, size_of(&r->model[order[i]])),
			place_y(c, floor_y(c, quality_of(&r->model[order[i]]).value)));
	fputs("\"/>\n", c->out);
}

static void put_points(struct chart *c)
{
	for (uint32_t i = 0; i < c->report->n; i++) {
		struct mote_estimate q = quality_of(&c->report->model[i]);
		double x = place_x(c, size_of(&c->report->model[i])), y = place_y(c, floor_y(c, q.value));

		if (q.independent > 0.0) /* false for NaN */
			fprintf(c->out, "<line class=\"error\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x,
				place_y(c, floor_y(c, q.value - q.independent)),
				place_y(c, floor_y(c, q.value + q.independent)));
		fprintf(c->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n",
			is_best(c->report, i) ? "best" : "other", x, y);
		c->taken[c->n_taken++] = (struct box){x - 6.0, y - 6.0, 12.0, 12.0};
	}
}

static bool is_free(const struct chart *c, struct box b)
{
	if (b.x < LEFT || b.x + b.width > WIDTH - 4 || b.y < 2.0 || b.y + b.height > HEIGHT - BOTTOM)
		return false;
	for (unsigned i = 0; i < c->n_taken; i++) {
		const struct box *t = &c->taken[i];
		if (b.x < t->x + t->width && t->x < b.x + b.width && b.y < t->y + t->height && t->y < b.y + b.height)
			return false;
	}
	return true;
}

/* Beside its point where there is room; a crowded point goes without, the table has its name. */
static void put_labels(struct chart *c)
{
	for (uint32_t i = 0; i < c->report->n; i++) {
		const struct mote_report_model *m = &c->report->model[i];
		size_t bytes = strlen(m->name);
		double width = 6.6 * (double)bytes, x = place_x(c, size_of(m));
		double y = place_y(c, floor_y(c, quality_of(m).value));
		const struct box places[] = { {x + 9.0, y - 18.0, width, 14.0}, {x + 9.0, y + 6.0, width, 14.0},
					      {x - 9.0 - width, y + 6.0, width, 14.0},
					      {x - 9.0 - width, y - 18.0, width, 14.0},
					      {x - width / 2.0, y - 24.0, width, 14.0},
					      {x - width / 2.0, y + 12.0, width, 14.0}};

		for (size_t k = 0; k < sizeof places / sizeof *places; k++)
			if (is_free(c, places[k])) {
				fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.0f\">", places[k].x,
					places[k].y + 11.0, width);
				mote_report_escape(c->out, m->name, bytes);
				fputs("</text>\n", c->out);
				c->taken[c->n_taken++] = places[k];
				break;
			}
	}
}

/* The models that have a place: of some broken ones the perplexity, or its error, is no number any more. */
static uint32_t choose_models(const struct mote_report *r, struct mote_report_model *model)
{
	const double most = 1e300;
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n && n < MAX_POINTS; i++) {
		struct mote_estimate q = quality_of(&r->model[i]);

		if (q.value < most && !(q.independent >= most))
			model[n++] = r->model[i];
	}
	return n;
}

void mote_report_curve(FILE *out, const struct mote_report *r)
{
	struct mote_report_model model[MAX_POINTS];
	struct mote_report drawn = {.model = model, .n = choose_models(r, model)};
	struct chart c = {.out = out, .report = &drawn};

	if (drawn.n == 0)
		return;
	choose_axes(&c);
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Size against quality\">\n", WIDTH, HEIGHT);
	put_axes(&c);
	put_curve(&c);
	put_points(&c);
	put_labels(&c);
	fputs("</svg>\n<p class=\"dim\">Filled: no smaller model is better. Lines: one standard error.</p>", out);
}
