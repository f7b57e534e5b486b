/* Adapters as PEFT saves them: see adapter.h. Every factor is an f32 tensor of a safetensors file,
 * named by its module. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/json.h"
#include "format/json_build.h"
#include "format/output.h"
#include "quant/train/adapter.h"

#define PREFIX "base_model.model."

enum { NAME_BYTES = MOTE_WEIGHT_NAME_BYTES + 64 };

/* "model.layers.0.mlp.up_proj.weight" without its end. */
static int module_bytes(const struct mote_low_rank *l)
{
	const char *end = strrchr(l->of->name, '.');

	return (int)(end ? end - l->of->name : (ptrdiff_t)strlen(l->of->name));
}

/* Its last part, "up_proj"; of the first layer's, all modules there are. */
static void add_modules(struct mote_json_builder *b, cJSON *config, const struct mote_adapter *a)
{
	cJSON *list = mote_json_add_array(b, config, "target_modules");

	for (uint32_t i = 0; i < a->parts && a->part[i].of->layer == a->part[0].of->layer; i++) {
		char module[MOTE_WEIGHT_NAME_BYTES];
		const char *dot;

		snprintf(module, sizeof module, "%.*s", module_bytes(&a->part[i]), a->part[i].of->name);
		dot = strrchr(module, '.');
		mote_json_add_text(b, list, NULL, dot ? dot + 1 : module);
	}
}

static enum mote_status print(struct mote_json_builder *b, cJSON *o, char **text, size_t *bytes,
			      struct mote_error *error)
{
	enum mote_status status = mote_json_finish(b, &o, "the adapter", error);

	*text = status ? NULL : mote_json_print(o, bytes);
	cJSON_Delete(o);
	return status || *text ? status : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
}

static enum mote_status write_config(const struct mote_adapter *a, struct mote_output *file, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);
	enum mote_status status;
	size_t bytes;
	char *text;

	mote_json_add_text(&b, o, "peft_type", "LORA");
	mote_json_add_text(&b, o, "task_type", "CAUSAL_LM");
	mote_json_add_null(&b, o, "base_model_name_or_path");
	mote_json_add_number(&b, o, "r", a->rank);
	mote_json_add_number(&b, o, "lora_alpha", a->alpha);
	mote_json_add_number(&b, o, "lora_dropout", 0);
	mote_json_add_text(&b, o, "bias", "none");
	mote_json_add_bool(&b, o, "use_rslora", false);
	mote_json_add_bool(&b, o, "fan_in_fan_out", false);
	mote_json_add_bool(&b, o, "inference_mode", true);
	add_modules(&b, o, a);
	status = print(&b, o, &text, &bytes, error);
	if (status == MOTE_OK)
		status = mote_output_write_at(file, text, bytes, 0, error);
	free(text);
	return status;
}

static void add_tensor(struct mote_json_builder *b, cJSON *o, const struct mote_low_rank *l, char factor, uint64_t *at)
{
	uint32_t rows = factor == 'A' ? l->rank : l->of->rows, cols = factor == 'A' ? l->of->cols : l->rank;
	char name[NAME_BYTES];
	cJSON *t, *list;

	snprintf(name, sizeof name, PREFIX "%.*s.lora_%c.weight", module_bytes(l), l->of->name, factor);
	t = mote_json_add_object(b, o, name);
	mote_json_add_text(b, t, "dtype", "F32");
	list = mote_json_add_array(b, t, "shape");
	mote_json_add_number(b, list, NULL, rows);
	mote_json_add_number(b, list, NULL, cols);
	list = mote_json_add_array(b, t, "data_offsets");
	mote_json_add_number(b, list, NULL, (double)*at);
	*at += (uint64_t)rows * cols * sizeof(float);
	mote_json_add_number(b, list, NULL, (double)*at);
}

/* Eight bytes of the header's length, the header filled up to a multiple of eight with spaces, the data. */
static enum mote_status write_weights(const struct mote_adapter *a, struct mote_output *file, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);
	uint64_t at = 0, header;
	size_t bytes;
	char *text;
	enum mote_status status;

	mote_json_add_text(&b, mote_json_add_object(&b, o, "__metadata__"), "format", "pt");
	for (uint32_t i = 0; i < a->parts; i++) {
		add_tensor(&b, o, &a->part[i], 'A', &at);
		add_tensor(&b, o, &a->part[i], 'B', &at);
	}
	status = print(&b, o, &text, &bytes, error);
	header = status ? 0 : (bytes + 7) / 8 * 8;
	if (status == MOTE_OK)
		status = mote_output_write_at(file, &header, sizeof header, 0, error);
	if (status == MOTE_OK)
		status = mote_output_write_at(file, text, bytes, 8, error);
	if (status == MOTE_OK)
		status = mote_output_write_at(file, "       ", header - bytes, 8 + bytes, error);
	free(text);
	at = 8 + header;
	for (uint32_t i = 0; i < a->parts && !status; i++) {
		const struct mote_low_rank *l = &a->part[i];
		size_t first = (size_t)l->rank * l->of->cols * sizeof(float);
		size_t second = (size_t)l->of->rows * l->rank * sizeof(float);

		status = mote_output_write_at(file, l->a, first, at, error);
		if (status == MOTE_OK)
			status = mote_output_write_at(file, l->b, second, at + first, error);
		at += first + second;
	}
	return status;
}

static enum mote_status open_in(const char *folder, const char *name, bool force, struct mote_output **out,
				struct mote_error *error)
{
	char *path = malloc(strlen(folder) + strlen(name) + 2);
	enum mote_status status;

	if (!path)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	sprintf(path, "%s/%s", folder, name);
	status = mote_output_open(path, force, out, error);
	free(path);
	return status;
}

/* The folder and the files in it, which have no names yet. */
struct place {
	const char *folder;
	bool made;
	struct mote_output *config, *weights;
};

static enum mote_status open_place(struct place *p, bool force, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	p->made = mkdir(p->folder, 0777) == 0;
	if (!p->made && errno != EEXIST)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: cannot make it: %s", p->folder, strerror(errno));
	if (status == MOTE_OK)
		status = open_in(p->folder, "adapter_config.json", force, &p->config, error);
	return status ? status : open_in(p->folder, "adapter_model.safetensors", force, &p->weights, error);
}

static void leave_place(struct place *p, bool empty)
{
	mote_output_discard(p->config);
	mote_output_discard(p->weights);
	if (empty && p->made)
		rmdir(p->folder);
}

enum mote_status mote_adapter_check(const char *folder, bool force, struct mote_error *error)
{
	struct place p = {.folder = folder};
	enum mote_status status = open_place(&p, force, error);

	leave_place(&p, true);
	return status;
}

enum mote_status mote_adapter_write(const struct mote_adapter *a, const char *folder, bool force,
				    struct mote_error *error)
{
	struct place p = {.folder = folder};
	enum mote_status status = open_place(&p, force, error);

	if (status == MOTE_OK)
		status = write_config(a, p.config, error);
	if (status == MOTE_OK)
		status = write_weights(a, p.weights, error);
	if (status == MOTE_OK) {
		status = mote_output_commit(p.weights, error);
		p.weights = NULL;
	}
	if (status == MOTE_OK) {
		status = mote_output_commit(p.config, error);
		p.config = NULL;
	}
	leave_place(&p, status != MOTE_OK);
	return status;
}
