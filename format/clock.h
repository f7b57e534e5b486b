/* The one clock of all that measures how long something takes. */
#ifndef MOTE_FORMAT_CLOCK_H
#define MOTE_FORMAT_CLOCK_H

#include <time.h>

/* Seconds since some moment before; never goes back, whatever is done to the time of day. */
static inline double mote_clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
