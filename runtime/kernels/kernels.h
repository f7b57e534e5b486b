/* Kernels: everything of the forward pass that is arithmetic on vectors.
 *
 * One struct of function pointers. scalar.c fills it wholly and is the reference; each ISA's file
 * overrides what it does faster, in ascending order (dispatch.c). What a function computes is fixed to the
 * last bit, so every table gives the same bits, and a row's result never depends on how many other rows,
 * panels or threads took part. The rules that make this so:
 *
 *  - Quantized product: per row and block of 32 columns, isum = sum value * a exactly in int32 (value: what
 *    mote_quant_value() says, a: the activation's quant); then acc = fma((float)isum, wscale * xscale, acc), blocks
 *    ascending, from acc = +0.
 *  - Float product: acc = fma(w, x, acc), columns ascending, from acc = +0.
 *  - Sums over a vector: 16 lanes, lane j takes elements j, j + 16, ... ascending from +0; then the tree
 *    a[j] += a[j + 8], then + 4, + 2, + 1.
 *  - exp is mote_exact_expf(), operation by operation. Division and square root are the IEEE ones.
 *  - Everything else is written as a formula beside the function; every * and + rounds, fma() rounds once.
 *
 * The one thing left open is the sign and payload of a NaN.
 *
 * A new ISA needs: multiply for each type, quantize, norm, rope, swiglu, geglu, softcap, add, softmax, mix for each
 * float V type, merge, tile, sigmoid; any of them may be left to the table below. matmul.c, attention.c and gemm.c
 * drive them and are shared.
 *
 * No function here can fail or allocates; all are thread-safe on disjoint outputs. None reads or writes
 * beyond what its comment says, not even by a byte.
 */
#ifndef MOTE_RUNTIME_KERNELS_H
#define MOTE_RUNTIME_KERNELS_H

#include "format/block.h"
#include "format/status.h"

/* Rows of activations: inputs of a matrix product.
 * Row r: x + r*stride, q + r*stride, scale + r*(stride/32), bias + r*(stride/32); x or q may be absent.
 * Each row starts on 64 bytes. q is x in blocks of 32 columns, see quantize below. */
struct mote_activations {
	float *x;        /* [rows][stride], or NULL */
	int8_t *q;       /* [rows][stride], or NULL: no quantized matrix reads this */
	float *scale;    /* [rows][stride/32] */
	int32_t *bias;   /* [rows][stride/32]: -128 * sum of the block's q: undoes the +128 in weights, a quarter
			  * and an eighth of it the +32 of q6 and the +16 of q5 */
	uint32_t rows, cols;
	size_t stride;   /* cols rounded up to a multiple of 64 */
};

enum mote_activation_parts { MOTE_ACTIVATIONS_X = 1, MOTE_ACTIVATIONS_Q = 2 };

/* Bytes (a multiple of 64) that activations of this shape take. */
size_t mote_activations_bytes(uint32_t rows, uint32_t cols, unsigned parts);
/* Carves them out of 64-byte-aligned memory of that size. Contents are left as they are. */
void mote_activations_init(struct mote_activations *a, uint32_t rows, uint32_t cols, unsigned parts,
			   void *memory);

/* Keys and values of one KV head of one layer of one sequence.
 *   k  a matrix whose rows are positions and whose columns are the head's dimensions: scores are one
 *      multiply() of K with the queries, 16 positions in 16 lanes. Type f32, f16 or q8.
 *   v  f32, f16: [positions][v_cols]; padding dimensions hold zero.
 *      q8: the matrix v_quants, whose rows are dimensions and whose columns are positions, so that mixing values is
 *      one multiply() as well. Its own scales are 1: a position's scale, one for the whole head, goes with the weight
 *      that the position gets from softmax, and is kept apart in v_scale. */
struct mote_kv {
	struct mote_matrix k;
	uint8_t *k_data;             /* k.data, writable */
	enum mote_type v_type;       /* MOTE_F32, MOTE_F16 or MOTE_Q8 */
	uint32_t head_dim;
	uint8_t *v;                  /* f32, f16: the values; q8: v_quants.data, writable; 64-byte aligned */
	uint32_t v_cols;             /* f32, f16: head_dim rounded up to 16 */
	struct mote_matrix v_quants; /* q8: [head_dim][positions] */
	float *v_scale;              /* q8: [positions], 64-byte aligned */
	/* NULL, or what the caller will ask for next: fetched towards the core meanwhile. */
	const uint8_t *next;
	size_t next_bytes;
};

/* Bytes (a multiple of 64) for this many positions; 0 when the numbers make no sense. */
size_t mote_kv_bytes(enum mote_type k, enum mote_type v, uint32_t head_dim, uint32_t positions);
/* Carves a head's cache out of 64-byte-aligned memory of that size; it need not be cleared. */
void mote_kv_init(struct mote_kv *kv, enum mote_type k, enum mote_type v, uint32_t head_dim,
		  uint32_t positions, void *memory);
/* The same cache, so many bytes further on in memory. */
void mote_kv_move(struct mote_kv *kv, size_t bytes);

/* Fetches the lines that kv_store() will write towards the core: meanwhile the key is computed. */
void mote_kv_fetch_for_store(const struct mote_kv *kv, uint32_t position);
/* Fetches positions [0, n) towards the core, to be read next. */
void mote_kv_fetch(const struct mote_kv *kv, uint32_t n);

/* out[r][16*p + lane] = row 16*(panel+p)+lane of w times row row+r of x; r < n_rows, p < n_panels.
 *   w    of the type that the slot names    x   x.x (float types) or x.q (quantized), x.cols == w.cols
 *   out  [n_rows][out_stride] f32, at least 4-byte aligned; all 16 lanes of a panel are written */
typedef void mote_multiply_fn(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			      const struct mote_activations *x, uint32_t row, uint32_t n_rows,
			      float *out, size_t out_stride);

/* o[r][d] = fma(p[r][pos - begin], v[pos][d], o[r][d]) for pos in [begin, end) ascending, d < kv->v_cols;
 *   p  [n_rows][p_stride]: only end - begin of each row are read
 *   o  [n_rows][o_stride], read and written; both strides multiples of 16, o 64-byte aligned */
typedef void mote_mix_fn(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			 size_t p_stride, uint32_t n_rows, float *o, size_t o_stride);

/* A tile of a float product: c[i][j] = fma(a[i][d], b[d][j], c[i][j]), d ascending, from what c holds (add) or from +0.
 *   a  element (i, d) is a[i * a_row + d * a_col]      i < rows, 1 to MOTE_GEMM_ROWS; d < depth
 *   b  [depth][MOTE_GEMM_COLS], 64-byte aligned        c  [rows][c_row], MOTE_GEMM_COLS of each row */
struct mote_tile {
	const float *a, *b;
	float *c;
	size_t a_row, a_col, c_row;
	uint32_t rows, depth;
	bool add;
};

#define MOTE_GEMM_ROWS 12u
#define MOTE_GEMM_COLS 32u

#define MOTE_TYPE_SLOTS 32

struct mote_kernels {
	const char *name; /* "scalar"; "avx2", "avxvnni", "avx512", "amx"; "neon", "dotprod" */

	mote_multiply_fn *multiply[MOTE_TYPE_SLOTS]; /* by enum mote_type */
	mote_mix_fn *mix[MOTE_TYPE_SLOTS];           /* by v_type: f32, f16 */

	/* Quantizes x[cols] in blocks of 32. amax = max |x| of the block.
	 *   amax < 2^-100:          all q = 0, scale = 0
	 *   amax infinite or a NaN: all q = 0, scale = NaN, so that the fault shows in the result
	 *   else  scale = amax / 127, q = x * (127 / amax) rounded to nearest even; |q| <= 127
	 * bias = -128 * sum q. q is written to the end of its last block (zeros); blocks = ceil(cols / 32). */
	void (*quantize)(const float *x, uint32_t cols, int8_t *q, float *scale, int32_t *bias);

	/* y[i] = (x[i] * r) * weight[i], r = 1 / sqrt(sum x^2 / n + eps); lane sums by fma(x, x, a). A sum that is
	 * infinite: all NaN. y may be x. */
	void (*norm)(const float *x, const float *weight, uint32_t n, float eps, float *y);

	/* Rotates n_heads heads of x in place or into y. h = dim / 2, i < h (Hugging Face's halves):
	 *   y[i]     = fma(x[i], cos[i], -(x[i + h] * sin[i]))
	 *   y[i + h] = fma(x[i + h], cos[i], x[i] * sin[i])
	 * x_stride, y_stride: floats from head to head. dim even. */
	void (*rope)(const float *x, size_t x_stride, const float *cosine, const float *sine, uint32_t dim,
		     uint32_t n_heads, float *y, size_t y_stride);

	/* y[i] = (gate[i] / (1 + exp(-gate[i]))) * up[i]; y may be gate or up. */
	void (*swiglu)(const float *gate, const float *up, uint32_t n, float *y);

	/* y[i] = (gate[i] / (1 + exp(-t))) * up[i], t = gate[i] * fma(gate[i] * gate[i], c * 0.044715, c),
	 * c = 2 sqrt(2 / pi): GELU by its tanh approximation, as tanh(u) = 2 / (1 + exp(-2u)) - 1;
	 * y may be gate or up. */
	void (*geglu)(const float *gate, const float *up, uint32_t n, float *y);

	/* y[i] = cap * tanh(u), u = y[i] * scale, t = exp(-2 |u|), tanh(u) = (1 - t) / (1 + t) with the sign of u. */
	void (*softcap)(float *y, uint32_t n, float scale, float cap);

	/* y[i] = y[i] + x[i] */
	void (*add)(float *y, const float *x, uint32_t n);

	/* t = s * scale, *max = the largest t, plus 0 (never -0), s[i] = exp(t[i] - *max); returns the lane sum of s.
	 * n >= 1. */
	float (*softmax)(float *s, uint32_t n, float scale, float *max);

	/* Joins the part of the next positions to the state of those before, both as in attention.c:
	 * [0] maximum m, [1] sum l, values o from [16] on, n of them, padded to a multiple of 16.
	 *   part l == 0: nothing; state l == 0: copied; else with M the larger of the two m:
	 *   a = exp(state m - M), b = exp(part m - M), l = fma(state l, a, part l * b), o likewise. */
	void (*merge)(float *state, const float *part, uint32_t n);

	/* Writes one position's key and value (after RoPE), k and v [head_dim]. position < capacity.
	 * Keys of q8, by blocks of 32: scale = f16(amax / 127), q = x * (1 / scale) to nearest even, clamped to
	 * +-127; a zero scale gives zeros, a scale that is infinite or NaN gives zeros with a NaN scale.
	 * Values of q8: scale and q as quantize() makes them of one block as long as the head. */
	void (*kv_store)(const struct mote_kv *kv, uint32_t position, const float *k, const float *v);

	/* Training, driven by train.h. y[i] = 1 / (1 + exp(-x[i])); y may be x. */
	void (*tile)(const struct mote_tile *t);
	void (*sigmoid)(const float *x, uint32_t n, float *y);
};

/* ---- matmul.c: products with their epilogues ---- */

enum mote_epilogue {
	MOTE_STORE,  /* y = W x */
	MOTE_ADD,    /* y += W x */
	MOTE_SWIGLU, /* out = silu(W x) * (up x), quantized at once when out has q, and kept in out->x when it has x */
	MOTE_GEGLU   /* the same with gelu */
};

struct mote_matmul {
	const struct mote_matrix *w;      /* [rows][cols]; the gate for MOTE_SWIGLU and MOTE_GEGLU */
	const struct mote_matrix *up;     /* those two: like w in shape, any type */
	const float *bias, *up_bias;      /* [rows] added to W x and to up x; or NULL */
	const struct mote_activations *x; /* cols == w->cols; has what the types of w and up need */
	enum mote_epilogue epilogue;
	float *y;                         /* MOTE_STORE, MOTE_ADD: [n][y_stride], exactly w->rows a row are written */
	size_t y_stride;
	struct mote_activations *out;     /* MOTE_SWIGLU, MOTE_GEGLU: cols == w->rows */
	float scale;                      /* MOTE_STORE, MOTE_ADD: multiplies W x + bias; 0 for none */
	float cap;                        /* MOTE_STORE: soft cap of that, see softcap(); 0 for none */
};

/* The piece of the product with panels [panel_begin, panel_end) and rows of x [row_begin, row_end).
 * MOTE_SWIGLU, MOTE_GEGLU: panel_begin is even, and panel_end is even or the last. Pieces that do not overlap may run
 * at once; the result does not depend on how the work is cut. */
void mote_matmul_run(const struct mote_kernels *k, const struct mote_matmul *job, uint32_t panel_begin,
		     uint32_t panel_end, uint32_t row_begin, uint32_t row_end);

/* Quantizes rows [begin, end) of a->x into a->q, scale, bias. Nothing when a->q is NULL. */
void mote_activations_quantize(const struct mote_kernels *k, struct mote_activations *a, uint32_t begin,
			       uint32_t end);

/* ---- vector.c: rare enough to be the same code for every table ---- */

/* y[i] = (d[i] * r) * weight[i] + bias[i], d[i] = x[i] - sum x / n, r = 1 / sqrt(sum d * d / n + eps); lane sums, each
 * * and + rounded. Squares whose sum is infinite: all NaN. y may be x. */
void mote_layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps, float *y);
/* y[i] = y[i] * scale */
void mote_vector_scale(float *y, uint32_t n, float scale);

/* ---- attention.c ---- */

/* Attention is computed in segments of this many positions, aligned to absolute positions: each from
 * scratch, then merged in ascending order. So the result is the same however segments are shared out. */
#define MOTE_SEGMENT_POSITIONS 256u

/* Query rows of one KV head. Batch rows have consecutive positions position, position + 1, ...; each has
 * `group` query rows (the query heads that share this KV head), which are q's rows row + r*group + i. */
struct mote_attention {
	const struct mote_kv *kv;
	const struct mote_activations *q; /* cols == head_dim; x for f32, f16 keys, q for q8 */
	uint32_t row;                     /* first query row in q */
	uint32_t rows;                    /* batch rows */
	uint32_t group;
	uint32_t position;                /* of the first batch row */
	uint32_t window;                  /* positions that a row sees, its own included; 0: all */
	float scale;                      /* above 0; as a rule 1 / sqrt(head_dim) */
	float cap;                        /* soft cap of the scaled scores; 0 for none */
};

/* The first segment that a row at this position needs, when it sees so many positions (0: all). */
uint32_t mote_attention_first_segment(uint32_t position, uint32_t window);
/* The segment behind the last one that it needs. */
uint32_t mote_attention_segments(uint32_t position);
/* Floats of one query row's part: maximum, sum, 14 unused, then the weighted values; a multiple of 16. */
size_t mote_attention_part_floats(uint32_t head_dim);

/* Computes one segment for all rows * group query rows into part[rows*group][part_floats], 64-byte aligned.
 * A row that lies wholly before the segment, or whose window does, gets an empty part. */
void mote_attention_segment(const struct mote_kernels *k, const struct mote_attention *a, uint32_t segment,
			    float *part);
/* Makes n parts empty: the state before the first merge. */
void mote_attention_clear(float *state, uint32_t n, uint32_t head_dim);
/* Merges n parts into n states; segments in ascending order. */
void mote_attention_merge(const struct mote_kernels *k, float *state, const float *part, uint32_t n,
			  uint32_t head_dim);
/* out[head_dim] of one state: values * (1 / sum). */
void mote_attention_finish(const float *state, uint32_t head_dim, float *out);

/* ---- dispatch.c ---- */

#define MOTE_MAX_TABLES 8

/* Fills *out with the best table for this machine (isa NULL), or the one of that name. With isa NULL the
 * environment variable MOTE_ISA may hold a name, which then counts as if it had been asked for.
 * MOTE_ERROR_ARGUMENT: no such name; MOTE_ERROR_UNSUPPORTED: this machine cannot run it. */
enum mote_status mote_kernels_select(const char *isa, struct mote_kernels *out, struct mote_error *error);
/* Fills in all tables that this machine can run, scalar first, whatever MOTE_ISA says; returns how many. */
uint32_t mote_kernels_list(struct mote_kernels list[MOTE_MAX_TABLES]);

#endif
