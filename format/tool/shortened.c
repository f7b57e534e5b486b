/* A model file that another program shortens while it is mapped: what was there cannot be read any more, and the system
 * sends SIGBUS. Here that becomes a message and exit code 1, like any read that fails, for every tool that is linked
 * with this file. Everything else that SIGBUS can mean (no memory for a page, a device that fails, an error of ours)
 * kills as ever: only an address within a shared mapping of a file is taken, which /proc/self/maps knows, so that the
 * library keeps no list of what it has mapped.
 *
 * All functions called here may be called in a signal's handler. Systems without /proc have none of this. */
#include "format/output.h"
#include "format/portable.h"

#if MOTE_LINUX
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 4400, TEMPORARY = sizeof MOTE_OUTPUT_PART - 1 + 8, MOST_DESCRIPTORS = 1000 };

static uint64_t read_hex(const char **text)
{
	uint64_t value = 0;

	for (;; ++*text) {
		if (**text >= '0' && **text <= '9')
			value = value * 16 + (uint64_t)(**text - '0');
		else if (**text >= 'a' && **text <= 'f')
			value = value * 16 + (uint64_t)(**text - 'a' + 10);
		else
			return value;
	}
}

/* "begin-end r--s offset device inode  /path" of the address: its path, within line; else NULL. */
static const char *mapped_path(const char *line, uint64_t address)
{
	uint64_t begin = read_hex(&line), end;

	if (*line++ != '-')
		return NULL;
	end = read_hex(&line);
	if (address < begin || address >= end || strlen(line) < 5 || line[4] != 's')
		return NULL;
	return strchr(line, '/');
}

/* The path of the file whose shared mapping holds the address, in line; NULL when there is none. */
static const char *find_mapping(uint64_t address, char line[LINE])
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	const char *found = NULL;
	size_t used = 0;
	ssize_t got = 1;

	while (fd >= 0 && !found && got > 0) {
		char *end = memchr(line, '\n', used);

		if (!end) {
			got = read(fd, line + used, used < LINE - 1 ? LINE - 1 - used : 0);
			used += got > 0 ? (size_t)got : 0;
			continue;
		}
		*end = 0;
		found = mapped_path(line, address);
		if (!found) {
			used -= (size_t)(end + 1 - line);
			memmove(line, end + 1, used);
		}
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* An output that has a name before it is whole (format/output.h): ".NAME", MOTE_OUTPUT_PART and eight letters, open for
 * writing. */
static void remove_temporary_files(void)
{
	for (int fd = 3; fd < MOST_DESCRIPTORS; fd++) {
		char link[32] = "/proc/self/fd/", path[LINE];
		int flags = fcntl(fd, F_GETFL);
		char *digit = link + strlen(link);
		const char *name;
		ssize_t bytes;

		if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
			continue;
		for (int power = fd >= 100 ? 100 : fd >= 10 ? 10 : 1; power; power /= 10)
			*digit++ = (char)('0' + fd / power % 10);
		bytes = readlink(link, path, sizeof path - 1);
		if (bytes <= TEMPORARY + 2)
			continue;
		path[bytes] = 0;
		name = strrchr(path, '/');
		if (name && name[1] == '.' && name + 1 < path + bytes - TEMPORARY &&
		    !memcmp(path + bytes - TEMPORARY, MOTE_OUTPUT_PART, sizeof MOTE_OUTPUT_PART - 1))
			unlink(path);
	}
}

static void put(const char *text)
{
	size_t bytes = strlen(text);

	while (bytes) {
		ssize_t put = write(STDERR_FILENO, text, bytes);

		if (put <= 0)
			return;
		text += put;
		bytes -= (size_t)put;
	}
}

static void on_bus_error(int number, siginfo_t *what, void *context)
{
	char line[LINE];
	const char *path = what->si_code == BUS_ADRERR ? find_mapping((uint64_t)(uintptr_t)what->si_addr, line) : NULL;

	(void)context;
	if (!path) { /* the instruction is repeated, and kills */
		signal(number, SIG_DFL);
		return;
	}
	remove_temporary_files();
	put(program_invocation_short_name);
	put(": ");
	for (char *c = line; *c; c++) /* a name does not steer a terminal */
		*c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
	put(path);
	put(": was shortened by another program, or cannot be read, while this one used it\n");
	_exit(1);
}

__attribute__((constructor)) static void catch_bus_errors(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};

	action.sa_sigaction = on_bus_error;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

#endif
