/* A recovery on disk: a head, and all that is learnt with its moments. See recovery.h and state_file.h. */
#include <string.h>
#include <xxhash.h>

#include "format/clock.h"
#include "quant/measure/part.h"
#include "quant/train/recovery.h"
#include "quant/train/state_file.h"

struct head {
	char magic[8];
	struct mote_hash128 identity;
	uint64_t floats, random, step, steps;
	double before;
};

static const char magic[8] = {'m', 'o', 't', 'e', 'r', 'e', 'c', '1'};

static void add_encoded(XXH3_state_t *hash, const struct mote_quantizer *q)
{
	for (uint32_t i = 0; i < q->tensors; i++) {
		const struct mote_encoded *e = &q->encoded[i];
		uint32_t type = q->target[i].type, kept = q->target[i].kept;

		XXH3_128bits_update(hash, &type, sizeof type);
		XXH3_128bits_update(hash, &kept, sizeof kept);
		if (e->data)
			XXH3_128bits_update(hash, e->data, q->target[i].bytes);
		if (e->data && mote_type_has_codebook(q->target[i].type))
			XXH3_128bits_update(hash, e->codebook, sizeof e->codebook);
	}
}

enum mote_status mote_recovery_identify(struct mote_recovery *r, struct mote_error *error)
{
	XXH3_state_t *hash = XXH3_createState();
	XXH128_hash_t h;
	char model[33];

	if (!hash || XXH3_128bits_reset(hash) != XXH_OK) {
		XXH3_freeState(hash);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	}
	mote_part_hash_model(r->source->container, model);
	XXH3_128bits_update(hash, model, sizeof model);
	add_encoded(hash, r->student.q);
	XXH3_128bits_update(hash, r->text.id, r->text.count * sizeof *r->text.id);
	XXH3_128bits_update(hash, &r->o->tokens, sizeof r->o->tokens);
	XXH3_128bits_update(hash, &r->o->seconds, sizeof r->o->seconds);
	XXH3_128bits_update(hash, &r->o->seed, sizeof r->o->seed);
	XXH3_128bits_update(hash, &r->o->rates, sizeof r->o->rates);
	h = XXH3_128bits_digest(hash);
	r->identity = (struct mote_hash128){h.low64, h.high64};
	XXH3_freeState(hash);
	return MOTE_OK;
}

enum mote_status mote_recovery_save(struct mote_recovery *r, struct mote_error *error)
{
	struct mote_state_writer w;
	struct head head;

	memset(&head, 0, sizeof head);
	memcpy(head.magic, magic, sizeof magic);
	head.identity = r->identity;
	head.floats = r->student.memory_floats;
	head.random = r->random;
	head.step = r->step;
	head.steps = r->steps;
	head.before = r->before;
	mote_state_create(&w, r->o->state, error);
	mote_state_put(&w, &head, sizeof head);
	mote_state_put(&w, r->student.memory, r->student.memory_floats * sizeof *r->student.memory);
	r->kept = mote_clock_seconds();
	return mote_state_commit(&w);
}

enum mote_status mote_recovery_load(struct mote_recovery *r, struct mote_error *error)
{
	struct mote_state_reader s;
	struct head head;
	enum mote_status status = mote_state_open(&s, r->o->state, error);

	if (status == MOTE_OK)
		status = mote_state_get(&s, &head, sizeof head, error);
	if (status == MOTE_OK && memcmp(head.magic, magic, sizeof magic))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not the state of a recovery", s.path);
	if (status == MOTE_OK && (memcmp(&head.identity, &r->identity, sizeof head.identity) ||
				  head.step > head.steps || !head.steps || head.floats != r->student.memory_floats))
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"%s: the state of another recovery: model, recipe, text, amount or "
					"version differ", s.path);
	if (status == MOTE_OK)
		status = mote_state_get(&s, r->student.memory, r->student.memory_floats * sizeof *r->student.memory,
					error);
	if (status == MOTE_OK)
		status = mote_state_check(&s, error);
	if (status == MOTE_OK) {
		r->random = head.random;
		r->step = head.step;
		r->steps = head.steps;
		r->before = head.before;
	}
	mote_state_close(&s);
	return status;
}
