/* For tests of tokenizers: a tiny one opened, or the test fails; and pieces of its JSON. */
#ifndef MOTE_TESTS_TOKENIZER_OPEN_H
#define MOTE_TESTS_TOKENIZER_OPEN_H

#include <cmocka.h>

#include "tests/tiny_tokenizer.h"

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define SPECIAL(id, text, flags)                                                                                   \
	"{\"id\":" #id ",\"content\":\"" text "\",\"special\":true,\"normalized\":false" flags "}"

static inline void open_or_fail(struct tiny_tokenizer *tiny, const char *json, const char *config)
{
	if (!tiny_open(tiny, json, config))
		fail_msg("%s", tiny->error.message);
}

#endif
