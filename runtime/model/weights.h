/* Weights in huge pages: decoding a token streams every weight once, and a file's page cache cannot be had in huge
 * pages, so the weights are read into memory of their own.
 */
#ifndef MOTE_RUNTIME_WEIGHTS_H
#define MOTE_RUNTIME_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

/* Reads bytes (at least 1) of the file from offset into *data, which is 2 MiB-aligned and which the caller frees
 * with mote_memory_unmap(*data, *data_bytes). With several threads.
 * MOTE_ERROR_MEMORY; MOTE_ERROR_IO; MOTE_ERROR_CORRUPT when the file ends early. *data is NULL on error. */
enum mote_status mote_weights_read(int fd, uint64_t offset, uint64_t bytes, void **data, size_t *data_bytes,
				   struct mote_error *error);

#endif
