/* See portable.h: first what both ways share, then Linux, then everybody else. */
#include "format/portable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if MOTE_LINUX
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#endif

/* Two steps in place of one: with a name for each, the file is never without one, and link() refuses what is taken. */
static bool rename_by_link(const char *from, const char *to)
{
	if (link(from, to) != 0)
		return false;
	unlink(from);
	return true;
}

uint64_t mote_portable_peak_bytes(long maxrss)
{
#ifdef __APPLE__
	return (uint64_t)maxrss;
#else
	return (uint64_t)maxrss * 1024;
#endif
}

#if MOTE_LINUX

bool mote_portable_random(void *out, size_t bytes)
{
	return getrandom(out, bytes, 0) == (ssize_t)bytes;
}

bool mote_sleep_init(struct mote_sleep *s)
{
	s->nothing = 0;
	return true;
}

void mote_sleep_close(struct mote_sleep *s)
{
	(void)s;
}

void mote_sleep_wait(struct mote_sleep *s, atomic_uint *number, unsigned seen)
{
	(void)s;
	syscall(SYS_futex, number, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void mote_sleep_wake(struct mote_sleep *s, atomic_uint *number)
{
	(void)s;
	syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

_Static_assert(sizeof(cpu_set_t) <= sizeof ((struct mote_cpus *)0)->mask, "an affinity mask of at most 1024 CPUs");

bool mote_cpus_allowed(struct mote_cpus *cpus)
{
	cpu_set_t set;

	memset(cpus, 0, sizeof *cpus);
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return false;
	memcpy(cpus->mask, &set, sizeof set);
	cpus->count = (uint32_t)CPU_COUNT(&set);
	return true;
}

int mote_cpus_here(void)
{
	return sched_getcpu();
}

void mote_cpus_leave(const struct mote_cpus *cpus, int here)
{
	cpu_set_t all, others;

	memcpy(&all, cpus->mask, sizeof all);
	others = all;
	CPU_CLR((unsigned)here, &others);
	if (sched_setaffinity(0, sizeof others, &others) == 0)
		sched_setaffinity(0, sizeof all, &all);
}

bool mote_portable_has_dotprod(void)
{
#ifdef __aarch64__
	return getauxval(AT_HWCAP) >> 20 & 1; /* HWCAP_ASIMDDP */
#else
	return false;
#endif
}

bool mote_portable_ask_for_tiles(void)
{
#ifdef __x86_64__
	return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */,
		       18 /* the tiles' data, as numbered in XCR0 */) == 0;
#else
	return false;
#endif
}

void *mote_portable_map(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

void mote_portable_huge_pages(void *from, size_t bytes, bool huge)
{
	madvise(from, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

void mote_portable_release(void *from, size_t bytes)
{
	madvise(from, bytes, MADV_DONTNEED);
}

void mote_portable_heap_step(int bytes)
{
#ifdef __GLIBC__
	mallopt(M_TOP_PAD, bytes);
#else
	(void)bytes;
#endif
}

/* NFS and old file systems cannot; without /proc the file could not be given a name. */
int mote_portable_open_nameless(const char *folder, char *held, size_t held_bytes)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);

	held[0] = 0;
	if (fd < 0)
		return -1;
	snprintf(held, held_bytes, "/proc/self/fd/%d", fd);
	if (access(held, R_OK | W_OK) == 0)
		return fd;
	held[0] = 0;
	close(fd);
	return -1;
}

bool mote_portable_link(const char *held, const char *path)
{
	return linkat(AT_FDCWD, held, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

/* By number, as not every C library has the function. 1: RENAME_NOREPLACE of linux/fs.h. */
bool mote_portable_rename_new(const char *from, const char *to)
{
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1U) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS) /* a file system without it: NFS, some FUSE */
		return false;
	return rename_by_link(from, to);
}

bool mote_portable_reserve(int fd, uint64_t bytes)
{
	return fallocate(fd, 0, 0, (off_t)bytes) == 0 || (errno != ENOSPC && errno != EDQUOT && errno != EFBIG);
}

void mote_portable_write_back(int fd, uint64_t offset, uint64_t bytes)
{
	sync_file_range(fd, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

const char *mote_portable_program(const char *argv0)
{
	(void)argv0;
	return "/proc/self/exe";
}

#else /* POSIX */

bool mote_portable_random(void *out, size_t bytes)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, bytes);

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)bytes;
}

bool mote_sleep_init(struct mote_sleep *s)
{
	if (pthread_mutex_init(&s->mutex, NULL) != 0)
		return false;
	if (pthread_cond_init(&s->moved, NULL) == 0)
		return true;
	pthread_mutex_destroy(&s->mutex);
	return false;
}

void mote_sleep_close(struct mote_sleep *s)
{
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->mutex);
}

/* The number is looked at under the mutex, which wake() takes after it was changed: a change is seen here, or its
 * broadcast finds this thread waiting. */
void mote_sleep_wait(struct mote_sleep *s, atomic_uint *number, unsigned seen)
{
	pthread_mutex_lock(&s->mutex);
	if (atomic_load(number) == seen)
		pthread_cond_wait(&s->moved, &s->mutex);
	pthread_mutex_unlock(&s->mutex);
}

void mote_sleep_wake(struct mote_sleep *s, atomic_uint *number)
{
	(void)number;
	pthread_mutex_lock(&s->mutex);
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->mutex);
}

bool mote_cpus_allowed(struct mote_cpus *cpus)
{
	memset(cpus, 0, sizeof *cpus);
	return false;
}

int mote_cpus_here(void)
{
	return -1;
}

void mote_cpus_leave(const struct mote_cpus *cpus, int here)
{
	(void)cpus;
	(void)here;
}

/* What the compiler was told to count on; every Apple processor has them, and its compiler is told so. */
bool mote_portable_has_dotprod(void)
{
#ifdef __ARM_FEATURE_DOTPROD
	return true;
#else
	return false;
#endif
}

bool mote_portable_ask_for_tiles(void)
{
	return false;
}

void *mote_portable_map(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

void mote_portable_huge_pages(void *from, size_t bytes, bool huge)
{
	(void)from;
	(void)bytes;
	(void)huge;
}

void mote_portable_release(void *from, size_t bytes)
{
	posix_madvise(from, bytes, POSIX_MADV_DONTNEED);
}

void mote_portable_heap_step(int bytes)
{
	(void)bytes;
}

int mote_portable_open_nameless(const char *folder, char *held, size_t held_bytes)
{
	(void)folder;
	(void)held_bytes;
	held[0] = 0;
	return -1;
}

bool mote_portable_link(const char *held, const char *path)
{
	(void)held;
	(void)path;
	errno = ENOTSUP;
	return false;
}

bool mote_portable_rename_new(const char *from, const char *to)
{
	return rename_by_link(from, to);
}

bool mote_portable_reserve(int fd, uint64_t bytes)
{
	(void)fd;
	(void)bytes;
	return true;
}

void mote_portable_write_back(int fd, uint64_t offset, uint64_t bytes)
{
	(void)fd;
	(void)offset;
	(void)bytes;
}

const char *mote_portable_program(const char *argv0)
{
	return argv0;
}

#endif
