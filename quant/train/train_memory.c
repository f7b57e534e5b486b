/* Large arrays: see train_memory.h. */
#include "quant/train/train_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/portable.h"

enum { SMALL_PAGE = 64, HUGE_PAGE = 2 << 20 };

float *mote_train_floats(size_t n, bool zeros)
{
	size_t bytes = n * sizeof(float), align = bytes >= 8 * (size_t)HUGE_PAGE ? HUGE_PAGE : SMALL_PAGE;
	float *memory;

	if (n > SIZE_MAX / sizeof(float) / 2)
		return NULL;
	bytes = (bytes + align - 1) / align * align;
	memory = aligned_alloc(align, bytes ? bytes : align);
	if (memory && align == HUGE_PAGE)
		mote_portable_huge_pages(memory, bytes, true);
	if (memory && zeros)
		memset(memory, 0, bytes);
	return memory;
}
