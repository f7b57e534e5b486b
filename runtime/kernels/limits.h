/* What this machine can do at most, measured: the numbers beside which mote-bench puts its own.
 * Cold code: a call takes some tenths of a second.
 */
#ifndef MOTE_RUNTIME_LIMITS_H
#define MOTE_RUNTIME_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "format/status.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"

/* Bytes a second at which all threads of the pool together read a buffer of this size, the median of
 * `repeats` passes (at most 64) of the fastest of several ways to read; on huge pages (where the system grants them) or
 * on ordinary ones. A buffer not much larger than the last-level cache is partly read from there, and so is a model of
 * that size. MOTE_ERROR_MEMORY. */
enum mote_status mote_limits_bandwidth(struct mote_pool *p, size_t bytes, bool huge_pages, unsigned repeats,
				       double *bytes_per_second, struct mote_error *error);

/* Operations a second (a multiplication and an addition count two) of all threads together, from registers:
 * int8 with the instructions of the table's matrix products, f32 with its fma. 0 for the scalar table. */
double mote_limits_int8(struct mote_pool *p, const struct mote_kernels *k);
double mote_limits_f32(struct mote_pool *p, const struct mote_kernels *k);

#endif
