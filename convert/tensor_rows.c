/* Rows for other formats: see tensor_rows.h. */
#include "convert/tensor_rows.h"

#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "format/half.h"
#include "format/portable.h"

/* The nibble of a value in Q4_0 or IQ4_NL; -1: the type has no such value. */
static int nibble_of(enum mote_gguf_type type, int value)
{
	if (type == MOTE_GGUF_Q4_0)
		return value >= -8 && value <= 7 ? value + 8 : -1;
	for (int i = 0; i < 16; i++)
		if (mote_gguf_iq4_values[i] == value)
			return i;
	return -1;
}

static bool codebook_fits(const struct mote_matrix *m, enum mote_gguf_type type)
{
	for (uint32_t i = 0; i < 16; i++)
		if (nibble_of(type, mote_quant_value(m->type, m->codebook, i)) < 0)
			return false;
	return true;
}

/* Whether f16 holds every scale exactly. With byte scales: whether the unit is a power of two that leaves the smallest
 * and the largest of them, 2^-18 and 31 x 2^-12, within its range. */
static bool scales_fit(const struct mote_matrix *m)
{
	float unit;

	if (!mote_type_has_byte_scales(m->type))
		return true;
	unit = mote_matrix_unit(m);
	return (mote_f32_bits(unit) & 0x7fffff) == 0 && unit >= 0x1p-6f && unit <= 0x1p23f;
}

enum mote_gguf_type mote_tensor_rows_exact(const struct mote_tensor *t)
{
	if (t->rank == 1 || t->type == MOTE_F32)
		return MOTE_GGUF_F32;
	if (t->type == MOTE_F16)
		return MOTE_GGUF_F16;
	if (t->type == MOTE_BF16)
		return MOTE_GGUF_BF16;
	if (t->cols % MOTE_BLOCK_COLS || !scales_fit(&t->matrix))
		return MOTE_GGUF_F32;
	if (mote_type_plain(t->type) == MOTE_Q4 && codebook_fits(&t->matrix, MOTE_GGUF_Q4_0))
		return MOTE_GGUF_Q4_0;
	if (mote_type_plain(t->type) == MOTE_Q4 && codebook_fits(&t->matrix, MOTE_GGUF_IQ4_NL))
		return MOTE_GGUF_IQ4_NL;
	return MOTE_GGUF_Q8_0;
}

size_t mote_tensor_rows_bytes(const struct mote_tensor *t, enum mote_gguf_type type)
{
	const struct mote_gguf_type_info *info = mote_gguf_type_find(type);

	return t->cols / info->elements * (size_t)info->bytes;
}

static enum mote_status encode_floats(const struct mote_tensor *t, enum mote_gguf_type type, uint32_t row,
				      float *values, uint8_t *out, struct mote_error *error)
{
	if (t->rank == 1)
		values[0] = t->vector[row];
	else
		mote_matrix_decode_row(&t->matrix, row, values);
	if (type == MOTE_GGUF_F32) {
		memcpy(out, values, t->cols * sizeof *values);
		return MOTE_OK;
	}
	for (uint32_t i = 0; i < t->cols; i++) {
		uint16_t half = type == MOTE_GGUF_F16 ? mote_f16_from_f32(values[i]) : mote_bf16_from_f32(values[i]);

		if (type == MOTE_GGUF_F16 && (half & 0x7c00) == 0x7c00)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "tensor \"%s\": row %u, column %u is %g, beyond the range of f16",
					      t->name, row, i, (double)values[i]);
		memcpy(out + 2 * (size_t)i, &half, 2);
	}
	return MOTE_OK;
}

/* A panel's floats in their own type are its rows already, turned over: tiles of 16 columns, so that a line of the
 * panel is read while it is in the cache. */
static void transpose(const struct mote_tensor *t, uint32_t panel, uint32_t rows, size_t element, uint8_t *out)
{
	const uint8_t *at = t->matrix.data + panel * t->matrix.panel_bytes;
	const size_t row_bytes = t->cols * element;

	for (uint32_t first = 0; first < t->cols; first += 16) {
		const uint32_t end = t->cols - first < 16 ? t->cols : first + 16;

		for (uint32_t r = 0; r < rows; r++)
			for (uint32_t i = first; i < end; i++)
				if (element == 2)
					memcpy(out + r * row_bytes + i * (size_t)2,
					       at + (i * (size_t)MOTE_PANEL_ROWS + r) * 2, 2);
				else
					memcpy(out + r * row_bytes + i * (size_t)4,
					       at + (i * (size_t)MOTE_PANEL_ROWS + r) * 4, 4);
	}
}

/* What a quant becomes in a block: Q8_0's byte, or a nibble. */
static void map_quants(const struct mote_matrix *m, enum mote_gguf_type type, uint8_t map[256])
{
	for (uint32_t u = 0; u < mote_type_levels(m->type); u++) {
		int value = mote_quant_value(m->type, m->codebook, u);

		map[u] = (uint8_t)(type == MOTE_GGUF_Q8_0 ? value : nibble_of(type, value));
	}
}

/* A panel's block is unpacked for its 16 rows at once: [8 groups][16 rows][4 columns]. */
static void encode_blocks(const struct mote_tensor *t, enum mote_gguf_type type, uint32_t panel, uint32_t rows,
			  uint8_t *out)
{
	const struct mote_matrix *m = &t->matrix;
	const uint8_t *at = m->data + panel * m->panel_bytes;
	const size_t line_bytes = (size_t)mote_type_bits(m->type) * 64, row_bytes = mote_tensor_rows_bytes(t, type);
	const uint32_t block_bytes = mote_gguf_type_find(type)->bytes;
	uint8_t quants[512], map[256], value[MOTE_BLOCK_COLS];

	map_quants(m, type, map);
	for (uint32_t b = 0; b < m->blocks; b++) {
		mote_block_unpack(m->type, at + m->quants_offset + b * line_bytes, quants);
		for (uint32_t r = 0; r < rows; r++) {
			uint8_t *to = out + r * row_bytes + b * block_bytes;
			/* exact */
			uint16_t scale = mote_f16_from_f32(mote_matrix_scale(m, panel * MOTE_PANEL_ROWS + r, b));

			for (uint32_t i = 0; i < MOTE_BLOCK_COLS; i++)
				value[i] = map[quants[i / 4 * 64 + r * 4 + i % 4]];
			memcpy(to, &scale, sizeof scale);
			if (type == MOTE_GGUF_Q8_0)
				memcpy(to + 2, value, sizeof value);
			else
				for (int i = 0; i < 16; i++)
					to[2 + i] = (uint8_t)(value[i] | value[i + 16] << 4);
		}
	}
}

enum mote_status mote_tensor_rows_encode(const struct mote_tensor *t, enum mote_gguf_type type, uint32_t panel,
					 uint8_t *out, float *scratch, struct mote_error *error)
{
	const uint32_t first = panel * MOTE_PANEL_ROWS;
	const uint32_t rows = t->rows - first < MOTE_PANEL_ROWS ? t->rows - first : MOTE_PANEL_ROWS;
	enum mote_status status = MOTE_OK;

	if (mote_gguf_type_find(type)->decode) {
		encode_blocks(t, type, panel, rows, out);
		return MOTE_OK;
	}
	if (t->rank == 2 && ((t->type == MOTE_F32 && type == MOTE_GGUF_F32) ||
			     (t->type == MOTE_BF16 && type == MOTE_GGUF_BF16) ||
			     (t->type == MOTE_F16 && type == MOTE_GGUF_F16))) {
		transpose(t, panel, rows, type == MOTE_GGUF_F32 ? 4 : 2, out);
		return MOTE_OK;
	}
	for (uint32_t r = 0; r < rows && !status; r++)
		status = encode_floats(t, type, first + r, scratch, out + r * mote_tensor_rows_bytes(t, type),
				       error);
	return status;
}

enum mote_status mote_tensor_rows_verify(const struct mote_tensor *t, struct mote_error *error)
{
	const void *data = t->rank == 1 ? (const void *)t->vector : t->matrix.data;
	XXH128_hash_t hash = XXH3_128bits(data, (size_t)t->bytes);

	if (hash.low64 == t->hash.low && hash.high64 == t->hash.high)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\": its bytes do not match their checksum",
			      t->name);
}

/* Whole pages only; those that it shares with its neighbours stay. Read again they come from the file again, which is
 * why a container in memory is left alone. */
void mote_tensor_rows_release(const struct mote_container *c, const struct mote_tensor *t)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const void *data = t->rank == 1 ? (const void *)t->vector : t->matrix.data;
	uintptr_t first = ((uintptr_t)data + page - 1) / page * page, end = ((uintptr_t)data + t->bytes) / page * page;

	if (first < end && mote_container_fd(c) >= 0)
		mote_portable_release((void *)first, end - first);
}
