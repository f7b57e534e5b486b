/* What Linux offers beyond POSIX, behind one door.
 *
 * Nothing else in mote calls the kernel or the C library by a name that only Linux has (a test looks), but for
 * format/tool/shortened.c, which is empty elsewhere, and format/tool/sandbox.c, which refuses there. On other systems,
 * and with MOTE_POSIX defined (make POSIX=1) on Linux too, each function has a plain way that needs POSIX alone: slower
 * here and there, never different in what is computed or written. Thread-safe unless a function says otherwise.
 */
#ifndef MOTE_FORMAT_PORTABLE_H
#define MOTE_FORMAT_PORTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && !defined(MOTE_POSIX)
#define MOTE_LINUX 1
#else
#define MOTE_LINUX 0
#include <pthread.h>
#endif

/* Random bytes of the system, good enough for keys. false: errno says why there are none. */
bool mote_portable_random(void *out, size_t bytes);

/* ---- sleep until a number changes ---- */

/* Where threads sleep. Linux keys sleepers by the number's address and needs nothing here. */
struct mote_sleep {
#if MOTE_LINUX
	char nothing;
#else
	pthread_mutex_t mutex;
	pthread_cond_t moved;
#endif
};

/* false: no resources. close() only after a true init(), with nobody asleep. */
bool mote_sleep_init(struct mote_sleep *s);
void mote_sleep_close(struct mote_sleep *s);
/* Returns when *number may differ from seen: at once when it does, else after a wake(); sometimes for no reason. */
void mote_sleep_wait(struct mote_sleep *s, atomic_uint *number, unsigned seen);
/* Wakes all who wait on number, which was changed before. */
void mote_sleep_wake(struct mote_sleep *s, atomic_uint *number);

/* ---- processors ---- */

/* The logical CPUs that a thread may run on: CPU i is bit i % 64 of mask[i / 64]. */
enum { MOTE_MAX_CPUS = 1024 };
struct mote_cpus {
	uint64_t mask[MOTE_MAX_CPUS / 64];
	uint32_t count;
};

/* Those of the calling thread. false: not known here, and nothing below does anything. */
bool mote_cpus_allowed(struct mote_cpus *cpus);
/* The one that the calling thread is on; -1: not known. It may be another by the time this returns. */
int mote_cpus_here(void);
/* Moves the calling thread off CPU here, to another of cpus, and lets it be moved freely again. */
void mote_cpus_leave(const struct mote_cpus *cpus, int here);

/* AArch64 only: the processor has the dot product instructions. false elsewhere. */
bool mote_portable_has_dotprod(void);
/* x86-64 only: asks the system to keep the state of AMX tiles for this process, which it then does for good. false: it
 * does not. */
bool mote_portable_ask_for_tiles(void);

/* ---- memory ---- */

/* Zeroed pages, taken from the system as they are touched. NULL: none. munmap() gives them back. */
void *mote_portable_map(size_t bytes);
/* A wish that the range lies in huge pages, or not. */
void mote_portable_huge_pages(void *from, size_t bytes, bool huge);
/* A wish that the pages of a file's mapping leave memory; they are read again when they are touched. */
void mote_portable_release(void *from, size_t bytes);
/* A wish that the heap grows by so many bytes at once. */
void mote_portable_heap_step(int bytes);

/* ---- files ---- */

/* A file in folder that has no name and vanishes when it is closed, unless link() gives it one; held gets a path under
 * which it can be opened. -1: not possible here, and held is empty. */
int mote_portable_open_nameless(const char *folder, char *held, size_t held_bytes);
/* Gives it a name. false: errno; EEXIST when the name is taken. */
bool mote_portable_link(const char *held, const char *path);
/* rename() that never replaces. false: errno; EEXIST when something is at to. */
bool mote_portable_rename_new(const char *from, const char *to);
/* Disk space for a file of so many bytes. false: errno says why it cannot have them;
 * true also where that is not known. */
bool mote_portable_reserve(int fd, uint64_t bytes);
/* A wish that the disk begins to write the range. */
void mote_portable_write_back(int fd, uint64_t offset, uint64_t bytes);

/* ---- processes ---- */

/* What posix_spawnp() starts this very program by. argv0: as main() got it. */
const char *mote_portable_program(const char *argv0);
/* getrusage()'s ru_maxrss in bytes. */
uint64_t mote_portable_peak_bytes(long maxrss);

#endif
