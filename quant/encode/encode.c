/* Encoders of single blocks: see encode.h. */
#include "quant/encode/encode.h"

#include <math.h>
#include <string.h>

#include "format/half.h"

#define BLOCK MOTE_BLOCK_COLS
#define F16_MAX 65504.0
#define SCAN_WITHIN 4.0
#define SCAN_BEYOND 3.0
#define SCAN_STEPS 14u
#define REFIT_BEYOND 1.25 /* a refitted scale can be larger than what was tried */
#define LARGEST_UNIT 0x1p30f

static const char encoder_names[][12] = {"round", "search", "weighted", "learned", "gptq"};

const char *mote_encoder_name(enum mote_encoder encoder)
{
	return (unsigned)encoder < sizeof encoder_names / sizeof *encoder_names ? encoder_names[encoder] : NULL;
}

bool mote_encoder_from_name(const char *name, enum mote_encoder *encoder)
{
	for (unsigned i = 0; i < sizeof encoder_names / sizeof *encoder_names; i++)
		if (strcmp(encoder_names[i], name) == 0) {
			*encoder = (enum mote_encoder)i;
			return true;
		}
	return false;
}

void mote_grid_init(struct mote_grid *g, enum mote_type type, const uint8_t *codebook)
{
	g->type = type;
	g->unit = 1;
	g->levels = mote_type_levels(type);
	for (uint32_t i = 0; i < g->levels; i++)
		g->value[i] = mote_quant_value(type, codebook, i);
	g->low = g->value[0];
	g->high = g->value[g->levels - 1];
	for (uint32_t i = 0, best = 0; i < 512; i++) {
		double x = i * 0.5 - 128 + 0.25; /* the middle of the half-integer interval */

		while (best + 1 < g->levels && fabs(g->value[best + 1] - x) <= fabs(g->value[best] - x))
			best++;
		g->nearest[i] = (uint8_t)best;
	}
	g->zero = mote_grid_nearest(g, 0);
	g->linear = g->high - g->low == g->levels - 1; /* ascending whole numbers */
}

void mote_grid_fit(struct mote_grid *g, float largest)
{
	double nearer = -g->low < g->high ? -g->low : g->high;
	double scale = largest / (nearer * (1 - SCAN_WITHIN / g->levels)) * REFIT_BEYOND;

	if (!mote_type_has_byte_scales(g->type))
		return;
	for (g->unit = 1 / LARGEST_UNIT; g->unit < LARGEST_UNIT && g->unit * MOTE_LARGEST_SCALE_BYTE < scale;
	     g->unit *= 2)
		;
}

/* The nearest byte; halves away from zero, and zero has no sign. */
static uint16_t scale_to_byte(const struct mote_grid *g, double scale)
{
	double units = fabs(scale) / g->unit;
	uint16_t half = mote_f16_from_f32((float)(units < MOTE_LARGEST_SCALE_BYTE ? units : MOTE_LARGEST_SCALE_BYTE));
	uint16_t byte = (uint16_t)((half + 32) >> 6);

	return (uint16_t)(byte | (scale < 0 && byte ? 0x80 : 0));
}

uint16_t mote_grid_scale(const struct mote_grid *g, double scale)
{
	if (mote_type_has_byte_scales(g->type))
		return scale_to_byte(g, scale);
	scale = scale > F16_MAX ? F16_MAX : scale < -F16_MAX ? -F16_MAX : scale; /* infinity is no scale */
	return mote_f16_from_f32((float)scale);
}

double mote_grid_scale_value(const struct mote_grid *g, uint16_t scale)
{
	if (mote_type_has_byte_scales(g->type))
		return (double)mote_f32_from_f16(mote_f16_from_scale_byte((uint8_t)scale)) * g->unit;
	return mote_f32_from_f16(scale);
}

/* The compiler's own vectors, as in panel_pack.c: 16 bytes are what every supported CPU has. */
typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));

static inline f32x4 choose(i32x4 mask, f32x4 yes, f32x4 no)
{
	return (f32x4)((mask & (i32x4)yes) | (~mask & (i32x4)no));
}

/* The first weight of the largest magnitude. */
static float largest_of(const float *x)
{
	f32x4 high = {0}, low = {0};
	float most = 0, least = 0;

	for (uint32_t j = 0; j < BLOCK; j += 4) {
		f32x4 v;

		memcpy(&v, x + j, sizeof v);
		high = choose(v > high, v, high);
		low = choose(v < low, v, low);
	}
	for (uint32_t i = 0; i < 4; i++) {
		most = high[i] > most ? high[i] : most;
		least = low[i] < least ? low[i] : least;
	}
	for (uint32_t j = 0; most == -least && j < BLOCK; j++)
		if (fabsf(x[j]) == most)
			return x[j];
	return most > -least ? most : least;
}

static inline f32x4 clamp(f32x4 y, float most)
{
	const f32x4 high = {most, most, most, most}, low = -high;

	y = choose(y > high, high, y);
	return choose(y < low, low, y);
}

/* Half away from zero, as roundf; adding 0.5 first would round 0.49999997 up. A comparison that holds gives -1. */
static inline i32x4 round_q8(f32x4 y)
{
	i32x4 whole = __builtin_convertvector(clamp(y, 127), i32x4);
	f32x4 rest = clamp(y, 127) - __builtin_convertvector(whole, f32x4); /* exact */

	return whole - (i32x4)(rest >= 0.5f) + (i32x4)(rest <= -0.5f) + 128;
}

static inline i32x4 round_linear(f32x4 y, float half)
{
	const int32_t last = 2 * (int32_t)half - 1;
	i32x4 level = __builtin_convertvector(clamp(y, half) + half + 0.5f, i32x4);

	return level + (i32x4)(level > last); /* at most one too high */
}

void mote_encode_round(const struct mote_grid *g, const float *x, uint8_t *quants, uint16_t *scale)
{
	const bool bytes = mote_type_has_byte_scales(g->type), q8 = g->levels == 256;
	float half = (float)(g->levels / 2), largest = largest_of(x), inverse;
	float d = q8 ? fabsf(largest) / 127 : largest / -half;
	int32_t level[BLOCK];

	*scale = mote_grid_scale(g, d);
	if (bytes && fabs(mote_grid_scale_value(g, *scale)) < fabsf(d) && (*scale & 0x7f) && (*scale & 0x7f) < 0x7f)
		++*scale;
	if (bytes || fabsf(d) > (float)F16_MAX)
		d = (float)mote_grid_scale_value(g, *scale); /* the only departure: ggml stores infinity */
	inverse = d != 0 ? 1 / d : 0;
	if (!(fabsf(inverse) <= 3e38f))
		inverse = 0; /* a subnormal d, whose f16 is zero anyway */
	for (uint32_t j = 0; j < BLOCK; j += 4) {
		f32x4 y;
		i32x4 whole;

		memcpy(&y, x + j, sizeof y);
		whole = q8 ? round_q8(y * inverse) : round_linear(y * inverse, half);
		memcpy(level + j, &whole, sizeof whole);
	}
	for (uint32_t j = 0; j < BLOCK; j++)
		quants[j] = (uint8_t)level[j];
}

/* The state of a search: the best so far. */
struct search {
	const struct mote_grid *g;
	const double *x, *weight;
	double error;
	uint8_t *quants;
	uint16_t *scale;
};

/* Encodes with exactly this scale, takes the result if it is better, and returns the scale that would be best
 * for the quants it chose. */
static double try_scale(struct search *s, uint16_t half)
{
	double scale = mote_grid_scale_value(s->g, half), inverse = 1 / scale;
	double error = 0, xc = 0, cc = 0;
	uint8_t quants[BLOCK];

	if (scale == 0)
		return 0;
	for (uint32_t j = 0; j < BLOCK; j++) {
		uint8_t q = mote_grid_nearest(s->g, s->x[j] * inverse);
		double c = s->g->value[q], r = s->x[j] - scale * c;

		quants[j] = q;
		error += s->weight[j] * r * r;
		xc += s->weight[j] * s->x[j] * c;
		cc += s->weight[j] * c * c;
	}
	if (error < s->error) {
		s->error = error;
		*s->scale = half;
		memcpy(s->quants, quants, sizeof quants);
	}
	return cc > 0 ? xc / cc : 0;
}

/* With quants c fixed, the best scale is xc/cc and leaves the error xx - xc^2/cc: so the candidate with the largest
 * xc^2/cc is the one to pursue. Returns its refitted scale. */
static double scan_scales(const struct search *s, double largest)
{
	/* Where the block's largest weight may land, as a share of the grid's end: some steps of the grid within it or
	 * beyond. 8 bits hardly ever gain from clipping, 4 and 3 bits often do. */
	double from = 1 - SCAN_WITHIN / s->g->levels, to = 1 + SCAN_BEYOND / s->g->levels;
	double best = 0, best_scale = 0;

	for (unsigned side = 0; side < 2; side++) {
		double end = side ? s->g->high : s->g->low;

		for (unsigned step = 0; step < SCAN_STEPS; step++) {
			double inverse = end * (from + (to - from) * step / (SCAN_STEPS - 1)) / largest;
			double xc = 0, cc = 0;

			for (uint32_t j = 0; j < BLOCK; j++) {
				double c = s->g->value[mote_grid_nearest(s->g, s->x[j] * inverse)];

				xc += s->weight[j] * s->x[j] * c;
				cc += s->weight[j] * c * c;
			}
			if (cc > 0 && xc * xc > best * cc) {
				best = xc * xc / cc;
				best_scale = xc / cc;
			}
		}
	}
	return best_scale;
}

/* Plain rounding's own result as a candidate, so that a search is never worse. */
static void try_round(struct search *s)
{
	float x[BLOCK];
	uint8_t quants[BLOCK];
	uint16_t half;
	double scale, error = 0;

	for (uint32_t j = 0; j < BLOCK; j++)
		x[j] = (float)s->x[j];
	mote_encode_round(s->g, x, quants, &half);
	scale = mote_grid_scale_value(s->g, half);
	for (uint32_t j = 0; j < BLOCK; j++) {
		double r = s->x[j] - scale * s->g->value[quants[j]];

		error += s->weight[j] * r * r;
	}
	if (error < s->error) {
		s->error = error;
		*s->scale = half;
		memcpy(s->quants, quants, sizeof quants);
	}
}

/* Bytes are so far apart that the one next to the best refit can be better with quants of its own. */
static void try_neighbours(struct search *s)
{
	const uint16_t best = *s->scale;

	if ((best & 0x7f) < 0x7f)
		try_scale(s, (uint16_t)(best + 1));
	if ((best & 0x7f) > 1)
		try_scale(s, (uint16_t)(best - 1));
}

double mote_encode_search(const struct mote_grid *g, const double *x, const double *weight, uint8_t *quants,
			  uint16_t *scale)
{
	static const double ones[BLOCK] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
					    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct search s = {.g = g, .x = x, .weight = weight ? weight : ones, .quants = quants, .scale = scale};
	double largest = 0, refit;

	for (uint32_t j = 0; j < BLOCK; j++) {
		if (fabs(x[j]) > fabs(largest))
			largest = x[j];
		s.error += s.weight[j] * x[j] * x[j];
	}
	*scale = 0;
	memset(quants, g->zero, BLOCK);
	if (fabs(largest) < 0x1p-30) /* no scale that f16 can hold does better than zero, and bytes need not */
		return s.error;
	refit = scan_scales(&s, largest);
	for (unsigned i = 0; i < 3 && refit != 0; i++)
		refit = try_scale(&s, mote_grid_scale(g, refit));
	if (mote_type_has_byte_scales(g->type))
		try_neighbours(&s);
	if (g->linear)
		try_round(&s);
	return s.error;
}
