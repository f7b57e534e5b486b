/* Makes one call to the system fail: a library to preload, for tests/faults/sweep.py.
 *
 *   MOTE_FAULT=KIND:K[:how]   the K-th call of a kind fails; how is "error" (what that kind fails with), "short" (half
 *                             of what was asked for is read or written) or "end" (a file ends early;
 *                             one that is mapped is shortened on the disk, and only mappings of files are counted)
 *   MOTE_FAULT_AIM=PATH       a file of a 64-bit number, which the tester writes while the process runs: while it is
 *                             above zero each allocation takes one from it, and that which makes it zero fails
 *   MOTE_FAULT_COUNTS=PATH    at exit, one line for each kind: its name and how many calls there were
 *   MOTE_FAULT_STACKS=PATH    one line for each call: its kind, which call of that kind it is, and a number of the
 *                             stack it came from (of the innermost 48 callers)
 *
 * Streams are made to fail by what lies under them: a folder cannot be read (EISDIR), /dev/full cannot be written
 * (ENOSPC). So their own error flags are set as they would be. What allocates may be LeakSanitizer's, preloaded behind
 * this. glibc only.
 */
#include "choice.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- memory */

/* Found once: the others are called too seldom for it to matter. */
static void *(*next_malloc)(size_t bytes);
static void *(*next_calloc)(size_t n, size_t bytes);
static void *(*next_realloc)(void *p, size_t bytes);
static void *(*next_memalign)(size_t alignment, size_t bytes);

#define FIND(name)                               \
	do {                                     \
		if (!next_##name)                \
			next_##name = REAL(name); \
	} while (0)

void *malloc(size_t bytes)
{
	FIND(malloc);
	return fault_next(ALLOC) ? NULL : next_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	FIND(calloc);
	return fault_next(ALLOC) ? NULL : next_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
	FIND(realloc);
	return fault_next(ALLOC) ? NULL : next_realloc(p, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
	FIND(memalign);
	return fault_next(ALLOC) ? NULL : next_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return memalign(alignment, bytes);
}

int posix_memalign(void **p, size_t alignment, size_t bytes)
{
	void *got = memalign(alignment, bytes);

	if (!got)
		return ENOMEM;
	*p = got;
	return 0;
}

/* LeakSanitizer's, preloaded, calls null where gcc is 12. */
char *strerror(int error)
{
	return (char *)(uintptr_t)strerrordesc_np(error); /* of every error that the system or this library gives */
}

/* What another program might do to a file that is mapped. */
static void shorten(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = REAL(open)(path, O_WRONLY);
	if (again < 0 || REAL(ftruncate)(again, 100) != 0)
		abort();
	REAL(close)(again);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *mapped;

	if (fault_is(MAP, END) && fd < 0) /* counts mappings of files */
		return REAL(mmap)(at, bytes, protection, flags, fd, offset);
	switch (fault_next(MAP)) {
	case PASS: return REAL(mmap)(at, bytes, protection, flags, fd, offset);
	case END:
		mapped = REAL(mmap)(at, bytes, protection, flags, fd, offset);
		shorten(fd);
		return mapped;
	default: return MAP_FAILED;
	}
}

/* ---- open files */

static size_t part(enum how how, size_t bytes)
{
	return how == END ? 0 : how == SHORT && bytes > 1 ? bytes / 2 : bytes;
}

ssize_t read(int fd, void *to, size_t bytes)
{
	enum how how = fault_next(READ);

	return how == FAIL ? -1 : how == END ? 0 : REAL(read)(fd, to, part(how, bytes));
}

ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room);
ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room)
{
	(void)room;
	return read(fd, to, bytes);
}

ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
	enum how how = fault_next(READ);

	return how == FAIL ? -1 : how == END ? 0 : REAL(pread)(fd, to, part(how, bytes), at);
}

ssize_t __pread_chk(int fd, void *to, size_t bytes, off_t at, size_t room);
ssize_t __pread_chk(int fd, void *to, size_t bytes, off_t at, size_t room)
{
	(void)room;
	return pread(fd, to, bytes, at);
}

/* Counters between threads, which always take a 1: no device, no memory and no room is needed. */
static bool is_event(int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof target - 1) > 0 && !strcmp(target, "anon_inode:[eventfd]");
}

ssize_t write(int fd, const void *from, size_t bytes)
{
	enum how how = is_event(fd) ? PASS : fault_next(WRITE);

	return how == FAIL ? -1 : REAL(write)(fd, from, how == PASS ? bytes : part(SHORT, bytes));
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at)
{
	enum how how = fault_next(WRITE);

	return how == FAIL ? -1 : REAL(pwrite)(fd, from, how == PASS ? bytes : part(SHORT, bytes), at);
}

/* A folder that is read says so by errno alone. */
struct dirent *readdir(DIR *folder)
{
	return fault_next(READ) == FAIL ? NULL : REAL(readdir)(folder);
}

int ftruncate(int fd, off_t bytes)
{
	return fault_next(WRITE) == FAIL ? -1 : REAL(ftruncate)(fd, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	return fault_next(WRITE) == FAIL ? -1 : REAL(fallocate)(fd, mode, offset, bytes);
}

/* From now on the stream stands on what fails. */
static void undermine(FILE *stream, const char *path, int flags)
{
	int fd = REAL(open)(path, flags), below = fileno(stream);

	if (fd >= 0 && below >= 0)
		dup2(fd, below);
	if (fd >= 0)
		REAL(close)(fd);
}

size_t fread(void *restrict to, size_t bytes, size_t n, FILE *restrict stream)
{
	if (fault_next(READ) == FAIL)
		undermine(stream, "/", O_RDONLY | O_DIRECTORY);
	return REAL(fread)(to, bytes, n, stream);
}

size_t __fread_chk(void *restrict to, size_t room, size_t bytes, size_t n, FILE *restrict stream);
size_t __fread_chk(void *restrict to, size_t room, size_t bytes, size_t n, FILE *restrict stream)
{
	(void)room;
	return fread(to, bytes, n, stream);
}

ssize_t __getdelim(char **line, size_t *bytes, int end, FILE *stream);
ssize_t __getdelim(char **line, size_t *bytes, int end, FILE *stream)
{
	if (fault_next(READ) == FAIL)
		undermine(stream, "/", O_RDONLY | O_DIRECTORY);
	return REAL(__getdelim)(line, bytes, end, stream);
}

size_t fwrite(const void *restrict from, size_t bytes, size_t n, FILE *restrict stream)
{
	if (stream != stderr && fault_next(WRITE) == FAIL)
		undermine(stream, "/dev/full", O_WRONLY);
	return REAL(fwrite)(from, bytes, n, stream);
}

int fflush(FILE *stream)
{
	if (stream && stream != stderr && fault_next(WRITE) == FAIL)
		undermine(stream, "/dev/full", O_WRONLY);
	return REAL(fflush)(stream);
}

int fsync(int fd)
{
	return fault_next(SYNC) ? -1 : REAL(fsync)(fd);
}

/* What close() and fclose() report they report after the file is closed. */
int close(int fd)
{
	bool fails = fault_next(CLOSE);
	int result = REAL(close)(fd);

	if (!fails)
		return result;
	errno = EIO;
	return -1;
}

int fclose(FILE *stream)
{
	bool fails = fault_next(CLOSE);
	int result = REAL(fclose)(stream);

	if (!fails)
		return result;
	errno = EIO;
	return EOF;
}

/* ---- the rest */

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
		   void *restrict user)
{
	return fault_next(THREAD) ? EAGAIN : REAL(pthread_create)(thread, attributes, run, user);
}

/* LeakSanitizer asks when a thread begins, and gives up without an answer. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	int result;

	fault_spare(true);
	result = REAL(pthread_getattr_np)(thread, attributes);
	fault_spare(false);
	return result;
}

int fseek(FILE *stream, long offset, int from)
{
	return fault_next(OTHER) ? -1 : REAL(fseek)(stream, offset, from);
}

int flock(int fd, int operation)
{
	return fault_next(OTHER) ? -1 : REAL(flock)(fd, operation);
}

int fchmod(int fd, mode_t mode)
{
	return fault_next(OTHER) ? -1 : REAL(fchmod)(fd, mode);
}

ssize_t getrandom(void *to, size_t bytes, unsigned flags)
{
	return fault_next(OTHER) ? -1 : REAL(getrandom)(to, bytes, flags);
}

int access(const char *path, int mode)
{
	return fault_next(OTHER) ? -1 : REAL(access)(path, mode);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	return fault_next(OTHER) ? EAI_SYSTEM : REAL(getaddrinfo)(host, service, hints, found);
}
