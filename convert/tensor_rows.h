/* Rows of a container's tensor as other formats store them: row-major floats, or GGUF's blocks with the same scales and
 * the same integers, where a block can hold them.
 */
#ifndef MOTE_CONVERT_TENSOR_ROWS_H
#define MOTE_CONVERT_TENSOR_ROWS_H

#include "convert/gguf/gguf_types.h"
#include "format/container.h"

/* The GGUF type whose blocks have exactly the tensor's values in the least room: q8 is Q8_0; q4 with the codebook of
 * plain rounding Q4_0, with ggml's IQ4_NL; every other quantized type is a scale times an int8, too, so Q8_0 holds it.
 * Where rows are no whole blocks, or f16 does not hold a byte scale times its unit, F32 does. */
enum mote_gguf_type mote_tensor_rows_exact(const struct mote_tensor *t);

/* Bytes of a row in this type: one that exact() gave for the tensor, or F32, F16, BF16. */
size_t mote_tensor_rows_bytes(const struct mote_tensor *t, enum mote_gguf_type type);

/* Encodes the rows of a panel, those that exist, one after the other.
 *   out      [16][mote_tensor_rows_bytes()]
 *   scratch  [cols]: for a row of floats
 * Floats are rounded to nearest, ties to even, where the type is narrower. MOTE_ERROR_UNSUPPORTED: a value beyond f16's
 * range, with its place. */
enum mote_status mote_tensor_rows_encode(const struct mote_tensor *t, enum mote_gguf_type type, uint32_t panel,
					 uint8_t *out, float *scratch, struct mote_error *error);

/* Says that the tensor's part of the mapping is not needed any more,
 * so that memory does not grow to the file's size. */
void mote_tensor_rows_release(const struct mote_container *c, const struct mote_tensor *t);

/* Compares the tensor's bytes with its checksum: MOTE_ERROR_CORRUPT names it. */
enum mote_status mote_tensor_rows_verify(const struct mote_tensor *t, struct mote_error *error);

#endif
