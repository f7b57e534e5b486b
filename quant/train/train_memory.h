/* Large arrays of training: in huge pages where the system has them, since the first touch of gigabytes in small ones
 * takes seconds. */
#ifndef MOTE_QUANT_TRAIN_MEMORY_H
#define MOTE_QUANT_TRAIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Aligned to 64 bytes at least; for free(). NULL: out of memory. */
float *mote_train_floats(size_t n, bool zeros);

#endif
