/* Plans: see plan.h. */
#include "quant/measure/plan.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/tokenizer/tokenizer.h"

void mote_plan_free(struct mote_plan *p)
{
	free(p->ids);
	*p = (struct mote_plan){0};
}

int32_t mote_plan_target(const struct mote_plan *p, uint64_t row)
{
	return p->ids[row / p->chunk_rows * p->context + p->first + row % p->chunk_rows + 1];
}

/* Whether the tokenizer puts a bos before a text: what it makes of an empty one. */
static enum mote_status adds_bos(const struct mote_tokenizer *t, int32_t bos, bool *adds, struct mote_error *error)
{
	struct mote_ids ids = {0};
	enum mote_status status = mote_tokenizer_encode(t, "", 0, MOTE_ENCODE_ADD_BEFORE, &ids, error);

	*adds = status == MOTE_OK && ids.count > 0 && ids.id[0] == bos;
	mote_ids_free(&ids);
	return status;
}

static enum mote_status check_ids(const struct mote_model *m, const struct mote_text_ids *ids, struct mote_error *error)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->id[i] < 0 || (uint32_t)ids->id[i] >= m->config.vocab)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: its tokenizer gives id %d, its weights end at %u",
					      mote_container_path(m->container), ids->id[i], m->config.vocab - 1);
	return MOTE_OK;
}

enum mote_status mote_text_encode(const struct mote_model *m, const struct mote_text *text, bool plain,
				  struct mote_text_ids *out, struct mote_error *error)
{
	unsigned flags = MOTE_ENCODE_ADD_SPECIAL | (plain ? MOTE_ENCODE_PLAIN : 0u);
	struct mote_tokenizer *t = NULL;
	struct mote_ids ids = {0};
	size_t bytes = 0;
	const void *section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &bytes);
	enum mote_status status;

	*out = (struct mote_text_ids){0};
	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer, so it cannot read a text",
				      mote_container_path(m->container));
	status = mote_tokenizer_open(section, bytes, &t, error);
	if (status == MOTE_OK)
		status = adds_bos(t, m->config.bos, &out->bos, error);
	if (status == MOTE_OK)
		status = mote_tokenizer_encode(t, text->data, text->bytes, flags, &ids, error);
	mote_tokenizer_close(t);
	out->id = ids.id; /* taken over */
	out->count = ids.count;
	if (status == MOTE_OK)
		status = check_ids(m, out, error);
	if (status != MOTE_OK) {
		free(out->id);
		*out = (struct mote_text_ids){0};
	}
	return status;
}

static enum mote_status lay_out(const struct mote_config *config, const struct mote_plan_options *o, size_t count,
				struct mote_plan *p, struct mote_error *error)
{
	uint32_t longest = config->max_positions;
	size_t chunks;

	p->text_tokens = count;
	p->vocab = config->vocab;
	p->all_positions = o->all_positions;
	p->plain = o->plain;
	if (o->context_tokens > longest)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a context of %u tokens: this model takes at most %u",
				      o->context_tokens, longest);
	if (o->all_positions) {
		if (count < 2)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the text has %zu tokens; nothing to predict",
					      count);
		if (o->context_tokens)
			longest = o->context_tokens;
		p->context = count < longest ? (uint32_t)count : longest;
		p->chunks = 1;
		p->first = 0;
		p->chunk_rows = p->context - 1;
		return p->context < 2 ? mote_error_set(error, MOTE_ERROR_ARGUMENT,
						       "a context of %u tokens predicts nothing", p->context) : MOTE_OK;
	}
	p->context = o->context_tokens;
	if (p->context == 0)
		p->context = longest < MOTE_VALIDATE_CONTEXT ? longest : MOTE_VALIDATE_CONTEXT;
	if (p->context < 4)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a context of %u tokens: the rule takes 4 or more",
				      p->context);
	chunks = count / p->context;
	if (chunks < 2)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the text has %zu tokens; with a context of %u at "
				      "least %u are needed, two chunks: give more text or a smaller context", count,
				      p->context, 2 * p->context);
	if (o->max_chunks && chunks > o->max_chunks)
		chunks = o->max_chunks;
	p->chunks = (uint32_t)chunks;
	p->first = p->context / 2;
	p->chunk_rows = p->context - p->context / 2 - 1;
	return MOTE_OK;
}

enum mote_status mote_plan_init(const struct mote_model *m, const struct mote_text *text,
				const struct mote_plan_options *options, struct mote_plan *out,
				struct mote_error *error)
{
	struct mote_text_ids ids;
	XXH128_hash_t h;
	enum mote_status status = mote_text_encode(m, text, options->plain, &ids, error);

	*out = (struct mote_plan){0};
	if (status != MOTE_OK)
		return status;
	status = lay_out(&m->config, options, ids.count, out, error);
	if (status != MOTE_OK) {
		free(ids.id);
		*out = (struct mote_plan){0};
		return status;
	}
	out->ids = ids.id; /* taken over; what lies beyond the last chunk is not used */
	for (uint32_t c = 0; ids.bos && c < out->chunks; c++)
		out->ids[(size_t)c * out->context] = m->config.bos;
	h = XXH3_128bits(out->ids, (size_t)out->chunks * out->context * sizeof *out->ids);
	out->ids_hash = (struct mote_hash128){h.low64, h.high64};
	return MOTE_OK;
}
