/* The container's metadata: see hf_metadata.h. */
#include "convert/hf/hf_metadata.h"

#include "convert/hf/hf_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"

/* Special tokens by text, in the order of their ids. */
static void add_special(struct mote_json_builder *b, cJSON *tokens, const struct mote_tokenizer *t)
{
	cJSON *special = mote_json_add_object(b, tokens, "special");
	uint32_t n = mote_tokenizer_vocab_size(t);

	for (uint32_t id = 0; id < n; id++) {
		const char *text;
		size_t bytes;
		char *key;

		if (!mote_tokenizer_is_special(t, (int32_t)id) ||
		    !(text = mote_tokenizer_token(t, (int32_t)id, &bytes)))
			continue;
		key = strndup(text, bytes);
		if (key)
			mote_json_add_number(b, special, key, id);
		else
			b->failed = true;
		free(key);
	}
}

/* *id becomes the one that a text without any tokens of its own begins with, when the tokenizer adds one. */
static enum mote_status added_bos(const struct mote_hf_metadata_inputs *in, int32_t *id, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	struct mote_ids ids = {0};

	if (in->tokenizer_info->adds_bos)
		status = mote_tokenizer_encode(in->tokenizer, "", 0, MOTE_ENCODE_ADD_SPECIAL, &ids, error);
	if (!status && ids.count)
		*id = ids.id[0];
	mote_ids_free(&ids);
	return status;
}

/* The model's ids for which it has no row: they can neither be read nor come. A pad token's is often stale. */
static enum mote_status drop_ids(struct mote_hf_token_ids *ids, uint32_t vocab, struct mote_notes *notes,
				 struct mote_error *error)
{
	static const char format[] = "%s %d: the model has rows for the ids 0 to %u: left out";
	enum mote_status status = MOTE_OK;
	uint32_t kept = 0;

	if (ids->bos >= (int64_t)vocab) {
		status = mote_notes_add(notes, error, format, "bos_token_id", ids->bos, vocab - 1);
		ids->bos = -1;
	}
	for (uint32_t i = 0; i < ids->n_eos && !status; i++) {
		if (ids->eos[i] < (int64_t)vocab)
			ids->eos[kept++] = ids->eos[i];
		else
			status = mote_notes_add(notes, error, format, "eos_token_id", ids->eos[i], vocab - 1);
	}
	ids->n_eos = kept;
	if (ids->pad >= (int64_t)vocab && !status) {
		status = mote_notes_add(notes, error, format, "pad_token_id", ids->pad, vocab - 1);
		ids->pad = -1;
	}
	return status;
}

static enum mote_status note_dropped(const struct mote_hf_metadata_inputs *in, struct mote_error *error)
{
	const struct mote_hf_tokenizer_info *info = in->tokenizer_info;
	char more[32] = "";

	if (!info->n_dropped)
		return MOTE_OK;
	if (info->n_dropped > 1)
		snprintf(more, sizeof more, " (and %u more)", info->n_dropped - 1);
	return mote_notes_add(in->notes, error,
			      "tokenizer.json: added token \"%s\" has id %u%s, the model has rows for the ids 0 to %u: "
			      "left out", info->dropped_text, info->dropped_id, more, in->config->model.vocab - 1);
}

static void add_id(struct mote_json_builder *b, cJSON *object, const char *key, int32_t id)
{
	if (id < 0)
		mote_json_add_null(b, object, key);
	else
		mote_json_add_number(b, object, key, id);
}

static const char *default_template(const struct mote_hf_directory *d)
{
	for (const cJSON *item = d->templates ? d->templates->child : NULL; item; item = item->next) {
		const cJSON *name = mote_json_get(item, "name"), *text = mote_json_get(item, "template");

		if (cJSON_IsString(name) && cJSON_IsString(text) && strcmp(name->valuestring, "default") == 0)
			return text->valuestring;
	}
	return NULL;
}

/* A model that was trained to chat says so in its template; its config may still name the end of the model that it was
 * made from. */
static enum mote_status add_turn_end(const struct mote_hf_metadata_inputs *in, const char *const keys[4],
				     const char *const text[4], struct mote_hf_token_ids *ids, struct mote_error *error)
{
	const uint32_t vocab = in->config ? in->config->model.vocab : in->tokenizer_info->vocab_size;
	struct mote_json_builder b = {0};
	cJSON *variables = mote_json_new_object(&b);
	enum mote_status status;
	const char *name;
	size_t bytes;
	int32_t end;

	for (int i = 0; i < 4; i++)
		if (text[i])
			mote_json_add_text(&b, variables, keys[i], text[i]);
	if ((status = mote_json_finish(&b, &variables, "metadata", error)))
		return status;
	status = mote_hf_turn_end(default_template(in->directory), variables, in->tokenizer, &end, error);
	cJSON_Delete(variables);
	if (status)
		return status;
	for (uint32_t i = 0; i < ids->n_eos; i++)
		if (ids->eos[i] == end)
			return MOTE_OK;
	if (end < 0 || end >= (int64_t)vocab || ids->n_eos == MOTE_HF_MAX_EOS)
		return MOTE_OK;
	ids->eos[ids->n_eos++] = end;
	name = mote_tokenizer_token(in->tokenizer, end, &bytes);
	return mote_notes_add(in->notes, error, "the chat template ends a turn with %.*s (%d), which \"eos_token_id\" "
			      "does not name: taken as an end, too", (int)bytes, name, end);
}

static enum mote_status add_tokens(struct mote_json_builder *b, cJSON *metadata,
				   const struct mote_hf_metadata_inputs *in, struct mote_error *error)
{
	static const char *const keys[4] = {"bos_token", "eos_token", "unk_token", "pad_token"};
	static const char *const names[4] = {"bos_text", "eos_text", "unk_text", "pad_text"};
	cJSON *tokens = mote_json_add_object(b, metadata, "tokens"), *eos;
	const struct mote_hf_directory *d = in->directory;
	const uint32_t vocab = in->config ? in->config->model.vocab : in->tokenizer_info->vocab_size;
	struct mote_hf_token_ids ids;
	const char *text[4];
	int32_t by_text[4];
	enum mote_status status;

	status = mote_hf_token_ids_read(d->config, d->generation, &ids, error);
	if (!status)
		status = drop_ids(&ids, vocab, in->notes, error);
	for (int i = 0; i < 4 && !status; i++) {
		status = mote_hf_special_token(d, keys[i], &text[i], error);
		if (!status)
			by_text[i] = text[i] ? mote_tokenizer_find(in->tokenizer, text[i], strlen(text[i])) : -1;
	}
	if (status)
		return status;
	/* The model's own ids say what it was trained with; the tokenizer's words are the fallback. */
	if (ids.bos < 0)
		ids.bos = by_text[0];
	if (ids.bos < 0 && (status = added_bos(in, &ids.bos, error)))
		return status;
	if (ids.n_eos == 0 && by_text[1] >= 0)
		ids.eos[ids.n_eos++] = by_text[1];
	if ((status = add_turn_end(in, keys, text, &ids, error)))
		return status;
	if (ids.pad < 0)
		ids.pad = by_text[3];
	add_id(b, tokens, "bos", ids.bos);
	eos = mote_json_add_array(b, tokens, "eos");
	for (uint32_t i = 0; i < ids.n_eos; i++)
		mote_json_add_number(b, eos, NULL, ids.eos[i]);
	add_id(b, tokens, "pad", ids.pad);
	for (int i = 0; i < 4; i++)
		if (text[i])
			mote_json_add_text(b, tokens, names[i], text[i]);
	mote_json_add_bool(b, tokens, "add_bos", in->tokenizer_info->adds_bos);
	mote_json_add_bool(b, tokens, "add_eos", in->tokenizer_info->adds_eos);
	add_special(b, tokens, in->tokenizer);
	return MOTE_OK;
}

/* generation_config.json without its token ids, which are in "tokens", and its version. */
static void add_generation(struct mote_json_builder *b, cJSON *metadata, const cJSON *given)
{
	cJSON *generation = mote_json_add_object(b, metadata, "generation");
	const cJSON *item;

	cJSON_ArrayForEach(item, given) {
		size_t n = strlen(item->string);

		if ((n >= 9 && strcmp(item->string + n - 9, "_token_id") == 0) ||
		    strcmp(item->string, "transformers_version") == 0 || item->string[0] == '_')
			continue;
		mote_json_add_item(b, generation, item->string, cJSON_Duplicate(item, true));
	}
}

/* What generation_config.json asks for and mote-run does not do, in one note. */
static enum mote_status note_generation(const struct mote_hf_metadata_inputs *in, struct mote_error *error)
{
	/* those that are honoured, and those that change no text */
	static const char *const known[] = {"temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty",
					    "do_sample", "max_new_tokens", "stop_strings", "transformers_version",
					    "use_cache", "cache_implementation", "trust_remote_code",
					    "return_dict_in_generate"};
	char names[500] = "";
	const cJSON *item;

	cJSON_ArrayForEach(item, in->directory->generation) {
		size_t n = strlen(item->string), used = strlen(names);
		bool neutral = cJSON_IsNull(item) || cJSON_IsFalse(item) || item->string[0] == '_' ||
			       (cJSON_IsNumber(item) && (item->valuedouble == 0 || item->valuedouble == 1)) ||
			       ((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child);

		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			neutral = neutral || strcmp(item->string, known[i]) == 0;
		if (!neutral && !(n >= 9 && strcmp(item->string + n - 9, "_token_id") == 0) && n < 60 &&
		    used + n + 3 < sizeof names)
			snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", item->string);
	}
	return *names ? mote_notes_add(in->notes, error, "generation_config.json: not honoured: %s", names) : MOTE_OK;
}

/* The tags around reasoning, when there are any. */
static void add_reasoning(struct mote_json_builder *b, cJSON *metadata, const struct mote_hf_metadata_inputs *in)
{
	const char *open, *close;
	cJSON *reasoning;

	if (!mote_hf_reasoning_tags(default_template(in->directory), in->tokenizer, &open, &close))
		return;
	reasoning = mote_json_add_object(b, metadata, "reasoning");
	mote_json_add_text(b, reasoning, "open", open);
	mote_json_add_text(b, reasoning, "close", close);
}

static void add_lineage(struct mote_json_builder *b, cJSON *metadata, const struct mote_hf_metadata_inputs *in)
{
	cJSON *step = mote_json_add_object(b, mote_json_add_array(b, metadata, "lineage"), NULL), *source;
	char hash[33];

	mote_json_add_text(b, step, "step", "convert");
	mote_json_add_text(b, step, "tool", in->tool);
	if (in->config) {
		mote_json_add_text(b, step, "architecture", in->config->architecture);
		mote_json_add_text(b, step, "dtype", in->dtype);
	}
	if (in->lora)
		mote_json_add_item(b, step, "lora", cJSON_Duplicate(in->lora, true));
	source = mote_json_add_array(b, step, "source");
	for (uint32_t i = 0; i < in->source->files; i++) {
		const struct mote_source_file *f = &in->source->file[i];
		cJSON *file = mote_json_add_object(b, source, NULL);

		/* as xxh128sum prints it */
		snprintf(hash, sizeof hash, "%016" PRIx64 "%016" PRIx64, f->hash.high, f->hash.low);
		mote_json_add_text(b, file, "file", f->name);
		mote_json_add_number(b, file, "bytes", (double)f->bytes);
		mote_json_add_text(b, file, "xxh3", hash);
	}
}

static enum mote_status build(struct mote_json_builder *b, cJSON *metadata, const struct mote_hf_metadata_inputs *in,
			      struct mote_error *error)
{
	enum mote_status status;

	if (in->config && in->tokenizer_info->vocab_size > in->config->model.vocab)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "tokenizer.json has ids up to %u, but config.json's \"vocab_size\" is %u",
				      in->tokenizer_info->vocab_size - 1, in->config->model.vocab);
	mote_json_add_text(b, metadata, "format", "mote");
	mote_json_add_text(b, metadata, "tool", in->tool);
	if (in->config && !mote_config_write(&in->config->model, metadata))
		b->failed = true;
	if ((status = note_dropped(in, error)) || (status = add_tokens(b, metadata, in, error)))
		return status;
	mote_json_add_item(b, metadata, "chat_templates", cJSON_Duplicate(in->directory->templates, true));
	add_reasoning(b, metadata, in);
	add_generation(b, metadata, in->directory->generation);
	add_lineage(b, metadata, in);
	return note_generation(in, error);
}

enum mote_status mote_hf_metadata_build(const struct mote_hf_metadata_inputs *in, cJSON **out,
					struct mote_error *error)
{
	struct mote_json_builder b = {0};
	enum mote_status status;

	*out = mote_json_new_object(&b);
	status = build(&b, *out, in, error);
	if (!status)
		return mote_json_finish(&b, out, "metadata", error);
	cJSON_Delete(*out);
	*out = NULL;
	return status;
}
