/* LoRA adapters: see hf_lora.h. */
#include "convert/hf/hf_lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert/panel_pack.h"
#include "format/json_build.h"

#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"
#define PREFIX "base_model.model."
#define A ".lora_A.weight"
#define B ".lora_B.weight"

struct adapter {
	struct mote_source *source;
	struct mote_hf_weights *weights;
	struct mote_checkpoint_tensors *plan;
	struct mote_lora *lora;
	double alpha, factor;
	bool stabilized;           /* alpha / sqrt(r) */
	uint32_t file;             /* index into the source's files */
	struct mote_error *error;
};

static bool is_set(const cJSON *item)
{
	return item && !cJSON_IsNull(item) && !cJSON_IsFalse(item) &&
	       !((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child);
}

/* The other ways to begin take what the adapter begins as out of the model's weights: what belongs to it then is what
 * remained of them, not the checkpoint. */
static enum mote_status check_start(const struct adapter *a, const cJSON *config)
{
	static const char *const known[] = {"gaussian", "eva", "orthogonal"};
	const cJSON *start = mote_json_get(config, "init_lora_weights");

	if (!cJSON_IsString(start))
		return MOTE_OK;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(start->valuestring, known[i]) == 0)
			return MOTE_OK;
	return mote_error_set(a->error, MOTE_ERROR_UNSUPPORTED,
			      CONFIG ": \"init_lora_weights\" is \"%s\", which changes the model's weights, too: save "
			      "the adapter with path_initial_model_for_weight_conversion", start->valuestring);
}

/* Ranks ("r", "rank_pattern") are those of the tensors. */
static enum mote_status read_config(struct adapter *a, const cJSON *config)
{
	static const char *const refused[] = { "use_dora", "fan_in_fan_out", "alpha_pattern", "lora_bias",
					       "megatron_config", "layer_replication", "use_qalora",
					       "alora_invocation_tokens" };
	const char *type, *bias;
	enum mote_status status;

	if ((status = mote_json_want_string(config, "peft_type", "LORA", CONFIG, &type, a->error)) ||
	    (status = mote_json_want_string(config, "bias", "none", CONFIG, &bias, a->error)) ||
	    (status = mote_json_want_double(config, "lora_alpha", 0, 1e6, 8, CONFIG, &a->alpha, a->error)) ||
	    (status = mote_json_want_bool(config, "use_rslora", false, CONFIG, &a->stabilized, a->error)))
		return status;
	if (strcmp(type, "LORA"))
		return mote_error_set(a->error, MOTE_ERROR_UNSUPPORTED,
				      CONFIG ": \"peft_type\" is \"%s\"; only LORA is merged", type);
	if (strcmp(bias, "none"))
		return mote_error_set(a->error, MOTE_ERROR_UNSUPPORTED, CONFIG ": \"bias\" is \"%s\"; only \"none\" is "
				      "merged", bias);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (is_set(mote_json_get(config, refused[i])))
			return mote_error_set(a->error, MOTE_ERROR_UNSUPPORTED,
					      CONFIG ": \"%s\" is set; mote does not merge that", refused[i]);
	return check_start(a, config);
}

static const struct mote_safetensors_tensor *find(const struct mote_lora *l, const char *name)
{
	for (uint32_t i = 0; i < l->file.tensors; i++)
		if (strcmp(l->file.tensor[i].name, name) == 0)
			return &l->file.tensor[i];
	return NULL;
}

static enum mote_status misshapen(const struct adapter *a, const struct mote_safetensors_tensor *t)
{
	char shape[128];

	return mote_error_set(a->error, MOTE_ERROR_CORRUPT, WEIGHTS ": tensor \"%s\": shape %s does not fit the model",
			      t->name, mote_safetensors_shape(t, shape, sizeof shape));
}

/* The tensor's values as f32; allocated. */
static enum mote_status load(const struct adapter *a, const struct mote_safetensors_tensor *t, float **out)
{
	const struct mote_hf_weight weight = {.name = t->name, .tensor = t};
	const uint64_t n = t->shape[0] * t->shape[1];
	uint8_t *raw = malloc((size_t)t->bytes + 1);
	enum mote_type type = MOTE_F32;
	enum mote_status status;

	*out = n > UINT32_MAX ? NULL : malloc((size_t)n * sizeof **out + 1);
	if (!raw || !*out)
		status = mote_error_set(a->error, MOTE_ERROR_MEMORY, WEIGHTS ": out of memory");
	else if (!(status = mote_hf_weight_type(&weight, &type, a->error)) &&
		 !(status = mote_source_read_at(&a->source->file[a->file], t->offset, raw, (size_t)t->bytes, a->error)))
		status = mote_vector_widen(t->name, type, raw, (uint32_t)n, *out, a->error);
	free(raw);
	return status;
}

/* The model's weight that a name in the adapter speaks of: module without the prefix, and ".weight" behind it. */
static enum mote_status find_weight(const struct adapter *a, const char *name, size_t bytes,
				    struct mote_hf_weight **out)
{
	/* what a model of text is called in one that sees images */
	static const char *const wrappers[] = {"language_model.model.", "model.language_model."};
	char full[512];

	if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 && bytes < sizeof full - 16) {
		const char *own = name + strlen(PREFIX), *begin = "";

		for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers && !*begin; i++)
			if (strncmp(own, wrappers[i], strlen(wrappers[i])) == 0) {
				own += strlen(wrappers[i]);
				begin = "model.";
			}
		snprintf(full, sizeof full, "%s%.*s.weight", begin, (int)(name + bytes - own), own);
		*out = mote_hf_weights_find(a->weights, full);
		if (*out && (*out)->used)
			return MOTE_OK;
	}
	return mote_error_set(a->error, MOTE_ERROR_CORRUPT, WEIGHTS ": tensor \"%s\": the model has no such weight",
			      name);
}

/* Every tensor of the model that lies in this weight is read as f32 now; what it is kept as stays, but for blocks. */
static void retype(struct adapter *a, const struct mote_hf_weight *weight)
{
	for (uint32_t i = 0; i < a->plan->tensors; i++) {
		struct mote_checkpoint_tensor *t = &a->plan->tensor[i];

		if (t->weight != weight)
			continue;
		t->from = MOTE_F32;
		if (mote_type_is_quantized(t->keep))
			t->keep = MOTE_F32;
	}
}

static enum mote_status add_update(struct adapter *a, const struct mote_safetensors_tensor *ta)
{
	const size_t bytes = strlen(ta->name) - strlen(A);
	struct mote_lora_update *u = &a->lora->update[a->lora->updates];
	const struct mote_safetensors_tensor *tb;
	struct mote_hf_weight *weight;
	enum mote_status status;
	char name[512];

	status = find_weight(a, ta->name, bytes, &weight);
	if (status)
		return status;
	snprintf(name, sizeof name, "%.*s" B, (int)bytes, ta->name);
	tb = find(a->lora, name);
	if (!tb)
		return mote_error_set(a->error, MOTE_ERROR_CORRUPT, WEIGHTS ": tensor \"%s\" is missing", name);
	if (ta->rank != 2 || weight->tensor->rank != 2 || ta->shape[1] != weight->tensor->shape[1] || !ta->shape[0])
		return misshapen(a, ta);
	if (tb->rank != 2 || tb->shape[0] != weight->tensor->shape[0] || tb->shape[1] != ta->shape[0])
		return misshapen(a, tb);
	a->lora->updates++;
	u->rank = (uint32_t)ta->shape[0];
	u->rows = (uint32_t)tb->shape[0];
	u->cols = (uint32_t)ta->shape[1];
	u->scale = (float)(a->factor * a->alpha / (a->stabilized ? sqrt(u->rank) : u->rank));
	if ((status = load(a, ta, &u->a)) || (status = load(a, tb, &u->b)))
		return status;
	retype(a, weight);
	if (!weight->lora) {
		weight->lora = u;
	} else {
		struct mote_lora_update *last = weight->lora;

		while (last->next)
			last = last->next;
		last->next = u;
	}
	return MOTE_OK;
}

/* One of "modules_to_save": it takes the weight's place. */
static enum mote_status replace(struct adapter *a, const struct mote_safetensors_tensor *t)
{
	const size_t n = strlen(t->name);
	struct mote_hf_weight *weight;
	enum mote_type type;
	enum mote_status status;

	if (n < 7 || strcmp(t->name + n - 7, ".weight"))
		return mote_error_set(a->error, MOTE_ERROR_UNSUPPORTED, WEIGHTS ": tensor \"%s\" is not merged",
				      t->name);
	status = find_weight(a, t->name, n - 7, &weight);
	if (status)
		return status;
	if (t->rank != weight->tensor->rank || memcmp(t->shape, weight->tensor->shape, t->rank * sizeof *t->shape))
		return misshapen(a, t);
	weight->tensor = t;
	weight->file = a->file;
	weight->blocks = NULL;
	weight->permuted_heads = 0;
	status = mote_hf_weight_type(weight, &type, a->error);
	for (uint32_t i = 0; i < a->plan->tensors; i++) {
		struct mote_checkpoint_tensor *p = &a->plan->tensor[i];

		if (p->weight != weight)
			continue;
		p->from = p->keep = type;
		p->bytes = t->bytes / p->weight_rows * p->rows;
	}
	return status;
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

/* Saved modules first: updates come on top of them. */
static enum mote_status apply_tensors(struct adapter *a)
{
	struct mote_lora *l = a->lora;
	enum mote_status status = MOTE_OK;

	l->update = calloc(l->file.tensors + (size_t)1, sizeof *l->update);
	if (!l->update)
		return mote_error_set(a->error, MOTE_ERROR_MEMORY, WEIGHTS ": out of memory");
	for (uint32_t i = 0; i < l->file.tensors && !status; i++) {
		const struct mote_safetensors_tensor *t = &l->file.tensor[i];

		if (!ends_in(t->name, A) && !ends_in(t->name, B))
			status = replace(a, t);
	}
	for (uint32_t i = 0; i < l->file.tensors && !status; i++) {
		const struct mote_safetensors_tensor *t = &l->file.tensor[i];
		char other[512];

		if (ends_in(t->name, A)) {
			status = add_update(a, t);
		} else if (ends_in(t->name, B)) {
			snprintf(other, sizeof other, "%.*s" A, (int)(strlen(t->name) - strlen(B)), t->name);
			if (!find(l, other))
				status = mote_error_set(a->error, MOTE_ERROR_CORRUPT,
							WEIGHTS ": tensor \"%s\" is missing", other);
		}
	}
	return status;
}

static enum mote_status read_header(struct adapter *a, const struct mote_source_file *file)
{
	uint8_t field[8] = {0}, *head;
	size_t n = file->bytes < 8 ? (size_t)file->bytes : 8;
	enum mote_status status = mote_source_read_at(file, 0, field, n, a->error);

	if (status)
		return status;
	n += (size_t)mote_safetensors_header_bytes(field, file->bytes);
	head = malloc(n + 1);
	if (!head)
		return mote_error_set(a->error, MOTE_ERROR_MEMORY, WEIGHTS ": out of memory");
	status = mote_source_read_at(file, 0, head, n, a->error);
	if (!status)
		status = mote_safetensors_parse(head, file->bytes, WEIGHTS, &a->lora->file, a->error);
	free(head);
	return status;
}

static enum mote_status note_lineage(const struct adapter *a, cJSON *lineage)
{
	struct mote_json_builder b = {0};
	cJSON *entry = mote_json_add_object(&b, lineage, NULL);

	mote_json_add_text(&b, entry, "file", WEIGHTS);
	mote_json_add_number(&b, entry, "alpha", a->alpha);
	mote_json_add_bool(&b, entry, "rank_stabilized", a->stabilized);
	mote_json_add_number(&b, entry, "factor", a->factor);
	mote_json_add_number(&b, entry, "weights", a->lora->updates);
	return b.failed ? mote_error_set(a->error, MOTE_ERROR_MEMORY, "out of memory") : MOTE_OK;
}

enum mote_status mote_lora_apply(const char *directory, double factor, struct mote_source *source,
				 struct mote_hf_weights *weights, struct mote_checkpoint_tensors *plan, cJSON *lineage,
				 struct mote_lora *out, struct mote_error *error)
{
	struct adapter a = {.source = source, .weights = weights, .plan = plan, .lora = out, .factor = factor,
			    .error = error};
	struct mote_source own = {.fd = -1};
	enum mote_status status;
	cJSON *config = NULL;
	uint32_t file = 0;

	if (!(status = mote_source_open(directory, &own, error)) &&
	    !(status = mote_source_read_json(&own, CONFIG, true, &config, error)) &&
	    !(status = read_config(&a, config)) && !(status = mote_source_open_file(&own, WEIGHTS, &file, error)) &&
	    !(status = read_header(&a, &own.file[file]))) {
		a.file = source->files + file;
		status = mote_source_adopt(source, &own, error);
		if (!status)
			status = apply_tensors(&a);
		if (!status)
			status = note_lineage(&a, lineage);
	}
	cJSON_Delete(config);
	mote_source_close(&own);
	return status;
}

void mote_lora_free(struct mote_lora *l)
{
	for (uint32_t i = 0; i < l->updates; i++) {
		free(l->update[i].a);
		free(l->update[i].b);
	}
	free(l->update);
	mote_safetensors_free(&l->file);
	*l = (struct mote_lora){0};
}
