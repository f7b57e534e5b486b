/* Weights in huge pages.
 *
 * Decoding a token streams every weight once. From 4 KiB pages that stream is limited by page walks; from 2 MiB
 * pages by the memory itself. A file's page cache cannot be had in huge pages, so the weights are read once.
 */
#ifndef MOTE_RUNTIME_WEIGHTS_H
#define MOTE_RUNTIME_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

/* Reads bytes of the file from offset into *data, which is 2 MiB-aligned and has *data_bytes (bytes rounded up).
 * The kernel may deny huge pages; the copy then lies in ordinary ones.
 * MOTE_ERROR_MEMORY; MOTE_ERROR_IO; MOTE_ERROR_CORRUPT when the file ends early. *data is NULL on error. */
enum mote_status mote_weights_read(int fd, uint64_t offset, uint64_t bytes, void **data, size_t *data_bytes,
				   struct mote_error *error);
void mote_weights_free(void *data, size_t data_bytes); /* NULL is fine */

#endif
