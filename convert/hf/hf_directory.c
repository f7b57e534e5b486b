/* The small files of a Hugging Face directory: see hf_directory.h. */
#include "convert/hf/hf_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/utf8.h"

#define EXTRA_FOLDER "additional_chat_templates"
#define MAX_EXTRA_TEMPLATES 64

/* Text mode, as transformers opens templates: \r\n and \r become \n. In place; returns the new length. */
static size_t translate_newlines(char *text, size_t bytes)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\r') {
			text[used++] = '\n';
			i += i + 1 < bytes && text[i + 1] == '\n';
		} else {
			text[used++] = text[i];
		}
	}
	text[used] = 0;
	return used;
}

/* Valid UTF-8 without NUL: what a JSON string of the container can hold. */
static bool is_text(const char *text, size_t bytes)
{
	return mote_utf8_valid(text, bytes) == bytes && !memchr(text, 0, bytes);
}

/* "default" goes first, the others keep their order. */
static enum mote_status add_template(cJSON *list, const char *name, const char *text, const char *where,
				     struct mote_error *error)
{
	cJSON *entry = cJSON_CreateObject();
	const cJSON *other;

	cJSON_ArrayForEach(other, list)
		if (strcmp(mote_json_get(other, "name")->valuestring, name) == 0) {
			cJSON_Delete(entry);
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: two chat templates \"%s\"", where, name);
		}
	if (!cJSON_AddStringToObject(entry, "name", name) || !cJSON_AddStringToObject(entry, "template", text)) {
		cJSON_Delete(entry);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", where);
	}
	if (strcmp(name, "default") == 0 && list->child ? cJSON_InsertItemInArray(list, 0, entry)
							: cJSON_AddItemToArray(list, entry))
		return MOTE_OK;
	cJSON_Delete(entry);
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", where);
}

static enum mote_status add_template_file(struct mote_source *source, const char *file, const char *name, cJSON *list,
					  struct mote_error *error)
{
	enum mote_status status;
	size_t bytes;
	char *text;

	status = mote_source_read(source, file, false, &text, &bytes, error);
	if (status || !text)
		return status;
	if (!is_text(text, bytes))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not UTF-8 text", file);
	if (!status) {
		translate_newlines(text, bytes);
		status = add_template(list, name, text, file, error);
	}
	free(text);
	return status;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* additional_chat_templates/NAME.jinja, sorted so that the order does not depend on the file system. */
static enum mote_status add_extra_templates(struct mote_source *source, cJSON *list, struct mote_error *error)
{
	int fd = openat(source->fd, EXTRA_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	char *names[MAX_EXTRA_TEMPLATES];
	enum mote_status status = MOTE_OK;
	const struct dirent *entry;
	size_t count = 0, length;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		if (errno == ENOENT)
			return mote_source_absent(source, EXTRA_FOLDER, false, error);
		return mote_error_set(error, MOTE_ERROR_IO, "%s/" EXTRA_FOLDER ": %s", source->path, strerror(errno));
	}
	for (errno = 0; !status && (entry = readdir(folder)); errno = 0) {
		length = strlen(entry->d_name);
		if (length <= 6 || strcmp(entry->d_name + length - 6, ".jinja"))
			continue;
		if (count == MAX_EXTRA_TEMPLATES)
			status = mote_error_set(error, MOTE_ERROR_LIMIT, EXTRA_FOLDER ": more than %d files",
						MAX_EXTRA_TEMPLATES);
		else if (!(names[count++] = strdup(entry->d_name))) {
			count--;
			status = mote_error_set(error, MOTE_ERROR_MEMORY, EXTRA_FOLDER ": out of memory");
		}
	}
	if (!status && errno)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s/" EXTRA_FOLDER ": %s", source->path, strerror(errno));
	closedir(folder);
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++) {
		char file[sizeof EXTRA_FOLDER + 256];

		snprintf(file, sizeof file, EXTRA_FOLDER "/%s", names[i]);
		names[i][strlen(names[i]) - 6] = 0;
		if (!status && !is_text(names[i], strlen(names[i])))
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: its name is not UTF-8", file);
		if (!status)
			status = add_template_file(source, file, names[i], list, error);
		free(names[i]);
	}
	return status;
}

/* tokenizer_config.json's "chat_template": a string, or a list of {name, template}. */
static enum mote_status add_config_templates(const cJSON *config, cJSON *list, struct mote_error *error)
{
	static const char where[] = "tokenizer_config.json";
	const cJSON *given = mote_json_get(config, "chat_template"), *item;
	enum mote_status status = MOTE_OK;

	if (!given || cJSON_IsNull(given))
		return MOTE_OK;
	if (cJSON_IsString(given))
		return add_template(list, "default", given->valuestring, where, error);
	if (!cJSON_IsArray(given))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"chat_template\" is neither a string nor a list",
				      where);
	for (item = given->child; item && !status; item = item->next) {
		const char *name, *text;

		if ((status = mote_json_need_string(item, "name", "tokenizer_config.json: \"chat_template\"", &name,
						    error)) ||
		    (status = mote_json_need_string(item, "template", "tokenizer_config.json: \"chat_template\"", &text,
						    error)))
			break;
		status = add_template(list, name, text, where, error);
	}
	return status;
}

/* chat_template.json: {"chat_template": TEXT}, as older processors of models that see images keep theirs. */
static enum mote_status add_processor_template(struct mote_source *source, cJSON *list, struct mote_error *error)
{
	static const char name[] = "chat_template.json";
	const char *given = NULL;
	cJSON *json = NULL;
	size_t bytes;
	char *text;
	enum mote_status status = mote_source_read(source, name, false, &text, &bytes, error);

	if (status || !text)
		return status;
	if (!(status = mote_json_parse(text, bytes, name, &json, error)) &&
	    !(status = mote_json_want_string(json, "chat_template", NULL, name, &given, error)) && given)
		status = add_template(list, "default", given, name, error);
	cJSON_Delete(json);
	free(text);
	return status;
}

static enum mote_status read_templates(struct mote_source *source, struct mote_hf_directory *d,
				       struct mote_error *error)
{
	enum mote_status status;

	d->templates = cJSON_CreateArray();
	if (!d->templates)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = add_template_file(source, "chat_template.jinja", "default", d->templates, error);
	if (!status)
		status = add_extra_templates(source, d->templates, error);
	if (!status && !d->templates->child) /* one template file of either kind puts all of these aside */
		status = add_config_templates(d->tokenizer_config, d->templates, error);
	if (!status && !d->templates->child)
		status = add_processor_template(source, d->templates, error);
	return status;
}

static enum mote_status read_tokenizer_config(struct mote_source *source, struct mote_hf_directory *d,
					      struct mote_error *error)
{
	static const char name[] = "tokenizer_config.json";
	enum mote_status status;

	status = mote_source_read(source, name, false, &d->tokenizer_config_text, &d->tokenizer_config_bytes, error);
	if (status || !d->tokenizer_config_text)
		return status;
	status = mote_json_parse(d->tokenizer_config_text, d->tokenizer_config_bytes, name, &d->tokenizer_config,
				 error);
	if (!status && !cJSON_IsObject(d->tokenizer_config))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an object", name);
	return status;
}

/* A directory can hold a tokenizer in a form that mote does not read: say so rather than "is missing". */
static enum mote_status read_tokenizer(struct mote_source *source, struct mote_hf_directory *d,
				       struct mote_error *error)
{
	static const struct {
		const char *name, *with, *advice;
	} other[] = {
		{"tekken.json", "", "take the model's variant for transformers, which has a tokenizer.json"},
		{"tokenizer.model", "",
		 "write one with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"},
		{ "vocab.json", " and merges.txt", "write one with transformers: "
					      "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)" },
	};

	bool has, instead;
	enum mote_status status = mote_source_has(source, "tokenizer.json", &has, error);

	for (size_t i = 0; i < sizeof other / sizeof *other && !status && !has; i++) {
		status = mote_source_has(source, other[i].name, &instead, error);
		if (!status && instead)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "%s holds %s%s but no tokenizer.json, which is what mote reads: %s",
					      source->path, other[i].name, other[i].with, other[i].advice);
	}
	return status ? status : mote_source_read(source, "tokenizer.json", true, &d->tokenizer, &d->tokenizer_bytes,
						  error);
}

/* What else a directory without config.json can be. */
static enum mote_status refuse_adapter(struct mote_source *source, struct mote_error *error)
{
	const cJSON *base;
	cJSON *adapter;
	bool config, other = false;
	enum mote_status status = mote_source_has(source, "config.json", &config, error);

	if (!status && !config)
		status = mote_source_has(source, "adapter_config.json", &other, error);
	if (status || !other)
		return status;
	status = mote_source_read_json(source, "adapter_config.json", true, &adapter, error);
	if (status)
		return status;
	base = mote_json_get(adapter, "base_model_name_or_path");
	status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				"%s holds an adapter (adapter_config.json), not a model: it belongs to \"%s\": "
				"convert that model, with --lora and this directory", source->path,
				cJSON_IsString(base) ? base->valuestring : "its base model");
	cJSON_Delete(adapter);
	return status;
}

enum mote_status mote_hf_directory_read(struct mote_source *source, bool vocab_only, struct mote_hf_directory *out,
					struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_hf_directory){0};
	if ((status = refuse_adapter(source, error)) ||
	    (status = mote_source_read_json(source, "config.json", !vocab_only, &out->config, error)) ||
	    (status = mote_source_read_json(source, "generation_config.json", false, &out->generation, error)) ||
	    (status = mote_source_read_json(source, "special_tokens_map.json", false, &out->special_tokens_map,
					    error)) ||
	    (status = mote_source_read_json(source, "added_tokens.json", false, &out->added_tokens, error)) ||
	    (status = read_tokenizer_config(source, out, error)) || (status = read_tokenizer(source, out, error)) ||
	    (status = read_templates(source, out, error)))
		mote_hf_directory_free(out);
	return status;
}

void mote_hf_directory_free(struct mote_hf_directory *d)
{
	cJSON_Delete(d->config);
	cJSON_Delete(d->generation);
	cJSON_Delete(d->tokenizer_config);
	cJSON_Delete(d->special_tokens_map);
	cJSON_Delete(d->added_tokens);
	cJSON_Delete(d->templates);
	free(d->tokenizer);
	free(d->tokenizer_config_text);
	*d = (struct mote_hf_directory){0};
}

/* What transformers' tokenizer classes set when no file says anything. */
static const char *class_default(const cJSON *config, const char *key)
{
	static const struct {
		const char *class_name, *key, *text;
	} table[] = {
		{"LlamaTokenizer", "bos_token", "<s>"},
		{"LlamaTokenizer", "eos_token", "</s>"},
		{"LlamaTokenizer", "unk_token", "<unk>"},
		{"CodeLlamaTokenizer", "bos_token", "<s>"},
		{"CodeLlamaTokenizer", "eos_token", "</s>"},
		{"CodeLlamaTokenizer", "unk_token", "<unk>"},
		{"GemmaTokenizer", "bos_token", "<bos>"},
		{"GemmaTokenizer", "eos_token", "<eos>"},
		{"GemmaTokenizer", "unk_token", "<unk>"},
		{"GemmaTokenizer", "pad_token", "<pad>"},
		{"GPTNeoXTokenizer", "bos_token", "<|endoftext|>"},
		{"GPTNeoXTokenizer", "eos_token", "<|endoftext|>"},
		{"GPTNeoXTokenizer", "unk_token", "<|endoftext|>"},
		{"GPT2Tokenizer", "bos_token", "<|endoftext|>"},
		{"GPT2Tokenizer", "eos_token", "<|endoftext|>"},
		{"GPT2Tokenizer", "unk_token", "<|endoftext|>"},
	};
	const cJSON *name = mote_json_get(config, "tokenizer_class");

	for (size_t i = 0; cJSON_IsString(name) && i < sizeof table / sizeof *table; i++) {
		size_t n = strlen(table[i].class_name);

		if (strncmp(name->valuestring, table[i].class_name, n) == 0 &&
		    (name->valuestring[n] == 0 || strcmp(name->valuestring + n, "Fast") == 0) &&
		    strcmp(key, table[i].key) == 0)
			return table[i].text;
	}
	return NULL;
}

enum mote_status mote_hf_special_token(const struct mote_hf_directory *d, const char *key, const char **text,
				       struct mote_error *error)
{
	/* special_tokens_map.json is the older way: once tokenizer_config.json declares its added tokens, it
	 * only fills gaps; before that it wins. */
	bool newer = mote_json_get(d->tokenizer_config, "added_tokens_decoder") != NULL;
	const cJSON *first = mote_json_get(newer ? d->tokenizer_config : d->special_tokens_map, key);
	const cJSON *second = mote_json_get(newer ? d->special_tokens_map : d->tokenizer_config, key);
	const cJSON *item = first ? first : second;

	*text = NULL;
	if (!item)
		*text = class_default(d->tokenizer_config, key);
	if (!item || cJSON_IsNull(item))
		return MOTE_OK;
	if (cJSON_IsObject(item))
		item = mote_json_get(item, "content");
	if (!cJSON_IsString(item))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "tokenizer_config.json or special_tokens_map.json: \"%s\" is neither a "
				      "string nor an object with \"content\"", key);
	*text = item->valuestring;
	return MOTE_OK;
}
