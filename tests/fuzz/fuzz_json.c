/* Fuzzes the strict JSON reader: what it accepts must print, and what it prints must read back as the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "format/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	cJSON *tree;
	char *text, *again;
	size_t text_bytes, again_bytes;

	if (mote_json_parse((const char *)data, bytes, "fuzz", &tree, NULL) != MOTE_OK)
		return 0;
	text = mote_json_print(tree, &text_bytes);
	cJSON_Delete(tree);
	if (!text || mote_utf8_valid(text, text_bytes) != text_bytes ||
	    mote_json_parse(text, text_bytes, "printed", &tree, NULL) != MOTE_OK)
		abort();
	again = mote_json_print(tree, &again_bytes);
	cJSON_Delete(tree);
	if (!again || again_bytes != text_bytes || memcmp(text, again, text_bytes) != 0)
		abort();
	free(text);
	free(again);
	return 0;
}
