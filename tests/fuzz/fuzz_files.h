/* For fuzzers of what reads files by their names: a folder of their own, which goes at the end. And inputs that are
 * changes of a valid example, for formats that nobody hits by chance. */
#ifndef MOTE_TESTS_FUZZ_FILES_H
#define MOTE_TESTS_FUZZ_FILES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_folder[64];

static void fuzz_remove_folder(void)
{
	char command[96];

	snprintf(command, sizeof command, "rm -r %s", fuzz_folder);
	if (system(command))
		fprintf(stderr, "%s stays\n", fuzz_folder);
}

/* The folder, made when it is first asked for. */
static const char *fuzz_place(void)
{
	if (fuzz_folder[0])
		return fuzz_folder;
	snprintf(fuzz_folder, sizeof fuzz_folder, "%s/mote-fuzz.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(fuzz_folder))
		abort();
	atexit(fuzz_remove_folder);
	return fuzz_folder;
}

static inline const char *fuzz_path(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", fuzz_place(), name);
	return path;
}

static inline void fuzz_write(const char *name, const void *data, size_t bytes)
{
	char path[128];
	FILE *f = fopen(fuzz_path(path, name), "wb");

	if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f))
		abort();
}

/* The next of an input's parts, which NULs separate; the last takes what is left. False: there is none. */
struct fuzz_part {
	const char *text;
	size_t bytes;
};

static inline int fuzz_next(const uint8_t **data, size_t *size, struct fuzz_part *part)
{
	const uint8_t *nul = *size ? memchr(*data, 0, *size) : NULL;

	*part = (struct fuzz_part){(const char *)*data, nul ? (size_t)(nul - *data) : *size};
	if (!*size)
		return 0;
	*data += part->bytes + (nul != NULL);
	*size -= part->bytes + (nul != NULL);
	return 1;
}

/* Makes changes in an example of so many bytes: each three bytes of the input are a place and what is put there; an
 * input with an odd number of bytes also cuts it there. Returns its length. */
static inline size_t fuzz_change(uint8_t *example, size_t bytes, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 3 <= size && bytes; i += 3)
		example[(data[i] | (size_t)data[i + 1] << 8) % bytes] = data[i + 2];
	return size % 3 == 1 && bytes ? data[size - 1] * bytes / 256 : bytes;
}

#endif
