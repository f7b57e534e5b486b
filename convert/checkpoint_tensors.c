/* A checkpoint's tensors: see checkpoint_tensors.h. */
#include "convert/checkpoint_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint_names.h"
#include "convert/weight_rows.h"
#include "runtime/model/architecture.h"

/* The shape as the table of weights reads it. */
static struct mote_config shape_of(const struct mote_hf_config *c)
{
	return (struct mote_config){
		.hidden = c->hidden_size, .layers = c->num_hidden_layers, .heads = c->num_attention_heads,
		.kv_heads = c->num_key_value_heads, .head_dim = c->head_dim, .ffn = c->intermediate_size,
		.vocab = c->vocab_size, .tied_embeddings = c->tie_word_embeddings
	};
}


/* What the matching needs at hand. */
struct matching {
	const struct mote_config *config;
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
				      "tensor \"%s\" %s is missing (config.json: \"tie_word_embeddings\" is not true)", name,
				      expected);
	if (listed)
		return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\" %s is missing: model.safetensors.index.json puts it into %s, which lacks it",
				      name, expected, listed);
	return mote_error_set(m->error, MOTE_ERROR_CORRUPT, "tensor \"%s\" %s is missing%s%s%s", name, expected,
			      nearest ? "; the nearest name is \"" : "", nearest ? nearest : "", nearest ? "\"" : "");
}

static enum mote_status take(const struct matching *m, const char *name, const struct mote_weight *w)
{
	struct mote_hf_weight *weight = mote_hf_weights_find(m->weights, name);
	struct mote_checkpoint_tensor t = { .weight = weight, .rank = w->cols == MOTE_DIM_ONE ? 1 : 2,
					    .rows = mote_dim_of(m->config, w->rows),
					    .cols = mote_dim_of(m->config, w->cols) };
	/* of a tied model's head it does not matter where it lies */
	const bool anywhere = m->config->tied_embeddings && w == mote_weight_head;
	char found[128], expected[64];
	enum mote_status status;

	if (t.rank == 2)
		snprintf(expected, sizeof expected, "[%u, %u]", t.rows, t.cols);
	else
		snprintf(expected, sizeof expected, "[%u]", t.rows);
	if (!weight)
		return missing(m, name, expected);
	status = mote_hf_weight_type(weight, &t.from, m->error);
	if (!status && !anywhere)
		status = mote_hf_weight_check_place(m->weights, m->source, weight, m->error);
	if (status)
		return status;
	if (weight->tensor->rank != t.rank || weight->tensor->shape[0] != t.rows ||
	    (t.rank == 2 && weight->tensor->shape[1] != t.cols))
		return mote_error_set(m->error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\": shape %s, but config.json calls for %s", name,
				      mote_safetensors_shape(weight->tensor, found, sizeof found), expected);
	t.keep = t.rank == 2 && mote_weight_rows_quants(weight) ? mote_weight_rows_quants(weight) : t.from;
	weight->used = true;
	m->out->tensor[m->out->tensors++] = t;
	return MOTE_OK;
}

/* Buffers that old versions of transformers saved beside the weights; they follow from the config. */
static bool is_rotary_table(const char *name)
{
	return strstr(name, ".rotary_emb.") != NULL;
}

static enum mote_status refuse_superfluous(const struct mote_hf_weights *weights, struct mote_error *error)
{
	char shape[128];

	for (uint32_t i = 0; i < weights->weights; i++) {
		const struct mote_hf_weight *w = &weights->weight[i];

		if (!w->used && !w->alias && !is_rotary_table(w->name))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
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
	enum mote_status status = take(m, mote_weight_head->name, mote_weight_head);

	if (!status)
		m->out->tied_copy = m->out->tensor[--m->out->tensors].weight;
	return status;
}

static enum mote_status match(const struct matching *m)
{
	struct mote_weight_walk w = { .config = m->config };
	enum mote_status status;

	m->out->tensors = 0;
	m->out->tied_copy = NULL;
	status = tie_head(m);
	while (!status && mote_weight_next(&w))
		status = take(m, w.name, w.weight);
	if (!status && m->config->tied_embeddings && mote_hf_weights_find(m->weights, mote_weight_head->name))
		status = take_tied_copy(m);
	return status ? status : refuse_superfluous(m->weights, m->error);
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
			      "the tensors' names begin with \"%s\" instead of \"model.\": taken for those of a wrapped model",
			      prefix);
}

/* Without a wrapper's prefix if there is one and everything is there then; else as the names are, so that what is
 * missing is told by the names that the files have. */
static enum mote_status match_names(const struct matching *m, struct mote_notes *notes)
{
	struct matching unwrapped = *m;
	struct mote_error other = { 0 };
	enum mote_status status;
	char *prefix;

	unwrapped.error = &other;
	status = unwrap_names(m->weights, &prefix, m->error);
	if (!status && prefix && match(&unwrapped) == MOTE_OK) {
		status = note_names(m, prefix, notes);
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
	const struct mote_config shape = shape_of(config);
	struct mote_error own = { 0 };
	const struct matching m = { .config = &shape, .source = source, .weights = weights, .out = out, .error = &own };
	enum mote_status status;

	*out = (struct mote_checkpoint_tensors){ .tensor = calloc(mote_weight_count(&shape) + (size_t)1,
								  sizeof *out->tensor) };
	if (!out->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = match_names(&m, notes);
	if (status) {
		mote_checkpoint_tensors_free(out);
		mote_error_set(error, status, "%s", own.message);
	}
	return status;
}

void mote_checkpoint_tensors_free(struct mote_checkpoint_tensors *t)
{
	free(t->tensor);
	*t = (struct mote_checkpoint_tensors){ 0 };
}
