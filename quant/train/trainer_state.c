/* A training's state on disk: a head, the curve, the reference's log-probabilities, moments, weights.
 * See state_file.h. */
#include "quant/train/trainer.h"

#include <string.h>

#include "quant/train/state_file.h"

struct head {
	char magic[8];
	struct mote_hash128 identity;
	uint64_t floats, tokens;
	uint32_t step, steps, examples, point_bytes;
};

static const char magic[8] = {'m', 'o', 't', 'e', 't', 'r', 'n', '1'};

/* What a state holds, in order, between head and checksum: where it lies here, and its bytes. */
struct part {
	void *data;
	size_t bytes;
};

enum { MOST_PARTS = 3 };

static uint32_t other_parts(const struct mote_trainer *t, uint32_t step, struct part *part)
{
	part[0] = (struct part){t->curve, step * sizeof *t->curve};
	part[1] = (struct part){t->reference, t->examples->n * sizeof *t->reference};
	part[2] = (struct part){t->moments, 2 * t->floats * sizeof *t->moments};
	return MOST_PARTS;
}

static struct part weights(const struct mote_trainer *t, uint32_t i)
{
	return (struct part){t->trained[i].w, t->trained[i].n * sizeof(float)};
}

static struct head head_of(const struct mote_trainer *t, struct mote_hash128 identity)
{
	struct head h;

	memset(&h, 0, sizeof h);
	memcpy(h.magic, magic, sizeof magic);
	h.identity = identity;
	h.floats = t->floats;
	h.tokens = t->tokens;
	h.step = t->step;
	h.steps = t->steps;
	h.examples = t->examples->n;
	h.point_bytes = sizeof *t->curve;
	return h;
}

enum mote_status mote_trainer_save(const struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error)
{
	struct head head = head_of(t, identity);
	struct part part[MOST_PARTS];
	uint32_t parts = other_parts(t, t->step, part);
	struct mote_state_writer w;

	mote_state_create(&w, path, error);
	mote_state_put(&w, &head, sizeof head);
	for (uint32_t i = 0; i < parts; i++)
		mote_state_put(&w, part[i].data, part[i].bytes);
	for (uint32_t i = 0; i < t->n_trained; i++)
		mote_state_put(&w, weights(t, i).data, weights(t, i).bytes);
	return mote_state_commit(&w);
}

/* Only a state that fits is read: its sizes are those of this training. */
static enum mote_status get_head(struct mote_state_reader *r, const struct mote_trainer *t,
				 struct mote_hash128 identity, struct head *head, struct mote_error *error)
{
	struct head expected = head_of(t, identity);
	enum mote_status status = mote_state_get(r, head, sizeof *head, error);

	if (status)
		return status;
	if (memcmp(head->magic, magic, sizeof magic))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not the state of a training", r->path);
	if (memcmp(&head->identity, &identity, sizeof identity) || head->floats != expected.floats ||
	    head->steps != expected.steps || head->examples != expected.examples ||
	    head->point_bytes != expected.point_bytes || head->step > head->steps)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: the state of another training: model, data, "
				      "recipe or version differ", r->path);
	return MOTE_OK;
}

static enum mote_status get_rest(struct mote_state_reader *r, struct mote_trainer *t, const struct head *head,
				 struct mote_error *error)
{
	struct part part[MOST_PARTS];
	uint32_t parts = other_parts(t, head->step, part);
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < parts && !status; i++)
		status = mote_state_get(r, part[i].data, part[i].bytes, error);
	for (uint32_t i = 0; i < t->n_trained && !status; i++)
		status = mote_state_get(r, weights(t, i).data, weights(t, i).bytes, error);
	return status ? status : mote_state_check(r, error);
}

enum mote_status mote_trainer_load(struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error)
{
	struct mote_state_reader r;
	struct head head;
	enum mote_status status = mote_state_open(&r, path, error);

	if (status == MOTE_OK)
		status = get_head(&r, t, identity, &head, error);
	if (status == MOTE_OK)
		status = get_rest(&r, t, &head, error);
	if (status == MOTE_OK) {
		t->step = head.step;
		t->tokens = head.tokens;
	}
	mote_state_close(&r);
	return status;
}
