/* Makes one call to the system fail: a library to preload, for tests/faults/sweep.py.
 *
 *   MOTE_FAULT=KIND:K[:how]   the K-th call of a kind fails; how is "error" (what that kind fails with), "short" (half
 *                             of what was asked for is read or written) or "end" (a file ends early;
 *                             one that is mapped is shortened on the disk, and only mappings of files are counted)
 *   MOTE_FAULT_AIM=PATH       a file of a 64-bit number, which the tester writes while the process runs: while it is
 *                             above zero each allocation takes one from it, and that which makes it zero fails
 *   MOTE_FAULT_COUNTS=PATH    at exit, one line for each kind: its name and how many calls there were
 *
 * Streams are made to fail by what lies under them: a folder cannot be read (EISDIR), /dev/full cannot be written
 * (ENOSPC). So their own error flags are set as they would be. glibc only.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
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

enum kind { ALLOC, MAP, OPEN, STAT, READ, WRITE, SYNC, NAME, CLOSE, THREAD, OTHER, KINDS };
enum how { PASS, FAIL, SHORT, END };

static const char *const names[KINDS] = {"alloc", "map", "open", "stat", "read", "write",
					 "sync",  "name", "close", "thread", "other"};
static const int reasons[KINDS] = {ENOMEM, ENOMEM, EMFILE, EIO, EIO, ENOSPC, EIO, ENOSPC, EIO, EAGAIN, EIO};
static atomic_long counts[KINDS];
static enum kind chosen = KINDS;
static long chosen_call;
static enum how chosen_how;
static _Atomic(int64_t) *aim;

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("MOTE_FAULT_AIM"), *text = getenv("MOTE_FAULT");
	const char *colon = text ? strchr(text, ':') : NULL;

	if (path) {
		long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
		long mapped = syscall(SYS_mmap, NULL, sizeof *aim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (mapped == -1)
			abort();
		aim = (_Atomic(int64_t) *)mapped;
	}
	for (int i = 0; colon && i < KINDS; i++)
		if (strlen(names[i]) == (size_t)(colon - text) && !strncmp(names[i], text, strlen(names[i])))
			chosen = (enum kind)i;
	if (!colon)
		return;
	chosen_call = strtol(colon + 1, NULL, 10);
	colon = strchr(colon + 1, ':');
	chosen_how = !colon || !strcmp(colon, ":error") ? FAIL : !strcmp(colon, ":short") ? SHORT : END;
}

__attribute__((destructor)) static void finish(void)
{
	const char *path = getenv("MOTE_FAULT_COUNTS");
	FILE *(*open_stream)(const char *, const char *) =
		(FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");
	FILE *to;

	chosen = KINDS;
	to = path ? open_stream(path, "w") : NULL;
	for (int i = 0; to && i < KINDS; i++)
		fprintf(to, "%s %ld\n", names[i], (long)atomic_load(&counts[i]));
	if (to)
		fclose(to);
}

static enum how next(enum kind kind)
{
	long call = atomic_fetch_add(&counts[kind], 1) + 1;
	bool aimed = kind == ALLOC && aim && atomic_load(aim) > 0 && atomic_fetch_sub(aim, 1) == 1;

	if (!aimed && (kind != chosen || call != chosen_call))
		return PASS;
	if (aimed || chosen_how == FAIL)
		errno = reasons[kind];
	return aimed ? FAIL : chosen_how;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- memory */

void *malloc(size_t bytes)
{
	return next(ALLOC) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return next(ALLOC) ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
	return next(ALLOC) ? NULL : __libc_realloc(p, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
	return next(ALLOC) ? NULL : __libc_memalign(alignment, bytes);
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

/* What another program might do to a file that is mapped. */
static void shorten(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = REAL(open)(path, O_WRONLY);
	if (again < 0 || ftruncate(again, 100) != 0)
		abort();
	REAL(close)(again);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *mapped;

	if (chosen == MAP && chosen_how == END && fd < 0) /* counts mappings of files */
		return REAL(mmap)(at, bytes, protection, flags, fd, offset);
	switch (next(MAP)) {
	case PASS: return REAL(mmap)(at, bytes, protection, flags, fd, offset);
	case END:
		mapped = REAL(mmap)(at, bytes, protection, flags, fd, offset);
		shorten(fd);
		return mapped;
	default: return MAP_FAILED;
	}
}

/* ---- files by name */

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	va_start(arguments, flags);
	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return next(OPEN) ? -1 : REAL(open)(path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open(path, flags);
}

FILE *fopen(const char *path, const char *mode)
{
	return next(OPEN) ? NULL : REAL(fopen)(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
	return next(OPEN) ? NULL : REAL(fdopen)(fd, mode);
}

DIR *opendir(const char *path)
{
	return next(OPEN) ? NULL : REAL(opendir)(path);
}

char *realpath(const char *restrict path, char *restrict resolved)
{
	return next(STAT) ? NULL : REAL(realpath)(path, resolved);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	return next(STAT) ? -1 : REAL(stat)(path, st);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
	return next(STAT) ? -1 : REAL(lstat)(path, st);
}

int fstat(int fd, struct stat *st)
{
	return next(STAT) ? -1 : REAL(fstat)(fd, st);
}

int rename(const char *from, const char *to)
{
	return next(NAME) ? -1 : REAL(rename)(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
	return next(NAME) ? -1 : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to)
{
	return next(NAME) ? -1 : REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	return next(NAME) ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

/* ---- open files */

static size_t part(enum how how, size_t bytes)
{
	return how == END ? 0 : how == SHORT && bytes > 1 ? bytes / 2 : bytes;
}

ssize_t read(int fd, void *to, size_t bytes)
{
	enum how how = next(READ);

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
	enum how how = next(READ);

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
	enum how how = is_event(fd) ? PASS : next(WRITE);

	return how == FAIL ? -1 : REAL(write)(fd, from, how == PASS ? bytes : part(SHORT, bytes));
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at)
{
	enum how how = next(WRITE);

	return how == FAIL ? -1 : REAL(pwrite)(fd, from, how == PASS ? bytes : part(SHORT, bytes), at);
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
	if (next(READ) == FAIL)
		undermine(stream, "/", O_RDONLY | O_DIRECTORY);
	return REAL(fread)(to, bytes, n, stream);
}

size_t __fread_chk(void *restrict to, size_t room, size_t bytes, size_t n, FILE *restrict stream);
size_t __fread_chk(void *restrict to, size_t room, size_t bytes, size_t n, FILE *restrict stream)
{
	(void)room;
	return fread(to, bytes, n, stream);
}

size_t fwrite(const void *restrict from, size_t bytes, size_t n, FILE *restrict stream)
{
	if (stream != stderr && next(WRITE) == FAIL)
		undermine(stream, "/dev/full", O_WRONLY);
	return REAL(fwrite)(from, bytes, n, stream);
}

int fflush(FILE *stream)
{
	if (stream && stream != stderr && next(WRITE) == FAIL)
		undermine(stream, "/dev/full", O_WRONLY);
	return REAL(fflush)(stream);
}

int fsync(int fd)
{
	return next(SYNC) ? -1 : REAL(fsync)(fd);
}

/* What close() and fclose() report they report after the file is closed. */
int close(int fd)
{
	bool fails = next(CLOSE);
	int result = REAL(close)(fd);

	if (!fails)
		return result;
	errno = EIO;
	return -1;
}

int fclose(FILE *stream)
{
	bool fails = next(CLOSE);
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
	return next(THREAD) ? EAGAIN : REAL(pthread_create)(thread, attributes, run, user);
}

int flock(int fd, int operation)
{
	return next(OTHER) ? -1 : REAL(flock)(fd, operation);
}

int fchmod(int fd, mode_t mode)
{
	return next(OTHER) ? -1 : REAL(fchmod)(fd, mode);
}

ssize_t getrandom(void *to, size_t bytes, unsigned flags)
{
	return next(OTHER) ? -1 : REAL(getrandom)(to, bytes, flags);
}

int access(const char *path, int mode)
{
	return next(OTHER) ? -1 : REAL(access)(path, mode);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	return next(OTHER) ? EAI_SYSTEM : REAL(getaddrinfo)(host, service, hints, found);
}
