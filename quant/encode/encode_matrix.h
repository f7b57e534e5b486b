/* Encodes whole matrices: panel after panel on a pool's threads, straight into the layout of the file. */
#ifndef MOTE_QUANT_ENCODE_MATRIX_H
#define MOTE_QUANT_ENCODE_MATRIX_H

#include "format/container.h"
#include "quant/encode/encode.h"
#include "quant/encode/gptq.h"
#include "runtime/kernels/pool.h"

/* The codebook of MOTE_ENCODER_WEIGHTED, [16]: where Lloyd's algorithm ends for blocks of 32 normally distributed
 * weights that each have their best scale (tests/test_encode_matrix.c repeats it).
 * NULL for types without a codebook. */
const uint8_t *mote_type_normal_codebook(enum mote_type type);

/* A matrix and how to encode it. */
struct mote_encode_job {
	const char *name;                  /* for messages */
	const struct mote_matrix *source;  /* of any type */
	enum mote_type type;               /* to become */
	enum mote_encoder encoder;         /* quantized types */
	const double *importance;          /* [cols] mean square of each input, or NULL: all the same */
	const struct mote_second_order *second_order; /* MOTE_ENCODER_GPTQ: not NULL */
	const float *lost;                 /* [rows][n] see gptq.h, or NULL */
	bool linear;                       /* the linear codebook, whatever the encoder */
};

/* Bytes that the encoded matrix takes. */
uint64_t mote_encoded_bytes(const struct mote_encode_job *job);

/* Encodes into out[mote_encoded_bytes()], 64-byte aligned, and stores the codebook (types that have one). progress
 * counts weights from `done` on; its update is called on this thread only. The bytes do not depend on the number of
 * threads.
 * MOTE_ERROR_UNSUPPORTED: a weight is NaN or infinite, or larger than the type (its f16, or the largest f16 scale of
 * its blocks) can hold, names tensor, row and column; or every weight is so small that the matrix would become zeros.
 * MOTE_ERROR_INTERRUPTED, MOTE_ERROR_MEMORY. */
enum mote_status mote_encode_matrix(struct mote_pool *pool, const struct mote_encode_job *job, void *out,
				    uint8_t codebook[16], const struct mote_progress *progress, uint64_t done,
				    uint64_t total, struct mote_error *error) MOTE_CHECKED;

/* What encoding costs: the sum of importance * (w - encoded)^2 over some rows, for any type the same rows. For the
 * encoders from search to learned; learned as if it were weighted. MOTE_ERROR_MEMORY,
 * MOTE_ERROR_UNSUPPORTED as above. */
enum mote_status mote_encode_error(struct mote_pool *pool, const struct mote_encode_job *job, double *squares,
				   struct mote_error *error) MOTE_CHECKED;

/* Decodes a panel: rows[16][stride], zero beyond the matrix' rows and columns. stride >= cols. */
void mote_panel_unpack(const struct mote_matrix *m, uint32_t panel, float *rows, size_t stride);

#endif
