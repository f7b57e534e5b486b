/* Which call fails, as the environment says: see shim.c. */
#include "choice.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES 48

static const char *const names[KINDS] = {"alloc", "map", "open", "stat", "read", "write",
					 "sync",  "name", "close", "thread", "other"};
static const int reasons[KINDS] = {ENOMEM, ENOMEM, EMFILE, EIO, EIO, ENOSPC, EIO, ENOSPC, EIO, EAGAIN, EIO};
static atomic_long counts[KINDS];
static enum kind chosen = KINDS;
static long chosen_call;
static enum how chosen_how;
static _Atomic(int64_t) *aim;
static long stacks = -1; /* a file */
static _Thread_local bool spared;

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("MOTE_FAULT_AIM"), *text = getenv("MOTE_FAULT"), *into = getenv("MOTE_FAULT_STACKS");
	const char *colon = text ? strchr(text, ':') : NULL;

	if (path) {
		long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
		long mapped = syscall(SYS_mmap, NULL, sizeof *aim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (mapped == -1)
			abort();
		aim = (_Atomic(int64_t) *)mapped;
	}
	if (into)
		stacks = syscall(SYS_openat, AT_FDCWD, into, O_WRONLY | O_CREAT | O_TRUNC, 0600);
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

/* A number for who has called whom, of the innermost callers. */
static uint64_t stack_number(void)
{
	void *frame[FRAMES];
	uint64_t number = 0;
	int n = backtrace(frame, FRAMES);

	for (int i = 0; i < n; i++)
		number = (number ^ (uint64_t)(uintptr_t)frame[i]) * 0x9e3779b97f4a7c15u ^ number >> 29;
	return number;
}

static void write_stack(enum kind kind, long call)
{
	char line[64];
	int saved = errno;

	spared = true; /* backtrace() loads a library the first time */
	syscall(SYS_write, stacks, line,
		snprintf(line, sizeof line, "%s %ld %016llx\n", names[kind], call, (unsigned long long)stack_number()));
	spared = false;
	errno = saved;
}

enum how fault_next(enum kind kind)
{
	bool aimed;
	long call;

	if (spared)
		return PASS;
	call = atomic_fetch_add(&counts[kind], 1) + 1;
	aimed = kind == ALLOC && aim && atomic_load(aim) > 0 && atomic_fetch_sub(aim, 1) == 1;
	if (stacks >= 0)
		write_stack(kind, call);
	if (!aimed && (kind != chosen || call != chosen_call))
		return PASS;
	if (aimed || chosen_how == FAIL)
		errno = reasons[kind];
	return aimed ? FAIL : chosen_how;
}

bool fault_is(enum kind kind, enum how how)
{
	return chosen == kind && chosen_how == how;
}

void fault_spare(bool on)
{
	spared = on;
}
