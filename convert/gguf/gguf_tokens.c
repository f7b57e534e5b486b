/* Token ids, their texts and chat templates of a GGUF file: see gguf_config.h. */
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_config.h"
#include "format/utf8.h"

#define MAX_TEMPLATES 64u

static char *copy_text(const struct mote_gguf_text *t)
{
	return strndup(t->text, t->bytes);
}

static enum mote_status add_special(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v, uint32_t id,
				    const char *key, cJSON *config, struct mote_error *error)
{
	char *text = id < v->tokens ? copy_text(&v->token[id]) : NULL;
	bool ok = id >= v->tokens || (text && cJSON_AddStringToObject(config, key, text));

	free(text);
	return ok ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
}

/* A turn can end with a token other than the text's end, which GGUF calls eot: either ends an answer. */
static enum mote_status read_ids(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				 struct mote_hf_directory *d, struct mote_error *error)
{
	static const struct {
		const char *key, *id, *text;
	} table[] = {
		{"tokenizer.ggml.bos_token_id", "bos_token_id", "bos_token"},
		{"tokenizer.ggml.eos_token_id", "eos_token_id", "eos_token"},
		{"tokenizer.ggml.unknown_token_id", NULL, "unk_token"},
		{"tokenizer.ggml.padding_token_id", "pad_token_id", "pad_token"},
		{"tokenizer.ggml.eot_token_id", "eos_token_id", NULL},
		{"tokenizer.ggml.eom_token_id", "eos_token_id", NULL},
	};
	uint32_t ids[sizeof table / sizeof *table];
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof table / sizeof *table && !status; i++) {
		cJSON *list = NULL;
		bool ok = true;

		status = mote_gguf_want_u32(g, table[i].key, UINT32_MAX, &ids[i], error);
		for (size_t j = 0; j < i; j++)
			if (table[i].id && table[j].id && !strcmp(table[i].id, table[j].id) && ids[i] == ids[j])
				ids[i] = UINT32_MAX;
		if (status || ids[i] == UINT32_MAX)
			continue;
		if (table[i].id) {
			list = cJSON_GetObjectItemCaseSensitive(d->generation, table[i].id);
			list = list ? list : cJSON_AddArrayToObject(d->generation, table[i].id);
			ok = list && cJSON_AddItemToArray(list, cJSON_CreateNumber(ids[i]));
		}
		status = !ok ? mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name) :
			 table[i].text ? add_special(g, v, ids[i], table[i].text, d->tokenizer_config, error) : MOTE_OK;
	}
	return status;
}

/* "tokenizer.chat_template" is the default one; further ones are "tokenizer.chat_template.NAME". */
static enum mote_status read_templates(const struct mote_gguf *g, struct mote_hf_directory *d, struct mote_error *error)
{
	static const char key[] = "tokenizer.chat_template";
	const size_t n = sizeof key - 1;
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->values; i++) {
		const struct mote_gguf_value *v = &g->value[i];
		struct mote_gguf_text text, name = {"default", 7};
		cJSON *entry;
		char *a, *b;
		const uint8_t *at = v->data;

		if (v->key.bytes < n || memcmp(v->key.text, key, n) || v->array || v->kind != MOTE_GGUF_STRING ||
		    (v->key.bytes > n && v->key.text[n] != '.') || v->key.bytes == n + 1)
			continue;
		text = mote_gguf_next_text(&at);
		if (memchr(text.text, 0, text.bytes) || mote_utf8_valid(text.text, text.bytes) != text.bytes)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%.*s\" is no UTF-8 without NUL",
					      g->name, (int)v->key.bytes, v->key.text);
		if (++count > MAX_TEMPLATES)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %u chat templates", g->name,
					      MAX_TEMPLATES);
		if (v->key.bytes > n)
			name = (struct mote_gguf_text){v->key.text + n + 1, v->key.bytes - (uint32_t)n - 1};
		entry = cJSON_CreateObject();
		a = copy_text(&name);
		b = copy_text(&text);
		if (!a || !b || !cJSON_AddStringToObject(entry, "name", a) ||
		    !cJSON_AddStringToObject(entry, "template", b) || !cJSON_AddItemToArray(d->templates, entry)) {
			cJSON_Delete(entry);
			entry = NULL;
		}
		free(a);
		free(b);
		if (!entry)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	}
	return MOTE_OK; /* keys ascend, so the default one is the first */
}

enum mote_status mote_gguf_tokens_read(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				       struct mote_hf_directory *directory, struct mote_error *error)
{
	enum mote_status status;

	directory->generation = cJSON_CreateObject();
	directory->tokenizer_config = cJSON_CreateObject();
	directory->templates = cJSON_CreateArray();
	if (!directory->generation || !directory->tokenizer_config || !directory->templates)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	if ((status = read_ids(g, v, directory, error)) ||
	    (status = mote_gguf_sampling_read(g, directory->generation, error)))
		return status;
	return read_templates(g, directory, error);
}
