#include "runtime/model/memory.h"

#include <stdint.h>
#include <sys/mman.h>

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
	base = mmap(NULL, size + MOTE_HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	before = (MOTE_HUGE_PAGE_BYTES - (uintptr_t)base % MOTE_HUGE_PAGE_BYTES) % MOTE_HUGE_PAGE_BYTES;
	if (before)
		munmap(base, before);
	munmap(base + before + size, MOTE_HUGE_PAGE_BYTES - before);
	madvise(base + before, size, MADV_HUGEPAGE); /* a wish: everything works without */
	return base + before;
}

void mote_memory_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, rounded(bytes));
}
