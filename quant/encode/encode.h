/* Encoders of single blocks: 32 weights to quants and one scale, f16 or a byte.
 *
 * What a block means is fixed by format/block.h (the decode is the specification); how well it stands for the
 * weights is decided here. Every function is a pure function of its arguments, in IEEE operations of a fixed
 * order: the same bytes on any CPU. What sees more than one block (Hessians, learned codebooks) is in gptq.h and
 * encode_matrix.h.
 *
 * A scale is chosen among those that the type can store, so quants are fitted to what is stored. In this folder a scale
 * is the u16 that mote_panel_pack_quants() takes: f16 bits, or a byte.
 *
 * Edge cases, for all of them: no NaN comes out of finite weights. A block whose scale would round to zero
 * becomes a block of zeros (error at most its largest magnitude, below 2^-17 for q8, 2^-21 and less for the others). A
 * scale beyond f16's range is held at 65504, so weights beyond 65504 times the largest quant saturate: encode_matrix.h
 * refuses a matrix that has any. A byte scale is held at 31 x 2^-12 units.
 */
#ifndef MOTE_QUANT_ENCODE_H
#define MOTE_QUANT_ENCODE_H

#include "format/block.h"

/* From fast and plain to slow and good; docs/quantization.md says what each gains. */
enum mote_encoder {
	MOTE_ENCODER_ROUND,    /* what ggml's Q8_0, Q5_0 and Q4_0 do, quant for quant */
	MOTE_ENCODER_SEARCH,   /* the scale with the least squared error */
	MOTE_ENCODER_WEIGHTED, /* the scale with the least expected output error; fixed non-uniform codebook */
	MOTE_ENCODER_LEARNED,  /* the same with a codebook learned for each tensor */
	MOTE_ENCODER_GPTQ      /* second order, layer after layer */
};

/* "round" and so on; NULL for a number that is no encoder. */
const char *mote_encoder_name(enum mote_encoder encoder);
bool mote_encoder_from_name(const char *name, enum mote_encoder *encoder);

/* The values that a block of a quantized type can hold at scale 1, ready for looking up the nearest. */
struct mote_grid {
	enum mote_type type;
	double value[256];    /* of each quant; ascending */
	double low, high;     /* the first and the last */
	uint32_t levels;
	float unit;           /* of byte scales; 1 until mote_grid_fit() */
	bool linear;          /* one step between any two neighbours */
	uint8_t zero;         /* the quant whose value is nearest to 0 */
	uint8_t nearest[512]; /* the quant nearest to any x with floor(2 x) + 256 == index */
};

/* codebook: [levels] ascending for types that have one, else ignored. */
void mote_grid_init(struct mote_grid *g, enum mote_type type, const uint8_t *codebook);

/* Of types with byte scales: the unit becomes the smallest power of two with which scales reach what a search tries for
 * weights up to this magnitude. */
void mote_grid_fit(struct mote_grid *g, float largest);

/* The nearest scale that the grid's type can store, and what a stored one is worth. */
uint16_t mote_grid_scale(const struct mote_grid *g, double scale);
double mote_grid_scale_value(const struct mote_grid *g, uint16_t scale);

/* The quant whose value is nearest to x; x beyond the grid gives its end, and NaN the lower one.
 * Values are integers, so half-integers are the only places where the nearest changes. */
static inline uint8_t mote_grid_nearest(const struct mote_grid *g, double x)
{
	x = x > -128 ? x : -128; /* so, not the other way round, for NaN */
	x = x > 127.5 ? 127.5 : x;
	return g->nearest[(int)(2 * x + 256)];
}

/* Plain rounding, bit for bit as ggml's reference does it (types with a codebook: g has the linear one): the largest
 * weight becomes the first quant, or with 8 bits its magnitude 127 steps. A byte scale is the next larger, so that no
 * weight is cut off. x[32] finite. */
void mote_encode_round(const struct mote_grid *g, const float *x, uint8_t *quants, uint16_t *scale);

/* The scale and quants with the least error sum of weight[j] * (x[j] - decoded[j])^2 that a search over scales of
 * both signs with a closed-form refit finds; returns that error. Never worse than the block of zeros; with
 * a linear grid never worse than mote_encode_round().
 *   x [32] finite   weight [32] at least 0, or NULL: all 1 */
double mote_encode_search(const struct mote_grid *g, const double *x, const double *weight, uint8_t *quants,
			  uint16_t *scale);

#endif
