/* A training's state on disk: a head, the curve, the reference's log-probabilities, weights, moments, and a checksum of all
 * that comes before it. Numbers as the machine has them: little endian, as everything that mote runs on. */
#include "quant/train/trainer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "format/output.h"

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
	part[2] = (struct part){t->moments, 2 * mote_trainer_floats(t) * sizeof *t->moments};
	return MOST_PARTS;
}

static struct part weights(const struct mote_trainer *t, uint32_t i)
{
	const struct mote_parameter *p = &t->w.parameter[i];

	return (struct part){p->w, (size_t)p->rows * p->cols * sizeof *p->w};
}

static struct head head_of(const struct mote_trainer *t, struct mote_hash128 identity)
{
	struct head h;

	memset(&h, 0, sizeof h);
	memcpy(h.magic, magic, sizeof magic);
	h.identity = identity;
	h.floats = mote_trainer_floats(t);
	h.tokens = t->tokens;
	h.step = t->step;
	h.steps = t->steps;
	h.examples = t->examples->n;
	h.point_bytes = sizeof *t->curve;
	return h;
}

struct saving {
	struct mote_output *output;
	XXH3_state_t *hash;
	uint64_t at;
	struct mote_error *error;
};

static enum mote_status put(struct saving *s, const void *data, size_t bytes)
{
	enum mote_status status = mote_output_write_at(s->output, data, bytes, s->at, s->error);

	XXH3_128bits_update(s->hash, data, bytes);
	s->at += bytes;
	return status;
}

enum mote_status mote_trainer_save(const struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error)
{
	struct saving s = {.hash = XXH3_createState(), .error = error};
	struct head head = head_of(t, identity);
	struct part part[MOST_PARTS];
	uint32_t parts = other_parts(t, t->step, part);
	enum mote_status status = mote_output_open(path, true, &s.output, error);
	XXH128_hash_t hash;

	if (status == MOTE_OK && (!s.hash || XXH3_128bits_reset(s.hash) != XXH_OK))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	if (status == MOTE_OK)
		status = put(&s, &head, sizeof head);
	for (uint32_t i = 0; i < parts && !status; i++)
		status = put(&s, part[i].data, part[i].bytes);
	for (uint32_t i = 0; i < t->w.n && !status; i++)
		status = put(&s, weights(t, i).data, weights(t, i).bytes);
	if (status == MOTE_OK) {
		hash = XXH3_128bits_digest(s.hash);
		status = mote_output_write_at(s.output, &hash, sizeof hash, s.at, error);
	}
	XXH3_freeState(s.hash);
	if (status == MOTE_OK)
		return mote_output_commit(s.output, error);
	mote_output_discard(s.output);
	return status;
}

struct loading {
	FILE *file;
	const char *path;
	XXH3_state_t *hash;
	struct mote_error *error;
};

static enum mote_status get(struct loading *l, void *data, size_t bytes)
{
	errno = 0;
	if (fread(data, 1, bytes, l->file) != bytes)
		return ferror(l->file) ? mote_error_set(l->error, MOTE_ERROR_IO, "%s: %s", l->path, strerror(errno)) :
		       mote_error_set(l->error, MOTE_ERROR_CORRUPT, "%s: the state ends too early", l->path);
	XXH3_128bits_update(l->hash, data, bytes);
	return MOTE_OK;
}

/* Only a state that fits is read: its sizes are those of this training. */
static enum mote_status get_head(struct loading *l, const struct mote_trainer *t, struct mote_hash128 identity, struct head *head)
{
	struct head expected = head_of(t, identity);
	enum mote_status status = get(l, head, sizeof *head);

	if (status)
		return status;
	if (memcmp(head->magic, magic, sizeof magic))
		return mote_error_set(l->error, MOTE_ERROR_CORRUPT, "%s: not the state of a training", l->path);
	if (memcmp(&head->identity, &identity, sizeof identity) || head->floats != expected.floats || head->steps != expected.steps ||
	    head->examples != expected.examples || head->point_bytes != expected.point_bytes || head->step > head->steps)
		return mote_error_set(l->error, MOTE_ERROR_UNSUPPORTED, "%s: the state of another training: model, data, recipe or "
				      "version differ", l->path);
	return MOTE_OK;
}

static enum mote_status get_rest(struct loading *l, struct mote_trainer *t, const struct head *head)
{
	struct part part[MOST_PARTS];
	uint32_t parts = other_parts(t, head->step, part);
	enum mote_status status = MOTE_OK;
	XXH128_hash_t computed, stored;

	for (uint32_t i = 0; i < parts && !status; i++)
		status = get(l, part[i].data, part[i].bytes);
	for (uint32_t i = 0; i < t->w.n && !status; i++)
		status = get(l, weights(t, i).data, weights(t, i).bytes);
	computed = XXH3_128bits_digest(l->hash);
	if (status == MOTE_OK)
		status = get(l, &stored, sizeof stored);
	if (status == MOTE_OK && (!XXH128_isEqual(stored, computed) || fgetc(l->file) != EOF))
		status = mote_error_set(l->error, MOTE_ERROR_CORRUPT, "%s: checksum does not match", l->path);
	return status;
}

enum mote_status mote_trainer_load(struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error)
{
	struct loading l = {.file = fopen(path, "rb"), .path = path, .hash = XXH3_createState(), .error = error};
	enum mote_status status = MOTE_OK;
	struct head head;

	if (!l.file)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	else if (!l.hash || XXH3_128bits_reset(l.hash) != XXH_OK)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	if (status == MOTE_OK)
		status = get_head(&l, t, identity, &head);
	if (status == MOTE_OK)
		status = get_rest(&l, t, &head);
	if (status == MOTE_OK) {
		t->step = head.step;
		t->tokens = head.tokens;
	}
	XXH3_freeState(l.hash);
	if (l.file)
		fclose(l.file);
	return status;
}
