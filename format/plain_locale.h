/* Numbers are written and read with a point whatever locale the program around the library has set for itself: between
 * begin and end the calling thread, and no other, has the locale "C".
 */
#ifndef MOTE_FORMAT_PLAIN_LOCALE_H
#define MOTE_FORMAT_PLAIN_LOCALE_H

#include <locale.h>
#include <stdbool.h>

struct mote_plain_locale {
	locale_t plain, before;
};

/* false: no memory, nothing has changed, and there is nothing to end. */
static inline bool mote_plain_locale_begin(struct mote_plain_locale *l)
{
	l->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!l->plain)
		return false;
	l->before = uselocale(l->plain);
	return true;
}

static inline void mote_plain_locale_end(const struct mote_plain_locale *l)
{
	uselocale(l->before);
	freelocale(l->plain);
}

#endif
