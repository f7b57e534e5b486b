/* The vocabulary of tokenizer.json: tokens, added tokens, merges, and the trie over them. */
#include <stdlib.h>
#include <string.h>

#include "convert/hf_tokenizer_build.h"
#include "runtime/text/tokenizer_unicode.h"

#define MODEL_KEY TOKENIZER_JSON ": model"

static enum mote_status out_of_memory(struct builder *b)
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
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": token \"%.60s\" has id %lld, allowed are 0 to %u",
				      text, (long long)id, MOTE_TOKENIZER_MAX_IDS - 1);
	if (bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": token %lld has %zu bytes, at most %u are supported",
				      (long long)id, bytes, MOTE_TOKENIZER_MAX_TOKEN_BYTES);
	if (id >= (int64_t)b->ids_room) {
		struct token *grown;

		room = (uint32_t)id + 1 > 2 * b->ids_room ? (uint32_t)id + 1024 : 2 * b->ids_room;
		grown = realloc(b->token, room * sizeof *grown);
		if (!grown)
			return out_of_memory(b);
		memset(grown + b->ids_room, 0, (room - b->ids_room) * sizeof *grown);
		b->token = grown;
		b->ids_room = room;
	}
	if (b->token[id].text)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, TOKENIZER_JSON ": id %lld is both \"%.60s\" and \"%.60s\"",
				      (long long)id, b->token[id].text, text);
	b->token[id] = (struct token){.text = text, .bytes = (uint32_t)bytes, .in_model = in_model};
	b->n_ids = (uint32_t)id >= b->n_ids ? (uint32_t)id + 1 : b->n_ids;
	return MOTE_OK;
}

static uint32_t hash_text(const char *text, size_t bytes)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static uint32_t find_slot(const struct builder *b, const char *text, size_t bytes)
{
	uint32_t slot = hash_text(text, bytes) & b->slot_mask;

	for (; b->slot[slot]; slot = (slot + 1) & b->slot_mask) {
		const struct token *token = &b->token[b->slot[slot] - 1];

		if (token->bytes == bytes && !memcmp(token->text, text, bytes))
			break;
	}
	return slot;
}

static void index_token(struct builder *b, uint32_t id)
{
	b->slot[find_slot(b, b->token[id].text, b->token[id].bytes)] = id + 1;
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
			members(mote_json_get(b->config, "added_tokens_decoder"));
	uint32_t slots = 64;

	while (slots < 2 * most)
		slots *= 2;
	b->slot = calloc(slots, sizeof *b->slot);
	b->slot_mask = slots - 1;
	if (!b->slot)
		return out_of_memory(b);
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
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": dropout (a random tokenizer) is not supported");
	if (!cJSON_IsObject(vocab))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": \"vocab\" is not an object");
	for (const cJSON *item = vocab->child; item; item = item->next) {
		if (!mote_json_integer(item, &id))
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": the id of token \"%.60s\" is no integer",
					      item->string);
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
		status = mote_json_want_string(model, "continuing_subword_prefix", "", MODEL_KEY, &b->prefix, b->error);
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
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": vocab[%lld] is not [piece, score]",
					      (long long)id);
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
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": Unigram without \"unk_id\" is not supported");
	if (id < 0 || id >= (int64_t)b->n_ids)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": unk_id is %lld, ids go to %u", (long long)id,
				      b->n_ids - 1);
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
	status = mote_json_want_string(model, "type", mote_json_get(model, "merges") ? "BPE" : "Unigram", MODEL_KEY, &type,
				       b->error);
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

/* ---- added tokens */

static struct added_token *find_added(const struct builder *b, const char *content)
{
	int64_t id = mote_hf_find_any(b, content);

	return id >= 0 && b->token[id].added ? &b->added[b->token[id].added - 1] : NULL;
}

static enum mote_status add_token(struct builder *b, const struct added_token *added)
{
	struct added_token *grown, *copy;
	int64_t id = mote_hf_find_token(b, added->content, strlen(added->content));
	enum mote_status status = MOTE_OK;

	if (id >= 0 && id != (int64_t)added->id)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, TOKENIZER_JSON ": added token \"%.60s\" has id %u, the vocabulary gives it %lld",
				      added->content, added->id, (long long)id);
	if (id < 0)
		status = set_token(b, added->id, added->content, false);
	if (status)
		return status;
	if (id < 0)
		index_token(b, added->id);
	grown = realloc(b->added, (b->n_added + 1) * sizeof *grown);
	if (!grown)
		return out_of_memory(b);
	b->added = grown;
	copy = &grown[b->n_added++];
	*copy = *added;
	copy->in_model = id >= 0;
	b->token[added->id].added = b->n_added;
	return MOTE_OK;
}

static enum mote_status read_flags(struct builder *b, const cJSON *item, const char *where, struct added_token *added)
{
	enum mote_status status = mote_json_need_string(item, "content", where, &added->content, b->error);

	if (status == MOTE_OK)
		status = mote_json_want_bool(item, "special", false, where, &added->special, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(item, "single_word", false, where, &added->single_word, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(item, "lstrip", false, where, &added->lstrip, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(item, "rstrip", false, where, &added->rstrip, b->error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(item, "normalized", !added->special, where, &added->normalized, b->error);
	if (status == MOTE_OK && strlen(added->content) > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		status = mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, "%s: a token of %zu bytes, at most %u are supported",
					where, strlen(added->content), MOTE_TOKENIZER_MAX_TOKEN_BYTES);
	return status;
}

/* tokenizer_config.json wins as transformers lets it: it adds tokens and changes flags of those that are there
 * (but a special token stays in the phase in which it was). */
static enum mote_status read_config_tokens(struct builder *b)
{
	static const char where[] = "tokenizer_config.json: added_tokens_decoder";
	const cJSON *list = mote_json_get(b->config, "added_tokens_decoder");
	enum mote_status status = MOTE_OK;

	for (const cJSON *item = cJSON_IsObject(list) ? list->child : NULL; item && !status; item = item->next) {
		struct added_token added = {0}, *old;
		int64_t id;
		char *end;

		status = read_flags(b, item, where, &added);
		if (status)
			return status;
		id = strtoll(item->string, &end, 10);
		if (*end || id < 0 || id >= (int64_t)MOTE_TOKENIZER_MAX_IDS)
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, "%s: \"%.60s\" is no id", where, item->string);
		added.id = (uint32_t)id;
		old = find_added(b, added.content);
		if (!old && !*added.content)
			continue;
		if (!old) {
			status = add_token(b, &added);
			continue;
		}
		if (old->id != added.id)
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, "%s: \"%.60s\" has id %u, in " TOKENIZER_JSON " it has %u",
					      where, added.content, added.id, old->id);
		old->normalized = old->normalized && (old->special || added.normalized);
		old->special |= added.special;
		old->single_word = added.single_word;
		old->lstrip = added.lstrip;
		old->rstrip = added.rstrip;
	}
	return status;
}

/* A special token that the vocabulary has, but no list declares: transformers makes it an added token. */
static enum mote_status add_named(struct builder *b, const cJSON *item)
{
	const cJSON *content = cJSON_IsObject(item) ? mote_json_get(item, "content") : item;
	struct added_token added = {.special = true};
	int64_t id;

	if (!cJSON_IsString(content) || !*content->valuestring || find_added(b, content->valuestring))
		return MOTE_OK;
	id = mote_hf_find_token(b, content->valuestring, strlen(content->valuestring));
	if (id < 0)
		return MOTE_OK;
	added.content = content->valuestring;
	added.id = (uint32_t)id;
	return add_token(b, &added);
}

static enum mote_status read_named(struct builder *b)
{
	static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
					    "mask_token"};
	const cJSON *more = mote_json_get(b->config, "additional_special_tokens");
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++)
		status = add_named(b, mote_json_get(b->config, names[i]));
	for (const cJSON *item = cJSON_IsArray(more) ? more->child : NULL; item && !status; item = item->next)
		status = add_named(b, item);
	return status;
}

static enum mote_status check_holes(struct builder *b)
{
	uint32_t holes = 0, first = 0;

	if (!b->n_ids)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": the vocabulary is empty");
	for (uint32_t id = b->n_ids; id-- > 0;)
		if (!b->token[id].text) {
			first = id;
			holes++;
		}
	if (holes)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, TOKENIZER_JSON ": the vocabulary has a hole: no token has id %u "
				      "(%u of the ids 0 to %u are missing)", first, holes, b->n_ids - 1);
	return MOTE_OK;
}

enum mote_status mote_hf_read_added(struct builder *b)
{
	const cJSON *list = mote_json_get(b->json, "added_tokens");
	enum mote_status status = MOTE_OK;

	for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item && !status; item = item->next) {
		struct added_token added = {0};

		status = read_flags(b, item, TOKENIZER_JSON ": added_tokens", &added);
		if (status == MOTE_OK)
			status = mote_json_need_u32(item, "id", 0, MOTE_TOKENIZER_MAX_IDS - 1, TOKENIZER_JSON ": added_tokens",
						    &added.id, b->error);
		if (status == MOTE_OK && *added.content && !find_added(b, added.content))
			status = add_token(b, &added);
	}
	if (status == MOTE_OK && b->config)
		status = read_config_tokens(b);
	if (status == MOTE_OK && b->config)
		status = read_named(b);
	if (status == MOTE_OK)
		status = check_holes(b);
	return status;
}

/* ---- merges */

struct merge {
	uint64_t key; /* merge_key() of the pair */
	uint32_t rank, result;
};

static int compare_merges(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* "a b", or ["a", "b"]; left and right are borrowed. */
static bool split_merge(const cJSON *item, const char **left, size_t *left_bytes, const char **right)
{
	const char *space;

	if (cJSON_IsArray(item)) {
		const cJSON *second = item->child ? item->child->next : NULL;

		if (!cJSON_IsString(item->child) || !cJSON_IsString(second) || second->next)
			return false;
		*left = item->child->valuestring;
		*left_bytes = strlen(*left);
		*right = second->valuestring;
		return true;
	}
	space = cJSON_IsString(item) ? strchr(item->valuestring, ' ') : NULL;
	if (!space || strchr(space + 1, ' '))
		return false;
	*left = item->valuestring;
	*left_bytes = (size_t)(space - *left);
	*right = space + 1;
	return true;
}

static enum mote_status read_merge(struct builder *b, const cJSON *item, uint32_t rank, struct merge *merge)
{
	char joined[2 * MOTE_TOKENIZER_MAX_TOKEN_BYTES + 1];
	size_t left_bytes, right_bytes, affix = 0;
	const char *left, *right;
	int64_t a, c, result;

	if (!split_merge(item, &left, &left_bytes, &right))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": merges[%u] is neither \"a b\" nor [\"a\", \"b\"]", rank);
	right_bytes = strlen(right);
	a = mote_hf_find_token(b, left, left_bytes);
	c = mote_hf_find_token(b, right, right_bytes);
	if (a < 0 || c < 0)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": merges[%u]: \"%.60s\" is not in the vocabulary",
				      rank, a < 0 ? left : right);
	for (const char *p = b->prefix; *p; p++) /* the reference counts characters and skips bytes */
		affix += ((uint8_t)*p & 0xc0) != 0x80;
	if (affix > right_bytes)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": merges[%u]: \"%.60s\" is shorter than "
				      "continuing_subword_prefix", rank, right);
	memcpy(joined, left, left_bytes);
	memcpy(joined + left_bytes, right + affix, right_bytes - affix);
	result = mote_hf_find_token(b, joined, left_bytes + right_bytes - affix);
	if (result < 0)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": merges[%u]: \"%.*s\" is not in the vocabulary", rank,
				      (int)(left_bytes + right_bytes - affix), joined);
	*merge = (struct merge){.key = merge_key((uint32_t)a, (uint32_t)c, b->id_bits), .rank = rank, .result = (uint32_t)result};
	return MOTE_OK;
}

/* One bucket for one to two merges; more where ids are so wide that a key must lose more of its bits. */
static void size_table(struct builder *b, uint32_t merges)
{
	b->id_bits = 1;
	b->bucket_bits = 0;
	while ((b->n_ids - 1) >> b->id_bits)
		b->id_bits++;
	while (b->bucket_bits < b->id_bits && (2u << b->bucket_bits <= merges ||
	       3 * b->id_bits + MOTE_TOKENIZER_RANK_BITS - b->bucket_bits > 64))
		b->bucket_bits++;
}

static enum mote_status write_merges(struct builder *b, const struct merge *merge, uint32_t count)
{
	uint32_t rest_bits = 2 * b->id_bits - b->bucket_bits, at = 0, kept = 0;
	enum mote_status status = MOTE_OK;

	for (uint64_t bucket = 0; bucket <= UINT64_C(1) << b->bucket_bits && !status; bucket++) {
		status = mote_hf_bytes_add(&b->part[PART_BUCKET], &kept, 4, b->error);
		for (; at < count && merge[at].key >> rest_bits == bucket && !status; at++) {
			uint64_t entry = (merge[at].key & ((UINT64_C(1) << rest_bits) - 1)) << MOTE_TOKENIZER_RANK_BITS;

			if (at + 1 < count && merge[at + 1].key == merge[at].key)
				continue; /* of a pair that is listed twice the later rank counts */
			entry = (entry | merge[at].rank) << b->id_bits | merge[at].result;
			status = mote_hf_bytes_add(&b->part[PART_MERGE], &entry, 8, b->error);
			kept++;
		}
	}
	return status;
}

static bool has_all_bytes(const struct builder *b)
{
	char symbol[4];

	for (unsigned byte = 0; byte < 256; byte++)
		if (mote_hf_find_token(b, symbol, utf8_encode(mote_tokenizer_byte_to_char((uint8_t)byte), symbol)) < 0)
			return false;
	return true;
}

enum mote_status mote_hf_read_merges(struct builder *b)
{
	const cJSON *model = mote_json_get(b->json, "model"), *list = mote_json_get(model, "merges");
	uint32_t count = 0, rank = 0;
	struct merge *merge;
	enum mote_status status = MOTE_OK;
	const char *unk;
	int64_t id;

	if (b->model != MODEL_BPE)
		return MOTE_OK;
	if (!cJSON_IsArray(list))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": \"merges\" is not a list");
	status = mote_json_want_string(model, "unk_token", "", MODEL_KEY, &unk, b->error);
	if (status)
		return status;
	id = *unk ? mote_hf_find_token(b, unk, strlen(unk)) : -1;
	if (*unk && id < 0 && !has_all_bytes(b)) /* with all bytes it is never asked for */
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": unk_token \"%.60s\" is not in the vocabulary", unk);
	b->unk = id < 0 ? MOTE_TOKENIZER_NONE : (uint32_t)id;
	for (const cJSON *item = list->child; item; item = item->next)
		count++;
	if (count > MOTE_TOKENIZER_MAX_MERGES)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, MODEL_KEY ": %u merges, at most %u are supported", count,
				      MOTE_TOKENIZER_MAX_MERGES);
	size_table(b, count);
	merge = malloc((count + 1) * sizeof *merge);
	if (!merge)
		return out_of_memory(b);
	for (const cJSON *item = list->child; item && !status; item = item->next) {
		if (cJSON_IsString(item) && !strncmp(item->valuestring, "#version", 8))
			continue;
		status = read_merge(b, item, rank, &merge[rank]);
		rank++;
	}
	if (status == MOTE_OK) {
		qsort(merge, rank, sizeof *merge, compare_merges);
		status = write_merges(b, merge, rank);
	}
	free(merge);
	return status;
}

/* ---- texts and trie */

static enum mote_status write_texts(struct builder *b)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t id = 0; id <= b->n_ids && !status; id++) {
		uint32_t at = (uint32_t)b->part[PART_TEXT].size, base;
		uint16_t offset;

		if (id % 16 == 0)
			status = mote_hf_bytes_add(&b->part[PART_TEXT_BASE], &at, 4, b->error);
		if (status)
			return status;
		memcpy(&base, b->part[PART_TEXT_BASE].data + 4 * (size_t)(id / 16), 4);
		offset = (uint16_t)(at - base);
		status = mote_hf_bytes_add(&b->part[PART_TEXT_OFFSET], &offset, 2, b->error);
		if (status == MOTE_OK && id < b->n_ids)
			status = mote_hf_bytes_add(&b->part[PART_TEXT], b->token[id].text, b->token[id].bytes, b->error);
	}
	return status;
}

static int compare_tokens(const void *a, const void *b)
{
	const struct token *const *x = a, *const *y = b;
	size_t common = (*x)->bytes < (*y)->bytes ? (*x)->bytes : (*y)->bytes;
	int order = memcmp((*x)->text, (*y)->text, common);

	return order ? order : ((*x)->bytes > (*y)->bytes) - ((*x)->bytes < (*y)->bytes);
}

struct trie_node {
	uint32_t low, high, depth; /* the tokens below it, in the sorted order, agree up to depth */
	uint8_t label;
};

/* Breadth first over the sorted tokens; nodes has room for all bytes of all tokens and the root. */
static enum mote_status write_nodes(struct builder *b, const struct token **sorted, uint32_t count,
				    struct trie_node *nodes)
{
	enum mote_status status = MOTE_OK;
	uint32_t n_nodes = 1;

	nodes[0] = (struct trie_node){.high = count};
	for (uint32_t i = 0; i < n_nodes && !status; i++) {
		struct trie_node node = nodes[i];
		uint32_t id = MOTE_TOKENIZER_NONE, low = node.low;

		status = mote_hf_bytes_add(&b->part[PART_TRIE_FIRST], &n_nodes, 4, b->error);
		for (; low < node.high && sorted[low]->bytes == node.depth; low++)
			id = (uint32_t)mote_hf_find_token(b, sorted[low]->text, sorted[low]->bytes);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(&b->part[PART_TRIE_ID], &id, 4, b->error);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(&b->part[PART_TRIE_LABEL], &node.label, 1, b->error);
		while (low < node.high) {
			uint8_t label = (uint8_t)sorted[low]->text[node.depth];
			uint32_t high = low + 1;

			while (high < node.high && (uint8_t)sorted[high]->text[node.depth] == label)
				high++;
			nodes[n_nodes++] = (struct trie_node){.low = low, .high = high, .depth = node.depth + 1, .label = label};
			low = high;
		}
	}
	return status ? status : mote_hf_bytes_add(&b->part[PART_TRIE_FIRST], &n_nodes, 4, b->error);
}

static enum mote_status write_trie(struct builder *b)
{
	const struct token **sorted = malloc((b->n_ids + 1) * sizeof *sorted);
	struct trie_node *nodes = NULL;
	enum mote_status status;
	size_t bytes = 1;
	uint32_t count = 0;

	for (uint32_t id = 0; sorted && id < b->n_ids; id++)
		if (b->token[id].in_model && b->token[id].bytes) {
			sorted[count++] = &b->token[id];
			bytes += b->token[id].bytes;
		}
	nodes = malloc(bytes * sizeof *nodes);
	if (!sorted || !nodes) {
		status = out_of_memory(b);
	} else {
		qsort(sorted, count, sizeof *sorted, compare_tokens);
		status = write_nodes(b, sorted, count, nodes);
	}
	free(sorted);
	free(nodes);
	return status;
}

enum mote_status mote_hf_write_vocab(struct builder *b)
{
	enum mote_status status = write_texts(b);
	double none = 0;

	if (status == MOTE_OK && (b->model == MODEL_UNIGRAM || b->flags & MODEL_IGNORE_MERGES || *b->prefix || *b->suffix))
		status = write_trie(b);
	while (status == MOTE_OK && b->model == MODEL_UNIGRAM && b->part[PART_SCORE].size < 8 * (size_t)b->n_ids)
		status = mote_hf_bytes_add(&b->part[PART_SCORE], &none, 8, b->error); /* added tokens have no score */
	return status;
}
