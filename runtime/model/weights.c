/* Reads weights into huge pages with a few threads: page clearing and copying are both bound by one core's speed,
 * and this is most of the time to the first token.
 */
#include "runtime/model/weights.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "runtime/model/memory.h"

enum { MAX_THREADS = 8 };

struct reader {
	int fd;
	uint64_t offset, bytes;
	uint8_t *data;
	atomic_uint_fast64_t next;  /* first byte that no thread has claimed, a multiple of MOTE_HUGE_PAGE_BYTES */
	atomic_int failure;         /* errno of a failed read; -1: the file ended */
};

/* Claims one huge page after another: a slow thread delays the end by one page at most. */
static void *read_pages(void *argument)
{
	struct reader *r = argument;
	uint64_t begin;

	while ((begin = atomic_fetch_add(&r->next, MOTE_HUGE_PAGE_BYTES)) < r->bytes) {
		uint64_t end = r->bytes - begin > MOTE_HUGE_PAGE_BYTES ? begin + MOTE_HUGE_PAGE_BYTES : r->bytes;

		while (begin < end) {
			ssize_t n = pread(r->fd, r->data + begin, end - begin, (off_t)(r->offset + begin));

			if (n <= 0 && !(n < 0 && errno == EINTR)) {
				atomic_store(&r->failure, n < 0 ? errno : -1);
				return NULL;
			}
			begin += n > 0 ? (uint64_t)n : 0;
		}
	}
	return NULL;
}

enum mote_status mote_weights_read(int fd, uint64_t offset, uint64_t bytes, void **data, size_t *data_bytes,
				   struct mote_error *error)
{
	struct reader r = {.fd = fd, .offset = offset, .bytes = bytes};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread[MAX_THREADS];
	unsigned threads = 0;
	int failure;

	*data = NULL;
	*data_bytes = 0;
	r.data = bytes > SIZE_MAX ? NULL : mote_memory_map((size_t)bytes);
	if (!r.data)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %llu bytes of weights",
				      (unsigned long long)bytes);
	/* This thread reads as well, and alone if no other can be started. */
	while (threads + 1 < MAX_THREADS && threads + 1 < (unsigned)processors &&
	       !pthread_create(&thread[threads], NULL, read_pages, &r))
		threads++;
	read_pages(&r);
	while (threads)
		pthread_join(thread[--threads], NULL);
	failure = atomic_load(&r.failure);
	if (failure) {
		mote_memory_unmap(r.data, (size_t)bytes);
		if (failure < 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "the file ended while its weights were read");
		return mote_error_set(error, MOTE_ERROR_IO, "cannot read weights: %s", strerror(failure));
	}
	*data = r.data;
	*data_bytes = (size_t)bytes;
	return MOTE_OK;
}
