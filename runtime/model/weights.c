/* Reads weights into huge pages with a few threads: page clearing and copying are both bound by one core's speed,
 * and this is most of the time to the first token.
 */
#include "runtime/model/weights.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format/portable.h"
#include "runtime/model/memory.h"

/* A huge page takes some 0.2 ms to make, or many times that where memory is in pieces and the system moves others'
 * pages out of the way. When all threads together have lost so much to that, the rest is read into small pages. */
enum { MAX_THREADS = 8, SLOW_MICROSECONDS = 1000, MOST_LOST_MICROSECONDS = 20000 };

struct reader {
	int fd;
	uint64_t offset, bytes;
	uint8_t *data;
	atomic_uint_fast64_t next;  /* first byte that no thread has claimed, a multiple of MOTE_HUGE_PAGE_BYTES */
	atomic_int failure;         /* errno of a failed read; -1: the file ended */
	atomic_uint_fast64_t lost;  /* microseconds that slow pages took */
	atomic_bool small;          /* no more huge pages */
};

/* Of this thread's own work, the system's for it included: not what other processes take. */
static uint64_t own_microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Writes to the page that begins here, so that the system makes it, and looks how long that takes. */
static void make_page(struct reader *r, uint64_t begin)
{
	uint64_t took = own_microseconds(), next;

	*(volatile uint8_t *)(r->data + begin) = 0;
	took = own_microseconds() - took;
	if (took < SLOW_MICROSECONDS || atomic_fetch_add(&r->lost, took) + took < MOST_LOST_MICROSECONDS ||
	    atomic_exchange(&r->small, true))
		return;
	next = atomic_load(&r->next);
	if (next < r->bytes)
		mote_portable_huge_pages(r->data + next, (size_t)(r->bytes - next), false);
}

/* Claims one huge page after another: a slow thread delays the end by one page at most. */
static void *read_pages(void *argument)
{
	struct reader *r = argument;
	uint64_t begin;

	while ((begin = atomic_fetch_add(&r->next, MOTE_HUGE_PAGE_BYTES)) < r->bytes) {
		uint64_t end = r->bytes - begin > MOTE_HUGE_PAGE_BYTES ? begin + MOTE_HUGE_PAGE_BYTES : r->bytes;

		if (!atomic_load(&r->small))
			make_page(r, begin);
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
	if (atomic_load(&r.small)) /* the system may still put small pages together in its own time */
		mote_portable_huge_pages(r.data, (size_t)bytes, true);
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
