/* See pool_pace.h. */
#include "runtime/kernels/pool_pace.h"

/* TRIAL runs in a row are tried the other way: the first, for which threads must wake up or caches are cold, does not
 * decide, and beside other processes one run tells little, as a thread either has its core or has not. Work below
 * LITTLE begins alone: some ten microseconds, which meeting at barriers does not shorten. Runs of LONG seconds and more
 * stay together: a thread that loses its core for a scheduler's slice holds them up by little. PATIENT_RUNS pass before
 * the first trial where nothing speaks for one. Alone has to be CLEARLY faster. */
enum { TRIAL = 6, LITTLE = 4000000, PATIENT_RUNS = 256, LEAST_INTERVAL = 16, MOST_INTERVAL = 2048, SMOOTH = 64 };
static const double LONG = 0.2, SHORT = 150e-6, LOSS_QUIET = 0.005, LOSS_DISTURBED = 0.03, CLEARLY = 0.95;

/* Is the other way to be tried now? After so many runs that what a trial loses is a small share of the time. */
static bool try_other(const struct mote_pace *pace, double work, bool disturbed)
{
	double other = pace->prefers_alone ? pace->together : pace->alone;
	double used = pace->prefers_alone ? pace->alone : pace->together, runs;

	if (used == 0 || (pace->together * work > LONG && !pace->prefers_alone))
		return false;
	if (other == 0)
		return pace->runs >= (disturbed || used * work < SHORT ? LEAST_INTERVAL : PATIENT_RUNS);
	runs = TRIAL * (other / used - 1) / (disturbed ? LOSS_DISTURBED : LOSS_QUIET);
	return pace->runs >= LEAST_INTERVAL && (pace->runs >= MOST_INTERVAL || pace->runs >= runs);
}

bool mote_pace_alone(struct mote_pace *pace, uint64_t work, bool disturbed)
{
	if (pace->alone == 0 && pace->together == 0)
		pace->prefers_alone = work < LITTLE;
	if (pace->trial == 0 && try_other(pace, (double)work, disturbed)) {
		pace->trial = TRIAL;
		pace->runs = 0;
	}
	return pace->prefers_alone != (pace->trial > 0);
}

void mote_pace_learn(struct mote_pace *pace, bool alone, uint64_t work, double took)
{
	double *known = alone ? &pace->alone : &pace->together;
	bool trial = pace->trial > 0, preferred = pace->prefers_alone;
	int before = trial ? TRIAL - 1 - (int)pace->trial : (int)pace->learned - 1;

	took /= work ? (double)work : 1;
	if (trial) {
		pace->trial--;
	} else {
		pace->runs++;
		pace->learned += pace->learned < SMOOTH;
	}
	/* What is known is the average of this run and `before` others; it replaces that of the very first run, which
	 * had cold caches, and that of the trial before. */
	if (*known == 0)
		*known = took;
	else if (before >= 0)
		*known += (took - *known) / (before + 1);
	if (pace->trial == 0 && pace->alone > 0 && pace->together > 0)
		pace->prefers_alone = pace->alone < (preferred ? 1 : CLEARLY) * pace->together;
	if (pace->prefers_alone != preferred)
		pace->learned = 0;
}

/* ---- slices ---- */

/* A pause of AWAY and more, and of MANY times the usual, was another process's slice: such slices are some milliseconds
 * long, LONGEST at most. The core is given away when PORTION of a slice is over; where nobody takes it, again when
 * AGAIN of one more is, and after CALM such times in a row there is nobody. (Two threads, one of them beside a busy
 * process on its core: 1.12 to 1.16 times what one thread does on the other core, which is what both did without this;
 * portions of 0.4 to 0.9 are alike.) */
enum { CALM = 16 };
static const double LONGEST = 8e-3, AWAY = 500e-6, MANY = 8, PORTION = 0.75, AGAIN = 0.5;

void mote_slice_begin(struct mote_slice *s, double now, bool slept)
{
	if (slept || s->last == 0)
		s->since = s->given = now;
	s->last = now;
}

bool mote_slice_look(struct mote_slice *s, double now, bool slept)
{
	double pause = now - s->last, lasted = s->last - s->since;

	if (slept) {
		s->since = s->given = now;
	} else if (pause > AWAY && s->usual > 0 && pause > MANY * s->usual) {
		lasted = lasted < LONGEST ? lasted : LONGEST;
		s->lasts = s->lasts == 0 ? lasted : (s->lasts + lasted) / 2;
		s->since = s->given = now;
		s->calm = 0;
	} else {
		s->usual = pause;
	}
	s->last = now;
	if (s->drill)
		return ++s->looks % s->drill == 0;
	return s->lasts > 0 && now - s->since > PORTION * s->lasts && now - s->given > AGAIN * s->lasts;
}

void mote_slice_given(struct mote_slice *s, double from, double to)
{
	s->last = s->given = to;
	s->calm++;
	if (to - from > AWAY) {
		s->since = to;
		s->calm = 0;
	}
	if (s->calm >= CALM)
		s->lasts = 0;
}
