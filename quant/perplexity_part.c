/* Parts of a measurement: a shard of each text's chunks, every scored token of every model, and joined again. */
#include <stdlib.h>
#include <string.h>

#include "quant/measure/logits_file.h"
#include "quant/perplexity.h"

/* A score as bytes: nll, with a reference its nll and the divergence, each a little-endian double; the token's id; with
 * a reference whether both agree on top. Written in hexadecimal. */
enum { ALONE_BYTES = 12, PAIRED_BYTES = 29 };

static size_t score_bytes(bool paired)
{
	return paired ? PAIRED_BYTES : ALONE_BYTES;
}

/* ---- writing ---- */

static void pack(const struct mote_score *s, bool paired, uint8_t *to)
{
	memcpy(to, &s->nll, 8);
	if (paired) {
		memcpy(to + 8, &s->reference_nll, 8);
		memcpy(to + 16, &s->kld, 8);
		to[28] = s->top1_same;
	}
	memcpy(to + (paired ? 24 : 8), &s->target, 4);
}

static void add_scores(struct mote_json_builder *b, cJSON *list, const struct mote_score *s, uint64_t n, bool paired)
{
	static const char digit[] = "0123456789abcdef";
	size_t bytes = score_bytes(paired);
	char *text = malloc(2 * n * bytes + 1);
	uint8_t packed[PAIRED_BYTES];

	for (uint64_t i = 0; text && i < n; i++) {
		pack(&s[i], paired, packed);
		for (size_t k = 0; k < bytes; k++) {
			text[2 * (i * bytes + k)] = digit[packed[k] >> 4];
			text[2 * (i * bytes + k) + 1] = digit[packed[k] & 15];
		}
	}
	if (text)
		text[2 * n * bytes] = 0;
	mote_json_add_item(b, list, NULL, text ? cJSON_CreateString(text) : NULL);
	free(text);
}

static void add_model(struct mote_json_builder *b, cJSON *o, const struct perplexity_model *m)
{
	mote_json_add_text(b, o, "path", m->path);
	mote_json_add_number(b, o, "file_bytes", (double)m->file_bytes);
	mote_json_add_number(b, o, "bits_per_weight", m->bits_per_weight);
}

static enum mote_status compute(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
				struct mote_error *error)
{
	struct perplexity_run *r = user;
	bool paired = r->reference.path != NULL;
	cJSON *list = mote_json_add_array(b, part, "models");
	enum mote_status status = perplexity_measure_shard(r, shard, error);

	if (status)
		return status;
	for (uint32_t m = 0; m < r->models; m++)
		add_model(b, mote_json_add_object(b, list, NULL), &r->model[m]);
	if (paired)
		add_model(b, mote_json_add_object(b, part, "reference"), &r->reference);
	list = mote_json_add_array(b, part, "texts");
	for (uint32_t i = 0; i < r->texts; i++) {
		const struct mote_text *t = &r->text[i].text;
		cJSON *o = mote_json_add_object(b, list, NULL);

		mote_json_add_text(b, o, "name", t->name);
		if (t->generated)
			mote_json_add_number(b, o, "seed", (double)t->seed);
	}
	list = mote_json_add_array(b, part, "scores"); /* text behind text, each with all models */
	for (uint32_t i = 0; i < r->texts; i++) {
		const struct mote_plan *p = &r->text[i].plan;
		uint64_t begin = (uint64_t)mote_shard_end(shard, shard.index - 1, p->chunks) * p->chunk_rows;
		uint64_t end = (uint64_t)mote_shard_end(shard, shard.index, p->chunks) * p->chunk_rows;

		for (uint32_t m = 0; m < r->models; m++)
			add_scores(b, list, r->text[i].scores[m] + begin, end - begin, paired);
	}
	return MOTE_OK;
}

/* The reference's own file and its saved logits give the same scores, but are printed in other words. */
static enum mote_status add_reference(const struct perplexity_run *r, struct mote_json_builder *b, cJSON *inputs,
				      struct mote_error *error)
{
	struct mote_logits *saved = NULL;
	struct mote_hash128 tensors = {0};
	char hex[33];
	enum mote_status status = MOTE_OK;

	if (r->reference.model) {
		mote_part_hash_model(r->reference.model->container, hex);
		mote_json_add_text(b, inputs, "reference", hex);
	} else if (r->reference.path) {
		status = mote_logits_from_file(r->reference.path, &r->text[0].plan, 1, NULL, &saved, &tensors, error);
		mote_logits_close(saved);
		mote_hash_to_hex(tensors, hex);
		mote_json_add_text(b, inputs, "reference_logits", hex);
	}
	return status;
}

static enum mote_status list_inputs(const struct perplexity_run *r, cJSON **out, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *inputs = mote_json_new_object(&b), *list = mote_json_add_array(&b, inputs, "models");
	enum mote_status status;
	char hex[33];

	for (uint32_t m = 0; m < r->models; m++) {
		mote_part_hash_model(r->model[m].model->container, hex);
		mote_json_add_text(&b, list, NULL, hex);
	}
	status = add_reference(r, &b, inputs, error);
	list = mote_json_add_array(&b, inputs, "texts");
	for (uint32_t i = 0; i < r->texts; i++) {
		const struct mote_plan *p = &r->text[i].plan;
		cJSON *o = mote_json_add_object(&b, list, NULL);

		mote_hash_to_hex(p->ids_hash, hex);
		mote_json_add_text(&b, o, "ids_xxh3", hex);
		mote_json_add_number(&b, o, "tokens", (double)p->text_tokens);
		mote_json_add_number(&b, o, "context", p->context);
		mote_json_add_number(&b, o, "chunks", p->chunks);
		mote_json_add_number(&b, o, "first", p->first);
		mote_json_add_number(&b, o, "chunk_rows", p->chunk_rows);
		mote_json_add_bool(&b, o, "all_positions", p->all_positions);
	}
	if (status)
		cJSON_Delete(inputs);
	else
		status = mote_json_finish(&b, &inputs, "inputs", error);
	*out = status ? NULL : inputs;
	return status;
}

enum mote_status perplexity_make_part(struct perplexity_run *r, struct mote_error *error)
{
	struct mote_whole whole = {.tool = PERPLEXITY, .compute = compute, .user = r};
	cJSON *inputs = NULL;
	bool there = false;
	enum mote_status status = list_inputs(r, &inputs, error);

	whole.inputs = inputs;
	if (!status)
		status = mote_part_make(&whole, r->o->shard, r->o->part, r->o->force, &there, error);
	if (!status && there)
		fprintf(stderr, "%s: %s is there already, from the same inputs\n", PERPLEXITY, r->o->part);
	cJSON_Delete(inputs);
	return status;
}

/* ---- joining ---- */

static enum mote_status bad(struct mote_error *error, uint32_t shard, const char *what)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "the part of shard %u: %s are not what inputs says",
			      shard, what);
}

static enum mote_status join_model(const cJSON *o, struct perplexity_model *m, struct mote_error *error)
{
	double bytes = 0;
	enum mote_status status = mote_json_need_string(o, "path", "model", &m->path, error);

	if (!status)
		status = mote_json_want_double(o, "file_bytes", 0, 1e18, 0, "model", &bytes, error);
	m->file_bytes = (uint64_t)bytes;
	return status ? status
		      : mote_json_want_double(o, "bits_per_weight", 0, 1e6, 0, "model", &m->bits_per_weight, error);
}

/* All that is known of a text without having it. */
static enum mote_status join_text(const cJSON *plan, const cJSON *text, struct perplexity_text *t,
				  struct mote_error *error)
{
	enum { MOST = 1 << 24 };
	struct mote_plan *p = &t->plan;
	const char *name = "";
	double tokens = 0, seed = -1;
	enum mote_status status = mote_json_need_string(text, "name", "text", &name, error);

	if (!status)
		status = mote_json_want_double(text, "seed", 0, MOTE_OPTION_MAX_SEED, -1, "text", &seed, error);
	if (!status)
		status = mote_json_want_double(plan, "tokens", 0, 1e15, 0, "text", &tokens, error);
	if (!status)
		status = mote_json_need_u32(plan, "context", 1, MOST, "text", &p->context, error);
	if (!status)
		status = mote_json_need_u32(plan, "chunks", 1, MOST, "text", &p->chunks, error);
	if (!status)
		status = mote_json_need_u32(plan, "first", 0, MOST, "text", &p->first, error);
	if (!status)
		status = mote_json_need_u32(plan, "chunk_rows", 1, MOST, "text", &p->chunk_rows, error);
	if (!status)
		status = mote_json_want_bool(plan, "all_positions", false, "text", &p->all_positions, error);
	snprintf(t->text.name, sizeof t->text.name, "%s", name);
	t->text.generated = seed >= 0;
	t->text.seed = seed >= 0 ? (uint64_t)seed : 0;
	p->text_tokens = (uint64_t)tokens;
	return status;
}

static enum mote_status join_heads(struct perplexity_run *r, struct mote_error *error)
{
	const cJSON *part = r->part[0], *inputs = mote_json_get(part, "inputs");
	const cJSON *reference = mote_json_get(part, "reference");
	const cJSON *models = mote_json_get(part, "models"), *texts = mote_json_get(part, "texts");
	const cJSON *plans = mote_json_get(inputs, "texts"), *model = models ? models->child : NULL;
	const cJSON *plan = plans ? plans->child : NULL, *text = texts ? texts->child : NULL;
	enum mote_status status = reference ? join_model(reference, &r->reference, error) : MOTE_OK;

	for (; model && r->models < PERPLEXITY_MODELS && !status; model = model->next)
		status = join_model(model, &r->model[r->models++], error);
	for (; plan && text && r->texts < PERPLEXITY_TEXTS && !status; plan = plan->next, text = text->next)
		status = join_text(plan, text, &r->text[r->texts++], error);
	if (!status && (model || plan || text || !r->models || !r->texts))
		return bad(error, 1, "models or texts");
	return status;
}

static int value_of(char digit)
{
	return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool unpack(const char *text, bool paired, struct mote_score *s)
{
	uint8_t packed[PAIRED_BYTES];

	for (size_t k = 0; k < score_bytes(paired); k++) {
		int high = value_of(text[2 * k]), low = value_of(text[2 * k + 1]);

		if (high < 0 || low < 0)
			return false;
		packed[k] = (uint8_t)(high << 4 | low);
	}
	*s = (struct mote_score){0};
	memcpy(&s->nll, packed, 8);
	if (paired) {
		memcpy(&s->reference_nll, packed + 8, 8);
		memcpy(&s->kld, packed + 16, 8);
		s->top1_same = packed[28] != 0;
	}
	memcpy(&s->target, packed + (paired ? 24 : 8), 4);
	return true;
}

static enum mote_status join_part(struct perplexity_run *r, struct mote_shard shard, const cJSON *part,
				  struct mote_error *error)
{
	const cJSON *list = mote_json_get(part, "scores"), *at = list ? list->child : NULL;
	bool paired = r->reference.path != NULL;
	size_t digits = 2 * score_bytes(paired);

	for (uint32_t k = 0; k < r->texts * r->models; k++, at = at->next) {
		struct perplexity_text *t = &r->text[k / r->models];
		uint64_t row = (uint64_t)mote_shard_end(shard, shard.index - 1, t->plan.chunks) * t->plan.chunk_rows;
		uint64_t end = (uint64_t)mote_shard_end(shard, shard.index, t->plan.chunks) * t->plan.chunk_rows;
		const char *text;

		if (!at || !cJSON_IsString(at) || strlen(at->valuestring) != (end - row) * digits)
			return bad(error, shard.index, "scores");
		for (text = at->valuestring; row < end; row++, text += digits)
			if (!unpack(text, paired, &t->scores[k % r->models][row]))
				return bad(error, shard.index, "scores");
	}
	return at ? bad(error, shard.index, "scores") : MOTE_OK;
}

static enum mote_status join_all(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->parts && !status; i++)
		status = join_part(r, (struct mote_shard){i + 1, r->parts}, r->part[i], error);
	return status ? status : perplexity_figures(r, error);
}

enum mote_status perplexity_merge(struct perplexity_run *r, struct mote_error *error)
{
	uint32_t n = r->o->models.count;
	enum mote_status status;

	r->part = calloc(n + 1u, sizeof *r->part);
	if (!r->part)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for parts");
	r->parts = n;
	status = mote_parts_read(r->o->models.value, n, PERPLEXITY, r->part, error);
	if (!status)
		status = join_heads(r, error);
	if (!status)
		status = perplexity_take_memory(r, error);
	return status ? status : join_all(r, error);
}

/* ---- sharing ---- */

bool perplexity_shares(const struct perplexity_run *r)
{
	return (mote_team_size(r->team) > 1 || r->o->parts) && !r->o->save_logits && !r->o->plan.all_positions;
}

enum mote_status perplexity_share(struct perplexity_run *r, struct mote_share *s, bool *goes_on,
				  struct mote_error *error)
{
	struct mote_whole whole = {.tool = PERPLEXITY, .compute = compute, .user = r};
	struct mote_progress progress = perplexity_begin(r, PERPLEXITY_MEASURE, 0);
	uint32_t chunks = 0;
	cJSON *inputs = NULL;
	enum mote_status status = list_inputs(r, &inputs, error);

	for (uint32_t i = 0; i < r->texts; i++)
		chunks = r->text[i].plan.chunks > chunks ? r->text[i].plan.chunks : chunks;
	r->bar.unit = "parts";
	r->sharing = true;
	whole.inputs = inputs;
	*s = (struct mote_share){.team = r->team, .folder = r->o->parts, .pieces = mote_share_pieces(chunks, 1),
				 .progress = &progress};
	if (!status)
		status = mote_share_compute(s, &whole, &r->part, error);
	r->sharing = false;
	r->parts = r->part ? s->pieces : 0;
	*goes_on = !status && r->part;
	mote_console_progress_end(&r->bar);
	cJSON_Delete(inputs);
	return *goes_on ? join_all(r, error) : status;
}
