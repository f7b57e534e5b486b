/* Files by name, folders and what stat() says: see shim.c. */
#include "choice.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* There is one where a file may be made. */
static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fault_next(OPEN) ? -1 : REAL(open)(path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open(path, flags);
}

FILE *fopen(const char *path, const char *mode)
{
	return fault_next(OPEN) ? NULL : REAL(fopen)(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
	return fault_next(OPEN) ? NULL : REAL(fdopen)(fd, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fault_next(OPEN) ? -1 : REAL(openat)(folder, path, flags, mode);
}

int __openat_2(int folder, const char *path, int flags);
int __openat_2(int folder, const char *path, int flags)
{
	return openat(folder, path, flags);
}

DIR *fdopendir(int fd)
{
	return fault_next(OPEN) ? NULL : REAL(fdopendir)(fd);
}

DIR *opendir(const char *path)
{
	return fault_next(OPEN) ? NULL : REAL(opendir)(path);
}

char *realpath(const char *restrict path, char *restrict resolved)
{
	return fault_next(STAT) ? NULL : REAL(realpath)(path, resolved);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	return fault_next(STAT) ? -1 : REAL(stat)(path, st);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
	return fault_next(STAT) ? -1 : REAL(lstat)(path, st);
}

int fstat(int fd, struct stat *st)
{
	return fault_next(STAT) ? -1 : REAL(fstat)(fd, st);
}

int fstatat(int folder, const char *restrict path, struct stat *restrict st, int flags)
{
	return fault_next(STAT) ? -1 : REAL(fstatat)(folder, path, st, flags);
}

ssize_t readlinkat(int folder, const char *restrict path, char *restrict to, size_t bytes)
{
	return fault_next(STAT) ? -1 : REAL(readlinkat)(folder, path, to, bytes);
}

int mkdir(const char *path, mode_t mode)
{
	return fault_next(NAME) ? -1 : REAL(mkdir)(path, mode);
}

int rename(const char *from, const char *to)
{
	return fault_next(NAME) ? -1 : REAL(rename)(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
	return fault_next(NAME) ? -1 : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to)
{
	return fault_next(NAME) ? -1 : REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	return fault_next(NAME) ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}
