/* A GGUF file as a checkpoint: see gguf_checkpoint.h. */
#include "convert/gguf/gguf_checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_config.h"
#include "convert/gguf/gguf_names.h"
#include "convert/gguf/gguf_vocabulary.h"

static enum mote_status no_memory(const struct mote_gguf *g, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
}

/* How rows come out of the file; NULL: not at all. */
static const char *dtype_of(const struct mote_gguf_tensor *t)
{
	switch (t->type->number) {
	case MOTE_GGUF_F32: return "F32";
	case MOTE_GGUF_F16: return "F16";
	case MOTE_GGUF_BF16: return "BF16";
	default: return t->type->decode && t->rank > 1 ? "F32" : NULL;
	}
}

/* Decoded, since mote has no such type. */
static bool is_foreign(const struct mote_gguf_tensor *t)
{
	return t->type->decode && t->type->number != MOTE_GGUF_Q8_0 && t->type->number != MOTE_GGUF_Q4_0 &&
	       t->type->number != MOTE_GGUF_IQ4_NL;
}

static enum mote_status add_weight(const struct mote_gguf *g, const struct mote_gguf_tensor *t, const char *name,
				   struct mote_hf_weights *w, const uint32_t heads[2], struct mote_error *error)
{
	struct mote_safetensors_tensor *tensor = &w->shard->tensor[w->shard->tensors++];
	struct mote_hf_weight *weight = &w->weight[w->weights++];
	cJSON *item = cJSON_CreateString(name); /* owns the name */

	if (!cJSON_AddItemToArray(w->shard->header, item))
		return no_memory(g, error);
	*tensor = (struct mote_safetensors_tensor){ .name = item->valuestring, .dtype = dtype_of(t), .rank = t->rank,
						    .offset = t->offset, .bytes = t->bytes };
	if (!tensor->dtype)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: tensor \"%.*s\": type %s is not supported%s",
				      g->name, (int)t->name.bytes, t->name.text, t->type->name,
				      t->rank > 1 ? "" : " for vectors");
	for (uint32_t i = 0; i < t->rank; i++)
		tensor->shape[i] = t->shape[i];
	*weight = (struct mote_hf_weight){ .name = tensor->name, .first_name = tensor->name, .tensor = tensor,
					   .file = t->file, .blocks = t->type->decode ? t->type : NULL };
	if (mote_gguf_name_is_query(name))
		weight->permuted_heads = heads[0];
	else if (mote_gguf_name_is_key(name))
		weight->permuted_heads = heads[1];
	/* whether the shape is what the config calls for is checked later; here, that its rows split into heads */
	if (weight->permuted_heads && tensor->shape[0] % (weight->permuted_heads * (uint64_t)2))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%.*s\": %llu rows do not split into "
				      "%u heads", g->name, (int)t->name.bytes, t->name.text,
				      (unsigned long long)tensor->shape[0], weight->permuted_heads);
	return MOTE_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct mote_hf_weight *)a)->name, ((const struct mote_hf_weight *)b)->name);
}

static enum mote_status note_decoded(const struct mote_gguf *g, const struct mote_gguf_type_info *first, uint32_t count,
				     struct mote_notes *notes, struct mote_error *error)
{
	if (!count)
		return MOTE_OK;
	return mote_notes_add(notes, error, "%s: %u tensors are of types that mote does not have (%s%s): they are "
			      "decoded to f32, which is exact; --dtype f16 rounds and takes half the room", g->name,
			      count, first->name, count > 1 ? " and others" : "");
}

static bool is_rope_table(const struct mote_gguf_tensor *t)
{
	static const char *const names[] = {"rope_freqs.weight", "rope_factors_short.weight",
					    "rope_factors_long.weight"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (t->name.bytes == strlen(names[i]) && memcmp(t->name.text, names[i], t->name.bytes) == 0)
			return true;
	return false;
}

static enum mote_status read_weights(const struct mote_gguf *g, const struct mote_gguf_family *family,
				     const cJSON *config, struct mote_hf_weights *w, struct mote_notes *notes,
				     struct mote_error *error)
{
	const struct mote_gguf_type_info *foreign = NULL;
	enum mote_status status = MOTE_OK;
	char name[MOTE_GGUF_NAME_ROOM];
	uint32_t heads[2] = {0, 0}, decoded = 0;

	if (family->flags & MOTE_GGUF_PERMUTED &&
	    ((status = mote_json_need_u32(config, "num_attention_heads", 1, 65536, g->name, &heads[0], error)) ||
	     (status = mote_json_want_u32(config, "num_key_value_heads", 1, 65536, heads[0], g->name,
					  &heads[1], error))))
		return status;
	w->shard = calloc(1, sizeof *w->shard);
	w->weight = calloc(g->tensors + (size_t)1, sizeof *w->weight);
	if (!w->shard || !w->weight)
		return no_memory(g, error);
	w->shards = 1;
	w->shard->header = cJSON_CreateArray();
	w->shard->tensor = calloc(g->tensors + (size_t)1, sizeof *w->shard->tensor);
	if (!w->shard->header || !w->shard->tensor)
		return no_memory(g, error);
	for (uint32_t i = 0; i < g->tensors && !status; i++) {
		const struct mote_gguf_tensor *t = &g->tensor[i];

		if (is_rope_table(t))
			continue; /* the config says the same */
		if (!mote_gguf_name_to_hf(family, t->name.text, t->name.bytes, name)) {
			memcpy(name, t->name.text, t->name.bytes);
			name[t->name.bytes] = 0; /* nobody will want it: refused by the name that it has */
		}
		status = add_weight(g, t, name, w, heads, error);
		if (is_foreign(t)) {
			foreign = t->type;
			decoded++;
		}
	}
	if (status)
		return status;
	qsort(w->weight, w->weights, sizeof *w->weight, by_name);
	return note_decoded(g, foreign, decoded, notes, error);
}

static enum mote_status read_tokenizer(const struct mote_gguf *g, struct mote_hf_directory *d, struct mote_error *error)
{
	struct mote_gguf_vocabulary v;
	enum mote_status status = mote_gguf_vocabulary_read(g, &v, error);

	if (status)
		return status;
	status = mote_gguf_vocabulary_write(g, &v, &d->tokenizer, &d->tokenizer_bytes, error);
	if (!status)
		status = mote_gguf_tokens_read(g, &v, d, error);
	mote_gguf_vocabulary_free(&v);
	return status;
}

enum mote_status mote_gguf_checkpoint_open(struct mote_source *source, const char *name, bool vocab_only,
					   struct mote_gguf *g, struct mote_hf_directory *directory,
					   struct mote_hf_weights *weights, struct mote_notes *notes,
					   struct mote_error *error)
{
	const struct mote_gguf_family *family;
	enum mote_status status;

	*directory = (struct mote_hf_directory){0};
	*weights = (struct mote_hf_weights){0};
	source->gguf = true;
	status = mote_gguf_open(source, name, g, error);
	if (!status)
		status = read_tokenizer(g, directory, error);
	if (!status && !vocab_only && !(status = mote_gguf_family_read(g, &family, error)) &&
	    !(status = mote_gguf_config_read(g, source, family, &directory->config, error)))
		status = read_weights(g, family, directory->config, weights, notes, error);
	if (status) {
		mote_hf_weights_close(weights);
		mote_hf_directory_free(directory);
		mote_gguf_close(g);
	}
	return status;
}
