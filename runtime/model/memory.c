#include "runtime/model/memory.h"

#include <stdint.h>
#include <sys/mman.h>

#include "format/portable.h"

static size_t rounded(size_t bytes)
{
	return (bytes + MOTE_HUGE_PAGE_BYTES - 1) / MOTE_HUGE_PAGE_BYTES * MOTE_HUGE_PAGE_BYTES;
}

void *mote_memory_map(size_t bytes)
{
	size_t size = rounded(bytes), before;
	uint8_t *base;

	if (bytes == 0 || bytes > SIZE_MAX / 2)
		return NULL;
	/* mmap() aligns to 4 KiB: take one huge page too many and give back what sticks out. */
	base = mote_portable_map(size + MOTE_HUGE_PAGE_BYTES);
	if (!base)
		return NULL;
	before = (MOTE_HUGE_PAGE_BYTES - (uintptr_t)base % MOTE_HUGE_PAGE_BYTES) % MOTE_HUGE_PAGE_BYTES;
	if (before)
		munmap(base, before);
	munmap(base + before + size, MOTE_HUGE_PAGE_BYTES - before);
	mote_portable_huge_pages(base + before, size, true); /* a wish: everything works without */
	return base + before;
}

void mote_memory_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, rounded(bytes));
}
