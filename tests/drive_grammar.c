/* Writes random texts of a grammar, for tests that check them with other means; or says what its masks cost with the
 * vocabulary of a model, over COUNT tokens that are drawn from them.
 *   drive_grammar schema|gbnf FILE COUNT SEED MOST
 *   drive_grammar schema|gbnf FILE COUNT SEED MODEL.mote
 * Each text ends with a line that holds only a RECORD SEPARATOR. A text that has not ended after MOST bytes is begun
 * anew, up to 100 times; then it is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/container.h"
#include "runtime/grammar/matcher.h"

static uint64_t state;

static uint32_t draw(uint32_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	return (uint32_t)((z >> 33) % below);
}

/* False: it did not come to an end. */
static int write_text(const struct mote_grammar *g, char *text, size_t most, size_t *bytes)
{
	struct mote_matcher *m;
	int ended = 0;

	if (mote_matcher_open(g, NULL, &m, NULL))
		exit(1);
	for (*bytes = 0; *bytes < most;) {
		unsigned char able[256];
		unsigned n = 0;

		if (mote_matcher_is_over(m) || (mote_matcher_may_end(m) && draw(4) == 0)) {
			ended = 1;
			break;
		}
		for (unsigned i = 0; i < 256; i++) {
			char byte = (char)i;
			unsigned likely = i == '"' || i == ']' || i == '}' ? 8 : i == '\\' ? 2 : 1;

			if (mote_matcher_may_take(m, &byte, 1))
				for (unsigned k = 0; k < likely && n < 256; k++)
					able[n++] = (unsigned char)i;
		}
		if (n == 0) {
			fprintf(stderr, "a dead end behind: %.*s\n", (int)*bytes, text);
			exit(1);
		}
		text[*bytes] = (char)able[draw(n)];
		if (mote_matcher_take(m, text + *bytes, 1, NULL))
			exit(1);
		++*bytes;
	}
	mote_matcher_close(m);
	return ended;
}

static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One token of those allowed, each as likely; -1: the text is over. */
static int32_t draw_token(struct mote_matcher *m, const struct mote_token_trie *t, const uint64_t *mask)
{
	uint32_t n = 0, at;

	for (uint32_t i = 0; i < t->vocab; i++)
		n += (uint32_t)(mask[i / 64] >> (i % 64) & 1);
	if (n == 0 || mote_matcher_is_over(m))
		return -1;
	at = draw(n);
	for (uint32_t i = 0;; i++)
		if ((mask[i / 64] >> (i % 64) & 1) && at-- == 0)
			return (int32_t)i;
}

static int print_cost(const struct mote_grammar *g, const char *path, long count)
{
	struct mote_container *container;
	struct mote_tokenizer *tokenizer;
	struct mote_token_trie *trie;
	struct mote_error error = {0};
	struct mote_matcher *m = NULL;
	double *cost = calloc((size_t)count, sizeof *cost), all = 0, began;
	const void *section;
	size_t bytes;

	if (!cost || mote_container_open(path, &container, &error) ||
	    !(section = mote_container_section(container, MOTE_SECTION_TOKENIZER, &bytes)) ||
	    mote_tokenizer_open(section, bytes, &tokenizer, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	began = milliseconds();
	if (mote_token_trie_open(tokenizer, mote_tokenizer_vocab_size(tokenizer), &trie, &error))
		return 1;
	printf("%u tokens, %u nodes, made in %.1f ms\n", trie->vocab, trie->nodes, milliseconds() - began);
	for (long i = 0; i < count; i++) {
		const uint64_t *mask;
		int32_t id;

		if (!m && mote_matcher_open(g, trie, &m, &error))
			return 1;
		began = milliseconds();
		if (mote_matcher_mask(m, &mask, &error))
			return fprintf(stderr, "%s\n", error.message), 1;
		cost[i] = milliseconds() - began;
		all += cost[i];
		id = draw_token(m, trie, mask);
		if (id < 0 || mote_matcher_take_id(m, id, NULL)) {
			mote_matcher_close(m);
			m = NULL;
		}
	}
	mote_matcher_close(m);
	qsort(cost, (size_t)count, sizeof *cost, by_value);
	printf("a mask: mean %.3f ms, median %.3f, 99 %% under %.3f, most %.3f\n", all / (double)count, cost[count / 2],
	       cost[count * 99 / 100], cost[count - 1]);
	mote_token_trie_close(trie);
	mote_tokenizer_close(tokenizer);
	mote_container_close(container);
	free(cost);
	return 0;
}

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct mote_grammar *g = NULL;
	static char source[1 << 20];
	cJSON *schema = NULL;
	size_t bytes, most;
	char *text;
	FILE *file;

	if (argc != 6 || !(file = fopen(argv[2], "rb")))
		return 2;
	bytes = fread(source, 1, sizeof source, file);
	fclose(file);
	most = (size_t)atol(argv[5]);
	text = malloc(most + 1);
	if (!text || (strcmp(argv[1], "gbnf") ? mote_json_parse(source, bytes, argv[2], &schema, &error) ||
					      mote_grammar_read_schema(schema, "schema", &g, &error)
					  : mote_grammar_read_gbnf(source, bytes, "grammar", &g, &error))) {
		fprintf(stderr, "%s\n", error.message);
		return 3;
	}
	state = (uint64_t)atol(argv[4]);
	if (most == 0)
		return print_cost(g, argv[5], atol(argv[3]));
	for (long i = 0; i < atol(argv[3]); i++) {
		int tries = 100, ended;

		while (!(ended = write_text(g, text, most, &bytes)) && --tries)
			;
		if (ended) {
			fwrite(text, 1, bytes, stdout);
			fputs("\n\x1e\n", stdout);
		}
	}
	cJSON_Delete(schema);
	mote_grammar_close(g);
	free(text);
	return 0;
}
