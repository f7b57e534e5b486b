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

	return strcmp(x->name, y->name);
}

struct mote_hf_weight *mote_hf_weights_find(const struct mote_hf_weights *w, const char *name)
{
	struct mote_hf_weight key = {.name = name};

	return bsearch(&key, w->weight, w->weights, sizeof key, by_name);
}

/* The file's first bytes: its length field and, if that can be right, its header. */
static enum mote_status read_head(const struct mote_source_file *file, uint8_t **head, struct mote_error *error)
{
	uint8_t field[8] = {0};
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
static enum mote_status add_tensors(struct mote_hf_weights *w, uint32_t file, const char *name,
				    struct mote_error *error)
{
	const struct mote_safetensors *shard = &w->shard[w->shards - 1];
	struct mote_hf_weight *grown =
		realloc(w->weight, (w->weights + (size_t)shard->tensors + 1) * sizeof *grown);

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	w->weight = grown;
	for (uint32_t i = 0; i < shard->tensors; i++)
		w->weight[w->weights++] = (struct mote_hf_weight){ .name = shard->tensor[i].name,
								   .first_name = shard->tensor[i].name,
								   .tensor = &shard->tensor[i], .file = file };
	return MOTE_OK;
}

/* "__metadata__" maps the name of a tensor that was not written to that of the one which has its data; other keys of
 * it ("format") name no tensor. The weights are sorted by name. */
static enum mote_status add_aliases(struct mote_hf_weights *w, struct mote_error *error)
{
	const uint32_t own = w->weights;
	struct mote_hf_weight *grown;
	uint32_t kept = 0;
	const cJSON *item;
	size_t most = own;

	for (uint32_t s = 0; s < w->shards; s++)
		most += (size_t)cJSON_GetArraySize(mote_json_get(w->shard[s].header, "__metadata__"));
	grown = realloc(w->weight, (most + 1) * sizeof *grown);
	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	w->weight = grown;
	for (uint32_t s = 0; s < w->shards; s++)
		cJSON_ArrayForEach(item, mote_json_get(w->shard[s].header, "__metadata__")) {
			const struct mote_hf_weights sorted = {.weight = w->weight, .weights = own};
			const struct mote_hf_weight *stored = mote_hf_weights_find(&sorted, item->valuestring);

			if (!stored || mote_hf_weights_find(&sorted, item->string))
				continue;
			w->weight[w->weights] = *stored;
			w->weight[w->weights].name = w->weight[w->weights].first_name = item->string;
			w->weight[w->weights++].alias = true;
		}
	qsort(w->weight, w->weights, sizeof *w->weight, by_name);
	/* two shards may say the same */
	for (uint32_t i = 0; i < w->weights; i++)
		if (!kept || strcmp(w->weight[kept - 1].name, w->weight[i].name))
			w->weight[kept++] = w->weight[i];
	w->weights = kept;
	return MOTE_OK;
}

enum mote_status mote_hf_weights_rename(struct mote_hf_weights *w, const char *prefix, const char *replacement,
					struct mote_error *error)
{
	const size_t cut = strlen(prefix), put = strlen(replacement);

	for (uint32_t i = 0; i < w->weights; i++) {
		struct mote_hf_weight *weight = &w->weight[i];
		size_t rest = strlen(weight->name);
		char *name;

		if (strncmp(weight->name, prefix, cut))
			continue;
		rest -= cut;
		name = malloc(put + rest + 1);
		if (!name)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
		memcpy(name, replacement, put);
		memcpy(name + put, weight->name + cut, rest + 1);
		free(weight->new_name);
		weight->name = weight->new_name = name;
	}
	qsort(w->weight, w->weights, sizeof *w->weight, by_name);
	return MOTE_OK;
}

void mote_hf_weights_restore_names(struct mote_hf_weights *w)
{
	for (uint32_t i = 0; i < w->weights; i++) {
		free(w->weight[i].new_name);
		w->weight[i].new_name = NULL;
		w->weight[i].name = w->weight[i].first_name;
		w->weight[i].used = false;
	}
	qsort(w->weight, w->weights, sizeof *w->weight, by_name);
}

static int by_shard(const void *a, const void *b)
{
	const struct mote_hf_place *x = a, *y = b;

	return strcmp(x->shard, y->shard);
}

static int by_tensor(const void *a, const void *b)
{
	const struct mote_hf_place *x = a, *y = b;

	return strcmp(x->tensor, y->tensor);
}

const char *mote_hf_weights_listed(const struct mote_hf_weights *w, const char *name)
{
	const struct mote_hf_place key = {.tensor = name};
	const struct mote_hf_place *place = w->places ? bsearch(&key, w->place, w->places, sizeof key, by_tensor)
						      : NULL;

	return place ? place->shard : NULL;
}

enum mote_status mote_hf_weight_check_place(const struct mote_hf_weights *w, const struct mote_source *source,
					    const struct mote_hf_weight *weight, struct mote_error *error)
{
	const char *found = source->file[weight->file].name, *name = weight->tensor->name, *listed;

	if (!w->index)
		return MOTE_OK;
	listed = mote_hf_weights_listed(w, name);
	if (!listed)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX " does not list tensor \"%s\", which %s holds",
				      name, found);
	if (strcmp(listed, found))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX " puts tensor \"%s\" into %s, which lacks it; "
				      "%s holds it", name, listed, found);
	return MOTE_OK;
}

static enum mote_status read_map(const cJSON *map, struct mote_hf_weights *w, struct mote_error *error)
{
	const cJSON *item;

	if (!cJSON_IsObject(map) || !map->child)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX ": \"weight_map\" is no object with tensors");
	w->place = calloc((size_t)cJSON_GetArraySize(map), sizeof *w->place);
	if (!w->place)
		return mote_error_set(error, MOTE_ERROR_MEMORY, INDEX ": out of memory");
	cJSON_ArrayForEach(item, map) {
		if (!cJSON_IsString(item))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, INDEX ": \"%s\": expected a file name",
					      item->string);
		if (!item->valuestring[0] || strchr(item->valuestring, '/') || strstr(item->valuestring, ".."))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      INDEX ": \"%s\": shard name \"%s\" is refused: it may hold neither '/' "
					      "nor '..'", item->string, item->valuestring);
		w->place[w->places++] = (struct mote_hf_place){.tensor = item->string, .shard = item->valuestring};
	}
	return MOTE_OK;
}

static enum mote_status refuse_twins(const struct mote_source *source, const struct mote_hf_weights *w,
				     struct mote_error *error)
{
	for (uint32_t i = 1; i < w->weights; i++)
		if (by_name(&w->weight[i - 1], &w->weight[i]) == 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" is in %s and again in %s",
					      w->weight[i].tensor->name, source->file[w->weight[i - 1].file].name,
					      source->file[w->weight[i].file].name);
	return MOTE_OK;
}

static enum mote_status open_shards(struct mote_source *source, struct mote_hf_weights *w, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint32_t file;

	qsort(w->place, w->places, sizeof *w->place, by_shard);
	for (uint32_t i = 0; i < w->places && !status; i++) {
		if (i && strcmp(w->place[i].shard, w->place[i - 1].shard) == 0)
			continue;
		if (w->shards == MAX_SHARDS)
			status = mote_error_set(error, MOTE_ERROR_LIMIT, INDEX ": more than %u shards", MAX_SHARDS);
		else if (!(status = open_shard(source, w->place[i].shard, w, &file, error)))
			status = add_tensors(w, file, w->place[i].shard, error);
	}
	if (status)
		return status;
	qsort(w->place, w->places, sizeof *w->place, by_tensor);
	qsort(w->weight, w->weights, sizeof *w->weight, by_name);
	return refuse_twins(source, w, error);
}

static enum mote_status open_index(struct mote_source *source, struct mote_hf_weights *w, struct mote_error *error)
{
	enum mote_status status = mote_source_read_json(source, INDEX, true, &w->index, error);

	if (!status)
		status = read_map(mote_json_get(w->index, "weight_map"), w, error);
	return status ? status : open_shards(source, w, error);
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
	static const char *const layout[] = {SINGLE, INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json"};
	enum mote_status status = MOTE_OK;
	bool has = false;
	size_t i = 0;

	*out = (struct mote_hf_weights){0};
	while (i < 4 && !(status = mote_source_has(source, layout[i], &has, error)) && !has)
		i++;
	if (status)
		return status;
	if (i == 0)
		status = open_single(source, out, error);
	else if (i == 1)
		status = open_index(source, out, error);
	else if (i < 4)
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"%s holds pickled weights (pytorch_model.bin); mote reads safetensors only",
					source->path);
	else
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s holds neither " SINGLE " nor " INDEX,
					source->path);
	if (!status)
		status = add_aliases(out, error);
	if (status)
		mote_hf_weights_close(out);
	return status;
}

void mote_hf_weights_close(struct mote_hf_weights *w)
{
	for (uint32_t i = 0; i < w->shards; i++)
		mote_safetensors_free(&w->shard[i]);
	for (uint32_t i = 0; i < w->weights; i++)
		free(w->weight[i].new_name);
	cJSON_Delete(w->index);
	free(w->place);
	free(w->shard);
	free(w->weight);
	*w = (struct mote_hf_weights){0};
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
				      weight->name, dtype);
	return MOTE_OK;
}
