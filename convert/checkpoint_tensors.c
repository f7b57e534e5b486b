/* A checkpoint's tensors: see checkpoint_tensors.h. */
#include "convert/checkpoint_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint_names.h"
#include "convert/fused_weights.h"
#include "convert/weight_rows.h"
#include "runtime/model/architecture.h"

/* What the matching needs at hand. */
struct matching {
	const struct mote_hf_config *hf;
	const struct mote_config *config; /* hf's */
	const struct mote_source *source;
	struct mote_hf_weights *weights;
	struct mote_checkpoint_tensors *out;
	struct mote_error *error;
};

static enum mote_status missing(const struct matching *m, const char *name, const char *expected)
{
	const char *listed = mote_hf_weights_listed(m->weights, name);
	const char *nearest = mote_checkpoint_names_nearest(m->weights, name);

	if (strcmp(name, mote_weight_head->name) == 0)
		return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\" %s is missing (config.json: \"tie_word_embeddings\" is not true)",
				      name, expected);
	if (listed)
		return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\" %s is missing: model.safetensors.index.json puts it into %s, "
				      "which lacks it", name, expected, listed);
	return mote_error_set(m->error, MOTE_ERROR_CORRUPT, "tensor \"%s\" %s is missing%s%s%s", name, expected,
			      nearest ? "; the nearest name is \"" : "", nearest ? nearest : "", nearest ? "\"" : "");
}

/* Rows of the first n that are stored as one, from f on. */
static uint32_t rows_of(const struct matching *m, const struct mote_stored_weight *f, uint32_t n)
{
	uint32_t rows = 0;

	for (uint32_t i = 0; i < n; i++)
		rows += mote_dim_of(m->config, f[i].rows);
	return rows;
}

/* Norms of Gemma: all but those with a bias, which it has none of. */
static bool is_norm(const struct mote_weight *w)
{
	return strstr(w->name, "norm.weight") != NULL;
}

/* Takes the part of the weight of this name in the checkpoint, which has so many rows, from row `first` on. */
static enum mote_status take_part(const struct matching *m, const struct mote_weight_walk *at, const char *name,
				  uint32_t all_rows, uint32_t first)
{
	const struct mote_weight *w = at->weight;
	struct mote_hf_weight *weight = mote_hf_weights_find(m->weights, name);
	struct mote_checkpoint_tensor t = { .weight = weight, .rank = w->cols == MOTE_DIM_ONE ? 1 : 2,
					    .rows = mote_dim_of(m->config, w->rows),
					    .cols = mote_dim_of(m->config, w->cols),
					    .weight_rows = all_rows, .first_row = first,
					    .plus_one = m->hf->norm_plus_one && is_norm(w) };
	/* of a tied model's head it does not matter where it lies */
	const bool anywhere = m->config->tied_embeddings && w == mote_weight_head;
	char found[128], expected[64];
	enum mote_status status;

	if (t.rank == 2)
		snprintf(expected, sizeof expected, "[%u, %u]", all_rows, t.cols);
	else
		snprintf(expected, sizeof expected, "[%u]", all_rows);
	if (!weight)
		return missing(m, name, expected);
	status = mote_hf_weight_type(weight, &t.from, m->error);
	if (!status && !anywhere)
		status = mote_hf_weight_check_place(m->weights, m->source, weight, m->error);
	if (status)
		return status;
	if (weight->tensor->rank != t.rank || weight->tensor->shape[0] != all_rows ||
	    (t.rank == 2 && weight->tensor->shape[1] != t.cols))
		return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\": shape %s, but config.json calls for %s", name,
				      mote_safetensors_shape(weight->tensor, found, sizeof found), expected);
	t.keep = t.rank == 2 && mote_weight_rows_quants(weight) ? mote_weight_rows_quants(weight) : t.from;
	weight->used = true;
	if (m->hf->neighbours && strcmp(w->name, "self_attn.q_proj.weight") == 0)
		weight->permuted_heads = m->config->heads;
	if (m->hf->neighbours && strcmp(w->name, "self_attn.k_proj.weight") == 0)
		weight->permuted_heads = m->config->kv_heads;
	snprintf(t.name, sizeof t.name, "%s", at->name);
	t.bytes = weight->tensor->bytes / all_rows * t.rows;
	m->out->tensor[m->out->tensors++] = t;
	return MOTE_OK;
}

static enum mote_status take(const struct matching *m, const struct mote_weight_walk *at)
{
	const struct mote_stored_weight *f = mote_stored_weight_find(at->weight->name, m->hf->stored), *first;
	char name[MOTE_WEIGHT_NAME_BYTES];

	if (f) {
		first = f - f->place;
		snprintf(name, sizeof name, "%.*s%s", (int)(strlen(at->name) - strlen(f->name)), at->name, f->in);
		return take_part(m, at, name, rows_of(m, first, f->parts), rows_of(m, first, f->place));
	}
	return take_part(m, at, at->name, mote_dim_of(m->config, at->weight->rows), 0);
}

/* Buffers that old versions of transformers saved beside the weights; they follow from the config. */
static bool is_rotary_table(const char *name)
{
	return strstr(name, ".rotary_emb.") != NULL;
}

/* Of a model that sees images: what sees them. */
static bool is_of_images(const char *name)
{
	name += strncmp(name, "model.", 6) ? 0 : 6;
	return !strncmp(name, "vision_tower.", 13) || !strncmp(name, "multi_modal_projector.", 22);
}

static enum mote_status refuse_superfluous(const struct matching *m)
{
	char shape[128];

	for (uint32_t i = 0; i < m->weights->weights; i++) {
		const struct mote_hf_weight *w = &m->weights->weight[i];

		if (!w->used && !w->alias && !is_rotary_table(w->name) &&
		    !(m->hf->sees_images && is_of_images(w->name)))
			return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" %s is superfluous: the architecture has no such weight",
					      w->name, mote_safetensors_shape(w->tensor, shape, sizeof shape));
	}
	return MOTE_OK;
}

/* The head of a tied model is its embedding: whichever of the two was saved. */
static enum mote_status tie_head(const struct matching *m)
{
	if (!m->config->tied_embeddings || mote_hf_weights_find(m->weights, mote_weight_embedding->name) ||
	    !mote_hf_weights_find(m->weights, mote_weight_head->name))
		return MOTE_OK;
	return mote_hf_weights_rename(m->weights, mote_weight_head->name, mote_weight_embedding->name, m->error);
}

/* The head of a tied checkpoint is checked like any other, but is no tensor of the model. */
static enum mote_status take_tied_copy(const struct matching *m)
{
	struct mote_weight_walk head = {.weight = mote_weight_head};
	enum mote_status status;

	mote_weight_name(mote_weight_head, MOTE_NO_LAYER, head.name);
	status = take(m, &head);

	if (!status)
		m->out->tied_copy = m->out->tensor[--m->out->tensors].weight;
	return status;
}

static enum mote_status match(const struct matching *m)
{
	struct mote_weight_walk w = {.config = m->config};
	enum mote_status status;

	m->out->tensors = 0;
	m->out->tied_copy = NULL;
	status = tie_head(m);
	while (!status && mote_weight_next(&w))
		status = take(m, &w);
	if (!status && m->config->tied_embeddings && mote_hf_weights_find(m->weights, mote_weight_head->name))
		status = take_tied_copy(m);
	return status ? status : refuse_superfluous(m);
}

/* Renames as the first attention weight suggests. *prefix: what stood where "model." belongs; NULL: nothing to do. */
static enum mote_status unwrap_names(struct mote_hf_weights *weights, char **prefix, struct mote_error *error)
{
	char *p = mote_checkpoint_names_wrapper(weights), *head = NULL;
	enum mote_status status;
	size_t n;

	*prefix = p;
	if (!p)
		return MOTE_OK;
	status = mote_hf_weights_rename(weights, p, "model.", error);
	if (!status) /* a bare base model's head, if it has one, got the prefix too */
		status = mote_hf_weights_rename(weights, "model.lm_head.", "lm_head.", error);
	n = strlen(p);
	if (n >= 6 && strcmp(p + n - 6, "model.") == 0)
		n -= 6;
	if (!status && n) {
		head = malloc(n + sizeof "lm_head.");
		if (!head)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
		memcpy(head, p, n);
		strcpy(head + n, "lm_head.");
		status = mote_hf_weights_rename(weights, head, "lm_head.", error);
	}
	free(head);
	return status;
}

static enum mote_status note_names(const struct matching *m, const char *prefix, struct mote_notes *notes)
{
	if (!*prefix)
		return mote_notes_add(notes, m->error,
				      "the tensors' names lack \"model.\": taken for those of a bare base model");
	return mote_notes_add(notes, m->error,
			      "the tensors' names begin with \"%s\" instead of \"model.\": taken for those of a "
			      "wrapped model", prefix);
}

/* Without a wrapper's prefix if there is one and everything is there then; else as the names are, so that what is
 * missing is told by the names that the files have. */
static enum mote_status match_names(const struct matching *m, struct mote_notes *notes)
{
	struct matching unwrapped = *m;
	struct mote_error other = {0};
	enum mote_status status;
	char *prefix;

	unwrapped.error = &other;
	status = unwrap_names(m->weights, &prefix, m->error);
	if (!status && prefix && match(&unwrapped) == MOTE_OK) {
		status = m->hf->sees_images ? MOTE_OK : note_names(m, prefix, notes);
	} else if (!status) {
		if (prefix)
			mote_hf_weights_restore_names(m->weights);
		status = match(m);
	}
	free(prefix);
	return status;
}

enum mote_status mote_checkpoint_tensors_match(const struct mote_hf_config *config, const struct mote_source *source,
					       struct mote_hf_weights *weights, struct mote_checkpoint_tensors *out,
					       struct mote_notes *notes, struct mote_error *error)
{
	struct mote_error own = {0};
	const struct matching m = {.hf = config, .config = &config->model, .source = source, .weights = weights,
				   .out = out, .error = &own};
	enum mote_status status;

	*out = (struct mote_checkpoint_tensors){ .tensor = calloc(mote_weight_count(&config->model) + (size_t)1,
								  sizeof *out->tensor) };
	if (!out->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = match_names(&m, notes);
	if (!status && config->sees_images)
		status = mote_notes_add(notes, &own, "what sees images is left out: this is the model of text");
	if (status) {
		mote_checkpoint_tensors_free(out);
		(void)mote_error_set(error, status, "%s", own.message);
	}
	return status;
}

void mote_checkpoint_tensors_free(struct mote_checkpoint_tensors *t)
{
	free(t->tensor);
	*t = (struct mote_checkpoint_tensors){0};
}
