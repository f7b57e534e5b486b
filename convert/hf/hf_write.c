/* A directory for transformers: see hf_write.h. */
#include "convert/hf/hf_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/export_model.h"
#include "convert/hf/hf_tokenizer_write.h"
#include "convert/hf/safetensors_write.h"
#include "convert/text_buffer.h"

#define MAX_FILES 80u /* of them up to 64 chat templates */

struct writing {
	const struct mote_container *c;
	const struct mote_hf_write_options *options;
	const char *directory;
	const cJSON *metadata;
	const struct mote_export_family *family;
	struct mote_output *file[MAX_FILES]; /* written, and waiting for the others */
	uint32_t files;
	struct mote_error *error;
};

static enum mote_status no_memory(const struct writing *w)
{
	return mote_error_set(w->error, MOTE_ERROR_MEMORY, "%s: out of memory", w->directory);
}

static enum mote_status open_file(struct writing *w, const char *name)
{
	size_t room = strlen(w->directory) + strlen(name) + 2;
	char *path = malloc(room);
	enum mote_status status;

	if (!path)
		return no_memory(w);
	snprintf(path, room, "%s/%s", w->directory, name);
	if (w->files == MAX_FILES)
		status = mote_error_set(w->error, MOTE_ERROR_LIMIT, "%s: more than %u files", w->directory, MAX_FILES);
	else
		status = mote_output_open(path, w->options->force, &w->file[w->files], w->error);
	free(path);
	if (!status)
		w->files++;
	return status;
}

static enum mote_status write_file(struct writing *w, const char *name, const char *text, size_t bytes)
{
	enum mote_status status = open_file(w, name);

	return status ? status : mote_output_write_at(w->file[w->files - 1], text, bytes, 0, w->error);
}

/* Takes the object. */
static enum mote_status write_json(struct writing *w, const char *name, cJSON *json)
{
	size_t bytes = 0;
	char *text = json ? mote_json_print(json, &bytes) : NULL;
	enum mote_status status = text ? write_file(w, name, text, bytes) : no_memory(w);

	free(text);
	cJSON_Delete(json);
	return status;
}

static bool copy(cJSON *to, const char *key, const cJSON *item)
{
	return !item || cJSON_AddItemToObject(to, key, cJSON_Duplicate(item, true));
}

static bool add_rope(cJSON *config, const cJSON *rope)
{
	const cJSON *kind = mote_json_get(rope, "type");
	cJSON *scaling;
	bool ok = copy(config, "rope_theta", mote_json_get(rope, "theta"));

	if (!cJSON_IsString(kind) || strcmp(kind->valuestring, "default") == 0)
		return ok && cJSON_AddNullToObject(config, "rope_scaling");
	scaling = cJSON_AddObjectToObject(config, "rope_scaling");
	ok = ok && scaling && copy(scaling, "rope_type", kind);
	for (const cJSON *item = rope->child; item && ok; item = item->next)
		if (strcmp(item->string, "type") && strcmp(item->string, "theta"))
			ok = copy(scaling, item->string, item);
	return ok;
}

static const char *torch_name(enum mote_type type)
{
	return type == MOTE_F16 ? "float16" : type == MOTE_BF16 ? "bfloat16" : "float32";
}

/* One id as a number, several as a list, none not at all. */
static bool add_eos(cJSON *to, const cJSON *eos)
{
	return !eos || !eos->child || copy(to, "eos_token_id", eos->child->next ? eos : eos->child);
}

static enum mote_status write_config(struct writing *w)
{
	const cJSON *model = mote_json_get(w->metadata, "model"), *tokens = mote_json_get(w->metadata, "tokens");
	const enum mote_type type = w->options->keep_types ? mote_container_tensor(w->c, 0)->type : w->options->type;
	cJSON *config = cJSON_CreateObject(), *names = cJSON_AddArrayToObject(config, "architectures");
	bool ok = names && cJSON_AddItemToArray(names, cJSON_CreateString(w->family->architecture)) &&
		  cJSON_AddStringToObject(config, "model_type", w->family->model_type) && cJSON_AddStringToObject(config, "hidden_act", "silu") &&
		  (strcmp(w->family->model_type, "llama") ||
		   (cJSON_AddFalseToObject(config, "attention_bias") && cJSON_AddFalseToObject(config, "mlp_bias")));

	for (const cJSON *item = model->child; item && ok; item = item->next)
		ok = strcmp(item->string, "rope") == 0 ? add_rope(config, item) :
		     (w->family->feature && !strcmp(item->string, w->family->feature)) || copy(config, item->string, item);
	ok = ok && copy(config, "bos_token_id", mote_json_get(tokens, "bos")) && add_eos(config, mote_json_get(tokens, "eos")) &&
	     copy(config, "pad_token_id", mote_json_get(tokens, "pad")) &&
	     cJSON_AddStringToObject(config, "torch_dtype", torch_name(type));
	if (ok)
		return write_json(w, "config.json", config);
	cJSON_Delete(config);
	return no_memory(w);
}

static enum mote_status write_generation(struct writing *w)
{
	const cJSON *given = mote_json_get(w->metadata, "generation"), *tokens = mote_json_get(w->metadata, "tokens");
	cJSON *generation = given ? cJSON_Duplicate(given, true) : cJSON_CreateObject();
	bool ok = generation && copy(generation, "bos_token_id", mote_json_get(tokens, "bos")) &&
		  add_eos(generation, mote_json_get(tokens, "eos")) &&
		  copy(generation, "pad_token_id", mote_json_get(tokens, "pad"));

	if (ok)
		return write_json(w, "generation_config.json", generation);
	cJSON_Delete(generation);
	return no_memory(w);
}

/* tokenizer_config.json, and with it at hand tokenizer.json, which the two together have to give the tokenizer again. */
static enum mote_status write_tokenizer(struct writing *w)
{
	static const char *const texts[][2] = { {"bos_text", "bos_token"}, {"eos_text", "eos_token"},
						{"unk_text", "unk_token"}, {"pad_text", "pad_token"}};
	const cJSON *tokens = mote_json_get(w->metadata, "tokens");
	cJSON *config = cJSON_CreateObject();
	struct mote_text_buffer json = {0};
	size_t section_bytes, config_bytes = 0;
	const void *section = mote_container_section(w->c, MOTE_SECTION_TOKENIZER, &section_bytes);
	bool ok = cJSON_AddStringToObject(config, "tokenizer_class", "PreTrainedTokenizerFast") &&
		  cJSON_AddFalseToObject(config, "clean_up_tokenization_spaces") &&
		  copy(config, "model_max_length", mote_json_get(mote_json_get(w->metadata, "model"), "max_position_embeddings"));
	enum mote_status status;
	char *text;

	for (size_t i = 0; i < sizeof texts / sizeof *texts && ok; i++)
		ok = copy(config, texts[i][1], mote_json_get(tokens, texts[i][0]));
	text = ok ? mote_json_print(config, &config_bytes) : NULL;
	cJSON_Delete(config);
	if (!text)
		return no_memory(w);
	if (!section)
		status = mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED, "%s holds no tokenizer", mote_container_path(w->c));
	else if (!(status = mote_hf_tokenizer_write(section, section_bytes, text, config_bytes, &json, w->error)) &&
		 !(status = write_file(w, "tokenizer.json", json.text, json.bytes)))
		status = write_file(w, "tokenizer_config.json", text, config_bytes);
	free(json.text);
	free(text);
	return status;
}

static enum mote_status make_folder(struct writing *w, const char *path, bool *made)
{
	*made = mkdir(path, 0777) == 0;
	if (*made || errno == EEXIST)
		return MOTE_OK;
	return mote_error_set(w->error, MOTE_ERROR_IO, "%s: cannot make it: %s", path, strerror(errno));
}

/* The default one as chat_template.jinja, others as additional_chat_templates/NAME.jinja. */
static enum mote_status write_templates(struct writing *w)
{
	const cJSON *list = mote_json_get(w->metadata, "chat_templates");
	enum mote_status status = MOTE_OK;
	char name[300];
	bool made;

	for (const cJSON *item = list ? list->child : NULL; item && !status; item = item->next) {
		const cJSON *key = mote_json_get(item, "name"), *text = mote_json_get(item, "template");

		if (!cJSON_IsString(key) || !cJSON_IsString(text) || strlen(key->valuestring) > 200 || strchr(key->valuestring, '/'))
			return mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED, "chat template \"%s\": no name for a file",
					      cJSON_IsString(key) ? key->valuestring : "");
		snprintf(name, sizeof name, "chat_template.jinja");
		if (strcmp(key->valuestring, "default")) {
			char *folder = malloc(strlen(w->directory) + 32);

			if (!folder)
				return no_memory(w);
			sprintf(folder, "%s/additional_chat_templates", w->directory);
			status = make_folder(w, folder, &made);
			free(folder);
			snprintf(name, sizeof name, "additional_chat_templates/%s.jinja", key->valuestring);
		}
		if (!status)
			status = write_file(w, name, text->valuestring, strlen(text->valuestring));
	}
	return status;
}

static enum mote_status write_all(struct writing *w, uint64_t *bytes)
{
	enum mote_status status;

	if ((status = write_config(w)) || (status = write_generation(w)) || (status = write_tokenizer(w)) ||
	    (status = write_templates(w)) || (status = open_file(w, "model.safetensors")) ||
	    (status = mote_safetensors_write(w->c, w->options, w->file[w->files - 1], bytes, w->error)))
		return status;
	for (uint32_t i = 0; i < w->files && !status; i++) {
		status = mote_output_commit(w->file[i], w->error);
		w->file[i] = NULL;
	}
	return status;
}

/* Those that were made and stayed empty; what holds a file stays. */
static void remove_folders(const char *directory)
{
	char *inner = malloc(strlen(directory) + 32);

	if (inner) {
		sprintf(inner, "%s/additional_chat_templates", directory);
		rmdir(inner);
	}
	free(inner);
	rmdir(directory);
}

enum mote_status mote_hf_write(const struct mote_container *c, const char *directory,
			       const struct mote_hf_write_options *options, uint64_t *bytes, struct mote_error *error)
{
	struct mote_error own = {0};
	struct writing w = { .c = c, .options = options, .directory = directory, .metadata = mote_container_metadata(c),
			     .error = &own };
	bool made = false;
	enum mote_status status = mote_export_family(c, "a Hugging Face directory", &w.family, &own);

	*bytes = 0;
	if (!status)
		status = make_folder(&w, directory, &made);
	if (!status)
		status = write_all(&w, bytes);
	for (uint32_t i = 0; i < w.files; i++)
		mote_output_discard(w.file[i]);
	if (status) {
		(void)mote_error_set(error, status, "%s", own.message);
		if (made)
			remove_folders(directory);
	}
	return status;
}
