/* Replays a fuzzer's corpus in an ordinary test program: each file as it is, cut at every length (long files: at
 * some), and with bytes changed, always in a buffer of exactly the size. The fuzzer's own aborts and the sanitizers
 * are the judges. Include the fuzzer's source, then call replay_corpus() from a cmocka test. */
#ifndef MOTE_TESTS_REPLAY_H
#define MOTE_TESTS_REPLAY_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void replay_bytes(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay_mutations(uint8_t *bytes, size_t size, unsigned mutations)
{
	size_t step = size / 4096 + 1;
	uint64_t random = size;

	replay_bytes(bytes, size);
	for (size_t cut = 0; cut < size; cut += step)
		replay_bytes(bytes, cut);
	for (unsigned i = 0; i < mutations && size; i++) {
		size_t at;
		uint8_t old;

		random = random * 6364136223846793005u + 1442695040888963407u;
		at = (size_t)(random >> 20) % size;
		old = bytes[at];
		bytes[at] = (uint8_t)(random >> 56);
		replay_bytes(bytes, size);
		bytes[at] = old;
	}
}

/* Returns the number of files replayed; 0 means that the corpus was not found. Run from the repository's root. */
static unsigned replay_corpus(const char *folder, unsigned mutations)
{
	static uint8_t bytes[1 << 20];
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	unsigned files = 0;
	char path[512];
	FILE *file;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		file = fopen(path, "rb");
		if (!file)
			continue;
		replay_mutations(bytes, fread(bytes, 1, sizeof bytes, file), mutations);
		fclose(file);
		files++;
	}
	if (directory)
		closedir(directory);
	return files;
}

#endif
