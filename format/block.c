/* Block layouts: see block.h. Everything here is plain and slow on purpose: this decode is the
 * definition that kernels are tested against. Encoders choose the quants; they are in quant/. */
#include "format/block.h"

#include <string.h>

#include "format/half.h"

/* What fills the place of a weight that does not exist: the quant of value zero, and for q4 the
 * index that has value zero in the linear codebook. */
#define Q8_PADDING 128u
#define Q4_PADDING 8u

const uint8_t mote_codebook_linear[16] = {
	120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135
};

static const struct {
	enum mote_type type;
	char name[8];
} types[] = {
	{ MOTE_F32, "f32" }, { MOTE_F16, "f16" }, { MOTE_BF16, "bf16" }, { MOTE_Q8, "q8" }, { MOTE_Q4, "q4" }
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

bool mote_type_is_quantized(enum mote_type type)
{
	return type == MOTE_Q8 || type == MOTE_Q4;
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
		scales = (size_t)m->blocks * MOTE_PANEL_ROWS * 2;
		elements = (size_t)m->blocks * MOTE_PANEL_ROWS * MOTE_BLOCK_COLS;
		break;
	case MOTE_Q4:
		scales = (size_t)m->blocks * MOTE_PANEL_ROWS * 2;
		elements = (size_t)m->blocks * MOTE_PANEL_ROWS * MOTE_BLOCK_COLS / 2;
		break;
	default:
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "unknown tensor type %u", (unsigned)type);
	}
	/* At most 8 MiB a panel and 2^20 panels: no product here can wrap. */
	m->quants_offset = round_up_64(scales);
	m->panel_bytes = m->quants_offset + round_up_64(elements);
	*bytes = (uint64_t)m->panels * m->panel_bytes;
	return MOTE_OK;
}

/* Where a column of a row lies behind the quants' start. */
static size_t q8_place(uint32_t row, uint32_t col)
{
	return ((size_t)(col / 4) * MOTE_PANEL_ROWS + row) * 4 + col % 4;
}

/* The byte; columns 8g..8g+3 are its low nibble, 8g+4..8g+7 the high one. */
static size_t q4_place(uint32_t row, uint32_t col)
{
	return ((size_t)(col / 8) * MOTE_PANEL_ROWS + row) * 4 + col % 4;
}

static uint32_t q4_shift(uint32_t col)
{
	return col & 4u;
}

static uint16_t load_u16(const uint8_t *p)
{
	uint16_t x;
	memcpy(&x, p, sizeof x);
	return x;
}

void mote_matrix_decode_row(const struct mote_matrix *m, uint32_t row, float *out)
{
	const uint8_t *panel = m->data + (size_t)(row / MOTE_PANEL_ROWS) * m->panel_bytes;
	const uint8_t *quants = panel + m->quants_offset;
	uint32_t lane = row % MOTE_PANEL_ROWS;

	for (uint32_t col = 0; col < m->cols; col++) {
		size_t element = (size_t)col * MOTE_PANEL_ROWS + lane;
		float scale = 0;
		int value = 0;

		switch (m->type) {
		case MOTE_F32:
			memcpy(out + col, panel + element * 4, 4);
			continue;
		case MOTE_F16:
			out[col] = mote_f32_from_f16(load_u16(panel + element * 2));
			continue;
		case MOTE_BF16:
			out[col] = mote_f32_from_bf16(load_u16(panel + element * 2));
			continue;
		case MOTE_Q8:
			value = quants[q8_place(lane, col)] - 128;
			break;
		case MOTE_Q4:
			value = m->codebook[quants[q4_place(lane, col)] >> q4_shift(col) & 15] - 128;
			break;
		}
		scale = mote_f32_from_f16(load_u16(panel + ((size_t)(col / MOTE_BLOCK_COLS) * MOTE_PANEL_ROWS + lane) * 2));
		out[col] = scale * (float)value; /* 11 bits times 8: exact */
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

void mote_panel_pack_quants(const struct mote_matrix *m, const uint8_t *quants, const uint16_t *scales,
			    uint32_t n_rows, void *out)
{
	uint8_t *panel = out, *packed = panel + m->quants_offset;
	uint32_t padded = m->blocks * MOTE_BLOCK_COLS;
	bool q8 = m->type == MOTE_Q8;

	memset(panel, 0, m->quants_offset);
	memset(packed, q8 ? Q8_PADDING : Q4_PADDING << 4 | Q4_PADDING, m->panel_bytes - m->quants_offset);
	for (uint32_t lane = 0; lane < n_rows; lane++) {
		for (uint32_t block = 0; block < m->blocks; block++)
			memcpy(panel + ((size_t)block * MOTE_PANEL_ROWS + lane) * 2,
			       scales + (size_t)lane * m->blocks + block, 2);
		for (uint32_t col = 0; col < m->cols; col++) {
			uint8_t q = quants[(size_t)lane * padded + col];
			uint8_t *byte;

			if (q8) {
				packed[q8_place(lane, col)] = q;
				continue;
			}
			byte = packed + q4_place(lane, col);
			*byte = (uint8_t)((*byte & 0xf0u >> q4_shift(col)) | (q & 15u) << q4_shift(col));
		}
	}
}
