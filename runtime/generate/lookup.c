/* See lookup.h. The search is a plain scan: a few microseconds for thousands of ids,
 * where a pass takes milliseconds. */
#include "runtime/generate/lookup.h"

enum { SHORTEST = 2, LONGEST = 16, TRUSTED = 4, CARRIED = 2, BEHIND_DIFFERENCE = 4 };

void mote_lookup_begin(struct mote_lookup *l)
{
	*l = (struct mote_lookup){.rate = {0.1f, 0.3f, 0.5f, 0.7f, 0.5f}};
}

bool mote_lookup_find(struct mote_lookup *l, const int32_t *ids, uint32_t count)
{
	uint32_t before = l->match, carried = l->from + (count - l->seen);
	const int32_t *end = ids + count;

	l->match = 0;
	l->seen = count;
	if (count <= SHORTEST)
		return false;
	for (uint32_t at = count - 1; at >= SHORTEST && l->match < LONGEST; at--) {
		const int32_t *other = ids + at; /* behind the candidate, as end is behind the last id */
		uint32_t n = 0;

		if (other[-1] != end[-1] || other[-2] != end[-2])
			continue;
		while (n < LONGEST && n < at && other[-1 - (int32_t)n] == end[-1 - (int32_t)n])
			n++;
		if (n > l->match) {
			l->match = n;
			l->from = at;
		}
	}
	if (l->match) {
		l->carried = 0;
	} else if ((before >= TRUSTED || before == 1) && l->carried < CARRIED && carried < count) {
		l->match = 1;
		l->from = carried;
		l->carried++;
	}
	return l->match > 0;
}

int32_t mote_lookup_guess(const struct mote_lookup *l, const int32_t *ids, uint32_t i)
{
	return ids[l->from + i];
}

/* Of guess i. Once the first behind a difference is right, the others are as good as behind a match. */
static uint32_t kind_of(uint32_t match, uint32_t i)
{
	if (match == 1 && i == 0)
		return BEHIND_DIFFERENCE;
	match += match == 1 ? TRUSTED + i : i;
	return match < 3 ? 0 : match < 4 ? 1 : match < 8 ? 2 : 3;
}

float mote_lookup_rate(const struct mote_lookup *l, uint32_t i)
{
	return l->rate[kind_of(l->match, i)];
}

void mote_lookup_learn(struct mote_lookup *l, uint32_t i, bool right)
{
	float *rate = &l->rate[kind_of(l->match, i)];

	*rate += ((right ? 1.0f : 0.0f) - *rate) / 6;
}
