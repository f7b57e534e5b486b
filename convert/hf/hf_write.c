/* A directory for transformers: see hf_write.h. */
#include "convert/hf/hf_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/export_model.h"
#include "convert/hf/hf_config_write.h"
#include "convert/hf/hf_tokenizer_write.h"
#include "convert/hf/safetensors_write.h"
#include "convert/text_buffer.h"
#include "format/json_build.h"

#define MAX_FILES 80u /* of them up to 64 chat templates */

struct writing {
	const struct mote_container *c;
	const struct mote_hf_write_options *options;
	const char *directory;
	const cJSON *metadata;
	struct mote_config config;
	const struct mote_export_family *family;
	struct mote_hf_config form; /* of the config that was written, read again */
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
	else if (!(status = mote_output_refuse_input(path, mote_container_path(w->c), w->error)))
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

/* Takes the object that was built. */
static enum mote_status write_json(struct writing *w, const char *name, struct mote_json_builder *b, cJSON *json)
{
	size_t bytes = 0;
	char *text = b->failed ? NULL : mote_json_print(json, &bytes);
	enum mote_status status = text ? write_file(w, name, text, bytes) : no_memory(w);

	free(text);
	cJSON_Delete(json);
	return status;
}

static void copy(struct mote_json_builder *b, cJSON *to, const char *key, const cJSON *item)
{
	if (item)
		mote_json_add_item(b, to, key, cJSON_Duplicate(item, true));
}

static const char *torch_name(enum mote_type type)
{
	return type == MOTE_F16 ? "float16" : type == MOTE_BF16 ? "bfloat16" : "float32";
}

/* One id as a number, several as a list, none not at all. */
static void add_eos(struct mote_json_builder *b, cJSON *to, const cJSON *eos)
{
	if (eos && eos->child)
		copy(b, to, "eos_token_id", eos->child->next ? eos : eos->child);
}

static void add_ids(struct mote_json_builder *b, cJSON *to, const cJSON *tokens)
{
	copy(b, to, "bos_token_id", mote_json_get(tokens, "bos"));
	add_eos(b, to, mote_json_get(tokens, "eos"));
	copy(b, to, "pad_token_id", mote_json_get(tokens, "pad"));
}

/* Whether the config, read again, says the same model; and how the family stores it. */
static enum mote_status check_config(struct writing *w, const cJSON *config)
{
	cJSON *again = cJSON_CreateObject();
	enum mote_status status = mote_hf_config_read(config, &w->form, w->error);

	if (!status && !(again && mote_config_write(&w->form.model, again)))
		status = no_memory(w);
	if (!status && !cJSON_Compare(mote_json_get(again, "model"), mote_json_get(w->metadata, "model"), true))
		status = mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED,
					"%s: what %s has in its config.json is another model than this "
					"one: not written as a Hugging Face directory", mote_container_path(w->c),
					w->family->architecture);
	cJSON_Delete(again);
	return status;
}

static enum mote_status write_config(struct writing *w)
{
	const cJSON *model = mote_json_get(w->metadata, "model");
	const enum mote_type type = w->options->keep_types ? mote_container_tensor(w->c, 0)->type : w->options->type;
	cJSON *config = mote_hf_config_write(&w->config, mote_json_get(model, "rope"), w->family);
	enum mote_status status = config ? check_config(w, config) : no_memory(w);
	struct mote_json_builder b = {0};

	if (status) {
		cJSON_Delete(config);
		return status;
	}
	add_ids(&b, config, mote_json_get(w->metadata, "tokens"));
	mote_json_add_text(&b, config, "torch_dtype", torch_name(type));
	return write_json(w, "config.json", &b, config);
}

static enum mote_status write_generation(struct writing *w)
{
	const cJSON *given = mote_json_get(w->metadata, "generation");
	cJSON *generation = given ? cJSON_Duplicate(given, true) : cJSON_CreateObject();
	struct mote_json_builder b = {.failed = !generation};

	add_ids(&b, generation, mote_json_get(w->metadata, "tokens"));
	return write_json(w, "generation_config.json", &b, generation);
}

/* tokenizer_config.json, and with it at hand tokenizer.json,
 * which the two together have to give the tokenizer again. */
static enum mote_status write_tokenizer(struct writing *w)
{
	static const char *const texts[][2] = { {"bos_text", "bos_token"}, {"eos_text", "eos_token"},
						{"unk_text", "unk_token"}, {"pad_text", "pad_token"}};
	const cJSON *tokens = mote_json_get(w->metadata, "tokens");
	struct mote_json_builder b = {0};
	cJSON *config = mote_json_new_object(&b);
	struct mote_text_buffer json = {0};
	size_t section_bytes, config_bytes = 0;
	const void *section = mote_container_section(w->c, MOTE_SECTION_TOKENIZER, &section_bytes);
	enum mote_status status;
	char *text;

	mote_json_add_text(&b, config, "tokenizer_class", "PreTrainedTokenizerFast");
	mote_json_add_bool(&b, config, "clean_up_tokenization_spaces", false);
	copy(&b, config, "model_max_length",
	     mote_json_get(mote_json_get(w->metadata, "model"), "max_position_embeddings"));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		copy(&b, config, texts[i][1], mote_json_get(tokens, texts[i][0]));
	text = b.failed ? NULL : mote_json_print(config, &config_bytes);
	cJSON_Delete(config);
	if (!text)
		return no_memory(w);
	if (!section)
		status = mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED, "%s holds no tokenizer",
					mote_container_path(w->c));
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

		if (!cJSON_IsString(key) || !cJSON_IsString(text) || strlen(key->valuestring) > 200 ||
		    strchr(key->valuestring, '/'))
			return mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED,
					      "chat template \"%s\": no name for a file",
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
	    (status = mote_safetensors_write(w->c, &w->form, w->options, w->file[w->files - 1], bytes, w->error)))
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
	enum mote_status status = mote_export_family(c, "a Hugging Face directory", &w.config, &w.family, &own);

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
