/* A training's loss over its steps, as a picture. */
#include "quant/train/trained_file.h"

#include <math.h>
#include <stdio.h>

#include "format/output.h"

enum { WIDTH = 640, HEIGHT = 360, LEFT = 64, RIGHT = 16, TOP = 24, BOTTOM = 40, TICKS = 4 };

struct frame {
	double low, high;
	uint32_t steps;
};

static double x_of(const struct frame *f, double step)
{
	return LEFT + (step - 1) / (f->steps > 1 ? f->steps - 1 : 1) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct frame *f, double loss)
{
	return TOP + (f->high - loss) / (f->high - f->low) * (HEIGHT - TOP - BOTTOM);
}

static struct frame frame_of(const struct mote_trainer *t)
{
	struct frame f = {INFINITY, -INFINITY, t->step};

	for (uint32_t i = 0; i < t->step; i++) {
		f.low = fmin(f.low, t->curve[i].loss);
		f.high = fmax(f.high, t->curve[i].loss);
	}
	if (f.low >= f.high)
		f.high = f.low + 1;
	return f;
}

static void draw_axes(FILE *o, const struct frame *f)
{
	for (int i = 0; i <= TICKS; i++) {
		double loss = f->low + (f->high - f->low) * i / TICKS, y = y_of(f, loss);

		fprintf(o, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT, WIDTH - RIGHT, y, y,
			LEFT - 6, y + 4, loss);
	}
	for (int i = 0; i <= TICKS; i++) {
		double step = 1 + floor((f->steps - 1.0) * i / TICKS);

		fprintf(o, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x_of(f, step),
			HEIGHT - BOTTOM + 18, step);
	}
	fprintf(o, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text><text x=\"%d\" y=\"14\">loss</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, LEFT);
}

enum mote_status mote_train_curve_write(const struct mote_trainer *t, const char *path, bool force,
					struct mote_error *error)
{
	struct mote_output *output;
	struct frame f = frame_of(t);
	enum mote_status status = mote_output_open(path, force, &output, error);
	FILE *o;

	if (status)
		return status;
	o = mote_output_stream(output);
	if (!o) {
		mote_output_discard(output);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	}
	fprintf(o, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
		"font-size=\"12\">\n"
		"<title>Training loss by step</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT);
	draw_axes(o, &f);
	fputs("<polyline fill=\"none\" stroke=\"#1a5fb4\" stroke-width=\"1.5\" points=\"", o);
	for (uint32_t i = 0; i < t->step; i++)
		fprintf(o, "%.1f,%.1f ", x_of(&f, i + 1), y_of(&f, t->curve[i].loss));
	fputs("\"/>\n</svg>\n", o);
	return mote_output_commit(output, error);
}
