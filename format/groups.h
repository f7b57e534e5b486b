/* Where a block's quants are, as a table: which bits of which lines make up each group (block.h says it in words).
 *
 * The decode and the packing in block.c and the unpack() of the NEON kernels read it. It is a table of constants in a
 * header, so that a function with the type as a constant and its loop over groups unrolled keeps nothing of it: every
 * line becomes an address, every shift and mask an operand. The x86 kernels keep an unpack() written by hand, which was
 * faster with some compilers; tests/test_kernels.c holds it against the decode, and so against this table.
 */
#ifndef MOTE_FORMAT_GROUPS_H
#define MOTE_FORMAT_GROUPS_H

#include "format/block.h"

enum { MOTE_BLOCK_GROUPS = 8, MOTE_LINE_BYTES = 64, MOTE_MOST_PIECES = 3 };

/* `bits` bits of each byte of a line, from bit `shift` up. They follow in the quant upon those of the pieces before, so
 * that `shift` is never less than the bits before: a piece goes to its place by a shift to the right. */
struct mote_piece {
	uint8_t line, shift, bits;
};

/* A group's pieces, lowest bits first; a piece of no bits ends the list. */
typedef struct mote_piece mote_group[MOTE_MOST_PIECES];

static const mote_group mote_groups_q8[MOTE_BLOCK_GROUPS] = {
	{{0, 0, 8}}, {{1, 0, 8}}, {{2, 0, 8}}, {{3, 0, 8}},
	{{4, 0, 8}}, {{5, 0, 8}}, {{6, 0, 8}}, {{7, 0, 8}},
};

static const mote_group mote_groups_q6[MOTE_BLOCK_GROUPS] = {
	{{0, 0, 6}}, {{1, 0, 6}}, {{2, 0, 6}}, {{3, 0, 6}}, {{4, 0, 6}}, {{5, 0, 6}},
	{{0, 6, 2}, {1, 6, 2}, {2, 6, 2}},
	{{3, 6, 2}, {4, 6, 2}, {5, 6, 2}},
};

static const mote_group mote_groups_q5[MOTE_BLOCK_GROUPS] = {
	{{0, 0, 5}}, {{1, 0, 5}}, {{2, 0, 5}}, {{3, 0, 5}}, {{4, 0, 5}},
	{{0, 5, 3}, {3, 5, 2}},
	{{1, 5, 3}, {4, 5, 2}},
	{{2, 5, 3}, {3, 7, 1}, {4, 7, 1}},
};

static const mote_group mote_groups_q4[MOTE_BLOCK_GROUPS] = {
	{{0, 0, 4}}, {{0, 4, 4}}, {{1, 0, 4}}, {{1, 4, 4}},
	{{2, 0, 4}}, {{2, 4, 4}}, {{3, 0, 4}}, {{3, 4, 4}},
};

static const mote_group mote_groups_q3[MOTE_BLOCK_GROUPS] = {
	{{0, 0, 3}}, {{0, 3, 3}}, {{1, 0, 3}}, {{1, 3, 3}}, {{2, 0, 3}}, {{2, 3, 3}},
	{{0, 6, 2}, {2, 6, 1}},
	{{1, 6, 2}, {2, 7, 1}},
};

/* [8] groups of a quantized type. Always inlined: kernels want it at compile time. */
static inline __attribute__((always_inline)) const mote_group *mote_type_groups(enum mote_type type)
{
	const uint32_t bits = mote_type_bits(type);

	return bits == 8 ? mote_groups_q8 : bits == 6 ? mote_groups_q6 : bits == 5 ? mote_groups_q5 :
	       bits == 4 ? mote_groups_q4 : mote_groups_q3;
}

/* The place of a piece's lowest bit in the quant: how many bits the i pieces before it have. */
static inline __attribute__((always_inline)) uint32_t mote_piece_place(const struct mote_piece *pieces, uint32_t i)
{
	return i == 0 ? 0u : i == 1 ? pieces[0].bits : (uint32_t)pieces[0].bits + pieces[1].bits;
}

#endif
