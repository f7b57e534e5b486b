/* Block layouts: see block.h. Everything here is plain and slow on purpose: this decode is the
 * definition that kernels are tested against. Encoders choose the quants; they are in quant/. */
#include "format/block.h"

#include <string.h>

#include "format/groups.h"
#include "format/half.h"

enum { GROUPS = MOTE_BLOCK_GROUPS, LINE = MOTE_LINE_BYTES };

const uint8_t mote_codebook_linear[16] = {
	120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135
};

const uint8_t mote_codebook_linear3[16] = {124, 125, 126, 127, 128, 129, 130, 131};

static const struct {
	enum mote_type type;
	char name[8];
} types[] = {
	{MOTE_F32, "f32"}, {MOTE_F16, "f16"}, {MOTE_BF16, "bf16"}, {MOTE_Q8, "q8"}, {MOTE_Q6, "q6"},
	{MOTE_Q5, "q5"}, {MOTE_Q4, "q4"}, {MOTE_Q3, "q3"}, {MOTE_Q8B, "q8b"}, {MOTE_Q6B, "q6b"}, {MOTE_Q5B, "q5b"},
	{MOTE_Q4B, "q4b"}, {MOTE_Q3B, "q3b"}
};

const char *mote_type_name(enum mote_type type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return types[i].name;
	return NULL;
}

bool mote_type_from_name(const char *name, enum mote_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, name) == 0) {
			*type = types[i].type;
			return true;
		}
	return false;
}

const uint8_t *mote_type_linear_codebook(enum mote_type type)
{
	const enum mote_type plain = mote_type_plain(type);

	return plain == MOTE_Q4 ? mote_codebook_linear : plain == MOTE_Q3 ? mote_codebook_linear3 : NULL;
}

static size_t round_up_64(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

enum mote_status mote_matrix_init(struct mote_matrix *m, enum mote_type type, uint64_t rows, uint64_t cols,
				  const void *data, const uint8_t *codebook, uint64_t *bytes,
				  struct mote_error *error)
{
	size_t scales = 0, elements = 0;

	if (rows < 1 || rows > MOTE_MAX_ROWS || cols < 1 || cols > MOTE_MAX_COLS)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "matrix of %llu x %llu: expected 1..%u rows and 1..%u columns",
				      (unsigned long long)rows, (unsigned long long)cols,
				      MOTE_MAX_ROWS, MOTE_MAX_COLS);
	memset(m, 0, sizeof *m);
	m->data = data;
	m->codebook = codebook;
	m->type = type;
	m->rows = (uint32_t)rows;
	m->cols = (uint32_t)cols;
	m->panels = (m->rows + MOTE_PANEL_ROWS - 1) / MOTE_PANEL_ROWS;
	m->blocks = (m->cols + MOTE_BLOCK_COLS - 1) / MOTE_BLOCK_COLS;

	switch (type) {
	case MOTE_F32:
		elements = (size_t)m->cols * MOTE_PANEL_ROWS * 4;
		break;
	case MOTE_F16:
	case MOTE_BF16:
		elements = (size_t)m->cols * MOTE_PANEL_ROWS * 2;
		break;
	case MOTE_Q8:
	case MOTE_Q6:
	case MOTE_Q5:
	case MOTE_Q4:
	case MOTE_Q3:
	case MOTE_Q8B:
	case MOTE_Q6B:
	case MOTE_Q5B:
	case MOTE_Q4B:
	case MOTE_Q3B:
		scales = (size_t)m->blocks * mote_type_scales_bytes(type);
		elements = (size_t)m->blocks * mote_type_bits(type) * LINE;
		break;
	default:
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "unknown tensor type %u", (unsigned)type);
	}
	/* At most 8 MiB a panel and 2^20 panels: no product here can wrap. */
	m->quants_offset = round_up_64(scales);
	m->panel_bytes = m->quants_offset + round_up_64(elements);
	*bytes = (uint64_t)m->panels * m->panel_bytes + (mote_type_has_byte_scales(type) ? LINE : 0);
	return MOTE_OK;
}

/* The quant of row `lane` and column col of a block; lines: the block's. */
static uint32_t get_quant(const mote_group *groups, const uint8_t *lines, uint32_t lane, uint32_t col)
{
	const struct mote_piece *piece = groups[col / 4];
	uint32_t quant = 0, at = 0;

	for (uint32_t i = 0; i < MOTE_MOST_PIECES && piece[i].bits; i++) {
		uint32_t byte = lines[piece[i].line * LINE + lane * 4 + col % 4];
		quant |= (byte >> piece[i].shift & ((1u << piece[i].bits) - 1)) << at;
		at += piece[i].bits;
	}
	return quant;
}

void mote_block_unpack(enum mote_type type, const uint8_t *lines, uint8_t quants[512])
{
	const mote_group *groups = mote_type_groups(type);

	for (uint32_t i = 0; i < GROUPS * LINE; i++)
		quants[i] = (uint8_t)get_quant(groups, lines, i % LINE / 4, i / LINE * 4 + i % 4);
}

/* The inverse; lines are zero. */
static void pack_block(const mote_group *groups, const uint8_t quants[restrict GROUPS * LINE], uint8_t *restrict lines)
{
	for (uint32_t group = 0; group < GROUPS; group++) {
		uint32_t at = 0;

		for (const struct mote_piece *piece = groups[group]; piece < groups[group] + MOTE_MOST_PIECES;
		     piece++) {
			const uint8_t *from = quants + group * LINE;
			uint8_t *line = lines + piece->line * LINE;

			for (uint32_t i = 0; i < LINE && piece->bits; i++)
				line[i] |= (uint8_t)((from[i] >> at & ((1u << piece->bits) - 1)) << piece->shift);
			at += piece->bits;
		}
	}
}

static uint16_t load_u16(const uint8_t *p)
{
	uint16_t x;
	memcpy(&x, p, sizeof x);
	return x;
}

float mote_matrix_unit(const struct mote_matrix *m)
{
	float unit;

	memcpy(&unit, m->data + (size_t)m->panels * m->panel_bytes, sizeof unit);
	return unit;
}

void mote_matrix_put_unit(const struct mote_matrix *m, uint8_t *data, float unit)
{
	uint8_t *line = data + (size_t)m->panels * m->panel_bytes;

	memset(line, 0, LINE);
	memcpy(line, &unit, sizeof unit);
}

float mote_matrix_scale(const struct mote_matrix *m, uint32_t row, uint32_t block)
{
	const uint8_t *scales = m->data + (size_t)(row / MOTE_PANEL_ROWS) * m->panel_bytes +
				block * mote_type_scales_bytes(m->type);
	uint32_t lane = row % MOTE_PANEL_ROWS;

	if (mote_type_has_byte_scales(m->type))
		return mote_f32_from_f16(mote_f16_from_scale_byte(scales[lane])) * mote_matrix_unit(m);
	return mote_f32_from_f16(load_u16(scales + (size_t)lane * 2));
}

static void decode_quants(const struct mote_matrix *m, const uint8_t *panel, uint32_t row, float *out)
{
	const uint32_t lane = row % MOTE_PANEL_ROWS;
	const mote_group *groups = mote_type_groups(m->type);
	const size_t block_bytes = (size_t)mote_type_bits(m->type) * LINE;

	for (uint32_t col = 0; col < m->cols; col++) {
		uint32_t block = col / MOTE_BLOCK_COLS;
		const uint8_t *lines = panel + m->quants_offset + block * block_bytes;
		uint32_t quant = get_quant(groups, lines, lane, col % MOTE_BLOCK_COLS);
		float scale = mote_matrix_scale(m, row, block);

		out[col] = scale * (float)mote_quant_value(m->type, m->codebook, quant); /* 11 bits times 8: exact */
	}
}

void mote_matrix_decode_row(const struct mote_matrix *m, uint32_t row, float *out)
{
	const uint8_t *panel = m->data + (size_t)(row / MOTE_PANEL_ROWS) * m->panel_bytes;
	uint32_t lane = row % MOTE_PANEL_ROWS;

	if (mote_type_is_quantized(m->type)) {
		decode_quants(m, panel, row, out);
		return;
	}
	for (uint32_t col = 0; col < m->cols; col++) {
		size_t element = (size_t)col * MOTE_PANEL_ROWS + lane;

		if (m->type == MOTE_F32)
			memcpy(out + col, panel + element * 4, 4);
		else if (m->type == MOTE_F16)
			out[col] = mote_f32_from_f16(load_u16(panel + element * 2));
		else
			out[col] = mote_f32_from_bf16(load_u16(panel + element * 2));
	}
}

void mote_panel_pack_floats(const struct mote_matrix *m, const float *rows, uint32_t n_rows, void *out)
{
	uint8_t *panel = out;

	memset(panel, 0, m->panel_bytes);
	for (uint32_t lane = 0; lane < n_rows; lane++)
		for (uint32_t col = 0; col < m->cols; col++) {
			float x = rows[(size_t)lane * m->cols + col];
			size_t element = (size_t)col * MOTE_PANEL_ROWS + lane;
			uint16_t half;

			if (m->type == MOTE_F32) {
				memcpy(panel + element * 4, &x, 4);
				continue;
			}
			half = m->type == MOTE_F16 ? mote_f16_from_f32(x) : mote_bf16_from_f32(x);
			memcpy(panel + element * 2, &half, 2);
		}
}

static void put_scale(enum mote_type type, uint8_t *scales, uint32_t lane, uint16_t scale)
{
	if (mote_type_has_byte_scales(type))
		scales[lane] = (uint8_t)scale;
	else
		memcpy(scales + (size_t)lane * 2, &scale, sizeof scale);
}

void mote_panel_pack_quants(const struct mote_matrix *m, const uint8_t *quants, const uint16_t *scales,
			    uint32_t n_rows, void *out)
{
	const mote_group *groups = mote_type_groups(m->type);
	const size_t block_bytes = (size_t)mote_type_bits(m->type) * LINE, padded = (size_t)m->blocks * MOTE_BLOCK_COLS;
	uint8_t *panel = out;

	memset(panel, 0, m->panel_bytes);
	for (uint32_t block = 0; block < m->blocks; block++) {
		uint32_t begin = block * MOTE_BLOCK_COLS;
		uint32_t n = m->cols - begin < MOTE_BLOCK_COLS ? m->cols - begin : MOTE_BLOCK_COLS;
		uint8_t places[GROUPS * LINE];

		memset(places, (int)mote_type_levels(m->type) / 2, sizeof places);
		for (uint32_t lane = 0; lane < n_rows; lane++) {
			const uint8_t *row = quants + lane * padded + begin;

			put_scale(m->type, panel + block * mote_type_scales_bytes(m->type), lane,
				  scales[(size_t)lane * m->blocks + block]);
			for (uint32_t col = 0; col < n; col++)
				places[col / 4 * LINE + lane * 4 + col % 4] = row[col];
		}
		pack_block(groups, places, panel + m->quants_offset + block * block_bytes);
	}
}
