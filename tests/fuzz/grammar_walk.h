/* A random walk through a grammar that a fuzzer has made: it must find no dead end and write nothing but UTF-8. */
#ifndef MOTE_TESTS_GRAMMAR_WALK_H
#define MOTE_TESTS_GRAMMAR_WALK_H

#include <stdint.h>
#include <stdlib.h>

#include "format/utf8.h"
#include "runtime/grammar/matcher.h"

static inline void grammar_walk(const struct mote_grammar *g, uint64_t random)
{
	enum { MOST = 200 };
	struct mote_matcher *m;
	char text[MOST];
	size_t bytes = 0;

	if (mote_matcher_open(g, NULL, &m, NULL) != MOTE_OK)
		return;
	for (; bytes < MOST && !mote_matcher_is_over(m); bytes++) {
		unsigned n = 0;
		enum mote_status status;
		char able[256];

		for (unsigned i = 0; i < 256; i++) {
			able[n] = (char)i;
			n += mote_matcher_may_take(m, &able[n], 1);
		}
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (n)
			text[bytes] = able[(random >> 33) % n];
		status = mote_matcher_take(m, text + bytes, n > 0, NULL);
		if (status == MOTE_ERROR_LIMIT) /* too much of it to follow */
			break;
		if (status != MOTE_OK || (n == 0 && !mote_matcher_may_end(m)))
			abort();
		if (n == 0)
			break;
		if (mote_matcher_may_end(m) && mote_utf8_valid(text, bytes + 1) != bytes + 1)
			abort();
	}
	mote_matcher_close(m);
}

#endif
