/* The vocabulary of tokenizer.json: the model's tokens by id and by text. Added tokens: hf_tokenizer_added.c. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "convert/hf/hf_tokenizer_build.h"
#include "format/portable.h"

enum mote_status mote_hf_out_of_memory(struct builder *b)
{
	return mote_error_set(b->error, MOTE_ERROR_MEMORY, TOKENIZER_JSON ": out of memory");
}

enum mote_status mote_hf_bytes_add(struct bytes *b, const void *data, size_t size, struct mote_error *error)
{
	if (b->room - b->size < size) {
		size_t room = b->room * 2 > b->size + size ? b->room * 2 : b->size + size + 256;
		uint8_t *grown = realloc(b->data, room);

		if (!grown)
			return mote_error_set(error, MOTE_ERROR_MEMORY, TOKENIZER_JSON ": out of memory");
		b->data = grown;
		b->room = room;
	}
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	return MOTE_OK;
}

/* ---- tokens by id and by text */

static enum mote_status set_token(struct builder *b, int64_t id, const char *text, bool in_model)
{
	size_t bytes = strlen(text);
	uint32_t room;

	if (id < 0 || id >= (int64_t)MOTE_TOKENIZER_MAX_IDS)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": token \"%.60s\" has id %lld, allowed are 0 to %u", text,
				      (long long)id, MOTE_TOKENIZER_MAX_IDS - 1);
	if (bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
				      MODEL_KEY ": token %lld has %zu bytes, at most %u are supported",
				      (long long)id, bytes, MOTE_TOKENIZER_MAX_TOKEN_BYTES);
	if (id >= (int64_t)b->ids_room) {
		struct token *grown;

		room = (uint32_t)id + 1 > 2 * b->ids_room ? (uint32_t)id + 1024 : 2 * b->ids_room;
		grown = realloc(b->token, room * sizeof *grown);
		if (!grown)
			return mote_hf_out_of_memory(b);
		memset(grown + b->ids_room, 0, (room - b->ids_room) * sizeof *grown);
		b->token = grown;
		b->ids_room = room;
	}
	if (b->token[id].text)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      TOKENIZER_JSON ": id %lld is both \"%.60s\" and \"%.60s\"", (long long)id,
				      b->token[id].text, text);
	b->token[id] = (struct token){.text = text, .bytes = (uint32_t)bytes, .in_model = in_model};
	b->n_ids = (uint32_t)id >= b->n_ids ? (uint32_t)id + 1 : b->n_ids;
	return MOTE_OK;
}

/* Seeded: a file's texts are chosen by whoever wrote it, and many of one hash would take the square of their time. */
static uint32_t find_slot(const struct builder *b, const char *text, size_t bytes)
{
	uint32_t slot = (uint32_t)XXH3_64bits_withSeed(text, bytes, b->seed) & b->slot_mask;

	for (; b->slot[slot]; slot = (slot + 1) & b->slot_mask) {
		const struct token *token = &b->token[b->slot[slot] - 1];

		if (token->text && token->bytes == bytes && !memcmp(token->text, text, bytes))
			break;
	}
	return slot;
}

static void index_token(struct builder *b, uint32_t id)
{
	b->slot[find_slot(b, b->token[id].text, b->token[id].bytes)] = id + 1;
}

enum mote_status mote_hf_insert_token(struct builder *b, uint32_t id, const char *text)
{
	enum mote_status status = set_token(b, id, text, false);

	if (status == MOTE_OK)
		index_token(b, id);
	return status;
}

int64_t mote_hf_find_any(const struct builder *b, const char *text)
{
	return (int64_t)b->slot[find_slot(b, text, strlen(text))] - 1;
}

int64_t mote_hf_find_token(const struct builder *b, const char *text, size_t bytes)
{
	int64_t id = (int64_t)b->slot[find_slot(b, text, bytes)] - 1;

	return id >= 0 && b->token[id].in_model ? id : -1;
}

static uint32_t members(const cJSON *list)
{
	uint32_t count = 0;

	for (const cJSON *item = list ? list->child : NULL; item; item = item->next)
		count++;
	return count;
}

/* Of the model's tokens; with room for those which the two lists of added tokens may bring. */
static enum mote_status index_tokens(struct builder *b)
{
	uint64_t most = (uint64_t)b->n_ids + members(mote_json_get(b->json, "added_tokens")) +
			members(mote_json_get(b->config, "added_tokens_decoder")) + members(b->more_added);
	uint32_t slots = 64;

	while (slots < 2 * most)
		slots *= 2;
	b->slot = calloc(slots, sizeof *b->slot);
	b->slot_mask = slots - 1;
	if (!b->slot)
		return mote_hf_out_of_memory(b);
	if (!mote_portable_random(&b->seed, sizeof b->seed))
		b->seed = (uint64_t)(uintptr_t)b->slot;
	for (uint32_t id = 0; id < b->n_ids; id++)
		if (b->token[id].in_model) /* of two with one text (Unigram allows it) the later wins */
			index_token(b, id);
	return MOTE_OK;
}

/* ---- the model */

static enum mote_status read_bpe(struct builder *b, const cJSON *model)
{
	const cJSON *vocab = mote_json_get(model, "vocab"), *dropout = mote_json_get(model, "dropout");
	bool byte_fallback, fuse_unk, ignore_merges;
	enum mote_status status;
	int64_t id;

	if (cJSON_IsNumber(dropout) && dropout->valuedouble != 0)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
				      MODEL_KEY ": dropout (a random tokenizer) is not supported");
	if (!cJSON_IsObject(vocab))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": \"vocab\" is not an object");
	for (const cJSON *item = vocab->child; item; item = item->next) {
		if (!mote_json_integer(item, &id))
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
					      MODEL_KEY ": the id of token \"%.60s\" is no integer", item->string);
		status = set_token(b, id, item->string, true);
		if (status)
			return status;
	}
	status = mote_json_want_bool(model, "byte_fallback", false, MODEL_KEY, &byte_fallback, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(model, "fuse_unk", false, MODEL_KEY, &fuse_unk, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(model, "ignore_merges", false, MODEL_KEY, &ignore_merges, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_string(model, "continuing_subword_prefix", "", MODEL_KEY, &b->prefix,
					       b->error);
	if (status == MOTE_OK)
		status = mote_json_want_string(model, "end_of_word_suffix", "", MODEL_KEY, &b->suffix, b->error);
	if (status)
		return status;
	if (byte_fallback && (*b->prefix || *b->suffix))
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": byte_fallback together with "
				      "continuing_subword_prefix or end_of_word_suffix is not supported");
	b->model = MODEL_BPE;
	b->flags = (byte_fallback ? MODEL_BYTE_FALLBACK : 0) | (fuse_unk ? MODEL_FUSE_UNK : 0) |
		   (ignore_merges ? MODEL_IGNORE_MERGES : 0);
	return MOTE_OK;
}

static enum mote_status read_unigram(struct builder *b, const cJSON *model)
{
	const cJSON *vocab = mote_json_get(model, "vocab");
	enum mote_status status;
	bool byte_fallback;
	int64_t id = 0;

	if (!cJSON_IsArray(vocab))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": \"vocab\" is not a list");
	for (const cJSON *item = vocab->child; item; item = item->next, id++) {
		const cJSON *piece = cJSON_IsArray(item) ? item->child : NULL, *score = piece ? piece->next : NULL;

		if (!cJSON_IsString(piece) || !cJSON_IsNumber(score) || score->next)
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
					      MODEL_KEY ": vocab[%lld] is not [piece, score]", (long long)id);
		status = set_token(b, id, piece->valuestring, true);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(&b->part[PART_SCORE], &score->valuedouble, 8, b->error);
		if (status)
			return status;
	}
	status = mote_json_want_bool(model, "byte_fallback", false, MODEL_KEY, &byte_fallback, b->error);
	if (status)
		return status;
	if (!mote_json_integer(mote_json_get(model, "unk_id"), &id))
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
				      MODEL_KEY ": Unigram without \"unk_id\" is not supported");
	if (id < 0 || id >= (int64_t)b->n_ids)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": unk_id is %lld, ids go to %u",
				      (long long)id, b->n_ids - 1);
	b->unk = (uint32_t)id;
	b->model = MODEL_UNIGRAM;
	b->flags = byte_fallback ? MODEL_BYTE_FALLBACK : 0;
	return MOTE_OK;
}

enum mote_status mote_hf_read_vocab(struct builder *b)
{
	const cJSON *model = mote_json_get(b->json, "model");
	enum mote_status status;
	const char *type;

	if (!cJSON_IsObject(model))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, TOKENIZER_JSON ": \"model\" is not an object");
	/* Files of the first versions do not name the type. */
	status = mote_json_want_string(model, "type", mote_json_get(model, "merges") ? "BPE" : "Unigram", MODEL_KEY,
				       &type, b->error);
	if (status)
		return status;
	b->unk = MOTE_TOKENIZER_NONE;
	b->prefix = b->suffix = "";
	if (!strcmp(type, "BPE"))
		status = read_bpe(b, model);
	else if (!strcmp(type, "Unigram"))
		status = read_unigram(b, model);
	else
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": type \"%.60s\" is not supported "
				      "(BPE and Unigram are)", type);
	return status ? status : index_tokens(b);
}
