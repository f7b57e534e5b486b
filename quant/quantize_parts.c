/* Sensitivities in parts: a shard of the matrices written, or all parts joined. */
#include <stdlib.h>

#include "format/output.h"
#include "quant/quantize_command.h"

enum mote_status quantize_check_part(const struct quantize_command *c, struct mote_error *error)
{
	struct mote_output *o = NULL;
	bool there = false;
	enum mote_status status = mote_output_refuse_input(c->output, c->options.input, error);

	if (!status)
		status = mote_output_exists(c->output, &there, error);
	if (!status && !there)
		status = mote_output_open(c->output, c->options.force, &o, error);
	mote_output_discard(o);
	return status;
}

/* --shard: makes one part; whoever merges goes on. */
static enum mote_status make_part(void *user, const struct mote_whole *whole, uint32_t most, cJSON ***parts,
				  uint32_t *n, struct mote_error *error)
{
	const struct quantize_command *c = user;
	bool there = false;
	enum mote_status status = mote_part_make(whole, c->shard, c->output, c->options.force, &there, error);

	(void)most;
	*parts = NULL;
	*n = 0;
	if (!status && there && !c->quiet)
		fprintf(stderr, "%s: %s is there already, from the same inputs\n", QUANTIZE, c->output);
	return status;
}

/* --merge: reads them all. */
static enum mote_status read_parts(void *user, const struct mote_whole *whole, uint32_t most, cJSON ***parts,
				   uint32_t *n, struct mote_error *error)
{
	const struct quantize_command *c = user;
	enum mote_status status = MOTE_OK;

	(void)most;
	for (uint32_t i = 0; i < c->parts.count && !status; i++)
		status = mote_output_refuse_input(c->output, c->parts.value[i], error);
	if (status)
		return status;
	*n = c->parts.count;
	*parts = calloc(*n + 1u, sizeof **parts);
	if (!*parts)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for parts");
	status = mote_parts_read(c->parts.value, *n, whole->tool, *parts, error);
	return status ? status : mote_part_match(c->parts.value[0], (*parts)[0], whole->inputs, "this run", error);
}

/* A team, or --parts: all who share compute, and one goes on. */
static enum mote_status share_parts(void *user, const struct mote_whole *whole, uint32_t most, cJSON ***parts,
				    uint32_t *n, struct mote_error *error)
{
	struct quantize_command *c = user;
	enum mote_status status;

	c->share = (struct mote_share){.team = c->team, .folder = c->parts_folder, .pieces = mote_share_pieces(most, 1),
				       .progress = &c->piece_progress};
	*n = c->share.pieces;
	c->sharing = true;
	status = mote_share_compute(&c->share, whole, parts, error);
	c->sharing = false;
	return status;
}

bool quantize_share(struct quantize_command *c)
{
	bool first = mote_team_rank(c->team) == 0;
	bool alone = c->shard.count || c->merge || c->options.aim.goal == MOTE_GOAL_TYPE;

	c->options.output = c->shard.count || !first ? NULL : c->output;
	c->options.share = c->shard.count ? make_part : c->merge ? read_parts :
			   !alone && (mote_team_size(c->team) > 1 || c->parts_folder) ? share_parts : NULL;
	c->options.share_user = c;
	c->options.no_validation |= !c->options.output;
	return first || !alone;
}
