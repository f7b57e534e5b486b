/* Replays a fuzzer's corpus in an ordinary test program: each file as it is, cut at every length (long files: at
 * some), and with bytes changed, always in a buffer of exactly the size. The fuzzer's own aborts and the sanitizers
 * are the judges. The Makefile makes a program test_replay_NAME of each tests/fuzz/fuzz_NAME.c, with FUZZER its name
 * and FUZZER_SOURCE its path.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include FUZZER_SOURCE

static void replay_bytes(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay_mutations(uint8_t *bytes, size_t size, unsigned mutations)
{
	size_t step = size / (mutations < 1000 ? mutations : 4096) + 1;
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

static void test_corpus(void **state)
{
	static const struct {
		const char *name;
		unsigned files, mutations; /* at least so many files; changes of each, as many as take a second */
	} corpora[] = {
		{"config", 3, 3000}, {"container", 4, 2000}, {"json", 3, 2000}, {"safetensors", 11, 2000},
		{"template", 12, 300}, {"tokenizer_json", 14, 1000}, {"tokenizer_section", 12, 3000},
		{"directory", 3, 60}, {"weights", 3, 60}, {"state", 7, 900}, {"logits", 7, 60}, {"task", 10, 60},
		{"request", 9, 500}, {"messages", 3, 300}, {"sections", 3, 50}, {"safetensors_made", 3, 2000},
		{"gbnf", 4, 500}, {"schema", 4, 300}, {"session", 7, 100}, {"training", 5, 60},
	};
	unsigned files = 1, mutations = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof corpora / sizeof corpora[0]; i++) {
		if (strcmp(corpora[i].name, FUZZER))
			continue;
		files = corpora[i].files;
		mutations = corpora[i].mutations;
	}
	assert_in_range(replay_corpus("tests/fuzz/corpus/" FUZZER, mutations), files, 1000);
}

/* What a fuzzer's file goes through besides. */
static void test_sweep(void **state)
{
	(void)state;
#ifdef FUZZ_SWEEP
	FUZZ_SWEEP();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sweep), cmocka_unit_test(test_corpus)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
