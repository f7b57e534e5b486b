/* How much can be learnt in a given time, and how far a recovery is: see recovery.h. */
#include "format/clock.h"
#include "quant/train/recovery.h"

/* A plan's own time: at least so many seconds, and this share of what was asked for. */
#define PLAN_SECONDS 0.5
#define PLAN_SHARE 0.02

/* In tokens that are learnt from; before there is a plan, what the speed so far would do in the time that was given. */
static double whole(const struct mote_recovery *r)
{
	double elapsed = mote_clock_seconds() - r->began, most;

	if (r->steps)
		return (double)(r->steps * mote_recovery_step_tokens(r)) +
		       2 * MOTE_RECOVERY_MEASURED * (double)r->held + r->spent;
	if (r->o->tokens)
		return (double)r->o->tokens + 2 * MOTE_RECOVERY_MEASURED * (double)r->held;
	most = elapsed > 0 ? r->work / elapsed * r->o->seconds : 0;
	return most > r->work ? most : r->work;
}

bool mote_recovery_go_on(struct mote_recovery *r, double more)
{
	const struct mote_progress *p = r->o->progress;
	double all;

	r->work += more;
	all = whole(r);
	r->stopped = r->stopped ||
		     (p && !p->update(p->user, (uint64_t)(r->work < all ? r->work : all), all < 1 ? 1 : (uint64_t)all));
	return !r->stopped;
}

/* What a step takes. Everything is done but nothing moves; first with one passage, to touch all memory once. */
static double time_step(struct mote_recovery *r)
{
	double least = r->o->seconds * PLAN_SHARE > PLAN_SECONDS ? r->o->seconds * PLAN_SHARE
								 : PLAN_SECONDS, start, each = 0;
	uint64_t random = r->random;

	mote_student_freeze(&r->student, true);
	mote_recovery_step(r, 1, 1);
	start = mote_clock_seconds();
	for (uint32_t n = 1; !r->stopped && (n == 1 || mote_clock_seconds() - start < least); n++) {
		mote_recovery_step(r, 1, r->sequences);
		each = (mote_clock_seconds() - start) / n;
		r->spent += (double)mote_recovery_step_tokens(r);
		mote_recovery_go_on(r, (double)mote_recovery_step_tokens(r));
	}
	mote_student_freeze(&r->student, false);
	r->random = random;
	return each;
}

void mote_recovery_plan(struct mote_recovery *r)
{
	uint64_t tokens = mote_recovery_step_tokens(r);
	double measured = mote_clock_seconds() - r->began, each = 0, steps;

	r->steps = (r->o->tokens + tokens - 1) / tokens;
	if (r->o->tokens == 0) {
		each = time_step(r);
		/* The last measuring takes what the first took. */
		steps = each > 0 ? (r->o->seconds - (mote_clock_seconds() - r->began) - measured) / each : 1;
		r->steps = steps > 1 ? (uint64_t)(steps + 0.5) : 1;
	}
	if (r->o->planned && !r->stopped)
		r->o->planned(r->o->planned_user, r->steps * tokens, each > 0 ? (double)tokens / each : 0);
}
