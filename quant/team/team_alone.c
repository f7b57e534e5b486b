/* A team of one: see team.h. */
#include "quant/team/team.h"

#include <stdlib.h>

struct mote_team {
	const struct mote_team_desk *desk;
};

enum mote_status mote_team_open(struct mote_team **out, struct mote_error *error)
{
	*out = calloc(1, sizeof **out);
	return *out ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
}

uint32_t mote_team_rank(const struct mote_team *t)
{
	(void)t;
	return 0;
}

uint32_t mote_team_size(const struct mote_team *t)
{
	(void)t;
	return 1;
}

enum mote_status mote_team_begin(struct mote_team *t, const struct mote_team_desk *desk, struct mote_error *error)
{
	(void)error;
	t->desk = desk;
	return MOTE_OK;
}

bool mote_team_claim(struct mote_team *t, uint32_t *piece)
{
	return t->desk->next(t->desk->user, piece);
}

enum mote_status mote_team_deliver(struct mote_team *t, uint32_t piece, const char *text, size_t bytes,
				   struct mote_error *error)
{
	return t->desk->take(t->desk->user, piece, text, bytes, error);
}

enum mote_status mote_team_end(struct mote_team *t, enum mote_status status, struct mote_error *error)
{
	(void)t;
	(void)error;
	return status;
}

enum mote_status mote_team_close(struct mote_team *t, enum mote_status status, struct mote_error *error)
{
	(void)error;
	free(t);
	return status;
}
