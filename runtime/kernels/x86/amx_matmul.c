/* Products of quantized matrices on AMX tiles (Sapphire Rapids and later), for 16 rows of activations and more; fewer,
 * and float matrices, are AVX-512's.
 *
 * A block of a panel as dot products want it, [8 groups][16 rows][4 columns], is a B tile as it lies; 16 rows of
 * activations by a block's 32 columns are an A tile. tdpbssd makes the 256 whole numbers of one block: exact, so they
 * are those of vpdpbusd with its bias, and what follows is written as there: the results are the same bits.
 *
 * Weights are unpacked once a panel, to s8 in the first-level cache, whatever their type. Two sets of tiles take turns,
 * and the scaling of one pair of blocks stands between the products of the next.
 *
 * Measured in a prototype on one core of a Xeon at 2.8 GHz, ns a block of 16 x 16 x 32: load and multiply 8, with the
 * store 13 to 15, the scaling alone 9.5, all together 22. Beside tile instructions multiplications of vectors go
 * through one port instead of two, so that the halves hardly overlap: four sets, loads ahead, stores behind, scaling up
 * to ten blocks later, by four to 24 blocks at once, or from scales that lie side by side took 21 to 31.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "format/groups.h"
#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx512_quants.h"

#define TARGET __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))
#define TILE TARGET static inline __attribute__((always_inline))

/* The compiler does not know that tile instructions read and write memory. */
#define MEMORY_BARRIER() __asm__ volatile("" ::: "memory")

enum {
	ROWS = 16,         /* of activations in a tile */
	BLOCK_BYTES = 512, /* a block, unpacked */
	CHUNK = 64,        /* blocks that are unpacked at once: 32 KiB */
	SUMS = 256,        /* of a block */
};

/* Intel SDM, volume 1, 18.3.1: palette 1 has eight tiles of up to 16 rows of 64 bytes. */
struct tile_config {
	uint8_t palette, start_row, reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
};

TILE void configure(void)
{
	_Alignas(64) struct tile_config c = {.palette = 1};

	/* two sets: sums in 0 and 1, activations in 2 and 3, weights in 4 and 5 */
	for (int set = 0; set < 2; set++) {
		c.rows[set] = c.rows[set + 2] = ROWS;
		c.rows[set + 4] = 8;
		c.row_bytes[set] = c.row_bytes[set + 4] = 64;
		c.row_bytes[set + 2] = 32;
	}
	MEMORY_BARRIER();
	_tile_loadconfig(&c);
}

/* ---- unpacking: quants minus what they are stored with. Panels are few for the rows,
 * so this need not be the fastest ---- */

TILE __m512i unpack_group(const uint8_t *lines, const mote_group pieces, __m512i codebook, const enum mote_type type)
{
	__m512i u = _mm512_setzero_si512();

	UNROLL for (uint32_t i = 0; i < MOTE_MOST_PIECES; i++) {
		const uint32_t place = mote_piece_place(pieces, i);
		const char mask = (char)(((1u << pieces[i].bits) - 1) << place);
		__m512i line;

		if (pieces[i].bits == 0)
			break;
		line = _mm512_load_si512(lines + pieces[i].line * MOTE_LINE_BYTES);
		u = _mm512_or_si512(u, _mm512_and_si512(_mm512_srli_epi16(line, (uint8_t)(pieces[i].shift - place)),
							_mm512_set1_epi8(mask)));
	}
	if (mote_type_has_codebook(type))
		u = _mm512_shuffle_epi8(codebook, u);
	return _mm512_sub_epi8(
		u, _mm512_set1_epi8((char)(mote_type_has_codebook(type) ? 128 : mote_type_levels(type) / 2)));
}

TILE void unpack(const struct mote_matrix *w, const uint8_t *panel, size_t block, size_t n, int8_t *out,
		 const enum mote_type type)
{
	const size_t block_bytes = (size_t)mote_type_bits(type) * MOTE_LINE_BYTES;
	const uint8_t *lines = panel + w->quants_offset + block * block_bytes;
	__m512i codebook = _mm512_setzero_si512();

	if (mote_type_has_codebook(type))
		codebook = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)w->codebook));
	for (size_t b = 0; b < n; b++, lines += block_bytes, out += BLOCK_BYTES)
		UNROLL for (int group = 0; group < MOTE_BLOCK_GROUPS; group++)
			_mm512_store_si512(out + group * 64,
					   unpack_group(lines, mote_type_groups(type)[group], codebook, type));
}

/* ---- products ---- */

/* The sums of one block, with one of the two sets of tiles. */
TILE void products(const int8_t *q, size_t stride, const int8_t *weights, int32_t *sums, const int set)
{
	if (set == 0) {
		_tile_zero(0);
		_tile_loadd(2, q, stride);
		_tile_loadd(4, weights, 64);
		_tile_dpbssd(0, 2, 4);
		_tile_stored(0, sums, 64);
	} else {
		_tile_zero(1);
		_tile_loadd(3, q, stride);
		_tile_loadd(5, weights, 64);
		_tile_dpbssd(1, 3, 5);
		_tile_stored(1, sums, 64);
	}
	MEMORY_BARRIER();
}

/* acc += sums * (scale of the weight's row * scale of the activations' row): one block.
 * scale: that of the first row; s_stride from row to row */
TILE void add_scaled(__m512 acc[ROWS], const int32_t *sums, __m512 ws, const float *scale, size_t s_stride)
{
	UNROLL for (int r = 0; r < ROWS; r++) {
		__m512 s = _mm512_mul_ps(ws, _mm512_set1_ps(scale[(size_t)r * s_stride]));

		acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums + r * ROWS)), s, acc[r]);
	}
}

/* 16 rows of activations x the n blocks of a panel that are unpacked,
 * from block `first` on: continues the sums in out. */
TILE void tile(const struct mote_matrix *w, const struct mote_activations *a, size_t row, const uint8_t *panel,
	       size_t first, size_t n, const int8_t *weights, float *out, size_t out_stride, const enum mote_type type)
{
	_Alignas(64) int32_t sums[4][SUMS];
	const size_t stride = a->stride, s_stride = stride / 32;
	const int8_t *q = a->q + row * stride + first * 32;
	const float *scale = a->scale + row * s_stride + first;
	const __m512 unit = load_unit(w, type);
	__m512 acc[ROWS];

	UNROLL for (int r = 0; r < ROWS; r++)
		acc[r] = first ? _mm512_loadu_ps(out + (size_t)r * out_stride) : _mm512_setzero_ps();
	products(q, stride, weights, sums[0], 0);
	for (size_t b = 0; b < n; b += 2) {
		int32_t(*now)[SUMS] = sums + (b & 2), (*next)[SUMS] = sums + (~b & 2);

		if (b + 1 < n)
			products(q + (b + 1) * 32, stride, weights + (b + 1) * BLOCK_BYTES, now[1], 1);
		add_scaled(acc, now[0], load_scales(panel, first + b, unit, type), scale + b, s_stride);
		if (b + 2 < n)
			products(q + (b + 2) * 32, stride, weights + (b + 2) * BLOCK_BYTES, next[0], 0);
		if (b + 1 < n)
			add_scaled(acc, now[1], load_scales(panel, first + b + 1, unit, type), scale + b + 1, s_stride);
	}
	UNROLL for (int r = 0; r < ROWS; r++)
		_mm512_storeu_ps(out + (size_t)r * out_stride, acc[r]);
}

/* Rows beyond the last sixteen. */
static void multiply_rest(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			  const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out,
			  size_t out_stride, enum mote_type type)
{
	struct mote_kernels k;

	mote_kernels_init_avx512_matmul(&k);
	k.multiply[type](w, panel, n_panels, a, row, n_rows, out, out_stride);
}

TILE void multiply(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels, const struct mote_activations *a,
		   uint32_t row, uint32_t n_rows, float *out, size_t out_stride, const enum mote_type type)
{
	_Alignas(64) int8_t weights[CHUNK * BLOCK_BYTES];
	const uint32_t whole = n_rows / ROWS * ROWS;

	if (whole < n_rows)
		multiply_rest(w, panel, n_panels, a, row + whole, n_rows - whole, out + whole * out_stride,
			      out_stride, type);
	if (whole == 0)
		return;
	configure();
	for (uint32_t p = 0; p < n_panels; p++, out += ROWS) {
		const uint8_t *data = w->data + (size_t)(panel + p) * w->panel_bytes;

		for (size_t first = 0; first < w->blocks; first += CHUNK) {
			size_t n = w->blocks - first < CHUNK ? w->blocks - first : CHUNK;

			unpack(w, data, first, n, weights, type);
			MEMORY_BARRIER();
			for (uint32_t r = 0; r < whole; r += ROWS)
				tile(w, a, row + r, data, first, n, weights, out + r * out_stride, out_stride, type);
		}
	}
	_tile_release();
}

#define DEFINE(slot, name) TARGET MOTE_DEFINE_MULTIPLY(name, multiply, slot)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_amx_matmul(struct mote_kernels *k)
{
#define ENTER(slot, name) k->multiply[slot] = name;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

#endif
