/* Fuzzes the reader of JSON schemas, and follows what it has read. */
#include "runtime/grammar/grammar.h"
#include "tests/fuzz/grammar_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct mote_grammar *g;
	cJSON *schema;

	if (bytes > 4096 || mote_json_parse((const char *)data, bytes, "fuzz", &schema, NULL) != MOTE_OK)
		return 0;
	if (mote_grammar_read_schema(schema, "fuzz", &g, NULL) == MOTE_OK) {
		grammar_walk(g, bytes);
		mote_grammar_close(g);
	}
	cJSON_Delete(schema);
	return 0;
}
