/* Names of tensors: see checkpoint_names.h. */
#include "convert/checkpoint_names.h"

#include <string.h>

#define MAX_NAME 255u          /* longer ones are compared by their beginnings */
#define MAX_CANDIDATES 10000u  /* so that a hostile header takes no time worth mentioning */

/* Every layer of every family has an attention; what stands before its layer's number is the same for all weights. */
#define ANCHOR "layers.0.self_attn."

static bool is_known(const char *prefix, size_t bytes)
{
	static const char *const part[] = {"_orig_mod.", "module.", "base_model.model.", "language_model.", "model."};

	while (bytes) {
		size_t n = 0;

		for (size_t i = 0; i < sizeof part / sizeof *part && !n; i++)
			if (strlen(part[i]) <= bytes && memcmp(prefix, part[i], strlen(part[i])) == 0)
				n = strlen(part[i]);
		if (!n)
			return false;
		prefix += n;
		bytes -= n;
	}
	return true;
}

char *mote_checkpoint_names_wrapper(const struct mote_hf_weights *w)
{
	for (uint32_t i = 0; i < w->weights; i++) {
		const char *name = w->weight[i].name, *at = strstr(name, ANCHOR);
		size_t bytes = at ? (size_t)(at - name) : 0;

		if (!at || !is_known(name, bytes))
			continue;
		return bytes == 6 && memcmp(name, "model.", 6) == 0 ? NULL : strndup(name, bytes);
	}
	return NULL;
}

/* Levenshtein's distance, row by row; row[j] is that of a's first i bytes and b's first j. */
static size_t distance(const char *a, const char *b)
{
	const size_t n_a = strnlen(a, MAX_NAME), n_b = strnlen(b, MAX_NAME);
	size_t row[MAX_NAME + 1];

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[n_b];
}

const char *mote_checkpoint_names_nearest(const struct mote_hf_weights *w, const char *name)
{
	size_t least = strlen(name) / 2 + 1;
	const char *nearest = NULL;
	uint32_t tried = 0;

	for (uint32_t i = 0; i < w->weights && tried < MAX_CANDIDATES; i++)
		if (!w->weight[i].used && !w->weight[i].alias) {
			size_t d = distance(name, w->weight[i].name);

			tried++;
			if (d < least) {
				least = d;
				nearest = w->weight[i].name;
			}
		}
	return nearest;
}
