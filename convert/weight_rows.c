/* Rows of weights: see weight_rows.h. */
#include "convert/weight_rows.h"

#include <string.h>

#include "convert/hf/hf_lora.h"
#include "format/half.h"

#define MAX_BLOCK_BYTES 292u

/* Value + 128, in the order of the indices. */
static const uint8_t iq4_codebook[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

enum mote_type mote_weight_rows_quants(const struct mote_hf_weight *weight)
{
	if (!weight->blocks || weight->lora)
		return 0;
	switch (weight->blocks->number) {
	case MOTE_GGUF_Q8_0: return MOTE_Q8;
	case MOTE_GGUF_Q4_0:
	case MOTE_GGUF_IQ4_NL: return MOTE_Q4;
	default: return 0;
	}
}

const uint8_t *mote_weight_rows_codebook(const struct mote_hf_weight *weight)
{
	if (!weight->blocks || mote_weight_rows_quants(weight) != MOTE_Q4)
		return NULL;
	return weight->blocks->number == MOTE_GGUF_IQ4_NL ? iq4_codebook : mote_type_linear_codebook(MOTE_Q4);
}

static size_t file_row_bytes(const struct mote_hf_weight *weight, uint32_t rows)
{
	return (size_t)(weight->tensor->bytes / rows);
}

size_t mote_weight_rows_bytes(const struct mote_hf_weight *weight, enum mote_type type, uint32_t cols)
{
	if (mote_type_is_quantized(type))
		return cols / weight->blocks->elements * weight->blocks->bytes;
	return cols * (type == MOTE_F32 ? (size_t)4 : 2);
}

/* llama.cpp's RoPE turns neighbours where the checkpoint's turns the two halves of a head, so its files have rows 0 and
 * n / 2, 1 and n / 2 + 1, ... of each head side by side. */
static uint32_t file_row(const struct mote_hf_weight *weight, uint32_t rows, uint32_t row)
{
	uint32_t head_dim, at;

	if (!weight->permuted_heads)
		return row;
	head_dim = rows / weight->permuted_heads;
	at = row % head_dim;
	return row - at + at % (head_dim / 2) * 2 + at / (head_dim / 2);
}

/* Blocks lie at the end of out, where the decoded values end too: decoding from the front, the values never reach a
 * block that is still to be read, for a block's values take more room than it. */
static void decode(const struct mote_gguf_type_info *type, size_t blocks, uint8_t *out)
{
	const size_t value_bytes = type->elements * sizeof(float);
	const uint8_t *from = out + blocks * (value_bytes - type->bytes);
	uint8_t block[MAX_BLOCK_BYTES];
	float values[256];

	for (size_t i = 0; i < blocks; i++) {
		memcpy(block, from + i * type->bytes, type->bytes);
		type->decode(block, values);
		memcpy(out + i * value_bytes, values, value_bytes);
	}
}

/* The same for floats of two bytes, which lie in the second half. */
static void widen(const char *dtype, size_t n, uint8_t *out)
{
	const bool f16 = strcmp(dtype, "F16") == 0;
	uint16_t half;
	float x;

	for (size_t i = 0; i < n; i++) {
		memcpy(&half, out + n * 2 + i * 2, 2);
		x = f16 ? mote_f32_from_f16(half) : mote_f32_from_bf16(half);
		memcpy(out + i * 4, &x, 4);
	}
}

/* Rows first..first + n get what the adapters add to them. */
static void add_updates(const struct mote_lora_update *u, uint32_t first, uint32_t n, float *rows)
{
	for (; u; u = u->next)
		for (uint32_t r = 0; r < n; r++)
			for (uint32_t k = 0; k < u->rank; k++) {
				const float x = u->scale * u->b[(size_t)(first + r) * u->rank + k];
				const float *a = u->a + (size_t)k * u->cols;
				float *row = rows + (size_t)r * u->cols;

				for (uint32_t c = 0; c < u->cols; c++)
					row[c] += x * a[c];
			}
}

enum mote_status mote_weight_rows_read(const struct mote_source *source, const struct mote_hf_weight *weight,
				       enum mote_type type, uint32_t rows, uint32_t cols, uint32_t first, uint32_t n,
				       uint8_t *out, struct mote_error *error)
{
	const struct mote_source_file *file = &source->file[weight->file];
	const bool decodes = weight->blocks && weight->blocks->decode && !mote_type_is_quantized(type);
	const size_t row_bytes = file_row_bytes(weight, rows);
	const bool widens = weight->lora && !decodes && row_bytes == cols * (size_t)2;
	uint8_t *to = decodes || widens ? out + n * (cols * sizeof(float) - row_bytes) : out;
	enum mote_status status = MOTE_OK;

	if (!weight->permuted_heads)
		status = mote_source_read_at(file, weight->tensor->offset + (uint64_t)first * row_bytes, to,
					     n * row_bytes, error);
	for (uint32_t i = 0; i < n && weight->permuted_heads && !status; i++)
		status = mote_source_read_at(file,
					     weight->tensor->offset +
					     (uint64_t)file_row(weight, rows, first + i) * row_bytes,
					     to + i * row_bytes, row_bytes, error);
	if (status)
		return status;
	if (decodes)
		decode(weight->blocks, (size_t)n * (cols / weight->blocks->elements), out);
	if (widens)
		widen(weight->tensor->dtype, (size_t)n * cols, out);
	add_updates(weight->lora, first, n, (float *)(void *)out);
	return MOTE_OK;
}

/* One row's blocks taken apart: each an f16 scale, then int8 or nibbles (element i with element i + 16). */
static bool unpack_row(const struct mote_gguf_type_info *type, const uint8_t *row, uint32_t blocks, uint8_t *quants,
		       uint16_t *scales)
{
	bool finite = true;

	for (uint32_t b = 0; b < blocks; b++, row += type->bytes, quants += MOTE_BLOCK_COLS) {
		memcpy(&scales[b], row, 2);
		finite = finite && (scales[b] & 0x7c00) != 0x7c00;
		for (uint32_t i = 0; i < MOTE_BLOCK_COLS; i++)
			if (type->number == MOTE_GGUF_Q8_0)
				quants[i] = row[2 + i] ^ 0x80; /* the value + 128 */
			else
				quants[i] = i < 16 ? row[2 + i] & 15 : row[2 + i - 16] >> 4;
	}
	return finite;
}

enum mote_status mote_weight_rows_pack(const struct mote_hf_weight *weight, const struct mote_matrix *matrix,
				       const uint8_t *source, uint32_t first, uint32_t n, uint8_t *quants,
				       uint16_t *scales, uint8_t *out, struct mote_error *error)
{
	const size_t row_bytes = mote_weight_rows_bytes(weight, matrix->type, matrix->cols);

	for (uint32_t panel = first; panel < first + n; panel++) {
		uint32_t rows = matrix->rows - panel * MOTE_PANEL_ROWS;

		if (rows > MOTE_PANEL_ROWS)
			rows = MOTE_PANEL_ROWS;
		for (uint32_t r = 0; r < rows; r++, source += row_bytes)
			if (!unpack_row(weight->blocks, source, matrix->blocks,
					quants + (size_t)r * matrix->blocks * MOTE_BLOCK_COLS,
					scales + (size_t)r * matrix->blocks))
				return mote_error_set(error, MOTE_ERROR_CORRUPT,
						      "tensor \"%s\": row %u: a block's scale is not finite",
						      weight->name, panel * MOTE_PANEL_ROWS + r);
		mote_panel_pack_quants(matrix, quants, scales, rows, out);
		out += matrix->panel_bytes;
	}
	return MOTE_OK;
}
