/* Fuzzes the reader of GBNF, and follows what it has read. */
#include "runtime/grammar/grammar.h"
#include "tests/fuzz/grammar_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct mote_grammar *g;

	if (bytes > 4096 || mote_grammar_read_gbnf((const char *)data, bytes, "fuzz", &g, NULL) != MOTE_OK)
		return 0;
	grammar_walk(g, bytes);
	mote_grammar_close(g);
	return 0;
}
