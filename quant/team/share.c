/* Sharing a measurement: see share.h. */
#include "quant/team/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { MOST_PIECES = 4096, NAME_BYTES = 64 };

uint32_t mote_share_pieces(uint32_t units, uint32_t units_a_piece)
{
	uint32_t pieces = units / units_a_piece;

	return pieces < 1 ? 1 : pieces > MOST_PIECES ? MOST_PIECES : pieces;
}

/* ---- names ---- */

/* FOLDER/0123456789abcdef-3-of-16.part, from malloc(). */
static char *path_of(const struct mote_share *s, const char *tool, uint32_t piece)
{
	size_t bytes = strlen(s->folder ? s->folder : tool) + NAME_BYTES;
	char *path = malloc(bytes);

	if (path)
		snprintf(path, bytes, "%s%s/%016llx-%u-of-%u.part", s->folder ? s->folder : tool,
			 s->folder ? "" : ".parts", (unsigned long long)s->key, piece + 1, s->pieces);
	return path;
}

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for parts");
}

static enum mote_status make_folder(const struct mote_share *s, const char *tool, struct mote_error *error)
{
	char *path = path_of(s, tool, 0), *slash = path ? strrchr(path, '/') : NULL;
	enum mote_status status = path ? MOTE_OK : no_memory(error);

	if (slash)
		*slash = 0;
	if (path && mkdir(path, 0777) != 0 && errno != EEXIST)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	free(path);
	return status;
}

/* ---- rank 0 ---- */

struct desk {
	struct mote_share *s;
	const struct mote_whole *w;
	bool *done;               /* [pieces] */
	uint32_t next, finished;
};

static bool next_piece(void *user, uint32_t *piece)
{
	struct desk *d = user;

	while (d->next < d->s->pieces && d->done[d->next])
		d->next++;
	*piece = d->next;
	if (d->next == d->s->pieces)
		return false;
	d->next++;
	return true;
}

static enum mote_status take_piece(void *user, uint32_t piece, const char *text, size_t bytes, struct mote_error *error)
{
	struct desk *d = user;
	char *path = path_of(d->s, d->w->tool, piece);
	enum mote_status status = path ? mote_part_store(path, true, text, bytes, error) : no_memory(error);

	free(path);
	d->finished += !status;
	return status;
}

/* What an earlier run has left. */
static enum mote_status find_pieces(struct desk *d, struct mote_error *error)
{
	enum mote_status status = make_folder(d->s, d->w->tool, error);

	d->done = calloc(d->s->pieces, sizeof *d->done);
	if (!d->done)
		return no_memory(error);
	for (uint32_t i = 0; i < d->s->pieces && !status; i++) {
		char *path = path_of(d->s, d->w->tool, i);

		status = path ? mote_part_find(d->w, (struct mote_shard){i + 1, d->s->pieces}, path, false,
					       &d->done[i], error) :
			 no_memory(error);
		free(path);
		d->finished += d->done[i];
	}
	return status;
}

static enum mote_status read_pieces(const struct mote_share *s, const char *tool, cJSON **parts,
				    struct mote_error *error)
{
	char **path = calloc(s->pieces, sizeof *path);
	bool ok = path != NULL;
	enum mote_status status;

	for (uint32_t i = 0; i < s->pieces && ok; i++)
		ok = (path[i] = path_of(s, tool, i)) != NULL;
	status = ok ? mote_parts_read(path, s->pieces, tool, parts, error) : no_memory(error);
	for (uint32_t i = 0; i < s->pieces && path; i++)
		free(path[i]);
	free(path);
	return status;
}

/* ---- all ranks ---- */

static enum mote_status work(struct mote_share *s, const struct mote_whole *w, const struct desk *d,
			     struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint32_t piece = 0;

	while (!status && mote_team_claim(s->team, &piece)) {
		char *text = NULL;
		size_t bytes = 0;

		status = mote_part_compute(w, (struct mote_shard){piece + 1, s->pieces}, &text, &bytes, error);
		if (!status)
			status = mote_team_deliver(s->team, piece, text, bytes, error);
		free(text);
		if (!status && s->progress && !s->progress->update(s->progress->user, d->finished, s->pieces))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	return status;
}

enum mote_status mote_share_compute(struct mote_share *s, const struct mote_whole *w, cJSON ***parts,
				    struct mote_error *error)
{
	bool first = mote_team_rank(s->team) == 0;
	struct desk d = {.s = s, .w = w};
	struct mote_team_desk desk = {&d, next_piece, take_piece};
	size_t bytes = 0;
	char *text = mote_json_print(w->inputs, &bytes);
	enum mote_status status = text ? MOTE_OK : no_memory(error);

	*parts = NULL;
	s->key = text ? XXH3_64bits(text, bytes) : 0;
	free(text);
	if (!status && first)
		status = find_pieces(&d, error);
	if (!status)
		status = mote_team_begin(s->team, &desk, error);
	if (!status)
		status = mote_team_end(s->team, work(s, w, &d, error), error);
	free(d.done);
	if (status || !first)
		return status;
	*parts = calloc(s->pieces + 1u, sizeof **parts);
	return *parts ? read_pieces(s, w->tool, *parts, error) : no_memory(error);
}

void mote_share_forget(const struct mote_share *s, const char *tool)
{
	char *path = NULL, *slash;

	if (s->folder || !s->team || mote_team_rank(s->team))
		return;
	for (uint32_t i = 0; i < s->pieces; i++) {
		free(path);
		path = path_of(s, tool, i);
		if (path)
			(void)unlink(path);
	}
	slash = path ? strrchr(path, '/') : NULL;
	if (slash) {
		*slash = 0;
		(void)rmdir(path); /* stays when another run's parts are in it */
	}
	free(path);
}
