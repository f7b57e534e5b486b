/* Large memory in huge pages where the system grants them: weights, KV cache, workspace.
 *
 * Streaming from 4 KiB pages is limited by page walks, from 2 MiB pages by the memory itself
 * (docs/benchmarks.md has the measurement).
 */
#ifndef MOTE_RUNTIME_MEMORY_H
#define MOTE_RUNTIME_MEMORY_H

#include <stddef.h>

#define MOTE_HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Zeroed memory, 2 MiB-aligned, which takes physical pages only when touched. NULL when there is none. */
void *mote_memory_map(size_t bytes);
void mote_memory_unmap(void *memory, size_t bytes); /* NULL is fine */

#endif
