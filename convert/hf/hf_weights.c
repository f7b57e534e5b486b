/* The weights of a Hugging Face directory: see hf_weights.h. */
#include "convert/hf/hf_weights.h"

#include <stdlib.h>
#include <string.h>

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define MAX_SHARDS 10000u

static int by_name(const void *a, const void *b)
{
	const struct mote_hf_weight *x = a, *y = b;

	return strcmp(x->tensor->name, y->tensor->name);
}

struct mote_hf_weight *mote_hf_weights_find(const struct mote_hf_weights *w, const char *name)
{
	struct mote_safetensors_tensor tensor = { .name = name };
	struct mote_hf_weight key = { .tensor = &tensor };

	return bsearch(&key, w->weight, w->weights, sizeof key, by_name);
}

/* The file's first bytes: its length field and, if that can be right, its header. */
static enum mote_status read_head(const struct mote_source_file *file, uint8_t **head, struct mote_error *error)
{
	uint8_t field[8] = { 0 };
	size_t n = file->bytes < sizeof field ? (size_t)file->bytes : sizeof field;
	enum mote_status status;

	*head = NULL;
	status = mote_source_read_at(file, 0, field, n, error);
	if (status)
		return status;
	n += (size_t)mote_safetensors_header_bytes(field, file->bytes);
	*head = malloc(n + 1); /* malloc(0) may be NULL */
	if (!*head)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", file->name);
	return mote_source_read_at(file, 0, *head, n, error);
}

static enum mote_status open_shard(struct mote_source *source, const char *name, struct mote_hf_weights *w,
				   uint32_t *file, struct mote_error *error)
{
	struct mote_safetensors *grown = realloc(w->shard, (w->shards + (size_t)1) * sizeof *grown);
	enum mote_status status;
	uint8_t *head = NULL;

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	w->shard = grown;
	if (!(status = mote_source_open_file(source, name, file, error)) &&
	    !(status = read_head(&source->file[*file], &head, error)) &&
	    !(status = mote_safetensors_parse(head, source->file[*file].bytes, name, &w->shard[w->shards], error)))
		w->shards++;
	free(head);
	return status;
}

/* Adds the tensors of the last shard opened. */
static enum mote_status add_tensors(struct mote_hf_weights *w, uint32_t file, const char *name, struct mote_error *error)
{
	const struct mote_safetensors *shard = &w->shard[w->shards - 1];
	struct mote_hf_weight *grown =
		realloc(w->weight, (w->weights + (size_t)shard->tensors + 1) * sizeof *grown);

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	w->weight = grown;
	for (uint32_t i = 0; i < shard->tensors; i++)
		w->weight[w->weights++] = (struct mote_hf_weight){ .tensor = &shard->tensor[i], .file = file };
	return MOTE_OK;
}

struct placement {
	const char *tensor, *shard;
	uint32_t file; /* index into the source's files */
};

static int by_shard(const void *a, const void *b)
{
	const struct placement *x = a, *y = b;
	int order = strcmp(x->shard, y->shard);

	return order ? order : strcmp(x->tensor, y->tensor);
}

static enum mote_status read_map(const cJSON *map, struct placement *placement, struct mote_error *error)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, map) {
		if (!cJSON_IsString(item))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX ": \"%s\": expected a file name",
					      item->string);
		if (!item->valuestring[0] || strchr(item->valuestring, '/') || strstr(item->valuestring, ".."))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      INDEX ": \"%s\": shard name \"%s\" is refused: it may hold neither '/' nor '..'",
					      item->string, item->valuestring);
		*placement++ = (struct placement){ .tensor = item->string, .shard = item->valuestring };
	}
	return MOTE_OK;
}

/* The index and the shards must say the same: each tensor in exactly the shard where the index puts it. */
static enum mote_status check_index(const struct mote_source *source, const struct mote_hf_weights *w,
				    const struct placement *placement, uint32_t count, struct mote_error *error)
{
	for (uint32_t i = 1; i < w->weights; i++)
		if (by_name(&w->weight[i - 1], &w->weight[i]) == 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" is in %s and again in %s",
					      w->weight[i].tensor->name, source->file[w->weight[i - 1].file].name,
					      source->file[w->weight[i].file].name);
	for (uint32_t i = 0; i < count; i++) {
		const struct mote_hf_weight *weight = mote_hf_weights_find(w, placement[i].tensor);

		if (!weight || weight->file != placement[i].file)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX " puts tensor \"%s\" into %s, which lacks it",
					      placement[i].tensor, placement[i].shard);
	}
	/* keys are unique, so equal counts mean that no shard has one more */
	if (w->weights != count)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "the shards hold %u tensors, " INDEX " lists %u", w->weights,
				      count);
	return MOTE_OK;
}

static enum mote_status open_shards(struct mote_source *source, const cJSON *map, struct mote_hf_weights *w,
				    struct mote_error *error)
{
	struct placement *placement;
	enum mote_status status;
	const cJSON *item;
	uint32_t count = 0;

	if (!cJSON_IsObject(map) || !map->child)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX ": \"weight_map\" is no object with tensors");
	cJSON_ArrayForEach(item, map)
		count++;
	placement = calloc(count, sizeof *placement);
	if (!placement)
		return mote_error_set(error, MOTE_ERROR_MEMORY, INDEX ": out of memory");
	status = read_map(map, placement, error);
	if (!status)
		qsort(placement, count, sizeof *placement, by_shard);
	for (uint32_t i = 0; i < count && !status; i++) {
		if (i && strcmp(placement[i].shard, placement[i - 1].shard) == 0) {
			placement[i].file = placement[i - 1].file;
			continue;
		}
		if (w->shards == MAX_SHARDS)
			status = mote_error_set(error, MOTE_ERROR_LIMIT, INDEX ": more than %u shards", MAX_SHARDS);
		else if (!(status = open_shard(source, placement[i].shard, w, &placement[i].file, error)))
			status = add_tensors(w, placement[i].file, placement[i].shard, error);
	}
	if (!status) {
		qsort(w->weight, w->weights, sizeof *w->weight, by_name);
		status = check_index(source, w, placement, count, error);
	}
	free(placement);
	return status;
}

static enum mote_status open_index(struct mote_source *source, struct mote_hf_weights *w, struct mote_error *error)
{
	enum mote_status status;
	cJSON *index;

	status = mote_source_read_json(source, INDEX, true, &index, error);
	if (!status)
		status = open_shards(source, mote_json_get(index, "weight_map"), w, error);
	cJSON_Delete(index);
	return status;
}

static enum mote_status open_single(struct mote_source *source, struct mote_hf_weights *w, struct mote_error *error)
{
	enum mote_status status;
	uint32_t file;

	status = open_shard(source, SINGLE, w, &file, error);
	if (!status)
		status = add_tensors(w, file, SINGLE, error);
	if (!status)
		qsort(w->weight, w->weights, sizeof *w->weight, by_name);
	return status;
}

enum mote_status mote_hf_weights_open(struct mote_source *source, struct mote_hf_weights *out,
				      struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_hf_weights){ 0 };
	if (mote_source_has(source, SINGLE))
		status = open_single(source, out, error);
	else if (mote_source_has(source, INDEX))
		status = open_index(source, out, error);
	else if (mote_source_has(source, "pytorch_model.bin") || mote_source_has(source, "pytorch_model.bin.index.json"))
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"%s holds pickled weights (pytorch_model.bin); mote reads safetensors only", source->path);
	else
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s holds neither " SINGLE " nor " INDEX, source->path);
	if (status)
		mote_hf_weights_close(out);
	return status;
}

void mote_hf_weights_close(struct mote_hf_weights *w)
{
	for (uint32_t i = 0; i < w->shards; i++)
		mote_safetensors_free(&w->shard[i]);
	free(w->shard);
	free(w->weight);
	*w = (struct mote_hf_weights){ 0 };
}

enum mote_status mote_hf_weight_type(const struct mote_hf_weight *weight, enum mote_type *type,
				     struct mote_error *error)
{
	const char *dtype = weight->tensor->dtype;

	if (strcmp(dtype, "F32") == 0)
		*type = MOTE_F32;
	else if (strcmp(dtype, "F16") == 0)
		*type = MOTE_F16;
	else if (strcmp(dtype, "BF16") == 0)
		*type = MOTE_BF16;
	else
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "tensor \"%s\": dtype %s is not supported; BF16, F16 and F32 are",
				      weight->tensor->name, dtype);
	return MOTE_OK;
}
