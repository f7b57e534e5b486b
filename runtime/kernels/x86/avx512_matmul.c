/* Matrix products for AVX-512 with VNNI (Ice Lake, Zen 4 and later). Lane r of a register is row r of a
 * panel, so nothing here sums across lanes.
 *
 * Tiles of T rows of activations x P panels are held in registers. Prefill uses 3 x 4: 12 sums and as many products of
 * a block, and each broadcast serves four panels (4 x 2, whose serve two: a fifth slower; 6 x 2 spills). Per block, row
 * and panel there are 8 vpdpbusd, one multiplication and one fma on the two ports that have them, so 80 % of the
 * vpdpbusd peak is the ceiling. A single row (decode) uses four panels too, as one chain of dependent operations would
 * wait for itself. They are not neighbours but a quarter of the piece apart, so that memory is read as four long
 * streams, which the hardware's prefetcher follows over panels' ends; quantized lines are also fetched 1.5 KiB ahead.
 * (Four neighbours, with the next four fetched into the second-level cache, were slower: docs/benchmarks.md, "Decode's
 * streams".)
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx512_quants.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))
#define TILE TARGET static inline __attribute__((always_inline))

enum { LANES = 16, TILE_ROWS = 3, TILE_PANELS = 4, ROW_PANELS = 4, TILE_CELLS = 12, NEAR = 1536 };

/* The inputs of a tile, each at its first row or panel. */
struct tile {
	const struct mote_matrix *w;
	const uint8_t *panel;
	const struct mote_activations *a;
	size_t row;
	float *out;
	size_t out_stride;
	size_t step;         /* panels from one to the tile's next */
	const uint8_t *next; /* several rows: what is fetched meanwhile, */
	size_t next_lines;   /* so many lines a block */
};

/* ---- quantized: types differ in how groups are unpacked and scales read, see block.h, and in nothing else ---- */

TILE __m512i load_line(const uint8_t *lines, int line)
{
	return _mm512_load_si512(lines + line * 64);
}

/* Bits of every byte of v: shifted to the right, then masked. */
TILE __m512i field(__m512i v, const uint8_t shift, const char mask)
{
	return _mm512_and_si512(shift ? _mm512_srli_epi16(v, shift) : v, _mm512_set1_epi8(mask));
}

/* u | field() */
TILE __m512i add_field(__m512i u, __m512i v, const uint8_t shift, const char mask)
{
	return _mm512_ternarylogic_epi64(u, _mm512_srli_epi16(v, shift), _mm512_set1_epi8(mask), 0xf8);
}

/* What a group's quants are in dot products: u8 for all 16 rows x 4 columns. Written by hand: driven by format/groups.h
 * it is the same with gcc, but clang 14 spills and a row of q6 took 11 % longer. test_kernels compares the two. */
TILE __m512i unpack(const uint8_t *lines, const int group, __m512i codebook, const enum mote_type type)
{
	const uint32_t bits = mote_type_bits(type);
	__m512i u;

	if (bits == 8)
		return load_line(lines, group);
	if (bits == 6) {
		int first = group == 6 ? 0 : 3;

		if (group < 6)
			return field(load_line(lines, group), 0, 63);
		u = field(load_line(lines, first), 6, 3);
		u = add_field(u, load_line(lines, first + 1), 4, 3 << 2);
		return add_field(u, load_line(lines, first + 2), 2, 3 << 4);
	}
	if (bits == 5) {
		if (group < 5)
			return field(load_line(lines, group), 0, 31);
		u = field(load_line(lines, group - 5), 5, 7);
		if (group < 7)
			return add_field(u, load_line(lines, group - 2), 2, 3 << 3);
		return add_field(add_field(u, load_line(lines, 3), 4, 1 << 3), load_line(lines, 4), 3, 1 << 4);
	}
	if (bits == 4)
		u = field(load_line(lines, group / 2), (uint8_t)(group % 2 * 4), 15);
	else if (group < 6)
		u = field(load_line(lines, group / 2), (uint8_t)(group % 2 * 3), 7);
	else
		u = add_field(field(load_line(lines, group - 6), 6, 3), load_line(lines, 2), group == 6 ? 4 : 5,
			      1 << 2);
	return _mm512_shuffle_epi8(codebook, u);
}

/* Four activations in every lane. The empty asm keeps clang from folding the load into vpdpbusd: with a
 * broadcast operand that instruction ran a third slower on Zen 4, and both panels need the register. */
TILE __m512i broadcast_quad(const int8_t *q)
{
	int32_t four;
	__m512i v;

	memcpy(&four, q, sizeof four);
	v = _mm512_set1_epi32(four);
	__asm__("" : "+v"(v));
	return v;
}

/* One row: lines [first, end) of what its panel's stream goes on with. */
TILE void fetch_lines(const uint8_t *lines, const int first, const int end)
{
	for (int line = first; line < end; line++)
		_mm_prefetch((const char *)lines + line * 64 + NEAR, _MM_HINT_T0);
}

/* Several rows: a block's share of the panels that come after these. */
TILE void fetch_next(const struct tile *t, size_t block)
{
	const char *at = (const char *)t->next + block * t->next_lines * 64;

	for (size_t i = 0; i < t->next_lines; i++)
		_mm_prefetch(at + i * 64, _MM_HINT_T0);
}

TILE void tile_quants(const struct tile *t, const int T, const int P, const enum mote_type type)
{
	const struct mote_matrix *w = t->w;
	const int bits = (int)mote_type_bits(type);
	const size_t step = t->step * w->panel_bytes;
	const size_t q_stride = t->a->stride, s_stride = q_stride / 32;
	const int8_t *q = t->a->q + t->row * q_stride;
	const float *scale = t->a->scale + t->row * s_stride;
	const int32_t *bias = t->a->bias + t->row * s_stride;
	const __m512 unit = load_unit(w, type);
	__m512i codebook = _mm512_setzero_si512();
	__m512 acc[TILE_CELLS];

	if (mote_type_has_codebook(type))
		codebook = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)w->codebook));
	UNROLL for (int i = 0; i < T * P; i++)
		acc[i] = _mm512_setzero_ps();
	for (size_t b = 0; b < w->blocks; b++) {
		__m512i isum[TILE_CELLS];

		if (T > 1)
			fetch_next(t, b);
		UNROLL for (int i = 0; i < T * P; i++)
			isum[i] = _mm512_srai_epi32(_mm512_set1_epi32(bias[(size_t)(i / P) * s_stride + b]),
						    mote_bias_shift(type));
		UNROLL for (int pair = 0; pair < 4; pair++)
			UNROLL for (int p = 0; p < P; p++) {
				const uint8_t *lines = t->panel + (size_t)p * step + w->quants_offset +
						       b * 64 * (size_t)bits;
				__m512i u[2] = {unpack(lines, 2 * pair, codebook, type),
						unpack(lines, 2 * pair + 1, codebook, type)};

				if (T == 1)
					fetch_lines(lines, pair * bits / 4, (pair + 1) * bits / 4);
				/* Rows inside: an instruction's neighbours do not wait for it. */
				UNROLL for (int g = 0; g < 2; g++)
					UNROLL for (int r = 0; r < T; r++) {
						const int8_t *row = q + (size_t)r * q_stride + b * 32;
						__m512i quad = broadcast_quad(row + pair * 8 + g * 4);

						isum[r * P + p] = _mm512_dpbusd_epi32(isum[r * P + p], u[g], quad);
					}
			}
		UNROLL for (int p = 0; p < P; p++) {
			const uint8_t *panel = t->panel + (size_t)p * step;
			__m512 ws = load_scales(panel, b, unit, type);

			/* As many of the next panel's lines as scales come between two panels' quants. */
			if (T == 1 && b % (64 / mote_type_scales_bytes(type)) == 0)
				_mm_prefetch((const char *)panel + b * mote_type_scales_bytes(type) + w->panel_bytes +
					     NEAR, _MM_HINT_T0);
			UNROLL for (int r = 0; r < T; r++) {
				__m512 s = _mm512_mul_ps(ws, _mm512_set1_ps(scale[(size_t)r * s_stride + b]));
				acc[r * P + p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[r * P + p]), s,
								 acc[r * P + p]);
			}
		}
	}
	UNROLL for (int i = 0; i < T * P; i++)
		_mm512_storeu_ps(t->out + (size_t)(i / P) * t->out_stride + (size_t)(i % P) * t->step * LANES, acc[i]);
}

/* ---- float ---- */

TILE __m512 load_weights(const uint8_t *panel, size_t column, const enum mote_type type)
{
	if (type == MOTE_F32)
		return _mm512_load_ps(panel + column * 64);
	if (type == MOTE_F16)
		return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)(panel + column * 32)));
	return _mm512_castsi512_ps(_mm512_slli_epi32(
		_mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)(const void *)(panel + column * 32))), 16));
}

TILE void tile_floats(const struct tile *t, const int T, const int P, const enum mote_type type)
{
	const size_t stride = t->a->stride;
	const float *x = t->a->x + t->row * stride;
	__m512 acc[TILE_CELLS];

	UNROLL for (int i = 0; i < T * P; i++)
		acc[i] = _mm512_setzero_ps();
	for (size_t c = 0; c < t->w->cols; c++)
		UNROLL for (int p = 0; p < P; p++) {
			__m512 weights = load_weights(t->panel + (size_t)p * t->step * t->w->panel_bytes, c, type);

			UNROLL for (int r = 0; r < T; r++)
				acc[r * P + p] = _mm512_fmadd_ps(weights, _mm512_set1_ps(x[(size_t)r * stride + c]),
								 acc[r * P + p]);
		}
	UNROLL for (int i = 0; i < T * P; i++)
		_mm512_storeu_ps(t->out + (size_t)(i / P) * t->out_stride + (size_t)(i % P) * t->step * LANES, acc[i]);
}

/* ---- cutting a product into tiles ---- */

TILE void tile_any(const struct tile *t, const int T, const int P, const enum mote_type type)
{
	if (mote_type_is_quantized(type))
		tile_quants(t, T, P, type);
	else
		tile_floats(t, T, P, type);
}

/* step panels (4, 2 or 1) from t->panel on times T rows, as tiles of P panels. t goes on to the rows after them. */
TILE void tiles(struct tile *t, uint32_t step, const int T, const int P, const enum mote_type type)
{
	struct tile at = *t;

	if (step == 2) {
		tile_any(&at, T, 2, type);
	} else if (step == 1) {
		tile_any(&at, T, 1, type);
	} else {
		for (int i = 0; i < ROW_PANELS; i += P) {
			tile_any(&at, T, P, type);
			at.panel += (size_t)P * t->w->panel_bytes;
			at.out += P * LANES;
			at.next += t->next_lines * t->w->blocks * 64;
		}
	}
	t->next = at.next;
	t->row += (size_t)T;
	t->out += (size_t)T * t->out_stride;
}

/* One row: four streams over a quarter of the panels each, and what is left. */
TILE void multiply_row(struct tile t, uint32_t n_panels, const enum mote_type type)
{
	uint32_t rest = n_panels % ROW_PANELS;

	t.step = n_panels / ROW_PANELS;
	for (size_t i = 0; i < t.step; i++) {
		tile_any(&t, 1, ROW_PANELS, type);
		t.panel += t.w->panel_bytes;
		t.out += LANES;
	}
	t.panel += (ROW_PANELS - 1) * t.step * t.w->panel_bytes;
	t.out += (ROW_PANELS - 1) * t.step * LANES;
	t.step = 1;
	if (rest == 3)
		tile_any(&t, 1, 3, type);
	else if (rest == 2)
		tile_any(&t, 1, 2, type);
	else if (rest == 1)
		tile_any(&t, 1, 1, type);
}

/* The rows of the next tile: three; but four where one or two would be left, which make less of an unpacked weight. */
TILE uint32_t tile_rows(uint32_t left)
{
	return left == 4 || left == 8 ? 4 : left < TILE_ROWS ? left : TILE_ROWS;
}

/* Lines a block to fetch, such that four panels' are once n_rows have been multiplied with as many. At once would be
 * faster than memory is, and everything would wait. */
TILE size_t lines_a_block(const struct mote_matrix *w, uint32_t n_rows)
{
	size_t lines = ROW_PANELS * w->panel_bytes / 64, times = 0;

	for (uint32_t r = 0, rows; r < n_rows; r += rows) {
		rows = tile_rows(n_rows - r);
		times += rows == 4 ? 2 * w->blocks : w->blocks;
	}
	return (lines + times - 1) / times;
}

TILE void multiply(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
		   const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out, size_t out_stride,
		   const enum mote_type type)
{
	struct tile all = {.w = w, .panel = w->data + (size_t)panel * w->panel_bytes, .a = a, .row = row, .out = out,
			   .out_stride = out_stride, .step = 1};
	uint32_t step;
	size_t lines;

	if (n_rows == 1) {
		multiply_row(all, n_panels, type);
		return;
	}
	lines = lines_a_block(w, n_rows);
	for (uint32_t p = 0; p < n_panels; p += step) {
		struct tile t = all;

		t.panel += (size_t)p * w->panel_bytes;
		t.out += (size_t)p * LANES;
		t.next = t.panel + ROW_PANELS * w->panel_bytes;
		t.next_lines = panel + p + 2 * ROW_PANELS <= w->panels ? lines : 0;
		step = n_panels - p >= ROW_PANELS ? ROW_PANELS : n_panels - p >= 2 ? 2 : 1;
		for (uint32_t r = 0, rows; r < n_rows; r += rows) {
			rows = tile_rows(n_rows - r);
			if (rows == 4)
				tiles(&t, step, 4, 2, type);
			else if (rows == 3)
				tiles(&t, step, TILE_ROWS, TILE_PANELS, type);
			else if (rows == 2)
				tiles(&t, step, 2, 4, type);
			else
				tiles(&t, step, 1, 4, type);
		}
	}
}

TARGET MOTE_DEFINE_MULTIPLY(multiply_f32, multiply, MOTE_F32)
TARGET MOTE_DEFINE_MULTIPLY(multiply_f16, multiply, MOTE_F16)
TARGET MOTE_DEFINE_MULTIPLY(multiply_bf16, multiply, MOTE_BF16)
#define DEFINE(slot, name) TARGET MOTE_DEFINE_MULTIPLY(name, multiply, slot)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_avx512_matmul(struct mote_kernels *k)
{
	k->multiply[MOTE_F32] = multiply_f32;
	k->multiply[MOTE_F16] = multiply_f16;
	k->multiply[MOTE_BF16] = multiply_bf16;
#define ENTER(slot, name) k->multiply[slot] = name;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

#endif
