/* Added tokens: those of tokenizer.json, of tokenizer_config.json, and special tokens that only the latter's names
 * declare. They come behind the model's own tokens (hf_tokenizer_vocab.c), some of which they are. */
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer_build.h"

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
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      TOKENIZER_JSON
				      ": added token \"%.60s\" has id %u, the vocabulary gives it %lld",
				      added->content, added->id, (long long)id);
	if (id < 0)
		status = mote_hf_insert_token(b, added->id, added->content);
	if (status)
		return status;
	grown = realloc(b->added, (b->n_added + 1) * sizeof *grown);
	if (!grown)
		return mote_hf_out_of_memory(b);
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
		status = mote_json_want_bool(item, "normalized", !added->special, where, &added->normalized,
					     b->error);
	if (status == MOTE_OK && strlen(added->content) > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
		status = mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
					"%s: a token of %zu bytes, at most %u are supported", where,
					strlen(added->content), MOTE_TOKENIZER_MAX_TOKEN_BYTES);
	return status;
}

/* A list that has one text twice: the reference gives both the first one's id and lets the later flags count. It looks
 * for special tokens before all others, so a special one decides in which text; of two others, the one in the raw text
 * is met first. */
static void add_again(struct added_token *old, const struct added_token *again)
{
	if (!old->special)
		old->normalized = again->normalized && (again->special || old->normalized);
	old->special |= again->special;
	old->single_word = again->single_word;
	old->lstrip = again->lstrip;
	old->rstrip = again->rstrip;
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
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, "%s: \"%.60s\" is no id", where,
					      item->string);
		added.id = (uint32_t)id;
		old = find_added(b, added.content);
		if (!old && !*added.content)
			continue;
		if (!old) {
			status = add_token(b, &added);
			continue;
		}
		if (old->id != added.id)
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
					      "%s: \"%.60s\" has id %u, in " TOKENIZER_JSON " it has %u", where,
					      added.content, added.id, old->id);
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

static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
				    "pad_token", "cls_token", "mask_token"};

static enum mote_status read_named(struct builder *b, const cJSON *file)
{
	const cJSON *more = mote_json_get(file, "additional_special_tokens");
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++)
		status = add_named(b, mote_json_get(file, names[i]));
	for (const cJSON *item = cJSON_IsArray(more) ? more->child : NULL; item && !status; item = item->next)
		status = add_named(b, item);
	return status;
}

static bool is_text(const cJSON *item, const char *text)
{
	item = cJSON_IsObject(item) ? mote_json_get(item, "content") : item;
	return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

static bool is_named(const cJSON *file, const char *text)
{
	const cJSON *more = mote_json_get(file, "additional_special_tokens");
	bool named = false;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		named = named || is_text(mote_json_get(file, names[i]), text);
	for (const cJSON *item = cJSON_IsArray(more) ? more->child : NULL; item; item = item->next)
		named = named || is_text(item, text);
	return named;
}

/* added_tokens.json, the oldest way: {text: id}. What tokenizer.json declares stays as it is there. */
static enum mote_status read_more_added(struct builder *b)
{
	static const char where[] = "added_tokens.json";
	enum mote_status status = MOTE_OK;

	for (const cJSON *item = cJSON_IsObject(b->more_added) ? b->more_added->child : NULL; item && !status;
	     item = item->next) {
		const size_t bytes = strlen(item->string);
		struct added_token added = {.content = item->string};
		int64_t id = mote_hf_find_token(b, item->string, bytes);

		if (!bytes || find_added(b, item->string))
			continue;
		if (id < 0 && (!mote_json_integer(item, &id) || id < 0 || id >= (int64_t)MOTE_TOKENIZER_MAX_IDS))
			return mote_error_set(b->error, MOTE_ERROR_CORRUPT, "%s: \"%.60s\": expected an id of 0 to %u",
					      where, item->string, MOTE_TOKENIZER_MAX_IDS - 1);
		if (bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
			return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, "%s: a token of %zu bytes, at most %u "
					      "are supported", where, bytes, MOTE_TOKENIZER_MAX_TOKEN_BYTES);
		added.id = (uint32_t)id;
		added.special = is_named(b->config, item->string) || is_named(b->map, item->string);
		added.normalized = !added.special;
		status = add_token(b, &added);
	}
	return status;
}

/* Added tokens for which the model has no row (a pad token that a trainer appended, say) can be neither read nor
 * written by it: they go, and are told of. Tokens of the vocabulary proper stay, for the caller to refuse. */
static void drop_added(struct builder *b)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < b->n_added; i++) {
		const struct added_token *added = &b->added[i];

		if (added->id < b->model_ids) {
			b->token[added->id].added = kept + 1;
			b->added[kept++] = *added;
			continue;
		}
		if (!b->n_dropped++ || added->id < b->dropped.id)
			b->dropped = *added;
		b->token[added->id] = (struct token){0};
	}
	b->n_added = kept;
	while (b->n_ids > b->model_ids && !b->token[b->n_ids - 1].text)
		b->n_ids--;
}

enum mote_status mote_hf_read_added(struct builder *b)
{
	const cJSON *list = mote_json_get(b->json, "added_tokens");
	enum mote_status status = MOTE_OK;

	if (cJSON_IsTrue(mote_json_get(b->config, "split_special_tokens")))
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED, "tokenizer_config.json: "
				      "\"split_special_tokens\" is true; mote finds special tokens in texts");
	for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item && !status; item = item->next) {
		struct added_token added = {0}, *old;

		status = read_flags(b, item, TOKENIZER_JSON ": added_tokens", &added);
		if (status == MOTE_OK)
			status = mote_json_need_u32(item, "id", 0, MOTE_TOKENIZER_MAX_IDS - 1,
						    TOKENIZER_JSON ": added_tokens", &added.id, b->error);
		old = status == MOTE_OK ? find_added(b, added.content) : NULL;
		if (old)
			add_again(old, &added);
		else if (status == MOTE_OK && *added.content)
			status = add_token(b, &added);
	}
	if (status == MOTE_OK && b->config)
		status = read_config_tokens(b);
	if (status == MOTE_OK)
		status = read_more_added(b);
	if (status == MOTE_OK)
		status = read_named(b, b->config);
	if (status == MOTE_OK)
		status = read_named(b, b->map);
	if (status == MOTE_OK && b->model_ids)
		drop_added(b);
	if (status == MOTE_OK && !b->n_ids)
		status = mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": the vocabulary is empty");
	return status;
}
